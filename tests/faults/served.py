"""A training on a book whose server misbehaves, and what must be on the server in the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import pytest

from faults.acknowledged import assert_stored
from faults.fault_home import FaultHome
from faults.waiting import wait_for
from faults.workload import Call, Workload
from studbook.domain.errors import DeliveryPending

Delivery = Literal["sidecar", "inline"]


class Training:
    """Makes calls on a book of the home, and has them delivered; each call must return while the server is away."""

    def __init__(self, home: FaultHome, delivery: Delivery, seed: int) -> None:
        self._home = home
        self._delivery = delivery
        self._book = home.open_book(delivery)
        self._work = Workload(self._book, seed, home.folder / "sources")
        self.calls: list[Call] = []

    def goes_on(self, calls: int = 40) -> None:
        """So many calls, each of which returns."""
        self.calls += [self._work.step() for _ in range(calls)]

    def begins_a_run(self) -> None:
        """Something that must be delivered."""
        self.calls.append(self._work.open())

    def sees_delivery_fail(self) -> None:
        """Somebody tries to deliver, and cannot."""
        if self._delivery == "inline":
            with pytest.raises(DeliveryPending):
                self._book.flush(0)
            return
        before = self._home.failed_tries()
        wait_for("a try that fails", lambda: self._home.failed_tries() > before)

    def is_delivered(self) -> None:
        """All that was logged by now is on the server."""
        self._book.flush()

    def leaves(self) -> None:
        """Wait until everything is delivered, and nobody is there any more."""
        self._book.close()
        self._home.wait_until_sidecars_left()


@contextmanager
def training(home: FaultHome, delivery: Delivery, seed: int = 0) -> Iterator[Training]:
    """A training; afterwards the server holds what a store in memory holds, and all that was acknowledged."""
    trains = Training(home, delivery, seed)
    yield trains
    trains.leaves()
    assert home.is_settled()
    assert home.container().ledger().problem() is None
    state = home.state()
    assert state == home.expected()
    assert_stored([*trains.calls, *(Call("end", key, value=run.status) for key, run in state.items())], state)
