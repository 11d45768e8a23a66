"""A source whose experiments go by other names at the destination."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches

from ..domain.errors import ExperimentNotFound
from ..domain.store_writes import MetricPoint
from ..domain.stored_run import StoredRun
from ..ports.run_query import RunQuery
from ..ports.run_source import RunSource


class RenamedSource:
    """The RunSource, with new names by old ones; several experiments may become one.

    Raises ExperimentNotFound for an old name that the source does not have.
    """

    def __init__(self, source: RunSource, names: Mapping[str, str]) -> None:
        self._source = source
        self._names = names

    def experiments(self) -> tuple[str, ...]:
        """See TrackingStore."""
        there = self._source.experiments()
        if unknown := self._names.keys() - set(there):
            name = min(unknown)
            near = get_close_matches(name, there, n=1)
            raise ExperimentNotFound(
                f"the source has no experiment {name!r:.200} to rename",
                cure=f"did you mean {near[0]!r}?" if near else "check the name; --dry-run lists all",
                experiment=name,
            )
        return tuple(dict.fromkeys(map(self._new, there)))

    def find(self, query: RunQuery) -> Iterator[StoredRun]:
        """See TrackingStore."""
        old = tuple(dict.fromkeys(name for new in query.experiments for name in self._old(new)))
        return map(self._renamed, self._source.find(replace(query, experiments=old)))

    def get_run(self, run_id: str) -> StoredRun:
        """See TrackingStore."""
        return self._renamed(self._source.get_run(run_id))

    def metric_history(self, run_id: str, name: str) -> tuple[MetricPoint, ...]:
        """See TrackingStore."""
        return self._source.metric_history(run_id, name)

    def close(self) -> None:
        """See TrackingStore."""
        self._source.close()

    def _new(self, name: str) -> str:
        return self._names.get(name, name)

    def _old(self, name: str) -> list[str]:
        """What is called so at the destination; names that the source does not have hold no runs."""
        return [*(old for old, new in self._names.items() if new == name), *({name} - self._names.keys())]

    def _renamed(self, run: StoredRun) -> StoredRun:
        return replace(run, experiment=self._new(run.experiment))
