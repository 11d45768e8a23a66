"""Requests to a workspace's artifact interface, by the plugin's generated client: its other one waits and repeats by
numbers of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ...domain.errors import TrackingRefused, TrackingUnavailable
from ..mlflow.errors import unreadable_answer
from ..mlflow.rest_calls import timeouts_s
from .credentials import token_errors
from .file_errors import check_answer, cut, service_errors
from .plugin import service_context
from .workspace import Workspace

_OK = 200
_TOO_MANY = 429


class ArtifactCalls:
    """Thread-safe; imports the plugin. Each call is one request, and asked once; a listing is one for each page.

    `timeout_s` is how long the service may stay silent, as in `adapters.mlflow.rest_calls.RestCalls`.
    """

    def __init__(self, workspace: Workspace, *, timeout_s: float) -> None:
        from azureml.mlflow._restclient.run_artifact._azure_machine_learning_workspaces import (
            AzureMachineLearningWorkspaces,
        )

        context = service_context(workspace)
        self._scope = f"{context.cloud.endpoints.resource_manager.rstrip('/')}/.default"
        self._artifacts: Any = AzureMachineLearningWorkspaces(
            workspace.tokens, base_url=context.host_url, credential_scopes=[self._scope], retry_total=0
        ).run_artifacts
        self._workspace = workspace
        self._timeout_s = timeout_s

    def paths(self, experiment: str, run_id: str) -> list[str]:
        """All paths of a run."""
        with self._request(listing="value") as options:
            listed = self._artifacts.list_in_container(**self._run(experiment, run_id), **options)
            return [str(artifact.path) for artifact in listed]

    def take(self, experiment: str, run_id: str, path: str) -> str | None:
        """The signed address for the bytes of a file, whose path is taken from now on; None when it was before."""
        from azureml.mlflow._restclient.run_artifact.models import ArtifactPath, ArtifactPathList

        body = ArtifactPathList(paths=[ArtifactPath(path=path)])
        with self._request(writes=True) as options:
            answer = self._artifacts.batch_create_empty_artifacts(
                body=body, **self._run(experiment, run_id), **options
            )
        if refused := (answer.errors or {}).get(path):
            # What it says is no interface: whether the path is there is.
            if path in self.paths(experiment, run_id):
                return None
            raise TrackingRefused(
                f"the workspace does not take {path}: {cut(str(refused.error and refused.error.message))}",
                cure="correct what it names; repeating will not help",
                code="REFUSED",
            )
        return _link((answer.artifact_content_information or {}).get(path), writes=True)

    def link(self, experiment: str, run_id: str, path: str) -> str:
        """The signed address of a file's bytes. Raises TrackingRefused with `details["status"]` 404."""
        with self._request() as options:
            found = self._artifacts.get_content_information(
                path=path, **self._run(experiment, run_id), **options
            )
        return _link(found, writes=False)

    def _run(self, experiment: str, run_id: str) -> Mapping[str, str]:
        return {
            "subscription_id": self._workspace.subscription,
            "resource_group_name": self._workspace.group,
            "workspace_name": self._workspace.name,
            "experiment_name": experiment,
            "run_id": run_id,
        }

    @contextmanager
    def _request(self, *, listing: str | None = None, writes: bool = False) -> Iterator[Mapping[str, Any]]:
        pace = self._workspace.pace
        pace.await_turn()
        with token_errors():
            self._workspace.tokens.get_token(self._scope)
        connect_s, read_s = timeouts_s(self._timeout_s)
        try:
            with service_errors(writes=writes):
                yield {
                    "connection_timeout": connect_s,
                    "read_timeout": read_s,
                    "raw_response_hook": lambda answer: check_answer(
                        answer.http_response, listing=listing, writes=writes
                    ),
                }
        except TrackingUnavailable as error:
            if error.details.get("status") == _TOO_MANY:
                pace.too_many()
            raise
        pace.answered()


def _link(found: Any, *, writes: bool) -> str:
    link = None if found is None else found.content_uri
    if not link:
        raise unreadable_answer(_OK, writes=writes)
    return str(link)
