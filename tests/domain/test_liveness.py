"""Who lives: the table of leases, and its laws."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate, takewhile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studbook.domain.liveness import (
    TTL_S,
    Lease,
    Liveness,
    Observer,
    PidSpace,
    Process,
    Sightings,
    judge,
)

SECOND = 10**9
TTL = int(TTL_S) * SECOND
HERE = PidSpace(host="h", boot_id="b", pid_namespace="n")
ELSEWHERE = [
    PidSpace(host="other", boot_id="b", pid_namespace="n"),
    PidSpace(host="h", boot_id="other", pid_namespace="n"),
    PidSpace(host="h", boot_id="b", pid_namespace="other"),
    PidSpace(host="h", boot_id=None, pid_namespace="n"),
    PidSpace(host="h", boot_id="b", pid_namespace=None),
    PidSpace(host="h"),
]


def lease(space: PidSpace = HERE, *, counter: int = 0, inode: int = 1, started: int | None = 500) -> Lease:
    return Lease(writer="w", space=space, pid=7, started=started, folder_inode=inode, counter=counter)


def observer(process: Process | None = None, *, inode: int | None = 1, space: PidSpace = HERE) -> Observer:
    """An observer who finds this process under every id."""
    return Observer(space, inode, lambda _pid: process)


def seen(*looks: tuple[int, int]) -> Sightings:
    """After looks at (monotonic ns, counter)."""
    sightings = Sightings()
    for at_ns, counter in looks:
        sightings = sightings.then([lease(counter=counter)], at_ns)
    return sightings


spaces = st.sampled_from([HERE, *ELSEWHERE])
processes = st.sampled_from([None, Process(), Process(500), Process(501)])
gaps = st.lists(st.integers(min_value=0, max_value=4 * TTL), min_size=1, max_size=12)
origins = st.integers(min_value=0, max_value=2**62)


def test_in_the_same_space_the_process_decides_at_once() -> None:
    assert judge(lease(), observer(Process(500)), Sightings()) is Liveness.ALIVE
    assert judge(lease(), observer(None), Sightings()) is Liveness.DEAD
    assert judge(lease(), observer(Process(501)), Sightings()) is Liveness.DEAD


def test_a_stopped_process_lives_however_long_its_counter_stands_still() -> None:
    stood = seen((0, 0), (100 * TTL, 0))
    assert judge(lease(), observer(Process(500)), stood) is Liveness.ALIVE


@pytest.mark.parametrize("space", ELSEWHERE)
def test_elsewhere_a_process_id_says_nothing(space: PidSpace) -> None:
    def unasked(_pid: int) -> Process | None:
        raise AssertionError("asked for a process of another space")

    assert judge(lease(space), Observer(HERE, 1, unasked), Sightings()) is Liveness.UNKNOWN


@pytest.mark.parametrize("space", ELSEWHERE)
def test_elsewhere_a_counter_that_stands_still_for_the_whole_time_is_death(space: PidSpace) -> None:
    away = lease(space)
    assert judge(away, observer(), seen((5, 0), (5 + TTL - 1, 0))) is Liveness.UNKNOWN
    assert judge(away, observer(), seen((5, 0), (5 + TTL, 0))) is Liveness.DEAD
    assert judge(away, observer(), seen((5, 0), (5 + 2, 0)), ttl_s=2e-9) is Liveness.DEAD


def test_a_process_whose_start_is_not_known_is_judged_by_its_counter() -> None:
    stood, moved = seen((0, 0), (TTL, 0)), seen((0, 1), (TTL, 0))
    for held, found in ((lease(started=None), Process(500)), (lease(), Process())):
        assert judge(held, observer(found), Sightings()) is Liveness.UNKNOWN
        assert judge(held, observer(found), stood) is Liveness.DEAD
        assert judge(held, observer(found), moved) is Liveness.ALIVE
    assert judge(lease(started=None), observer(None), Sightings()) is Liveness.DEAD


def test_a_counter_that_was_seen_to_move_is_life_until_it_stands_still_again() -> None:
    away = lease(ELSEWHERE[0], counter=1)
    assert judge(away, observer(), seen((0, 0), (9 * TTL, 1))) is Liveness.ALIVE
    assert judge(away, observer(), seen((0, 0), (9, 1), (9 + TTL, 1))) is Liveness.DEAD


def test_sightings_of_another_counter_or_another_writer_say_nothing() -> None:
    away = lease(ELSEWHERE[0], counter=1)
    assert judge(away, observer(), seen((0, 0), (TTL, 0))) is Liveness.UNKNOWN
    stranger = away.model_copy(update={"writer": "x"})
    assert judge(stranger, observer(), seen((0, 1), (TTL, 1))) is Liveness.UNKNOWN


def test_a_lease_that_was_gone_is_watched_anew() -> None:
    sightings = seen((0, 0)).then([], TTL - 1).then([lease()], TTL)
    assert judge(lease(ELSEWHERE[0]), observer(), sightings) is Liveness.UNKNOWN


@given(spaces, processes, gaps, st.sampled_from([None, 2, 99]))
def test_in_a_copied_home_nobody_is_dead(
    space: PidSpace, process: Process | None, times: list[int], inode: int | None
) -> None:
    sightings = seen(*((at_ns, 0) for at_ns in accumulate(times)))
    assert judge(lease(space), observer(process, inode=inode), sightings) is Liveness.UNKNOWN


@given(spaces, st.data(), origins)
def test_a_living_writer_is_never_dead(space: PidSpace, data: st.DataObject, origin: int) -> None:
    """Whatever the clocks: it renews in less than the time to live, and is looked at whenever."""
    renewals = data.draw(
        st.lists(st.integers(min_value=1, max_value=TTL - 1), min_size=1, max_size=12),
        label="between renewals",
    )
    renewed_at = list(accumulate(renewals, initial=0))
    looks = sorted(
        data.draw(st.lists(st.integers(min_value=0, max_value=renewed_at[-1]), min_size=1, max_size=20))
    )
    me = observer(data.draw(st.sampled_from([Process(500), Process()]) if space == HERE else processes))
    sightings = Sightings()
    for at in looks:
        counter = max(number for number, at_ns in enumerate(renewed_at) if at_ns <= at)
        away = lease(space, counter=counter)
        sightings = sightings.then([away], origin + at)
        assert judge(away, me, sightings) is not Liveness.DEAD


@given(spaces, processes, gaps, st.lists(st.integers(0, 2), min_size=12, max_size=12))
def test_once_dead_always_dead_until_the_counter_moves(
    space: PidSpace, process: Process | None, times: list[int], steps: list[int]
) -> None:
    was: Liveness | None = None
    sightings, before = Sightings(), -1
    for at_ns, counter in zip(accumulate(times), accumulate(steps), strict=False):
        held = lease(space, counter=counter)
        sightings = sightings.then([held], at_ns)
        verdict = judge(held, observer(process), sightings)
        if was is Liveness.DEAD and counter == before:
            assert verdict is Liveness.DEAD
        if was is Liveness.ALIVE and counter == before:
            assert verdict is not Liveness.UNKNOWN
        was, before = verdict, counter


@given(spaces, processes, gaps, origins, st.lists(st.integers(0, 1), min_size=12, max_size=12))
def test_only_durations_of_the_observers_own_clock_count(
    space: PidSpace, process: Process | None, times: list[int], origin: int, steps: list[int]
) -> None:
    looks = list(zip(accumulate(times), accumulate(steps), strict=False))
    held = lease(space, counter=looks[-1][1])
    shifted = seen(*((origin + at_ns, counter) for at_ns, counter in looks))
    assert judge(held, observer(process), seen(*looks)) is judge(held, observer(process), shifted)


@given(gaps, st.lists(st.integers(0, 1), min_size=12, max_size=12))
def test_death_is_the_whole_time_between_looks_at_one_counter(times: list[int], steps: list[int]) -> None:
    looks = list(zip(accumulate(times), accumulate(steps), strict=False))
    away = lease(ELSEWHERE[0], counter=looks[-1][1])
    stood = takewhile(lambda look: look[1] == away.counter, reversed(looks))
    since = min(at_ns for at_ns, _ in stood)
    dead = judge(away, observer(), seen(*looks)) is Liveness.DEAD
    assert dead == (looks[-1][0] - since >= TTL)


def test_a_lease_holds_no_time_of_day() -> None:
    assert set(Lease.model_fields) == {"writer", "space", "pid", "started", "folder_inode", "counter"}


def test_spaces_are_one_when_all_is_known_and_equal() -> None:
    same: Callable[[PidSpace], bool] = HERE.is_one_with
    assert same(HERE)
    assert not any(map(same, ELSEWHERE))
    assert not PidSpace(host="h").is_one_with(PidSpace(host="h"))
