"""The jobs of a workspace, as the resource manager tells of them: documents that are planted, and only read."""

from __future__ import annotations

import json
import re
import threading
from typing import Any

from faults.http_faults import Reply

MANAGEMENT = "management.azure.com"
_PATH = re.compile(r"(?P<scope>/subscriptions/.+)/jobs/(?P<name>[^/]+)")
_JSON = {"Content-Type": "application/json"}


class Jobs:
    """Thread-safe. `scope` is the workspace's path."""

    def __init__(self, scope: str) -> None:
        self._scope = scope
        self._properties: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()

    def forget(self) -> None:
        """Hold no job."""
        with self._lock:
            self._properties.clear()

    def plant(self, name: str, **properties: Any) -> None:
        """Hold a job with these properties, instead of one of the same name."""
        with self._lock:
            self._properties[name] = properties

    def plant_sweep(
        self,
        name: str,
        *,
        metric: str,
        goal: str = "Maximize",
        status: str = "Completed",
        best_child: str | None = None,
    ) -> None:
        """Hold a sweep job."""
        best = {} if best_child is None else {"best_child_run_id": best_child, "score": "0.9"}
        self.plant(
            name,
            jobType="Sweep",
            status=status,
            objective={"goal": goal, "primaryMetric": metric},
            properties={"best_metric_status": "Succeeded", **best},
        )

    def answer(self, path: str) -> Reply:
        """What the service answers to a question for a job; 404 to any other."""
        found = _PATH.fullmatch(path)
        name = found["name"] if found and found["scope"] == self._scope else None
        with self._lock:
            properties = None if name is None else self._properties.get(name)
        if properties is None:
            problem = {"code": "UserError", "message": f"Could not find {path}", "target": "run"}
            return Reply(404, _JSON, json.dumps({"error": problem}).encode())
        document = {
            "id": path,
            "name": name,
            "type": "Microsoft.MachineLearningServices/workspaces/jobs",
            "properties": properties,
        }
        return Reply(200, _JSON, json.dumps(document).encode())
