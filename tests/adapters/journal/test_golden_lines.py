"""Journals of every schema version are read for ever. Changing a golden line breaks every user's journals: a new
schema gets a new golden folder and an upcaster, and the old folders stay. What is added to a schema gets lines in a
segment of its own.
"""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest
from pydantic import JsonValue

from studbook.adapters.journal.event_log import JournalEventLog
from studbook.adapters.memory.clock import ManualClock
from studbook.adapters.memory.ids import CountingIds
from studbook.domain.events import Envelope
from studbook.domain.keys import RunKey
from studbook.domain.run_events import MetricsLogged, RunHeartbeat
from studbook.domain.upcasting import CURRENT_SCHEMA
from studbook.ports.contract.event_strategies import EVENT_TYPES
from studbook.ports.event_log import Happening

RUN = RunKey("rk3:" + "ab" * 32)
FIRST_NS = 1_700_000_000_000_000_001


def _golden(version: int) -> list[Path]:
    return sorted((Path(__file__).parent / f"golden_v{version}" / "journal").iterdir())


def _read(home: Path, version: int) -> list[Envelope]:
    (home / "journal").mkdir(parents=True)
    for segment in _golden(version):
        shutil.copy(segment, home / "journal")
    log = JournalEventLog(home, clock=ManualClock(), ids=CountingIds(), target="memory")
    read = list(log.read())
    assert log.damage() == ()
    assert log.torn() == 0
    return read


def _recorded(version: int) -> list[dict[str, JsonValue]]:
    segments = [path.read_text(encoding="utf-8").splitlines() for path in _golden(version)]
    return [json.loads(line[9:]) for _, *lines in segments for line in lines]


@pytest.mark.parametrize("version", range(1, CURRENT_SCHEMA.version + 1))
def test_every_golden_line_is_read(tmp_path: Path, version: int) -> None:
    read = _read(tmp_path, version)
    lines = _recorded(version)
    assert [line["v"] for line in lines] == [version] * len(lines)
    assert [(e.sequence, e.occurred_at_ns, e.run_key) for e in read] == [
        (line["seq"], line["at"], line["run"]) for line in lines
    ]


def test_the_lines_of_this_version_mean_what_they_meant(tmp_path: Path) -> None:
    read = _read(tmp_path, CURRENT_SCHEMA.version)
    for envelope, line in zip(read, _recorded(CURRENT_SCHEMA.version), strict=True):
        said = json.loads(envelope.event.model_dump_json())
        assert _as_recorded(said, line["event"]) == line["event"]


def _as_recorded(said: object, recorded: object) -> object:
    """What is said now, without the fields that were added since."""
    if isinstance(said, dict) and isinstance(recorded, dict):
        return {name: _as_recorded(said[name], value) for name, value in recorded.items()}
    return said


def test_every_event_of_this_version_has_a_golden_line(tmp_path: Path) -> None:
    assert {type(e.event) for e in _read(tmp_path, CURRENT_SCHEMA.version)} == set(EVENT_TYPES)


def test_this_version_writes_its_golden_lines(tmp_path: Path) -> None:
    log = JournalEventLog(
        tmp_path,
        clock=ManualClock(now_ns=FIRST_NS - 1),
        ids=CountingIds(),
        target="memory",
        project="golden",
    )
    golden = _golden(1)[0].read_bytes().splitlines(keepends=True)
    head, lines = golden[0], golden[3:6]
    spread = {"nan": math.nan, "up": math.inf, "down": -math.inf}
    for step in range(2):
        log.append(Happening(RunHeartbeat(), None, step))
    log.append_metrics(RUN, {"loss": 0.25, "val/f1": 1e-300}, 7, FIRST_NS + 1)
    log.append(Happening(MetricsLogged(metrics=spread, step=8), RUN, FIRST_NS + 2))
    log.append(Happening(RunHeartbeat(), RUN, FIRST_NS + 3))
    (segment,) = (tmp_path / "journal").iterdir()
    written = segment.read_bytes().splitlines(keepends=True)
    assert written[0] == head
    assert written[3:] == lines
