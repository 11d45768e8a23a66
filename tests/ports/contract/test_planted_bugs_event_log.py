"""The suite for event logs finds planted bugs: each log here breaks one promise."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import pytest

from studbook.adapters.memory.clock import ManualClock
from studbook.adapters.memory.event_log import MemoryEventLog, MemoryJournal, MemoryNewcomers
from studbook.adapters.memory.ids import CountingIds
from studbook.domain.errors import JournalError
from studbook.domain.events import Envelope
from studbook.domain.keys import RunKey
from studbook.domain.run_events import MetricsLogged
from studbook.ports.contract.event_log import EventLogContract
from studbook.ports.event_log import Cursor, EventLog, Happening

OpenLog = Callable[[], EventLog]


class _Suite(EventLogContract):
    """The suite, run by hand."""

    __test__ = False


class _SeveralAppends(MemoryEventLog):
    """Appends one by one: a group that fails leaves its beginning."""

    def append(self, *happenings: Happening) -> tuple[Envelope, ...]:
        return tuple(super(_SeveralAppends, self).append(one)[0] for one in happenings)


class _ReadsTwice(MemoryEventLog):
    """Takes the cursor for the next event, not for the last one."""

    def read(self, after: Cursor | None = None) -> Iterator[Envelope]:
        return super().read({writer: last - 1 for writer, last in (after or {}).items() if last})


class _CursorOfNobody(MemoryEventLog):
    """Applies one writer's place to every writer."""

    def read(self, after: Cursor | None = None) -> Iterator[Envelope]:
        furthest = max((after or {}).values(), default=0)
        return super().read(dict.fromkeys(self.journal.events, furthest))


class _Follows(MemoryEventLog):
    """Reads on into what is appended while it reads."""

    def read(self, after: Cursor | None = None) -> Iterator[Envelope]:
        yield from super().read(after)


class _CountsAttempts(MemoryEventLog):
    """A failed append uses up a sequence."""

    def __init__(self, journal: MemoryJournal, ids: CountingIds) -> None:
        super().__init__(ManualClock(), ids, journal=journal)
        self.failures = 0

    def append(self, *happenings: Happening) -> tuple[Envelope, ...]:
        try:
            return super().append(*happenings)
        except JournalError:
            self.failures += 1
            raise

    def read(self, after: Cursor | None = None) -> Iterator[Envelope]:
        return (e._replace(sequence=e.sequence + self.failures) for e in super().read(after))


class _ForgetsOthers(MemoryEventLog):
    """Reads its own events only."""

    def read(self, after: Cursor | None = None) -> Iterator[Envelope]:
        return (e for e in super().read(after) if e.writer == self.writer)


class _NewestFirst(MemoryEventLog):
    """Gives the writers in the wrong order."""

    def read(self, after: Cursor | None = None) -> Iterator[Envelope]:
        by_writer = itertools.groupby(super().read(after), key=lambda e: e.writer)
        groups = [list(group) for _, group in by_writer]
        return iter([e for group in reversed(groups) for e in group])


class _Rounds(MemoryEventLog):
    """Keeps times in microseconds."""

    def append(self, *happenings: Happening) -> tuple[Envelope, ...]:
        return super().append(
            *(replace(one, occurred_at_ns=one.occurred_at_ns // 1000 * 1000) for one in happenings)
        )


class _DropsNan(MemoryEventLog):
    """Leaves out what plain JSON cannot say."""

    def append(self, *happenings: Happening) -> tuple[Envelope, ...]:
        return super().append(*(_finite(one) for one in happenings))


class _MetricsWithoutNan(MemoryEventLog):
    """Writes NaN as nothing, on the quick way only."""

    def append_metrics(
        self, run_key: RunKey, metrics: Mapping[str, float], step: int, occurred_at_ns: int
    ) -> None:
        finite = {name: value for name, value in metrics.items() if value == value}
        super().append_metrics(run_key, finite, step, occurred_at_ns)


class _FollowsAll(MemoryEventLog):
    """Takes those for newcomers that were there before."""

    def newcomers(self) -> MemoryNewcomers:
        newcomers = super().newcomers()
        newcomers._known = frozenset()
        return newcomers


class _TakesAppendsClosed(MemoryEventLog):
    """Goes on after its end."""

    def close(self) -> None:
        pass


class _KeepsTheCallersEvent(MemoryEventLog):
    """Gives the caller's own event back to readers."""

    kept: dict[tuple[str, int], Envelope]

    def append(self, *happenings: Happening) -> tuple[Envelope, ...]:
        envelopes = super().append(*happenings)
        if not hasattr(self, "kept"):
            self.kept = {}
        self.kept |= {(e.writer, e.sequence): e for e in envelopes}
        return envelopes

    def read(self, after: Cursor | None = None) -> Iterator[Envelope]:
        return (self.kept.get((e.writer, e.sequence), e) for e in super().read(after))


class _SharesAWriter(MemoryEventLog):
    """All logs append as one writer."""

    @property
    def writer(self) -> str:
        return "the-only-one"


def _finite(one: Happening) -> Happening:
    if not isinstance(one.event, MetricsLogged):
        return one
    metrics = {name: value for name, value in one.event.metrics.items() if abs(value) < math.inf}
    return replace(one, event=one.event.model_copy(update={"metrics": metrics}))


def memory(kind: type[MemoryEventLog]) -> OpenLog:
    clock, ids, journal = ManualClock(), CountingIds(), MemoryJournal()
    if kind is _CountsAttempts:
        return lambda: _CountsAttempts(journal, ids)
    return lambda: kind(clock, ids, journal=journal)


def keeps(kind: type[MemoryEventLog], promise: str) -> bool:
    """Whether this log passes one test of the suite."""
    try:
        getattr(_Suite(), promise)(memory(kind))
    except (Exception, pytest.fail.Exception):  # noqa: BLE001  whatever shows the bug
        return False
    return True


@pytest.mark.parametrize(
    ("kind", "promise"),
    [
        (_SeveralAppends, "test_an_append_is_all_or_none"),
        (_ReadsTwice, "test_a_cursor_leaves_out_what_was_read"),
        (_CursorOfNobody, "test_a_cursor_leaves_out_what_was_read"),
        (_Follows, "test_a_read_ends_at_what_was_there_when_it_was_asked"),
        (_CountsAttempts, "test_an_append_is_all_or_none"),
        (_ForgetsOthers, "test_reopening_sees_everything_and_goes_on_as_another_writer"),
        (_NewestFirst, "test_two_writers_have_ids_and_sequences_of_their_own"),
        (_Rounds, "test_an_envelope_says_what_happened_to_whom_when"),
        (_DropsNan, "test_values_at_the_edge_come_back_as_they_were"),
        (_MetricsWithoutNan, "test_metrics_come_back_as_those_of_an_event"),
        (_TakesAppendsClosed, "test_a_closed_log_refuses_appends_and_closes_again"),
        (_KeepsTheCallersEvent, "test_what_was_appended_is_not_changed_from_outside"),
        (_FollowsAll, "test_newcomers_are_those_that_begin_later"),
        (_SharesAWriter, "test_two_writers_have_ids_and_sequences_of_their_own"),
    ],
)
def test_a_planted_bug_is_found(kind: type[MemoryEventLog], promise: str) -> None:
    assert keeps(MemoryEventLog, promise)
    assert not keeps(kind, promise)
