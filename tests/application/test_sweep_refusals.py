"""What a sweep refuses before any training: a study that makes no sense, and one that is swept elsewhere."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from studbook.adapters.memory.locks import MemoryLocks
from studbook.application.train_context import TrainContext
from studbook.domain.errors import FoldsInvalid, InvalidInput, StudyBusy, StudyInvalid, SweepFailed
from studbook.domain.run import RunStatus
from studbook.domain.search_space import choice, float_range
from studbook.domain.stage import Stage
from studbook.domain.study import maximize, minimize
from studbook.entrypoints.studbook import Studbook
from studbook.entrypoints.sweep_handle import Sweep

SPACE = {"x": float_range(0, 1)}


def sweep_of(book: Studbook, train: Callable[[TrainContext], float], **changes: object) -> Sweep:
    said = {"space": SPACE, "objective": maximize("f1"), "trials": 3, **changes}
    return book.sweep("digits", train, **said)  # type: ignore[arg-type]  # wrong ones, too


def good(context: TrainContext) -> float:
    return 0.5


def fail(context: TrainContext) -> float:
    raise ValueError("bad")


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"space": {}}, StudyInvalid, "space is empty"),
        ({"space": {"x": [1, 2]}}, StudyInvalid, "no distribution"),
        ({"space": {"x": {"type": "flot", "low": 0, "high": 1}}}, StudyInvalid, "flot"),
        ({"space": {"model_family": choice("a")}}, StudyInvalid, "one model family"),
        ({"trials": 0}, StudyInvalid, "trials=0"),
        ({"trials": -3}, StudyInvalid, "trials=-3"),
        ({"trials": 2.5}, StudyInvalid, "trials=2.5"),
        ({"trials": "3"}, StudyInvalid, "trials='3'"),
        ({"trials": True}, StudyInvalid, "trials=True"),
        ({"workers": 0}, StudyInvalid, "workers=0"),
        ({"max_failed_trials": 0}, StudyInvalid, "max_failed_trials=0"),
        ({"max_consecutive_failures": 0}, StudyInvalid, "max_consecutive_failures=0"),
        ({"timeout_s": 0}, StudyInvalid, "timeout_s=0"),
        ({"timeout_s": math.nan}, StudyInvalid, "timeout_s=nan"),
        ({"timeout_s": "60"}, StudyInvalid, "timeout_s='60'"),
        ({"duplicates": "resue"}, StudyInvalid, "resue"),
        ({"objective": "f1"}, StudyInvalid, "no direction"),
        ({"objective": []}, StudyInvalid, "objectives"),
        ({"objective": [maximize("f1"), minimize("f1")]}, StudyInvalid, "same metric"),
        ({"objective": [maximize("f1"), minimize("loss")], "pruner": "median"}, StudyInvalid, "cannot prune"),
        ({"sampler": "tpee"}, StudyInvalid, "tpee"),
        ({"pruner": "medain"}, StudyInvalid, "medain"),
        ({"fold_aggregate": "meen"}, StudyInvalid, "fold_aggregate"),
        ({"folds": 1}, StudyInvalid, "count"),
        ({"folds": True}, FoldsInvalid, "True"),
        ({"folds": 5, "n_samples": 4}, FoldsInvalid, "do not fill"),
        ({"folds": 2, "n_samples": "6"}, FoldsInvalid, "n_samples='6'"),
        ({"folds": []}, FoldsInvalid, "no folds"),
        ({"folds": [([0], [1]), ([0], [1])]}, FoldsInvalid, "same split"),
        ({"folds": [([0], [1, 2]), ([1], [2, 0])]}, FoldsInvalid, "both validate"),
        ({"folds": 3, "labels": ["a", "b", "a", "b"]}, FoldsInvalid, "members"),
    ],
)
def test_a_study_that_cannot_be_searched_is_refused_with_a_cure(
    book: Studbook, changes: dict[str, object], kind: type[InvalidInput], words: str
) -> None:
    with pytest.raises(kind) as caught:
        sweep_of(book, lambda context: pytest.fail("trained"), **changes)
    assert words in caught.value.problem
    assert caught.value.cure
    assert caught.value.exit_code == 2
    assert list(book.container.event_log().read()) == []


def test_what_trains_must_be_a_function(book: Studbook) -> None:
    with pytest.raises(StudyInvalid, match="training function is a str"):
        book.sweep("s", "train", space=SPACE, objective=maximize("f1"), trials=1)  # type: ignore[arg-type]
    assert list(book.container.event_log().read()) == []


def test_a_study_that_is_being_swept_elsewhere_is_busy(open_book: Callable[..., Studbook]) -> None:
    locks = MemoryLocks()
    book = open_book(locks=locks)
    inner: list[StudyBusy] = []

    def train(context: TrainContext) -> float:
        with pytest.raises(StudyBusy) as caught:
            sweep_of(open_book(locks=locks), good)
        inner.append(caught.value)
        sweep_of(open_book(locks=locks), good, objective=maximize("another"))
        return 0.5

    sweep_of(book, train, trials=1)
    assert "'digits'" in inner[0].problem
    assert "workers=" in inner[0].cure
    assert [run.status for run in book.container.catalog().find([Stage.SWEEP])] == [RunStatus.FINISHED] * 2


def test_the_lock_is_given_back_after_a_failure(book: Studbook) -> None:
    with pytest.raises(SweepFailed):
        sweep_of(book, fail)
    assert len(sweep_of(book, good).trials) == 6
