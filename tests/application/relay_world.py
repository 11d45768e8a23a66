"""One home and one backend in memory: several logs, relays and books on them, and a hand that cuts their calls."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from studbook.adapters.home.pins import HomePins
from studbook.adapters.memory.artifact_store import MemoryArtifactStore
from studbook.adapters.memory.clock import ManualClock
from studbook.adapters.memory.delivery_ledger import MemoryDeliveryLedger
from studbook.adapters.memory.event_log import MemoryEventLog, MemoryJournal
from studbook.adapters.memory.fluent_runs import MemoryFluentRuns
from studbook.adapters.memory.ids import CountingIds
from studbook.adapters.memory.tracking_store import MemoryTrackingStore
from studbook.application.bus import Bus
from studbook.application.delivery import InlineDelivery
from studbook.application.delivery_pass import BATCH
from studbook.application.open_run import OpenRun
from studbook.application.project import Project
from studbook.application.recorder import Recorder
from studbook.application.relay import Relay
from studbook.application.run_catalog import RunCatalog
from studbook.application.run_opening import RunOpening
from studbook.application.store_artifact import ArtifactBuilder
from studbook.application.store_writer import StoreWriter
from studbook.domain.events import Envelope, Event
from studbook.domain.keys import RunKey
from studbook.domain.run import Ending
from studbook.domain.run_events import RunEnded, RunStarted
from studbook.domain.run_identity import ad_hoc
from studbook.domain.stage import Stage
from studbook.domain.stored_run import Lifecycle, StoredRun
from studbook.domain.vocabulary import DEFAULT_VOCABULARY, Vocabulary
from studbook.ports.capabilities import Capabilities
from studbook.ports.delivery_ledger import DeliveryLedger
from studbook.ports.run_query import ANY_STATUS, RunQuery

EXPERIMENT = "studbook-test"
RUN_KEY_TAG = DEFAULT_VOCABULARY.key("run.key")
SMALL = Capabilities(param_value_length=500, tag_value_length=500)
"""Limits that a test can cross cheaply."""

_QUESTIONS = frozenset(
    {"find", "get_run", "metric_history", "experiments", "list_files", "read", "manifests"}
)


def run_key(name: str) -> RunKey:
    """The key of the run that `started(name)` begins."""
    return ad_hoc("studbook", Stage.FINAL_TRAINING, name, None, "0").key


def started(name: str, parent: str | None = None, experiment: str = EXPERIMENT) -> RunStarted:
    """The beginning of a run of this name; `parent` is the name of another one."""
    return RunStarted(
        project="studbook",
        stage=Stage.FINAL_TRAINING,
        subject={"run": name},
        attempt=1,
        name=name,
        experiment=experiment,
        parent=None if parent is None else run_key(parent),
        version="0.1.0",
    )


FINISHED = RunEnded(ending=Ending.finished())


class Cut:
    """Stands before the stores' writes and raises `error` at the n-th, before or after it took effect."""

    def __init__(self, at: int, error: Callable[[], BaseException], *, after: bool, times: int = 1) -> None:
        self.at = at
        self.calls = 0
        self._error = error
        self._after = after
        self._times = times

    def around(self, target: Any) -> Any:
        """The store, watched."""
        return _Watched(target, self)

    def call(self, method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Do what is asked, unless this is the call."""
        self.calls += 1
        cut = self.at <= self.calls < self.at + self._times
        if cut and not self._after:
            raise self._error()
        result = method(*args, **kwargs)
        if cut:
            raise self._error()
        return result


class _Watched:
    def __init__(self, target: Any, cut: Cut) -> None:
        self._target = target
        self._cut = cut

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if name in _QUESTIONS or not callable(found):
            return found
        return lambda *args, **kwargs: self._cut.call(found, args, kwargs)


class World:
    """A home with a journal and pins, and a backend. `store`, `artifacts` and `ledger` are those of the target."""

    def __init__(self, folder: Path, limits: Capabilities = SMALL) -> None:
        self.clock = ManualClock()
        self.ids = CountingIds()
        self.journal = MemoryJournal()
        self.store: Any = MemoryTrackingStore(limits, run_key_tag=RUN_KEY_TAG)
        self.artifacts: Any = MemoryArtifactStore(limits)
        self.ledger: DeliveryLedger = MemoryDeliveryLedger()
        self.pins = HomePins(folder / "home", self.ids)
        self.builder = ArtifactBuilder(self.pins, self.clock, "0.1.0")
        self.log = self.new_log()
        self.project = Project(version="0.1.0")

    def new_log(self) -> MemoryEventLog:
        """A further writer of this home."""
        return MemoryEventLog(self.clock, self.ids, journal=self.journal)

    def recorder(self, log: MemoryEventLog | None = None) -> Recorder:
        """Records as the home's first writer, or as another."""
        return Recorder(log or self.log, self.clock, Bus())

    def say(self, name: str, *events: Event, log: MemoryEventLog | None = None) -> tuple[Envelope, ...]:
        """Record events of the run of this name, a second after the last ones."""
        self.clock.advance(1)
        recorded = self.recorder(log).record(run_key(name), *events)
        return tuple(envelope for envelope in recorded if isinstance(envelope, Envelope))

    def relay(
        self,
        ledger: DeliveryLedger | None = None,
        cut: Cut | None = None,
        vocabulary: Vocabulary = DEFAULT_VOCABULARY,
        batch: int = BATCH,
    ) -> Relay:
        """A relay as a new process would have it; it waits the whole of every wait."""
        ledger = ledger or self.ledger
        store, artifacts = (self.store, self.artifacts)
        if cut is not None:
            store, artifacts, ledger = cut.around(store), cut.around(artifacts), _WithCutLedger(ledger, cut)
        writer = StoreWriter(store, artifacts, ledger, self.pins, vocabulary, self.log, self.clock)
        return Relay(self.log, ledger, writer, vocabulary, self.clock, batch=batch, jitter=lambda: 1.0)

    def catalog(self, project: Project | None = None) -> RunCatalog:
        """Questions about this world."""
        delivery = InlineDelivery(self.log, self.ledger, self.relay, self.clock)
        return RunCatalog(self.store, self.artifacts, delivery, project or self.project)

    def open_run(self, project: Project | None = None, log: MemoryEventLog | None = None) -> OpenRun:
        """Opens runs as a book does."""
        project = project or self.project
        opening = RunOpening(project)
        return OpenRun(
            self.recorder(log), opening, self.builder, self.catalog(project), self.ids, MemoryFluentRuns()
        )

    def events(self) -> list[Event]:
        """All events of the home, by writer."""
        return [envelope.event for envelope in self.log.read()]

    def run(self, name: str) -> StoredRun:
        """The stored run of this name."""
        return next(run for run in self.runs() if run.name == name)

    def runs(self) -> list[StoredRun]:
        """All stored runs."""
        experiments = self.store.experiments()
        return list(self.store.find(RunQuery(experiments, ANY_STATUS, lifecycles=frozenset(Lifecycle))))

    def files(self, name: str) -> dict[str, bytes]:
        """What is stored for the run of this name."""
        run_id = self.run(name).run_id
        return {
            file.path: self.artifacts.read(run_id, file.path) for file in self.artifacts.list_files(run_id)
        }

    def state(self) -> dict[str, object]:
        """Everything that the backend holds, by run key; comparable, whatever the backend ids are."""
        runs = self.runs()
        keys = {run.run_id: run.tags[RUN_KEY_TAG] for run in runs}
        return {
            keys[run.run_id]: (
                run.name,
                run.experiment,
                run.status,
                run.started_at_ms,
                run.ended_at_ms,
                run.parent_id and keys[run.parent_id],
                run.tags,
                run.params,
                {name: self._history(run.run_id, name) for name in run.metrics},
                self.files(run.name),
            )
            for run in runs
        }

    def _history(self, run_id: str, name: str) -> list[tuple[int, int, object]]:
        points = self.store.metric_history(run_id, name)
        return [
            (point.step, point.timestamp_ms, "NaN" if math.isnan(point.value) else point.value)
            for point in points
        ]


class _WithCutLedger:
    """A ledger whose durable writes can be cut, too."""

    def __init__(self, ledger: DeliveryLedger, cut: Cut) -> None:
        self._ledger = ledger
        self._cut = cut

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._ledger, name)
        if name in ("advance", "bind", "refuse"):
            return lambda *args, **kwargs: self._cut.call(found, args, kwargs)
        return found
