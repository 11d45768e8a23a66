"""What can be wrong with a SQLite database of MLflow: its file, revision, workspaces, statistics, artifact roots."""

from __future__ import annotations

import shlex
import sqlite3
from pathlib import Path

from ...ports.checkup import Check, Finding, ok, problem, warning
from ..system.file_system import existing, file_system_of, free_bytes, is_network, is_writable
from .artifact_roots import roots_finding
from .database_findings import LOCATIONS, RUNS, WORKSPACES, statistics_finding, workspaces_finding
from .first_start import check_revision
from .sqlite_file import asked

_BUSY_S = 5.0
_LITTLE_BYTES = 1_000_000_000
_OLDEST_SQLITE = (3, 31, 0)


class SqliteCheckup:
    """Looks at a SQLite database that need not exist, and never makes it."""

    def __init__(self, database: Path, artifact_root: str) -> None:
        self._database = database
        self._artifact_root = artifact_root

    def checks(self) -> tuple[Check, ...]:
        """From the file to what it holds."""
        return (
            Check("database", self._file),
            Check("file system", self._file_system),
            Check("first start", self._first_start, ("database",)),
            Check("schema", self._schema, ("database",)),
            Check("workspaces", self._workspaces, ("database", "schema")),
            Check("statistics", self._statistics, ("database", "schema")),
            Check("artifact root", self._artifact_roots, ("database", "schema")),
        )

    def _file(self) -> Finding:
        database = self._database
        if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
            return problem(
                f"SQLite {sqlite3.sqlite_version}; MLflow needs 3.31 or newer", "use a newer Python"
            )
        for place in (database, database.parent):
            if not is_writable(place):
                return problem(
                    f"{place} cannot be written by this user",
                    "give the file and its folder to this user, or name another target: --tracking-uri",
                )
        if free_bytes(database) < _LITTLE_BYTES:
            return warning(
                f"{free_bytes(database) / 1e9:.2f} GB free on the disk of {database}", "free space there"
            )
        if not database.exists():
            return ok(f"{database} is not there yet; it is made at first use")
        return ok(f"{database}, {database.stat().st_size:,} bytes, can be written")

    def _file_system(self) -> Finding:
        kind = file_system_of(existing(self._database))
        if is_network(kind):
            return problem(
                f"the database is on a network file system ({kind}), whose locks SQLite cannot rely on",
                "put it on a disk of this machine, or put an MLflow server before it",
            )
        return ok(kind or "this system does not tell on which file system the database is")

    def _first_start(self) -> Finding:
        database = self._database
        lock = database.with_name(f"{database.name}.init.lock")
        if not database.exists() and lock.exists() and not _is_free(lock):
            return warning("another process is making the database now", "repeat in a minute")
        aside = sorted(database.parent.glob(f"{database.name}.init-*"))
        if aside:
            return warning(
                f"a process that was making the database died, and left {', '.join(map(str, aside))}",
                "delete these files when no program that uses this target is starting",
            )
        return ok("done" if database.exists() else "to come")

    def _schema(self) -> Finding:
        revision = check_revision(self._database, patience_s=_BUSY_S)
        return ok("to be made" if revision is None else f"revision {revision}, that of the installed MLflow")

    def _workspaces(self) -> Finding:
        return workspaces_finding(str(name) for (name,) in self._rows(WORKSPACES))

    def _statistics(self) -> Finding:
        ((runs,),) = self._rows(RUNS) or [(0,)]
        known = bool(self._rows("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_stat1'"))
        program = f"import sqlite3; sqlite3.connect({str(self._database)!r}).execute('ANALYZE')"
        return statistics_finding(int(str(runs)), f"python -c {shlex.quote(program)}", known=known)

    def _artifact_roots(self) -> Finding:
        rows = self._rows(LOCATIONS)
        return roots_finding([self._artifact_root, *(str(place) for (place,) in rows if place)], here=True)

    def _rows(self, question: str) -> list[tuple[object, ...]]:
        """The answer; nothing from a database that is not there."""
        if not self._database.exists() or not self._database.stat().st_size:
            return []
        with asked(self._database, patience_s=_BUSY_S) as connection:
            return connection.execute(question).fetchall()


def _is_free(lock: Path) -> bool:
    from filelock import FileLock

    try:
        with FileLock(lock, timeout=0):
            return True
    except OSError:  # a time-out, or somebody else's file
        return False
