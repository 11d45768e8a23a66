"""The Azure clouds: where tokens come from, and where people look at runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CloudName = Literal["AzureCloud", "AzureChinaCloud", "AzureUSGovernment"]


@dataclass(frozen=True, slots=True)
class Cloud:
    """`authority` gives tokens, `studio` shows runs; `constant` is what the plugin calls the cloud."""

    authority: str
    studio: str
    constant: str


CLOUDS: dict[CloudName, Cloud] = {
    "AzureCloud": Cloud("login.microsoftonline.com", "ml.azure.com", "AZURE_PUBLIC_CLOUD"),
    "AzureChinaCloud": Cloud("login.chinacloudapi.cn", "ml.azure.cn", "AZURE_CHINA_CLOUD"),
    "AzureUSGovernment": Cloud("login.microsoftonline.us", "ml.azure.us", "AZURE_US_GOV_CLOUD"),
}
