"""The artifact interface of a workspace: paths that are written once, before the bytes that a blob store gets."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from azureml_stand_in.azurite import Blobs
from faults.http_faults import Reply

_JSON = {"Content-Type": "application/json"}
_PAGE = 2


class Artifacts:
    """Thread-safe. `life` is how long a signed address is good. A listing gives two paths at once."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._paths: dict[str, list[str]] = {}
        self._lock = threading.Lock()
        self.life = timedelta(hours=1)

    def forget(self) -> None:
        """Signed addresses are good for an hour again."""
        self.life = timedelta(hours=1)

    def answer(self, run_id: str, endpoint: str, asked: Mapping[str, Any], address: str) -> Reply:
        """What the service answers; `address` is where the run's artifacts are listed."""
        if endpoint == "/batch/metadata":
            return _reply(200, self._create(run_id, [one["path"] for one in asked["paths"]]))
        if endpoint == "/contentinfo":
            path = asked["path"]
            if path not in self._paths.get(run_id, []):
                return _reply(404, {"error": {"code": "UserError", "message": f"no {path}"}})
            return _reply(200, self._content(run_id, path, "r"))
        return _reply(200, self._listed(run_id, int(asked.get("continuationToken") or 0), address))

    def plant(self, run_id: str, path: str, content: bytes | None) -> None:
        """Put bytes at a path behind everybody's back; None removes them and leaves the path."""
        with self._lock:
            paths = self._paths.setdefault(run_id, [])
            if path not in paths:
                paths.append(path)
        if ".." in path.split("/"):
            return  # no blob can be signed for there
        with self._blobs.container() as container:
            if content is None:
                container.delete_blob(_blob(run_id, path))
            else:
                container.upload_blob(_blob(run_id, path), content, overwrite=True)

    def _create(self, run_id: str, wanted: list[str]) -> dict[str, Any]:
        with self._lock:
            paths = self._paths.setdefault(run_id, [])
            taken = [path for path in wanted if path in paths]
            new = [path for path in wanted if path not in paths]
            paths.extend(new)
        return {
            "artifacts": {path: self._told(run_id, path) for path in new},
            "artifactContentInformation": {path: self._content(run_id, path, "rcw") for path in new},
            "errors": {
                path: {
                    "error": {"code": "UserError", "message": f"Resource Conflict: {path} already exists."}
                }
                for path in taken
            },
        }

    def _listed(self, run_id: str, start: int, address: str) -> dict[str, Any]:
        paths = self._paths.get(run_id, [])
        listed: dict[str, Any] = {
            "value": [self._told(run_id, path) for path in paths[start : start + _PAGE]]
        }
        if start + _PAGE < len(paths):
            token = str(start + _PAGE)
            listed |= {"continuationToken": token, "nextLink": f"{address}?continuationToken={token}"}
        return listed

    def _told(self, run_id: str, path: str) -> dict[str, Any]:
        return {
            "artifactId": f"ExperimentRun/dcid.{run_id}/{path}",
            "origin": "ExperimentRun",
            "container": f"dcid.{run_id}",
            "path": path,
        }

    def _content(self, run_id: str, path: str, permission: str) -> dict[str, Any]:
        link = self._blobs.link(_blob(run_id, path), permission, self.life)
        return {**self._told(run_id, path), "contentUri": link}


def _blob(run_id: str, path: str) -> str:
    return f"ExperimentRun/dcid.{run_id}/{path}"


def _reply(status: int, content: Mapping[str, Any]) -> Reply:
    return Reply(status, _JSON, json.dumps(content).encode())
