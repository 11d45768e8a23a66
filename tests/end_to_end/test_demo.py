"""The demo, as stock MLflow tools and a second run see it: on SQLite, on a server over PostgreSQL, and in Azure ML."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from end_to_end.demo_run import DemoRun, run_demo


@pytest.fixture(scope="module", params=["demo", "demo_on_server", "demo_on_azure"])
def lived(request: pytest.FixtureRequest) -> DemoRun:
    """The demo on each kind of store."""
    demo: DemoRun = request.getfixturevalue(request.param)
    return demo


@pytest.fixture(params=["demo", "demo_on_server"])
def demo_in_mlflow(request: pytest.FixtureRequest) -> DemoRun:
    """The demo where stock MLflow reads files, too."""
    demo: DemoRun = request.getfixturevalue(request.param)
    return demo


@pytest.fixture(scope="module")
def runs(lived: DemoRun) -> dict[str, Run]:
    """All runs of the demo's store, by run id."""
    return _runs(lived.reader)


def _runs(uri: str) -> dict[str, Run]:
    """Through MLflow's own client."""
    client = MlflowClient(uri)
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    return {run.info.run_id: run for run in client.search_runs(experiments, max_results=5000)}


def _of(runs: dict[str, Run], stage: str) -> list[Run]:
    return [run for run in runs.values() if run.data.tags.get("studbook.stage") == stage]


def test_the_data_frame_of_stock_mlflow_holds_every_stage(lived: DemoRun) -> None:
    mlflow.set_tracking_uri(lived.reader)
    try:
        frame: Any = mlflow.search_runs(search_all_experiments=True)
    finally:
        mlflow.set_tracking_uri("")
    assert set(frame["tags.studbook.stage"]) == {
        "hpo_sweep",
        "hpo_trial",
        "hpo_fold",
        "hpo_refit",
        "benchmark",
        "selection",
        "final_training",
    }


def test_folds_are_children_of_trials_and_trials_of_sweeps(runs: dict[str, Run]) -> None:
    assert len(_of(runs, "hpo_sweep")) == 3
    for stage, above in (("hpo_fold", "hpo_trial"), ("hpo_trial", "hpo_sweep"), ("hpo_refit", "hpo_sweep")):
        for run in _of(runs, stage):
            parent = runs[run.data.tags["mlflow.parentRunId"]]
            assert parent.data.tags["studbook.stage"] == above
            assert parent.data.tags["studbook.run_key"] == run.data.tags["studbook.parent_run_key"]


def test_refits_are_linked_to_their_trial(runs: dict[str, Run]) -> None:
    trials = {run.data.tags["studbook.run_key"]: run for run in _of(runs, "hpo_trial")}
    refits = _of(runs, "hpo_refit")
    assert len(refits) == 3
    for refit in refits:
        trial = trials[refit.data.tags["studbook.refit_of_run_key"]]
        assert trial.info.status == "FINISHED"
        assert trial.data.tags["studbook.trial_key"] == refit.data.tags["studbook.trial_key"]


def test_statuses_tell_what_became_of_each_trial(runs: dict[str, Run]) -> None:
    expected = {
        "COMPLETE": ("FINISHED", None),
        "PRUNED": ("KILLED", "pruned"),
        "FAILED": ("FAILED", "error"),
    }
    seen = Counter(run.data.tags["studbook.trial_state"] for run in _of(runs, "hpo_trial"))
    assert set(seen) == set(expected), "the demo has complete, pruned and failed trials"
    for run in _of(runs, "hpo_trial"):
        status, reason = expected[run.data.tags["studbook.trial_state"]]
        assert (run.info.status, run.data.tags.get("studbook.end_reason")) == (status, reason)
        if reason == "error":
            assert run.data.tags["studbook.error"].startswith("ValueError: ")
    assert not [run for run in runs.values() if run.info.status == "RUNNING"]


def test_trials_have_their_params_metrics_and_folds(runs: dict[str, Run]) -> None:
    for run in _of(runs, "hpo_trial"):
        assert run.data.params
        if run.info.status != "FINISHED":
            continue
        folds = [run.data.metrics[f"macro_f1_fold_{index}"] for index in range(3)]
        assert run.data.metrics["macro_f1"] == pytest.approx(sum(folds) / 3)
        assert {"macro_f1_std", "macro_f1_se", "accuracy"} <= run.data.metrics.keys()
    digests = {run.data.tags["studbook.fold_digest"] for run in _of(runs, "hpo_fold")}
    assert len(digests) == 3


