"""Who we are as a job: its own short-lived token."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ...domain.errors import TrackingDenied
from ..mlflow.rest_calls import RestCalls
from ..mlflow.rest_store import RestStore
from .advice import OF_AZURE
from .credentials import token_errors
from .job import JobAccess
from .plugin import bearer

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

    from .workspace import Workspace


def job_credential(job: JobAccess, workspace: Workspace) -> TokenCredential:
    """The job's token, which the plugin has the workspace renew, in a thread of its own, before it expires.

    Raises TrackingDenied when it has expired, or is none; TrackingUnavailable when it cannot be renewed now.
    """
    from azure.core.exceptions import ClientAuthenticationError
    from azureml.mlflow._common._authentication.azureml_token_authentication import AzureMLTokenAuthentication

    experiment_id = job.experiment_id or _experiment_id(job, workspace)
    try:
        with token_errors():
            # Told when it expires, because the plugin would take the time for that of this machine's zone.
            created: TokenCredential = AzureMLTokenAuthentication.create(
                job.token,
                _expires_at(job.token),
                f"https://{workspace.host}",
                workspace.subscription,
                workspace.group,
                workspace.name,
                None,
                job.run_id,
                experiment_id=experiment_id,
            )
            return created
    except TrackingDenied as error:
        if isinstance(error.__cause__, ClientAuthenticationError):
            raise _unusable("it has expired, and is not renewed") from None
        raise


def _experiment_id(job: JobAccess, workspace: Workspace) -> str:
    """As the job's run says: the token is renewed by the experiment's id only."""
    creds = bearer(f"https://{workspace.host}/mlflow/v2.0{workspace.scope}", job.token)
    try:
        run = RestStore(RestCalls(lambda: creds, advice=OF_AZURE)).get_run(job.run_id)
    except TrackingDenied:
        raise _unusable("the workspace refuses it") from None
    return str(run.info.experiment_id)


def _expires_at(token: str) -> datetime:
    import jwt

    try:
        claims = jwt.decode(token, options={"verify_signature": False, "verify_aud": False})
        return datetime.fromtimestamp(int(claims["exp"]), UTC)
    except (jwt.PyJWTError, KeyError, TypeError, ValueError):
        raise _unusable("it does not tell when it expires") from None


def _unusable(why: str) -> TrackingDenied:
    return TrackingDenied(
        f"the job's own token (MLFLOW_TRACKING_TOKEN) cannot be used: {why}",
        cure="give the job a managed identity with the role 'AzureML Data Scientist', and set "
        "tracking.azure.credential to managed-identity",
        code="NO_TOKEN",
    )
