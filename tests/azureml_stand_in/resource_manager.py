"""What Azure's resource manager tells of the workspace, and how it refuses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from faults.http_faults import Answer, Reply

_JSON = {"Content-Type": "application/json"}


def workspace_document(path: str, scope: str, host: str) -> Reply:
    """The answer to a question for the workspace at a path."""
    if path != scope:
        return Reply(404, _JSON, _error("ResourceNotFound", f"The Resource '{path}' was not found."))
    properties = {
        "mlFlowTrackingUri": f"azureml://{host}/mlflow/v1.0{scope}",
        "discoveryUrl": f"https://{host}/discovery",
        "provisioningState": "Succeeded",
    }
    name = scope.rpartition("/")[2]
    return Reply(200, _JSON, json.dumps({"id": scope, "name": name, "properties": properties}).encode())


def _error(code: str, message: str) -> bytes:
    body: Mapping[str, Any] = {"error": {"code": code, "message": message}}
    return json.dumps(body).encode()


NO_ROLE = Answer(
    403, _JSON, _error("AuthorizationFailed", "The client 'made-up' does not have authorization to do this.")
)
"""A fault: the identity is known, and may not do this."""
