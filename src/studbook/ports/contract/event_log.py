"""What every EventLog must do.

Subclass `EventLogContract`, override the fixture `open_log`, and let pytest collect it.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ConfigDict, TypeAdapter

from ...domain.errors import EventRefused
from ...domain.events import Envelope, Event
from ...domain.keys import RunKey
from ...domain.run_events import MetricsLogged, ParamsLogged, RunHeartbeat, TagsSet
from ..event_log import EventLog, Happening
from .event_strategies import EVENT_TYPES, events_of, happenings

RUN = RunKey("rk3:" + "ab" * 32)

_envelope: TypeAdapter[Envelope] = TypeAdapter(Envelope, config=ConfigDict(ser_json_inf_nan="strings"))


def metric(step: int, value: float = 0.5) -> Happening:
    """A metric at a step, as something to append."""
    return happening(MetricsLogged(metrics={"loss": value}, step=step))


def happening(event: Event, run_key: RunKey | None = RUN) -> Happening:
    """The event, at a fixed time."""
    return Happening(event, run_key, 1_700_000_000_000_000_001)


class EventLogContract:
    """The promises of the port. Logs opened by one `open_log` fixture share one place and read each other."""

    @pytest.fixture
    def open_log(self) -> Callable[[], EventLog]:
        """Opens one more log, with a writer of its own, over what earlier ones of this test wrote."""
        raise NotImplementedError

    def test_a_new_log_holds_nothing(self, open_log: Callable[[], EventLog]) -> None:
        assert list(open_log().read()) == []

    def test_events_come_back_in_the_order_of_appending(self, open_log: Callable[[], EventLog]) -> None:
        log = open_log()
        returned = [log.append(metric(step))[0] for step in range(20)]
        assert list(log.read()) == returned
        assert [step_of(envelope) for envelope in returned] == list(range(20))

    def test_an_envelope_says_what_happened_to_whom_when(self, open_log: Callable[[], EventLog]) -> None:
        log = open_log()
        event = TagsSet(tags={"team": "red"})
        (returned,) = log.append(Happening(event, RUN, 123_456_789_012_345_678))
        assert returned.event == event
        assert returned.run_key == RUN
        assert returned.occurred_at_ns == 123_456_789_012_345_678
        assert returned.writer == log.writer
        (free,) = log.append(Happening(RunHeartbeat(), None, 0))
        assert free.run_key is None
        assert list(log.read()) == [returned, free]

    def test_sequences_start_at_one_and_have_no_gaps(self, open_log: Callable[[], EventLog]) -> None:
        log = open_log()
        log.append(metric(0))
        log.append(metric(1), metric(2), metric(3))
        log.append()
        log.append(metric(4))
        assert [envelope.sequence for envelope in log.read()] == [1, 2, 3, 4, 5]

    def test_newcomers_are_those_that_begin_later(self, open_log: Callable[[], EventLog]) -> None:
        log, early, late, later = (open_log() for _ in range(4))
        early.append(metric(0))
        newcomers = log.newcomers()
        assert newcomers.read() == ()
        early.append(metric(1))
        first = late.append(metric(2), metric(3))
        assert newcomers.read() == first
        appended = [*late.append(metric(4)), *later.append(metric(5))]
        assert sorted(newcomers.read(), key=step_of) == appended
        assert newcomers.read() == ()

    def test_a_log_says_how_far_it_has_written(self, open_log: Callable[[], EventLog]) -> None:
        log, other = open_log(), open_log()
        assert log.written() is None
        last = log.append(metric(0), metric(1), metric(2))[-1]
        other.append(metric(9))
        assert log.written() == (last.writer, last.sequence) == (log.writer, 3)

    def test_appending_nothing_is_nothing(self, open_log: Callable[[], EventLog]) -> None:
        log = open_log()
        assert log.append() == ()
        assert list(log.read()) == []

    def test_a_cursor_leaves_out_what_was_read(self, open_log: Callable[[], EventLog]) -> None:
        log, other = open_log(), open_log()
        for step in range(6):
            log.append(metric(step))
            other.append(metric(step), metric(step))
        for place in range(7):
            rest = list(log.read({log.writer: place}))
            assert sequences(rest, log.writer) == list(range(place + 1, 7))
            assert sequences(rest, other.writer) == list(range(1, 13))
        assert sequences(log.read({log.writer: 6, other.writer: 11}), other.writer) == [12]
        assert list(log.read({log.writer: 6, other.writer: 12})) == []

    def test_following_by_cursor_sees_every_event_once(self, open_log: Callable[[], EventLog]) -> None:
        log, reader = open_log(), open_log()
        cursor: dict[str, int] = {}
        seen: list[int] = []
        for step in range(30):
            log.append(*(metric(3 * step + i) for i in range(3)))
            if step % 4 == 0:
                for envelope in reader.read(dict(cursor)):
                    seen.append(step_of(envelope))
                    cursor[envelope.writer] = envelope.sequence
        seen += [step_of(envelope) for envelope in reader.read(cursor)]
        assert seen == list(range(90))

    def test_a_cursor_of_unknown_writers_changes_nothing(self, open_log: Callable[[], EventLog]) -> None:
        log = open_log()
        log.append(metric(0))
        assert len(list(log.read({"nobody": 7}))) == 1

    def test_a_read_ends_at_what_was_there_when_it_was_asked(self, open_log: Callable[[], EventLog]) -> None:
        log = open_log()
        log.append(metric(0))
        reading = log.read()
        log.append(metric(1))
        open_log().append(metric(2))
        assert [step_of(envelope) for envelope in reading] == [0]

    def test_two_writers_have_ids_and_sequences_of_their_own(self, open_log: Callable[[], EventLog]) -> None:
        first, second = open_log(), open_log()
        for step in range(4):
            first.append(metric(step))
            second.append(metric(100 + step))
        assert first.writer != second.writer
        for log in (first, second):
            read = list(log.read())
            assert [envelope.writer for envelope in read] == sorted([first.writer, second.writer] * 4)
            assert sequences(read, first.writer) == sequences(read, second.writer) == [1, 2, 3, 4]

    def test_reopening_sees_everything_and_goes_on_as_another_writer(
        self, open_log: Callable[[], EventLog]
    ) -> None:
        log = open_log()
        log.append(metric(0), metric(1))
        log.sync()
        log.close()
        again = open_log()
        again.append(metric(2))
        assert again.writer != log.writer
        assert sorted(step_of(envelope) for envelope in again.read()) == [0, 1, 2]

    def test_a_closed_log_refuses_appends_and_closes_again(self, open_log: Callable[[], EventLog]) -> None:
        log = open_log()
        log.append(metric(0))
        log.close()
        log.close()
        log.sync()
        with pytest.raises(EventRefused):
            log.append(metric(1))
        with pytest.raises(EventRefused):
            log.append_metrics(RUN, {"loss": 1.0}, 1, 1)
        assert len(list(open_log().read())) == 1

    def test_an_append_is_all_or_none(self, open_log: Callable[[], EventLog]) -> None:
        log = open_log()
        log.append(metric(0))
        for bad in (
            TagsSet(tags={"team": "\ud800"}),
            ParamsLogged(params={"\udfff": 1}),
            ParamsLogged(params={"deep": {"\ud900": [1]}}),
        ):
            with pytest.raises(EventRefused):
                log.append(metric(1), happening(bad), metric(2))
        log.append(metric(3))
        read = list(log.read())
        assert [step_of(envelope) for envelope in read] == [0, 3]
        assert [envelope.sequence for envelope in read] == [1, 2]

    def test_what_was_appended_is_not_changed_from_outside(self, open_log: Callable[[], EventLog]) -> None:
        log = open_log()
        event = ParamsLogged(params={"layers": [1, 2]})
        (returned,) = log.append(happening(event))
        before = _envelope.dump_json(returned)
        event.params["layers"] = "altered"
        for envelope in log.read():
            assert isinstance(envelope.event, ParamsLogged)
            assert _envelope.dump_json(envelope) == before
            envelope.event.params.clear()
        assert [_envelope.dump_json(envelope) for envelope in log.read()] == [before]

    def test_threads_append_whole_groups_without_gaps(self, open_log: Callable[[], EventLog]) -> None:
        log = open_log()
        workers, rounds = 6, 15
        together = threading.Barrier(workers)

        def work(worker: int) -> list[tuple[Envelope, ...]]:
            together.wait(30)
            return [log.append(*(metric(1000 * worker + n) for _ in range(3))) for n in range(rounds)]

        with ThreadPoolExecutor(workers) as pool:
            groups = [group for groups in pool.map(work, range(workers)) for group in groups]
        read = list(log.read())
        assert [envelope.sequence for envelope in read] == list(range(1, 3 * workers * rounds + 1))
        for group in groups:
            first = group[0].sequence
            assert tuple(read[first - 1 : first + 2]) == group
            assert len({step_of(envelope) for envelope in group}) == 1

    def test_a_reader_beside_a_writer_sees_whole_groups_in_order(
        self, open_log: Callable[[], EventLog]
    ) -> None:
        log, reader = open_log(), open_log()
        done = threading.Event()

        def write() -> None:
            for step in range(60):
                log.append(*(metric(step) for _ in range(4)))
            done.set()

        writing = threading.Thread(target=write)
        writing.start()
        try:
            finished = False
            while not finished:
                finished = done.is_set()
                read = [envelope.sequence for envelope in reader.read()]
                assert read == list(range(1, len(read) + 1))
                assert len(read) % 4 == 0
            assert len(read) == 240
        finally:
            writing.join()

    @pytest.mark.parametrize("kind", EVENT_TYPES, ids=lambda kind: kind.__name__)
    def test_every_event_type_comes_back_as_it_was(
        self, open_log: Callable[[], EventLog], kind: type[Event]
    ) -> None:
        log = open_log()
        count = 0

        @given(events_of(kind))
        def comes_back(event: Event) -> None:
            nonlocal count
            (returned,) = log.append(happening(event))
            (read,) = log.read({log.writer: count})
            count += 1
            assert repr(read) == repr(returned)
            assert type(read.event) is kind

        comes_back()

    def test_any_mix_of_events_comes_back_as_it_was(self, open_log: Callable[[], EventLog]) -> None:
        log = open_log()
        count = 0

        @given(st.lists(happenings(), min_size=1, max_size=5))
        def comes_back(some: list[Happening]) -> None:
            nonlocal count
            returned = log.append(*some)
            read = list(log.read({log.writer: count}))
            count += len(some)
            assert repr(read) == repr(list(returned))
            assert [Happening(e.event, e.run_key, e.occurred_at_ns) for e in returned] == some

        comes_back()

    def test_metrics_come_back_as_those_of_an_event(self, open_log: Callable[[], EventLog]) -> None:
        log = open_log()
        count = 0

        @given(
            st.dictionaries(st.text(max_size=12), st.floats(), max_size=3),
            st.integers(-(2**70), 2**70),
            st.integers(0, 2**62),
        )
        @example({"nan": math.nan, "up": math.inf, "down": -math.inf, "zero": -0.0, "tiny": 5e-324}, 2**64, 0)
        @example({"null": 1e308, "é\u2028\x00": 0.1, "": 1.0}, -(2**63), 1)
        @example({}, 0, 2)
        def comes_back(metrics: dict[str, float], step: int, at: int) -> None:
            nonlocal count
            log.append_metrics(RUN, metrics, step, at)
            log.append(Happening(MetricsLogged(metrics=metrics, step=step), RUN, at))
            read, other = log.read({log.writer: count})
            count += 2
            assert repr(read) == repr(other._replace(sequence=read.sequence))

        comes_back()

    def test_metrics_without_a_text_are_refused_and_leave_nothing(
        self, open_log: Callable[[], EventLog]
    ) -> None:
        log = open_log()
        with pytest.raises(EventRefused):
            log.append_metrics(RUN, {"good": 1.0, "\ud800": 1.0}, 0, 1)
        log.append_metrics(RUN, {"good": 1.0}, 0, 1)
        assert [envelope.sequence for envelope in log.read()] == [1]

    def test_metrics_that_are_altered_later_stay_what_they_were(
        self, open_log: Callable[[], EventLog]
    ) -> None:
        log = open_log()
        for value in (1.0, math.nan):
            metrics = {"loss": value}
            log.append_metrics(RUN, metrics, 0, 1)
            metrics["loss"] = 2.0
        assert [str(e.event.metrics["loss"]) for e in log.read() if isinstance(e.event, MetricsLogged)] == [
            "1.0",
            "nan",
        ]

    def test_threads_append_metrics_between_groups_without_gaps(
        self, open_log: Callable[[], EventLog]
    ) -> None:
        log = open_log()
        workers, rounds = 6, 40
        together = threading.Barrier(workers)

        def work(worker: int) -> None:
            together.wait(30)
            for n in range(rounds):
                if worker % 2:
                    log.append(*(metric(1000 * worker + n) for _ in range(2)))
                else:
                    log.append_metrics(RUN, {"loss": 1.0}, 1000 * worker + n, 1)

        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(work, range(workers)))
        read = list(log.read())
        assert [envelope.sequence for envelope in read] == list(range(1, 3 * rounds * workers // 2 + 1))
        steps = [step_of(envelope) for envelope in read]
        for worker in range(workers):
            mine = [step % 1000 for step in steps if step // 1000 == worker]
            assert mine == [n for n in range(rounds) for _ in range(1 + worker % 2)]

    def test_values_at_the_edge_come_back_as_they_were(self, open_log: Callable[[], EventLog]) -> None:
        log = open_log()
        metrics = {"nan": math.nan, "up": math.inf, "down": -math.inf, "zero": -0.0, "tiny": 5e-324}
        params: dict[str, object] = {
            "big": 2**100,
            "one": 1.0,
            "text": "é\u2028\x00\N{REPLACEMENT CHARACTER}",
        }
        events: list[Event] = [
            MetricsLogged(metrics=metrics, step=2**70),
            MetricsLogged(metrics={"": 1e308, "\N{REPLACEMENT CHARACTER}": 1.0}, step=-1),
            ParamsLogged.model_validate({"params": params}),
            TagsSet(tags={"new\nline": "x" * 100_000}),
        ]
        returned = [log.append(happening(event))[0] for event in events]
        read = list(log.read())
        assert [repr(envelope) for envelope in read] == [repr(envelope) for envelope in returned]
        assert [repr(envelope.event) for envelope in read] == [repr(event) for event in events]


def step_of(envelope: Envelope) -> int:
    """The step of an envelope that `metric` made."""
    assert isinstance(envelope.event, MetricsLogged)
    return envelope.event.step


def sequences(envelopes: Iterable[Envelope], writer: str) -> list[int]:
    """The sequences of one writer's events, in the order given."""
    return [envelope.sequence for envelope in envelopes if envelope.writer == writer]
