"""A process that logs is killed: what has returned is stored, once, and its runs end as lost."""

from __future__ import annotations

import random
import signal
from multiprocessing.context import ForkServerContext

from faults.acknowledged import assert_stored
from faults.fault_home import FaultHome
from faults.running import running, told, told_until_the_end
from faults.seeds import every_seed
from faults.waiting import PATIENCE_S
from faults.workload import Call
from faults.writer_process import FoldReached, log_for_ever, log_metrics_and_die, sweep_until
from studbook.domain.run import RunStatus
from studbook.domain.run_events import RunReaped
from studbook.domain.stage import Stage


@every_seed
def test_what_a_killed_process_had_logged_is_stored_once_and_its_runs_are_lost(
    home: FaultHome, processes: ForkServerContext, seed: int
) -> None:
    calls: list[Call]
    with running(processes, log_for_ever, home.folder, seed, "manual") as (process, said):
        calls = told(said, random.Random(seed).randrange(1, 500))
        process.kill()
        calls += told_until_the_end(said)
        process.join(PATIENCE_S)
    report = home.finish()
    state = home.state()
    assert_stored(calls, state)
    assert {run.run_key for run in report.reaped} == {
        key for key, run in state.items() if run.end_reason == "lost"
    }
    assert home.is_settled()
    assert home.finish().reaped == ()


def test_two_thousand_metrics_are_stored_though_the_process_is_killed_right_after_the_last(
    home: FaultHome, processes: ForkServerContext
) -> None:
    with running(processes, log_metrics_and_die, home.folder, 2000) as (process, said):
        (key,) = told(said, 1)
        process.join(PATIENCE_S)
        assert process.exitcode == -signal.SIGKILL
    home.finish()
    run = home.state()[key]
    assert [(step, value) for step, _, value in run.metrics["loss"]] == [(n, n / 2) for n in range(2000)]
    assert (run.status, run.end_reason) == (RunStatus.KILLED, "lost")


@every_seed
def test_a_sweep_that_is_killed_in_a_fold_ends_innermost_first(
    home: FaultHome, processes: ForkServerContext, seed: int
) -> None:
    last = FoldReached(*divmod(random.Random(seed).randrange(9), 3))
    with running(processes, sweep_until, home.folder, last) as (process, said):
        assert told(said, 3 * last.number + last.fold + 1)[-1] == last
        process.kill()
        process.join(PATIENCE_S)
    report = home.finish()
    state = home.state()
    assert [run.stage for run in report.reaped] == [Stage.FOLD, Stage.TRIAL, Stage.SWEEP]
    log = home.container().event_log()
    journaled = [each.run_key for each in log.read() if isinstance(each.event, RunReaped)]
    assert journaled == [run.run_key for run in report.reaped]
    fold, trial, sweep = (state[key] for key in journaled if key is not None)
    assert (fold.parent, trial.parent) == (journaled[1], journaled[2])
    assert {run.end_reason for run in (fold, trial, sweep)} == {"lost"}
    assert fold.metrics["loss"][0][2] == float(last.fold)
    others = [run for key, run in state.items() if key not in journaled]
    assert {run.status for run in others} <= {RunStatus.FINISHED}
    assert len(others) == 4 * last.number + last.fold
