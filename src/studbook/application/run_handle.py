"""An open run in the hands of the user: log, then leave."""

from __future__ import annotations

import contextlib
import functools
import operator
import os
import threading
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from pydantic import JsonValue

from ..domain.errors import (
    ArtifactInvalid,
    MetricValueInvalid,
    NotYourRun,
    ParamConflict,
    RunEnded,
    StudbookError,
)
from ..domain.events import Event
from ..domain.keys import RunKey
from ..domain.manifest import ArtifactKind, ArtifactManifest
from ..domain.recorded_values import check_metric_name, metric_value, param_text, typed_params
from ..domain.run import Ending, EndReason
from ..domain.run_events import ArtifactLogged, ParamsLogged, RecordWritten, TagsSet
from ..domain.run_events import RunEnded as RunEndedEvent
from ..domain.stage import Stage
from ..ports.log import get_logger
from .ending import ending_of

if TYPE_CHECKING:
    from ..ports.fluent_runs import FluentRuns
    from .delivered_runs import DeliveredRuns
    from .project import Project
    from .recorder import Recorder
    from .store_artifact import ArtifactBuilder

_LEAST, _MOST = -(2**63), 2**63 - 1
_KNOWN_NAMES = 4096

_log = get_logger(__name__)


class RunHandle:
    """Log to one run. Every call appends to the journal and returns at once; a context manager that ends it.

    Safe from several threads. After the end, logging raises RunEnded. What was opened below it and is still
    open ends with it. A forked child may log to it, and leaves its end to the process that opened it.
    """

    def __init__(
        self,
        key: RunKey,
        stage: Stage,
        experiment: str,
        name: str,
        *,
        project: Project,
        recorder: Recorder,
        artifacts: ArtifactBuilder,
        delivered: DeliveredRuns,
        fluent: FluentRuns,
    ) -> None:
        self.key = key
        self.stage = stage
        self.experiment = experiment
        self.name = name
        self._project = project
        self._recorder = recorder
        self._artifacts = artifacts
        self._delivered = delivered
        self._fluent = fluent
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._metric_names: set[str] = set()
        self._params: dict[str, str] = {}
        self._children: list[RunHandle] = []
        self._ending: Ending | None = None
        _at_forks().add(self)

    def __repr__(self) -> str:
        return f"RunHandle({self.stage}, {self.name!r}, {self.key.short})"

    @property
    def ending(self) -> Ending | None:
        """How the run ended, or None while it is open."""
        return self._ending

    def backend_id(self, timeout: float | None = None) -> str:
        """The backend's id of this run, delivering first; raises DeliveryPending after `timeout` seconds."""
        return self._delivered.run_id(self.key, timeout)

    def url(self, timeout: float | None = None) -> str | None:
        """The page that shows this run, delivering first; None where there is none, as for a database. Raises
        DeliveryPending after `timeout` seconds.
        """
        return self._delivered.page(self.key, timeout)

    @contextlib.contextmanager
    def as_active_mlflow(self, timeout: float | None = None) -> Iterator[str]:
        """Within the block, and in this thread, MLflow's active run is this one: autolog and `mlflow.log_figure` write
        into it. Gives the backend's id, delivering first; raises DeliveryPending after `timeout` seconds, ConfigError
        where there is no MLflow behind the book.

        What MLflow logs goes to the backend at once, and not through the journal.
        """
        if self._ending is not None:
            raise self._ended()
        run_id = self.backend_id(timeout)
        with self._fluent.active(run_id):
            yield run_id

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Record measured values, all at `step` (0 when not given), with the time of this call.

        Raises MetricNameInvalid, MetricValueInvalid.
        """
        known = self._metric_names
        values = {}
        for name, value in metrics.items():
            if name not in known:
                self._learn(name)
            values[name] = value if type(value) is float else metric_value(value, name)
        if type(step) is not int or not _LEAST <= step <= _MOST:
            step = whole_step(step)
        with self._lock:
            if self._ending is not None:
                raise self._ended()
            self._recorder.record_metrics(self.key, values, step)

    def log_params(self, params: Mapping[str, object]) -> None:
        """Record params, typed. Raises ParamConflict when one has another value already, ParamInvalid."""
        typed = typed_params(params)
        with self._lock:
            # Compared as a store will hold them: there 1 and 1.0 are one value, and 1 and true are two.
            texts = {name: param_text(value) for name, value in typed.items()}
            for name, text in texts.items():
                if self._params.get(name, text) != text:
                    raise ParamConflict(
                        f"param {name!r} is {self._params[name][:200]!r}, and would become {text[:200]!r}",
                        cure="params never change: log it under another name, or open a new run",
                        param=name,
                    )
            self._append_open(ParamsLogged(params=typed))
            self._params.update(texts)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set your own tags; the last write wins. Raises ReservedTag, TagInvalid, UndeclaredTag."""
        self._append(TagsSet(tags=self._project.checked_tags(tags, self.stage)))

    def log_artifact(
        self,
        path: str | Path,
        name: str | None = None,
        *,
        kind: ArtifactKind | str = ArtifactKind.ANY,
        profile: str | None = None,
    ) -> ArtifactManifest:
        """Store a file or a folder with the run, under `name` (the path's own name when not given).

        Returns once its bytes are pinned in the home. Raises ArtifactInvalid, ArtifactNameInvalid,
        SourceChanged; nothing stays pinned then.
        """
        source = Path(path)
        if self._ending is not None:
            raise self._ended()
        logged = self._artifacts.build(
            source,
            name=name or source.name,
            kind=_kind(kind),
            run_key=self.key,
            stage=self.stage,
            profile=profile,
        )
        try:
            self._append(logged)
        except BaseException:
            self._artifacts.pins.release(logged.pin)
            raise
        return ArtifactManifest.model_validate(logged.manifest)

    def record(self, *events: Event | ArtifactLogged | RecordWritten) -> None:
        """Append domain events of this run: for use cases."""
        self._append(*events)

    def begin(self, *events: Event, params: Mapping[str, JsonValue]) -> None:
        """Append the run's beginning with its first params, as one: for whoever opens the run."""
        with self._lock:
            self._append_open(*events, *([ParamsLogged(params=dict(params))] if params else []))
            self._params.update({name: param_text(value) for name, value in params.items()})

    def adopt(self, child: RunHandle) -> None:
        """Have the child end when this run ends, if it is still open then."""
        with self._lock:
            self._children = [*(each for each in self._children if each.ending is None), child]

    def end(self, ending: Ending, *events: Event) -> None:
        """Append the stage's last events and the end of the run, as one. Raises RunEnded, NotYourRun."""
        if self._ending is not None:
            raise self._ended()
        if not self._is_ours:
            raise NotYourRun(
                f"run {self.name!r} was opened by process {self._process}",
                cure="end it there: a forked child only logs to it",
                run=str(self.key),
            )
        for child in self._children:
            child.give_up(EndReason.PARENT_ENDED)
        with self._lock:
            self._append_open(*events, RunEndedEvent(ending=ending))
            self._ending = ending

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._ending is not None or not self._is_ours:
            return
        try:
            self.end(ending_of(error))
        except StudbookError as failure:
            if error is None:
                raise
            # The body's own exception is what the caller must see.
            _log.error("run end not recorded", run=str(self.key), error=failure.problem)

    def give_up(self, reason: EndReason) -> None:
        """End the run as KILLED, if it is still open and of this process."""
        with contextlib.suppress(RunEnded, NotYourRun):
            self.end(Ending.killed(reason))

    def abandon(self) -> None:
        """End the run as given up, if it is still open: the book is closing."""
        self.give_up(EndReason.ABANDONED)

    @property
    def _is_ours(self) -> bool:
        return self._process == os.getpid()

    def _learn(self, name: object) -> None:
        """Check a metric's name, once."""
        check_metric_name(name, self.stage)
        if len(self._metric_names) >= _KNOWN_NAMES:
            self._metric_names.clear()
        self._metric_names.add(str(name))

    def _append(self, *events: Event) -> None:
        with self._lock:
            self._append_open(*events)

    def _append_open(self, *events: Event) -> None:
        """Append under the lock, so that nothing of this run follows its end."""
        if self._ending is not None:
            raise self._ended()
        self._recorder.record(self.key, *events)

    def _ended(self) -> RunEnded:
        return RunEnded(
            f"run {self.name!r} has ended {self._ending.status if self._ending else ''}",
            cure="log before the run ends, or open a new run",
            run=str(self.key),
        )


