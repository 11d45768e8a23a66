"""The vendor's plugin, told which credential and which cloud to use, so that it never asks a person or the network."""

from __future__ import annotations

from collections.abc import Callable
from importlib import metadata
from typing import TYPE_CHECKING

from ...domain.errors import ConfigError
from .clouds import CLOUDS

if TYPE_CHECKING:
    from azureml.mlflow._internal.utils import ServiceContext
    from mlflow.utils.rest_utils import MlflowHostCreds

    from .workspace import Workspace

_PACKAGES = ("azureml-mlflow", "azure-identity", "azure-core")


def require_packages(version_of: Callable[[str], str] = metadata.version) -> None:
    """Raises ConfigError for a package of the extra that is not installed; they are looked up, and not imported."""
    for name in _PACKAGES:
        try:
            version_of(name)
        except metadata.PackageNotFoundError:
            raise ConfigError(
                f"an Azure ML workspace needs the package {name}, which is not installed",
                cure="pip install 'studbook[azure]'",
            ) from None


def host_credentials(workspace: Workspace) -> Callable[[], MlflowHostCreds]:
    """Gives the workspace's address with a valid token, at each call. Registers both for the workspace's URI, in
    the whole process.
    """
    from azureml.mlflow._internal.service_context_loader import _AzureMLServiceContextLoader
    from azureml.mlflow._store.azureml_reststore import AzureMLAbstractRestStore

    context = service_context(workspace)
    _AzureMLServiceContextLoader.add_service_context(workspace.uri, context)
    fresh: Callable[[], MlflowHostCreds] = AzureMLAbstractRestStore(context).get_host_creds
    return fresh


def bearer(address: str, token: str) -> MlflowHostCreds:
    """An address with a token, as MLflow's requests take them."""
    from mlflow.utils.rest_utils import MlflowHostCreds

    return MlflowHostCreds(address, token=token)  # type: ignore[no-untyped-call]  # MLflow types it in part


def service_context(workspace: Workspace) -> ServiceContext:
    """What the plugin's clients ask for the address, the credential and the cloud."""
    from azureml.mlflow._common._cloud import cloud
    from azureml.mlflow._internal.utils import ServiceContext

    return ServiceContext(
        host_url=f"https://{workspace.host}",
        subscription_id=workspace.subscription,
        workspace_name=workspace.name,
        resource_group_name=workspace.group,
        auth=workspace.tokens,
        cloud=getattr(cloud, CLOUDS[workspace.cloud].constant),
    )
