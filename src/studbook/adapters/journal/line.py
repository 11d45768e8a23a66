"""One event, one line: `<crc32, 8 hex digits> <JSON>` and a line feed. The checksum covers the JSON.

The lines of one append know their place in it (`group`: position, size), so that a reader can tell a whole
append from a torn one.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from typing import Final
from zlib import crc32

import msgspec
from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from ...domain.errors import EventRefused, IdentityError
from ...domain.events import SCHEMA_VERSION, Envelope, Event
from ...domain.keys import RunKey
from ...domain.upcasting import CURRENT_SCHEMA, EventSchema
from ...ports.event_log import Happening

_PREFIX: Final = 9
# The serializer writes U+FFFD in place of a lone surrogate in a mapping's key, without an error.
_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}".encode()

_event: TypeAdapter[Event] = TypeAdapter(Event)


class Line(msgspec.Struct, frozen=True, gc=False):
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


class _Metrics(msgspec.Struct, tag_field="kind", tag="MetricsLogged"):
    metrics: Mapping[str, float]
    step: int


class MetricsLine(msgspec.Struct):
    """The line of one run's MetricsLogged, filled anew for each: several times faster than `encode`."""

    seq: int
    at: int
    run: str
    v: int
    group: tuple[int, int]
    event: _Metrics

    @classmethod
    def of(cls, run_key: RunKey) -> MetricsLine:
        """The line of this run, to be filled."""
        return cls(0, 0, str(run_key), SCHEMA_VERSION, (0, 1), _Metrics({}, 0))

    def encode(
        self, sequence: int, occurred_at_ns: int, metrics: Mapping[str, float], step: int
    ) -> bytes | None:
        """The framed line; None for what only `encode` can write: NaN, infinity, an int beyond 64 bits."""
        for value in metrics.values():
            if type(value) is not float or value - value:  # NaN, for what is not finite
                return None
        event = self.event
        self.seq, self.at, event.metrics, event.step = sequence, occurred_at_ns, metrics, step
        try:
            body = _encode(self)
        except (TypeError, ValueError, OverflowError):
            return None
        return b"%08x %b\n" % (crc32(body), body)


_line = msgspec.json.Decoder(Line)
_encode = msgspec.json.Encoder().encode


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
    """The lines of one append. Raises EventRefused when a value has no JSON text."""
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
        raise EventRefused(
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


def envelope_of(line: Line, writer: str, schema: EventSchema = CURRENT_SCHEMA) -> Envelope:
    """The event of a sound line, as the current version says it. Raises UnknownFormat when a newer one wrote it."""
    if not 1 <= line.v <= schema.version:
        raise UnknownFormat(f"event schema {line.v} is not one of 1 to {schema.version}")
    try:
        return Envelope(
            writer=writer,
            sequence=line.seq,
            occurred_at_ns=line.at,
            run_key=None if line.run is None else _run_key(line.run),
            event=_event.validate_json(_upcast(line, schema)),
        )
    except (ValidationError, IdentityError, RecursionError) as error:
        raise UnknownFormat("no event that this version knows") from error


@functools.lru_cache(maxsize=256)
def _run_key(text: str) -> RunKey:
    """Checked once, because a run's events stand together, thousands of them."""
    return RunKey(text)


def _upcast(line: Line, schema: EventSchema) -> bytes | str:
    """The line's event as JSON of the current version."""
    if line.v == schema.version:
        return bytes(line.event)
    event = json.loads(bytes(line.event))
    try:
        return json.dumps(schema.upcast(event, line.v))
    except (KeyError, TypeError, ValueError) as error:
        raise UnknownFormat(f"an event of schema {line.v} that its upcaster does not know") from error
