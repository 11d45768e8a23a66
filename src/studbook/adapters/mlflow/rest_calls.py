"""Requests to an MLflow server: all of ours go through here, and each call is one request."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import IO, TYPE_CHECKING, Any, TypeVar

from ...domain.errors import TrackingDenied
from ...ports.time_left import time_left_s
from .errors import OF_A_SERVER, Advice, answer_error, no_answer, unreadable_answer
from .pace import Pace
from .patience import ONCE, Patience

if TYPE_CHECKING:
    from mlflow.utils.rest_utils import MlflowHostCreds
    from requests import Response

T = TypeVar("T")
Json = dict[str, Any]

TIMEOUT_S = 60.0
_CONNECT_S = 10.0
_UNAUTHENTICATED = 401
_TOO_MANY = 429
_LEAST_S = 1.0


@dataclass(frozen=True, slots=True)
class Page:
    """A page's text, and the server's clock when it gave it (UTC), where it tells."""

    text: str
    date: datetime | None


class RestCalls:
    """Thread-safe. MLflow's own retries and redirects are off: who calls decides what is repeated.

    `host_creds` gives the server and the credentials; it is asked for every request. `timeout_s` is how long
    the server may stay silent, but never longer than who waits has time, and a second. A read is repeated as
    `patience` says; a write never is. After a 429, requests are sent more slowly: `pace` is shared by all that
    goes to a server. `renew` is told of credentials that are taken no longer, and what was asked with them is sent
    once more. Raises the TrackingError tree, with the details of `errors.answer_error`; `run_id` is the run that a
    call is about, `advice` what to do about refusals.
    """

    def __init__(
        self,
        host_creds: Callable[[], MlflowHostCreds],
        *,
        timeout_s: float = TIMEOUT_S,
        patience: Patience = ONCE,
        pace: Pace | None = None,
        renew: Callable[[MlflowHostCreds], None] | None = None,
        advice: Advice = OF_A_SERVER,
    ) -> None:
        self._advice = advice
        self._host_creds = host_creds
        self._renew = renew
        self._pace = pace or Pace()
        self._timeout_s = timeout_s
        self._patience = patience

    def get(self, endpoint: str, params: Mapping[str, object], *, run_id: str | None = None) -> Json:
        """The answer to a question."""
        return self._patience.ask(lambda: self._json("GET", endpoint, run_id, params=dict(params)))

    def search(self, endpoint: str, body: Json) -> Json:
        """The answer to a question that is too long for an address."""
        return self._patience.ask(lambda: self._json("POST", endpoint, None, json=body))

    def write(self, endpoint: str, body: Json, *, run_id: str | None = None) -> Json:
        """The answer to a write that is sent once."""
        return self._json("POST", endpoint, run_id, writes=True, json=body)

    def upload(self, endpoint: str, content: IO[bytes], media_type: str) -> None:
        """Send a file's content, once."""
        headers = {"Content-Type": media_type}
        with self._response("PUT", endpoint, None, writes=True, data=content, extra_headers=headers):
            pass

    @contextmanager
    def download(self, endpoint: str, *, chunk_size: int) -> Iterator[Iterator[bytes]]:
        """A file's content in pieces, asked for once: what was done with them is not undone by a repetition.

        A body that ends early is an error only if its length was announced.
        """
        with self._response("GET", endpoint, None, stream=True) as response:
            yield response.iter_content(chunk_size)

    def page(self, endpoint: str) -> Page:
        """A page for people, asked for once."""
        with self._response("GET", endpoint, None) as response:
            return Page(response.text, _date(response.headers.get("Date", "")))

    def asking_once(self) -> RestCalls:
        """The same, for questions inside something that is repeated as a whole."""
        return RestCalls(
            self._host_creds,
            timeout_s=self._timeout_s,
            pace=self._pace,
            renew=self._renew,
            advice=self._advice,
        )

    def repeated(self, question: Callable[[], T]) -> T:
        """The answer to a question of several requests, none of which is repeated by itself."""
        return self._patience.ask(question)

    def _json(
        self, method: str, endpoint: str, run_id: str | None, *, writes: bool = False, **request: object
    ) -> Json:
        try:
            return self._answer(method, endpoint, run_id, writes=writes, **request)
        except TrackingDenied as error:
            if self._renew is None or error.details.get("status") != _UNAUTHENTICATED:
                raise
        return self._answer(method, endpoint, run_id, writes=writes, **request)

    def _answer(
        self, method: str, endpoint: str, run_id: str | None, *, writes: bool = False, **request: object
    ) -> Json:
        with self._response(method, endpoint, run_id, writes=writes, **request) as response:
            try:
                answer = json.loads(response.content)
            except ValueError as error:
                raise unreadable_answer(response.status_code, writes=writes) from error
            if not isinstance(answer, dict):
                raise unreadable_answer(response.status_code, writes=writes)
            return answer

    @contextmanager
    def _response(
        self, method: str, endpoint: str, run_id: str | None, *, writes: bool = False, **request: object
    ) -> Iterator[Response]:
        from mlflow.exceptions import MlflowException
        from mlflow.utils.rest_utils import http_request
        from requests import RequestException

        self._pace.await_turn()
        try:
            creds = self._host_creds()
            response: Response = http_request(  # type: ignore[no-untyped-call]
                creds,
                endpoint,
                method,
                max_retries=0,
                raise_on_status=False,
                allow_redirects=False,
                timeout=timeouts_s(self._timeout_s),
                **request,
            )
            with response:
                if response.status_code == _TOO_MANY:
                    self._pace.too_many()
                if response.status_code == _UNAUTHENTICATED and self._renew is not None:
                    self._renew(creds)
                if not 200 <= response.status_code < 300:
                    raise answer_error(
                        response.status_code,
                        response.content,
                        run_id=run_id,
                        retry_after_s=retry_after_s(response.headers),
                        writes=writes,
                        advice=self._advice,
                    )
                self._pace.answered()
                yield response
        except (MlflowException, RequestException) as error:
            raise no_answer(error, writes=writes) from error


def timeouts_s(silence_s: float) -> tuple[float, float]:
    """For connecting and for reading, where a server may stay silent so long. There is always time for a try."""
    left_s = time_left_s()
    shorter_s = silence_s if left_s is None else min(silence_s, max(left_s, 0.0) + _LEAST_S)
    return min(_CONNECT_S, shorter_s), shorter_s


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds from a Retry-After header, which holds seconds or a date; None without a usable one."""
    text = headers.get("Retry-After", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        then = _date(text)
        # The server's own clock, where it tells it: ours may be wrong.
        now = _date(headers.get("Date", "")) or datetime.now(UTC)
        if then is None:
            return None
        seconds = (then - now).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return date if date.tzinfo is not None else date.replace(tzinfo=UTC)
