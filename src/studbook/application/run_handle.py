"""An open run in the hands of the user: log, then leave."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ..domain.errors import ParamConflict, RunEnded
from ..domain.events import Event
from ..domain.keys import RunKey
from ..domain.manifest import ArtifactKind, ArtifactManifest
from ..domain.recorded_values import metric_values, typed_params
from ..domain.run import Ending, EndReason
from ..domain.run_events import ArtifactLogged, MetricsLogged, ParamsLogged, RecordWritten, TagsSet
from ..domain.run_events import RunEnded as RunEndedEvent
from ..domain.stage import Stage
from .ending import ending_of

if TYPE_CHECKING:
    from .project import Project
    from .recorder import Recorder
    from .store_artifact import ArtifactBuilder


class RunHandle:
    """Log to one run. Every call appends to the journal and returns at once; a context manager that ends it.

    Safe from several threads. After the end, logging raises RunEnded.
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
        backend_id: Callable[[RunKey, float | None], str],
    ) -> None:
        self.key = key
        self.stage = stage
        self.experiment = experiment
        self.name = name
        self._project = project
        self._recorder = recorder
        self._artifacts = artifacts
        self._backend_id = backend_id
        self._lock = threading.Lock()
        self._params: dict[str, object] = {}
        self._ending: Ending | None = None

    def __repr__(self) -> str:
        return f"RunHandle({self.stage}, {self.name!r}, {self.key.short})"

    @property
    def ending(self) -> Ending | None:
        """How the run ended, or None while it is open."""
        return self._ending

    def backend_id(self, timeout: float | None = None) -> str:
        """The backend's id of this run, delivering first; raises DeliveryPending after `timeout` seconds."""
        return self._backend_id(self.key, timeout)

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Record measured values, all at `step` (0 when not given), with the time of this call.

        Raises MetricNameInvalid, MetricValueInvalid.
        """
        self._append(MetricsLogged(metrics=metric_values(metrics, self.stage), step=step or 0))

    def log_params(self, params: Mapping[str, object]) -> None:
        """Record params, typed. Raises ParamConflict when one has another value already, ParamInvalid."""
        typed = typed_params(params)
        with self._lock:
            for name, value in typed.items():
                if name in self._params and self._params[name] != value:
                    raise ParamConflict(
                        f"param {name!r} is {self._params[name]!r}, and would become {value!r}",
                        cure="params never change: log it under another name, or open a new run",
                        param=name,
                    )
            self._params.update(typed)
        self._append(ParamsLogged(params=typed))

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set your own tags; the last write wins. Raises ReservedTag, TagInvalid."""
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
        SourceChanged.
        """
        source = Path(path)
        logged = self._artifacts.build(
            source,
            name=name or source.name,
            kind=ArtifactKind(kind),
            run_key=self.key,
            stage=self.stage,
            profile=profile,
        )
        self._append(logged)
        return ArtifactManifest.model_validate(logged.manifest)

    def record(self, *events: Event | ArtifactLogged | RecordWritten) -> None:
        """Append domain events of this run: for use cases."""
        self._append(*events)

    def end(self, ending: Ending, *events: Event) -> None:
        """Append the stage's last events and the end of the run, as one."""
        with self._lock:
            if self._ending is not None:
                raise self._ended()
            self._ending = ending
        self._recorder.record(self.key, *events, RunEndedEvent(ending=ending))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._ending is None:
            self.end(ending_of(error))

    def abandon(self) -> None:
        """End the run as given up, if it is still open: the book is closing."""
        if self._ending is None:
            self.end(Ending.killed(EndReason.ABANDONED))

    def _append(self, *events: Event) -> None:
        if self._ending is not None:
            raise self._ended()
        self._recorder.record(self.key, *events)

    def _ended(self) -> RunEnded:
        return RunEnded(
            f"run {self.name!r} has ended {self._ending.status if self._ending else ''}",
            cure="log before the run ends, or open a new run",
            run=str(self.key),
        )
