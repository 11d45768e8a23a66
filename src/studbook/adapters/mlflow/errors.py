"""MLflow's, SQLAlchemy's and requests' errors, told in our own words: the one place where they are read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from ...domain.errors import (
    RunNotFound,
    TrackingDenied,
    TrackingError,
    TrackingRefused,
    TrackingUnavailable,
)

_TRANSIENT_STATUS = frozenset({408, 429, 500, 502, 503, 504})
_TRANSIENT_CODES = frozenset(
    {
        "TEMPORARILY_UNAVAILABLE",
        "REQUEST_LIMIT_EXCEEDED",
        "RESOURCE_EXHAUSTED",
        "DEADLINE_EXCEEDED",
        "SERVICE_UNDER_MAINTENANCE",
        "WORKSPACE_TEMPORARILY_UNAVAILABLE",
        "COULD_NOT_ACQUIRE_LOCK",
        "ABORTED",
    }
)
_DENIED_CODES = frozenset({"UNAUTHENTICATED", "PERMISSION_DENIED", "CUSTOMER_UNAUTHORIZED"})
_MISSING_CODES = frozenset({"RESOURCE_DOES_NOT_EXIST", "NOT_FOUND"})
# What a program error in the SQL store ends as: `INTERNAL_ERROR`, caused by one of these.
_PROGRAM_ERRORS = (ValueError, TypeError, ArithmeticError, LookupError, AttributeError)
_CREDENTIALS = re.compile(r"://[^/\s@]*@")
_LONGEST = 200


@contextmanager
def translated(*, run_id: str | None = None) -> Iterator[None]:
    """Raise a vendor's error as one of the TrackingError tree; `run_id` is what the call was about.

    `details["code"]` is MLflow's error code. Never decides by a message: ids and numbers contain "429".
    """
    try:
        yield
    except _vendor_errors() as error:
        raise translation(error, run_id=run_id) from error


def translation(error: Exception, *, run_id: str | None = None) -> TrackingError:
    """Our error for a vendor's."""
    from mlflow.exceptions import MlflowException

    said = _first_line(error)
    if not isinstance(error, MlflowException):
        return _unavailable(said, "UNREACHABLE")
    code = str(error.error_code)
    if code in _MISSING_CODES and run_id is not None:
        return RunNotFound(f"no run has the id {run_id!r}", cure="check the id", run_id=run_id, code=code)
    if code in _DENIED_CODES:
        return TrackingDenied(
            f"the tracking backend refuses these credentials: {said}",
            cure="check the credentials that MLflow uses for this target",
            code=code,
        )
    if code in _TRANSIENT_CODES:
        return _unavailable(said, code)
    status = error.get_http_status_code()  # type: ignore[no-untyped-call]
    if status in _TRANSIENT_STATUS and not isinstance(error.__cause__, _PROGRAM_ERRORS):
        return _unavailable(said, code)
    return TrackingRefused(
        f"the tracking backend refuses this: {said}",
        cure="correct what it names; repeating will not help",
        code=code,
    )


def _unavailable(said: str, code: str) -> TrackingUnavailable:
    return TrackingUnavailable(
        f"the tracking backend cannot serve now: {said}",
        cure="repeat later; check that the server runs, or that the database is writable",
        code=code,
    )


def _vendor_errors() -> tuple[type[Exception], ...]:
    from mlflow.exceptions import MlflowException
    from requests import RequestException

    try:
        from sqlalchemy.exc import SQLAlchemyError
    except ImportError:  # mlflow-skinny, which has servers only
        return (MlflowException, RequestException)
    return (MlflowException, RequestException, SQLAlchemyError)


def _first_line(error: Exception) -> str:
    """What was said, without the statement and its parameters, which follow on later lines."""
    text = str(error).strip() or type(error).__name__
    return _CREDENTIALS.sub("://", text.splitlines()[0])[:_LONGEST]
