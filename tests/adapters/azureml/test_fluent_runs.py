"""MLflow's own functions write into a run of a workspace as who studbook is, whoever delivers."""

from __future__ import annotations

from collections.abc import Iterator

import mlflow
import pytest
from mlflow import MlflowClient

from azureml_stand_in.workspace import SCOPE, URI, Workspace
from servers.mlflow_server import Server
from studbook.adapters.azureml.fluent_runs import AzureFluentRuns
from studbook.adapters.azureml.workspace import Workspace as Target
from studbook.domain.errors import TrackingDenied, TrackingUnavailable
from studbook.ports.contract.tracking_examples import fresh_name


@pytest.fixture
def forgotten() -> Iterator[None]:
    """Plugin and MLflow know of no credential and no store, as in a process that opened none."""
    from azureml.mlflow._internal.service_context_loader import _AzureMLServiceContextLoader
    from mlflow.tracking._tracking_service.utils import _tracking_store_registry

    _AzureMLServiceContextLoader._tracking_uri_to_service_context.clear()
    _tracking_store_registry._get_store_with_resolved_uri.cache_clear()
    yield
    mlflow.set_tracking_uri(None)  # type: ignore[arg-type]


def run_behind(server: Server) -> tuple[MlflowClient, str]:
    client = MlflowClient(server.uri, registry_uri=server.uri)
    return client, client.create_run(client.create_experiment(fresh_name())).info.run_id


def runs_in(uri: str = URI) -> AzureFluentRuns:
    return AzureFluentRuns(Target.of(uri, credential="environment", cloud="AzureCloud"))


@pytest.mark.parametrize("uri", [URI, f"azureml://{SCOPE}"], ids=["by its address", "by its name"])
@pytest.mark.usefixtures("forgotten")
def test_no_store_need_be_open(workspace: Workspace, server: Server, uri: str) -> None:
    client, run_id = run_behind(server)
    runs = runs_in(uri)
    for value in (1.0, 2.0):
        with runs.active(run_id):
            assert mlflow.get_tracking_uri() == URI
            mlflow.log_metric("theirs", value)
    stored = client.get_run(run_id)
    assert (stored.data.metrics, stored.info.status) == ({"theirs": 2.0}, "RUNNING")
    assert len(workspace.requests("/oauth2/v2.0/token", "POST")) == 1


@pytest.mark.usefixtures("forgotten")
def test_who_is_not_let_in_is_told_so_before_the_block(
    workspace: Workspace, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, run_id = run_behind(server)
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "wrong")
    with pytest.raises(TrackingDenied, match="AADSTS7000215"), runs_in().active(run_id):
        pass
    with pytest.raises(TrackingDenied), runs_in(f"azureml://{SCOPE}").active(run_id):
        pass
    assert mlflow.active_run() is None
    assert not workspace.requests("devicecode")


@pytest.mark.usefixtures("forgotten", "workspace")
def test_a_workspace_that_is_not_there_is_told(server: Server) -> None:
    _, run_id = run_behind(server)
    with (
        pytest.raises(TrackingUnavailable, match="no such workspace"),
        runs_in(f"azureml://{SCOPE}2").active(run_id),
    ):
        pass
