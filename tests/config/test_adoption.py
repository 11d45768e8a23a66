"""Which run stands open for a process: decided once, by variables that are read and never written."""

from __future__ import annotations

from pathlib import Path

import pytest

from studbook.adapters.azureml.job import JobAccess
from studbook.config.container import Container
from studbook.config.settings import LoadedSettings, load_settings
from studbook.domain.run_events import Adoption

AZURE = "azureml://westeurope.api.azureml.ms/mlflow/v1.0/subscriptions/s/resourceGroups/g"
JOB = {"MLFLOW_TRACKING_URI": AZURE, "AZUREML_RUN_ID": "job_7", "MLFLOW_RUN_ID": "job_7"}
SHORT = "azureml:///subscriptions/s/resourcegroups/G"
OF_THE_JOB = Adoption(run_id="job_7", ended_by_service=True)


def load(folder: Path, environ: dict[str, str], **said: object) -> LoadedSettings:
    overrides = {key.replace("__", "."): value for key, value in said.items()}
    return load_settings(folder, overrides, environ)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, None),
        ({"MLFLOW_RUN_ID": ""}, None),
        ({"MLFLOW_RUN_ID": "abc"}, Adoption(run_id="abc")),
        ({"MLFLOW_RUN_ID": "abc", "STUDBOOK_RUN_CONTEXT": "{}"}, None),
        ({"MLFLOW_RUN_ID": "abc", "STUDBOOK_TRACKING__ADOPT": "never"}, None),
        (JOB, OF_THE_JOB),
        ({**JOB, "MLFLOW_RUN_ID": ""}, OF_THE_JOB),
        ({**JOB, "STUDBOOK_RUN_CONTEXT": "context.json"}, None),
        ({**JOB, "STUDBOOK_TRACKING__ADOPT": "never"}, None),
        # The same workspace, named otherwise.
        ({**JOB, "STUDBOOK_TRACKING__URI": SHORT}, OF_THE_JOB),
        # Not of this job: it is one of another workspace.
        ({**JOB, "STUDBOOK_TRACKING__URI": f"{AZURE}2"}, Adoption(run_id="job_7")),
        # Not of a job: of a workspace, of another backend, or without the workspace's own variable.
        ({"MLFLOW_TRACKING_URI": AZURE, "MLFLOW_RUN_ID": "abc"}, Adoption(run_id="abc")),
        ({**JOB, "MLFLOW_TRACKING_URI": "http://azureml.invalid"}, Adoption(run_id="job_7")),
        ({**JOB, "STUDBOOK_TRACKING__URI": "sqlite:///a.db"}, Adoption(run_id="job_7")),
        ({"STUDBOOK_TRACKING__URI": AZURE, "AZUREML_RUN_ID": "job_7"}, None),
        ({"AZUREML_RUN_ID": "job_7"}, None),
    ],
    ids=str,
)
def test_the_variables_decide(tmp_path: Path, environ: dict[str, str], expected: Adoption | None) -> None:
    loaded = load(tmp_path, environ)
    assert loaded.adopt == expected
    told = environ.get("MLFLOW_TRACKING_URI") == AZURE and "AZUREML_RUN_ID" in environ
    of_the_job = environ.get("STUDBOOK_TRACKING__URI", AZURE) in (AZURE, SHORT)
    assert loaded.target.job_run_id == ("job_7" if told and of_the_job else None)


def test_the_first_run_of_a_book_asks_for_it(tmp_path: Path) -> None:
    loaded = load(tmp_path, {"MLFLOW_RUN_ID": "abc"}, tracking__uri="memory://")
    opening = Container(loaded=loaded, version="1").opening()
    assert opening._adoption() == Adoption(run_id="abc")
    assert opening._adoption() is None


def test_in_a_job_the_workspaces_host_is_the_jobs_and_its_token_stays_secret(tmp_path: Path) -> None:
    given = {"MLFLOW_TRACKING_TOKEN": "made-up-token", "MLFLOW_EXPERIMENT_ID": "12"}
    loaded = load(tmp_path, {**JOB, **given, "STUDBOOK_TRACKING__URI": SHORT})
    assert loaded.target.uri == AZURE.replace("v1.0", "v2.0")
    assert loaded.target.display == SHORT
    assert loaded.job == JobAccess("job_7", "made-up-token", "12")
    assert "made-up-token" not in repr(loaded)


@pytest.mark.parametrize(
    "environ", [JOB, {**JOB, "MLFLOW_TRACKING_TOKEN": "t", "STUDBOOK_TRACKING__URI": f"{AZURE}2"}], ids=str
)
def test_without_a_token_and_in_another_workspace_the_job_gives_nothing(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    assert load(tmp_path, environ).job is None
