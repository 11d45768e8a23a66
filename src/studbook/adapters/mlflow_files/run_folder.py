"""One run of a file store: a folder with `meta.yaml`, and one file for each param, tag and metric."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from ...domain.errors import MalformedRun, TrackingUnavailable
from ...domain.run import RunStatus
from ...domain.store_writes import MetricPoint
from ...domain.stored_run import Lifecycle, StoredRun
from ...ports.metric_points import canonical_value, history_order, identity, latest

META = "meta.yaml"
_NAME_TAG, _PARENT_TAG = "mlflow.runName", "mlflow.parentRunId"
_STATUSES = {1: "RUNNING", 2: "RUNNING", 3: "FINISHED", 4: "FAILED", 5: "KILLED"}
"""The numbers of `meta.yaml`; SCHEDULED reads as RUNNING."""
_FIELDS = (2, 3, 5)
"""Of a metric's line: time and value; with the step; with a data set's name and digest."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A run's folder; `meta` is what its `meta.yaml` says."""

    path: Path
    experiment: str
    meta: Mapping[str, object]

    @property
    def run_id(self) -> str:
        """The run's id: the folder's name."""
        return self.path.name

    @property
    def started_at_ms(self) -> int:
        """When it began, UTC milliseconds."""
        return _number(self.path, self.meta.get("start_time")) or 0

    @property
    def artifact_uri(self) -> str | None:
        """Where the run said that its files lie."""
        uri = self.meta.get("artifact_uri")
        return None if uri is None else str(uri)

    def stored(self) -> StoredRun:
        """The whole run. Raises MalformedRun, which names the file."""
        tags = _texts(self.path / "tags")
        return StoredRun(
            run_id=self.run_id,
            experiment=self.experiment,
            name=str(self.meta.get("run_name") or self.meta.get("name") or tags.get(_NAME_TAG, "")),
            status=self._status(),
            lifecycle=self._lifecycle(),
            started_at_ms=self.started_at_ms,
            ended_at_ms=_number(self.path, self.meta.get("end_time")),
            parent_id=tags.get(_PARENT_TAG),
            tags=tags,
            params=_texts(self.path / "params"),
            metrics={
                name: latest(points).value
                for name in _names(self.path / "metrics")
                if (points := self.history(name))
            },
        )

    def history(self, name: str) -> tuple[MetricPoint, ...]:
        """All points of one metric, in the port's order; none when there is no such file."""
        if name not in _names(self.path / "metrics"):
            return ()
        file = self.path / "metrics" / name
        points = {identity(point): point for point in _points(file, name)}
        return tuple(sorted(points.values(), key=history_order))

    def _status(self) -> RunStatus:
        said = self.meta.get("status", 1)
        try:
            return RunStatus(_STATUSES.get(said, "") if isinstance(said, int) else str(said))
        except ValueError as error:
            raise malformed(self.path / META, f"the status {said!r} is none") from error

    def _lifecycle(self) -> Lifecycle:
        said = str(self.meta.get("lifecycle_stage", Lifecycle.ACTIVE))
        try:
            return Lifecycle(said)
        except ValueError as error:
            raise malformed(self.path / META, f"the lifecycle stage {said!r} is none") from error


def read_meta(folder: Path) -> Mapping[str, object]:
    """What a folder's `meta.yaml` says. Raises MalformedRun when it is no mapping, or not there."""
    path = folder / META
    try:
        with readable(path):
            said = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise malformed(path, "no YAML") from error
    if not isinstance(said, dict):
        raise malformed(path, "no mapping")
    return said


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Tell of a file that cannot be read."""
    try:
        yield
    except FileNotFoundError as error:
        raise malformed(path, "not there") from error
    except OSError as error:
        raise TrackingUnavailable(
            f"{path} cannot be read: {error.strerror}", cure="mend the folder's permissions or its disk"
        ) from error


def malformed(path: Path, what: str) -> MalformedRun:
    """A file that does not say what its place demands."""
    return MalformedRun(
        f"{path}: {what}", cure="mend the file, or move its run's folder away", path=str(path)
    )


def _names(folder: Path) -> list[str]:
    """The files below, by path: a name may have slashes."""
    with readable(folder):
        return sorted(
            Path(place, name).relative_to(folder).as_posix()
            for place, _, names in os.walk(folder, onerror=_raise)
            for name in names
        )


def _raise(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _texts(folder: Path) -> dict[str, str]:
    return {name: _text(folder / name) for name in _names(folder)}


def _text(path: Path) -> str:
    """The content as it is: reading as text would change line ends."""
    try:
        with readable(path):
            return path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise malformed(path, "not UTF-8") from error


def _points(path: Path, name: str) -> Iterator[MetricPoint]:
    for line in _text(path).splitlines():
        fields = line.split(" ")
        try:
            if len(fields) not in _FIELDS:
                raise ValueError(f"{len(fields)} fields")
            step = int(fields[2]) if len(fields) > _FIELDS[0] else 0
            yield MetricPoint(name, canonical_value(float(fields[1])), int(fields[0]), step)
        except ValueError as error:
            raise malformed(path, f"the line {line!r:.80} is no time, value and step") from error


def _number(folder: Path, said: object) -> int | None:
    if said is None or isinstance(said, int):
        return said
    try:
        return int(float(str(said)))
    except ValueError as error:
        raise malformed(folder / META, f"{said!r:.40} is no time") from error
