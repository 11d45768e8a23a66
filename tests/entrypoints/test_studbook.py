"""The facade: a book from settings, what it refuses when it is opened, and how it is closed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from studbook.application.train_context import TrainContext
from studbook.domain.errors import ConfigError, HomeUnusable, NameInvalid, RunNotFound, UnsupportedTarget
from studbook.domain.events import Envelope
from studbook.domain.run import RunStatus
from studbook.domain.search_space import choice, float_range
from studbook.domain.stage import Stage
from studbook.domain.study import Pruning, maximize
from studbook.entrypoints.studbook import Studbook
from studbook.ports.run_query import ANY_STATUS, RunQuery


def save(context: TrainContext) -> Mapping[str, float]:
    if context.fold is not None:
        _ = context.fold.train
    else:
        (context.output_dir / "weights.joblib").write_bytes(b"weights")
    return {"f1": float(str(context.params["x"]))}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with nothing said in the environment."""
    for name in [name for name in os.environ if name.startswith(("STUDBOOK_", "MLFLOW_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def book(folder: Path) -> Studbook:
    """A book in memory, its files in a home."""
    return Studbook.open("memory://", home=folder / "home")


def test_a_whole_life_with_a_real_sampler(book: Studbook, folder: Path) -> None:
    with book:
        sweep = book.sweep(
            "digits",
            save,
            space={"x": float_range(0, 1)},
            objective=maximize("f1"),
            trials=4,
            folds=2,
            labels=list("abab"),
            family="svm",
            pruner=Pruning(algorithm="median", options={"n_startup_trials": 9}),
        )
        refit = sweep.refit()
        measured = book.benchmark(refit, lambda batch: sum(range(2000)), {1: b"x"}, iterations=3, warmup=0)
        best = book.select()
        model = book.acquire(best, "checkpoint", folder / "model")
        final = book.final_training(save, best, full_data=True)
        tree = book.lineage(final)
    assert sweep.result.counts()["complete"] == 4
    assert measured.status is RunStatus.FINISHED
    assert best.result.winner.refit == refit.refit
    assert (model.path / "weights.joblib").read_bytes() == b"weights"
    assert refit.trial in {node.ref for node in tree.walk()}


# --- opening


def test_a_home_that_cannot_be_used_is_told_of_when_the_book_opens(folder: Path) -> None:
    (folder / "file").write_text("")
    with pytest.raises(HomeUnusable) as caught:
        Studbook.open(f"sqlite:///{folder}/mlflow.db", home=folder / "file" / "home")
    assert str(folder / "file" / "home") in caught.value.problem
    assert "--home" in caught.value.cure
    assert not (folder / "mlflow.db").exists()


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ({"tracking_uri": "mlruns"}, UnsupportedTarget),
        ({"tracking_uri": "ftp://host/x"}, UnsupportedTarget),
        ({"tracking_uri": "memory://", "delivery": "later"}, ConfigError),
        ({"tracking_uri": "memory://", "config": "nowhere.yaml"}, ConfigError),
        ({"tracking_uri": "memory://", "overrides": {"sweep.worker": 2}}, ConfigError),
        ({"tracking_uri": "memory://", "experiment": ""}, NameInvalid),
    ],
)
def test_settings_that_cannot_be_are_refused_with_a_cure(
    folder: Path, arguments: dict[str, object], kind: type[ConfigError | NameInvalid]
) -> None:
    with pytest.raises(kind) as caught:
        Studbook.open(**arguments)  # type: ignore[arg-type]
    assert caught.value.cure
    assert list(folder.iterdir()) == []


def test_settings_of_a_file_and_overrides_are_in_force(folder: Path) -> None:
    (folder / "studbook.yaml").write_text("project: birds\nsweep: {workers: 3, fold_runs: false}\n")
    with Studbook.open("memory://", overrides={"sweep.workers": 2}) as book:
        sweep = book.sweep(
            "s",
            save,
            space={"x": float_range(0, 1)},
            objective=maximize("f1"),
            trials=2,
            folds=2,
            n_samples=4,
        )
        [run] = book.container.catalog().find([Stage.SWEEP])
        assert run.params["workers"] == "2"
        assert run.experiment.startswith("birds-")
        assert book.container.catalog().find([Stage.FOLD]) == ()
        assert len(sweep.trials) == 2


def test_one_experiment_may_hold_everything(folder: Path) -> None:
    with Studbook.open("memory://", experiment="all-of-it") as book:
        book.sweep("s", save, space={"x": float_range(0, 1)}, objective=maximize("f1"), trials=1)
        book.run("by hand").__exit__(None, None, None)
        assert {run.experiment for run in book.container.catalog().find_all()} == {"all-of-it"}


def test_a_book_in_memory_leaves_nothing_in_the_project(folder: Path) -> None:
    with Studbook.open("memory://") as book:
        book.sweep("s", save, space={"x": float_range(0, 1)}, objective=maximize("f1"), trials=1).refit()
        assert folder not in book.home.parents
    assert list(folder.iterdir()) == []


def test_the_representation_names_target_and_home_without_secrets(folder: Path) -> None:
    book = Studbook.open("http://me:hush@host:5000", home=folder / "h")
    assert repr(book) == f"Studbook('http://host:5000', home='{folder}/h')"


# --- a run of one's own


def test_a_run_of_ones_own_is_finished_or_failed(book: Studbook) -> None:
    with book:
        with book.run("good", params={"C": 1}, tags={"team": "blue"}) as run:
            run.log_metrics({"loss": 0.5}, step=3)
        with pytest.raises(ValueError, match="bad"), book.run("bad", stage="hpo_trial"):
            raise ValueError("bad")
        good, bad = book.find(run.key), book.container.catalog().find([Stage.TRIAL])[0]
        assert (good.status, good.metrics, good.params, good.tags["team"]) == (
            RunStatus.FINISHED,
            {"loss": 0.5},
            {"C": "1"},
            "blue",
        )
        assert (bad.status, bad.end_reason, bad.error) == (RunStatus.FAILED, "error", "ValueError: bad")


def test_a_stage_that_does_not_exist_opens_no_run(book: Studbook) -> None:
    with book, pytest.raises(NameInvalid, match="no stage") as caught:
        book.run("x", stage="training")
    assert "hpo_trial" in caught.value.cure


def test_what_is_still_open_is_abandoned_when_the_book_closes(book: Studbook) -> None:
    run = book.run("forgotten")
    book.close()
    [stored] = book.container.tracking_store().find(
        RunQuery(experiments=(run.experiment,), statuses=ANY_STATUS)
    )
    assert stored.status is RunStatus.KILLED


# --- questions


def test_questions_are_about_the_delivered_state(book: Studbook) -> None:
    with book:
        with book.run("one") as run:
            run.log_metrics({"loss": 0.5})
        found = list(book.runs(RunQuery(experiments=(run.experiment,), statuses=ANY_STATUS)))
        assert [(each.name, each.metrics) for each in found] == [("one", {"loss": 0.5})]
        assert run.backend_id() == found[0].run_id
        refs = (run.key, run.key.partition(":")[2][:12], f"run:{found[0].run_id}", found[0].run_id)
        assert {book.find(ref).ref for ref in refs} == {run.key}
        with pytest.raises(RunNotFound, match="too short"):
            book.find(run.key.partition(":")[2][:5])


def test_a_flush_is_a_barrier(book: Studbook) -> None:
    with book:
        book.run("one").__exit__(None, None, None)
        assert book.container.relay().pending() > 0
        book.flush()
        assert book.container.relay().pending() == 0


def test_manual_delivery_leaves_events_in_the_journal(folder: Path) -> None:
    uri, home = f"sqlite:///{folder}/mlflow.db", folder / "home"
    with Studbook.open(uri, home=home, delivery="manual") as book:
        book.run("one").__exit__(None, None, None)
    assert not (folder / "mlflow.db").exists()
    again = Studbook.open(uri, home=home, delivery="manual")
    assert again.container.relay().pending() == 2
    again.close()


def test_subscribers_hear_of_every_event(book: Studbook) -> None:
    heard: list[str] = []

    def handler(message: object) -> None:
        if isinstance(message, Envelope):
            heard.append(message.event.kind)

    with book:
        book.subscribe(handler, name="ear")
        book.run("one").__exit__(None, None, None)
    assert heard == ["RunStarted", "RunEnded"]


def test_closing_twice_is_fine(book: Studbook) -> None:
    with book:
        book.run("one").__exit__(None, None, None)
    book.close()


def test_a_book_that_did_nothing_closes(book: Studbook) -> None:
    with book:
        pass


def test_what_the_body_raises_leaves_the_book_unchanged(book: Studbook) -> None:
    with pytest.raises(ZeroDivisionError), book:
        raise ZeroDivisionError


# --- the handle of a sweep


def test_the_handle_shows_what_became_of_the_sweep(book: Studbook) -> None:
    with book:
        sweep = book.sweep("s", save, space={"x": choice(0.5)}, objective=maximize("f1"), trials=2)
    assert repr(sweep) == "Sweep('s', 2 total, 1 complete, 0 pruned, 0 failed, 1 duplicate)"
    assert sweep.study.name == "s"
    assert sweep.run_key == sweep.result.run_key
    assert sweep.best is sweep.trials[0]
