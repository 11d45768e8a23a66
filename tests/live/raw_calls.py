"""Requests to a workspace as they are, without an adapter that spares it what it may refuse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests

from studbook.adapters.azureml.clouds import CLOUDS
from studbook.adapters.azureml.workspace import Workspace

_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Told:
    """A status, and the document that came with it: empty where none did."""

    status: int
    document: Mapping[str, Any]

    def __str__(self) -> str:
        return "taken" if self.status < 300 else f"refused ({self.status})"


@dataclass(frozen=True)
class RawCalls:
    """The workspace's MLflow and artifact interfaces, and the resource manager's page of it."""

    workspace: Workspace

    def mlflow(self, endpoint: str, asked: Mapping[str, Any], method: str = "POST") -> Told:
        """One call of MLflow's REST interface."""
        base = f"https://{self.workspace.host}/mlflow/v2.0{self.workspace.scope}/api/2.0/mlflow"
        return self._ask(method, f"{base}/{endpoint}", asked)

    def artifacts(self, run: Mapping[str, Any], endpoint: str, asked: Mapping[str, Any], method: str) -> Told:
        """One call about the files of a run, of which `info` is known."""
        info = run["info"]
        place = f"experiments/{info['experiment_id']}/runs/{info['run_id']}/artifacts"
        base = f"https://{self.workspace.host}/history/v1.0{self.workspace.scope}/{place}"
        return self._ask(method, f"{base}{endpoint}", asked)

    def resource(self, version: str) -> Told:
        """The resource manager's document of the workspace, in a version of its interface."""
        base = f"https://{CLOUDS[self.workspace.cloud].management}{self.workspace.scope}"
        return self._ask("GET", base, {"api-version": version})

    def _ask(self, method: str, address: str, asked: Mapping[str, Any]) -> Told:
        token = self.workspace.tokens.get_token("https://management.azure.com/.default").token
        answer = requests.request(
            method,
            address,
            headers={"Authorization": f"Bearer {token}"},
            params=dict(asked) if method == "GET" else None,
            json=dict(asked) if method != "GET" else None,
            timeout=_TIMEOUT_S,
        )
        try:
            document = answer.json()
        except ValueError:
            document = {}
        return Told(answer.status_code, document if isinstance(document, dict) else {})
