"""The whole life of a model: sweeps, refits, benchmarks, a decision, its files, and the final training."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...application.notices import Step
from ...domain.study import Pruning, maximize
from ..studbook import Studbook
from .digits import Digits, load_digits
from .families import FAMILIES, Family, held_out_score, load_model, trainer

if TYPE_CHECKING:
    from ...application.acquire import Acquired
    from ...application.select import Decision
    from ...domain.lineage import LineageNode
    from ...domain.run_view import RunView
    from ...domain.selection.champions import ChampionReport
    from ...domain.selection.refit_mapping import RefitMapping
    from ..sweep_handle import Sweep

OBJECTIVE = maximize("macro_f1")
FOLDS = 3
_PRUNER = Pruning(algorithm="median", options={"n_startup_trials": 5})


@dataclass(frozen=True, slots=True)
class FamilyLife:
    """What became of one family."""

    family: str
    sweep: Sweep
    refit: RefitMapping
    benchmark: RunView


@dataclass(frozen=True, slots=True)
class Demo:
    """What the demo made, or found made already."""

    families: tuple[FamilyLife, ...]
    champions: ChampionReport
    decision: Decision
    acquired: Acquired
    test_macro_f1: float
    final: RunView
    lineage: LineageNode
    seconds: float


def run_demo(book: Studbook, folder: Path, *, trials: int, seed: int) -> Demo:
    """Live through it, on this book; the chosen checkpoint comes to `folder`. What exists is recognised."""
    began = time.monotonic()
    digits = load_digits()
    lives = tuple(_live(book, family, digits, trials=trials, seed=seed) for family in FAMILIES)
    _tell(book, "champions", "the best trial of each family")
    scope = {"studies": [str(life.sweep.study.key) for life in lives]}
    champions = book.champions(scope=scope)
    _tell(book, "selection", "composite of macro-F1 and latency")
    decision = book.select("accuracy_latency", scope=scope)
    if decision.reused:
        _tell(book, "  recognised", "decided before, from the same runs")
    _tell(book, "acquisition", "the chosen checkpoint, verified")
    acquired = book.acquire(decision, "checkpoint", folder, replace=False)
    _tell(book, "evaluation", "on the held-out test split")
    score = held_out_score(load_model(acquired.path), digits)
    winner = next(family for family in FAMILIES if family.name == decision.result.winner.family)
    final = book.final_training(
        trainer(winner, digits), decision, data=digits.data, seed=seed, full_data=True
    )
    book.flush()
    return Demo(
        families=lives,
        champions=champions,
        decision=decision,
        acquired=acquired,
        test_macro_f1=score,
        final=final,
        lineage=book.lineage(final),
        seconds=time.monotonic() - began,
    )


def _live(book: Studbook, family: Family, digits: Digits, *, trials: int, seed: int) -> FamilyLife:
    _tell(book, "sweep", family.name)
    sweep = book.sweep(
        f"digits-{family.name}",
        trainer(family, digits),
        space=family.space,
        objective=OBJECTIVE,
        folds=FOLDS,
        trials=trials,
        data=digits.data,
        labels=digits.train_labels,
        family=family.name,
        pruner=_PRUNER,
        seed=seed,
    )
    if sweep.result.outcome is None:
        _tell(book, "  recognised", f"{len(sweep.trials)} trials, nothing left to train")
    refit = sweep.refit()
    rows = {1: digits.train_images[:1], 32: digits.train_images[:32]}
    return FamilyLife(family.name, sweep, refit, _measured(book, refit, rows))


def _measured(book: Studbook, refit: RefitMapping, rows: dict[int, Any]) -> RunView:
    return book.benchmark(
        refit, lambda model, batch: model.predict(batch), rows, load=load_model, warmup=20, iterations=200
    )


def _tell(book: Studbook, name: str, detail: str) -> None:
    book.container.recorder().notify(Step(name, detail))
