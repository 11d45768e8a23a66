"""A child process's own composition root: it records into the journal, and never builds a store."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from ..application.attached_run import AttachedRun
from ..application.bus import Bus
from ..application.child_context import ChildContext
from ..application.child_ending import ChildEnding, ChildEnds, ParentEnds
from ..application.child_fold import ChildFold
from ..application.child_folder import read_document
from ..application.child_recording import ChildRecording
from ..application.keepalive import KeepAlive
from ..application.open_run import OpenRun
from ..application.parent_watch import ParentWatch
from ..application.recorder import Recorder
from ..application.run_handle import RunHandle
from ..application.run_opening import RunOpening
from ..application.silent_run import SilentRun
from ..application.store_artifact import ArtifactBuilder
from ..application.writer_watch import WriterWatch
from ..domain.errors import NotYourRun, RunContextInvalid
from ..domain.keys import RunKey
from ..domain.rank import rank_of
from ..domain.run_context import RUN_CONTEXT_VARIABLE, ContextMode, ContextTarget, RunContext
from . import building as build
from .origin import Source
from .settings import LoadedSettings, load_settings
from .tracking_target import TargetKind, TrackingTarget

if TYPE_CHECKING:
    from ..ports.clock import Clock
    from ..ports.event_log import EventLog
    from ..ports.ids import Ids


def child_context(environ: Mapping[str, str], rank: int | None = None) -> ChildContext:
    """The context of the document that this environment names. Raises RunContextInvalid, ConfigError."""
    said = environ.get(RUN_CONTEXT_VARIABLE)
    if not said:
        raise RunContextInvalid(
            f"{RUN_CONTEXT_VARIABLE} is not set: this process is nobody's child",
            cure="have a parent start it: studbook.command_training([...]), or context.run_command([...])",
        )
    document = RunContext.parse(read_document(said))
    loaded = _settings(document, environ)
    number = rank_of(environ, rank, loaded.settings.distributed.launcher)
    parts = _Parts.of(loaded)
    fold = None if document.fold is None else ChildFold(document.fold)
    parent = ParentWatch(
        None if document.control_path is None else Path(document.control_path),
        document.parent_writer,
        parts.watch,
        parts.clock,
        every_s=document.lease.interval_s,
    )
    if number:
        return ChildContext(document, number, SilentRun(), fold, parent, lambda: None)
    recording = _recording(document, parts, fold)
    return ChildContext(document, number, recording, fold, parent, parts.close)


@dataclass(frozen=True, slots=True)
class _Parts:
    """What a recording child is made of. Few parts of a book: a child begins often, and should begin fast."""

    clock: Clock
    ids: Ids
    watch: WriterWatch
    log: EventLog
    bus: Bus
    keepalive: KeepAlive
    recorder: Recorder
    opening: RunOpening
    artifacts: ArtifactBuilder

    @classmethod
    def of(cls, loaded: LoadedSettings) -> _Parts:
        home, settings, studbook = loaded.home, loaded.settings, version("studbook")
        clock, ids, bus, leases = build.system_clock(), build.system_ids(), Bus(), build.home_leases(home)
        project = build.project_of(loaded, build.system_machine(), studbook)
        watch = WriterWatch(leases, clock, ttl_s=settings.leases.ttl)
        log = build.journal_log(
            home, clock, ids, loaded.target, project, settings.journal.segment_size, watch
        )
        keepalive = KeepAlive(
            log,
            leases,
            clock,
            interval_s=settings.leases.interval,
            fsync_interval_s=settings.journal.fsync_interval,
            heartbeat_s=settings.leases.heartbeat,
            ttl_s=settings.leases.ttl,
        )
        recorder = Recorder(log, clock, bus, open_runs=keepalive, strict=settings.journal.strict)
        artifacts = build.artifact_builder(loaded, build.home_pins(home, ids), clock, studbook)
        return cls(clock, ids, watch, log, bus, keepalive, recorder, RunOpening(project), artifacts)

    def close(self) -> None:
        """Give back what is held, in a book's order."""
        self.recorder.close()
        self.keepalive.close()
        self.bus.close()
        self.log.close()


def _settings(document: RunContext, environ: Mapping[str, str]) -> LoadedSettings:
    target = document.target
    said = {
        "home": document.home,
        "project": document.project,
        "tracking.uri": None if target is None else target.uri,
        "leases.interval": document.lease.interval_s,
        "leases.ttl": document.lease.ttl_s,
    }
    loaded = load_settings(overrides=said, environ=environ, caller=RUN_CONTEXT_VARIABLE)
    if loaded.target.kind is TargetKind.MEMORY:
        raise RunContextInvalid(
            "what a child records in memory is gone with it",
            cure="name a tracking target that outlives the process: sqlite:///mlflow.db, or a server",
        )
    return loaded if target is None else replace(loaded, target=_decided(loaded.target, target))


def _decided(found: TrackingTarget, said: ContextTarget) -> TrackingTarget:
    try:
        return replace(found, decided_by=Source(said.decided_by))
    except ValueError:
        raise RunContextInvalid(
            f"target.decided_by: {said.decided_by[:80]!r} is no source of settings",
            cure="name one of " + ", ".join(repr(str(source)) for source in Source),
        ) from None


def _recording(document: RunContext, parts: _Parts, fold: ChildFold | None) -> ChildRecording:
    attached = document.mode is ContextMode.ATTACH
    project, no_store = parts.opening.project, _NoStore()
    run = (AttachedRun if attached else RunHandle)(
        document.run_key,
        document.stage,
        document.experiment,
        document.run_name,
        project=project,
        recorder=parts.recorder,
        artifacts=parts.artifacts,
        delivered=no_store,
        fluent=no_store,
    )
    ending: ChildEnding = (
        ParentEnds(document, run) if isinstance(run, AttachedRun) else ChildEnds(document, run, project)
    )
    open_run = OpenRun(parts.recorder, parts.opening, parts.artifacts, no_store, parts.ids, no_store)
    return ChildRecording(document, run, ending, open_run, fold)


class _NoStore:
    """A child asks no store, so that it knows no backend's ids or pages, and no run of it is the backend's active
    one.
    """

    def run_id(self, run_key: RunKey, timeout_s: float | None = None) -> str:
        del timeout_s
        raise _nothing_asked(run_key)

    def page(self, run_key: RunKey, timeout_s: float | None = None) -> str | None:
        del timeout_s
        raise _nothing_asked(run_key)

    def active(self, run_id: str) -> AbstractContextManager[None]:
        raise _nothing_asked(run_id)


def _nothing_asked(run: str) -> NotYourRun:
    return NotYourRun(
        "a child process records, and asks the store nothing",
        cure="ask in the parent: book.find(key)",
        run=str(run),
    )
