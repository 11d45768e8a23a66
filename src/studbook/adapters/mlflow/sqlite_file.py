"""Asking a SQLite database directly, its errors told in our own words."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from ...domain.errors import StoreSchemaMismatch, TrackingUnavailable


@contextmanager
def asked(database: Path, *, patience_s: float) -> Iterator[sqlite3.Connection]:
    """A connection to a database that is there, for questions; another's lock is waited for.

    Raises TrackingUnavailable, and StoreSchemaMismatch when the file is no database.
    """
    # Writable, so that the journal of a writer that was killed is rolled back and not stumbled over.
    uri = f"{database.absolute().as_uri()}?mode=rw"
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=patience_s)) as connection:
            yield connection
    except sqlite3.OperationalError as error:
        raise TrackingUnavailable(
            f"the database {database} cannot be read: {error}",
            cure="repeat when nothing else holds it; check its permissions",
        ) from error
    except sqlite3.DatabaseError as error:
        raise StoreSchemaMismatch(
            f"{database} is no usable SQLite database: {error}",
            cure="give another tracking URI, or restore the file from a backup",
        ) from error
