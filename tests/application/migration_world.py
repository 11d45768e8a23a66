"""Random stores to migrate, an independent look at what they hold, and a death at any write."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from studbook.adapters.memory.artifact_store import MemoryArtifactStore
from studbook.adapters.memory.clock import ManualClock
from studbook.adapters.memory.locks import MemoryLocks
from studbook.adapters.memory.migration_ledger import MemoryMigrationLedger
from studbook.adapters.memory.tracking_store import MemoryTrackingStore
from studbook.application.backoff import Backoff
from studbook.application.migrate import MigrateStore
from studbook.application.migration_ends import Destination, Source
from studbook.application.renamed_source import RenamedSource
from studbook.application.spill import SPILL_FOLDER
from studbook.application.storable import as_recorded, histories
from studbook.domain.run import RunStatus
from studbook.domain.store_writes import MetricPoint, RecordBatch
from studbook.domain.stored_run import Lifecycle
from studbook.domain.vocabulary import DEFAULT_VOCABULARY
from studbook.ports.artifact_store import ArtifactStore
from studbook.ports.capabilities import Capabilities
from studbook.ports.contract.tracking_examples import AWKWARD, START
from studbook.ports.migration_ledger import MigrationLedger
from studbook.ports.run_query import ANY_STATUS, RunQuery
from studbook.ports.run_source import RunSource
from studbook.ports.tracking_store import NewRun, TrackingStore

MADE = "made.as"
"""The tag that names a run of these stores, here and there."""

BOTH = frozenset(Lifecycle)
MARK = DEFAULT_VOCABULARY.key("run.migrated_from")
_KEYS = ("lr", "a/b", "x y", "m-1", "deep.er", "mlflow.note.content", "studbook.run_key", "code.stage")


@dataclass(frozen=True)
class Spec:
    """One run to make. `parent` is the number of an earlier one, or an id that nothing has."""

    experiment: str = "one"
    name: str = "a run"
    started: int = START
    ended: int | None = None
    status: RunStatus = RunStatus.FINISHED
    deleted: bool = False
    parent: int | str | None = None
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    points: tuple[MetricPoint, ...] = ()
    files: dict[str, bytes] = field(default_factory=dict)


_texts = st.sampled_from([*AWKWARD, "v" * 700, "spill:me", "1"])
_mappings = st.dictionaries(st.sampled_from(_KEYS), _texts, max_size=4)
_points = st.lists(
    st.builds(
        MetricPoint,
        st.sampled_from(["loss", "f1/macro", "a b"]),
        st.sampled_from([0.0, -1.5, math.nan, math.inf, -math.inf, 1e-300, 0.1]),
        st.integers(START, START + 3),
        st.integers(-1, 3),
    ),
    max_size=6,
).map(tuple)
_files = st.dictionaries(
    st.sampled_from(["top.bin", "dir/a.txt", "dir/er/ß.txt", "studbook/manifests/odd.json"]),
    st.binary(max_size=40),
    max_size=3,
)


@st.composite
def stores(draw: st.DrawFn, most: int = 5) -> list[Spec]:
    """The runs of a store."""
    specs = []
    for number in range(draw(st.integers(0, most))):
        earlier: list[int | str | None] = [None, "gone", *range(number)]
        started = draw(st.integers(START, START + 4))
        specs.append(
            Spec(
                experiment=draw(st.sampled_from(["one", "two"])),
                name=draw(st.sampled_from(["a run", "ümlaut 漢字", "it's"])),
                started=started,
                ended=started + draw(st.integers(0, 9)),
                status=draw(st.sampled_from(RunStatus)),
                deleted=draw(st.booleans()),
                parent=draw(st.sampled_from(earlier)),
                params=draw(_mappings),
                tags=draw(_mappings),
                points=draw(_points),
                files=draw(_files),
            )
        )
    return specs


def fill(store: TrackingStore, artifacts: ArtifactStore, specs: Iterable[Spec]) -> list[str]:
    """Make the runs; their ids in order."""
    ids: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        local = Path(folder, "file")
        for number, spec in enumerate(specs):
            parent = ids[spec.parent] if isinstance(spec.parent, int) else spec.parent
            tags = {MADE: str(number)}
            new = NewRun(None, spec.experiment, spec.name, spec.started, tags, parent, named_by=MADE)
            run_id = store.create_run(new)
            ids.append(run_id)
            store.record(run_id, RecordBatch(spec.params, spec.points, spec.tags))
            for path, content in spec.files.items():
                local.write_bytes(content)
                artifacts.put_file(run_id, local, path)
            if spec.status.terminal:
                store.end_run(run_id, spec.status, spec.ended or spec.started)
        for run_id, spec in zip(ids, specs, strict=True):
            if spec.deleted:
                store.delete_run(run_id)
    return ids


def held(
    store: RunSource, artifacts: ArtifactStore, *, deleted: bool = True
) -> dict[str, tuple[object, ...]]:
    """What a store holds, long values joined, by what its runs are made as."""
    query = RunQuery(
        store.experiments(), ANY_STATUS, lifecycles=BOTH if deleted else frozenset({Lifecycle.ACTIVE})
    )
    found: dict[str, tuple[object, ...]] = {}
    for stored in store.find(query):
        run = as_recorded(stored, artifacts, DEFAULT_VOCABULARY)
        parent = run.parent_id
        if parent is not None and parent != "gone":
            parent = store.get_run(parent).tags[MADE]
        tags = {
            k: v for k, v in run.tags.items() if (k != MARK and not k.startswith("mlflow.")) or "note" in k
        }
        found[run.tags[MADE]] = (
            run.experiment,
            run.name,
            run.status,
            run.lifecycle,
            run.started_at_ms,
            run.ended_at_ms,
            parent,
            run.params,
            tags,
            {name: repr(points) for name, points in histories(stored, store, artifacts, DEFAULT_VOCABULARY)},
            {
                file.path: artifacts.read(run.run_id, file.path)
                for file in artifacts.list_files(run.run_id)
                if not file.path.startswith(SPILL_FOLDER)
            },
        )
    return found


class Killed(BaseException):
    """The process ends here."""


class Mortal:
    """Whatever it stands before; the write with number `at` of all kills, before it is done or after."""

    def __init__(self, real: object, writes: frozenset[str], fate: Fate) -> None:
        self._real = real
        self._writes = writes
        self._fate = fate

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._real, name)
        if name not in self._writes:
            return value

        def write(*given: Any, **named: Any) -> Any:
            self._fate.before()
            answer = value(*given, **named)
            self._fate.after()
            return answer

        return write


@dataclass
class Fate:
    """When to die: at which write, and whether it is done first. 0 is never."""

    at: int = 0
    done_first: bool = False
    writes: int = 0

    def before(self) -> None:
        """A write begins."""
        self.writes += 1
        if self.writes == self.at and not self.done_first:
            raise Killed

    def after(self) -> None:
        """A write is done."""
        if self.writes == self.at and self.done_first:
            raise Killed


_STORE_WRITES = frozenset({"create_run", "record", "end_run", "delete_run", "ensure_experiment"})
_FILE_WRITES = frozenset({"put", "put_file", "put_record"})


class World:
    """Two memory stores and what a migration between them remembers; `names` are what experiments become."""

    def __init__(
        self,
        stage: Path,
        limits: Capabilities | None = None,
        destination: tuple[TrackingStore, ArtifactStore] | None = None,
    ) -> None:
        key = DEFAULT_VOCABULARY.key("run.key")
        self.source = MemoryTrackingStore(run_key_tag=key)
        self.source_files = MemoryArtifactStore()
        limits = limits or Capabilities()
        self.store, self.files = destination or (
            MemoryTrackingStore(limits, run_key_tag=key),
            MemoryArtifactStore(limits),
        )
        self.ledger: MigrationLedger = MemoryMigrationLedger()
        self.locks = MemoryLocks()
        self.clock = ManualClock()
        self.stage = stage
        self.names: dict[str, str] = {}

    def migration(
        self, *, deleted: bool = True, fate: Fate | None = None, source_id: str = "here"
    ) -> MigrateStore:
        """The use case, as a new process would have it."""

        def mortal(real: object, writes: frozenset[str]) -> Any:
            return Mortal(real, writes, fate or Fate())

        return MigrateStore(
            Source(RenamedSource(self.source, self.names), self.source_files, source_id, "here"),
            Destination(
                mortal(self.store, _STORE_WRITES), mortal(self.files, _FILE_WRITES), "there", "there"
            ),
            mortal(self.ledger, frozenset({"put"})),
            self.locks,
            self.clock,
            Backoff(),
            DEFAULT_VOCABULARY,
            self.stage,
            deleted=deleted,
        )

    def run(self, *, deleted: bool = True, source_id: str = "here") -> None:
        """Copy, and be sure that both sides are equal."""
        migration = self.migration(deleted=deleted, source_id=source_id)
        assert migration.copy(nothing).failed == ()
        verified = migration.verify(nothing)
        assert verified.differences == ()
        assert verified.source_digest == verified.destination_digest


def nothing() -> None:
    """After a run: nothing."""
