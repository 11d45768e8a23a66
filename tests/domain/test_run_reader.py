"""Stored runs that are malformed, legacy or foreign."""

from __future__ import annotations

from dataclasses import replace

import pytest

from studbook.domain.errors import MalformedRun
from studbook.domain.run import RunStatus
from studbook.domain.run_reader import read_run
from studbook.domain.run_view import ArtifactState, KeySchema
from studbook.domain.stage import Stage
from studbook.domain.stored_run import Lifecycle, StoredRun
from studbook.domain.vocabulary import DEFAULT_VOCABULARY

HEX = "ab" * 32


def run(
    tags: dict[str, str] | None = None,
    params: dict[str, str] | None = None,
    metrics: dict[str, float] | None = None,
    status: RunStatus = RunStatus.FINISHED,
    parent_id: str | None = None,
) -> StoredRun:
    return StoredRun(
        "id1", "e", "n", status, Lifecycle.ACTIVE, 1, 2, parent_id, tags or {}, params or {}, metrics or {}
    )


def ours(**tags: str) -> StoredRun:
    return run(
        {f"studbook.{key}": text for key, text in {"schema": "3", "run_key": f"rk3:{HEX}", **tags}.items()}
    )


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("schema", "4"),
        ("schema", "three"),
        ("run_key", HEX),
        ("stage", "hpo"),
        ("attempt", "01"),
        ("study_key", f"tk3:{HEX}"),
        ("objectives", '[["f1","up"]]'),
        ("objectives", '{"f1":"maximize"}'),
        ("params", "[1]"),
        ("params", '{"a":NaN}'),
        ("params", "[" * 100_000),
        ("params", '{"a":{"$int":"x"}}'),
        ("benchmark_environment", "3"),
        ("artifact.model", HEX),
        ("trial_state", "complete"),
    ],
)
def test_a_malformed_tag_is_an_error_that_names_run_and_tag(key: str, text: str) -> None:
    with pytest.raises(MalformedRun) as caught:
        read_run(ours(**{key: text}))
    assert "id1" in caught.value.problem
    assert caught.value.details["tag"] == f"studbook.{key}"


def test_a_run_with_few_fields_is_still_a_view() -> None:
    view = read_run(ours())
    assert (view.ref, view.stage, view.parent, view.attempt) == (f"rk3:{HEX}", None, None, 1)
    assert (view.key_schema, view.artifact_state) == (KeySchema.V3, ArtifactState.UNKNOWN)


def test_without_typed_params_the_text_ones_are_given() -> None:
    stored = replace(ours(), params={"C": "1"})
    assert read_run(stored).params == {"C": "1"}
    typed = replace(
        stored, tags={**stored.tags, "studbook.params": '{"C":1,"n":{"$int":"9007199254740993"}}'}
    )
    assert read_run(typed).params == {"C": 1, "n": 2**53 + 1}


def test_folds_are_those_of_the_objective_up_to_the_first_gap() -> None:
    stored = replace(
        ours(objectives='[["f1","maximize"]]'),
        metrics={"f1_fold_0": 0.5, "f1_fold_1": 0.6, "f1_fold_3": 0.7, "loss_fold_0": 2.0},
    )
    assert read_run(stored).folds == (0.5, 0.6)
    assert read_run(stored, objective="loss").folds == (2.0,)


def test_the_parent_is_the_recorded_key_before_the_backends_id() -> None:
    stored = replace(ours(parent_run_key=f"rk3:{HEX}"), parent_id="p")
    assert read_run(stored).parent == f"rk3:{HEX}"
    assert read_run(replace(ours(), parent_id="p")).parent == "run:p"


def test_a_remapped_vocabulary_is_honoured() -> None:
    vocabulary = DEFAULT_VOCABULARY.remapped({"run.schema": "acme.schema", "run.stage": "acme.stage"}, {})
    view = read_run(run({"acme.schema": "3", "acme.stage": "hpo_trial"}), vocabulary)
    assert (view.stage, view.ref) == (Stage.TRIAL, "run:id1")


