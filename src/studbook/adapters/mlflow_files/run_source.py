"""A file store's runs, as a source that can be read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ...domain.errors import RunNotFound
from ...domain.store_writes import MetricPoint
from ...domain.stored_run import StoredRun
from ...ports.run_query import Order, RunQuery
from .run_folder import META, RunFolder, malformed, read_meta, readable

_NO_EXPERIMENTS = frozenset({".trash", "models"})
_NO_RUNS = frozenset({"tags", "datasets", "traces", "models"})
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


class MlflowFileSource:
    """See RunSource. `root` is the `mlruns` folder. Experiments in its `.trash` are not there.

    Nothing is kept in memory but the experiments' names and, while runs are given, their ids and start times.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._experiments: dict[str, Path] | None = None

    def experiments(self) -> tuple[str, ...]:
        """See TrackingStore."""
        return tuple(sorted(self._folders()))

    def find(self, query: RunQuery) -> Iterator[StoredRun]:
        """See TrackingStore. The state of the moment of reading each run."""
        folders = self._folders()
        sign = 1 if query.order is Order.STARTED_ASCENDING else -1
        order = sorted(
            (sign * run.started_at_ms, run.run_id, name)
            for name in query.experiments
            if name in folders
            for run in self._run_folders(name)
        )
        given = 0
        for _, run_id, name in order:
            if query.limit is not None and given >= query.limit:
                return
            run = self._run_folder(name, folders[name] / run_id).stored()
            if query.matches(run):
                yield query.select_fields(run)
                given += 1

    def get_run(self, run_id: str) -> StoredRun:
        """See TrackingStore."""
        return self.folder(run_id).stored()

    def metric_history(self, run_id: str, name: str) -> tuple[MetricPoint, ...]:
        """See TrackingStore."""
        return self.folder(run_id).history(name)

    def close(self) -> None:
        """Nothing to give back."""

    def folder(self, run_id: str) -> RunFolder:
        """The folder of a run, active or deleted. Raises RunNotFound."""
        if _RUN_ID.fullmatch(run_id):
            for name, experiment in self._folders().items():
                if (experiment / run_id / META).is_file():
                    return self._run_folder(name, experiment / run_id)
        raise RunNotFound(f"no run has the id {run_id!r}", cure="check the folder and the id", run_id=run_id)

    def _folders(self) -> dict[str, Path]:
        """The active experiments by name."""
        if self._experiments is None:
            with readable(self._root):
                folders = [each for each in self._root.iterdir() if each.name not in _NO_EXPERIMENTS]
            self._experiments = {
                str(read_meta(each).get("name", each.name)): each
                for each in sorted(folders)
                if (each / META).is_file()
            }
        return self._experiments

    def _run_folders(self, experiment: str) -> Iterator[RunFolder]:
        folder = self._folders()[experiment]
        with readable(folder):
            places = [each for each in folder.iterdir() if each.is_dir() and each.name not in _NO_RUNS]
        for place in places:
            yield self._run_folder(experiment, place)

    def _run_folder(self, experiment: str, place: Path) -> RunFolder:
        if not _RUN_ID.fullmatch(place.name):
            raise malformed(place, "no run's folder")
        return RunFolder(place, experiment, read_meta(place))
