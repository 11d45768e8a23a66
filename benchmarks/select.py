"""Selecting among few and among ten times as many runs of a store in memory: the time per run must not grow."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

from pydantic import JsonValue

from studbook import Studbook
from studbook.domain.events import Envelope, Event
from studbook.domain.keys import DataKey, EvalKey, ProtocolKey, RunKey, StudyFamilyKey, StudyKey
from studbook.domain.projection import project
from studbook.domain.run import Ending
from studbook.domain.run_events import RunEnded, RunStarted
from studbook.domain.run_identity import RunIdentity, of_refit, of_trial
from studbook.domain.search_events import RefitStarted, TrialCompleted, TrialStarted
from studbook.domain.trial import trial_key

from .figure import Figure, cost
from .measure import Task, in_turns, timed

_SMALL = 2_000
_LARGE = 20_000
_REFIT_EVERY = 100
_ROUNDS = 5
_OBJECTIVES = (("score", "maximize"),)
_STUDY = StudyKey.of({"name": "bench"})
_FAMILY = StudyFamilyKey.of({"name": "bench"})


def run(folder: Path) -> list[Figure]:
    """`book.select(dry_run=True)`: everything read from the store, parsed, and decided."""
    with _book(folder / "small", _SMALL) as small, _book(folder / "large", _LARGE) as large:
        small_s, large_s = in_turns([_select(small, _SMALL), _select(large, _LARGE)], _ROUNDS)
    what = f"time per run, {_LARGE:,} runs against {_SMALL:,}"
    return [cost(what, large_s, small_s, named=("larger, per run", "smaller"))]


def _select(book: Studbook, runs: int) -> Task:
    return timed(lambda: book.select("best_metric", dry_run=True), runs)


def _book(home: Path, runs: int) -> Studbook:
    """A book whose store holds a study of so many runs, one of every hundred a refit."""
    book = Studbook.open("memory://", home=home, delivery="manual")
    sequence = count(1)
    envelopes = (
        Envelope(
            writer="bench",
            sequence=(number := next(sequence)),
            occurred_at_ns=1_700_000_000_000_000_000 + 1_000_000 * number,
            run_key=run_key,
            event=event,
        )
        for run_key, event in _events(runs, book.container.opening().project.name)
    )
    book.container.store_writer().write(write for envelope in envelopes for write in project(envelope))
    return book


def _events(runs: int, project_name: str) -> Iterator[tuple[RunKey, Event]]:
    refits = runs // _REFIT_EVERY
    for number in range(runs - refits):
        params: dict[str, JsonValue] = {"C": 0.001 * (1 + number), "kernel": "rbf"}
        key = trial_key(_STUDY, params)
        trial = of_trial(project_name, key, 1)
        yield trial.key, _started(trial)
        yield (
            trial.key,
            TrialStarted(
                study_key=_STUDY,
                family_key=_FAMILY,
                model_family="svm",
                objectives=_OBJECTIVES,
                trial_key=key,
                number=number,
                params=params,
            ),
        )
        score = number * 7919 % 10_007 / 10_007
        yield trial.key, TrialCompleted(number=number, trial_key=key, values={"score": score}, metrics={})
        yield trial.key, RunEnded(ending=Ending.finished())
        if number < refits:
            yield from _refit(project_name, trial.key, number, params)


def _refit(
    project_name: str, trial: RunKey, number: int, params: dict[str, JsonValue]
) -> Iterator[tuple[RunKey, Event]]:
    key = trial_key(_STUDY, params)
    protocol = ProtocolKey.of({"name": "bench"})
    refit = of_refit(project_name, key, protocol, 1)
    yield refit.key, _started(refit)
    yield (
        refit.key,
        RefitStarted(
            study_key=_STUDY,
            family_key=_FAMILY,
            study_name="bench",
            model_family="svm",
            objectives=_OBJECTIVES,
            data_key=DataKey.of({"name": "bench"}),
            eval_key=EvalKey.of({"name": "bench"}),
            data_mode="declared",
            trial_run=trial,
            trial_key=key,
            trial_number=number,
            protocol=protocol,
            reason="requested",
            validation="none",
            params=params,
            settings={},
        ),
    )
    yield refit.key, RunEnded(ending=Ending.finished())


def _started(identity: RunIdentity) -> RunStarted:
    return RunStarted(
        project=identity.project,
        stage=identity.stage,
        subject=identity.subject,
        attempt=1,
        name=f"{identity.stage}-{identity.key.short}",
        experiment=f"{identity.project}-hpo",
        version="0",
    )
