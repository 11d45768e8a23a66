"""A workspace that is named without its host is found by asking Azure once."""

from __future__ import annotations

import pytest

from azureml_stand_in.jobs import MANAGEMENT
from azureml_stand_in.resource_manager import NO_ROLE
from azureml_stand_in.workspace import HOST, SCOPE, URI, Workspace
from faults.http_faults import Answer, ResetBefore
from studbook.adapters.azureml.tracking_store import azure_tracking_store
from studbook.adapters.azureml.workspace import Workspace as Target
from studbook.adapters.mlflow.errors import NO_MLFLOW
from studbook.adapters.mlflow.patience import Patience
from studbook.domain.errors import TrackingDenied, TrackingUnavailable
from studbook.ports.contract.tracking_examples import RUN_KEY_TAG, fresh_name, new_run

SHORT = f"azureml://{SCOPE}"
_DOCUMENT = "api-version=2023-10-01"


def target(uri: str = SHORT) -> Target:
    return Target.of(uri, credential="environment", cloud="AzureCloud")


def test_the_document_is_asked_for_once_and_by_the_same_credential(workspace: Workspace) -> None:
    found = target()
    store = azure_tracking_store(found, run_key_tag=RUN_KEY_TAG)
    run_id = store.create_run(new_run(fresh_name()))
    assert store.get_run(run_id).run_id == run_id
    assert (found.host, found.uri) == (HOST, URI)
    (asked,) = workspace.requests(_DOCUMENT)
    assert asked.headers["Host"] == MANAGEMENT
    assert asked.path.partition("?")[0] == SCOPE
    assert len(workspace.requests("/oauth2/v2.0/token", "POST")) == 1


def test_a_full_uri_asks_nobody(workspace: Workspace) -> None:
    assert target(URI).host == HOST
    assert workspace.requests() == []


def test_building_asks_nobody(workspace: Workspace) -> None:
    azure_tracking_store(target(), run_key_tag=RUN_KEY_TAG)
    assert workspace.requests() == []


@pytest.mark.usefixtures("workspace")
def test_no_such_workspace_is_an_outage_that_is_not_waited_for(workspace: Workspace) -> None:
    with pytest.raises(TrackingUnavailable, match="no such workspace") as caught:
        target(f"{SHORT}2").location.host(patience=Patience(attempts=5))
    assert caught.value.details["code"] == NO_MLFLOW
    assert "resource group" in caught.value.cure
    assert len(workspace.requests(_DOCUMENT)) == 1


def test_a_missing_role_is_told(workspace: Workspace) -> None:
    workspace.on(_DOCUMENT, NO_ROLE)
    with pytest.raises(TrackingDenied) as caught:
        target().location.host()
    assert "does not have authorization" in caught.value.problem
    assert "AzureML Data Scientist" in caught.value.cure


def test_a_token_of_another_tenant_is_told(workspace: Workspace) -> None:
    workspace.on(_DOCUMENT, Answer(401), times=2)
    with pytest.raises(TrackingDenied) as caught:
        target().location.host()
    assert "az login" in caught.value.cure


def test_a_secret_that_is_not_taken_is_told_and_not_shown(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "wrong-and-secret")
    with pytest.raises(TrackingDenied, match="AADSTS7000215") as caught:
        target().location.host()
    assert "wrong-and-secret" not in str(caught.value)
    assert workspace.requests(_DOCUMENT) == []


def test_who_does_not_answer_is_asked_again_and_then_known(workspace: Workspace) -> None:
    workspace.on(_DOCUMENT, ResetBefore())
    found = target()
    with pytest.raises(TrackingUnavailable):
        found.location.host()
    assert not found.location.known
    assert found.location.host() == HOST


def test_a_workspace_that_is_not_made_yet_is_an_outage(workspace: Workspace) -> None:
    workspace.on(_DOCUMENT, Answer(200, {}, b'{"properties": {"provisioningState": "Creating"}}'))
    with pytest.raises(TrackingUnavailable, match="names no tracking URI"):
        target().location.host()
