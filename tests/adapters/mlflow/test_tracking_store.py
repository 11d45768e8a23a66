"""The MLflow store on a real SQLite database."""

from __future__ import annotations

import math
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from studbook.adapters.memory.tracking_store import MemoryTrackingStore
from studbook.adapters.mlflow import sql_schema
from studbook.adapters.mlflow.backend import Backend
from studbook.adapters.mlflow.entities import tag_entities
from studbook.adapters.mlflow.tracking_store import MlflowTrackingStore
from studbook.domain.errors import RunDeleted, TrackingRefused, TrackingUnavailable, UnsupportedTarget
from studbook.domain.run import RunStatus
from studbook.domain.store_writes import MetricPoint, RecordBatch
from studbook.domain.stored_run import Lifecycle
from studbook.ports.contract.tracking_examples import (
    RUN_KEY_TAG,
    START,
    at_once,
    fresh_name,
    ids,
    metric,
    new_run,
)
from studbook.ports.contract.tracking_store import TrackingStoreContract
from studbook.ports.contract.tracking_store_machine import TrackingStoreMachine
from studbook.ports.run_query import ANY_STATUS, RunQuery
from studbook.ports.tracking_store import NewRun, TrackingStore

StoreMaker = Callable[[], MlflowTrackingStore]


def database(store: MlflowTrackingStore) -> Path:
    """The file below the store."""
    return cast(Path, cast(Backend, store._backend).database)


def execute(store: MlflowTrackingStore, statement: str) -> list[tuple[object, ...]]:
    """The rows of a statement on a connection of its own."""
    with closing(sqlite3.connect(database(store))) as connection, connection:
        return connection.execute(statement).fetchall()


def create_beside(store: MlflowTrackingStore, new: NewRun) -> str:
    """A run that MLflow makes without asking whether there is one: what a repeated request does."""
    experiment = store._store().get_experiment_by_name(new.experiment)
    assert experiment is not None
    run = store._store().create_run(
        experiment.experiment_id, "u", new.started_at_ms, tag_entities(new.tags), new.name
    )
    return str(run.info.run_id)


class TestMlflowTrackingStore(TrackingStoreContract):
    """The port's contract."""

    @pytest.fixture
    def store(self, new_store: StoreMaker) -> TrackingStore:
        """An empty store."""
        return new_store()

    def delete_experiment(self, store: TrackingStore, name: str) -> None:
        """As MLflow does: with its runs."""
        assert isinstance(store, MlflowTrackingStore)
        from mlflow import MlflowClient

        uri = f"sqlite:///{database(store)}"
        client = MlflowClient(uri, registry_uri=uri)
        experiment = client.get_experiment_by_name(name)
        assert experiment is not None
        client.delete_experiment(experiment.experiment_id)


def test_it_agrees_with_the_model_whatever_is_done(new_store: StoreMaker) -> None:
    class Machine(TrackingStoreMachine):
        def stores(self) -> tuple[TrackingStore, TrackingStore]:
            return new_store(), MemoryTrackingStore(run_key_tag=RUN_KEY_TAG)

    run_state_machine_as_test(Machine, settings=settings(max_examples=12, stateful_step_count=25))


def test_importing_and_constructing_touches_nothing(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from studbook.adapters.mlflow.tracking_store import MlflowTrackingStore\n"
        f"MlflowTrackingStore('sqlite:///{tmp_path}/mlflow.db', run_key_tag='k').capabilities\n"
        "assert not {'mlflow', 'sqlalchemy', 'requests'} & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_first_use_says_nothing_reports_nothing_and_leaves_the_process_alone(tmp_path: Path) -> None:
    program = (
        "import os\n"
        "import mlflow\n"
        "from studbook.adapters.mlflow.tracking_store import MlflowTrackingStore\n"
        "from studbook.domain.keys import RunKey\n"
        "from studbook.domain.store_writes import MetricPoint, RecordBatch\n"
        "from studbook.ports.tracking_store import NewRun\n"
        "before = dict(os.environ)\n"
        f"store = MlflowTrackingStore('sqlite:///{tmp_path}/a/mlflow.db', run_key_tag='k')\n"
        "run = store.create_run(NewRun(RunKey('rk3:' + '0' * 64), 'e', 'n', 1, {}))\n"
        "store.record(run, RecordBatch({'p': 'v'}, (MetricPoint('m', 1.0, 1, 1),), {'t': 'v'}))\n"
        "assert dict(os.environ) == before\n"
        "from mlflow.telemetry.client import get_telemetry_client\n"
        "from mlflow.tracking._tracking_service.utils import _tracking_uri\n"
        "client = get_telemetry_client()\n"
        "assert client is not None\n"
        "assert not client._is_active and not client._pending_records\n"
        "assert _tracking_uri is None\n"
    )
    # Telemetry is off in tests and in CI: as on a laptop it is on, and so would be seen.
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "PYTHONPATH", "LANG"}}
    ended = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**kept, "HOME": str(tmp_path / "home")},
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert not (tmp_path / "mlruns").exists()


@pytest.mark.parametrize(
    "uri", ["sqlite:///mlflow.db", "sqlite://", "sqlite:///:memory:", "mlruns", "file:///x", "ftp://u:pw@h/x"]
)
def test_other_targets_are_refused_without_their_text(uri: str) -> None:
    with pytest.raises(UnsupportedTarget) as refusal:
        MlflowTrackingStore(uri, run_key_tag="k")
    assert "pw" not in str(refusal.value)


