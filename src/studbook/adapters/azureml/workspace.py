"""An Azure ML workspace as a backend that talks like an MLflow server."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...domain.errors import ConfigError
from ..mlflow.filter_language import FilterLanguage
from ..mlflow.mlflow_store import MlflowStore
from ..mlflow.pace import Pace
from ..mlflow.patience import Patience
from ..mlflow.rest_calls import RestCalls
from ..mlflow.rest_store import RestStore
from ..mlflow.sql_run_reading import SqlRunReader
from .clouds import CLOUDS, CloudName
from .credentials import CachedCredential, CredentialKind, credential_of, token_errors
from .plugin import host_credentials

if TYPE_CHECKING:
    from mlflow.utils.rest_utils import MlflowHostCreds

_URI = re.compile(
    r"azureml://([^/]+)/mlflow/v2\.0/subscriptions/([^/]+)/resourceGroups/([^/]+)"
    r"/providers/Microsoft\.MachineLearningServices/workspaces/([^/]+)/?"
)
_HISTORY_PAGE = 500
_FILTERS = FilterLanguage(statuses=False, escaped_keys=False, quoted_numbers=True)


@dataclass(frozen=True, slots=True)
class Workspace:
    """Not opened yet. `tokens` is the credential, and `pace` that of all requests."""

    uri: str
    host: str
    subscription: str
    group: str
    name: str
    cloud: CloudName
    tokens: CachedCredential = field(repr=False, compare=False)
    pace: Pace = field(default_factory=Pace, repr=False, compare=False)

    @classmethod
    def of(cls, uri: str, *, credential: CredentialKind, cloud: CloudName) -> Workspace:
        """What the URI names, in its v2.0 form. Raises ConfigError when that is no workspace."""
        found = _URI.fullmatch(uri)
        if found is None:
            raise ConfigError(
                f"{uri} names no Azure ML workspace",
                cure="take the URI from `az ml workspace show --query mlflow_tracking_uri`: azureml://<region>"
                ".api.azureml.ms/mlflow/v1.0/subscriptions/…/resourceGroups/…/providers/"
                "Microsoft.MachineLearningServices/workspaces/…",
            )
        tokens = credential_of(credential, CLOUDS[cloud].authority)
        host, subscription, group, name = found.groups()
        return cls(uri, host, subscription, group, name, cloud, tokens)

    @property
    def scope(self) -> str:
        """Its path among all of Azure's resources."""
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{self.group}"
            f"/providers/Microsoft.MachineLearningServices/workspaces/{self.name}"
        )

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
        fresh = host_credentials(self)

        def host_creds() -> MlflowHostCreds:
            with token_errors():
                return fresh()

        def renew(creds: MlflowHostCreds) -> None:
            self.tokens.forget(creds.token)

        calls = RestCalls(host_creds, timeout_s=timeout_s, patience=patience, pace=self.pace, renew=renew)
        return RestStore(calls, history_page=_HISTORY_PAGE)

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
