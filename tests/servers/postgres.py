"""A PostgreSQL server on loopback, in a folder of its own, without passwords."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

from .mlflow_server import free_port

_HOST = "127.0.0.1"
_USER = "tests"
_NOBODY = "nobody"
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True)
class Postgres:
    """A running server."""

    port: int
    folder: Path

    def uri(self, database: str) -> str:
        """The URI of a database, as people write it."""
        return f"postgresql://{_USER}@{_HOST}:{self.port}/{database}"

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """The rows of a statement, on a connection of its own, outside of a transaction."""
        import psycopg2

        with closing(psycopg2.connect(self.uri(database))) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return [] if cursor.description is None else cursor.fetchall()

    @contextmanager
    def asking_for_passwords(self, user: str) -> Iterator[None]:
        """Meanwhile the server asks this user for the password."""
        rules = self.folder / "data" / "pg_hba.conf"
        before = rules.read_text()
        rules.write_text(f"host all {user} {_HOST}/32 scram-sha-256\n{before}")
        self.execute("SELECT pg_reload_conf()")
        try:
            yield
        finally:
            rules.write_text(before)
            self.execute("SELECT pg_reload_conf()")

    def databases(self, template: str) -> Callable[[], str]:
        """Gives, at each call, the URI of a new copy of the database."""
        numbers = count()

        def copy() -> str:
            name = f"{template}_{os.getpid()}_{next(numbers)}"
            self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
            return self.uri(name)

        return copy


def name_of(uri: str) -> str:
    """The database that the URI names."""
    return uri.rpartition("/")[2]


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A server that is stopped, and its folder removed, at the end."""
    # Of its own: an unprivileged user may not look into the folders of whoever runs the tests.
    folder = Path(tempfile.mkdtemp(prefix="studbook-postgres-"))
    run = _unprivileged(folder)
    server = Postgres(free_port(), folder)
    data, binaries = folder / "data", _binaries()
    settings = {
        "listen_addresses": _HOST,
        "port": str(server.port),
        "unix_socket_directories": str(folder),
        **_FAST,
    }
    try:
        run(
            [
                binaries / "initdb",
                "-A",
                "trust",
                "-U",
                _USER,
                "-E",
                "UTF8",
                "--locale=C",
                "--no-sync",
                "-D",
                data,
            ]
        )
        with (data / "postgresql.conf").open("a") as configuration:
            configuration.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
        run([binaries / "pg_ctl", "-w", "-D", data, "-l", folder / "server.log", "start"])
        try:
            yield server
        finally:
            run([binaries / "pg_ctl", "-w", "-D", data, "-m", "immediate", "stop"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged(folder: Path) -> Callable[[Sequence[str | Path]], None]:
    """Runs commands as a user that PostgreSQL accepts: it refuses root."""
    if os.geteuid() != 0:
        return _run
    nobody = pwd.getpwnam(_NOBODY)
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return partial(_run, user=nobody.pw_uid, group=nobody.pw_gid)


def _run(command: Sequence[str | Path], *, user: int | None = None, group: int | None = None) -> None:
    # Into a file, and not a pipe: the server inherits it, and would keep the pipe open.
    with tempfile.TemporaryFile() as said:
        groups = None if group is None else [group]
        ended = subprocess.run(
            command,
            stdout=said,
            stderr=said,
            cwd="/",
            user=user,
            group=group,
            extra_groups=groups,
            check=False,
        )
        if ended.returncode:
            said.seek(0)
            raise AssertionError(
                f"{Path(command[0]).name} failed: {said.read().decode(errors='replace')[-2000:]}"
            )


def _binaries() -> Path:
    """Where initdb lies: distributions keep it off the path."""
    if found := shutil.which("initdb"):
        return Path(found).parent
    versions = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3])
    )
    if not versions:
        raise AssertionError("PostgreSQL is not installed: `make test` installs it, or says how")
    return versions[-1].parent
