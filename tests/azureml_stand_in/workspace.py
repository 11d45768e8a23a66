"""A stand-in for an Azure ML workspace: its real names and its TLS, on loopback, over a real MLflow server and a
real blob store.
"""

from __future__ import annotations

import base64
import json
import re
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import formatdate
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from azureml_stand_in.artifacts import Artifacts
from azureml_stand_in.azurite import BLOB_HOST, Blobs
from azureml_stand_in.certificates import server_context
from azureml_stand_in.connect_proxy import connect_proxy
from azureml_stand_in.job_tokens import JobTokens
from azureml_stand_in.jobs import MANAGEMENT, Jobs
from azureml_stand_in.resource_manager import workspace_document
from azureml_stand_in.rules import Rules
from faults.http_faults import FaultyProxy, Reply

HOST = "westeurope.api.azureml.ms"
SCOPE = (
    "/subscriptions/00000000-0000-0000-0000-00000000000a/resourceGroups/studbook"
    "/providers/Microsoft.MachineLearningServices/workspaces/tests"
)
URI = f"azureml://{HOST}/mlflow/v2.0{SCOPE}"
SECRET = "made-up-client-secret"  # noqa: S105
_LOGIN = frozenset({"login.microsoftonline.com", "login.microsoft.com"})
_MLFLOW = f"/mlflow/v2.0{SCOPE}/api/2.0/mlflow/"
_REAL = "/api/2.0/mlflow/"
_ARTIFACTS = re.compile(
    rf"/history/v1\.0{SCOPE}/experiments/[^/]+/runs/(?P<run>[^/]+)/artifacts(?P<rest>/batch/metadata|/contentinfo|)"
)
_JOB_TOKEN = re.compile(rf"/history/v1\.0{SCOPE}/experimentids/[^/]+/runs/(?P<run>[^/]+)/token")
_ABSENT = re.compile(r"logged-models|traces|registered-models|model-versions")
_QUOTED_NUMBER = re.compile(r"(attributes\.(?:start|end)_time *\S+ *)'(\d+)'")
_TOKEN_LIFE_S = 3600
_JSON = {"Content-Type": "application/json"}


