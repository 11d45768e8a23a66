"""The event log on disk: this process appends to its own segments and reads everybody's."""

from __future__ import annotations

import functools
import os
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Final

from ...domain.errors import EventRefused
from ...domain.events import Envelope
from ...domain.keys import RunKey
from ...domain.run_events import MetricsLogged, ParamsLogged, RunHeartbeat, TagsSet
from ...domain.upcasting import CURRENT_SCHEMA, EventSchema
from ...ports.clock import Clock
from ...ports.event_log import Cursor, Happening
from ...ports.ids import Ids
from ...ports.log import get_logger
from .damage import Damage
from .failures import cannot_write
from .line import MetricsLine, encode
from .newcomers import JournalNewcomers
from .reading import JournalReader, nobody_lives
from .segment import Head, Segment
from .writing import SEGMENT_BYTES, JournalWriter

_DATA: Final = frozenset({MetricsLogged, ParamsLogged, TagsSet, RunHeartbeat})
_KNOWN_RUNS: Final = 1024

_log = get_logger(__name__)


class Fsync(StrEnum):
    """Which appends wait for the disk: all, all but metrics, params, tags and heartbeats, or none. `sync` does
    the rest. A killed process loses nothing either way; a power cut may.
    """

    ALWAYS = "always"
    LIFECYCLE = "lifecycle"
    NEVER = "never"


