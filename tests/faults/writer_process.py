"""What the processes that log and are killed do. Each says over its pipe what has returned."""

from __future__ import annotations

import itertools
import os
import signal
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal, NamedTuple

from faults.fault_home import FaultHome
from faults.workload import Workload
from studbook import maximize
from studbook.application.train_context import TrainContext
from studbook.domain.search_space import float_range

Mode = Literal["sidecar", "manual"]


def log_for_ever(folder: Path, seed: int, mode: Mode, said: Connection) -> None:
    """Call after call, each acknowledged with what it did."""
    work = Workload(FaultHome(folder).open_book(mode), seed, folder / "sources")
    while True:
        said.send(work.step())


def log_metrics_and_die(folder: Path, count: int, said: Connection) -> None:
    """So many metrics, and SIGKILL in the statement after the last of them."""
    run = FaultHome(folder).open_book("manual").run("short-lived")
    said.send(run.key)
    for step in range(count):
        run.log_metrics({"loss": step / 2}, step=step)
    os.kill(os.getpid(), signal.SIGKILL)


def log_as_told(folder: Path, seed: int, told: Connection) -> None:
    """So many calls as a message says, each time; an answer when they have returned. Leaves at 0."""
    with FaultHome(folder).open_book("sidecar") as book:
        work = Workload(book, seed, folder / "sources")
        while calls := int(told.recv()):
            # A run that begins sees to it that somebody delivers.
            told.send([work.open(), *(work.step() for _ in range(calls))])
    told.send("closed")


class FoldReached(NamedTuple):
    """The fold that is being trained."""

    number: int
    fold: int


def sweep_until(folder: Path, last: FoldReached, said: Connection) -> None:
    """A sweep of three trials of three folds, which says each fold that it trains and never leaves the last one."""
    numbers = itertools.count()

    def train(context: TrainContext) -> dict[str, float]:
        assert context.fold is not None
        number, fold = divmod(next(numbers), 3)
        context.log_metrics({"loss": float(fold)}, 0)
        said.send(FoldReached(number, fold))
        if (number, fold) == last:
            signal.pause()
        return {"score": float(number)}

    book = FaultHome(folder).open_book("manual")
    book.sweep(
        "killed",
        train,
        space={"x": float_range(0.0, 1.0)},
        objective=maximize("score"),
        folds=3,
        trials=3,
        n_samples=9,
        sampler="random",
    )


def log_one_run(folder: Path, number: int, together: object) -> None:
    """One run, from its beginning to its delivery; all processes begin at the same moment."""
    together.wait()  # type: ignore[attr-defined]  # a barrier of whichever context
    with FaultHome(folder).open_book("sidecar") as book, book.run(f"run {number}") as run:
        for step in range(5):
            run.log_metrics({"loss": float(step)}, step=step)
