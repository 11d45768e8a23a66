"""What a training script does, drawn from a seed, call by call; each call says what it did when it has returned."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from studbook.application.run_handle import RunHandle
from studbook.domain.run import Ending
from studbook.entrypoints.studbook import Studbook

_MOST_OPEN = 4
_LONG = 9_000


class Call(NamedTuple):
    """A call that has returned, about a run. `value` is the parent's key, the text, the number or the status."""

    kind: str
    run: str
    name: str = ""
    value: object = None
    step: int = 0


def content(artifact: str, path: str) -> bytes:
    """The bytes of a file of an artifact: known from its name, so that lost ones can be made again."""
    return f"{artifact}:{path}\n".encode() * (1 + len(path) % 7)


@dataclass
class Workload:
    """Calls on one book. `folder` takes the files that are logged; it must be its own."""

    book: Studbook
    seed: int
    folder: Path

    def __post_init__(self) -> None:
        self._draw = random.Random(self.seed)
        self._open: list[RunHandle] = []
        self._count = 0

    def step(self) -> Call:
        """Make one call."""
        self._count += 1
        self._open = [run for run in self._open if run.ending is None]
        if not self._open:
            return self.open()
        kinds: tuple[Callable[[RunHandle], Call], ...] = (
            self._metric,
            self._param,
            self._tag,
            self._artifact,
            lambda _run: self.open(),
            self._end,
        )
        (kind,) = self._draw.choices(kinds, weights=(80, 6, 6, 3, 3, 2))
        return kind(self._draw.choice(self._open))

    def open(self) -> Call:
        """Begin a run, below another one or not."""
        parent = self._draw.choice([None, *self._open]) if len(self._open) < _MOST_OPEN else None
        run = self.book.run(f"run {self._count}", parent=parent, params={"seed": self.seed})
        self._open.append(run)
        return Call("open", run.key, run.name, parent.key if parent else None)

    def _metric(self, run: RunHandle) -> Call:
        value = float(self._count)
        run.log_metrics({"loss": value}, step=self._count)
        return Call("metric", run.key, "loss", value, self._count)

    def _param(self, run: RunHandle) -> Call:
        text = "p" * self._draw.choice((3, 3, 3, _LONG))
        run.log_params({f"param_{self._count}": text})
        return Call("param", run.key, f"param_{self._count}", text)

    def _tag(self, run: RunHandle) -> Call:
        name = f"tag_{self._draw.randrange(3)}"
        run.set_tags({name: str(self._count)})
        return Call("tag", run.key, name, str(self._count))

    def _artifact(self, run: RunHandle) -> Call:
        name = f"artifact-{self._count}"
        source = self.folder / name
        if self._draw.random() < 0.5:
            self.folder.mkdir(parents=True, exist_ok=True)
            source.write_bytes(content(name, name))
        else:
            for path in ("a.txt", "sub/b.txt"):
                (source / path).parent.mkdir(parents=True, exist_ok=True)
                (source / path).write_bytes(content(name, path))
        run.log_artifact(source)
        return Call("artifact", run.key, name)

    def _end(self, run: RunHandle) -> Call:
        ending = self._draw.choice((Ending.finished(), Ending.failed(error="ValueError: bad")))
        run.end(ending)
        return Call("end", run.key, value=ending.status)
