"""MLflow's, SQLAlchemy's and requests' errors, and a server's answers, told in our own words: the one place
where they are read. Nothing is decided by a message: ids and numbers contain "429".
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...domain.errors import (
    RunNotFound,
    TrackingDenied,
    TrackingError,
    TrackingRefused,
    TrackingUnavailable,
)
from .sql_errors import Trouble, database_trouble

if TYPE_CHECKING:
    from requests import RequestException
    from urllib3.exceptions import SSLError

UNKNOWN = "unknown"
"""`details["outcome"]` of a write that the backend may have done all the same."""
NO_MLFLOW = "NO_MLFLOW"
"""`details["code"]` when something answers, but no MLflow: repeating soon will not help."""
TLS = "TLS"
"""`details["code"]` when no trusted connection came about: repeating soon will not help either."""
PROXY = "PROXY"
"""`details["code"]` when the way leads through a proxy that cannot be used."""


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do about an answer, where that depends on who gave it: to credentials that are not known, to those that
    may not do this, and to an address behind which there is something else.
    """

    unauthenticated: str
    forbidden: str
    elsewhere: str


_MLFLOW_CREDENTIALS = (
    "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, to credentials that "
    "the server knows and that may do this"
)
OF_A_SERVER = Advice(
    _MLFLOW_CREDENTIALS,
    _MLFLOW_CREDENTIALS,
    "check the tracking URI; behind a proxy, name the address that it leads to",
)
"""The advice of an MLflow server."""

_TRANSIENT_STATUS = frozenset({408, 429, 500, 502, 503, 504})
_NOT_DONE_STATUS = frozenset({408, 429})
_UNAUTHENTICATED = 401
_DENIED_STATUS = frozenset({_UNAUTHENTICATED, 403})
_NOT_THE_API_STATUS = frozenset({404, 405})
_NOT_IMPLEMENTED = 501
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
_NO_CREDENTIALS_CODE = "UNAUTHENTICATED"
_DENIED_CODES = frozenset({_NO_CREDENTIALS_CODE, "PERMISSION_DENIED", "CUSTOMER_UNAUTHORIZED"})
_MISSING_CODES = frozenset({"RESOURCE_DOES_NOT_EXIST", "NOT_FOUND"})
# What a program error in the SQL store ends as: `INTERNAL_ERROR`, caused by one of these.
_PROGRAM_ERRORS = (ValueError, TypeError, ArithmeticError, LookupError, AttributeError)
# What OpenSSL says when the other side does not speak TLS at all: some of its versions, and others.
_NO_TLS_THERE = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"})
_CREDENTIALS = re.compile(r"://[^/\s@]*@")
_LONGEST = 200


@contextmanager
def translated(*, run_id: str | None = None) -> Iterator[None]:
    """Raise a vendor's error as one of the TrackingError tree; `run_id` is what the call was about.

    `details["code"]` is MLflow's error code.
    """
    try:
        yield
    except _vendor_errors() as error:
        raise translation(error, run_id=run_id) from error


def translation(error: Exception, *, run_id: str | None = None) -> TrackingError:
    """Our error for a vendor's."""
    from mlflow.exceptions import MlflowException
    from requests import RequestException

    said = _first_line(str(error) or type(error).__name__)
    if isinstance(error, RequestException) and error.response is not None:
        return answer_error(error.response.status_code, error.response.content, run_id=run_id)
    if found := _database_trouble(error):
        return _of_database(said, *found)
    if not isinstance(error, MlflowException):
        return _unavailable(said, code="UNREACHABLE")
    code = str(error.error_code)
    if code in _MISSING_CODES and run_id is not None:
        return _no_run(run_id, code)
    if code in _DENIED_CODES:
        return _denied(said, OF_A_SERVER.forbidden, code=code)
    if code in _TRANSIENT_CODES:
        return _unavailable(said, code=code)
    status = error.get_http_status_code()  # type: ignore[no-untyped-call]
    if status in _TRANSIENT_STATUS and not isinstance(error.__cause__, _PROGRAM_ERRORS):
        return _unavailable(said, code=code)
    return _refused(said, code=code)


