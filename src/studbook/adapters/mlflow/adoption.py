"""Taking over a run that stands open in the backend already, instead of creating one."""

from __future__ import annotations

from collections.abc import Callable

from ...domain.errors import RunNotFound, TrackingRefused
from ...domain.run import RunStatus
from ...domain.stored_run import Lifecycle, StoredRun
from ...ports.run_query import ANY_STATUS, RunQuery
from ...ports.tracking_store import NewRun
from .entities import tag_entities
from .errors import translated
from .mlflow_store import MlflowStore
from .run_reading import RunReader


class RunAdoption:
    """Not thread-safe: one at a time. A run is taken over by its key's tag, so that doing it again does nothing."""

    def __init__(self, store: Callable[[], MlflowStore], reader: RunReader, run_key_tag: str) -> None:
        self._store = store
        self._reader = reader
        self._run_key_tag = run_key_tag

    def adopt(self, new: NewRun) -> str | None:
        """The id of the run that is to be adopted and is ours now; None when there is none to take."""
        run = None if new.adopt is None else self._named(new.adopt)
        if run is None or run.lifecycle is Lifecycle.DELETED:
            return None
        name, text = new.identity(self._run_key_tag)
        key = run.tags.get(name)
        if key == text:
            return run.run_id
        open_to_us = run.status is RunStatus.RUNNING or new.adopt_ended
        if key or not open_to_us or self._is_elsewhere(new):
            return None
        tags = {**new.tags, name: text}
        with translated(run_id=run.run_id):
            self._store().log_batch(run.run_id, [], [], tag_entities(tags))
        return run.run_id

    def _named(self, run_id: str) -> StoredRun | None:
        try:
            return self._reader.run(run_id)
        except (RunNotFound, TrackingRefused):
            # No such run, or not even an id of this backend: it was meant for another one.
            return None

    def _is_elsewhere(self, new: NewRun) -> bool:
        name, text = new.identity(self._run_key_tag)
        query = RunQuery(
            (new.experiment,),
            ANY_STATUS,
            tags={name: text},
            lifecycles=frozenset(Lifecycle),
            limit=1,
        )
        return next(iter(self._reader.find(query)), None) is not None
