"""What a database server says is wrong: read from the SQLSTATE of its driver's error."""

from __future__ import annotations

import re
from enum import StrEnum


class Trouble(StrEnum):
    """Troubles of the database, none of which is the statement's fault."""

    UNAVAILABLE = "UNAVAILABLE"
    DENIED = "DENIED"
    NO_DATABASE = "NO_DATABASE"


# Connection lost; rolled back (serialization, deadlock); out of resources; a lock or server not ready; cancelled,
# a statement's time-out among it; system and internal errors.
_PASSING_CLASSES = frozenset({"08", "40", "53", "55", "57", "58", "XX"})
# A replica that only reads; tables or columns that are not there, as in a restore that is under way.
_PASSING = frozenset({"25006", "42P01", "42703", "3F000"})
_DENIED_CLASS = "28"
_DENIED = "42501"
_NO_DATABASE = "3D000"
# libpq gives a connection that the server refuses no SQLSTATE: its words are all there is. Other words, as those of
# a server that speaks another language, read as an outage.
_DENIED_WORDS = re.compile(
    r'FATAL:\s+(password authentication failed|no pg_hba\.conf entry|pg_hba\.conf rejects|role "[^"]*" does not exist'
    r"|\S+ authentication failed)|no password supplied"
)
_NO_DATABASE_WORDS = re.compile(r'FATAL:\s+database "[^"]*" does not exist')


def database_trouble(error: BaseException) -> tuple[Trouble, str] | None:
    """The trouble and its SQLSTATE, or UNREACHABLE; None when there is none, or no SQLSTATE tells.

    `error` is SQLAlchemy's, or MLflow's that one has caused.
    """
    from sqlalchemy.exc import DBAPIError, OperationalError

    cause = error if isinstance(error, DBAPIError) else error.__cause__
    if not isinstance(cause, DBAPIError):
        return None
    state = getattr(cause.orig, "sqlstate", None) or getattr(cause.orig, "pgcode", None)
    if isinstance(state, str) and state:
        return _by_state(state)
    if isinstance(cause, OperationalError) and cause.statement is None:
        return _by_words(str(cause.orig)), "UNREACHABLE"
    return None


def _by_state(state: str) -> tuple[Trouble, str] | None:
    if state == _DENIED or state.startswith(_DENIED_CLASS):
        return Trouble.DENIED, state
    if state == _NO_DATABASE:
        return Trouble.NO_DATABASE, state
    if state in _PASSING or state[:2] in _PASSING_CLASSES:
        return Trouble.UNAVAILABLE, state
    return None


def _by_words(words: str) -> Trouble:
    if _DENIED_WORDS.search(words):
        return Trouble.DENIED
    return Trouble.NO_DATABASE if _NO_DATABASE_WORDS.search(words) else Trouble.UNAVAILABLE
