"""A journal that older versions wrote is read as the current one would have written it."""

from __future__ import annotations

from pathlib import Path

import pytest

from studbook.adapters.journal.damage import Fault
from studbook.adapters.journal.event_log import JournalEventLog
from studbook.adapters.journal.line import frame
from studbook.adapters.memory.clock import ManualClock
from studbook.adapters.memory.ids import CountingIds
from studbook.domain.run_events import MetricsLogged
from studbook.domain.upcasting import CURRENT_SCHEMA, EventSchema, RawEvent
from studbook.ports.contract.event_log import metric


def upcast_v1_v2(event: RawEvent) -> RawEvent:
    """Version 1 had one metric an event."""
    if event["kind"] != "MetricLogged":
        return event
    return {"kind": "MetricsLogged", "metrics": {str(event["name"]): event["value"]}}


def upcast_v2_v3(event: RawEvent) -> RawEvent:
    """Version 2 had no steps."""
    return {**event, "step": -1} if event["kind"] == "MetricsLogged" else event


SCHEMA = EventSchema(3, {1: upcast_v1_v2, 2: upcast_v2_v3})


def _log(home: Path, ids: CountingIds, schema: EventSchema = SCHEMA) -> JournalEventLog:
    return JournalEventLog(home, clock=ManualClock(), ids=ids, target="memory", schema=schema)


def _journal_of(home: Path, ids: CountingIds, *events: tuple[int, bytes]) -> str:
    """One writer's journal with these events of these versions."""
    log = _log(home, ids)
    log.append(metric(0))
    log.close()
    segment = max((home / "journal").iterdir())
    head, _ = segment.read_bytes().splitlines(keepends=True)
    lines = [
        frame(b'{"seq":%d,"at":5,"run":null,"v":%d,"group":[0,1],"event":%b}' % (sequence, version, event))
        for sequence, (version, event) in enumerate(events, 1)
    ]
    segment.write_bytes(head + b"".join(lines))
    return log.writer


def test_events_of_all_versions_are_read_as_of_the_current_one(tmp_path: Path) -> None:
    ids = CountingIds()
    _journal_of(
        tmp_path,
        ids,
        (1, b'{"kind":"MetricLogged","name":"loss","value":"NaN"}'),
        (2, b'{"kind":"MetricsLogged","metrics":{"loss":2.0}}'),
        (3, b'{"kind":"MetricsLogged","metrics":{"loss":3.0},"step":3}'),
        (1, b'{"kind":"RunHeartbeat"}'),
    )
    log = _log(tmp_path, ids)
    read = [envelope.event for envelope in log.read()]
    assert log.damage() == ()
    assert [(repr(e.metrics), e.step) for e in read if isinstance(e, MetricsLogged)] == [
        ("{'loss': nan}", -1),
        ("{'loss': 2.0}", -1),
        ("{'loss': 3.0}", 3),
    ]
    assert read[3].kind == "RunHeartbeat"
    assert {envelope.schema_version for envelope in log.read()} == {CURRENT_SCHEMA.version}


@pytest.mark.parametrize(
    ("version", "event"),
    [
        (4, b'{"kind":"RunHeartbeat"}'),
        (0, b'{"kind":"RunHeartbeat"}'),
        (1, b'{"kind":"MetricLogged","value":1}'),
        (1, b'{"kind":"MetricLogged","name":"loss","value":"much"}'),
        (2, b'["RunHeartbeat"]'),
        (3, b'{"kind":"Teleported"}'),
    ],
)
def test_what_no_version_wrote_holds_its_writer_only(tmp_path: Path, version: int, event: bytes) -> None:
    ids = CountingIds()
    writer = _journal_of(tmp_path, ids, (3, b'{"kind":"RunHeartbeat"}'), (version, event))
    log = _log(tmp_path, ids)
    log.append(metric(1))
    assert [(e.writer, e.sequence) for e in log.read()] == [(writer, 1), (log.writer, 1)]
    assert [(damage.writer, damage.fault) for damage in log.damage()] == [(writer, Fault.UNKNOWN)]


def test_a_run_key_of_a_kind_to_come_holds_its_writer_only(tmp_path: Path) -> None:
    ids = CountingIds()
    writer = _journal_of(tmp_path, ids, (3, b'{"kind":"RunHeartbeat"}'))
    segment = max((tmp_path / "journal").iterdir())
    head, line = segment.read_bytes().splitlines(keepends=True)
    segment.write_bytes(head + frame(line[9:-1].replace(b'"run":null', b'"run":"rk9:%b"' % (b"a" * 64))))
    log = _log(tmp_path, ids)
    log.append(metric(1))
    assert [e.writer for e in log.read()] == [log.writer]
    assert [(damage.writer, damage.fault) for damage in log.damage()] == [(writer, Fault.UNKNOWN)]
