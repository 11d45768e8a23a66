"""What a training function is given, and the proof that it used its split."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from studbook.application.train_context import FoldContext, TrainContext, command_of
from studbook.domain.errors import FoldsInvalid
from studbook.domain.folds import make_folds
from studbook.domain.study import maximize
from studbook.domain.validation import ExplicitFolds, KFold

SPLIT = KFold(count=3)
FOLDS = make_folds(SPLIT, 7)


def context(tmp_path: Path, logged: list[tuple[Mapping[str, float], int]] | None = None) -> TrainContext:
    kept = [] if logged is None else logged
    return TrainContext(
        params={"x": 1},
        seed=3,
        fold=None,
        budget=None,
        objectives=(maximize("f1"),),
        output_dir=tmp_path / "out",
        log_metrics=lambda metrics, step: kept.append((metrics, step)),
        report=lambda value, step: None,
        should_prune=lambda: False,
        run_command=lambda context, command: {"seconds": command.timeout_s or 0.0},
    )


def test_a_planned_fold_hands_out_its_rows_and_remembers_it() -> None:
    fold = FoldContext(1, 3, FOLDS[1], SPLIT)
    assert fold.used_digest is None
    assert set(fold.train).isdisjoint(fold.validation)
    assert sorted((*fold.train, *fold.validation)) == list(range(7))
    assert fold.used_digest == FOLDS[1].digest


def test_without_data_the_same_split_follows_from_a_row_count() -> None:
    fold = FoldContext(2, 3, None, SPLIT)
    assert fold.indices(7) == (FOLDS[2].train, FOLDS[2].validation)
    assert fold.used_digest == FOLDS[2].digest


def test_without_data_the_same_split_follows_from_labels() -> None:
    labels = ["a", "b", "a", "b", "a", "b"]
    stratified = KFold(count=3, stratify=True)
    planned = make_folds(stratified, None, labels)[0]
    assert FoldContext(0, 3, None, stratified).indices(labels) == (planned.train, planned.validation)


def test_rows_that_are_not_known_beforehand_are_an_error_that_says_how_to_get_them() -> None:
    with pytest.raises(FoldsInvalid, match="without data") as caught:
        _ = FoldContext(0, 3, None, SPLIT).train
    assert "indices" in caught.value.cure


def test_only_k_folds_follow_from_a_row_count() -> None:
    explicit = ExplicitFolds(digests=(FOLDS[0].digest,))
    with pytest.raises(FoldsInvalid, match="only k-fold"):
        FoldContext(0, 1, FOLDS[0], explicit).indices(7)


@pytest.mark.parametrize("wrong_first", [True, False])
def test_another_split_shows_whatever_is_asked_for_besides(wrong_first: bool) -> None:
    fold = FoldContext(0, 3, FOLDS[0], SPLIT)
    if wrong_first:
        fold.indices(8)
    _ = fold.train
    if not wrong_first:
        fold.indices(8)
    _ = fold.validation
    assert fold.used_digest == make_folds(SPLIT, 8)[0].digest


def test_the_output_folder_is_made_when_it_is_asked_for(tmp_path: Path) -> None:
    given = context(tmp_path)
    assert not (tmp_path / "out").exists()
    assert given.output_dir.is_dir()
    assert given.output_dir == tmp_path / "out"


def test_metrics_are_logged_at_their_step_and_the_highest_step_is_known(tmp_path: Path) -> None:
    logged: list[tuple[Mapping[str, float], int]] = []
    given = context(tmp_path, logged)
    assert given.last_step == 0
    given.log_metrics({"loss": 1.0})
    given.log_metrics({"loss": 0.5}, step=7)
    given.log_metrics({"loss": 0.6}, 3)
    assert logged == [({"loss": 1.0}, 0), ({"loss": 0.5}, 7), ({"loss": 0.6}, 3)]
    assert given.last_step == 7


def test_the_params_are_the_functions_own_copy(tmp_path: Path) -> None:
    params = {"x": 1}
    given = context(tmp_path)
    given.params["x"] = 2
    assert params == {"x": 1}


def test_a_command_is_run_as_it_was_said(tmp_path: Path) -> None:
    assert context(tmp_path).run_command(["train", tmp_path], timeout_s=2.5) == {"seconds": 2.5}
    command = command_of(["train", tmp_path], timeout_s=2, cwd=str(tmp_path))
    assert (command.argv, command.cwd, command.timeout_s) == (("train", str(tmp_path)), tmp_path, 2)
