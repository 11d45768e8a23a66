"""The suite for real workspaces, run in the stand-in: it is known to work before anybody has a workspace."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import ViewType

from azureml_stand_in.workspace import URI, StandIn
from servers.mlflow_server import Server

_ROOT = Path(__file__).parents[2]
_PLACE = "STUDBOOK_TEST_AZURE_URI"


def _suite(*asked: str, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: text for name, text in os.environ.items() if name != _PLACE and "PYTEST" not in name}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-m", "live", "-q", *asked],
        cwd=_ROOT,
        env={**kept, **variables},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize(
    "asked",
    [
        ("tests/live/test_unsettled.py",),
        (
            "tests/live/test_contracts.py",
            "-k",
            "reads_back_as_it_was_asked_for or a_tree_comes_back_as_it_was",
        ),
    ],
    ids=["questions", "contracts"],
)
def test_it_passes_and_archives_what_it_made(azure: StandIn, server: Server, asked: tuple[str, ...]) -> None:
    done = _suite(*asked, **azure.variables, **{_PLACE: URI})
    assert done.returncode == 0, done.stdout
    assert "skipped" not in done.stdout
    assert ("| reopening an ended run | " in done.stdout) == (asked == ("tests/live/test_unsettled.py",))
    client = MlflowClient(server.uri, registry_uri=server.uri)
    ours = client.search_experiments(filter_string="name LIKE 'studbook-live-%'")
    runs = client.search_runs([each.experiment_id for each in ours], run_view_type=ViewType.ALL)
    assert {run.info.lifecycle_stage for run in runs} == {"deleted"}


def test_without_a_workspace_it_fails_and_says_what_to_set() -> None:
    done = _suite("tests/live/test_unsettled.py", "-x")
    assert done.returncode == 1
    assert f"set {_PLACE}" in done.stdout
