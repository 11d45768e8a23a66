"""A relay that is killed, by itself or from outside, with its writer or without: the store ends up the same."""

from __future__ import annotations

import random
import signal
from multiprocessing.context import ForkServerContext

from faults.acknowledged import assert_stored
from faults.fault_home import FaultHome
from faults.mortal_relay import Death, serve
from faults.running import running, told, told_until_the_end
from faults.seeds import every_seed
from faults.waiting import PATIENCE_S, wait_for
from faults.workload import Call, Workload
from faults.writer_process import log_as_told, log_for_ever
from studbook.domain.keys import RunKey
from studbook.domain.run import Ending
from studbook.domain.run_events import ParamsLogged, RunEnded
from studbook.entrypoints.studbook import Studbook

_DEATHS = 7
_LATEST_STEP = 60


def record_contested_runs(home: FaultHome, seed: int) -> None:
    """Two writers of one home; the second one contradicts the first, which no store can take."""
    with home.open_book("manual") as first, home.open_book("manual") as second:
        calls = [
            call
            for book, number in ((first, 0), (second, 1))
            for call in _said(Workload(book, 2 * seed + number, home.folder / f"sources-{number}"), 120)
        ]
        for call in calls:
            if call.kind == "end":
                _say(second, call.run, RunEnded(ending=Ending.finished()))
            if call.kind == "param" and len(str(call.value)) < 10:
                _say(second, call.run, ParamsLogged(params={call.name: "another"}))


def _said(work: Workload, calls: int) -> list[Call]:
    return [work.step() for _ in range(calls)]


def _say(book: Studbook, run: str, event: ParamsLogged | RunEnded) -> None:
    book.container.recorder().record(RunKey(run), event)


def live(processes: ForkServerContext, home: FaultHome, death: Death | None) -> bool:
    """One relay process's life; whether it left by itself."""
    process = processes.Process(target=serve, args=(home.folder, death))
    process.start()
    process.join(PATIENCE_S)
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode == 0


@every_seed
def test_a_relay_that_dies_at_any_step_leaves_the_same_store(
    home: FaultHome, processes: ForkServerContext, seed: int
) -> None:
    record_contested_runs(home, seed)
    expected = home.expected()
    draw = random.Random(seed)
    deaths = [Death(draw.randrange(1, _LATEST_STEP), draw.random() < 0.5) for _ in range(_DEATHS)]
    left = [live(processes, home, death) for death in deaths]
    assert not all(left)
    assert live(processes, home, None)
    assert home.state() == expected
    assert home.is_settled()


@every_seed
def test_a_relay_that_dies_whenever_it_has_created_a_run_creates_each_run_once(
    home: FaultHome, processes: ForkServerContext, seed: int
) -> None:
    with home.open_book("manual") as book:
        calls = _said(Workload(book, seed, home.folder / "sources"), 60)
    expected = home.expected()
    created = len({call.run for call in calls})
    deaths = 0
    while not live(processes, home, Death(min(deaths, 1) + 1, after=True, steps=("create_run",))):
        deaths += 1
    assert deaths == created
    assert home.state() == expected


@every_seed
def test_a_sidecar_that_is_killed_is_started_again_on_demand(
    home: FaultHome, processes: ForkServerContext, seed: int
) -> None:
    draw = random.Random(seed)
    calls: list[Call] = []
    with running(processes, log_as_told, home.folder, seed) as (process, talk):
        for _ in range(draw.randrange(1, 3)):
            talk.send(draw.randrange(1, 200))
            calls += told(talk, 1)[0]
            wait_for("a relay process", home.sidecars)
            kill_sidecar_in_the_middle(home, draw)
        talk.send(0)
        assert told(talk, 1) == ["closed"]
        process.join(PATIENCE_S)
    home.wait_until_sidecars_left()
    assert home.is_settled()
    state = home.state()
    assert {run.end_reason for run in state.values()} <= {None, "error", "parent_ended", "abandoned"}
    assert_stored([*calls, *(Call("end", key, value=run.status) for key, run in state.items())], state)
    assert state == home.expected()


@every_seed
def test_a_writer_and_its_sidecar_that_are_both_killed_lose_nothing(
    home: FaultHome, processes: ForkServerContext, seed: int
) -> None:
    draw = random.Random(seed)
    with running(processes, log_for_ever, home.folder, seed, "sidecar") as (process, said):
        calls = told(said, draw.randrange(1, 400))
        deaths = [lambda: kill_sidecar_in_the_middle(home, draw), process.kill]
        draw.shuffle(deaths)
        for death in deaths:
            death()
        calls += told_until_the_end(said)
        process.join(PATIENCE_S)
    assert not home.is_settled()
    home.container().launcher().ensure()
    home.wait_until_sidecars_left()
    state = home.state()
    assert_stored(calls, state)
    ended = {call.run for call in calls if call.kind == "end"}
    assert len([run for key, run in state.items() if run.end_reason is None and key not in ended]) <= 1
    assert home.is_settled()
    assert state == home.expected()


def kill_sidecar_in_the_middle(home: FaultHome, draw: random.Random) -> None:
    """Once it has got to where the draw says: to its start, its first run, or so many events."""
    started = home.delivered()
    events = draw.choice((0, 0, 1, draw.randrange(1, 100)))
    wait_for(
        "its deliveries", lambda: not events or home.delivered() >= started + events or not home.pending()
    )
    home.kill_sidecars()
