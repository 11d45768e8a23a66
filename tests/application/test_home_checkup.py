"""What a home's status says, as findings."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from studbook.application.diagnosis import Diagnose, Row
from studbook.application.home_checkup import HomeStatusCheckup
from studbook.application.home_status import HomeStatus, TargetStatus, WriterStatus
from studbook.application.writer_watch import Doubt
from studbook.domain.errors import HomeUnusable
from studbook.domain.keys import RunKey
from studbook.domain.liveness import Liveness
from studbook.domain.stage import Stage
from studbook.ports.checkup import Outcome
from studbook.ports.delivery_ledger import Refusal, StartedRun
from studbook.ports.journal_survey import DamagedPlace, JournalView

HERE = TargetStatus("here", configured=True)
WELL = HomeStatus((HERE,), (), JournalView(segments=2, size=1234))
REFUSAL = Refusal("w", 3, None, "no")
LOST = StartedRun(RunKey.of({"name": "run"}), "w", "p", Stage.TRIAL, None, 1)
DAMAGE = DamagedPlace("w1", "w1-001.jsonl", 10, 5, "a checksum does not hold", "compare", holds=False)


def looked(status: HomeStatus) -> dict[str, Row]:
    return {row.check: row for row in Diagnose([("home", lambda: HomeStatusCheckup(lambda: status))])().rows}


def test_a_home_that_is_well_needs_nothing() -> None:
    rows = looked(WELL)
    assert list(rows) == ["delivery", "writers", "journal"]
    assert {row.outcome for row in rows.values()} == {Outcome.OK}
    assert "1,234 bytes" in rows["journal"].found


@pytest.mark.parametrize(
    ("target", "words", "verb"),
    [
        (
            replace(HERE, pending=4, problem="HTTP 401"),
            "here: 4 pending, the last problem was: HTTP 401",
            "sync",
        ),
        (replace(HERE, refusals=(REFUSAL,)), "1 refused", "status"),
        (replace(HERE, lost=(LOST,)), "programs that died: 1", "reap"),
    ],
)
def test_what_waits_was_refused_or_was_left_open_is_a_problem(
    target: TargetStatus, words: str, verb: str
) -> None:
    row = looked(replace(WELL, targets=(target,)))["delivery"]
    assert (row.outcome, words in row.found) == (Outcome.PROBLEM, True)
    assert re.findall(r"`studbook (\w+)`", str(row.cure)) == [verb]


def test_what_a_relay_is_delivering_is_none() -> None:
    row = looked(replace(WELL, targets=(replace(HERE, pending=4, relay_at_work=True),)))["delivery"]
    assert (row.outcome, "a relay is at work" in row.found) == (Outcome.OK, True)


def test_a_copied_home_is_told() -> None:
    living = WriterStatus("w1", Liveness.ALIVE, None, "host", 1)
    assert "1 alive" in looked(replace(WELL, writers=(living,)))["writers"].found
    copied = replace(living, liveness=Liveness.UNKNOWN, doubt=Doubt.COPIED_HOME)
    row = looked(replace(WELL, writers=(living, copied)))["writers"]
    assert (row.outcome, "is a copy" in row.found) == (Outcome.WARNING, True)


def test_damage_is_told_with_its_place() -> None:
    row = looked(replace(WELL, journal=JournalView(damage=(DAMAGE,))))["journal"]
    assert row.outcome is Outcome.PROBLEM
    assert "w1-001.jsonl at byte 10" in row.found
    assert row.cure == "compare"


def test_a_home_that_cannot_be_read_is_a_problem_of_each() -> None:
    def status() -> HomeStatus:
        raise HomeUnusable("cannot be read", cure="another home")

    rows = Diagnose([("home", lambda: HomeStatusCheckup(status))])().rows
    assert [(row.outcome, row.cure) for row in rows] == [(Outcome.PROBLEM, "another home")] * 3
