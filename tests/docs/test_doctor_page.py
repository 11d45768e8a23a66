"""What docs/doctor.md says of the checks, held to the checks themselves."""

from __future__ import annotations

import re
from pathlib import Path

from docs.pages import DOCS, Page, run
from studbook.adapters.azureml.checkup import WorkspaceCheckup
from studbook.adapters.azureml.workspace import Workspace
from studbook.adapters.mlflow.checkup import mlflow_checkup
from studbook.adapters.mlflow.server_checkup import ServerCheckup
from studbook.config.checkup import diagnose
from studbook.config.container import Container
from studbook.config.settings import load_settings

_WORKSPACE = (
    "azureml:///subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
)
TEXT = (DOCS / "doctor.md").read_text(encoding="utf-8")


def test_the_commands_find_a_new_project_well(tmp_path: Path) -> None:
    commands = Page.of("doctor.md").commands
    assert len(commands) == 2
    for command in commands:
        done = run(tmp_path, command)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_every_check_is_told_of_and_no_other(tmp_path: Path) -> None:
    loaded = load_settings(tmp_path, environ={}, overrides={"tracking.uri": "memory://"})
    every = [row.check for row in diagnose(Container(loaded=loaded, version="1"), write=False)().rows]
    backends = [
        mlflow_checkup(uri, str(tmp_path))
        for uri in (f"sqlite:///{tmp_path}/mlflow.db", "http://127.0.0.1:9", "postgresql://host/database")
    ]
    backends.append(WorkspaceCheckup(Workspace.of(_WORKSPACE, credential="default", cloud="AzureCloud")))
    made = {check.name for backend in backends for check in backend.checks()} | set(every)
    assert set(re.findall(r"^\| `([^`]+)` \|", TEXT, re.MULTILINE)) == made


def test_the_sample_has_the_rows_of_a_server() -> None:
    sample = TEXT.partition("```text\n")[2].partition("```")[0]
    shown = re.findall(r"^(\w+(?: \w+)?)  +(?:ok|warning|problem) ", sample, re.MULTILINE)
    told = [check.name for check in ServerCheckup("http://127.0.0.1:9").checks()]
    assert shown[-len(told) - 2 :] == [*told, "limits", "write"]
