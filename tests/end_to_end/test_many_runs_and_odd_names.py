"""More runs than a page of MLflow holds, and names that its filters cannot say: all read back, each as itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from studbook import Studbook, maximize
from studbook.application.train_context import TrainContext
from studbook.domain.search_space import float_range
from studbook.domain.stage import Stage
from studbook.ports.run_query import ANY_STATUS, RunQuery

_TRIALS = 1_020
_TABLES = ("runs", "tags", "params", "latest_metrics")
_ODD = ["o'clock", 'a "quoted" one', "100 % _ done", "both ' and \"", "back\\slash", "ünï 漢"]


@pytest.fixture
def book(empty_database: Path, tmp_path: Path) -> Iterator[Studbook]:
    (tmp_path / "mlflow.db").write_bytes(empty_database.read_bytes())
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    with Studbook.open(uri, home=tmp_path / "home", experiment="stable", delivery="inline") as opened:
        yield opened


def train(context: TrainContext) -> float:
    value = context.params["x"]
    assert isinstance(value, float)
    return value


def repeated(database: Path, run_id: str, times: int) -> None:
    """Put so many copies of a run beside it, as a long study would have left them."""
    with closing(sqlite3.connect(database)) as connection, connection:
        for table in _TABLES:
            names = [name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")]
            copied = ", ".join(f"'{{0}}-' || {name}" if name == "run_uuid" else name for name in names)
            for number in range(times):
                connection.execute(
                    f"INSERT INTO {table} SELECT {copied.format(number)} FROM {table} WHERE run_uuid = ?",  # noqa: S608
                    (run_id,),
                )
        connection.execute(
            "UPDATE tags SET value = value || '-' || run_uuid WHERE key = 'studbook.run_key' AND run_uuid <> ?",
            (run_id,),
        )


def test_all_trials_of_a_long_study_read_back(book: Studbook, tmp_path: Path) -> None:
    sweep = book.sweep("digits", train, space={"x": float_range(0, 1)}, objective=maximize("f1"), trials=1)
    (trial,) = sweep.trials
    repeated(tmp_path / "mlflow.db", book.find(trial.run_key).run_id, _TRIALS - 1)
    runs = list(book.runs(RunQuery(("stable",), ANY_STATUS, tags={"studbook.stage": str(Stage.TRIAL)})))
    assert len({run.run_id for run in runs}) == len(runs) == _TRIALS


def test_one_study_key_is_one_study_whatever_its_name(book: Studbook) -> None:
    sweeps = {}
    for name in _ODD:
        for _ in range(2):
            sweeps[name] = book.sweep(
                name, train, space={"x": float_range(0, 1)}, objective=maximize("f1"), trials=2
            )
    runs = list(book.runs(RunQuery(("stable",), ANY_STATUS, tags={"studbook.stage": str(Stage.SWEEP)})))
    assert len(runs) == len({sweep.study.key for sweep in sweeps.values()}) == len(_ODD)
    assert sorted(run.tags["studbook.study_name"] for run in runs) == sorted(_ODD)


@pytest.mark.parametrize("text", _ODD)
def test_names_params_and_tags_are_found_by_what_they_are(book: Studbook, text: str) -> None:
    with book.run(text, params={"p": text}, tags={"t": text}) as run:
        run.log_metrics({"loss": 0.5})
    for query in (
        RunQuery(("stable",), ANY_STATUS, tags={"t": text}),
        RunQuery(("stable",), ANY_STATUS, params={"p": text}),
    ):
        (found,) = book.runs(query)
        assert (found.name, found.params["p"], found.tags["t"]) == (text, text, text)
