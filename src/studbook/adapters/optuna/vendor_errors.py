"""What Optuna and its database raise, in studbook's words. One place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ...domain.errors import StudyInvalid, SweepError
from ...domain.redaction import redact


@contextmanager
def storage_of_a_new_study(url: str) -> Iterator[None]:
    """Around opening: a URL that can never work is StudyInvalid, a silent database SweepError."""
    from sqlalchemy.exc import ArgumentError

    try:
        with storage_in_use():
            yield
    except ArgumentError:
        # Neither the URL nor the cause is quoted: what does not parse may hold a password anywhere.
        raise StudyInvalid(
            f"the study storage URL is not one of a database: {_scheme(url)}",
            cure="use sqlite:///path/optuna.db or postgresql+psycopg://host/database",
        ) from None
    except RuntimeError as error:
        raise SweepError(
            f"the study storage {redact(url)!r} was made by another version of Optuna",
            cure="run `optuna storage upgrade --storage <url>`, or install the version that made it",
        ) from error
    except ImportError as error:
        raise StudyInvalid(
            f"no driver for the study storage {redact(url)!r} is installed",
            cure="install the database's Python driver, or use sqlite",
        ) from error


def _scheme(url: str) -> str:
    scheme, separator, _ = url.partition("://")
    return f"unknown scheme {scheme!r}" if separator else "it has no scheme"


@contextmanager
def storage_in_use() -> Iterator[None]:
    """Around every later call: a storage that fails is SweepError, once its own retries are used up."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import ArgumentError, SQLAlchemyError

    try:
        yield
    except ArgumentError:
        raise
    except (StorageInternalError, SQLAlchemyError, OSError) as error:
        raise SweepError(
            f"the study storage does not answer: {redact(str(error.__cause__ or error)).splitlines()[0]}",
            cure="check that its folder or server can be reached and written, then start the sweep again: "
            "it goes on where it was",
        ) from error