def test_checkpoints_lie_with_their_manifest_and_fit_it(demo_in_mlflow: DemoRun) -> None:
    client = MlflowClient(demo_in_mlflow.uri)
    for refit in _of(_runs(demo_in_mlflow.uri), "hpo_refit"):
        root = Path(client.download_artifacts(refit.info.run_id, ""))
        manifest = json.loads((root / "studbook/manifests/checkpoint.json").read_bytes())
        assert manifest["run_key"] == refit.data.tags["studbook.run_key"]
        assert manifest["content_digest"] == refit.data.tags["studbook.artifact.checkpoint"]
        for file in manifest["files"]:
            content = (root / "checkpoint" / file["path"]).read_bytes()
            assert hashlib.sha256(content).hexdigest() == file["sha256"]


def test_another_machine_acquires_the_chosen_checkpoint(
    lived: DemoRun, runs: dict[str, Run], tmp_path: Path
) -> None:
    chosen = lived.document["selection"]["winner"]["refit"]
    (refit,) = (run for run in _of(runs, "hpo_refit") if run.data.tags["studbook.run_key"] == chosen)
    acquired = lived.ask("acquire", chosen, "--kind", "checkpoint", "--to", tmp_path / "model")
    assert (acquired["receipt"]["source"], acquired["receipt"]["trust"]) == ("store", "VERIFIED")
    assert acquired["receipt"]["content_digest"] == refit.data.tags["studbook.artifact.checkpoint"]
    assert (tmp_path / "model" / "model.joblib").is_file()


def test_the_document_names_runs_and_paths_that_are_there(lived: DemoRun, runs: dict[str, Run]) -> None:
    document = lived.document
    assert runs[document["selection"]["run_id"]].data.tags["studbook.stage"] == "selection"
    final = runs[document["final_training"]["run_id"]]
    assert final.info.status == "FINISHED"
    assert final.data.tags["studbook.lineage.selection_run_key"] == document["selection"]["ref"]
    assert final.data.tags["studbook.lineage.refit_run_key"] == document["selection"]["winner"]["refit"]
    assert final.data.tags["studbook.lineage.trial_run_key"] == document["selection"]["winner"]["trial"]
    assert document["checkpoint"]["trust"] == "VERIFIED"
    assert (Path(document["checkpoint"]["path"]) / "model.joblib").is_file()
    assert document["test_macro_f1"] > 0.9
    assert [c["rank"] for c in document["selection"]["ranking"]] == [1, 2, 3]


def test_benchmarks_carry_every_metric(runs: dict[str, Run]) -> None:
    for run in _of(runs, "benchmark"):
        for size in (1, 32):
            names = {f"latency_batch_{size}{part}_ms" for part in ("", "_p50", "_p95", "_p99", "_std")}
            assert names <= run.data.metrics.keys()
            assert run.data.metrics[f"throughput_batch_{size}_per_sec"] > 0


def test_a_second_run_recognises_everything(lived: DemoRun, runs: dict[str, Run]) -> None:
    again = lived.again()
    assert again.document["selection"]["ref"] == lived.document["selection"]["ref"]
    assert again.document["selection"]["reused"]
    assert again.document["final_training"] == lived.document["final_training"]
    assert again.document["checkpoint"]["source"] == "destination"
    assert _runs(lived.reader).keys() == runs.keys()


def test_the_same_life_in_azure(demo: DemoRun, demo_on_azure: DemoRun) -> None:
    there = demo_on_azure.document
    keys = [{name: family[name] for name in ("family", "trials", "refit")} for family in there["families"]]
    assert keys == [
        {name: family[name] for name in ("family", "trials", "refit")} for family in demo.document["families"]
    ]
    assert there["champions"] == demo.document["champions"]
    assert there["final_training"]["url"].startswith("https://ml.azure.com/runs/")


def test_the_same_life_without_mlflow(demo: DemoRun, tmp_path: Path) -> None:
    memory = run_demo(tmp_path, "memory://").document
    ours = {family["family"]: family for family in memory["families"]}
    for family in demo.document["families"]:
        assert ours[family["family"]]["trials"] == family["trials"]
        assert ours[family["family"]]["refit"] == family["refit"]
    assert memory["champions"] == demo.document["champions"]
    assert not (tmp_path / "mlflow.db").exists()
    assert not (tmp_path / ".studbook").exists()
