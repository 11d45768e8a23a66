"""What a reader makes of a journal that was cut, altered, or copied in part."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studbook.adapters.journal.damage import Fault
from studbook.adapters.journal.event_log import Fsync, JournalEventLog
from studbook.adapters.journal.line import frame
from studbook.adapters.memory.clock import ManualClock
from studbook.adapters.memory.ids import CountingIds
from studbook.domain.errors import JournalCorrupt
from studbook.domain.events import Envelope
from studbook.domain.run_events import RunHeartbeat
from studbook.ports.contract.event_log import happening, metric

SIZES = st.lists(st.integers(min_value=1, max_value=4), min_size=1, max_size=8)


class Home:
    """A home for one example; its logs draw writer ids from one source."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ids = CountingIds()

    def log(self) -> JournalEventLog:
        return JournalEventLog(
            self.folder, clock=ManualClock(), ids=self.ids, target="memory", fsync=Fsync.NEVER
        )

    def segments(self) -> list[Path]:
        return sorted((self.folder / "journal").iterdir())


class Written:
    """One writer's journal: its appends, and where in the file each ends."""

    def __init__(self, home: Home, sizes: list[int]) -> None:
        log = home.log()
        self.groups: list[tuple[Envelope, ...]] = []
        self.ends: list[int] = []
        for group, size in enumerate(sizes):
            self.groups.append(log.append(*(metric(group) for _ in range(size))))
            (self.segment,) = home.segments()
            self.ends.append(self.segment.stat().st_size)
        log.close()
        self.content = self.segment.read_bytes()

    def first_byte(self, group: int) -> int:
        return self.ends[group - 1] if group else self.content.index(b"\n") + 1


