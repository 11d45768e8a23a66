"""What every DeliveryLedger must do.

Subclass `DeliveryLedgerContract`, override the fixture `open_ledger`, and let pytest collect it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from ...domain.keys import RunKey
from ...domain.stage import Stage
from ..delivery_ledger import DeliveryLedger, Refusal, RunChanges, StartedRun

RUN = RunKey("rk3:" + "1" * 64)
OTHER = RunKey("rk3:" + "2" * 64)
TRIAL = StartedRun(OTHER, "a", "p", Stage.TRIAL, RUN, 100)
SWEEP = StartedRun(RUN, "b", "p", Stage.SWEEP, None, 50)


class _Probe(Exception):
    """What fails while a lease is held."""


class DeliveryLedgerContract:
    """The promises of the port. Ledgers opened by one `open_ledger` fixture are of one target."""

    @pytest.fixture
    def open_ledger(self) -> Callable[[], DeliveryLedger]:
        """Opens the target's ledger, over what was written to it in this test."""
        raise NotImplementedError

    def test_a_new_ledger_remembers_nothing(self, open_ledger: Callable[[], DeliveryLedger]) -> None:
        ledger = open_ledger()
        assert dict(ledger.cursor()) == {}
        assert ledger.run_id(RUN) is None
        assert ledger.refusals() == ()
        assert ledger.open_runs() == ()

    def test_the_cursor_moves_forward_per_writer(self, open_ledger: Callable[[], DeliveryLedger]) -> None:
        ledger = open_ledger()
        ledger.advance({"a": 3, "b": 1})
        ledger.advance({"b": 7})
        ledger.advance({})
        assert dict(ledger.cursor()) == {"a": 3, "b": 7}

    def test_the_cursor_never_moves_back(self, open_ledger: Callable[[], DeliveryLedger]) -> None:
        ledger = open_ledger()
        ledger.advance({"a": 5, "b": 5})
        ledger.advance({"a": 2, "b": 6})
        assert dict(ledger.cursor()) == {"a": 5, "b": 6}

    def test_a_cursor_that_was_handed_out_does_not_move(
        self, open_ledger: Callable[[], DeliveryLedger]
    ) -> None:
        ledger = open_ledger()
        ledger.advance({"a": 1})
        before = ledger.cursor()
        ledger.advance({"a": 2})
        assert dict(before) == {"a": 1}

    def test_a_bound_run_keeps_its_id(self, open_ledger: Callable[[], DeliveryLedger]) -> None:
        ledger = open_ledger()
        ledger.bind(RUN, "id-1")
        ledger.bind(RUN, "id-1")
        ledger.bind(OTHER, "id-2")
        with pytest.raises(ValueError, match="id-1"):
            ledger.bind(RUN, "id-2")
        assert (ledger.run_id(RUN), ledger.run_id(OTHER)) == ("id-1", "id-2")

    def test_refusals_come_in_the_order_of_their_events(
        self, open_ledger: Callable[[], DeliveryLedger]
    ) -> None:
        ledger = open_ledger()
        wanted = (
            Refusal("a", 2, RUN, "é"),
            Refusal("a", 10, None, "no run"),
            Refusal("b", 1, OTHER, "deleted"),
        )
        for refusal in reversed(wanted):
            ledger.refuse(refusal)
        assert ledger.refusals() == wanted

    def test_the_same_event_refused_twice_is_one_refusal(
        self, open_ledger: Callable[[], DeliveryLedger]
    ) -> None:
        ledger = open_ledger()
        ledger.refuse(Refusal("a", 1, RUN, "first"))
        ledger.refuse(Refusal("a", 1, RUN, "again"))
        assert ledger.refusals() == (Refusal("a", 1, RUN, "first"),)

    def test_a_refusal_that_is_forgotten_is_gone_and_may_come_again(
        self, open_ledger: Callable[[], DeliveryLedger]
    ) -> None:
        ledger = open_ledger()
        kept, mended = Refusal("a", 1, RUN, "no"), Refusal("a", 2, OTHER, "no")
        for refusal in (kept, mended):
            ledger.refuse(refusal)
        ledger.forget_refusals([("a", 2), ("b", 1)])
        ledger.forget_refusals(())
        assert ledger.refusals() == (kept,)
        assert open_ledger().refusals() == (kept,)
        ledger.refuse(mended)
        assert ledger.refusals() == (kept, mended)

    def test_a_dismissed_refusal_is_kept_apart_and_does_not_come_back(
        self, open_ledger: Callable[[], DeliveryLedger]
    ) -> None:
        ledger = open_ledger()
        kept, hopeless, unheard = (Refusal("a", number, RUN, f"no {number}") for number in (1, 2, 3))
        for refusal in (kept, hopeless):
            ledger.refuse(refusal)
        assert ledger.dismissed() == ()
        ledger.dismiss((unheard, hopeless))
        ledger.dismiss((hopeless,))
        ledger.dismiss(())
        for refusal in (hopeless, unheard):
            ledger.refuse(refusal)
        for same in (ledger, open_ledger()):
            assert same.refusals() == (kept,)
            assert same.dismissed() == (hopeless, unheard)
        ledger.forget_refusals([("a", 1), ("a", 2)])
        assert (ledger.refusals(), ledger.dismissed()) == ((), (hopeless, unheard))

    def test_a_problem_stays_until_there_is_none(self, open_ledger: Callable[[], DeliveryLedger]) -> None:
        ledger = open_ledger()
        assert ledger.problem() is None
        ledger.report("the server does not answer")
        ledger.report("the server refuses")
        assert ledger.problem() == "the server refuses"
        ledger.report(None)
        assert ledger.problem() is None

    def test_runs_are_open_from_their_beginning_to_their_end(
        self, open_ledger: Callable[[], DeliveryLedger]
    ) -> None:
        ledger = open_ledger()
        ledger.advance({"a": 1, "b": 1}, RunChanges(started=(TRIAL, SWEEP)))
        assert ledger.open_runs() == (SWEEP, TRIAL)
        ledger.advance({"a": 2}, RunChanges(ended=frozenset({OTHER})))
        assert ledger.open_runs() == (SWEEP,)
        assert dict(ledger.cursor()) == {"a": 2, "b": 1}

    def test_the_time_of_a_runs_last_event_never_moves_back(
        self, open_ledger: Callable[[], DeliveryLedger]
    ) -> None:
        ledger = open_ledger()
        ledger.advance({}, RunChanges(started=(TRIAL,), seen={OTHER: 2**62, RUN: 7}))
        assert ledger.open_runs() == (replace(TRIAL, seen_ns=2**62),)
        ledger.advance({}, RunChanges(started=(TRIAL,), seen={OTHER: 300}))
        ledger.advance({})
        assert ledger.open_runs() == (replace(TRIAL, seen_ns=2**62),)

    def test_a_run_that_began_and_ended_at_once_is_not_open(
        self, open_ledger: Callable[[], DeliveryLedger]
    ) -> None:
        ledger = open_ledger()
        ledger.advance({"a": 9}, RunChanges((TRIAL, SWEEP), {OTHER: 300}, frozenset({OTHER})))
        assert ledger.open_runs() == (SWEEP,)

    def test_each_writer_that_began_a_run_counts_and_its_end_ends_it_for_all(
        self, open_ledger: Callable[[], DeliveryLedger]
    ) -> None:
        ledger = open_ledger()
        again = replace(TRIAL, writer="c", seen_ns=200)
        ledger.advance({}, RunChanges(started=(again, TRIAL)))
        assert ledger.open_runs() == (TRIAL, again)
        ledger.advance({}, RunChanges(seen={OTHER: 150}, ended=frozenset({RUN})))
        assert ledger.open_runs() == (replace(TRIAL, seen_ns=150), again)
        ledger.advance({}, RunChanges(ended=frozenset({OTHER})))
        assert ledger.open_runs() == ()

    def test_what_was_recorded_is_there_when_opened_again(
        self, open_ledger: Callable[[], DeliveryLedger]
    ) -> None:
        ledger = open_ledger()
        ledger.advance({"a": 4}, RunChanges(started=(TRIAL,)))
        ledger.bind(RUN, "id-1")
        ledger.refuse(Refusal("a", 4, RUN, "no"))
        again = open_ledger()
        assert dict(again.cursor()) == {"a": 4}
        assert again.open_runs() == (TRIAL,)
        assert again.run_id(RUN) == "id-1"
        assert again.refusals() == (Refusal("a", 4, RUN, "no"),)
        with pytest.raises(ValueError, match="id-1"):
            again.bind(RUN, "id-2")

    def test_one_holder_of_the_lease_at_a_time(self, open_ledger: Callable[[], DeliveryLedger]) -> None:
        first, second = open_ledger(), open_ledger()
        with first.lease(0) as held:
            assert held is True
            with second.lease(0) as also:
                assert also is False
            with second.lease(0.01) as also:
                assert also is False
        with second.lease(0) as held:
            assert held is True

    def test_a_lease_ends_with_an_exception_too(self, open_ledger: Callable[[], DeliveryLedger]) -> None:
        ledger, other = open_ledger(), open_ledger()
        with pytest.raises(_Probe), ledger.lease(0):
            raise _Probe
        with other.lease(0) as held:
            assert held is True

    def test_a_lease_is_waited_for(self, open_ledger: Callable[[], DeliveryLedger]) -> None:
        ledger, other = open_ledger(), open_ledger()
        asking = threading.Event()

        def ask() -> bool:
            asking.set()
            with other.lease(30) as held:
                return held

        with ThreadPoolExecutor(1) as pool:
            with ledger.lease(0):
                answer = pool.submit(ask)
                assert asking.wait(30)
            assert answer.result(30) is True

    def test_the_lease_of_one_thread_is_not_that_of_another(
        self, open_ledger: Callable[[], DeliveryLedger]
    ) -> None:
        ledger = open_ledger()

        def ask() -> bool:
            with ledger.lease(0) as held:
                return held

        with ThreadPoolExecutor(1) as pool, ledger.lease(0):
            assert pool.submit(ask).result(30) is False

    def test_threads_may_record_at_once(self, open_ledger: Callable[[], DeliveryLedger]) -> None:
        ledger = open_ledger()

        def record(number: int) -> None:
            ledger.advance({"a": number, f"w{number}": 1})
            ledger.refuse(Refusal("a", number, None, "no"))
            ledger.bind(RUN, "id-1")

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(record, range(1, 13)))
        assert ledger.cursor()["a"] == 12
        assert len(ledger.cursor()) == 13
        assert [refusal.sequence for refusal in ledger.refusals()] == list(range(1, 13))
