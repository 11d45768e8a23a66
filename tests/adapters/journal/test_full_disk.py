"""A training on a disk that is full for a while goes on, says so once, and loses nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from studbook.adapters.journal.event_log import JournalEventLog
from studbook.adapters.system.clock import SystemClock
from studbook.adapters.system.ids import SystemIds
from studbook.domain.run_events import MetricsLogged

TRAINING = """
import logging, resource, sys
from pathlib import Path
from studbook.adapters.home.pins import HomePins
from studbook.adapters.journal.event_log import JournalEventLog
from studbook.adapters.memory.ids import CountingIds
from studbook.adapters.system.clock import SystemClock
from studbook.adapters.system.ids import SystemIds
from studbook.application.bus import Bus
from studbook.application.open_run import OpenRun
from studbook.application.project import Project
from studbook.application.recorder import Recorder
from studbook.application.run_opening import RunOpening
from studbook.application.store_artifact import ArtifactBuilder
logging.basicConfig(format="%(levelname)s %(message)s", stream=sys.stdout)
home, ids, clock = Path(sys.argv[1]), SystemIds(), SystemClock()
log = JournalEventLog(home, clock=clock, ids=ids, target="memory")
recorder = Recorder(log, clock, Bus(), strict=sys.argv[2] == "strict")
artifacts = ArtifactBuilder(HomePins(home, ids), clock, "1")
open_run = OpenRun(recorder, RunOpening(Project(version="1")), artifacts, None, ids, None)

def disk(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

with open_run("mine", params={"lr": 1}) as run:
    run.log_metrics({"loss": 1.0}, 0)
    disk(0)
    for step in range(1, 50):
        run.log_metrics({"loss": 1.0 / step}, step)
    run.set_tags({"note": "still going"})
    print("lost", recorder.lost)
    disk(resource.RLIM_INFINITY)
recorder.close()
log.close()
print("lost", recorder.lost)
"""


def _train(home: Path, mode: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", TRAINING, str(home), mode], capture_output=True, text=True, check=False
    )


def _kinds(home: Path) -> list[str]:
    log = JournalEventLog(home, clock=SystemClock(), ids=SystemIds(), target="memory")
    kinds: list[str] = [envelope.event.kind for envelope in log.read()]
    assert log.damage() == ()
    return kinds


def test_a_training_goes_on_and_loses_nothing(tmp_path: Path) -> None:
    done = _train(tmp_path, "lenient")
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert [line for line in said if line.startswith("lost")] == ["lost 50", "lost 0"]
    (error,) = [line for line in said if line.startswith("ERROR")]
    assert "free some space" in error
    assert _kinds(tmp_path) == ["RunStarted", "ParamsLogged", *["MetricsLogged"] * 50, "TagsSet", "RunEnded"]
    log = JournalEventLog(tmp_path, clock=SystemClock(), ids=SystemIds(), target="memory")
    steps = [e.event.step for e in log.read() if isinstance(e.event, MetricsLogged)]
    assert steps == list(range(50))
    times = [envelope.occurred_at_ns for envelope in log.read()]
    assert times == sorted(times)


def test_a_strict_training_stops_with_the_cure(tmp_path: Path) -> None:
    done = _train(tmp_path, "strict")
    assert done.returncode == 1
    assert "JournalError" in done.stderr
    assert "free some space" in done.stderr
    assert _kinds(tmp_path) == ["RunStarted", "ParamsLogged", "MetricsLogged"]
