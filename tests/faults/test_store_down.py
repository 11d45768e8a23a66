"""The store is down, or does not answer: training goes on, leaving takes no longer than allowed, nothing is lost."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from faults.down import locked, no_server, silent_server
from faults.fault_home import FaultHome
from faults.scripts import ready_script, run_script
from faults.waiting import PATIENCE_S, wait_for

_SLACK_S = 5.0
_STEPS = 2000

_TRAIN = f"""
book = open_book(exit_timeout={{exit_timeout}})
began = time.monotonic()
run = book.run("mine", params={{{{"lr": 0.1}}}})
for step in range({_STEPS}):
    run.log_metrics({{{{"loss": float(step)}}}}, step=step)
run.set_tags({{{{"owner": "me"}}}})
open("notes.txt", "w").write("notes")
run.log_artifact("notes.txt")
with book.run("another", parent=run):
    pass
logged = time.monotonic()
{{leave}}
print(__import__("json").dumps([logged - began, time.monotonic() - logged]))
"""
_CLOSE = "book.close()"


@pytest.mark.parametrize("down", [no_server, silent_server])
@pytest.mark.parametrize("delivery", ["sidecar", "inline"])
def test_what_a_training_calls_neither_fails_nor_waits(
    tmp_path: Path, down: Callable[[], AbstractContextManager[str]], delivery: str
) -> None:
    with down() as uri, FaultHome(tmp_path, uri).ends() as home:
        ended = run_script(home, _TRAIN.format(exit_timeout=0, leave=""), delivery)
        assert ended.code == 0, ended.errors
        assert json.loads(ended.words)[0] < _SLACK_S
        assert home.pending() > _STEPS


@pytest.mark.parametrize("down", [no_server, silent_server])
def test_leaving_waits_as_long_as_allowed_and_says_what_is_pending(
    tmp_path: Path, down: Callable[[], AbstractContextManager[str]]
) -> None:
    with down() as uri, FaultHome(tmp_path, uri).ends() as home:
        ended = run_script(home, _TRAIN.format(exit_timeout=1, leave=_CLOSE), "sidecar")
        assert ended.code == 0, ended.errors
        _, leaving_s = json.loads(ended.words)
        assert 1 <= leaving_s < 1 + _SLACK_S
        assert "left with events not delivered" in ended.words + ended.errors
        assert len(home.sidecars()) == 1
        assert home.pending() > _STEPS


def test_a_sidecar_survives_its_parent_delivers_and_leaves(home: FaultHome) -> None:
    with locked(home.database):
        with ready_script(
            home, _TRAIN.format(exit_timeout=0, leave=_CLOSE + "; ready()"), "sidecar"
        ) as parent:
            (sidecar,) = wait_for("a relay process", home.sidecars)
            assert os.getsid(sidecar) == sidecar != os.getsid(parent.pid)
            assert os.getpgid(sidecar) != os.getpgid(parent.pid)
            # As a terminal that closes, or a scheduler that cleans up after a job.
            os.killpg(parent.pid, signal.SIGKILL)
            parent.wait(PATIENCE_S)
        assert home.pending() > _STEPS
        assert home.sidecars() == [sidecar]
    home.wait_until_sidecars_left()
    assert home.is_settled()
    runs = {run.name: run for run in home.state().values()}
    assert {name: str(run.status) for name, run in runs.items()} == {"mine": "KILLED", "another": "FINISHED"}
    assert len(runs["mine"].metrics["loss"]) == _STEPS
    assert runs["mine"].files["notes.txt"] == b"notes"
