"""A child process's own composition root: it records into the journal, and never builds a store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from ..application.attached_run import AttachedRun
from ..application.child_context import ChildContext
from ..application.child_ending import ChildEnding, ChildEnds, ParentEnds
from ..application.child_fold import ChildFold
from ..application.child_folder import read_document
from ..application.child_recording import ChildRecording
from ..application.open_run import OpenRun
from ..application.parent_watch import ParentWatch
from ..application.recorder import Recorder
from ..application.run_handle import RunHandle
from ..application.silent_run import SilentRun
from ..domain.errors import NotYourRun, RunContextInvalid
from ..domain.keys import RunKey
from ..domain.rank import rank_of
from ..domain.run_context import RUN_CONTEXT_VARIABLE, ContextMode, ContextTarget, RunContext
from .container import Container
from .origin import Source
from .settings import LoadedSettings, load_settings
from .tracking_target import TargetKind, TrackingTarget


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
    container = Container(loaded=loaded, version=version("studbook"))
    fold = None if document.fold is None else ChildFold(document.fold)
    parent = ParentWatch(
        None if document.control_path is None else Path(document.control_path),
        document.parent_writer,
        container.watch(),
        container.clock(),
        every_s=document.lease.interval_s,
    )
    if number:
        return ChildContext(document, number, SilentRun(), fold, parent, lambda: None)
    recorder = Recorder(
        container.event_log(),
        container.clock(),
        container.bus(),
        open_runs=container.keepalive(),
        strict=loaded.settings.journal.strict,
    )
    container.keepalive().hold()
    recording = _recording(document, container, recorder, fold)

    def close() -> None:
        recorder.close()
        container.keepalive().close()
        container.bus().close()
        container.event_log().close()

    return ChildContext(document, number, recording, fold, parent, close)


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


def _recording(
    document: RunContext, container: Container, recorder: Recorder, fold: ChildFold | None
) -> ChildRecording:
    opening, artifacts = container.opening(), container.artifacts()
    attached = document.mode is ContextMode.ATTACH
    run = (AttachedRun if attached else RunHandle)(
        document.run_key,
        document.stage,
        document.experiment,
        document.run_name,
        project=opening.project,
        recorder=recorder,
        artifacts=artifacts,
        backend_id=_NoStore().run_id,
    )
    ending: ChildEnding = (
        ParentEnds(document, run)
        if isinstance(run, AttachedRun)
        else ChildEnds(document, run, opening.project)
    )
    open_run = OpenRun(recorder, opening, artifacts, _NoStore(), container.ids())
    return ChildRecording(document, run, ending, open_run, fold)


class _NoStore:
    """A child asks no store."""

    def run_id(self, run_key: RunKey, timeout_s: float | None = None) -> str:
        del timeout_s
        raise NotYourRun(
            "a child process records, and asks the store nothing",
            cure="ask in the parent: book.find(key)",
            run=str(run_key),
        )
