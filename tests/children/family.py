"""A parent that has children train, and what became of their runs."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import pytest
from dependency_injector import providers

from studbook.adapters.memory.artifact_store import MemoryArtifactStore
from studbook.adapters.memory.sampler import MemorySampler
from studbook.adapters.memory.tracking_store import MemoryTrackingStore
from studbook.application.train_context import TrainingFunction
from studbook.config.container import Container
from studbook.config.settings import load_settings
from studbook.domain.errors import SweepFailed
from studbook.domain.events import Envelope
from studbook.domain.run_view import RunView
from studbook.domain.search_space import float_range
from studbook.domain.stage import Stage
from studbook.domain.stored_run import StoredRun
from studbook.domain.study import maximize
from studbook.domain.vocabulary import DEFAULT_VOCABULARY
from studbook.entrypoints.command_training import command_training
from studbook.entrypoints.studbook import Studbook
from studbook.entrypoints.sweep_handle import Sweep

_PREAMBLE = """
import json, os, signal, sys, time
from pathlib import Path
import studbook

def result():
    return Path(json.loads(os.environ["STUDBOOK_RUN_CONTEXT"])["result_path"])
"""


def script(body: str) -> list[str]:
    """The command of a child that does this."""
    return [sys.executable, "-c", _PREAMBLE + textwrap.dedent(body)]


def scripted(body: str, *, timeout_s: float | None = None) -> TrainingFunction:
    """A training function that has such a child do the work."""
    return command_training(script(body), timeout_s=timeout_s)


class Family:
    """Journal, leases and home are real, as children need them; the tracking target is a name only."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.folder = folder
        said = {
            "tracking.uri": "sqlite:///mlflow.db",
            "home": str(folder / "home"),
            "delivery.mode": "inline",
            "children.look": 0.01,
            "children.grace": 0,
            "leases.interval": 0.05,
            **settings,
        }
        loaded = load_settings(folder, said, {})
        container = Container(loaded=loaded, version="0.1.0")
        replaced = {
            "tracking_store": MemoryTrackingStore(run_key_tag=DEFAULT_VOCABULARY.key("run.key")),
            "artifact_store": MemoryArtifactStore(),
            "sampler": MemorySampler(),
        }
        for name, adapter in replaced.items():
            getattr(container, name).override(providers.Object(adapter))
        self.book = Studbook(container, loaded)

    def sweep(self, train: TrainingFunction, **changes: object) -> Sweep:
        """A sweep of one trial, unless told otherwise."""
        said = {"space": {"x": float_range(0, 1)}, "objective": maximize("f1"), "trials": 1, **changes}
        return self.book.sweep("s", train, **said)  # type: ignore[arg-type]  # as the test says

    def failing_trial(self, train: TrainingFunction, **changes: object) -> RunView:
        """The run of a trial that fails."""
        with pytest.raises(SweepFailed):
            self.sweep(train, max_failed_trials=1, **changes)
        return self.run(Stage.TRIAL)

    def runs(self, stage: Stage) -> tuple[RunView, ...]:
        """The delivered runs of a stage."""
        return self.book.container.catalog().find([stage])

    def run(self, stage: Stage) -> RunView:
        """The only one."""
        [found] = self.runs(stage)
        return found

    def file(self, run: RunView, path: str) -> bytes:
        """A stored file of a run."""
        found: bytes = self.book.container.artifact_store().read(run.run_id, path)
        return found

    def events(self) -> list[Envelope]:
        """All that was recorded, by whomever."""
        return list(self.book.container.event_log().read())

    def stored(self, run: RunView) -> StoredRun:
        """The run as the store has it."""
        found: StoredRun = self.book.container.tracking_store().get_run(run.run_id)
        return found
