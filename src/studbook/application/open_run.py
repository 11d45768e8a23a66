"""Opens a run that the user logs to by hand."""

from __future__ import annotations

import atexit
import functools
import os
import sys
import threading
from collections.abc import Mapping

from ..domain.errors import NameInvalid, RunEnded, StudbookError
from ..domain.naming import check_run_name
from ..domain.recorded_values import typed_params
from ..domain.run import Ending, EndReason, RunStatus
from ..domain.run_events import Adoption, TagsSet
from ..domain.run_identity import ad_hoc
from ..domain.stage import Stage
from ..ports.fluent_runs import FluentRuns
from ..ports.ids import Ids
from ..ports.log import get_logger
from .delivered_runs import DeliveredRuns
from .ending import ending_of
from .recorder import Recorder
from .run_handle import RunHandle
from .run_opening import RunOpening
from .store_artifact import ArtifactBuilder

_log = get_logger(__name__)


class OpenRun:
    """The use case: always a new run, RUNNING until its handle ends it.

    A run that is still open when the interpreter ends is ended then. A forked child ends none of its parent's.
    """

    def __init__(
        self,
        recorder: Recorder,
        opening: RunOpening,
        artifacts: ArtifactBuilder,
        delivered: DeliveredRuns,
        ids: Ids,
        fluent: FluentRuns,
    ) -> None:
        self._recorder = recorder
        self._opening = opening
        self._artifacts = artifacts
        self._delivered = delivered
        self._ids = ids
        self._fluent = fluent
        self._begin()

    def _begin(self) -> None:
        """Be one that has opened nothing."""
        self._lock = threading.Lock()
        self._open: list[RunHandle] = []

    def __call__(
        self,
        name: str,
        *,
        stage: Stage | str = Stage.FINAL_TRAINING,
        parent: RunHandle | None = None,
        params: Mapping[str, object] | None = None,
        tags: Mapping[str, str] | None = None,
        adopt: str | None = None,
    ) -> RunHandle:
        """A handle to a new run. A child lies in its parent's experiment. Raises NameInvalid, ParamInvalid,
        ReservedTag, TagInvalid, UndeclaredTag: then no run was opened.

        `adopt` is the backend id of a run that becomes this one, unless it is another run's already.
        """
        checked = check_run_name(name)
        typed = typed_params(params or {})
        stage = stage_of(stage)
        own_tags = self._opening.project.checked_tags(tags or {}, stage)
        identity = ad_hoc(
            self._opening.project.name, stage, checked, parent.key if parent else None, self._ids.nonce()
        )
        experiment = parent.experiment if parent else self._opening.experiment_of(stage)
        handle = RunHandle(
            identity.key,
            stage,
            experiment,
            checked,
            project=self._opening.project,
            recorder=self._recorder,
            artifacts=self._artifacts,
            delivered=self._delivered,
            fluent=self._fluent,
        )
        adoption = None if adopt is None else Adoption(run_id=adopt, even_ended=True)
        started = self._opening.named(identity, checked, experiment, parent.key if parent else None, adoption)
        handle.begin(started, *([TagsSet(tags=own_tags)] if own_tags else []), params=typed)
        if parent is not None:
            parent.adopt(handle)
        with self._lock:
            self._open = [*(each for each in self._open if each.ending is None), handle]
            _unfinished().add(self)
        return handle

    def abandon_open(self) -> None:
        """End what is still open, the youngest first: the book is closing.

        While an exception is on its way out, as that exception; else as abandoned.
        """
        self._end_open(sys.exc_info()[1])

    def _end_open(self, error: BaseException | None) -> None:
        with self._lock:
            left, self._open = self._open, []
            _unfinished().discard(self)
        ending = ending_of(error)
        if ending.status is RunStatus.FINISHED:
            ending = Ending.killed(EndReason.ABANDONED)
        for handle in reversed(left):
            try:
                handle.end(ending)
            except RunEnded:
                continue
            except StudbookError as failure:
                _log.error("run end not recorded", run=str(handle.key), error=failure.problem)


def stage_of(stage: Stage | str) -> Stage:
    """The stage of this name. Raises NameInvalid."""
    try:
        return Stage(stage)
    except ValueError:
        raise NameInvalid(
            f"{stage!r} is no stage", cure="use one of " + ", ".join(str(each) for each in Stage)
        ) from None


@functools.cache
def _unfinished() -> set[OpenRun]:
    """Those with runs that are not known to have ended, which end with the interpreter.

    Kept alive until then, since the last reference to a book can be gone by that time.
    """
    unfinished: set[OpenRun] = set()

    def end_open() -> None:
        # Set when an uncaught exception was printed; SystemExit is not.
        error = getattr(sys, "last_value", None)
        for each in tuple(unfinished):
            each._end_open(error)  # noqa: SLF001

    def begin_anew() -> None:
        for each in unfinished:
            each._begin()  # noqa: SLF001
        unfinished.clear()

    atexit.register(end_open)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=begin_anew)
    return unfinished