def whole_step(step: object) -> int:
    """The step as an int, 0 for None. Raises MetricValueInvalid."""
    if step is None:
        return 0
    if isinstance(step, float) and step.is_integer():
        step = int(step)
    try:
        whole = operator.index(step)  # type: ignore[arg-type]  # what is no integer is told below
    except TypeError:
        whole = _MOST + 1
    if not _LEAST <= whole <= _MOST:
        raise MetricValueInvalid(
            f"{step!r:.100} is no step", cure="count steps with an int that 64 bits can hold", step=step
        )
    return whole


def _kind(kind: ArtifactKind | str) -> ArtifactKind:
    try:
        return ArtifactKind(kind)
    except ValueError:
        raise ArtifactInvalid(
            f"{kind!r:.100} is no kind of artifact",
            cure="use one of " + ", ".join(str(each) for each in ArtifactKind),
            reason="UNKNOWN_KIND",
        ) from None


@functools.cache
def _at_forks() -> weakref.WeakSet[RunHandle]:
    """The handles that get a new lock in a forked child: a thread of its parent may have held the old one."""
    handles: weakref.WeakSet[RunHandle] = weakref.WeakSet()

    def unlock() -> None:
        for handle in handles:
            handle._lock = threading.Lock()  # noqa: SLF001

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=unlock)
    return handles
