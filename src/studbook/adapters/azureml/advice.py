"""What to do when Azure refuses who we are."""

from __future__ import annotations

from ..mlflow.errors import Advice

_WHO = "tracking.azure.credential says who studbook is"

OF_AZURE = Advice(
    unauthenticated="log in again (az login), or mend AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET: "
    f"it must be somebody of the workspace's tenant; {_WHO}",
    forbidden="give this identity the role 'AzureML Data Scientist' in the workspace (az role assignment create); "
    f"{_WHO}",
    elsewhere="check the host of the tracking URI, and subscription, resource group and workspace; "
    "tracking.azure.* names a workspace without its host",
)