def test_a_foreign_run_is_known_by_its_backend_id_and_has_no_stage() -> None:
    view = read_run(run({"mlflow.user": "me"}, {"lr": "0.1"}, {"loss": 1.0}))
    assert (view.ref, view.stage, view.key_schema) == ("run:id1", None, None)
    assert (view.params, view.metrics) == ({"lr": "0.1"}, {"loss": 1.0})


@pytest.mark.parametrize(
    ("tags", "parent", "stage"),
    [
        ({"code.stage": "hpo", "code.study_key_hash": HEX}, None, Stage.SWEEP),
        ({"code.stage": "hpo_sweep", "mlflow.runType": "sweep"}, None, Stage.SWEEP),
        ({"code.study_key_hash": HEX}, None, Stage.SWEEP),
        ({"code.stage": "hpo"}, None, None),
        ({"code.stage": "hpo"}, "p", Stage.TRIAL),
        ({"code.stage": "hpo_trial"}, "p", Stage.TRIAL),
        ({"fold_idx": "0"}, "p", Stage.FOLD),
        ({"trial_number": "3"}, "p", None),
        ({"code.stage": "hpo_refit"}, "p", Stage.REFIT),
        ({"code.stage": "benchmarking"}, None, Stage.BENCHMARK),
        ({"code.stage": "benchmark"}, None, Stage.BENCHMARK),
        ({"code.stage": "final_training"}, None, Stage.FINAL_TRAINING),
        ({"code.stage": "conversion"}, None, Stage.CONVERSION),
        ({"code.stage": "other"}, None, None),
    ],
)
def test_the_stage_of_a_legacy_run(tags: dict[str, str], parent: str | None, stage: Stage | None) -> None:
    assert read_run(run(tags, parent_id=parent)).stage is stage


def test_a_legacy_trial_is_read_by_its_old_tags() -> None:
    tags = {
        "code.stage": "hpo",
        "code.study_key_hash": HEX,
        "code.trial_key_hash": "cd" * 32,
        "code.study.key_schema_version": "2.0",
        "code.hpo.trial_number": "4",
        "code.objective.direction": "maximize",
        "code.artifact.available": "True",
        "code.backbone": "tag-family",
    }
    params = {"backbone": "bert-base", "objective_metric": "f1"}
    metrics = {"fold_0_f1": 0.5, "fold_1_f1": 0.7, "cv_mean": 0.6}
    view = read_run(run(tags, params, metrics, parent_id="sweep"))
    assert (view.ref, view.parent, view.trial_number) == ("run:id1", "run:sweep", 4)
    assert (view.study_key, view.trial_key, view.key_schema) == (HEX, "cd" * 32, KeySchema.V2)
    assert (view.family, view.objectives) == ("bert-base", (("f1", "maximize"),))
    assert (view.folds, view.metrics["f1"]) == ((0.5, 0.7), 0.6)
    assert view.artifact_state is ArtifactState.AVAILABLE


def test_legacy_links_become_refs() -> None:
    refit = read_run(run({"code.stage": "hpo_refit", "code.refit.of_trial_run_id": "t1"}, parent_id="s"))
    assert refit.refit_of == "run:t1"
    measured = read_run(run({"code.stage": "benchmarking", "benchmark_key": f"t1:{HEX}:x"}))
    assert measured.subject == "run:t1"
    final = read_run(run({"code.stage": "final_training", "code.lineage.hpo_refit_run_id": "r1"}))
    assert final.lineage == {"refit": "run:r1"}


def test_an_interrupted_legacy_run_was_killed() -> None:
    view = read_run(run({"code.stage": "hpo", "code.interrupted": "true"}, status=RunStatus.RUNNING))
    assert (view.status, view.end_reason) == (RunStatus.KILLED, "interrupted")
    done = read_run(run({"code.stage": "hpo", "code.interrupted": "true"}))
    assert done.status is RunStatus.FINISHED


@pytest.mark.parametrize(
    ("flag", "state"), [("no", "UNAVAILABLE"), ("YES", "AVAILABLE"), ("maybe", "UNKNOWN")]
)
def test_the_legacy_artifact_flag_has_three_states(flag: str, state: str) -> None:
    assert read_run(run({"code.artifact.available": flag})).artifact_state == state
