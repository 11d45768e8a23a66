"""What the clients of a workspace's files raise and get, told in our own words: the one place where it is read. No text
of theirs is passed on whole: it may hold a signed address.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ...domain.errors import TrackingError, TrackingUnavailable
from ..mlflow.errors import answer_error, no_answer, unreadable_answer
from ..mlflow.repository_run_files import missing
from ..mlflow.rest_calls import retry_after_s
from .advice import OF_AZURE

LINK_EXPIRED = "LINK_EXPIRED"
"""`details["code"]` when the blob store does not take a signed address any more."""

_QUERY = re.compile(r"\?[^\s\"'<>]*")
_LONGEST = 200
_OK = 200
_FORBIDDEN = 403
_NO_BYTES = "BlobNotFound"


def check_answer(response: Any, *, listing: str | None, writes: bool) -> None:
    """Raise for an answer of the artifact interface that is no success, or not what the vendor's client takes for
    granted: an object, in which `listing` is a list. `writes` as in `adapters.mlflow.errors.answer_error`.
    """
    answer = response.http_response
    if answer.status_code != _OK:
        told = without_queries(answer.body().decode(errors="replace")).encode()
        retry_s = retry_after_s(answer.headers)
        raise answer_error(answer.status_code, told, retry_after_s=retry_s, writes=writes, advice=OF_AZURE)
    try:
        content = json.loads(answer.body())
    except ValueError:
        content = None
    if not isinstance(content, dict) or not isinstance(content.get(listing) if listing else [], list):
        raise unreadable_answer(_OK, writes=writes)


@contextmanager
def service_errors(*, writes: bool) -> Iterator[None]:
    """Of requests to the artifact interface whose answers are checked."""
    from azure.core.exceptions import AzureError, DeserializationError

    try:
        yield
    except AzureError as error:
        raise _no_answer(error, writes=writes) from None
    except DeserializationError:
        raise unreadable_answer(_OK, writes=writes) from None


@contextmanager
def blob_errors(path: str) -> Iterator[None]:
    """Of the blob store; `path` is the file's. Raises ArtifactNotFound when the store says that it has no bytes, and
    TrackingUnavailable else: the service chose what was asked of the store, and the next try has a new signed address.
    """
    from azure.core.exceptions import AzureError, HttpResponseError
    from requests import RequestException

    try:
        yield
    except RequestException as error:
        # The check of a piece reads it past the vendor's own translation.
        raise no_answer(error, writes=True) from None
    except AzureError as error:
        status = error.status_code if isinstance(error, HttpResponseError) else None
        if getattr(error, "error_code", None) == _NO_BYTES:
            raise missing(path) from None
        if status is None or status < 400:
            raise _no_answer(error, writes=True) from None
        raise TrackingUnavailable(
            f"the blob store does not serve {path}: HTTP {status}",
            cure="repeat: a new signed address is asked for",
            code=LINK_EXPIRED if status == _FORBIDDEN else f"HTTP_{status}",
            status=status,
        ) from None


def cut(text: str) -> str:
    """The first line of what a service said, as `without_queries`, and no more than 200 characters."""
    return without_queries((text.splitlines() or [""])[0])[:_LONGEST]


def without_queries(text: str) -> str:
    """The text without the queries of addresses: they may be signatures."""
    return _QUERY.sub("", text)


def _no_answer(error: Exception, *, writes: bool) -> TrackingError:
    from requests import RequestException

    cause = getattr(error, "inner_exception", None)
    if isinstance(cause, RequestException):
        return no_answer(cause, writes=writes)
    return TrackingUnavailable(
        f"a file did not get through ({type(cause or error).__name__})",
        cure="repeat; check the network",
        code="CONNECTION_LOST",
    )
