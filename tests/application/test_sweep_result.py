"""The best trial, the Pareto set, and the counts of a sweep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studbook.application.sweep_result import SweepResult, TrialRecord, best_of, pareto_of
from studbook.domain.errors import NoCompleteTrial
from studbook.domain.keys import RunKey, TrialKey
from studbook.domain.search_space import float_range
from studbook.domain.study import Objective, StudyDefinition, maximize, minimize
from studbook.ports.sampler import TrialState

SWEEP = RunKey.of({"sweep": 1})


def study(*objectives: Objective) -> StudyDefinition:
    return StudyDefinition.parse(
        {"name": "s", "objectives": objectives, "search_space": {"x": float_range(0, 1)}}
    )


def trial(
    number: int, value: float | dict[str, float] | None, *, attempt: int = 1, state: TrialState | None = None
) -> TrialRecord:
    values = {"f1": value} if isinstance(value, float) else value
    return TrialRecord(
        number=number,
        trial_key=TrialKey.of({"trial": number}),
        run_key=RunKey.of({"trial": number}),
        attempt=attempt,
        state=state or (TrialState.FAILED if values is None else TrialState.COMPLETE),
        params={"x": 0.5},
        values=values,
    )


def result(*trials: TrialRecord, of: StudyDefinition | None = None) -> SweepResult:
    return SweepResult(of or study(maximize("f1")), SWEEP, "completed", trials)


_RECORDS = st.lists(
    st.tuples(
        st.none() | st.sampled_from([0.1, 0.5, 0.9]) | st.floats(0, 1),
        st.integers(1, 3),
        st.sampled_from(list(TrialState)),
    ),
    max_size=8,
)


@given(_RECORDS, st.randoms(use_true_random=False), st.sampled_from([maximize, minimize]))
def test_the_best_does_not_depend_on_the_order(
    drawn: list[tuple[float | None, int, TrialState]],
    random: Random,
    direction: Callable[[str], Objective],
) -> None:
    trials = [
        trial(number, value, attempt=attempt, state=state)
        for number, (value, attempt, state) in enumerate(drawn)
    ]
    shuffled = list(trials)
    random.shuffle(shuffled)
    searched = study(direction("f1"))
    best = best_of(searched, tuple(trials))
    assert best_of(searched, tuple(shuffled)) is best
    usable = [t for t in trials if t.state is TrialState.COMPLETE and t.values]
    assert (best is None) == (not usable)
    if best is not None and best.values is not None:
        values = [t.values["f1"] for t in usable if t.values]
        assert best.values["f1"] == (max if direction is maximize else min)(values)


def test_equal_values_are_decided_by_recency() -> None:
    first, second = trial(0, 0.9), trial(1, 0.9)
    assert result(first, replace(second, started_at=1)).best.number == 1
    assert result(replace(first, started_at=1), replace(second, ended_at=9)).best.number == 0
    assert result(first, replace(second, ended_at=1)).best.number == 1
    assert result(replace(first, attempt=2), replace(second, started_at=9, ended_at=9)).best.number == 0
    smaller = min(first, second, key=lambda each: each.run_key)
    assert result(first, second).best is smaller


def test_a_repeated_point_is_never_the_best_itself() -> None:
    first = trial(0, 0.9)
    again = replace(first, number=1, duplicate_of=first.run_key)
    assert result(first, again).best is first


def test_without_a_complete_trial_there_is_no_best() -> None:
    with pytest.raises(NoCompleteTrial, match="no single best trial among its 1") as caught:
        _ = result(trial(0, None)).best
    assert "hpo_trial" in caught.value.cure


def test_several_objectives_have_no_best_but_a_pareto_set() -> None:
    both = study(maximize("f1"), minimize("loss"))
    trials = (
        trial(0, {"f1": 0.9, "loss": 2.0}),
        trial(1, {"f1": 0.8, "loss": 1.0}),
        trial(2, {"f1": 0.8, "loss": 3.0}),
        trial(3, {"f1": 0.9, "loss": 2.0}),
        trial(4, None),
    )
    with pytest.raises(NoCompleteTrial) as caught:
        _ = result(*trials, of=both).best
    assert "name the trial" in caught.value.cure
    assert [t.number for t in pareto_of(both, trials)] == [0, 1, 3]
    assert [t.number for t in result(*trials, of=both).pareto] == [0, 1, 3]


def test_the_pareto_set_of_one_objective_are_the_best_values() -> None:
    assert [t.number for t in result(trial(0, 0.9), trial(1, 0.5), trial(2, 0.9)).pareto] == [0, 2]


def test_each_trial_is_counted_once() -> None:
    first, pruned, failed = trial(0, 0.9), trial(1, None, state=TrialState.PRUNED), trial(2, None)
    told_failed = replace(failed, number=5, duplicate_of=failed.run_key)
    counts = result(
        first,
        pruned,
        failed,
        replace(first, number=3, duplicate_of=first.run_key),
        replace(pruned, number=4, duplicate_of=pruned.run_key),
        told_failed,
    ).counts()
    assert counts == {"total": 6, "complete": 1, "pruned": 1, "failed": 2, "duplicate": 2}
