"""One event, one line: `<crc32, 8 hex digits> <JSON>` and a line feed. The checksum covers the JSON.

The lines of one append know their place in it (`group`: position, size), so that a reader can tell a whole
append from a torn one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final
from zlib import crc32

import msgspec
from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from ...domain.errors import JournalError
from ...domain.events import SCHEMA_VERSION, Envelope, Event
from ...domain.keys import RunKey
from ...ports.event_log import Happening

_PREFIX: Final = 9
# The serializer writes U+FFFD in place of a lone surrogate in a mapping's key, without an error.
_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}".encode()

_event: TypeAdapter[Event] = TypeAdapter(Event)


class Line(msgspec.Struct, frozen=True):
    """A sound line, its event not yet parsed."""

    seq: int
    at: int
    run: str | None
    v: int
    group: tuple[int, int]
    event: msgspec.Raw

    @property
    def closes(self) -> bool:
        """Whether this is the last line of its append."""
        return self.group[0] == self.group[1] - 1

    def follows(self, earlier: Line) -> bool:
        """Whether this is the next line of the same append."""
        position, size = earlier.group
        return self.group == (position + 1, size) and self.seq == earlier.seq + 1


_line = msgspec.json.Decoder(Line)


class UnknownFormat(ValueError):
    """A sound line that this version cannot read."""


def frame(body: bytes) -> bytes:
    """The body as a line, with its checksum."""
    return b"%08x %b\n" % (crc32(body), body)


def unframe(raw: bytes) -> bytes | None:
    """The body of a line, or None when the line is not whole or its checksum does not hold."""
    body = raw[_PREFIX:-1]
    return body if raw == frame(body) else None


def encode(first_sequence: int, happenings: Sequence[Happening]) -> bytes:
    """The lines of one append. Raises JournalError when a value has no JSON text."""
    size = len(happenings)
    if size == 1:
        return frame(_body(first_sequence, happenings[0], 0, 1))
    return b"".join(
        frame(_body(first_sequence + position, happening, position, size))
        for position, happening in enumerate(happenings)
    )


def _body(sequence: int, happening: Happening, position: int, size: int) -> bytes:
    run = happening.run_key
    return b'{"seq":%d,"at":%d,"run":%b,"v":%d,"group":[%d,%d],"event":%b}' % (
        sequence,
        happening.occurred_at_ns,
        b"null" if run is None else b'"%b"' % run.encode(),
        SCHEMA_VERSION,
        position,
        size,
        _event_json(happening.event),
    )


def _event_json(event: Event) -> bytes:
    try:
        text = event.__pydantic_serializer__.to_json(event)
        if _REPLACEMENT in text:
            json.dumps(event.model_dump(), ensure_ascii=False).encode()
    except (PydanticSerializationError, UnicodeEncodeError) as error:
        raise JournalError(
            f"{event.kind} holds a value that has no JSON text",
            cure="pass text that UTF-8 can write: no lone surrogates",
            kind=event.kind,
        ) from error
    return text


def parse(raw: bytes) -> Line | None:
    """The line, or None when it is corrupt."""
    body = unframe(raw)
    if body is None:
        return None
    try:
        return _line.decode(body)
    except msgspec.DecodeError:
        return None


def envelope_of(line: Line, writer: str) -> Envelope:
    """The event of a sound line. Raises UnknownFormat when a newer version wrote it."""
    if line.v > SCHEMA_VERSION:
        raise UnknownFormat(f"event schema {line.v} is newer than {SCHEMA_VERSION}")
    try:
        return Envelope(
            writer=writer,
            sequence=line.seq,
            occurred_at_ns=line.at,
            run_key=None if line.run is None else RunKey(line.run),
            schema_version=line.v,
            event=_event.validate_json(bytes(line.event)),
        )
    except (ValidationError, RecursionError) as error:
        raise UnknownFormat("no event that this version knows") from error