@given(SIZES, st.data())
def test_cut_anywhere_exactly_the_whole_appends_before_the_cut_are_read(
    sizes: list[int], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        written = Written(home, sizes)
        cut = data.draw(st.integers(min_value=0, max_value=len(written.content)), label="cut")
        written.segment.write_bytes(written.content[:cut])
        whole = [g for g, end in zip(written.groups, written.ends, strict=True) if end <= cut]
        expected = [envelope for group in whole for envelope in group]

        log = home.log()
        assert list(log.read()) == expected
        assert log.damage() == ()
        at_an_end = cut in {0, written.first_byte(0), *written.ends}
        assert log.torn() == (0 if at_an_end else 1)

        more = log.append(metric(99), metric(99))
        assert list(log.read()) == [*expected, *more]


@given(SIZES, st.data())
def test_one_altered_byte_is_reported_and_the_other_appends_are_read(
    sizes: list[int], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        written = Written(home, [*sizes, 1, 1])
        place = data.draw(st.integers(min_value=0, max_value=written.ends[-3] - 1), label="place")
        value = data.draw(st.integers(min_value=1, max_value=255), label="flip")
        content = bytearray(written.content)
        content[place] ^= value
        written.segment.write_bytes(content)

        log = home.log()
        read = list(log.read())
        lost = touched(written, place)
        expected = [e for n, group in enumerate(written.groups) if n not in lost for e in group]
        assert read == expected
        (damage,) = log.damage()
        assert damage.fault is Fault.CORRUPT
        head_ends = written.first_byte(0)
        assert damage.offset == (written.first_byte(min(lost)) if place >= head_ends else 0)
        assert damage.offset + damage.size == (written.ends[max(lost)] if lost else head_ends)
        assert damage.quarantined is not None
        assert damage.quarantined.is_relative_to(Path(folder) / "quarantine")
        quarantined = damage.quarantined.read_bytes()
        assert quarantined == content[damage.offset : damage.offset + damage.size]
        assert isinstance(damage.error(), JournalCorrupt)

        after = read[-1].sequence
        assert list(home.log().read({read[-1].writer: after - 1})) == read[-1:]
        assert list(log.read()) == read
        assert log.damage() == (damage,)


def touched(written: Written, place: int) -> set[int]:
    """The appends whose lines hold this byte: two when it ends the first one's, none when it is the head's."""
    lost = {n for n in range(len(written.ends)) if written.first_byte(n) <= place < written.ends[n]}
    if written.content[place : place + 1] == b"\n" and place + 1 in {written.first_byte(0), *written.ends}:
        lost.add(max(lost) + 1 if lost else 0)
    return lost


def test_a_corrupt_line_of_a_living_writer_is_waited_for(tmp_path: Path) -> None:
    home = Home(tmp_path)
    written = Written(home, [1, 1, 1])
    other = home.log()
    other.append(metric(7))
    hole = bytearray(written.content)
    hole[written.ends[0] + 20] = 0
    written.segment.write_bytes(hole)
    living = {written.groups[0][0].writer}
    log = JournalEventLog(
        tmp_path, clock=ManualClock(), ids=home.ids, target="memory", alive=living.__contains__
    )
    assert [e.sequence for e in log.read() if e.writer in living] == [1]
    assert [e.sequence for e in log.read() if e.writer not in living] == [1]
    assert log.damage() == ()

    written.segment.write_bytes(written.content)
    assert [e.sequence for e in log.read() if e.writer in living] == [1, 2, 3]
    assert log.damage() == ()

    written.segment.write_bytes(hole)
    living.clear()
    assert [e.sequence for e in log.read() if e.writer != other.writer] == [1, 3]
    assert [damage.fault for damage in log.damage()] == [Fault.CORRUPT]


def two_segments(home: Home) -> tuple[str, Path, Path]:
    """One writer's journal in two segments: the events 1 and 2, then 3 and 4."""
    log = home.log()
    log.append(metric(0))
    log.append(metric(0))
    (first,) = home.segments()
    head, *lines = first.read_bytes().splitlines(keepends=True)
    second = first.with_name(first.name.replace("-001", "-002"))
    body = head[9:-1].replace(b'"segment":1', b'"segment":2').replace(b'"first":1', b'"first":3')
    moved = [
        frame(line[9:-1].replace(b'"seq":%d' % n, b'"seq":%d' % (n + 2))) for n, line in enumerate(lines, 1)
    ]
    second.write_bytes(frame(body) + b"".join(moved))
    return log.writer, first, second


def test_a_missing_segment_holds_its_writer_until_it_comes(tmp_path: Path) -> None:
    home = Home(tmp_path)
    writer, first, _ = two_segments(home)
    other = home.log()
    other.append(metric(1))
    log = home.log()
    assert [e.sequence for e in log.read()] == [1, 2, 3, 4, 1]

    away = first.rename(tmp_path / "away")
    assert [(e.writer, e.sequence) for e in log.read()] == [(other.writer, 1)]
    (damage,) = log.damage()
    assert (damage.writer, damage.fault) == (writer, Fault.GAP)
    assert "1 to 2" in damage.detail
    assert [e.sequence for e in log.read({writer: 2})] == [3, 4, 1]

    away.rename(first)
    assert [e.sequence for e in log.read()] == [1, 2, 3, 4, 1]
    assert log.damage() == ()


def test_a_segment_that_was_copied_in_part_holds_its_writer(tmp_path: Path) -> None:
    home = Home(tmp_path)
    writer, first, _ = two_segments(home)
    content = first.read_bytes()
    first.write_bytes(content[:-5])
    log = home.log()
    assert [e.sequence for e in log.read()] == [1]
    assert [(damage.writer, damage.fault) for damage in log.damage()] == [(writer, Fault.GAP)]
    assert log.torn() == 1


def test_what_a_later_segment_writes_again_counts_there(tmp_path: Path) -> None:
    home = Home(tmp_path)
    writer, first, second = two_segments(home)
    head, *lines = first.read_bytes().splitlines(keepends=True)
    withdrawn = frame(lines[1][9:-1].replace(b'"seq":2', b'"seq":3').replace(b'"step":0', b'"step":99'))
    first.write_bytes(head + b"".join(lines) + withdrawn)
    log = home.log()
    assert [(e.sequence, e.event.model_dump()["step"]) for e in log.read()] == [
        (1, 0),
        (2, 0),
        (3, 0),
        (4, 0),
    ]
    assert [e.sequence for e in log.read({writer: 2})] == [3, 4]
    assert second.exists()


@pytest.mark.parametrize(
    ("old", "new"), [(b'"v":1', b'"v":999'), (b'"kind":"RunHeartbeat"', b'"kind":"RunTeleported"')]
)
def test_an_event_of_a_newer_version_holds_its_writer_only(tmp_path: Path, old: bytes, new: bytes) -> None:
    home = Home(tmp_path)
    newer, other = home.log(), home.log()
    newer.append(metric(0))
    newer.append(happening(RunHeartbeat()))
    newer.append(metric(2))
    other.append(metric(1))
    segment = home.segments()[0]
    lines = segment.read_bytes().splitlines(keepends=True)
    lines[2] = frame(lines[2][9:-1].replace(old, new))
    segment.write_bytes(b"".join(lines))
    log = home.log()
    assert [(e.writer, e.sequence) for e in log.read()] == [(newer.writer, 1), (other.writer, 1)]
    (damage,) = log.damage()
    assert (damage.fault, damage.quarantined) == (Fault.UNKNOWN, None)
    assert "newer studbook" in damage.error().cure


def test_a_journal_of_a_newer_format_holds_its_writer_only(tmp_path: Path) -> None:
    home = Home(tmp_path)
    newer, other = home.log(), home.log()
    newer.append(metric(0))
    other.append(metric(1))
    segment = home.segments()[0]
    head, *lines = segment.read_bytes().splitlines(keepends=True)
    segment.write_bytes(frame(head[9:-1].replace(b"journal/1", b"journal/2")) + b"".join(lines))
    log = home.log()
    assert [e.writer for e in log.read()] == [other.writer]
    assert [damage.fault for damage in log.damage()] == [Fault.UNKNOWN]
    assert [head.writer for head in log.heads()] == [other.writer]


def test_following_a_long_journal_by_cursor_misses_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path)
    log, reader = home.log(), home.log()
    for step in range(3000):
        log.append(metric(step), metric(step))
    cursor: dict[str, int] = {}
    seen: list[int] = []
    for chunk in (1, 999, 2500, 2501, 10_000):
        for envelope in reader.read(dict(cursor)):
            seen.append(envelope.sequence)
            cursor[envelope.writer] = envelope.sequence
            if len(seen) >= chunk:
                break
    assert seen == list(range(1, 6001))
    for place in (0, 17, 3000, 5999):
        assert [e.sequence for e in reader.read({log.writer: place})] == list(range(place + 1, 6001))


def test_foreign_files_in_the_journal_folder_are_left_alone(tmp_path: Path) -> None:
    home = Home(tmp_path)
    log = home.log()
    log.append(metric(0))
    (tmp_path / "journal" / "notes.txt").write_text("not ours")
    (tmp_path / "journal" / ".nfs000001").write_bytes(b"\xff")
    assert len(list(log.read())) == 1
    assert log.damage() == ()
