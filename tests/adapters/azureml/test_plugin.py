"""A workspace needs the packages of the extra, and says so before any training."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import pytest

from studbook.adapters.azureml.plugin import require_packages
from studbook.domain.errors import ConfigError


def test_this_installation_has_them() -> None:
    require_packages()


@pytest.mark.parametrize("missing", ["azureml-mlflow", "azure-identity", "azure-core"])
def test_one_that_is_missing_is_named_with_the_command_that_installs_it(missing: str) -> None:
    def version_of(name: str) -> str:
        if name == missing:
            raise PackageNotFoundError(name)
        return version(name)

    with pytest.raises(ConfigError, match=missing) as caught:
        require_packages(version_of)
    assert caught.value.cure == "pip install 'studbook[azure]'"