class JournalEventLog:
    """An EventLog under `<home>/journal/`. `target` is the tracking target's display text, without secrets.

    It reads what was recorded for the same target, whoever wrote it. The segment is made at the first append. A
    forked child goes on as another writer. A segment that did not take an append whole, or has `segment_bytes`,
    is followed by a new one; one that is deleted while it is open is written again.
    """

    def __init__(
        self,
        home: Path,
        *,
        clock: Clock,
        ids: Ids,
        target: str,
        project: str = "",
        fsync: Fsync = Fsync.LIFECYCLE,
        segment_bytes: int = SEGMENT_BYTES,
        alive: Callable[[str], bool] = nobody_lives,
        schema: EventSchema = CURRENT_SCHEMA,
    ) -> None:
        self._home = home
        self._folder = home / "journal"
        self._clock = clock
        self._ids = ids
        self._target = target
        self._project = project
        self._fsync = fsync
        self._always = fsync is Fsync.ALWAYS  # an enum's member costs too much in a training loop
        self._segment_bytes = segment_bytes
        self._closed = False
        self._alive = alive
        self._reader = JournalReader(home, alive=alive, target=target, schema=schema)
        self._begin()
        _at_forks().add(self)

    def _begin(self) -> None:
        """Be a writer that has written nothing."""
        self._lock = threading.RLock()
        self._writing: JournalWriter | None = None
        self._metrics_lines: dict[RunKey, MetricsLine] = {}

    def _writing_now(self) -> JournalWriter:
        if self._writing is None:
            self._writing = JournalWriter(
                self._folder,
                self._ids.writer(),
                clock=self._clock,
                target=self._target,
                project=self._project,
                fsync=self._fsync is not Fsync.NEVER,
                segment_bytes=self._segment_bytes,
            )
        return self._writing

    @property
    def writer(self) -> str:
        """The id of the one writer that this log appends as, in this process."""
        with self._lock:
            return self._writing_now().writer

    def written(self) -> tuple[str, int] | None:
        """This writer and the last sequence that it appended; None before the first append."""
        with self._lock:
            writing = self._writing
            last = 0 if writing is None else writing.next_sequence() - 1
            return None if writing is None or last == 0 else (writing.writer, last)

    def append(self, *happenings: Happening) -> tuple[Envelope, ...]:
        """Append all of them in one write, or none. Raises HomeUnusable, JournalError."""
        if not happenings:
            return ()
        with self._lock:
            writing = self._writing_open()
            first = writing.next_sequence()
            envelopes = tuple(
                [
                    Envelope(
                        writer=writing.writer,
                        sequence=sequence,
                        occurred_at_ns=happening.occurred_at_ns,
                        run_key=happening.run_key,
                        event=happening.event,
                    )
                    for sequence, happening in enumerate(happenings, first)
                ]
            )
            segment = writing.write(len(happenings), encode(first, happenings))
        if self._waits_for_disk(happenings):
            self._sync_kept(segment)
        return envelopes

    def append_metrics(
        self, run_key: RunKey, metrics: Mapping[str, float], step: int, occurred_at_ns: int
    ) -> None:
        """Append one MetricsLogged. Raises HomeUnusable, JournalError."""
        with self._lock:
            writing = self._writing
            if writing is None or self._closed:
                writing = self._writing_open()
            line = self._metrics_lines.get(run_key) or self._metrics_line(run_key)
            data = line.encode(writing.next_sequence(), occurred_at_ns, metrics, step)
            if data is not None:
                segment = writing.write(1, data)
        if data is None:
            self.append(Happening(MetricsLogged(metrics=dict(metrics), step=step), run_key, occurred_at_ns))
        elif self._always:
            self._sync_kept(segment)

    def read(self, after: Cursor | None = None) -> Iterator[Envelope]:
        """All sound events after the cursor; what is not sound is told by `damage`."""
        return self._reader.read(after or {})

    def newcomers(self) -> JournalNewcomers:
        """What writers append whose segments are not there yet."""
        return JournalNewcomers(self._home, target=self._target, alive=self._alive)

    def damage(self) -> tuple[Damage, ...]:
        """What the reads so far could not give back."""
        return self._reader.damage()

    def torn(self) -> int:
        """How many segments ended in an unfinished append when they were last read."""
        return self._reader.torn()

    def heads(self) -> tuple[Head, ...]:
        """The heads of all segments: which writer's events are for which target."""
        return self._reader.heads()

    def sync(self) -> None:
        """Make everything appended so far survive a power cut; at once when it does. Raises JournalError when the
        disk refuses.
        """
        segment = self._writing.segment if self._writing is not None else None
        if segment is None or not segment.unsynced:
            return
        try:
            self._sync(segment)
        except OSError as error:
            raise cannot_write(error, segment.path) from error

    def close(self) -> None:
        """Stop appending, and sync. Closing twice is fine; reading goes on."""
        with self._lock:
            self._closed = True
            if self._writing is not None:
                self._writing.close()

    def _writing_open(self) -> JournalWriter:
        if self._closed:
            raise EventRefused("this event log is closed", cure="open the book again to record more")
        return self._writing_now()

    def _metrics_line(self, run_key: RunKey) -> MetricsLine:
        if len(self._metrics_lines) >= _KNOWN_RUNS:
            self._metrics_lines.clear()
        line = self._metrics_lines[run_key] = MetricsLine.of(run_key)
        return line

    def _sync_kept(self, segment: Segment) -> None:
        """Sync events that are kept and readable already: only a power cut could take them back."""
        try:
            self._sync(segment)
        except OSError as error:
            _log.warning("journal sync failed", segment=segment.path.name, reason=error.strerror)

    def _sync(self, segment: Segment) -> None:
        if segment.removed():
            with self._lock:
                segment.restore()
            _log.error("journal segment was removed, and is written again", segment=segment.path.name)
        segment.sync()

    def _waits_for_disk(self, happenings: tuple[Happening, ...]) -> bool:
        if self._fsync is Fsync.LIFECYCLE:
            return not _DATA.issuperset([type(happening.event) for happening in happenings])
        return self._fsync is Fsync.ALWAYS


@functools.cache
def _at_forks() -> weakref.WeakSet[JournalEventLog]:
    """The logs that begin anew in a forked child: its parent owns their segments and may hold their locks."""
    logs: weakref.WeakSet[JournalEventLog] = weakref.WeakSet()

    def begin_anew() -> None:
        for log in logs:
            log._begin()  # noqa: SLF001

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=begin_anew)
    return logs
