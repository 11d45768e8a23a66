"""The checkup of a workspace says whether it can be used."""

from __future__ import annotations

import pytest

from azureml_stand_in.workspace import URI, Workspace
from studbook.adapters.azureml.checkup import WorkspaceCheckup
from studbook.adapters.azureml.workspace import Workspace as Target
from studbook.domain.errors import TrackingDenied
from studbook.ports.checkup import Outcome


def checkup() -> WorkspaceCheckup:
    return WorkspaceCheckup(Target.of(URI, credential="environment", cloud="AzureCloud"))


@pytest.mark.usefixtures("workspace")
def test_a_workspace_that_answers_is_fine() -> None:
    (check,) = checkup().checks()
    assert check.look().outcome is Outcome.OK


def test_a_credential_that_is_not_taken_is_a_problem(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "wrong")
    (check,) = checkup().checks()
    with pytest.raises(TrackingDenied):
        check.look()
