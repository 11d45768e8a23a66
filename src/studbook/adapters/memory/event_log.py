"""An event log in memory: the fake of the journal. It keeps events as JSON text, as the journal does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping

from pydantic import ConfigDict, TypeAdapter
from pydantic_core import PydanticSerializationError

from ...domain.errors import EventRefused
from ...domain.events import Envelope
from ...domain.keys import RunKey
from ...domain.run_events import MetricsLogged
from ...ports.clock import Clock
from ...ports.event_log import Cursor, Happening
from ...ports.ids import Ids

_envelope: TypeAdapter[Envelope] = TypeAdapter(Envelope, config=ConfigDict(ser_json_inf_nan="strings"))


class MemoryJournal:
    """What the logs of one home share: every writer's events, in order."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.events: dict[str, list[bytes]] = {}


class MemoryEventLog:
    """An EventLog that ends with its process. Logs given the same `journal` read each other's events."""

    def __init__(self, clock: Clock, ids: Ids, *, journal: MemoryJournal | None = None) -> None:
        self.opened_at_ns = clock.now_ns()
        self.journal = journal if journal is not None else MemoryJournal()
        self._writer = ids.writer()
        self._closed = False

    @property
    def writer(self) -> str:
        """The id that this log appends as."""
        return self._writer

    def written(self) -> tuple[str, int] | None:
        """This writer and its last sequence; None before the first append."""
        with self.journal.lock:
            mine = self.journal.events.get(self._writer)
            return (self._writer, len(mine)) if mine else None

    def append(self, *happenings: Happening) -> tuple[Envelope, ...]:
        """Append all of them, or none."""
        with self.journal.lock:
            if self._closed:
                raise EventRefused("this event log is closed", cure="open the book again to record more")
            mine = self.journal.events.setdefault(self._writer, [])
            envelopes = tuple(
                Envelope(
                    writer=self._writer,
                    sequence=sequence,
                    occurred_at_ns=happening.occurred_at_ns,
                    run_key=happening.run_key,
                    event=happening.event,
                )
                for sequence, happening in enumerate(happenings, len(mine) + 1)
            )
            mine.extend([_text(envelope) for envelope in envelopes])
        return envelopes

    def append_metrics(
        self, run_key: RunKey, metrics: Mapping[str, float], step: int, occurred_at_ns: int
    ) -> None:
        """Append one MetricsLogged."""
        self.append(Happening(MetricsLogged(metrics=dict(metrics), step=step), run_key, occurred_at_ns))

    def read(self, after: Cursor | None = None) -> Iterator[Envelope]:
        """All events after the cursor, as they were when asked."""
        with self.journal.lock:
            ends = [(writer, lines, len(lines)) for writer, lines in sorted(self.journal.events.items())]
        return _events(ends, dict(after or {}))

    def newcomers(self) -> MemoryNewcomers:
        """What writers that are not there yet append."""
        return MemoryNewcomers(self.journal)

    def sync(self) -> None:
        """Memory has no power cut to survive."""

    def close(self) -> None:
        """Stop appending."""
        self._closed = True


class MemoryNewcomers:
    """Newcomers over a journal in memory. Used by one thread."""

    def __init__(self, journal: MemoryJournal) -> None:
        self._journal = journal
        with journal.lock:
            self._known = frozenset(journal.events)
        self._cursor: dict[str, int] = {}

    def read(self) -> tuple[Envelope, ...]:
        """Their events since the last call."""
        with self._journal.lock:
            ends = [
                (writer, lines, len(lines))
                for writer, lines in sorted(self._journal.events.items())
                if writer not in self._known
            ]
        found = tuple(_events(ends, self._cursor))
        self._cursor |= {writer: end for writer, _, end in ends}
        return found


def _events(ends: list[tuple[str, list[bytes], int]], after: dict[str, int]) -> Iterator[Envelope]:
    for writer, lines, end in ends:
        for line in lines[after.get(writer, 0) : end]:
            yield _envelope.validate_json(line)


def _text(envelope: Envelope) -> bytes:
    try:
        # Unlike pydantic's, this encoder refuses lone surrogates in the keys of mappings, too.
        json.dumps(_envelope.dump_python(envelope), ensure_ascii=False).encode()
        return _envelope.dump_json(envelope)
    except (PydanticSerializationError, UnicodeEncodeError) as error:
        raise EventRefused(
            f"{envelope.event.kind} holds a value that has no JSON text",
            cure="pass text that UTF-8 can write: no lone surrogates",
            kind=envelope.event.kind,
        ) from error
