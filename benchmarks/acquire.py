"""Handing over a 100 MB checkpoint from an MLflow run on this machine: again, and for the first time."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

from studbook import Studbook
from studbook.application.subject import resolve_subject
from studbook.domain.manifest import ArtifactKind

from .figure import Figure, cost, speedup
from .measure import Task, in_turns, timed
from .peer import database_uri

_FILES = 4
_FILE_BYTES = 25_000_000
_ROUNDS = 5


def run(folder: Path) -> list[Figure]:
    """What is here already against `download_artifacts`; the first time against copy and hash."""
    source = _checkpoint(folder / "source")
    uri = database_uri(folder / "db")
    with Studbook.open(uri, home=folder / "home", delivery="manual") as book:
        with book.run("bench") as handle:
            handle.log_artifact(source, "checkpoint", kind="checkpoint")
        book.flush()
        here = folder / "here"
        book.acquire(handle, to=here)
        run_id = book.find(handle.key).run_id
        subject = resolve_subject(handle, book.container.catalog()).run
        use_case = book.container.acquire()
        free = _Places(folder / "places")
        tasks = [
            timed(lambda: book.acquire(handle, to=here)),
            timed(lambda: use_case.acquire(subject, ArtifactKind.CHECKPOINT, to=here)),
            free.task(lambda to: _download(uri, run_id, to)),
            free.task(lambda to: book.acquire(handle, to=to)),
            free.task(lambda to: _copy_and_hash(source, to, durable=False)),
            free.task(lambda to: _copy_and_hash(source, to, durable=True)),
        ]
        again, in_hand, download, first, copy, durable = in_turns(tasks, _ROUNDS)
    return [
        speedup("again, against download_artifacts", again, download, 20),
        speedup("again, the run's record in hand, against download_artifacts", in_hand, download),
        cost("first time, against copy + hash", first, copy, 1.3, named=("studbook", "copy + hash")),
        cost(
            "first time, against copy + hash + fsync",
            first,
            durable,
            named=("studbook", "copy + hash + fsync"),
        ),
    ]


class _Places:
    """Gives a free path each time; what was put there is removed off the clock."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count()

    def task(self, deliver: Callable[[Path], object]) -> Task:
        """How long it takes to deliver to a free path."""

        def task() -> float:
            parent = self._folder / str(next(self._numbers))
            parent.mkdir(parents=True)
            begun = time.perf_counter()
            deliver(parent / "model")
            taken = time.perf_counter() - begun
            shutil.rmtree(parent)
            os.sync()
            return taken

        return task


def _checkpoint(folder: Path) -> Path:
    folder.mkdir(parents=True)
    generator = random.Random(0)
    for number in range(_FILES):
        (folder / f"part{number}.bin").write_bytes(generator.randbytes(_FILE_BYTES))
    return folder


def _download(uri: str, run_id: str, to: Path) -> None:
    from mlflow.artifacts import download_artifacts

    to.mkdir()
    download_artifacts(run_id=run_id, artifact_path="checkpoint", dst_path=str(to), tracking_uri=uri)


def _copy_and_hash(source: Path, to: Path, *, durable: bool) -> None:
    shutil.copytree(source, to)
    for path in to.iterdir():
        with path.open("r+b") as file:
            hashlib.file_digest(file, "sha256")
            if durable:
                os.fsync(file.fileno())
