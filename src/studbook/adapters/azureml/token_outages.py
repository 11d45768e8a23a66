"""Whether nobody could give a token just now: Azure's credentials tell that like a refusal, without its cause."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from azure.core.pipeline.transport import RequestsTransport

_TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
_OF_MACHINES = "169.254.169.254"
"""Where a machine in Azure asks for its identity. Elsewhere nobody is there, which is no outage."""

_seen: ContextVar[dict[str, str] | None] = ContextVar("token_outages", default=None)


@contextmanager
def watched() -> Iterator[dict[str, str]]:
    """By host, what went wrong with the last request for a token within the block; empty when all was answered."""
    seen: dict[str, str] = {}
    reset = _seen.set(seen)
    try:
        yield seen
    finally:
        _seen.reset(reset)


def watching_transport(**options: Any) -> RequestsTransport:
    """What a credential sends its requests with; `options` are azure-core's."""
    from azure.core.exceptions import AzureError
    from azure.core.pipeline.transport import RequestsTransport

    class Watching(RequestsTransport):  # type: ignore[misc]  # azure-core is not typed
        def send(self, request: Any, **kwargs: Any) -> Any:
            host = str(urlsplit(request.url).hostname)
            try:
                response = super().send(request, **kwargs)
            except AzureError as error:
                if host != _OF_MACHINES:
                    _note(host, type(error).__name__)
                raise
            failed = response.status_code in _TRANSIENT
            _note(host, f"HTTP {response.status_code}" if failed else None)
            return response

    return Watching(**options)


def _note(host: str, problem: str | None) -> None:
    seen = _seen.get()
    if seen is not None:
        seen.pop(host, None)
        if problem is not None:
            seen[host] = problem
