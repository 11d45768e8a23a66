"""What every Clock must do. Subclass `ClockContract`, override the fixture `clock`."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from ..clock import Clock


class ClockContract:
    """The promises of the port."""

    @pytest.fixture
    def clock(self) -> Clock:
        """The clock under test."""
        raise NotImplementedError

    def test_no_time_goes_back(self, clock: Clock) -> None:
        for ask in (clock.now_ns, clock.monotonic_ns):
            answers = [ask() for _ in range(500)]
            assert all(earlier <= later for earlier, later in pairwise(answers))

    def test_time_is_in_nanoseconds_since_1970(self, clock: Clock) -> None:
        in_2020, in_2200 = 1_577_836_800_000_000_000, 7_258_118_400_000_000_000
        assert in_2020 < clock.now_ns() < in_2200
        assert isinstance(clock.monotonic_ns(), int)

    def test_a_sleep_lasts_at_least_as_long_as_asked(self, clock: Clock) -> None:
        for seconds in (0.0, 0.000_3, 0.002):
            before = clock.monotonic_ns()
            clock.sleep(seconds)
            assert clock.monotonic_ns() - before >= seconds * 1e9

    def test_nobody_sleeps_backwards(self, clock: Clock) -> None:
        with pytest.raises(ValueError):  # noqa: PT011  the text is each clock's own
            clock.sleep(-1.0)

    def test_no_thread_sees_time_go_back(self, clock: Clock) -> None:
        together = threading.Barrier(4)

        def watch(_: int) -> bool:
            together.wait(30)
            answers = [clock.now_ns() for _ in range(300)]
            return all(earlier <= later for earlier, later in pairwise(answers))

        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(watch, range(4)))
