"""The delivery ledger on disk: one SQLite file per target, under `<home>/delivery/<target id>/`."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, Literal

from filelock import FileLock, Timeout

from ...domain.errors import HomeUnusable, JournalError
from ...domain.keys import RunKey
from ...domain.stage import Stage
from ...ports.delivery_ledger import NO_CHANGES, Refusal, RunChanges, StartedRun
from ...ports.event_log import Cursor
from .failures import cannot_open

_TARGET_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_BUSY_S: Final = 30.0

# A rollback journal, not a WAL: it needs no shared memory, which network file systems do not have.
_SCHEMA: Final = """
PRAGMA journal_mode = DELETE;
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS cursor (writer TEXT PRIMARY KEY, sequence INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS run (run_key TEXT PRIMARY KEY, run_id TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS refusal (
    writer TEXT NOT NULL, sequence INTEGER NOT NULL, run_key TEXT, reason TEXT NOT NULL,
    PRIMARY KEY (writer, sequence)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS dismissal (
    writer TEXT NOT NULL, sequence INTEGER NOT NULL, run_key TEXT, reason TEXT NOT NULL,
    PRIMARY KEY (writer, sequence)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS open_run (
    run_key TEXT NOT NULL, writer TEXT NOT NULL, project TEXT NOT NULL, stage TEXT NOT NULL, parent TEXT,
    seen_ns INTEGER NOT NULL,
    PRIMARY KEY (run_key, writer)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS problem (text TEXT NOT NULL);
"""


class JournalDeliveryLedger:
    """A DeliveryLedger that survives its process. `target_id` names the target's folder.

    Raises HomeUnusable when the folder cannot be used, JournalError when the file does not take or give back
    what it should. A process opens the file at its first call; threads share it.
    """

    def __init__(self, home: Path, target_id: str) -> None:
        if not _TARGET_ID.fullmatch(target_id):
            raise ValueError(f"{target_id!r} cannot name a folder on every system")
        self._folder = home / "delivery" / target_id
        self._path = self._folder / "ledger.db"
        self._lock = threading.RLock()
        self._open: tuple[int, sqlite3.Connection] | None = None

    @property
    def exists(self) -> bool:
        """Whether anything was recorded for this target; asking makes no file."""
        return self._path.is_file()

    @contextlib.contextmanager
    def lease(self, timeout_s: float) -> Iterator[bool]:
        """Hold the right to deliver, across processes; it ends with its process, too."""
        self._make_folder()
        lock = FileLock(self._folder / "lease.lock")
        try:
            lock.acquire(timeout=max(timeout_s, 0.0))
        except Timeout:
            yield False
            return
        except OSError as error:
            raise cannot_open(error, self._folder) from error
        try:
            yield True
        finally:
            lock.release()

    def cursor(self) -> Cursor:
        """Up to where each writer's events are delivered."""
        with self._transaction() as database:
            return dict(database.execute("SELECT writer, sequence FROM cursor"))

    def advance(self, cursor: Cursor, runs: RunChanges = NO_CHANGES) -> None:
        """Record that everything up to here is done, and what became of its runs; nothing moves backwards."""
        with self._transaction() as database:
            database.executemany(
                "INSERT INTO cursor VALUES (?, ?) ON CONFLICT (writer) DO UPDATE"
                " SET sequence = max(sequence, excluded.sequence)",
                cursor.items(),
            )
            database.executemany(
                "INSERT OR IGNORE INTO open_run VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (run.run_key, run.writer, run.project, run.stage, run.parent, run.seen_ns)
                    for run in runs.started
                ],
            )
            database.executemany(
                "UPDATE open_run SET seen_ns = max(seen_ns, ?) WHERE run_key = ?",
                [(seen_ns, run_key) for run_key, seen_ns in runs.seen.items()],
            )
            database.executemany(
                "DELETE FROM open_run WHERE run_key = ?", [(run_key,) for run_key in runs.ended]
            )

    def open_runs(self) -> tuple[StartedRun, ...]:
        """The delivered runs without an end, by run key and writer."""
        with self._transaction() as database:
            rows = database.execute(
                "SELECT run_key, writer, project, stage, parent, seen_ns FROM open_run"
                " ORDER BY run_key, writer"
            ).fetchall()
        return tuple(
            StartedRun(
                RunKey(run_key), writer, project, Stage(stage), RunKey(parent) if parent else None, seen_ns
            )
            for run_key, writer, project, stage, parent, seen_ns in rows
        )

    def run_id(self, run_key: RunKey) -> str | None:
        """The backend's id of a delivered run."""
        with self._transaction() as database:
            return _bound(database, run_key)

    def bind(self, run_key: RunKey, run_id: str) -> None:
        """Remember a run's backend id. Raises ValueError when another one is bound."""
        with self._transaction() as database:
            database.execute("INSERT OR IGNORE INTO run VALUES (?, ?)", (run_key, run_id))
            bound = _bound(database, run_key)
        if bound != run_id:
            raise ValueError(f"run {run_key} is bound to {bound}, not to {run_id}")

    def report(self, problem: str | None) -> None:
        """Remember what keeps the relay from delivering."""
        with self._transaction() as database:
            known = database.execute("SELECT text FROM problem").fetchone()
            if (known[0] if known else None) == problem:
                return
            database.execute("DELETE FROM problem")
            if problem is not None:
                database.execute("INSERT INTO problem VALUES (?)", (problem,))

    def problem(self) -> str | None:
        """What kept the relay from delivering when it last tried."""
        with self._transaction() as database:
            known = database.execute("SELECT text FROM problem").fetchone()
        return str(known[0]) if known else None

    def refuse(self, refusal: Refusal) -> None:
        """Keep a refusal; the first one of an event stays."""
        with self._transaction() as database:
            database.execute(
                "INSERT OR IGNORE INTO refusal SELECT ?1, ?2, ?3, ?4"
                " WHERE NOT EXISTS (SELECT 1 FROM dismissal WHERE writer = ?1 AND sequence = ?2)",
                _row(refusal),
            )

    def dismiss(self, refusals: Iterable[Refusal]) -> None:
        """Move the refusals to the dismissed ones."""
        rows = [_row(refusal) for refusal in refusals]
        with self._transaction() as database:
            database.executemany("INSERT OR IGNORE INTO dismissal VALUES (?, ?, ?, ?)", rows)
            database.executemany(
                "DELETE FROM refusal WHERE writer = ? AND sequence = ?", [row[:2] for row in rows]
            )

    def dismissed(self) -> tuple[Refusal, ...]:
        """All dismissed refusals, by writer and sequence."""
        return self._kept("dismissal")

    def forget_refusals(self, events: Iterable[tuple[str, int]]) -> None:
        """Drop the refusals of these events."""
        with self._transaction() as database:
            database.executemany("DELETE FROM refusal WHERE writer = ? AND sequence = ?", events)

    def refusals(self) -> tuple[Refusal, ...]:
        """All refusals, by writer and sequence."""
        return self._kept("refusal")

    def _kept(self, table: Literal["refusal", "dismissal"]) -> tuple[Refusal, ...]:
        with self._transaction() as database:
            rows = database.execute(
                f"SELECT writer, sequence, run_key, reason FROM {table} ORDER BY writer, sequence"  # noqa: S608  # ours
            ).fetchall()
        return tuple(
            Refusal(writer, sequence, RunKey(run_key) if run_key is not None else None, reason)
            for writer, sequence, run_key, reason in rows
        )

    def close(self) -> None:
        """Give the file back. Closing twice is fine; a later call opens it again."""
        with self._lock:
            opened, self._open = self._open, None
            if opened is not None and opened[0] == os.getpid():
                opened[1].close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                database = self._connection()
                with database:
                    yield database
            except sqlite3.Error as error:
                raise _translated(error, self._path) from error

    def _connection(self) -> sqlite3.Connection:
        if self._open is not None and self._open[0] == os.getpid():
            return self._open[1]
        self._make_folder()
        # Python before 3.12 knows no autocommit=False: transactions begin by themselves at the first write.
        database = sqlite3.connect(self._path, timeout=_BUSY_S, check_same_thread=False)
        database.executescript(_SCHEMA)
        self._open = (os.getpid(), database)
        return database

    def _make_folder(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_open(error, self._folder) from error


def _row(refusal: Refusal) -> tuple[str, int, str | None, str]:
    return refusal.writer, refusal.sequence, refusal.run_key, refusal.reason


def _bound(database: sqlite3.Connection, run_key: RunKey) -> str | None:
    row = database.execute("SELECT run_id FROM run WHERE run_key = ?", (run_key,)).fetchone()
    return str(row[0]) if row is not None else None


def _translated(error: sqlite3.Error, path: Path) -> HomeUnusable | JournalError:
    if error.sqlite_errorcode in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}:
        return HomeUnusable(
            f"{path} cannot be used: {error}",
            cure="choose a writable folder with --home, STUDBOOK_HOME or home: in studbook.yaml",
            path=str(path),
        )
    if error.sqlite_errorcode in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return JournalError(
            f"{path} is no sound database",
            cure="move the file away: everything is then delivered again, which changes nothing in the store",
            path=str(path),
        )
    return JournalError(
        f"{path} did not answer: {error}",
        cure="free some space, end whoever locks the file, then repeat",
        path=str(path),
    )
