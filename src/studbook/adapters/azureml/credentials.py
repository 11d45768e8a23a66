"""Credentials for Azure: never interactive, and asked for a token only when the last one is about to expire."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from ...domain.errors import TrackingDenied, TrackingUnavailable
from .token_outages import watched, watching_transport

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken, TokenCredential

CredentialKind = Literal["default", "job", "environment", "workload-identity", "managed-identity", "cli"]

_RENEWED_BEFORE_S = 300.0
_CLI_S = 20
_SILENCE_S: dict[str, Any] = {"connection_timeout": 10, "read_timeout": 20}
_LONGEST = 200
_NEVER = (
    "interactive_browser",
    "broker",
    "shared_token_cache",
    "visual_studio_code",
    "powershell",
    "developer_cli",
)


def new_credential(kind: CredentialKind, authority: str) -> TokenCredential:
    """The credential that the setting names; `default` tries environment, workload and managed identity, and CLI."""
    from azure.identity import (
        AzureCliCredential,
        DefaultAzureCredential,
        EnvironmentCredential,
        ManagedIdentityCredential,
        WorkloadIdentityCredential,
    )

    _quiet()
    tries: dict[str, Any] = {"retry_total": 1, "transport": watching_transport(**_SILENCE_S), **_SILENCE_S}
    match kind:
        case "environment":
            return EnvironmentCredential(authority=authority, **tries)
        case "workload-identity":
            return WorkloadIdentityCredential(authority=authority, **tries)
        case "managed-identity":
            return ManagedIdentityCredential(**tries)
        case "cli":
            return AzureCliCredential(process_timeout=_CLI_S)
    excluded = {f"exclude_{name}_credential": True for name in _NEVER}
    return DefaultAzureCredential(authority=authority, process_timeout=_CLI_S, **excluded, **tries)


class CachedCredential:
    """A TokenCredential. Thread-safe: a token serves until 300 s before it expires. Raises what azure-core raises."""

    def __init__(
        self, make: Callable[[], TokenCredential], *, now_s: Callable[[], float] = time.time
    ) -> None:
        self._make = make
        self._now_s = now_s
        self._inner: TokenCredential | None = None
        self._tokens: dict[tuple[str, ...], AccessToken] = {}
        self._lock = threading.Lock()

    def get_token(self, *scopes: str, **options: object) -> AccessToken:
        """The token for these scopes; `options` are of no account."""
        del options
        with self._lock:
            token = self._tokens.get(scopes)
            if token is None or token.expires_on - _RENEWED_BEFORE_S <= self._now_s():
                # Another one after a failure, which Azure's credentials repeat for a minute without asking again.
                inner, self._inner = self._inner or self._make(), None
                token = self._tokens[scopes] = inner.get_token(*scopes)
                self._inner = inner
            return token

    def forget(self, token: str) -> None:
        """Fetch a new token next time, if this is the one that is given out."""
        with self._lock:
            kept = {scopes: held for scopes, held in self._tokens.items() if held.token != token}
            if len(kept) < len(self._tokens):
                self._tokens = kept
                self._inner = None  # it keeps tokens of its own


@contextmanager
def token_errors() -> Iterator[None]:
    """Raise TrackingDenied when no credential is taken, TrackingUnavailable when nobody could be asked."""
    from azure.core.exceptions import AzureError, ClientAuthenticationError

    try:
        with watched() as outages:
            yield
    except (ClientAuthenticationError, ValueError) as error:
        if outages:
            host, problem = outages.popitem()
            raise _unavailable(f"{host}: {problem}") from error
        raise TrackingDenied(
            f"Azure gives no token ({_said(error)})",
            cure="log in (az login), or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET; "
            "tracking.azure.credential says which credential is used",
            code="NO_TOKEN",
        ) from error
    except AzureError as error:
        raise _unavailable(_said(error)) from error


def _unavailable(said: str) -> TrackingUnavailable:
    return TrackingUnavailable(
        f"no token could be fetched from Azure: {said}",
        cure="check the network, and any proxy; what is recorded here waits",
        code="NO_TOKEN",
    )


def _said(error: Exception) -> str:
    """What it says first; where several credentials were tried, of each of them."""
    lines = str(error).splitlines() or [type(error).__name__]
    tried = [
        line.strip().partition(". ")[0].rstrip(".")[:_LONGEST] for line in lines if line.startswith("\t")
    ]
    return "; ".join(tried) or lines[0][:_LONGEST]


def _quiet() -> None:
    """Keep what Azure's credentials say at each try, which our errors say too, from who has not asked for details."""
    logger = logging.getLogger("azure.identity")
    if not logger.isEnabledFor(logging.INFO):
        logger.setLevel(logging.ERROR)
