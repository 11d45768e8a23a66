"""Azure's resource manager, which knows of every workspace."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ..mlflow.pace import Pace
from ..mlflow.patience import ONCE, Patience
from ..mlflow.rest_calls import Json, RestCalls
from .advice import OF_AZURE
from .clouds import Cloud
from .credentials import CachedCredential, token_errors
from .plugin import bearer

if TYPE_CHECKING:
    from mlflow.utils.rest_utils import MlflowHostCreds

_VERSION = "2023-10-01"
_SILENCE_S = 20.0


class ResourceManager:
    """Thread-safe. It asks with the credential of the workspace; a job's own token is not taken here."""

    def __init__(self, tokens: CachedCredential, cloud: Cloud) -> None:
        self._tokens = tokens
        self._cloud = cloud
        self._pace = Pace()

    def get(self, path: str, *, timeout_s: float = _SILENCE_S, patience: Patience = ONCE) -> Json:
        """The document at a path, a workspace's scope say. Raises the TrackingError tree: TrackingRefused for what is
        not there.
        """
        calls = RestCalls(
            partial(_host_creds, self._tokens, self._cloud),
            timeout_s=timeout_s,
            patience=patience,
            pace=self._pace,
            renew=lambda creds: self._tokens.forget(creds.token),
            advice=OF_AZURE,
        )
        return calls.get(path, {"api-version": _VERSION})


def _host_creds(tokens: CachedCredential, cloud: Cloud) -> MlflowHostCreds:
    with token_errors():
        token = tokens.get_token(cloud.scope).token
    return bearer(f"https://{cloud.management}", token)
