"""Versions that fit together, and pairs that do not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError

import pytest

from studbook.adapters.system.installation import Installation, InstallationCheckup
from studbook.ports.checkup import Checkup, Finding, Outcome
from studbook.ports.contract.checkup import CheckupContract

_DEMANDS = {
    "studbook": [
        "mlflow<3.19,>=3.15",
        "optuna<6,>=5.0",
        'tomli>=2; python_version < "3.0"',
        'azureml-mlflow<1.63,>=1.62; extra == "azure"',
        'mlflow<=3.15.0; extra == "azure"',
        'scikit-learn>=1.5; extra == "demo"',
    ],
    "azureml-mlflow": ["mlflow-skinny<=3.15.0", "pytz<2020"],
}
_GOOD = {"studbook": "0.1.0", "mlflow": "3.18.0", "optuna": "5.0.0", "pytz": "2026.1"}


def found(installed: Mapping[str, str], python: str = "3.12.4") -> Finding:
    def version_of(name: str) -> str:
        if name not in installed:
            raise PackageNotFoundError(name)
        return installed[name]

    here = Installation(python, version_of, _DEMANDS.get, ">=3.11")
    (check,) = InstallationCheckup(here).checks()
    return check.look()


class TestThisInstallation(CheckupContract):
    @pytest.fixture
    def checkup(self) -> Checkup:
        return InstallationCheckup()

    @pytest.fixture
    def seen(self) -> Callable[[], object]:
        return lambda: None


def test_this_installation_fits_and_names_its_versions() -> None:
    (check,) = InstallationCheckup().checks()
    finding = check.look()
    assert finding.outcome is Outcome.OK, finding
    assert all(name in finding.found for name in ("Python 3.", "studbook ", "mlflow 3.", "optuna "))


def test_versions_that_fit_are_fine() -> None:
    assert found(_GOOD) == Finding(
        Outcome.OK,
        "Python 3.12.4, studbook 0.1.0, mlflow 3.18.0 (<3.19,>=3.15), optuna 5.0.0 (<6,>=5.0)",
        None,
    )
    azure = {**_GOOD, "mlflow": "3.15.0", "mlflow-skinny": "3.15.0", "azureml-mlflow": "1.62.0"}
    assert found(azure).outcome is Outcome.OK


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"mlflow": "3.19.0"}, "studbook needs mlflow<3.19,>=3.15, and 3.19.0 is installed"),
        ({"optuna": "4.9.0"}, "studbook needs optuna<6,>=5.0, and 4.9.0 is installed"),
        ({"azureml-mlflow": "1.62.0"}, "studbook needs mlflow<=3.15.0, and 3.18.0 is installed"),
        (
            {"azureml-mlflow": "1.60.0", "mlflow": "3.15.0"},
            "studbook needs azureml-mlflow<1.63,>=1.62, and 1.60.0 is installed",
        ),
        (
            {"azureml-mlflow": "1.62.0", "mlflow-skinny": "3.17.2"},
            "azureml-mlflow needs mlflow-skinny<=3.15.0, and 3.17.2 is installed",
        ),
    ],
)
def test_a_bad_pair_is_named(changed: dict[str, str], words: str) -> None:
    finding = found({**_GOOD, **changed})
    assert finding.outcome is Outcome.PROBLEM
    assert words in finding.found
    extras = "[azure]" if "azureml-mlflow" in changed else ""
    assert f"pip install 'studbook{extras}'" in str(finding.cure)


def test_what_is_missing_is_named() -> None:
    without = {name: version for name, version in _GOOD.items() if name != "optuna"}
    assert "studbook needs optuna<6,>=5.0, which is not installed" in found(without).found


def test_an_old_python_is_named() -> None:
    assert "studbook needs Python >=3.11, this is 3.10.2" in found(_GOOD, "3.10.2").found
