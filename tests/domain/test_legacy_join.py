"""Legacy runs, each read with what the runs around it tell."""

from __future__ import annotations

import itertools

import pytest

from studbook.domain.legacy_join import join_legacy
from studbook.domain.run import RunStatus
from studbook.domain.run_reader import read_run
from studbook.domain.run_view import RunView
from studbook.domain.stage import Stage
from studbook.domain.stored_run import Lifecycle, StoredRun

HEX = "ab" * 32


def view(
    run_id: str,
    tags: dict[str, str],
    *,
    parent: str | None = None,
    params: dict[str, str] | None = None,
    metrics: dict[str, float] | None = None,
) -> RunView:
    return read_run(
        StoredRun(
            run_id,
            "demo-hpo-svm",
            run_id,
            RunStatus.FINISHED,
            Lifecycle.ACTIVE,
            1,
            2,
            parent,
            tags,
            params or {},
            metrics or {},
        )
    )


SWEEP = view(
    "sweep",
    {"code.stage": "hpo", "code.study_key_hash": HEX, "code.objective.direction": "maximize"},
    params={"primary_metric": "f1"},
)
TRIAL = view(
    "trial",
    {"code.stage": "hpo", "code.trial_key_hash": "cd" * 32, "code.study_key_hash": HEX, "trial_number": "3"},
    parent="sweep",
    params={"C": "1"},
    metrics={"cv_mean": 0.6, "cv_std": 0.1, "fold_0_f1": 0.5, "fold_1_f1": 0.7},
)
PART = view(
    "part", {"trial_number": "3"}, parent="trial", params={"gamma": "2", "C": "9"}, metrics={"loss": 1.0}
)
FOLD = view("fold", {"fold_idx": "1", "trial_number": "3"}, parent="sweep")
FOREIGN = view("foreign", {"mlflow.user": "me"}, parent="trial")


@pytest.mark.parametrize("order", itertools.permutations([SWEEP, TRIAL, PART, FOLD, FOREIGN]))
def test_runs_are_joined_in_whichever_order_they_come(order: tuple[RunView, ...]) -> None:
    joined = {run.run_id: run for run in join_legacy(order)}
    assert joined.keys() == {"sweep", "trial", "fold"}
    trial = joined["trial"]
    assert trial.objectives == (("f1", "maximize"),)
    assert (trial.metrics["f1"], trial.folds) == (0.6, (0.5, 0.7))
    assert trial.params == {"C": "1", "gamma": "2"}
    assert trial.metrics["loss"] == 1.0
    assert (joined["fold"].trial_key, joined["fold"].study_key) == ("cd" * 32, HEX)
    assert joined["sweep"] == SWEEP


def test_a_fold_of_no_known_trial_stays_as_it_is() -> None:
    other = view("fold", {"fold_idx": "1", "trial_number": "4"}, parent="sweep")
    assert join_legacy([SWEEP, TRIAL, other])[-1] == other
    unnumbered = view("fold", {"fold_idx": "1"}, parent="sweep")
    assert join_legacy([SWEEP, TRIAL, unnumbered])[-1] == unnumbered


def test_what_has_a_trial_number_elsewhere_is_no_part_of_a_trial() -> None:
    lost = view("lost", {"trial_number": "3"}, parent="sweep")
    assert [run.run_id for run in join_legacy([SWEEP, TRIAL, lost])] == ["sweep", "trial"]
    assert join_legacy([SWEEP, TRIAL, lost])[1].params == {"C": "1"}


def test_a_benchmark_tells_its_environment_by_its_key_and_params() -> None:
    measured = view(
        "b",
        {"code.stage": "benchmarking", "benchmark_key": f"refit1:{HEX}:{HEX}"},
        params={"benchmark_device": "cuda", "benchmark_max_length": "128"},
        metrics={"latency_batch_1_ms": 3.0},
    )
    assert measured.stage is Stage.BENCHMARK
    assert measured.subject == "run:refit1"
    assert measured.environment == {"device": "cuda", "sequence_length": "128", "data_fp": HEX}
    unknown = view("b", {"code.stage": "benchmark"}, params={"benchmark_device": "auto"})
    assert (unknown.environment, unknown.subject) == ({}, None)
