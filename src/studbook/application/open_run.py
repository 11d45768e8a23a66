"""Opens a run that the user logs to by hand."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from ..domain.errors import NameInvalid
from ..domain.keys import RunKey
from ..domain.naming import check_run_name
from ..domain.recorded_values import typed_params
from ..domain.run_events import TagsSet
from ..domain.run_identity import ad_hoc
from ..domain.stage import Stage
from ..ports.ids import Ids
from .recorder import Recorder
from .run_catalog import RunCatalog
from .run_handle import RunHandle
from .run_opening import RunOpening
from .store_artifact import ArtifactBuilder


class OpenRun:
    """The use case: always a new run, RUNNING until its handle ends it."""

    def __init__(
        self,
        recorder: Recorder,
        opening: RunOpening,
        artifacts: ArtifactBuilder,
        catalog: RunCatalog,
        ids: Ids,
    ) -> None:
        self._recorder = recorder
        self._opening = opening
        self._artifacts = artifacts
        self._catalog = catalog
        self._ids = ids
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
    ) -> RunHandle:
        """A handle to a new run. A child lies in its parent's experiment. Raises NameInvalid, ParamInvalid,
        ReservedTag, TagInvalid, UndeclaredTag: then no run was opened.
        """
        checked = check_run_name(name)
        typed = typed_params(params or {})
        stage = _stage(stage)
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
            backend_id=self._backend_id,
        )
        started = self._opening.named(identity, checked, experiment, parent.key if parent else None)
        handle.begin(started, *([TagsSet(tags=own_tags)] if own_tags else []), params=typed)
        if parent is not None:
            parent.adopt(handle)
        with self._lock:
            self._open = [*(each for each in self._open if each.ending is None), handle]
        return handle

    def abandon_open(self) -> None:
        """End what is still open as abandoned: the book is closing."""
        with self._lock:
            left, self._open = self._open, []
        for handle in reversed(left):
            handle.abandon()

    def _backend_id(self, key: RunKey, timeout: float | None) -> str:
        return self._catalog.run_id(key, timeout)


def _stage(stage: Stage | str) -> Stage:
    try:
        return Stage(stage)
    except ValueError:
        raise NameInvalid(
            f"{stage!r} is no stage", cure="use one of " + ", ".join(str(each) for each in Stage)
        ) from None