class Workspace(FaultyProxy):
    """Thread-safe. `rules` may be exchanged; `search_lag` is how many searches a new run stays hidden from."""

    def __init__(self, mlflow: str, blobs: Blobs, tls: ssl.SSLContext) -> None:
        self.artifacts = Artifacts(blobs)
        self.jobs = Jobs(SCOPE)
        self.job_tokens = JobTokens()
        self._blobs = blobs
        self.rules = Rules()
        self.search_lag = 0
        self._hidden: dict[str, int] = {}
        self._tokens: set[str] = set()
        self._numbers = count()
        self._state = threading.Lock()
        super().__init__(mlflow, tls)

    def token(self) -> str:
        """A new access token that is taken from now on."""
        claims = {"exp": int(time.time()) + _TOKEN_LIFE_S, "jti": next(self._numbers)}
        token = ".".join((_base64({"alg": "none"}), _base64(claims), "signature"))
        with self._state:
            self._tokens.add(token)
        return token

    def revoke_tokens(self) -> None:
        """Take none of the tokens that were given out."""
        with self._state:
            self._tokens.clear()

    def forget(self) -> None:
        """Drop faults, record and whatever was changed of the rules."""
        super().forget()
        self.rules, self.search_lag = Rules(), 0
        self._hidden.clear()
        self.artifacts.forget()
        self.jobs.forget()

    def forward(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """What the cloud answers."""
        host = headers.get("Host", "").partition(":")[0]
        if host in _LOGIN:
            return self._login(host, path, body)
        if host == BLOB_HOST:
            return self._blobs.ask(method, path, headers, body)
        token, address = headers.get("Authorization", "").removeprefix("Bearer "), urlsplit(path)
        of_a_job = host == HOST and self.job_tokens.takes(token)
        if not of_a_job and token not in self._tokens:
            return _refusal(401, "UserError", "the token is not valid", "UNAUTHENTICATED")
        if host == MANAGEMENT:
            of_jobs = "/jobs/" in address.path
            return (
                self.jobs.answer(address.path) if of_jobs else workspace_document(address.path, SCOPE, HOST)
            )
        if host == HOST and (found := _JOB_TOKEN.fullmatch(address.path)):
            return self.job_tokens.renewed(token, found["run"])
        asked = json.loads(body) if body else dict(parse_qsl(address.query))
        if host == HOST and (found := _ARTIFACTS.fullmatch(address.path)):
            return self.artifacts.answer(found["run"], found["rest"], asked, f"https://{HOST}{address.path}")
        endpoint = address.path.removeprefix(_MLFLOW)
        if host != HOST or endpoint == address.path or _ABSENT.match(endpoint):
            return Reply(404)
        return self._mlflow(method, endpoint, asked)

    def _login(self, host: str, path: str, body: bytes) -> Reply:
        tenant = path.split("/")[1]
        base = f"https://{host}/{tenant}"
        if path.endswith("/token"):
            form = dict(parse_qsl(body.decode()))
            if form.get("client_secret") != SECRET:
                problem = {
                    "error": "invalid_client",
                    "error_description": "AADSTS7000215: Invalid client secret",
                }
                return Reply(401, _JSON, json.dumps(problem).encode())
            life = {"expires_in": _TOKEN_LIFE_S, "ext_expires_in": _TOKEN_LIFE_S}
            return _answer({"token_type": "Bearer", "access_token": self.token(), **life})
        if "/discovery/instance" in path:
            names = {"preferred_network": host, "preferred_cache": host, "aliases": [host]}
            found = f"{base}/v2.0/.well-known/openid-configuration"
            return _answer({"tenant_discovery_endpoint": found, "metadata": [names]})
        return _answer(
            {
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
                "issuer": f"{base}/v2.0",
                "jwks_uri": f"{base}/discovery/v2.0/keys",
            }
        )

    def _mlflow(self, method: str, endpoint: str, asked: dict[str, Any]) -> Reply:
        refusal = self.rules.against(endpoint, asked, self._held(endpoint, asked))
        if refusal is not None:
            return _refusal(400, "UserError", refusal, "INVALID_PARAMETER_VALUE")
        if endpoint == "runs/search":
            asked = {**asked, "filter": _QUOTED_NUMBER.sub(r"\1\2", asked.get("filter") or "")}
        if endpoint == "runs/create":
            asked = {**asked, "tags": self.rules.kept(asked.get("tags", []))}
        reply = self._real(method, endpoint, asked)
        content = json.loads(reply.body) if reply.body else {}
        if reply.status != 200:
            code, said = content.get("error_code", "INTERNAL_ERROR"), content.get("message", "")
            return _refusal(reply.status, "UserError" if reply.status < 500 else "ServiceError", said, code)
        if endpoint == "runs/create":
            self._created(content["run"])
        if endpoint == "runs/search":
            visible = self._visible(content.get("runs", []))
            content["runs"] = [self.rules.told(run, by_search=True) for run in visible]
        elif "run" in content:
            content["run"] = self.rules.told(content["run"], by_search=False)
        return _answer(_as_azure_tells(content))

    def _real(self, method: str, endpoint: str, asked: Mapping[str, Any]) -> Reply:
        if method == "GET":
            return super().forward(method, f"{_REAL}{endpoint}?{urlencode(asked)}", {}, b"")
        return super().forward(method, f"{_REAL}{endpoint}", _JSON, json.dumps(asked).encode())

    def _run(self, run_id: str) -> dict[str, Any]:
        reply = self._real("GET", "runs/get", {"run_id": run_id})
        found: dict[str, Any] = json.loads(reply.body).get("run", {}) if reply.status == 200 else {}
        return found

    def _held(self, endpoint: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        """The data of the run that is written to."""
        if endpoint not in {"runs/log-batch", "runs/set-tag"}:
            return {}
        data: dict[str, Any] = self._run(asked["run_id"]).get("data", {})
        return data

    def _created(self, run: Mapping[str, Any]) -> None:
        """The service names the topmost run above each run."""
        run_id = run["info"]["run_id"]
        tags = {tag["key"]: tag["value"] for tag in run["data"].get("tags", [])}
        root = run_id
        if parent := tags.get("mlflow.parentRunId"):
            above = {tag["key"]: tag["value"] for tag in self._run(parent).get("data", {}).get("tags", [])}
            root = above.get("mlflow.rootRunId", parent)
        self._real("POST", "runs/set-tag", {"run_id": run_id, "key": "mlflow.rootRunId", "value": root})
        if self.search_lag:
            with self._state:
                self._hidden[run_id] = self.search_lag

    def _visible(self, runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        with self._state:
            seen = [run for run in runs if not self._hidden.get(run["info"]["run_id"])]
            self._hidden = {run_id: left - 1 for run_id, left in self._hidden.items() if left > 1}
        return seen


@dataclass(frozen=True)
class StandIn:
    """A workspace, the variables that lead this process's clients to it, and the MLflow server behind it."""

    workspace: Workspace
    variables: Mapping[str, str]
    behind: str


@contextmanager
def stand_in(mlflow: str, blobs: Blobs, folder: Path) -> Iterator[StandIn]:
    """The cloud, as far as it is needed, over the MLflow server at this address and this storage account."""
    context, authority = server_context(folder)
    with Workspace(mlflow, blobs, context) as workspace, connect_proxy(workspace.port) as proxy:
        yield StandIn(
            workspace,
            {
                **dict.fromkeys(("HTTPS_PROXY", "https_proxy"), proxy),
                **dict.fromkeys(("NO_PROXY", "no_proxy"), ""),
                "REQUESTS_CA_BUNDLE": str(authority),
                "AZURE_TENANT_ID": "00000000-0000-0000-0000-00000000000b",
                "AZURE_CLIENT_ID": "00000000-0000-0000-0000-00000000000c",
                "AZURE_CLIENT_SECRET": SECRET,
            },
            mlflow,
        )


def _as_azure_tells(content: dict[str, Any]) -> dict[str, Any]:
    for run in (content.get("run"), *content.get("runs", [])):
        if run is not None:
            info = run["info"]
            info["artifact_uri"] = (
                f"azureml://{HOST}/mlflow/v2.0{SCOPE}/experiments/{info['experiment_id']}"
                f"/runs/{info['run_id']}/artifacts"
            )
    for experiment in (content.get("experiment"), *content.get("experiments", [])):
        if experiment is not None:
            experiment["artifact_location"] = ""
    return content


def _answer(content: Mapping[str, Any]) -> Reply:
    return Reply(200, {**_JSON, "Date": formatdate(usegmt=True)}, json.dumps(content).encode())


def _refusal(status: int, kind: str, message: str, code: str) -> Reply:
    """In Azure's shape: MLflow's code beside it, and no `message` where MLflow has it."""
    body = {
        "Error": {"Code": kind, "Message": message},
        "Correlation": {"operation": "made-up"},
        "statusCode": status,
        "error_code": code,
    }
    return Reply(status, _JSON, json.dumps(body).encode())


def _base64(value: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
