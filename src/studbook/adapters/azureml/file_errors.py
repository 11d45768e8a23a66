"""What the plugin's clients of files raise, told in our own words: the one place where it is read. No text of theirs is
passed on whole: it may hold a signed address.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ...domain.errors import TrackingError, TrackingUnavailable
from ..mlflow.errors import answer_error, no_answer, unreadable_answer
from ..mlflow.repository_run_files import missing
from ..mlflow.rest_calls import retry_after_s

if TYPE_CHECKING:
    from azure.core.exceptions import HttpResponseError

LINK_EXPIRED = "LINK_EXPIRED"
"""`details["code"]` when the blob store does not take a signed address any more."""

_QUERY = re.compile(r"\?[^\s\"'<>]*")
_LONGEST = 200
_FORBIDDEN = 403
_NOT_FOUND = 404


@contextmanager
def service_errors(*, writes: bool = False) -> Iterator[None]:
    """Of the workspace's artifact interface; `writes` as in `adapters.mlflow.errors.answer_error`."""
    from azure.core.exceptions import AzureError, HttpResponseError
    from msrest.exceptions import ClientException

    try:
        yield
    except HttpResponseError as error:
        raise _answered(error, _body(error), writes=writes) from None
    except (AzureError, ClientException) as error:
        raise _unanswered(error, writes=writes) from None


@contextmanager
def blob_errors(path: str) -> Iterator[None]:
    """Of the blob store; `path` is the file's. Raises ArtifactNotFound when there are no bytes."""
    from azure.core.exceptions import AzureError, HttpResponseError

    try:
        yield
    except HttpResponseError as error:
        if error.status_code == _NOT_FOUND:
            raise missing(path) from None
        if error.status_code == _FORBIDDEN:
            raise TrackingUnavailable(
                f"the signed address of {path} is no longer good",
                cure="repeat: a new one is asked for",
                code=LINK_EXPIRED,
            ) from None
        raise _answered(error, b"", writes=True) from None
    except AzureError as error:
        raise _unanswered(error, writes=True) from None


def cut(text: str) -> str:
    """The first line of what a service said, without the queries of addresses, which may be signatures."""
    return _QUERY.sub("", (text.splitlines() or [""])[0])[:_LONGEST]


def _answered(error: HttpResponseError, body: bytes, *, writes: bool) -> TrackingError:
    status = error.status_code
    if status is None:
        return _unanswered(error, writes=writes)
    if status < 400:
        return unreadable_answer(status, writes=writes)
    headers: Mapping[str, str] = getattr(error.response, "headers", {})
    return answer_error(status, body, retry_after_s=retry_after_s(headers), writes=writes)


def _unanswered(error: Exception, *, writes: bool) -> TrackingError:
    from requests import RequestException

    cause = getattr(error, "inner_exception", None)
    if isinstance(cause, RequestException):
        return no_answer(cause, writes=writes)
    return TrackingUnavailable(
        f"a file did not get through ({type(cause or error).__name__})",
        cure="repeat; check the network",
        code="CONNECTION_LOST",
    )


def _body(error: HttpResponseError) -> bytes:
    response: Any = error.response
    return b"" if response is None else _QUERY.sub("", response.body().decode(errors="replace")).encode()
