"""Jobs of a workspace: each has a run that the service opens and ends, and a token that the service renews."""

from __future__ import annotations

import json
import threading
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING

from faults.http_faults import Reply

if TYPE_CHECKING:
    from azureml_stand_in.workspace import Workspace

LIFE_S = 3600
_SIGNED_BY = "a key that nobody checks, but a long one"


class JobTokens:
    """Thread-safe. They are good for the workspace, and not for Azure's resource manager."""

    def __init__(self) -> None:
        self._numbers = count()
        self._runs: dict[str, str] = {}
        self._lock = threading.Lock()

    def issue(self, run_id: str, life_s: int = LIFE_S) -> str:
        """A token for the job of this run."""
        claims = {"exp": int(time.time()) + life_s, "jti": str(next(self._numbers))}
        import jwt

        token = jwt.encode(claims, _SIGNED_BY, algorithm="HS256")
        with self._lock:
            self._runs[token] = run_id
        return token

    def takes(self, token: str) -> bool:
        """Whether the token was issued, and has not expired."""
        return token in self._runs and _expires_at(token) > time.time()

    def renewed(self, token: str, run_id: str) -> Reply:
        """The answer to who asks, with a token, for the next one of a run."""
        if self._runs.get(token) != run_id:
            return Reply(403)
        new = self.issue(run_id)
        expiry = datetime.fromtimestamp(_expires_at(new), UTC).isoformat()
        body = {"token": new, "expiryTimeUtc": expiry}
        return Reply(200, {"Content-Type": "application/json"}, json.dumps(body).encode())


@dataclass(frozen=True)
class Job:
    """A job that runs: its run and experiment, and the variables that its processes have."""

    run_id: str
    experiment: str
    variables: dict[str, str]


def open_job(
    workspace: Workspace, uri: str, behind: str, *, by_name: bool = False, life_s: int = LIFE_S
) -> Job:
    """Begin a job of the workspace with this URI, its run in the MLflow server `behind`. `by_name`: its processes are
    told the experiment's name, and not its id.
    """
    from mlflow import MlflowClient

    client = MlflowClient(behind, registry_uri=behind)
    experiment = f"jobs-{uuid.uuid4().hex[:8]}"
    experiment_id = client.create_experiment(experiment)
    run_id = client.create_run(experiment_id, run_name="job 7").info.run_id
    told = {"MLFLOW_EXPERIMENT_NAME": experiment} if by_name else {"MLFLOW_EXPERIMENT_ID": experiment_id}
    variables = {
        "MLFLOW_TRACKING_URI": uri.replace("/v2.0/", "/v1.0/"),
        "MLFLOW_TRACKING_TOKEN": workspace.job_tokens.issue(run_id, life_s),
        "MLFLOW_RUN_ID": run_id,
        "AZUREML_RUN_ID": run_id,
        **told,
    }
    return Job(run_id, experiment, variables)


def _expires_at(token: str) -> int:
    import jwt

    claims = jwt.decode(token, options={"verify_signature": False, "verify_exp": False})
    return int(claims["exp"])
