"""The stand-in is one that real clients take for the cloud, and that is as strict as the cloud."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import requests

from azureml_stand_in.workspace import HOST, SCOPE, URI, Workspace
from studbook.ports.contract.tracking_examples import fresh_name


@pytest.fixture
def registered(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> str:
    """The workspace's URI, known to the plugin with a credential of the environment."""
    from azure.identity import EnvironmentCredential
    from azureml.mlflow import get_mlflow_tracking_uri_v2

    monkeypatch.setenv("AZUREML_CURRENT_CLOUD", "AzureCloud")
    *_, subscription, _, group, _, _, _, name = SCOPE.split("/")
    context = {
        "subscription_id": subscription,
        "resource_group_name": group,
        "workspace_name": name,
        "auth": EnvironmentCredential(),
        "host_url": f"https://{HOST}",
    }
    return str(get_mlflow_tracking_uri_v2(SimpleNamespace(ml_flow_tracking_uri=URI), context))


def test_the_plugin_makes_and_reads_a_run(workspace: Workspace, registered: str) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(registered, registry_uri=registered)
    run = client.create_run(
        client.create_experiment(fresh_name()), tags={"mlflow.source.name": "x", "t": "1"}
    )
    client.log_metric(run.info.run_id, "loss", 0.5)
    found = client.get_run(run.info.run_id)
    assert found.data.metrics == {"loss": 0.5}
    assert found.data.tags["t"] == "1"
    assert "mlflow.source.name" not in found.data.tags
    assert found.data.tags["mlflow.rootRunId"] == run.info.run_id
    assert found.info.artifact_uri.startswith(f"{URI}/experiments/")
    assert workspace.requests("/oauth2/v2.0/token", "POST")


@pytest.mark.parametrize(
    "refused",
    [
        {"filter": "tags.a != '1'"},
        {"filter": "tags.`a` = '1'"},
        {"filter": "attributes.start_time >= 12"},
        {"filter": "attributes.status = 'Finished'"},
        {"order_by": ["metrics.loss ASC"]},
        {"max_results": 501},
    ],
)
def test_a_search_that_azure_does_not_take_is_refused_in_its_words(
    workspace: Workspace, refused: dict[str, str | int | list[str]]
) -> None:
    answer = requests.post(
        f"https://{HOST}/mlflow/v2.0{SCOPE}/api/2.0/mlflow/runs/search",
        json={"experiment_ids": ["0"], **refused},
        headers={"Authorization": f"Bearer {workspace.token()}"},
        timeout=30,
    )
    assert answer.status_code == 400
    assert (answer.json()["error_code"], answer.json()["Error"]["Code"]) == (
        "INVALID_PARAMETER_VALUE",
        "UserError",
    )


@pytest.mark.usefixtures("workspace")
def test_nobody_gets_in_without_a_token() -> None:
    answer = requests.get(
        f"https://{HOST}/mlflow/v2.0{SCOPE}/api/2.0/mlflow/runs/get",
        headers={"Authorization": "Bearer made-up"},
        timeout=30,
    )
    assert answer.status_code == 401


@pytest.mark.usefixtures("workspace")
def test_nothing_else_can_be_reached() -> None:
    with pytest.raises(requests.exceptions.ProxyError, match="502"):
        requests.get("https://example.com/", timeout=30)
