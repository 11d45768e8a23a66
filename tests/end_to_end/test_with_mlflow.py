"""Programs that call MLflow's own functions beside studbook."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient

from studbook import Studbook
from studbook.domain.errors import ConfigError, RunEnded, RunIdInvalid

_RUN_ID = "MLFLOW_RUN_ID"
_URI = "MLFLOW_TRACKING_URI"


@pytest.fixture
def uri(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A database, and an MLflow that knows of none."""
    monkeypatch.delenv(_URI, raising=False)
    monkeypatch.chdir(tmp_path)
    yield f"sqlite:///{tmp_path / 'mlflow.db'}"
    while mlflow.active_run():
        mlflow.end_run()
    mlflow.set_tracking_uri(None)  # type: ignore[arg-type]


@pytest.fixture
def book(uri: str, tmp_path: Path) -> Iterator[Studbook]:
    with Studbook.open(uri, home=tmp_path / "home", delivery="inline", experiment="mine") as opened:
        yield opened


def test_what_mlflow_logs_in_the_block_is_in_the_run(book: Studbook, uri: str) -> None:
    with book.run("mine", params={"idea": "baseline"}) as run:
        with run.as_active_mlflow() as run_id:
            active = mlflow.active_run()
            assert active is not None
            assert active.info.run_id == run_id == run.backend_id()
            mlflow.log_metric("theirs", 2.0)
            mlflow.log_param("depth", 3)
            mlflow.log_text("words", "note.txt")
        assert mlflow.active_run() is None
        assert MlflowClient(uri).get_run(run_id).info.status == "RUNNING"
        run.log_metrics({"ours": 1.0})
    book.flush()
    stored = MlflowClient(uri).get_run(run_id)
    assert stored.data.metrics == {"theirs": 2.0, "ours": 1.0}
    assert stored.data.params == {"depth": "3", "idea": "baseline"}
    assert stored.info.status == "FINISHED"
    assert [each.path for each in MlflowClient(uri).list_artifacts(run_id)] == ["note.txt"]


def test_autolog_writes_into_the_run(book: Studbook, uri: str) -> None:
    from sklearn.tree import DecisionTreeClassifier

    mlflow.sklearn.autolog(log_models=False, silent=True)
    try:
        with book.run("mine") as run, run.as_active_mlflow():
            DecisionTreeClassifier(max_depth=2).fit([[0], [1], [2], [3]], [0, 0, 1, 1])
    finally:
        mlflow.sklearn.autolog(disable=True)
    assert MlflowClient(uri).get_run(run.backend_id()).data.params["max_depth"] == "2"


def test_a_run_that_fails_in_the_block_is_failed(book: Studbook, uri: str) -> None:
    with pytest.raises(ValueError, match="no"), book.run("mine") as run, run.as_active_mlflow():
        raise ValueError("no")
    book.flush()
    assert mlflow.active_run() is None
    assert MlflowClient(uri).get_run(run.backend_id()).info.status == "FAILED"


def test_mlflow_is_afterwards_what_it_was(
    book: Studbook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = f"sqlite:///{tmp_path / 'elsewhere.db'}"
    mlflow.set_tracking_uri(elsewhere)
    with mlflow.start_run() as outer:
        monkeypatch.setenv(_RUN_ID, "f" * 32)
        with book.run("mine") as run:
            with run.as_active_mlflow():
                assert mlflow.get_tracking_uri() != elsewhere
            active = mlflow.active_run()
            assert active is not None
            assert active.info.run_id == outer.info.run_id
            assert mlflow.get_tracking_uri() == os.environ[_URI] == elsewhere
            assert os.environ[_RUN_ID] == "f" * 32
        monkeypatch.delenv(_RUN_ID)


def test_nothing_is_left_in_an_environment_that_had_nothing(book: Studbook) -> None:
    with book.run("mine") as run, run.as_active_mlflow():
        assert os.environ[_URI]
    assert _URI not in os.environ


def test_each_thread_has_an_active_run_of_its_own(book: Studbook, uri: str) -> None:
    together = threading.Barrier(2)

    def log(name: str) -> None:
        with book.run(name) as run, run.as_active_mlflow():
            together.wait(60)
            mlflow.log_metric(name, 1.0)
            together.wait(60)

    threads = [threading.Thread(target=log, args=(name,)) for name in ("first", "second")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    book.flush()
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("mine")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert sorted((each.info.run_name, dict(each.data.metrics)) for each in runs) == [
        ("first", {"first": 1.0}),
        ("second", {"second": 1.0}),
    ]
    assert _URI not in os.environ


def test_another_experiment_of_mlflows_is_told_with_its_cure(
    book: Studbook, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What mlflow.set_experiment sets besides cannot be unset.
    monkeypatch.setattr("mlflow.tracking.fluent._active_experiment_id", "12345")
    with book.run("mine") as run:
        with pytest.raises(ConfigError, match="set_experiment"), run.as_active_mlflow():
            pass
        assert mlflow.active_run() is None
        assert _URI not in os.environ


def test_an_ended_run_is_not_made_active(book: Studbook) -> None:
    with book.run("mine") as run:
        pass
    with pytest.raises(RunEnded), run.as_active_mlflow():
        pass


def test_a_run_in_memory_cannot_be_active() -> None:
    with (
        Studbook.open("memory://") as book,
        book.run("mine") as run,
        pytest.raises(ConfigError, match="in memory"),
        run.as_active_mlflow(),
    ):
        pass


@pytest.mark.parametrize("by_id", [False, True])
def test_a_run_that_mlflow_opened_becomes_a_run_of_studbook(book: Studbook, uri: str, by_id: bool) -> None:
    mlflow.set_tracking_uri(uri)
    with mlflow.start_run(run_name="theirs") as active:
        mlflow.log_param("depth", 3)
        adopted = active.info.run_id if by_id else active
        with book.run("mine", adopt=adopted) as run:
            run.log_metrics({"macro_f1": 0.93})
    assert run.backend_id() == active.info.run_id
    found = book.find(run.key)
    assert (found.run_id, found.status) == (active.info.run_id, "FINISHED")
    stored = MlflowClient(uri).get_run(active.info.run_id)
    assert (stored.info.run_name, stored.data.params) == ("theirs", {"depth": "3"})
    assert stored.data.metrics == {"macro_f1": 0.93}
    assert stored.data.tags["studbook.adopted"] == "true"


def test_a_run_that_has_ended_before_the_delivery_is_adopted_all_the_same(uri: str, tmp_path: Path) -> None:
    mlflow.set_tracking_uri(uri)
    with Studbook.open(uri, home=tmp_path / "home", delivery="manual") as book:
        with mlflow.start_run() as active, book.run("mine", adopt=active) as run:
            run.log_metrics({"loss": 0.5})
        assert MlflowClient(uri).get_run(active.info.run_id).info.status == "FINISHED"
        book.flush()
        assert run.backend_id() == active.info.run_id
        assert not book.container.ledger().refusals()


def test_what_is_no_run_is_refused_before_anything_is_opened(book: Studbook) -> None:
    with pytest.raises(RunIdInvalid):
        book.run("mine", adopt=7)
    assert list(book.container.event_log().read()) == []


def test_a_run_that_is_not_there_is_made(book: Studbook, uri: str) -> None:
    with book.run("mine", adopt="f" * 32) as run:
        pass
    stored = MlflowClient(uri).get_run(run.backend_id())
    assert stored.info.run_name == "mine"
    assert "studbook.adopted" not in stored.data.tags
