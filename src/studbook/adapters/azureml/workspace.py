"""An Azure ML workspace as a backend that talks like an MLflow server."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from ...domain.errors import ConfigError
from ...domain.redaction import redact
from ..mlflow.filter_language import FilterLanguage
from ..mlflow.mlflow_store import MlflowStore
from ..mlflow.pace import Pace
from ..mlflow.patience import Patience
from ..mlflow.rest_calls import RestCalls
from ..mlflow.rest_store import RestStore
from ..mlflow.sql_run_reading import SqlRunReader
from .advice import OF_AZURE
from .clouds import CLOUDS, CloudName
from .credentials import CachedCredential, CredentialKind, new_credential, token_errors
from .job import JobAccess
from .job_credential import job_credential
from .location import WorkspaceLocation
from .plugin import host_credentials, require_packages
from .resource_manager import ResourceManager
from .scope import workspace_scope

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from mlflow.utils.rest_utils import MlflowHostCreds

_URI = re.compile(
    r"azureml://(?:([^/@]+)/mlflow/v2\.0)?/subscriptions/([^/]+)/resourceGroups/([^/]+)"
    r"/providers/Microsoft\.MachineLearningServices/workspaces/([^/]+)/?"
)
_HISTORY_PAGE = 500
_OF_THE_JOB = frozenset({"job", "default"})
_FILTERS = FilterLanguage(statuses=False, escaped_keys=False, quoted_numbers=True)


@dataclass(frozen=True, slots=True)
class Workspace:
    """Not opened yet. `tokens` are those of the `credential`: `job` only if the job's own serves. `pace` is that of all
    requests; `manager` is asked about the workspace from outside.

    What needs the host may ask Azure's resource manager for it, and raises what `WorkspaceLocation.host` raises.
    """

    subscription: str
    group: str
    name: str
    cloud: CloudName
    credential: CredentialKind
    tokens: CachedCredential = field(repr=False, compare=False)
    manager: ResourceManager = field(repr=False, compare=False)
    location: WorkspaceLocation = field(repr=False, compare=False)
    pace: Pace = field(default_factory=Pace, repr=False, compare=False)

    @classmethod
    def of(
        cls, uri: str, *, credential: CredentialKind, cloud: CloudName, job: JobAccess | None = None
    ) -> Workspace:
        """What the URI names, in its v2.0 form, or by its scope alone. `job` is the one that we are in, if it is one of
        this workspace. Raises ConfigError when that is no workspace, and for a package that is not installed.
        """
        require_packages()
        found = _URI.fullmatch(uri)
        if found is None:
            raise ConfigError(
                f"{redact(uri)} names no Azure ML workspace",
                cure="take the URI from `az ml workspace show --query mlflow_tracking_uri`: azureml://<region>"
                ".api.azureml.ms/mlflow/v1.0/subscriptions/…/resourceGroups/…/providers/"
                "Microsoft.MachineLearningServices/workspaces/…; or set tracking.azure.subscription_id, "
                "resource_group and workspace_name",
            )
        if credential == "job" and job is None:
            raise ConfigError(
                "tracking.azure.credential is job, and this process is in no job of the workspace that has a token",
                cure="set it to default; a job has AZUREML_RUN_ID, MLFLOW_TRACKING_URI and MLFLOW_TRACKING_TOKEN",
            )
        host, subscription, group, name = found.groups()
        served_by, authority = job if credential in _OF_THE_JOB else None, CLOUDS[cloud].authority

        def make() -> TokenCredential:
            if served_by is not None:
                return job_credential(served_by, workspace)
            return new_credential(credential, authority)

        used: CredentialKind = credential if served_by is None else "job"
        tokens = CachedCredential(make)
        others = tokens
        if used != credential:  # a job's token is not taken there; who wants that one alone does without
            others = CachedCredential(partial(new_credential, credential, authority))
        manager = ResourceManager(others, CLOUDS[cloud])
        location = WorkspaceLocation(workspace_scope(subscription, group, name), host, manager)
        workspace = cls(subscription, group, name, cloud, used, tokens, manager, location)
        return workspace

    @property
    def scope(self) -> str:
        """Its path among all of Azure's resources."""
        return workspace_scope(self.subscription, self.group, self.name)

    @property
    def host(self) -> str:
        """Where its interfaces are."""
        return self.location.host()

    @property
    def uri(self) -> str:
        """What MLflow's own clients take."""
        return f"azureml://{self.host}/mlflow/v2.0{self.scope}"

    @property
    def is_server(self) -> bool:
        """It is reached by requests."""
        return True

    @property
    def filters(self) -> FilterLanguage:
        """No status, no names that need escaping, numbers in quotes."""
        return _FILTERS

    def open(self, *, timeout_s: float, patience: Patience) -> MlflowStore:
        """The store. The plugin's own clients get the same credential, in this process."""
        return RestStore(self.calls(timeout_s=timeout_s, patience=patience), history_page=_HISTORY_PAGE)

    def calls(self, *, timeout_s: float, patience: Patience) -> RestCalls:
        """Requests to the workspace, with a valid token each. See `open`."""
        self.location.host(timeout_s=timeout_s, patience=patience)
        fresh = host_credentials(self)

        def host_creds() -> MlflowHostCreds:
            with token_errors():
                return fresh()

        def renew(creds: MlflowHostCreds) -> None:
            self.tokens.forget(creds.token)

        return RestCalls(
            host_creds,
            timeout_s=timeout_s,
            patience=patience,
            pace=self.pace,
            renew=renew,
            advice=OF_AZURE,
        )

    def table_reader(self) -> SqlRunReader | None:
        """None: there are no tables to see."""
        return None

    def artifact_location(self, experiment: str) -> str | None:
        """None: the workspace decides."""
        del experiment
        return None

    def run_page(self, experiment_id: str, run_id: str) -> str | None:
        """The run in the studio."""
        del experiment_id
        scope = f"/subscriptions/{self.subscription}/resourcegroups/{self.group}/workspaces/{self.name}"
        return f"https://{CLOUDS[self.cloud].studio}/runs/{run_id}?wsid={scope}"
