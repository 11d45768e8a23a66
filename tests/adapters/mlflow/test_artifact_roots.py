"""Places of artifacts: served, in buckets, in folders of this machine and of others."""

from __future__ import annotations

from pathlib import Path

import pytest

from studbook.adapters.mlflow.artifact_roots import lengths_finding, roots_finding
from studbook.ports.checkup import Outcome

_NO_CLIENTS = "studbook.adapters.mlflow.artifact_roots._is_installed"


def test_what_a_server_serves_is_within_reach() -> None:
    finding = roots_finding(["mlflow-artifacts:/0", "mlflow-artifacts:/1", "mlflow-artifacts:/1"], here=False)
    assert finding.outcome is Outcome.OK
    assert finding.found == "places of artifacts: 2, all within reach (mlflow-artifacts)"
    assert roots_finding([], here=False).outcome is Outcome.OK


@pytest.mark.parametrize("prefix", ["", "file://"])
def test_a_folder_of_this_machine_is_within_reach(tmp_path: Path, prefix: str) -> None:
    (tmp_path / "with space").mkdir()
    place = f"{prefix}{tmp_path}/with{'%20' if prefix else ' '}space/0"
    assert roots_finding([place], here=False).outcome is Outcome.OK
    assert roots_finding([place], here=True).outcome is Outcome.OK


def test_a_servers_folder_that_is_not_seen_here_is_a_problem(tmp_path: Path) -> None:
    place = f"{tmp_path}/elsewhere/0"
    finding = roots_finding([place, f"{tmp_path}/elsewhere/1"], here=False)
    assert finding.outcome is Outcome.PROBLEM
    assert finding.found.startswith(f"{place}: a folder that this machine does not see")
    assert "something wrong: 2" in finding.found
    assert "--artifacts-destination" in str(finding.cure)
    assert roots_finding([place], here=True).outcome is Outcome.OK


def test_a_relative_folder_is_told() -> None:
    finding = roots_finding(["./mlruns/0"], here=False)
    assert (finding.outcome, "relative" in finding.found) == (Outcome.WARNING, True)


def test_the_worst_place_is_told(tmp_path: Path) -> None:
    finding = roots_finding(["./mlruns/0", f"{tmp_path}/elsewhere/0"], here=False)
    assert (finding.outcome, "does not see" in finding.found) == (Outcome.PROBLEM, True)


def test_a_bucket_needs_its_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_NO_CLIENTS, lambda _module: False)
    finding = roots_finding(["s3://bucket/0"], here=False)
    assert (finding.outcome, finding.cure) == (Outcome.PROBLEM, "pip install boto3")
    monkeypatch.setattr(_NO_CLIENTS, lambda module: module == "boto3")
    assert roots_finding(["s3://bucket/0"], here=False).outcome is Outcome.OK
    assert roots_finding(["gs://bucket/0"], here=False).outcome is Outcome.PROBLEM


@pytest.mark.parametrize(("enforced", "outcome"), [(True, Outcome.PROBLEM), (False, Outcome.WARNING)])
def test_a_place_too_long_for_the_column_is_told(enforced: bool, outcome: Outcome) -> None:
    fits = "/" + "x" * 156
    assert len(f"{fits}/{'0' * 32}/artifacts") == 200
    assert lengths_finding([fits, "/short"], enforced=enforced).outcome is Outcome.OK
    assert lengths_finding([fits + "x"], enforced=enforced).outcome is outcome