def answer_error(
    status: int,
    content: bytes,
    *,
    run_id: str | None = None,
    retry_after_s: float | None = None,
    writes: bool = False,
    advice: Advice = OF_A_SERVER,
) -> TrackingError:
    """Our error for a server's answer that is not a success.

    `details` hold `status`, `code`, `retry_after_s` if the server said so, and, when it `writes` and may have
    been done, `outcome="unknown"`.
    """
    code, message = _error_of(content)
    said = _first_line(message) if message else f"HTTP {status}"
    details: dict[str, object] = {"code": code or f"HTTP_{status}", "status": status}
    if status in _DENIED_STATUS or code in _DENIED_CODES:
        unknown = status == _UNAUTHENTICATED or code == _NO_CREDENTIALS_CODE
        return _denied(said, advice.unauthenticated if unknown else advice.forbidden, **details)
    if code in _TRANSIENT_CODES or status in _NOT_DONE_STATUS or _is_server_error(status):
        if retry_after_s is not None:
            details["retry_after_s"] = retry_after_s
        if writes and status not in _NOT_DONE_STATUS:
            details["outcome"] = UNKNOWN
        return _unavailable(said, **details)
    if code in _MISSING_CODES and run_id is not None:
        return _no_run(run_id, code)
    if status < 400 or (code is None and status in _NOT_THE_API_STATUS):
        return no_mlflow(f"HTTP {status}", status=status, advice=advice)
    return _refused(said, **details)


def no_mlflow(said: str, *, status: int, advice: Advice = OF_A_SERVER) -> TrackingUnavailable:
    """Something else than MLflow answers at the target: nothing was refused, and nothing was done."""
    return TrackingUnavailable(
        f"what answers at the tracking URI is not an MLflow server: {said}",
        cure=advice.elsewhere,
        code=NO_MLFLOW,
        status=status,
    )


def unreadable_answer(status: int, *, writes: bool) -> TrackingUnavailable:
    """A success whose body is cut short, or is not what MLflow answers."""
    details: dict[str, object] = {"outcome": UNKNOWN} if writes else {}
    return TrackingUnavailable(
        "the tracking backend's answer is cut short, or is not MLflow's",
        cure="repeat; if it stays so, check the tracking URI, and any proxy before it",
        code="INVALID_RESPONSE",
        status=status,
        **details,
    )


def no_answer(error: Exception, *, writes: bool = False) -> TrackingError:
    """Our error for a request that was not answered: `code` is UNREACHABLE, PROXY, TLS, TIMEOUT or
    CONNECTION_LOST.
    """
    from requests import RequestException

    cause = error if isinstance(error, RequestException) else error.__cause__ or error.__context__
    if type(cause) is OSError and cause.errno is None:
        return _no_tls(str(cause))  # what requests says of a certificate's file that is not there
    if not isinstance(cause, RequestException):
        return translation(error)
    kind, reason = _reason(cause)
    if kind == TLS:
        return _no_tls(reason)
    if kind == PROXY:
        return _no_proxy(reason)
    if kind == "UNREACHABLE":
        return _unavailable(f"it cannot be reached ({reason})", code=kind)
    details: dict[str, object] = {"outcome": UNKNOWN} if writes else {}
    said = "it did not answer in time" if kind == "TIMEOUT" else f"the connection broke ({reason})"
    return _unavailable(said, code=kind, **details)


def _reason(error: RequestException) -> tuple[str, str]:
    from requests import ConnectTimeout, Timeout
    from urllib3.exceptions import (
        ConnectTimeoutError,
        MaxRetryError,
        NewConnectionError,
        ProxyError,
        ReadTimeoutError,
        SSLError,
        TimeoutError,  # noqa: A004
    )

    inner: object = error.args[0] if error.args else error
    if isinstance(inner, MaxRetryError):
        inner = inner.reason
    if isinstance(inner, ProxyError):
        # urllib3 says so of any connection through a proxy that broke, at whatever time.
        behind = inner.original_error
        if isinstance(behind, ConnectTimeoutError | NewConnectionError) or type(behind) is OSError:
            return PROXY, str(inner.args[0])
        inner = behind
    name = type(inner if isinstance(inner, Exception) else error).__name__
    if isinstance(inner, SSLError) and (untrusted := _before_sending(inner)):
        return TLS, untrusted
    if isinstance(inner, ConnectTimeoutError | NewConnectionError) or isinstance(error, ConnectTimeout):
        return "UNREACHABLE", name
    if isinstance(inner, ReadTimeoutError | TimeoutError) or isinstance(error, Timeout):
        return "TIMEOUT", name
    return "CONNECTION_LOST", name


