"""Requests to a workspace's artifact interface, by the plugin's generated client: its other one waits and repeats by
numbers of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from ...domain.errors import TrackingDenied, TrackingError, TrackingRefused
from ..mlflow.errors import unreadable_answer
from ..mlflow.rest_calls import timeouts_s
from .credentials import token_errors
from .file_errors import check_answer, cut, service_errors
from .plugin import service_context
from .workspace import Workspace

T = TypeVar("T")
_Options = Mapping[str, object]

_OK = 200
_UNAUTHENTICATED = 401
_TOO_MANY = 429


class ArtifactCalls:
    """Thread-safe; imports the plugin. Each call is one request, and asked once; a listing is one for each page.

    `timeout_s` is how long the service may stay silent, as in `adapters.mlflow.rest_calls.RestCalls`.
    """

    def __init__(self, workspace: Workspace, *, timeout_s: float) -> None:
        from azure.core.pipeline.policies import SansIOHTTPPolicy
        from azureml.mlflow._restclient.run_artifact._azure_machine_learning_workspaces import (
            AzureMachineLearningWorkspaces,
        )

        context = service_context(workspace)
        self._scope = f"{context.cloud.endpoints.resource_manager.rstrip('/')}/.default"
        self._artifacts: Any = AzureMachineLearningWorkspaces(
            workspace.tokens,
            base_url=context.host_url,
            # The vendor's keeps a token until it expires, also one that is taken no longer: ours goes with each call.
            authentication_policy=SansIOHTTPPolicy(),
            retry_total=0,
        ).run_artifacts
        self._workspace = workspace
        self._timeout_s = timeout_s

    def paths(self, experiment: str, run_id: str) -> list[str]:
        """All paths of a run."""

        def ask(options: _Options) -> list[str]:
            listed = self._artifacts.list_in_container(**self._run(experiment, run_id), **options)
            return [str(artifact.path) for artifact in listed]

        return self._asked(ask, listing="value")

    def take(self, experiment: str, run_id: str, path: str) -> str | None:
        """The signed address for the bytes of a file, whose path is taken from now on; None when it was before."""
        from azureml.mlflow._restclient.run_artifact.models import ArtifactPath, ArtifactPathList

        def ask(options: _Options) -> Any:
            body = ArtifactPathList(paths=[ArtifactPath(path=path)])
            run = self._run(experiment, run_id)
            return self._artifacts.batch_create_empty_artifacts(body=body, **run, **options)

        answer = self._asked(ask, writes=True)
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

        def ask(options: _Options) -> Any:
            run = self._run(experiment, run_id)
            return self._artifacts.get_content_information(path=path, **run, **options)

        return _link(self._asked(ask), writes=False)

    def _run(self, experiment: str, run_id: str) -> Mapping[str, str]:
        return {
            "subscription_id": self._workspace.subscription,
            "resource_group_name": self._workspace.group,
            "workspace_name": self._workspace.name,
            "experiment_name": experiment,
            "run_id": run_id,
        }

    def _asked(self, ask: Callable[[_Options], T], *, listing: str | None = None, writes: bool = False) -> T:
        """The answer; a token that is taken no longer is renewed once."""
        try:
            return self._asked_once(ask, listing, writes=writes)
        except TrackingDenied as error:
            if error.details.get("status") != _UNAUTHENTICATED:
                raise
        return self._asked_once(ask, listing, writes=writes)

    def _asked_once(self, ask: Callable[[_Options], T], listing: str | None, *, writes: bool) -> T:
        tokens, pace = self._workspace.tokens, self._workspace.pace
        pace.await_turn()
        with token_errors():
            token = tokens.get_token(self._scope).token
        connect_s, read_s = timeouts_s(self._timeout_s)
        options = {
            "headers": {"Authorization": f"Bearer {token}"},
            "connection_timeout": connect_s,
            "read_timeout": read_s,
            "raw_response_hook": partial(check_answer, listing=listing, writes=writes),
        }
        try:
            with service_errors(writes=writes):
                answer = ask(options)
        except TrackingError as error:
            if error.details.get("status") == _TOO_MANY:
                pace.too_many()
            if error.details.get("status") == _UNAUTHENTICATED:
                tokens.forget(token)
            raise
        pace.answered()
        return answer


def _link(found: Any, *, writes: bool) -> str:
    link = None if found is None else found.content_uri
    if not link:
        raise unreadable_answer(_OK, writes=writes)
    return str(link)
