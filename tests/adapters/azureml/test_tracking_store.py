"""The tracking store on a workspace keeps the port's contract, and asks for nothing that Azure lacks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from azureml_stand_in.faults import TOKENS, refusal
from azureml_stand_in.workspace import HOST, SCOPE, URI, Workspace
from faults.http_faults import Answer, AnswerAfter, Cut, Fault, ResetAfter, ResetBefore
from servers.mlflow_server import Server
from studbook.adapters.azureml.credentials import CredentialKind
from studbook.adapters.azureml.tracking_store import AZURE_LIMITS, azure_tracking_store
from studbook.adapters.azureml.workspace import Workspace as Target
from studbook.adapters.memory.tracking_store import MemoryTrackingStore
from studbook.adapters.mlflow.patience import ONCE
from studbook.adapters.mlflow.tracking_store import MlflowTrackingStore
from studbook.domain.errors import ConfigError, TrackingDenied, TrackingUnavailable
from studbook.domain.redaction import redact
from studbook.domain.run import RunStatus
from studbook.domain.store_writes import RecordBatch
from studbook.ports.contract.tracking_examples import RUN_KEY_TAG, START, fresh_name, ids, metric, new_run
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


def impatient() -> MlflowTrackingStore:
    return azure_tracking_store(
        Target.of(URI, credential="default", cloud="AzureCloud"), run_key_tag=RUN_KEY_TAG, patience=ONCE
    )


def refused(status: int, code: str) -> Answer:
    return Answer(status, {"Content-Type": "application/json"}, json.dumps({"error_code": code}).encode())


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


def test_a_parent_that_the_creation_drops_is_set_after_it(
    store: MlflowTrackingStore, workspace: Workspace
) -> None:
    parent = new_run(fresh_name())
    parent_id = store.create_run(parent)
    workspace.rules = replace(workspace.rules, drops=("mlflow.parentRunId",))
    child_id = store.create_run(replace(new_run(parent.experiment), parent_id=parent_id))
    assert store.get_run(child_id).parent_id == parent_id
    assert len(workspace.requests("/runs/set-tag")) == 1


@pytest.mark.parametrize(
    ("told", "read"),
    [
        ("Completed", RunStatus.FINISHED),
        ("Finished", RunStatus.FINISHED),
        ("Failed", RunStatus.FAILED),
        ("Canceled", RunStatus.KILLED),
        ("Queued", RunStatus.RUNNING),
        ("SCHEDULED", RunStatus.RUNNING),
    ],
)
def test_the_statuses_of_jobs_are_read(
    store: MlflowTrackingStore, workspace: Workspace, told: str, read: RunStatus
) -> None:
    new = new_run(fresh_name())
    run_id = store.create_run(new)
    workspace.rules = replace(workspace.rules, statuses={"RUNNING": told})
    assert store.get_run(run_id).status is read
    assert ids(store.find(RunQuery((new.experiment,), frozenset({read})))) == [run_id]


def test_what_decides_is_read_where_it_was_written_while_the_search_lags(
    store: MlflowTrackingStore, workspace: Workspace
) -> None:
    new = new_run(fresh_name())
    run_id = store.create_run(new)
    store.record(run_id, RecordBatch({"p": "1"}, metric("m", 2.0).metrics))
    store.end_run(run_id, RunStatus.FINISHED, START + 1)
    running = store.create_run(new_run(new.experiment))
    workspace.rules = replace(workspace.rules, search_lags=True)
    listed = RunQuery(
        (new.experiment,), frozenset({RunStatus.FINISHED}), params={"p": "1"}, has_metrics=frozenset({"m"})
    )
    assert ids(store.find(listed)) == []
    assert workspace.requests("/runs/get\\?")[2:] == []
    (decided,) = store.find(replace(listed, fresh=True))
    assert decided == store.get_run(run_id)
    assert ids(store.find(RunQuery((new.experiment,), ANY_STATUS, fresh=True))) == sorted([run_id, running])


def test_fresh_runs_come_in_their_order_and_those_that_went_do_not(
    store: MlflowTrackingStore, workspace: Workspace
) -> None:
    experiment = fresh_name()
    made = [store.create_run(new_run(experiment, START + number)) for number in range(70)]
    workspace.on(f"/runs/get.*{made[1]}", refused(404, "RESOURCE_DOES_NOT_EXIST"))
    fresh = RunQuery((experiment,), ANY_STATUS, fresh=True)
    assert ids(store.find(fresh)) == [made[0], *made[2:]]
    workspace.on("/runs/get", Answer(503), times=None)
    asked = len(workspace.requests("/runs/get\\?"))
    with pytest.raises(TrackingUnavailable):
        next(impatient().find(fresh))
    assert len(workspace.requests("/runs/get\\?")) - asked < 64, "the others are not asked for any more"


def test_a_token_that_is_taken_no_longer_is_renewed_once_and_what_was_asked_is_asked_again(
    store: MlflowTrackingStore, workspace: Workspace
) -> None:
    new = new_run(fresh_name())
    run_id = store.create_run(new)
    asks: tuple[Callable[[], object], ...] = (
        lambda: store.get_run(run_id),
        lambda: store.record(run_id, metric("m", 1.0)),
        lambda: store.create_run(new_run(new.experiment)),
        lambda: store.end_run(run_id, RunStatus.FINISHED, START + 1),
    )
    for times, ask in enumerate(asks, start=2):
        workspace.revoke_tokens()
        ask()
        assert len(workspace.requests(TOKENS, "POST")) == times
    assert len(ids(store.find(RunQuery((new.experiment,), ANY_STATUS)))) == 2
    assert store.get_run(run_id).metrics == {"m": 1.0}


def test_a_new_token_that_is_not_taken_either_is_denied(
    store: MlflowTrackingStore, workspace: Workspace
) -> None:
    workspace.on("/runs/get", Answer(401), times=None)
    with pytest.raises(TrackingDenied):
        store.get_run("0" * 32)
    assert len(workspace.requests("/runs/get")) == 2
    assert len(workspace.requests(TOKENS, "POST")) == 2


@pytest.mark.parametrize("fault", [Answer(503), Answer(429), ResetBefore(), AnswerAfter(502)])
@pytest.mark.parametrize("expired", [False, True])
def test_a_token_that_cannot_be_fetched_now_is_worth_another_try(
    workspace: Workspace, fault: Fault, *, expired: bool
) -> None:
    store = impatient()
    if expired:
        store.experiments()
        workspace.revoke_tokens()
    workspace.on(TOKENS, fault, times=None)
    with pytest.raises(TrackingUnavailable) as caught:
        store.experiments()
    assert caught.value.details["code"] == "NO_TOKEN"
    workspace.forget()
    store.experiments()


def test_a_write_that_comes_too_soon_says_how_long_to_wait(
    store: MlflowTrackingStore, workspace: Workspace
) -> None:
    run_id = store.create_run(new_run(fresh_name()))
    workspace.on("/runs/log-batch", refusal(429, "TooManyRequests", retry_after_s=7))
    with pytest.raises(TrackingUnavailable) as caught:
        store.record(run_id, metric("m", 1.0))
    assert caught.value.details["retry_after_s"] == 7
    assert "outcome" not in caught.value.details


def test_a_write_that_no_proxy_led_anywhere_was_not_done(
    store: MlflowTrackingStore, workspace: Workspace
) -> None:
    run_id = store.create_run(new_run(fresh_name()))
    workspace.down()
    try:
        with pytest.raises(TrackingUnavailable) as caught:
            store.record(run_id, metric("m", 1.0))
    finally:
        workspace.up()
    assert (caught.value.details["code"], caught.value.details.get("outcome")) == ("PROXY", None)


def test_one_token_serves_many_requests(store: MlflowTrackingStore, workspace: Workspace) -> None:
    new = new_run(fresh_name())
    for _ in range(3):
        store.get_run(store.create_run(new))
    assert len(workspace.requests(TOKENS, "POST")) == 1


def test_nothing_is_asked_that_azure_lacks(store: MlflowTrackingStore, workspace: Workspace) -> None:
    run_id = store.create_run(new_run(fresh_name()))
    store.experiments()
    store.delete_run(run_id)
    asked = {one.path.partition("?")[0] for one in workspace.requests()}
    hosts = {one.headers["Host"] for one in workspace.requests()}
    assert not [path for path in asked if "logged-models" in path or "traces" in path or "/api/3.0" in path]
    assert hosts == {HOST, "login.microsoftonline.com"}


@pytest.mark.parametrize("fault", [AnswerAfter(503), ResetAfter(), Cut(5, announced=True)])
def test_a_run_that_search_does_not_show_yet_is_not_made_twice(workspace: Workspace, fault: Fault) -> None:
    store, new = store_of(visibility_delay_s=600.0), new_run(fresh_name())
    workspace.search_lag = 3
    workspace.on(_CREATE, fault)
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


@pytest.mark.parametrize(
    ("credential", "asked"),
    [
        ("environment", ["EnvironmentCredential"]),
        ("default", ["EnvironmentCredential", "ManagedIdentityCredential", "AzureCliCredential"]),
    ],
)
def test_no_credentials_are_denied_without_asking_a_person(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    credential: CredentialKind,
    asked: list[str],
) -> None:
    for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", "")
    target = Target.of(URI, credential=credential, cloud="AzureCloud")
    with pytest.raises(TrackingDenied) as caught:
        azure_tracking_store(target, run_key_tag=RUN_KEY_TAG).experiments()
    assert all(who in redact(caught.value.problem) for who in asked)
    assert [record for record in caplog.records if record.name.startswith("azure.identity")] == []


def test_the_run_page_is_in_the_studio(store: MlflowTrackingStore) -> None:
    run = store.get_run(store.create_run(new_run(fresh_name(), START)))
    scope = SCOPE.replace("resourceGroups", "resourcegroups").replace(
        "/providers/Microsoft.MachineLearningServices", ""
    )
    assert store.run_url(run) == f"https://ml.azure.com/runs/{run.run_id}?wsid={scope}"


@pytest.mark.parametrize(
    "uri",
    [f"azureml://{HOST}/mlflow/v2.0/subscriptions/s", URI.replace("azureml://", "azureml://who:hush@")],
    ids=["too short", "with a password"],
)
def test_what_names_no_workspace_is_refused(uri: str) -> None:
    with pytest.raises(ConfigError, match="names no Azure ML workspace") as caught:
        Target.of(uri, credential="default", cloud="AzureCloud")
    assert "hush" not in str(caught.value)
