"""Where a workspace is: at the host that its URI names, else where Azure's resource manager says."""

from __future__ import annotations

import re
import threading

from ...domain.errors import TrackingRefused, TrackingUnavailable
from ..mlflow.errors import NO_MLFLOW
from ..mlflow.patience import ONCE, Patience
from ..mlflow.rest_calls import TIMEOUT_S, Json
from .resource_manager import ResourceManager

_ADDRESS = re.compile(r"azureml://([^/?#]+)/")


class WorkspaceLocation:
    """Thread-safe. `said` is the host that is known already; without, it is asked for once."""

    def __init__(self, scope: str, said: str | None, manager: ResourceManager) -> None:
        self._scope = scope
        self._host = said
        self._manager = manager
        self._asking = threading.Lock()

    @property
    def known(self) -> bool:
        """Whether nobody need be asked."""
        return self._host is not None

    def host(self, *, timeout_s: float = TIMEOUT_S, patience: Patience = ONCE) -> str:
        """The host of the workspace's interfaces. Raises what `document_host` raises, TrackingDenied, and
        TrackingUnavailable when nobody answers.
        """
        with self._asking:
            if self._host is None:
                self._host = self.document_host(timeout_s=timeout_s, patience=patience)
            return self._host

    def document_host(self, *, timeout_s: float = TIMEOUT_S, patience: Patience = ONCE) -> str:
        """The same, always as the workspace's document says. Raises TrackingUnavailable, `code` NO_MLFLOW, when there
        is no such workspace: once there is, everything is delivered.
        """
        try:
            document = self._manager.get(self._scope, timeout_s=timeout_s, patience=patience)
        except TrackingRefused as error:
            raise TrackingUnavailable(
                f"there is no such workspace: {error.problem.partition(': ')[2]}",
                cure="check subscription, resource group and workspace (az ml workspace list), and "
                "tracking.azure.cloud",
                code=NO_MLFLOW,
                workspace=self._scope,
            ) from error
        return self._told(document)

    def _told(self, document: Json) -> str:
        properties = document.get("properties")
        uri = properties.get("mlFlowTrackingUri") if isinstance(properties, dict) else None
        found = _ADDRESS.match(uri) if isinstance(uri, str) else None
        if found is None:
            raise TrackingUnavailable(
                "the workspace's document names no tracking URI",
                cure="wait until the workspace is made, or set tracking.uri to its full URI",
                code=NO_MLFLOW,
                workspace=self._scope,
            )
        return found[1]
