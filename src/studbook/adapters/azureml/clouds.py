"""The Azure clouds: where tokens come from, who knows of workspaces, and where people look at runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CloudName = Literal["AzureCloud", "AzureChinaCloud", "AzureUSGovernment"]


@dataclass(frozen=True, slots=True)
class Cloud:
    """`authority` gives tokens, `management` knows of workspaces, `studio` shows runs; `constant` is what the plugin
    calls the cloud.
    """

    authority: str
    management: str
    studio: str
    constant: str

    @property
    def scope(self) -> str:
        """What a token is asked for, be it for a workspace or for who knows of it."""
        return f"https://{self.management}/.default"


CLOUDS: dict[CloudName, Cloud] = {
    "AzureCloud": Cloud(
        "login.microsoftonline.com", "management.azure.com", "ml.azure.com", "AZURE_PUBLIC_CLOUD"
    ),
    "AzureChinaCloud": Cloud(
        "login.chinacloudapi.cn", "management.chinacloudapi.cn", "ml.azure.cn", "AZURE_CHINA_CLOUD"
    ),
    "AzureUSGovernment": Cloud(
        "login.microsoftonline.us", "management.usgovcloudapi.net", "ml.azure.us", "AZURE_US_GOV_CLOUD"
    ),
}
