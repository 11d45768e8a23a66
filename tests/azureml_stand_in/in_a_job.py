"""This process in a job of the stand-in's workspace, with nothing else to show who it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from azureml_stand_in.job_tokens import LIFE_S, Job, open_job
from azureml_stand_in.workspace import URI, Workspace
from servers.mlflow_server import Server


@contextmanager
def in_a_job(
    workspace: Workspace, server: Server, *, by_name: bool = False, life_s: int = LIFE_S
) -> Iterator[Job]:
    """The job. What the plugin remembers of its token is forgotten afterwards, and
    its thread that renews tokens is stopped."""
    from azureml.mlflow._common._authentication.azureml_token_authentication import AzureMLTokenAuthentication

    job = open_job(workspace, URI, server.uri, by_name=by_name, life_s=life_s)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"):
            patch.delenv(name)
        for name, value in job.variables.items():
            patch.setenv(name, value)
        yield job
    AzureMLTokenAuthentication._registered_auth.clear()
    AzureMLTokenAuthentication._host_clientbase.clear()
    if AzureMLTokenAuthentication._daemon is not None:
        AzureMLTokenAuthentication._daemon.stop()
        AzureMLTokenAuthentication._daemon = None
