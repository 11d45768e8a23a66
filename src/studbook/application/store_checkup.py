"""What the tracking and artifact stores say of themselves, and a probe run that shows whether they take writes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from ..domain.errors import IntegrityError, StudbookError, TrackingUnavailable
from ..domain.keys import RunKey
from ..domain.run import RunStatus
from ..domain.store_writes import MetricPoint, RecordBatch
from ..ports.artifact_store import ArtifactStore
from ..ports.checkup import USABLE, Check, Finding, ok
from ..ports.clock import Clock
from ..ports.ids import Ids
from ..ports.run_query import ANY_STATUS, RunQuery
from ..ports.tracking_store import NewRun, TrackingStore

EXPERIMENT = "studbook-doctor"
"""Where probe runs are made."""

_NAME = "probe"
"""Of the run, its param, metric and file."""
_PROBE_TIMEOUT_S = 120.0
_LOOK_EVERY_S = 1.0


class StoreCheckup:
    """`tracking` and `artifacts` give the stores. With `write`, a probe run is made, read back and put in the bin."""

    def __init__(
        self,
        tracking: Callable[[], TrackingStore],
        artifacts: Callable[[], ArtifactStore],
        clock: Clock,
        ids: Ids,
        *,
        run_key_tag: str,
        write: bool,
    ) -> None:
        self._tracking = tracking
        self._artifacts = artifacts
        self._clock = clock
        self._ids = ids
        self._run_key_tag = run_key_tag
        self._write = write

    def checks(self) -> tuple[Check, ...]:
        """The limits, and whether a run can be written."""
        return (
            Check("limits", self._limits, ("backend",)),
            Check("write", self._written, USABLE, _PROBE_TIMEOUT_S)
            if self._write
            else Check("write", _not_tried),
        )

    def _limits(self) -> Finding:
        found = self._tracking().capabilities
        rows = (
            f"{found.metrics_per_batch} metrics, {found.params_per_batch} params, {found.tags_per_batch} tags"
        )
        a_run = {"params": found.params_per_run, "tags": found.tags_per_run}
        limited = ", ".join(f"{limit} {what}" for what, limit in a_run.items() if limit is not None)
        return ok(
            f"{rows} a request; {limited + ' a run; ' if limited else ''}values to {found.param_value_length} "
            f"characters (params), {found.tag_value_length} (tags); longer ones are kept in files"
        )

    def _written(self) -> Finding:
        store = self._tracking()
        key = RunKey.of({"doctor": self._ids.nonce()})
        started_ns = self._clock.monotonic_ns()
        run_id = store.create_run(
            NewRun(key, EXPERIMENT, _NAME, self._now_ms(), {self._run_key_tag: str(key)})
        )
        try:
            seen_s = self._probe(store, run_id, key)
        except StudbookError:
            with suppress(StudbookError):  # the probe's own error is what must be told
                store.delete_run(run_id)
            raise
        store.delete_run(run_id)
        took_ms = (self._clock.monotonic_ns() - started_ns) // 1_000_000
        return ok(
            f"a probe run in experiment {EXPERIMENT} was created, written, found ({seen_s:.1f} s later), read "
            f"back with its file, ended and put in the bin, in {took_ms} ms"
        )

    def _probe(self, store: TrackingStore, run_id: str, key: RunKey) -> float:
        """Write to the run, and read that back; after how many seconds a search found it."""
        content = str(key).encode()
        point = MetricPoint(_NAME, 1.0, self._now_ms(), 0)
        store.record(run_id, RecordBatch(params={_NAME: "1"}, metrics=(point,)))
        seen_s = self._wait_until_found(store, key)
        artifacts = self._artifacts()
        artifacts.put_record(run_id, _NAME, content)
        if artifacts.read(run_id, _NAME) != content:
            raise IntegrityError(
                "the artifact store gave back other bytes than it was given",
                cure="check the artifact store's disk, and any proxy before it",
            )
        store.end_run(run_id, RunStatus.FINISHED, self._now_ms())
        run = store.get_run(run_id)
        if (run.params, run.metrics, run.status) != ({_NAME: "1"}, {_NAME: 1.0}, RunStatus.FINISHED):
            raise IntegrityError(
                "the tracking store gave back other values than it was given",
                cure="check what stands between here and the backend",
            )
        return seen_s

    def _wait_until_found(self, store: TrackingStore, key: RunKey) -> float:
        """Until a search finds the run; the backend may take its visibility delay for that."""
        begun = self._clock.monotonic_ns()
        query = RunQuery((EXPERIMENT,), ANY_STATUS, tags={self._run_key_tag: str(key)})
        while True:
            waited_s = (self._clock.monotonic_ns() - begun) / 1e9
            if any(store.find(query)):
                return waited_s
            if waited_s > store.capabilities.visibility_delay_s:
                raise TrackingUnavailable(
                    f"the probe run was created, and a search has not found it for {waited_s:.0f} s",
                    cure="repeat later: the backend's search lags",
                )
            self._clock.sleep(_LOOK_EVERY_S)

    def _now_ms(self) -> int:
        return self._clock.now_ns() // 1_000_000


def _not_tried() -> Finding:
    return ok("not tried; `studbook doctor --write` makes a probe run, and puts it in the bin")
