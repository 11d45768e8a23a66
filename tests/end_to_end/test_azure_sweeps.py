"""Sweeps that Azure ML ran by itself: champions and decisions, through the stand-in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from azureml_stand_in.jobs import MANAGEMENT
from azureml_stand_in.sweeps import ServiceSweep, run_sweep
from azureml_stand_in.workspace import URI, Workspace
from faults.http_faults import Answer
from servers.mlflow_server import Server
from studbook import AzureSweep, Studbook
from studbook.domain.errors import TrackingUnavailable
from studbook.domain.selection.warning import WarningCode

FAST = {"retry.base": 0.01, "retry.cap": 0.01, "retry.attempts": 2}


@pytest.fixture
def sweep(workspace: Workspace, server: Server) -> ServiceSweep:
    return run_sweep(workspace, server.uri, [0.7, 0.9, 0.8], best=1, tags={"data_version": "3"})


@pytest.fixture
def book(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studbook]:
    """A book on the workspace; what the environment says is of no account."""
    del workspace
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/elsewhere.db")
    with Studbook.open(
        URI, home=tmp_path / "home", experiment=tmp_path.name, delivery="inline", overrides=FAST
    ) as book:
        yield book


def test_a_sweep_is_read_decided_and_recorded(
    book: Studbook, sweep: ServiceSweep, workspace: Workspace
) -> None:
    report = book.champions(azureml_sweep=sweep.name)
    assert len([one for one in workspace.requests() if one.headers["Host"] == MANAGEMENT]) == 1
    assert all(workspace.requests(f"runs/get.*{child}") for child in sweep.children)
    (champion,) = report.champions
    assert (champion.trial, champion.value) == (f"run:{sweep.children[1]}", 0.9)
    assert (champion.study_key, champion.dataset_version) == (f"azureml:tests/{sweep.name}", "3")
    assert report.warnings == ()
    decision = book.select(azureml_sweep=AzureSweep(sweep.name, family="forest"))
    winner = decision.result.winner
    assert (winner.trial, winner.family, winner.tags) == (champion.trial, "forest", {"dataset_version": "3"})
    assert book.select(azureml_sweep=AzureSweep(sweep.name, family="forest")).ref == decision.ref


def test_asking_makes_nothing_and_leaves_mlflows_own_target_alone(
    book: Studbook, sweep: ServiceSweep, workspace: Workspace, tmp_path: Path
) -> None:
    import mlflow

    before = mlflow.get_tracking_uri()
    book.champions(azureml_sweep=sweep.name)
    writes = ("create", "update", "log-batch", "set-tag", "delete")
    assert not [one.path for one in workspace.requests() if one.path.endswith(writes)]
    assert (mlflow.get_tracking_uri(), os.environ["MLFLOW_TRACKING_URI"]) == (
        before,
        f"sqlite:///{tmp_path}/elsewhere.db",
    )
    assert not (tmp_path / "elsewhere.db").exists()


def test_the_services_best_child_is_only_compared(
    book: Studbook, workspace: Workspace, server: Server
) -> None:
    sweep = run_sweep(workspace, server.uri, [0.7, 0.9], best=0)
    report = book.champions(azureml_sweep=sweep.name)
    assert report.champions[0].trial == f"run:{sweep.children[1]}"
    assert [warning.code for warning in report.warnings] == [WarningCode.SERVICE_BEST_DIFFERS]


def test_a_child_that_cannot_be_read_is_an_error(
    book: Studbook, sweep: ServiceSweep, workspace: Workspace
) -> None:
    workspace.on(f"runs/get.*{sweep.children[0]}", Answer(503), times=None)
    with pytest.raises(TrackingUnavailable):
        book.champions(azureml_sweep=sweep.name)