def test_a_new_experiment_keeps_its_artifacts_beside_the_database(
    new_store: StoreMaker, tmp_path: Path
) -> None:
    store = new_store()
    rooted = MlflowTrackingStore(
        f"sqlite:///{database(store)}", run_key_tag=RUN_KEY_TAG, artifact_root=str(tmp_path / "root")
    )
    store.create_run(new_run("horses"))
    store.create_run(new_run("../a b"))
    rooted.create_run(new_run("ponies"))
    rows = execute(store, "SELECT name, artifact_location FROM experiments")
    locations = {name: Path(str(location)) for name, location in rows}
    beside = database(store).parent / "mlartifacts"
    assert locations["horses"] == beside / "horses"
    assert locations["../a b"].parent == beside
    assert locations["ponies"] == tmp_path / "root" / "ponies"
    rooted.close()


def test_of_repeated_creations_the_first_is_the_run_and_the_others_go_to_the_bin(
    new_store: StoreMaker,
) -> None:
    store = new_store()
    new = new_run(fresh_name())
    made = [store.create_run(new), *(create_beside(store, new) for _ in range(3))]
    made.append(create_beside(store, replace(new, started_at_ms=START - 1)))
    assert store.create_run(new) == made[-1]
    query = RunQuery((new.experiment,), ANY_STATUS)
    assert ids(store.find(query)) == made[-1:]
    assert set(ids(store.find(replace(query, lifecycles=frozenset({Lifecycle.DELETED}))))) == set(made[:-1])
    assert store.create_run(new) == made[-1]
    store.delete_run(made[-1])
    with pytest.raises(RunDeleted):
        store.create_run(new)


def test_a_run_of_another_writer_with_the_same_key_is_left_alone(new_store: StoreMaker) -> None:
    store = new_store()
    ours = new_run(fresh_name(), tags={"writer": "ours"})
    first = store.create_run(ours)
    theirs = replace(ours, started_at_ms=START + 1, tags={**ours.tags, "writer": "theirs"})
    second = create_beside(store, theirs)
    assert store.create_run(ours) == first
    assert store.get_run(second).lifecycle is Lifecycle.ACTIVE


def test_a_scheduled_run_reads_as_running(new_store: StoreMaker) -> None:
    store = new_store()
    new = new_run(fresh_name())
    run_id = store.create_run(new)
    execute(store, "UPDATE runs SET status = 'SCHEDULED'")
    assert store.get_run(run_id).status is RunStatus.RUNNING
    for statuses in ({RunStatus.RUNNING}, {RunStatus.RUNNING, RunStatus.FAILED}, ANY_STATUS):
        assert ids(store.find(RunQuery((new.experiment,), frozenset(statuses)))) == [run_id]
    assert ids(store.find(RunQuery((new.experiment,), ANY_STATUS - {RunStatus.RUNNING}))) == []


def test_threads_that_record_the_same_things_at_once_lose_nothing(new_store: StoreMaker) -> None:
    store = new_store()
    run_id = store.create_run(new_run(fresh_name()))
    batch = RecordBatch({"p": "1", "q": "2"}, metric("m", *range(20), math.nan).metrics, {"t": "3"})
    at_once(*[lambda: store.record(run_id, batch)] * 4)
    run = store.get_run(run_id)
    assert (run.params, run.tags["t"]) == ({"p": "1", "q": "2"}, "3")
    assert len(store.metric_history(run_id, "m")) == 21
    assert math.isnan(run.metrics["m"])


def test_what_the_backend_refuses_for_good_is_refused_and_stays_refused(new_store: StoreMaker) -> None:
    store = new_store()
    run_id = store.create_run(new_run(fresh_name()))
    for batch in (
        RecordBatch(params={"a\\b": "1"}),
        RecordBatch(tags={"../up": "1"}),
        RecordBatch(metrics=(MetricPoint("m", 1.0, 2**70, 0),)),
    ):
        with pytest.raises(TrackingRefused):
            store.record(run_id, batch)
    run = store.get_run(run_id)
    assert (run.params, run.metrics) == ({}, {})


def test_a_database_that_cannot_be_reached_is_unavailable_and_then_available(new_store: StoreMaker) -> None:
    store = new_store()
    new = new_run(fresh_name())
    run_id = store.create_run(new)
    execute(store, "ALTER TABLE tags RENAME TO tags_away")
    with pytest.raises(TrackingUnavailable):
        store.record(run_id, RecordBatch(tags={"t": "1"}))
    with pytest.raises(TrackingUnavailable):
        list(store.find(RunQuery((new.experiment,), ANY_STATUS)))
    execute(store, "ALTER TABLE tags_away RENAME TO tags")
    store.record(run_id, RecordBatch(tags={"t": "1"}))
    assert store.get_run(run_id).tags["t"] == "1"


def test_a_failing_page_fails_the_query(new_store: StoreMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_schema, "KNOWN_REVISIONS", frozenset())
    store = new_store()
    experiment = fresh_name()
    for i in range(3 * store.capabilities.search_page):
        store.create_run(new_run(experiment, START + i))
    found = store.find(RunQuery((experiment,), ANY_STATUS))
    next(found)
    execute(store, "ALTER TABLE tags RENAME TO tags_away")
    with pytest.raises(TrackingUnavailable):
        list(found)


def test_a_closed_store_opens_again(new_store: StoreMaker) -> None:
    store = new_store()
    new = new_run(fresh_name())
    run_id = store.create_run(new)
    store.close()
    assert store.create_run(new) == run_id


def test_a_servers_run_page_has_no_password() -> None:
    store = MlflowTrackingStore("https://me:pw@host:8443/base/", run_key_tag="k")
    assert store._backend.run_page("7", "abc") == "https://host:8443/base/#/experiments/7/runs/abc"
