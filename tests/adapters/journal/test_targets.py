"""One home may hold journals for several targets: each is delivered to its own."""

from __future__ import annotations

from pathlib import Path

from studbook.adapters.journal.event_log import JournalEventLog
from studbook.adapters.memory.clock import ManualClock
from studbook.adapters.memory.ids import CountingIds
from studbook.domain.run_events import TagsSet
from studbook.ports.event_log import Happening


def _log(home: Path, ids: CountingIds, target: str) -> JournalEventLog:
    return JournalEventLog(home, clock=ManualClock(), ids=ids, target=target)


def _tags(text: str) -> Happening:
    return Happening(TagsSet(tags={"say": text}), None, 1)


def test_a_log_reads_what_was_recorded_for_its_target_whoever_wrote_it(tmp_path: Path) -> None:
    ids = CountingIds()
    here, again, there = _log(tmp_path, ids, "a"), _log(tmp_path, ids, "a"), _log(tmp_path, ids, "b")
    here.append(_tags("one"))
    there.append(_tags("two"))
    again.append(_tags("three"))
    assert [e.event for e in here.read()] == [_tags("one").event, _tags("three").event]
    assert [e.event for e in there.read()] == [_tags("two").event]


def test_a_segment_without_a_sound_head_is_reported_not_hidden(tmp_path: Path) -> None:
    ids = CountingIds()
    log = _log(tmp_path, ids, "a")
    log.append(_tags("one"))
    log.close()
    (segment,) = (tmp_path / "journal").iterdir()
    content = bytearray(segment.read_bytes())
    content[2] ^= 1
    segment.write_bytes(content)
    other = _log(tmp_path, ids, "b")
    list(other.read())
    assert [damage.writer for damage in other.damage()] == [log.writer]
