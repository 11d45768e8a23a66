"""A delivery ledger in memory."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from ...domain.keys import RunKey
from ...ports.delivery_ledger import NO_CHANGES, Refusal, RunChanges, StartedRun
from ...ports.event_log import Cursor


class MemoryDeliveryLedger:
    """A DeliveryLedger that ends with its process; holders share the object."""

    def __init__(self) -> None:
        self._lease = threading.Lock()
        self._problem: str | None = None
        self._lock = threading.Lock()
        self._cursor: dict[str, int] = {}
        self._runs: dict[RunKey, str] = {}
        self._open: dict[tuple[RunKey, str], StartedRun] = {}
        self._refusals: dict[tuple[str, int], Refusal] = {}
        self._dismissed: dict[tuple[str, int], Refusal] = {}

    @contextlib.contextmanager
    def lease(self, timeout_s: float) -> Iterator[bool]:
        """Hold the right to deliver."""
        held = self._lease.acquire(timeout=max(timeout_s, 0.0))
        try:
            yield held
        finally:
            if held:
                self._lease.release()

    def cursor(self) -> Cursor:
        """Up to where each writer's events are delivered."""
        with self._lock:
            return dict(self._cursor)

    def advance(self, cursor: Cursor, runs: RunChanges = NO_CHANGES) -> None:
        """Move writers forward, and keep account of the runs."""
        with self._lock:
            for writer, sequence in cursor.items():
                self._cursor[writer] = max(sequence, self._cursor.get(writer, sequence))
            for run in runs.started:
                self._open.setdefault((run.run_key, run.writer), run)
            self._open = {
                key: replace(run, seen_ns=max(run.seen_ns, runs.seen.get(run.run_key, run.seen_ns)))
                for key, run in self._open.items()
                if run.run_key not in runs.ended
            }

    def open_runs(self) -> tuple[StartedRun, ...]:
        """The delivered runs without an end, by run key and writer."""
        with self._lock:
            return tuple(run for _, run in sorted(self._open.items(), key=lambda item: item[0]))

    def run_id(self, run_key: RunKey) -> str | None:
        """The backend's id of a delivered run."""
        with self._lock:
            return self._runs.get(run_key)

    def bind(self, run_key: RunKey, run_id: str) -> None:
        """Remember a run's backend id. Raises ValueError when another one is bound."""
        with self._lock:
            bound = self._runs.setdefault(run_key, run_id)
        if bound != run_id:
            raise ValueError(f"run {run_key} is bound to {bound}, not to {run_id}")

    def report(self, problem: str | None) -> None:
        """Remember what keeps the relay from delivering."""
        self._problem = problem

    def problem(self) -> str | None:
        """What kept the relay from delivering when it last tried."""
        return self._problem

    def refuse(self, refusal: Refusal) -> None:
        """Keep a refusal; the first one of an event stays."""
        event = (refusal.writer, refusal.sequence)
        with self._lock:
            if event not in self._dismissed:
                self._refusals.setdefault(event, refusal)

    def dismiss(self, refusals: Iterable[Refusal]) -> None:
        """Move the refusals to the dismissed ones."""
        with self._lock:
            for refusal in refusals:
                event = (refusal.writer, refusal.sequence)
                self._dismissed.setdefault(event, refusal)
                self._refusals.pop(event, None)

    def dismissed(self) -> tuple[Refusal, ...]:
        """All dismissed refusals, by writer and sequence."""
        with self._lock:
            return _in_order(self._dismissed)

    def forget_refusals(self, events: Iterable[tuple[str, int]]) -> None:
        """Drop the refusals of these events."""
        with self._lock:
            for event in events:
                self._refusals.pop(event, None)

    def refusals(self) -> tuple[Refusal, ...]:
        """All refusals, by writer and sequence."""
        with self._lock:
            return _in_order(self._refusals)


def _in_order(refusals: Mapping[tuple[str, int], Refusal]) -> tuple[Refusal, ...]:
    return tuple(refusals[event] for event in sorted(refusals))
