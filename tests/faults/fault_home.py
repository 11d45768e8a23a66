"""A home and an MLflow database in one folder, as several processes find them, and what must be in the store."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from dependency_injector import providers

from faults.stored_state import RUN_KEY_TAG, State, state_of
from faults.waiting import wait_for
from faults.workload import content
from studbook.adapters.memory.artifact_store import MemoryArtifactStore
from studbook.adapters.memory.delivery_ledger import MemoryDeliveryLedger
from studbook.adapters.memory.tracking_store import MemoryTrackingStore
from studbook.adapters.system.processes import find_process
from studbook.application.open_runs import open_runs
from studbook.application.reap import ReapReport
from studbook.config.container import Container
from studbook.config.settings import load_settings
from studbook.domain.manifest import ArtifactManifest
from studbook.domain.run_events import ArtifactLogged
from studbook.entrypoints.studbook import Studbook
from studbook.ports.capabilities import Capabilities

_PROC = Path("/proc")
_UNHURRIED_S = 120.0
_MLFLOW_LIMITS = Capabilities()
_HURRIED_S = 0.05


class FaultHome:
    """`uri` is the folder's SQLite database by default; one that others use too is shared by `experiment`. `limits` are
    those of the backend.

    The tests' own processes wait long for a busy machine, and not long before they ask for bytes again.
    """

    def __init__(
        self,
        folder: Path,
        uri: str | None = None,
        experiment: str | None = None,
        limits: Capabilities = _MLFLOW_LIMITS,
    ) -> None:
        self.folder = folder
        self.home = folder / ".studbook"
        self.database = folder / "mlflow.db"
        self.uri = uri or f"sqlite:///{self.database}"
        self.experiment = experiment
        self._limits = limits

    def open_book(
        self, delivery: Literal["sidecar", "inline", "manual"], exit_timeout_s: float = _UNHURRIED_S
    ) -> Studbook:
        """A book on this home."""
        return Studbook.open(
            self.uri,
            home=self.home,
            experiment=self.experiment,
            delivery=delivery,
            overrides={"delivery.exit_timeout": exit_timeout_s, "retry.transfer_base": _HURRIED_S},
        )

    def container(self, home: Path | None = None) -> Container:
        """What a process of this home is made of, without a book; nothing is waited for."""
        said = {
            "tracking.uri": self.uri,
            "home": str(home or self.home),
            "experiment": self.experiment,
            "delivery.mode": "manual",
        }
        return Container(loaded=load_settings(self.folder, said, {}), version=version("studbook"))

    def finish(self) -> ReapReport:
        """In this process: end what the dead left open, and deliver everything."""
        container = self.container()
        report = container.reap()()
        container.relay().drain(_UNHURRIED_S)
        container.event_log().close()
        container.tracking_store().close()
        return report

    def state(self) -> State:
        """What is in the store."""
        container = self.container()
        try:
            return state_of(container.tracking_store(), container.artifact_store(), self.experiment)
        finally:
            container.tracking_store().close()
            container.artifact_store().close()

    def expected(self) -> State:
        """What a store in memory holds when the same events are delivered to it at once."""
        copy = self.folder / "expected"
        shutil.copytree(self.home / "journal", copy / "journal")
        container = self.container(copy)
        for envelope in container.event_log().read():
            if isinstance(envelope.event, ArtifactLogged):
                _restore_pin(copy, envelope.event)
        container.tracking_store.override(
            providers.Object(MemoryTrackingStore(self._limits, run_key_tag=RUN_KEY_TAG))
        )
        container.artifact_store.override(providers.Object(MemoryArtifactStore(self._limits)))
        container.ledger.override(providers.Object(MemoryDeliveryLedger()))
        container.relay().drain(_UNHURRIED_S)
        container.event_log().close()
        return state_of(container.tracking_store(), container.artifact_store())

    def delivered(self) -> int:
        """How many events are delivered, by the ledger."""
        return sum(self.container().ledger().cursor().values())

    def pending(self) -> int:
        """How many events are not."""
        return self.container().relay().pending()

    def is_settled(self) -> bool:
        """Whether everything is delivered, and no run is open."""
        container = self.container()
        return not container.relay().pending() and not open_runs(container.event_log(), container.ledger())

    def failed_tries(self) -> int:
        """How often a relay process of this home found its backend unavailable."""
        words = self.home / "logs" / "relay.log"
        return words.read_text(encoding="utf-8").count("backend unavailable") if words.exists() else 0

    def sidecars(self) -> list[int]:
        """The living relay processes of this home."""
        return [pid for pid in _processes() if _is_sidecar(pid, self.home)]

    def wait_until_sidecars_left(self) -> None:
        """Until no relay process of this home lives."""
        _wait_until_gone(self.sidecars())

    def kill_sidecars(self) -> None:
        """Kill the relay processes of this home, and wait until they are gone."""
        killed = self.sidecars()
        for pid in killed:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        _wait_until_gone(killed)

    @contextmanager
    def ends(self) -> Iterator[FaultHome]:
        """The home, which leaves no relay process behind."""
        try:
            yield self
        finally:
            self.kill_sidecars()


def _restore_pin(home: Path, event: ArtifactLogged) -> None:
    """Put back the bytes that were given up when they were delivered."""
    manifest = ArtifactManifest.model_validate(event.manifest)
    pin = home / event.pin
    for file in manifest.files:
        path = pin if manifest.is_single_file else pin / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content(manifest.name, file.path))


def _processes() -> list[int]:
    return [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdecimal()]


def _is_sidecar(pid: int, home: Path) -> bool:
    """By where its words go: known from before it begins, when it has no command line yet."""
    with suppress(OSError):
        return (_PROC / str(pid) / "fd" / "1").readlink() == home / "logs" / "relay.log"
    return False


def _wait_until_gone(pids: list[int]) -> None:
    """A process that is dying has closed its files some time before it gives up its locks."""
    wait_for("the relay process is gone", lambda: all(find_process(pid) is None for pid in pids))
