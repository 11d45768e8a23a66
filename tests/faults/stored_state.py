"""All that a backend holds, by run key: equal for equal deliveries, whatever the backend's ids are."""

from __future__ import annotations

import math
from dataclasses import dataclass

from studbook.domain.run import RunStatus
from studbook.domain.stored_run import Lifecycle, StoredRun
from studbook.domain.vocabulary import DEFAULT_VOCABULARY
from studbook.ports.artifact_store import ArtifactStore
from studbook.ports.run_query import ANY_STATUS, RunQuery
from studbook.ports.tracking_store import TrackingStore

RUN_KEY_TAG = DEFAULT_VOCABULARY.key("run.key")
END_REASON_TAG = DEFAULT_VOCABULARY.key("run.end_reason")
ERROR_TAG = DEFAULT_VOCABULARY.key("run.error")
_MLFLOW = "mlflow."


@dataclass(frozen=True)
class RunState:
    """A stored run. Points are (step, time in ms, value), NaN as text; tags without MLflow's own."""

    name: str
    experiment: str
    status: RunStatus
    started_at_ms: int
    ended_at_ms: int | None
    parent: str | None
    tags: dict[str, str]
    params: dict[str, str]
    metrics: dict[str, list[tuple[int, int, float | str]]]
    files: dict[str, bytes]

    @property
    def end_reason(self) -> str | None:
        """Why it ended."""
        return self.tags.get(END_REASON_TAG)


State = dict[str, RunState]


def state_of(store: TrackingStore, artifacts: ArtifactStore, experiment: str | None = None) -> State:
    """Everything, or an experiment, read back. Two runs of one key, or a deleted one, fail: each is stored once."""
    experiments = store.experiments() if experiment is None else (experiment,)
    query = RunQuery(experiments, ANY_STATUS, lifecycles=frozenset(Lifecycle))
    runs = list(store.find(query))
    assert {run.lifecycle for run in runs} <= {Lifecycle.ACTIVE}
    keys = {run.run_id: run.tags[RUN_KEY_TAG] for run in runs}
    assert len(set(keys.values())) == len(runs)
    return {keys[run.run_id]: _state(run, keys, store, artifacts) for run in runs}


def _state(run: StoredRun, keys: dict[str, str], store: TrackingStore, artifacts: ArtifactStore) -> RunState:
    return RunState(
        name=run.name,
        experiment=run.experiment,
        status=run.status,
        started_at_ms=run.started_at_ms,
        ended_at_ms=run.ended_at_ms,
        parent=None if run.parent_id is None else keys[run.parent_id],
        tags={key: text for key, text in run.tags.items() if not key.startswith(_MLFLOW)},
        params=run.params,
        metrics={
            name: [
                (point.step, point.timestamp_ms, "NaN" if math.isnan(point.value) else point.value)
                for point in store.metric_history(run.run_id, name)
            ]
            for name in run.metrics
        },
        files={file.path: artifacts.read(run.run_id, file.path) for file in artifacts.list_files(run.run_id)},
    )
