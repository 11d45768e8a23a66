"""Attempts: after those that the store knows, and after those that anybody in this home has claimed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from studbook.adapters.memory.attempt_claims import MemoryAttemptClaims
from studbook.adapters.memory.clock import ManualClock
from studbook.application.attempts import next_attempt
from studbook.application.train_context import TrainContext
from studbook.domain.keys import BenchmarkKey
from studbook.domain.run import RunStatus
from studbook.domain.run_identity import of_benchmark
from studbook.domain.run_view import RunView
from studbook.domain.search_space import float_range
from studbook.domain.stage import Stage
from studbook.domain.stored_run import Lifecycle
from studbook.domain.study import maximize
from studbook.entrypoints.studbook import Studbook

FIRST = of_benchmark("demo", BenchmarkKey.of({"benchmark": 1}), attempt=1)
VIEW = RunView("r", "i", Stage.BENCHMARK, RunStatus.FINISHED, Lifecycle.ACTIVE, "e", "n", 1, 2)


def _views(attempts: Iterable[int]) -> list[RunView]:
    return [replace(VIEW, attempt=attempt) for attempt in attempts]


@given(st.lists(st.sets(st.integers(1, 20), max_size=4), min_size=1, max_size=8))
def test_attempts_only_grow_and_are_never_given_twice(known: list[set[int]]) -> None:
    claims = MemoryAttemptClaims()
    given_out = [next_attempt(FIRST, _views(attempts), claims) for attempts in known]
    for identity, attempts in zip(given_out, known, strict=True):
        assert identity.attempt > max(attempts, default=0)
        assert (identity.subject, identity.stage) == (FIRST.subject, FIRST.stage)
    assert len({identity.key for identity in given_out}) == len(known)


class _TakenElsewhere:
    """Claims of a home in which somebody else has just taken whatever is asked for."""

    def __init__(self) -> None:
        self.subjects: list[set[str]] = []

    def claim(self, subject: bytes, attempt: int) -> int:
        self.subjects.append(set(json.loads(subject)))
        return attempt + 1


def _train(context: TrainContext) -> float:
    (context.output_dir / "weights.joblib").write_bytes(b"weights")
    return 1.0


def test_every_use_case_claims_its_attempt(open_book: Callable[..., Studbook], clock: ManualClock) -> None:
    claims = _TakenElsewhere()
    book = open_book(claims=claims)
    sweep = book.sweep(
        "svm", _train, space={"x": float_range(0, 1)}, objective=maximize("f1"), trials=1, family="svm"
    )
    mapping = sweep.refit()
    book.benchmark(mapping, lambda _: clock.advance(0.002), {1: [1.0]}, iterations=1)
    book.select("best_metric")
    book.final_training(_train, family="svm")
    stages = (Stage.REFIT, Stage.BENCHMARK, Stage.SELECTION, Stage.FINAL_TRAINING)
    catalog = book.container.catalog()
    for stage in stages:
        assert [run.attempt for run in catalog.find([stage])] == [2], stage
    [final] = catalog.find([Stage.FINAL_TRAINING])
    assert catalog.vocabulary.read("training.variant", final.tags) == 2
    assert claims.subjects == [
        {"trial", "protocol"},
        {"benchmark"},
        {"selection"},
        {"spec", "exec"},
        {"spec", "exec", "variant"},
    ]