def _database_trouble(error: Exception) -> tuple[Trouble, str] | None:
    try:
        return database_trouble(error)
    except ImportError:  # mlflow-skinny, which has servers only
        return None


def _of_database(said: str, trouble: Trouble, code: str) -> TrackingError:
    if trouble is Trouble.DENIED:
        return TrackingDenied(
            f"the tracking database refuses these credentials: {said}",
            cure="check the user and the password of the tracking URI, and what this user may do",
            code=code,
        )
    if trouble is Trouble.NO_DATABASE:
        return TrackingUnavailable(
            f"the tracking database is not there: {said}",
            cure="create it (CREATE DATABASE …), or check the tracking URI",
            code=str(trouble),
        )
    return _unavailable(said, code=code)


def _before_sending(error: SSLError) -> str | None:
    """Why the handshake failed; None when the connection may have broken later, with the request under way."""
    cause = error.args[0]
    if isinstance(cause, ssl.SSLCertVerificationError):
        return cause.verify_message
    return cause.reason if isinstance(cause, ssl.SSLError) and cause.reason in _NO_TLS_THERE else None


def _is_server_error(status: int) -> bool:
    return status >= 500 and status != _NOT_IMPLEMENTED


def _error_of(content: bytes) -> tuple[str | None, str | None]:
    """The error code and message of MLflow's error body, or of Azure's; None for what is not there."""
    try:
        body = json.loads(content)
    except ValueError:
        return None, None
    if not isinstance(body, dict):
        return None, None
    nested = body.get("Error") or body.get("error")
    azure = nested if isinstance(nested, dict) else {}
    code = body.get("error_code") or azure.get("Code") or azure.get("code")
    message = body.get("message") or azure.get("Message") or azure.get("message")
    return (None if code is None else str(code)), (None if message is None else str(message))


def _no_run(run_id: str, code: str | None) -> RunNotFound:
    return RunNotFound(f"no run has the id {run_id!r}", cure="check the id", run_id=run_id, code=code)


def _denied(said: str, cure: str, **details: object) -> TrackingDenied:
    return TrackingDenied(f"the tracking backend refuses these credentials: {said}", cure=cure, **details)


def _unavailable(said: str, **details: object) -> TrackingUnavailable:
    return TrackingUnavailable(
        f"the tracking backend cannot serve now: {said}",
        cure="repeat later; check that the server runs, or that the database is writable",
        **details,
    )


def _no_tls(reason: str) -> TrackingUnavailable:
    return TrackingUnavailable(
        f"there is no secure connection to the tracking backend: {_first_line(reason)}",
        cure="name the certificate that it can be trusted by in MLFLOW_TRACKING_SERVER_CERT_PATH; check that the "
        "tracking URI should begin with https:",
        code=TLS,
    )


def _no_proxy(reason: str) -> TrackingUnavailable:
    return TrackingUnavailable(
        f"the proxy on the way to the tracking backend does not serve: {_first_line(reason)}",
        cure="check HTTP_PROXY and HTTPS_PROXY; name the backend's host in NO_PROXY to reach it without",
        code=PROXY,
    )


def _refused(said: str, **details: object) -> TrackingRefused:
    return TrackingRefused(
        f"the tracking backend refuses this: {said}",
        cure="correct what it names; repeating will not help",
        **details,
    )


def _vendor_errors() -> tuple[type[Exception], ...]:
    from mlflow.exceptions import MlflowException
    from requests import RequestException

    try:
        from sqlalchemy.exc import SQLAlchemyError
    except ImportError:  # mlflow-skinny, which has servers only
        return (MlflowException, RequestException)
    return (MlflowException, RequestException, SQLAlchemyError)


def _first_line(text: str) -> str:
    """What was said, without the statement and its parameters, which follow on later lines."""
    lines = text.strip().splitlines() or [""]
    return _CREDENTIALS.sub("://", lines[0])[:_LONGEST]
