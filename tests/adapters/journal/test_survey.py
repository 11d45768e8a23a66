"""Looking at a home's journal as a whole: its targets, what is not read yet, what is damaged."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studbook.adapters.journal.event_log import JournalEventLog
from studbook.adapters.journal.line import encode
from studbook.adapters.journal.scan import Broken, Group, Torn, ends_by, scan
from studbook.adapters.journal.survey import HomeJournalSurvey
from studbook.adapters.journal.whole_journal import WholeJournal
from studbook.adapters.memory.clock import ManualClock
from studbook.adapters.memory.ids import CountingIds
from studbook.domain.run_events import TagsSet
from studbook.ports.event_log import Happening
from studbook.ports.journal_survey import JournalView, Unread


class Home:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ids = CountingIds()

    def log(self, target: str) -> JournalEventLog:
        return JournalEventLog(self.folder, clock=ManualClock(), ids=self.ids, target=target)

    def say(self, log: JournalEventLog, *times: int) -> str:
        for at_ns in times:
            log.append(_tags(at_ns))
        return log.writer

    def segment(self) -> Path:
        (path,) = (self.folder / "journal").iterdir()
        return path

    @property
    def survey(self) -> HomeJournalSurvey:
        return HomeJournalSurvey(self.folder)


def _tags(at_ns: int) -> Happening:
    return Happening(TagsSet(tags={"at": str(at_ns)}), None, at_ns)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_a_home_that_is_not_there_holds_nothing_and_stays_away(tmp_path: Path) -> None:
    survey = HomeJournalSurvey(tmp_path / "nowhere")
    assert survey.targets() == {}
    assert survey.look({}) == JournalView()
    assert not (tmp_path / "nowhere").exists()


def test_writers_are_told_by_target_and_what_is_unread_by_writer(home: Home) -> None:
    one, two, three = home.log("a"), home.log("b"), home.log("a")
    first, second, third = home.say(one, 5, 9, 7), home.say(two, 3), home.say(three, 1)
    assert home.survey.targets() == {"a": {first, third}, "b": {second}}
    view = home.survey.look({first: 1, third: 1})
    assert view.unread == {first: Unread(2, 7), second: Unread(1, 3)}
    assert view.segments == 3
    assert view.size == sum(path.stat().st_size for path in (home.folder / "journal").iterdir())
    assert (view.torn, view.damage, view.quarantined) == (0, (), ())


def test_a_torn_end_is_counted(home: Home) -> None:
    home.say(home.log("a"), 1, 2)
    segment = home.segment()
    segment.write_bytes(segment.read_bytes()[:-3])
    view = home.survey.look({})
    assert (view.torn, view.damage) == (1, ())
    assert [unread.events for unread in view.unread.values()] == [1]


def test_damage_is_told_with_what_to_do_and_its_copy_stays_on_the_list(home: Home) -> None:
    writer = home.say(home.log("a"), 1, 2, 3)
    segment = home.segment()
    lines = segment.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b"2", b"8", 1)
    segment.write_bytes(b"".join(lines))
    view = home.survey.look({})
    (place,) = view.damage
    assert (place.segment, place.holds) == (segment.name, False)
    assert place.cure
    assert place.quarantined is not None
    assert view.quarantined == (place.quarantined,)
    assert view.unread[writer].events == 2
    passed = home.survey.look({writer: 3})
    assert (passed.damage, passed.quarantined) == ((), view.quarantined)


def test_a_missing_segment_holds_its_writer(home: Home) -> None:
    writer = home.say(home.log("a"), 1)
    segment = home.segment()
    head, line = segment.read_bytes().splitlines(keepends=True)
    later = encode(5, [_tags(5)])
    segment.write_bytes(head + line + later)
    (place,) = home.survey.look({}).damage
    assert place.holds
    assert "missing" in place.problem
    assert home.survey.look({}).unread[writer].events == 1


def test_a_whole_journal_is_read_for_every_target_and_appends_for_its_own(home: Home) -> None:
    home.say(home.log("a"), 1)
    home.say(home.log("b"), 2)
    whole = WholeJournal(home.folder, clock=ManualClock(), ids=home.ids, target="c")
    assert [each.occurred_at_ns for each in whole.read()] == [1, 2]
    whole.append(_tags(3))
    assert [each.occurred_at_ns for each in whole.read()] == [1, 2, 3]
    assert home.survey.targets()["c"] == {whole.writer}
    assert [each.occurred_at_ns for each in home.log("c").read()] == [3]


def test_what_was_read_is_not_read_again(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A segment that ends where the cursor is costs its last bytes only."""
    writer = home.say(home.log("a"), *range(1, 2001))
    reader = home.log("a")
    asked: list[int] = []

    def counted(file: BinaryIO, start: int, size: int) -> Iterator[Group | Broken | Torn]:
        asked.append(start)
        return scan(file, start, size)

    monkeypatch.setattr("studbook.adapters.journal.reading.scan", counted)
    assert list(reader.read({writer: 2000})) == []
    assert asked == []
    list(reader.read({writer: 1999}))
    assert len(asked) == 1


@given(st.lists(st.integers(1, 3), max_size=6), st.integers(0, 20), st.data())
def test_the_end_tells_what_a_scan_would(groups: list[int], after: int, data: st.DataObject) -> None:
    """Never says that nothing follows when a whole append does, wherever the file is cut."""
    written, sequence = b"head\n", 1
    for size in groups:
        written += encode(sequence, [_tags(sequence + n) for n in range(size)])
        sequence += size
    cut = data.draw(st.integers(0, len(written)))
    last = max(
        (part.last for part in scan(io.BytesIO(written), 5, cut) if isinstance(part, Group)), default=0
    )
    whole = cut == len(written) and bool(groups)
    if ends_by(io.BytesIO(written), cut, after):
        assert last <= after
    if whole:
        assert ends_by(io.BytesIO(written), cut, after) is (last <= after)
