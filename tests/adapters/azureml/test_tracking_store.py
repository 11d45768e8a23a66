"""The tracking store on a workspace keeps the port's contract, and asks for nothing that Azure lacks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from azureml_stand_in.workspace import HOST, SCOPE, URI, Workspace
from faults.http_faults import Answer, AnswerAfter
from servers.mlflow_server import Server
from studbook.adapters.azureml.tracking_store import AZURE_LIMITS, azure_tracking_store
from studbook.adapters.azureml.workspace import Workspace as Target
from studbook.adapters.memory.tracking_store import MemoryTrackingStore
from studbook.adapters.mlflow.tracking_store import MlflowTrackingStore
from studbook.domain.errors import ConfigError, TrackingDenied, TrackingUnavailable
from studbook.ports.contract.tracking_examples import RUN_KEY_TAG, START, fresh_name, ids, new_run
from studbook.ports.contract.tracking_store import TrackingStoreContract
from studbook.ports.contract.tracking_store_machine import TrackingStoreMachine
from studbook.ports.run_query import ANY_STATUS, RunQuery
from studbook.ports.tracking_store import TrackingStore

_CREATE = "/runs/create"


def store_of(search_page: int = 20, visibility_delay_s: float = 60.0) -> MlflowTrackingStore:
    return azure_tracking_store(
        Target.of(URI, credential="default", cloud="AzureCloud"),
        run_key_tag=RUN_KEY_TAG,
        capabilities=replace(AZURE_LIMITS, search_page=search_page, visibility_delay_s=visibility_delay_s),
    )


@pytest.fixture
def store(workspace: Workspace) -> Iterator[MlflowTrackingStore]:
    """A store on the stand-in, with small pages."""
    store = store_of()
    yield store
    store.close()


class TestRunsInAWorkspace(TrackingStoreContract):
    """The port's contract."""

    @pytest.fixture
    def store(self, store: MlflowTrackingStore, server: Server) -> TrackingStore:
        """The workspace's store, which holds other tests' runs too."""
        self._behind = server.uri
        return store

    def delete_experiment(self, store: TrackingStore, name: str) -> None:
        """Behind the workspace's back."""
        from mlflow import MlflowClient

        client = MlflowClient(self._behind, registry_uri=self._behind)
        experiment = client.get_experiment_by_name(name)
        assert experiment is not None
        client.delete_experiment(experiment.experiment_id)


@pytest.mark.usefixtures("workspace")
def test_it_agrees_with_the_model_whatever_is_done() -> None:
    class Machine(TrackingStoreMachine):
        def stores(self) -> tuple[TrackingStore, TrackingStore]:
            return store_of(search_page=3), MemoryTrackingStore(AZURE_LIMITS, run_key_tag=RUN_KEY_TAG)

    run_state_machine_as_test(Machine, settings=settings(max_examples=3, stateful_step_count=15))


def test_tags_that_the_creation_drops_are_set_after_it(store: MlflowTrackingStore) -> None:
    new = new_run(fresh_name(), tags={"mlflow.source.name": "train.py"})
    assert store.get_run(store.create_run(new)).tags["mlflow.source.name"] == "train.py"


def test_tags_that_could_not_be_set_after_the_creation_are_set_when_the_run_is_found(
    store: MlflowTrackingStore, workspace: Workspace
) -> None:
    new = new_run(fresh_name(), tags={"mlflow.source.name": "train.py"})
    workspace.on("/runs/log-batch", Answer(503))
    with pytest.raises(TrackingUnavailable):
        store.create_run(new)
    assert store.get_run(store.create_run(new)).tags["mlflow.source.name"] == "train.py"
    assert len(workspace.requests(_CREATE)) == 1


def test_one_token_serves_many_requests(store: MlflowTrackingStore, workspace: Workspace) -> None:
    new = new_run(fresh_name())
    for _ in range(3):
        store.get_run(store.create_run(new))
    assert len(workspace.requests("/oauth2/v2.0/token", "POST")) == 1


def test_nothing_is_asked_that_azure_lacks(store: MlflowTrackingStore, workspace: Workspace) -> None:
    run_id = store.create_run(new_run(fresh_name()))
    store.experiments()
    store.delete_run(run_id)
    asked = {one.path.partition("?")[0] for one in workspace.requests()}
    hosts = {one.headers["Host"] for one in workspace.requests()}
    assert not [path for path in asked if "logged-models" in path or "traces" in path or "/api/3.0" in path]
    assert hosts == {HOST, "login.microsoftonline.com"}


def test_a_run_that_search_does_not_show_yet_is_not_made_twice(workspace: Workspace) -> None:
    store, new = store_of(visibility_delay_s=600.0), new_run(fresh_name())
    workspace.search_lag = 3
    workspace.on(_CREATE, AnswerAfter(503))
    with pytest.raises(TrackingUnavailable):
        store.create_run(new)
    for _ in range(2):
        with pytest.raises(TrackingUnavailable):
            store.create_run(new)
    run_id = store.create_run(new)
    assert ids(store.find(RunQuery((new.experiment,), ANY_STATUS))) == [run_id]
    assert len(workspace.requests(_CREATE)) == 1


def test_credentials_that_azure_does_not_take_are_denied(
    store: MlflowTrackingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "wrong-and-secret")
    with pytest.raises(TrackingDenied, match="token") as caught:
        store.experiments()
    assert "wrong-and-secret" not in str(caught.value)


def test_no_credentials_are_denied_without_asking_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"):
        monkeypatch.delenv(name, raising=False)
    target = Target.of(URI, credential="environment", cloud="AzureCloud")
    with pytest.raises(TrackingDenied):
        azure_tracking_store(target, run_key_tag=RUN_KEY_TAG).experiments()


def test_the_run_page_is_in_the_studio(store: MlflowTrackingStore) -> None:
    run = store.get_run(store.create_run(new_run(fresh_name(), START)))
    scope = SCOPE.replace("resourceGroups", "resourcegroups").replace(
        "/providers/Microsoft.MachineLearningServices", ""
    )
    assert store.run_url(run) == f"https://ml.azure.com/runs/{run.run_id}?wsid={scope}"


def test_what_names_no_workspace_is_refused() -> None:
    with pytest.raises(ConfigError, match="names no Azure ML workspace"):
        Target.of(f"azureml://{HOST}/mlflow/v2.0/subscriptions/s", credential="default", cloud="AzureCloud")
