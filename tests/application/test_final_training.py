"""Final trainings: from what, made once, under which lineage, and never FINISHED without a model."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import pytest

from studbook.adapters.memory.artifact_store import MemoryArtifactStore
from studbook.adapters.memory.clock import ManualClock
from studbook.application.train_context import TrainContext
from studbook.domain.data import DataSpec
from studbook.domain.errors import FinalTrainingFailed, InvalidInput, ParamInvalid, RefitMissing, StudyInvalid
from studbook.domain.run import RunStatus
from studbook.domain.run_view import RunView
from studbook.domain.search_space import float_range
from studbook.domain.selection.refit_mapping import RefitMapping
from studbook.domain.stage import Stage
from studbook.domain.study import Budget, maximize
from studbook.domain.training import ExecSpec
from studbook.entrypoints.studbook import Studbook


def save(context: TrainContext) -> Mapping[str, float]:
    (context.output_dir / "config.json").write_text(json.dumps(context.params))
    (context.output_dir / "model.bin").write_bytes(b"weights")
    return {"f1": 0.5}


def refitted(book: Studbook) -> RefitMapping:
    return book.sweep(
        "s", save, space={"x": float_range(0, 1)}, objective=maximize("f1"), trials=2, family="svm"
    ).refit()


def finals(book: Studbook) -> list[RunView]:
    return sorted(book.container.catalog().find([Stage.FINAL_TRAINING]), key=lambda run: str(run.name))


def untouched(context: TrainContext) -> float:
    pytest.fail("trained again")


def test_a_model_is_trained_with_the_params_of_its_source(book: Studbook) -> None:
    mapping = refitted(book)
    run = book.final_training(save, mapping)
    refit = book.find(str(mapping.refit))
    assert (run.stage, run.status, run.parent, run.family) == (
        Stage.FINAL_TRAINING,
        RunStatus.FINISHED,
        None,
        "svm",
    )
    assert run.params == refit.params
    assert run.artifacts.keys() == {"model"}
    assert run.metrics == {"f1": 0.5}
    assert run.lineage == {
        "source": "refit",
        "sweep": refit.parent,
        "trial": mapping.trial,
        "refit": mapping.refit,
        "parent": mapping.refit,
    }
    assert (run.study_key, run.family_key, run.trial_key) == (
        refit.study_key,
        refit.family_key,
        refit.trial_key,
    )


def test_a_selection_is_a_source_and_an_ancestor(book: Studbook) -> None:
    mapping = refitted(book)
    decision = book.select("best_metric")
    for source in (decision, decision.ref):
        run = book.final_training(save, source, mode="new_variant")
        assert run.lineage["source"] == "selection"
        assert run.lineage["selection"] == decision.ref
        assert run.lineage["parent"] == run.lineage["refit"] == mapping.refit


def test_overrides_win_over_the_sources_params(book: Studbook) -> None:
    seen: list[object] = []

    def train(context: TrainContext) -> Mapping[str, float]:
        seen.append((context.params, context.fold, context.seed, context.budget))
        return save(context)

    budget = Budget(unit="epochs", amount=2)
    run = book.final_training(train, refitted(book), params={"x": 0.125}, seed=7, budget=budget)
    assert seen == [({"x": 0.125}, None, 7, budget)]
    assert run.params == {"x": 0.125}
    stored = book.container.tracking_store().get_run(run.run_id)
    assert stored.params.items() >= {"x": "0.125", "training_seed": "7", "training_variant": "1"}.items()
    assert stored.params["training_init"] == "scratch"
    assert json.loads(stored.params["training_budget"])["unit"] == "epochs"


def test_from_scratch_there_are_no_ancestors(book: Studbook) -> None:
    run = book.final_training(save, family="svm", params={"C": 1, "kernel": "rbf"})
    assert run.lineage == {"source": "scratch"}
    assert (run.family, run.params) == ("svm", {"C": 1, "kernel": "rbf"})
    assert run.study_key is None


def test_the_trainings_identity_is_on_its_run(book: Studbook) -> None:
    data = DataSpec.declared("digits", "1")
    execution = ExecSpec(python="3.11", device="cpu", deterministic=True)
    run = book.final_training(
        save, family="svm", params={"C": 1}, data=data, execution=execution, full_data=True
    )
    vocabulary = book.container.vocabulary()
    assert vocabulary.read("training.exec", run.tags) == execution.key
    assert str(vocabulary.read("training.spec", run.tags)).startswith("sp3:")
    assert vocabulary.read("training.variant", run.tags) == 1
    assert vocabulary.read("training.full_data", run.tags) is True
    assert vocabulary.read("data.fingerprint", run.tags) == data.key
    assert (vocabulary.read("data.mode", run.tags), vocabulary.read("data.name", run.tags)) == (
        "declared",
        "digits",
    )


def test_full_data_is_not_claimed_by_itself(book: Studbook) -> None:
    run = book.final_training(save, family="svm", params={"C": 1})
    assert book.container.vocabulary().read("training.full_data", run.tags) is False


def test_the_ancestors_are_a_record(book: Studbook) -> None:
    mapping = refitted(book)
    run = book.final_training(save, mapping)
    store = book.container.artifact_store()
    assert isinstance(store, MemoryArtifactStore)
    assert json.loads(store.read(run.run_id, "studbook/records/lineage.json"))["refit"] == mapping.refit


# --- made once


def test_an_equal_training_is_returned(open_book: Callable[..., Studbook]) -> None:
    first = open_book().final_training(save, family="svm", params={"C": 1})
    again = open_book().final_training(untouched, family="svm", params={"C": 1.0})
    assert again.ref == first.ref
    assert len(finals(open_book())) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"params": {"C": 2}},
        {"seed": 1},
        {"family": "forest"},
        {"budget": Budget(unit="fits", amount=1)},
        {"data": DataSpec.declared("digits", "1")},
        {"execution": ExecSpec(python="3.12", device="cpu")},
    ],
)
def test_any_other_training_is_made(book: Studbook, changes: dict[str, object]) -> None:
    said: dict[str, object] = {"family": "svm", "params": {"C": 1}}
    first = book.final_training(save, **said)  # type: ignore[arg-type]
    second = book.final_training(save, **{**said, **changes})  # type: ignore[arg-type]
    assert first.ref != second.ref


def test_a_new_variant_is_counted(book: Studbook) -> None:
    made = [book.final_training(save, family="svm", mode="new_variant") for _ in range(3)]
    vocabulary = book.container.vocabulary()
    assert [vocabulary.read("training.variant", run.tags) for run in made] == [1, 2, 3]
    assert len({run.ref for run in made}) == 3
    assert len({vocabulary.read("training.spec", run.tags) for run in made}) == 1


def test_of_several_variants_one_is_returned_always(book: Studbook, clock: ManualClock) -> None:
    for _ in range(3):
        newest = book.final_training(save, family="svm", mode="new_variant")
        clock.advance(1)
    assert book.final_training(untouched, family="svm").ref == newest.ref


def test_a_deleted_model_is_trained_again(book: Studbook) -> None:
    first = book.final_training(save, family="svm")
    book.container.tracking_store().delete_run(first.run_id)
    second = book.final_training(save, family="svm")
    assert second.ref != first.ref


# --- failures


def test_without_a_model_the_training_failed(book: Studbook) -> None:
    with pytest.raises(FinalTrainingFailed, match="no valid model") as caught:
        book.final_training(lambda context: 0.5, family="svm")
    assert "output_dir" in caught.value.cure
    [run] = finals(book)
    assert (run.status, run.end_reason, run.ref) == (RunStatus.FAILED, "error", caught.value.details["run"])
    assert book.final_training(save, family="svm").status is RunStatus.FINISHED


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (ValueError("diverged"), RunStatus.FAILED, "error"),
        (KeyboardInterrupt(), RunStatus.KILLED, "interrupted"),
        (SystemExit(0), RunStatus.KILLED, "interrupted"),
    ],
)
def test_what_the_training_raises_passes_through_and_is_never_finished(
    book: Studbook, error: BaseException, status: RunStatus, reason: str
) -> None:
    def train(context: TrainContext) -> float:
        save(context)
        raise error

    with pytest.raises(type(error)) as caught:
        book.final_training(train, family="svm")
    assert caught.value is error
    [run] = finals(book)
    assert (run.status, run.end_reason) == (status, reason)


def test_the_last_value_wins_over_what_was_logged(book: Studbook) -> None:
    def train(context: TrainContext) -> Mapping[str, float]:
        context.log_metrics({"f1": 0.1, "loss": 2.0}, step=9)
        context.report(0.3, 1)
        return save(context)

    assert book.final_training(train, family="svm").metrics == {"f1": 0.5, "loss": 2.0, "reported": 0.3}


def test_a_model_family_must_be_known(book: Studbook) -> None:
    with pytest.raises(StudyInvalid, match="needs a model family") as caught:
        book.final_training(save)
    assert "family=" in caught.value.cure


def test_a_run_without_hyper_parameters_is_no_source(book: Studbook, clock: ManualClock) -> None:
    mapping = refitted(book)
    measured = book.benchmark(mapping, lambda batch: clock.advance(0.001), {1: b""}, iterations=1)
    with pytest.raises(InvalidInput, match="is a benchmark"):
        book.final_training(save, measured)
    assert finals(book) == []


def test_params_must_be_recordable(book: Studbook) -> None:
    with pytest.raises(ParamInvalid):
        book.final_training(save, family="svm", params={"C": object()})
    assert finals(book) == []


def test_a_mapping_without_a_refit_is_no_source(book: Studbook) -> None:
    from dataclasses import replace

    with pytest.raises(RefitMissing):
        book.final_training(save, replace(refitted(book), refit=None))
