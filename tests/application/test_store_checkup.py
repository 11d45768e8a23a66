"""The probe run: what it shows of good stores and of stores that lie, and that it never stays."""

from __future__ import annotations

import pytest

from studbook.adapters.memory.artifact_store import MemoryArtifactStore
from studbook.adapters.memory.clock import ManualClock
from studbook.adapters.memory.ids import CountingIds
from studbook.adapters.memory.tracking_store import MemoryTrackingStore
from studbook.application.diagnosis import Diagnose, Row
from studbook.application.store_checkup import EXPERIMENT, StoreCheckup
from studbook.domain.errors import TrackingDenied
from studbook.domain.store_writes import RecordBatch
from studbook.domain.stored_run import Lifecycle, StoredRun
from studbook.ports.artifact_store import ArtifactStore
from studbook.ports.capabilities import Capabilities
from studbook.ports.checkup import Outcome
from studbook.ports.run_query import ANY_STATUS, RunQuery
from studbook.ports.tracking_store import TrackingStore

LATE = Capabilities(visibility_delay_s=60.0, params_per_run=200, tags_per_run=50)


class Store(MemoryTrackingStore):
    """Answers searches with nothing for the first `blind` times."""

    def __init__(self, capabilities: Capabilities = LATE) -> None:
        super().__init__(capabilities, run_key_tag="key")
        self.blind = 0

    def find(self, query: RunQuery):  # type: ignore[no-untyped-def]
        self.blind -= 1
        return super().find(query) if self.blind < 0 else iter(())

    def left(self) -> list[StoredRun]:
        self.blind = 0
        every = RunQuery((EXPERIMENT,), ANY_STATUS, lifecycles=frozenset(Lifecycle))
        return list(self.find(every))


class Forgetful(Store):
    def record(self, run_id: str, batch: RecordBatch) -> None:
        super().record(run_id, RecordBatch(params=batch.params))


class Refusing(Store):
    def record(self, run_id: str, batch: RecordBatch) -> None:
        raise TrackingDenied("read only", cure="ask for write access")


class Flipping(MemoryArtifactStore):
    def read(self, run_id: str, path: str) -> bytes:
        return super().read(run_id, path)[::-1]


def looked(store: TrackingStore, artifacts: ArtifactStore | None = None, *, write: bool = True) -> list[Row]:
    files = artifacts or MemoryArtifactStore()
    clock = ManualClock()
    checkup = StoreCheckup(lambda: store, lambda: files, clock, CountingIds(), run_key_tag="key", write=write)
    return list(Diagnose([("stores", lambda: checkup)])().rows)


def test_limits_are_told_and_nothing_is_written_unasked() -> None:
    store = Store()
    limits, write = looked(store, write=False)
    assert "1000 metrics" in limits.found
    assert "200 params, 50 tags a run" in limits.found
    assert (write.outcome, "--write" in write.found) == (Outcome.OK, True)
    assert store.left() == []


def test_a_probe_run_is_written_found_and_put_in_the_bin() -> None:
    store = Store()
    store.blind = 5
    _limits, write = looked(store)
    assert (write.outcome, write.cure) == (Outcome.OK, None)
    assert "found (5.0 s later)" in write.found
    (run,) = store.left()
    assert run.lifecycle is Lifecycle.DELETED


@pytest.mark.parametrize(
    ("store", "artifacts", "words"),
    [
        (Refusing(), None, "read only"),
        (Forgetful(), None, "other values"),
        (Store(), Flipping(), "other bytes"),
    ],
)
def test_what_goes_wrong_is_told_and_the_probe_does_not_stay(
    store: Store, artifacts: ArtifactStore | None, words: str
) -> None:
    _limits, write = looked(store, artifacts)
    assert write.outcome is Outcome.PROBLEM
    assert words in write.found
    assert [run.lifecycle for run in store.left()] == [Lifecycle.DELETED]


def test_a_search_that_lags_for_too_long_is_a_problem() -> None:
    store = Store()
    store.blind = 1000
    _limits, write = looked(store)
    assert (write.outcome, "61 s" in write.found) == (Outcome.PROBLEM, True)
