"""What can be wrong between here and an MLflow server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from urllib.parse import urlsplit

from ...domain.errors import TrackingDenied, TrackingError
from ...ports.checkup import Check, Finding, ok, warning
from .artifact_roots import lengths_finding, roots_finding
from .backend import server_calls
from .clock_skew import clock_finding, utc_now
from .pace import Pace
from .patience import ONCE
from .rest_calls import Json, Page, RestCalls

_SILENCE_S = 10.0
_EXPERIMENTS = "/api/2.0/mlflow/experiments/search"
_NEWEST = 100
"""Experiments whose places are looked at."""
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_ANSWERS = ("reachability", "credentials")


@dataclass(frozen=True, slots=True)
class _Seen:
    """The server's front page, and this machine's clock when it came."""

    page: Page
    at: datetime


class ServerCheckup:
    """Asks two questions, and reads the answers for several checks. `now` is this machine's clock, UTC.

    The server may stay silent for `timeout_s` seconds a question.
    """

    def __init__(
        self,
        uri: str,
        *,
        timeout_s: float = _SILENCE_S,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._uri = uri
        self._timeout_s = timeout_s
        self._now = now

    def checks(self) -> tuple[Check, ...]:
        """From the network to what the server holds."""
        return (
            Check("proxies", self._proxies),
            Check("reachability", self._reachability),
            Check("credentials", self._credentials, ("reachability",)),
            Check("server", self._server, _ANSWERS),
            Check("clock", self._clock, _ANSWERS),
            Check("artifact root", self._artifact_root, _ANSWERS),
            Check("artifact length", self._artifact_length, _ANSWERS),
        )

    def _proxies(self) -> Finding:
        from requests.utils import get_environ_proxies, select_proxy

        proxy = select_proxy(self._uri, get_environ_proxies(self._uri))
        if proxy is None:
            return ok("requests go straight to the server")
        if self._here:
            return warning(
                f"requests to this machine itself go through {_without_user(proxy)}",
                f"add {self._host} to the environment variable NO_PROXY",
            )
        return ok(
            f"requests to {self._host} go through {_without_user(proxy)}; NO_PROXY={self._host} lets them go straight"
        )

    def _reachability(self) -> Finding:
        if isinstance(self._answer, TrackingError) and not isinstance(self._answer, TrackingDenied):
            raise self._answer
        return ok("an MLflow server answers" if isinstance(self._answer, dict) else "a server answers")

    def _credentials(self) -> Finding:
        from mlflow.utils.credentials import get_default_host_creds

        if isinstance(self._answer, TrackingError):
            raise self._answer
        used = get_default_host_creds(self._uri)  # type: ignore[no-untyped-call]
        if used.token:
            return ok("the server takes the token")
        if used.username or urlsplit(self._uri).username:
            return ok("the server takes user name and password")
        return ok("the server lets in without credentials; none are set")

    def _server(self) -> Finding:
        if isinstance(self._front, TrackingError):
            return warning(
                f"the server does not tell its version: {self._front.problem}",
                "check what stands before the server",
            )
        return ok(f"MLflow {self._front.page.text.strip()[:40]}")

    def _clock(self) -> Finding:
        if isinstance(self._front, TrackingError) or self._front.page.date is None:
            return ok("the server does not tell its time")
        return clock_finding(self._front.at, self._front.page.date)

    def _artifact_root(self) -> Finding:
        return roots_finding(self._locations, here=self._here)

    def _artifact_length(self) -> Finding:
        return lengths_finding(self._locations, enforced=False)

    @property
    def _host(self) -> str:
        return urlsplit(self._uri).hostname or ""

    @property
    def _here(self) -> bool:
        """Whether the server is on this machine."""
        return self._host in _LOOPBACK

    @property
    def _locations(self) -> list[str]:
        experiments = self._answer.get("experiments", []) if isinstance(self._answer, dict) else []
        return [str(each["artifact_location"]) for each in experiments if each.get("artifact_location")]

    @cached_property
    def _calls(self) -> RestCalls:
        return server_calls(self._uri, timeout_s=self._timeout_s, patience=ONCE, pace=Pace())

    @cached_property
    def _answer(self) -> Json | TrackingError:
        """The newest experiments, or why there is no answer."""
        body = {"max_results": _NEWEST, "view_type": "ACTIVE_ONLY", "order_by": ["creation_time DESC"]}
        try:
            return self._calls.search(_EXPERIMENTS, body)
        except TrackingError as error:
            return error

    @cached_property
    def _front(self) -> _Seen | TrackingError:
        try:
            return _Seen(self._calls.page("/version"), self._now())
        except TrackingError as error:
            return error


def _without_user(proxy: str) -> str:
    scheme, separator, rest = proxy.rpartition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"
