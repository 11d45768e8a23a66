"""Refits: which trial, made once, linked from the start, and what becomes of failures."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import pytest

from studbook.adapters.memory.artifact_store import MemoryArtifactStore
from studbook.adapters.memory.locks import MemoryLocks
from studbook.application.train_context import PruneTrial, TrainContext
from studbook.domain.errors import NoCompleteTrial, RefitBusy, RefitError
from studbook.domain.refit_protocol import RefitProtocol
from studbook.domain.run import RunStatus
from studbook.domain.run_view import ArtifactState, RunView
from studbook.domain.search_space import choice, float_range
from studbook.domain.seeds import refit_seed
from studbook.domain.selection.refit_mapping import MappingBasis
from studbook.domain.stage import Stage
from studbook.domain.study import Budget, SeedPolicy, maximize, minimize
from studbook.domain.validation import Holdout
from studbook.entrypoints.studbook import Studbook
from studbook.entrypoints.sweep_handle import Sweep

OpenBook = Callable[..., Studbook]


def save(context: TrainContext) -> Mapping[str, float]:
    """Scores a trial by its param; a refit writes a checkpoint."""
    if context.fold is None:
        (context.output_dir / "config.json").write_text("{}")
        (context.output_dir / "model.bin").write_bytes(b"weights")
    value = context.params["x"]
    assert isinstance(value, float)
    return {"f1": value, "loss": 1.0}


def swept(book: Studbook, train: Callable[[TrainContext], object] = save, **changes: object) -> Sweep:
    said = {
        "space": {"x": float_range(0, 1)},
        "objective": maximize("f1"),
        "trials": 3,
        "folds": 2,
        "n_samples": 8,
        **changes,
    }
    return book.sweep("s", train, **said)  # type: ignore[arg-type]


def refits(book: Studbook) -> list[RunView]:
    return sorted(book.container.catalog().find([Stage.REFIT]), key=lambda run: run.attempt)


def nothing_written(context: TrainContext) -> float:
    return 0.5


def test_the_best_trial_is_trained_on_all_data_and_linked(book: Studbook) -> None:
    sweep = swept(book, family="svm")
    mapping = sweep.refit()
    [run] = refits(book)
    best = sweep.best
    assert (mapping.refit, mapping.trial, mapping.basis) == (run.ref, best.run_key, MappingBasis.LINK)
    assert (run.status, run.parent, run.family) == (RunStatus.FINISHED, sweep.run_key, "svm")
    assert (run.refit_of, run.trial_key, run.trial_number) == (best.run_key, best.trial_key, best.number)
    assert (run.study_key, run.family_key) == (sweep.study.key, sweep.study.family_key)
    assert run.params == best.params
    assert run.artifact_state is ArtifactState.AVAILABLE
    vocabulary = book.container.vocabulary()
    assert vocabulary.read("refit.reason", run.tags) == "best_trial"
    assert vocabulary.read("refit.validation", run.tags) == "none"
    assert vocabulary.read("study.name", run.tags) == "s"
    stored = book.container.tracking_store().get_run(run.run_id)
    assert stored.params["refit_train_size"] == "8"
    assert stored.params["refit_seed"] == str(refit_seed(SeedPolicy.derived(0), best.trial_key))
    [sweep_run] = book.container.catalog().find([Stage.SWEEP])
    assert (sweep_run.status, run.experiment) == (RunStatus.FINISHED, sweep_run.experiment)


def test_a_refit_is_one_append_at_each_end(book: Studbook) -> None:
    mapping = swept(book).refit()
    kinds = [e.event.kind for e in book.container.event_log().read() if e.run_key == mapping.refit]
    assert kinds == [
        *("RunStarted", "RefitStarted", "MetricsLogged"),
        *("ArtifactLogged", "RefitLinked", "RecordWritten", "RunEnded"),
    ]


def test_the_context_of_a_refit_has_no_fold_and_the_trials_params(book: Studbook) -> None:
    sweep = swept(book, budget=Budget(unit="epochs", amount=3))
    seen = []

    def train(context: TrainContext) -> Mapping[str, float]:
        seen.append((context.fold, context.params, context.seed, context.budget, context.should_prune()))
        context.report(0.5, 1)
        return save(context)

    sweep.refit(train=train)
    [(fold, params, seed, budget, prune)] = seen
    assert (fold, params, prune) == (None, sweep.best.params, False)
    assert seed == refit_seed(SeedPolicy.derived(0), sweep.best.trial_key)
    assert budget == Budget(unit="epochs", amount=3)


def test_the_score_of_a_refit_is_its_trials(book: Studbook) -> None:
    def train(context: TrainContext) -> Mapping[str, float]:
        context.log_metrics({"f1": 0.1, "epoch_loss": 2.0}, step=4)
        return save(context)

    swept(book).refit(train=train)
    [run] = refits(book)
    assert run.metrics == {"loss": 1.0, "epoch_loss": 2.0}


def test_with_data_held_back_a_refit_has_a_score_of_its_own(book: Studbook) -> None:
    sweep = swept(book)
    study = sweep.study
    protocol = RefitProtocol(data=study.data_key, eval=study.eval_key, validation=Holdout(fraction=0.25))

    def train(context: TrainContext) -> Mapping[str, float]:
        context.log_metrics({"f1": 0.1}, step=4)
        return save(context)

    mapping = sweep.refit(train=train, protocol=protocol)
    [run] = refits(book)
    assert run.metrics["f1"] == sweep.best.params["x"]
    assert book.container.vocabulary().read("refit.validation", run.tags) == "holdout"
    assert mapping.protocol_fp == protocol.key


def test_the_ancestors_are_a_record(book: Studbook) -> None:
    sweep = swept(book)
    sweep.refit()
    [run] = refits(book)
    store = book.container.artifact_store()
    assert isinstance(store, MemoryArtifactStore)
    ancestors = json.loads(store.read(run.run_id, "studbook/records/lineage.json"))
    assert [(each["run_key"], each["stage"]) for each in ancestors] == [
        (sweep.best.run_key, "hpo_trial"),
        (sweep.run_key, "hpo_sweep"),
    ]


# --- made once


def test_a_refit_is_made_once(open_book: OpenBook) -> None:
    sweep = swept(open_book())
    first = sweep.refit()
    again = sweep.refit(train=lambda context: pytest.fail("trained again"))
    other_process = swept(open_book()).refit(train=lambda context: pytest.fail("trained again"))
    assert first == again == other_process
    assert len(refits(open_book())) == 1


def test_force_makes_the_next_attempt(book: Studbook) -> None:
    sweep = swept(book)
    first, second = sweep.refit(), sweep.refit(force=True)
    assert [run.attempt for run in refits(book)] == [1, 2]
    assert first.refit != second.refit
    assert second.refit == refits(book)[1].ref


def test_another_protocol_is_another_refit(book: Studbook) -> None:
    sweep = swept(book)
    study = sweep.study
    first = sweep.refit()
    protocol = RefitProtocol(data=study.data_key, eval=study.eval_key, budget=Budget(unit="epochs", amount=9))
    second = sweep.refit(protocol=protocol)
    assert {first.refit, second.refit} == {run.ref for run in refits(book)}
    assert [run.attempt for run in refits(book)] == [1, 1]
    assert sweep.refit(protocol=protocol) == second


def test_a_deleted_refit_is_made_again(book: Studbook) -> None:
    sweep = swept(book)
    sweep.refit()
    book.container.tracking_store().delete_run(refits(book)[0].run_id)
    mapping = sweep.refit()
    assert mapping.refit == refits(book)[1].ref


# --- which trial


def test_a_given_trial_is_refitted_on_request(book: Studbook) -> None:
    sweep = swept(book)
    worst = min(sweep.trials, key=lambda trial: (trial.values or {})["f1"])
    by_number, by_record = sweep.refit(worst.number), sweep.refit(worst)
    assert by_number == by_record
    [run] = refits(book)
    assert (run.refit_of, run.params) == (worst.run_key, worst.params)
    assert book.container.vocabulary().read("refit.reason", run.tags) == "requested"


def test_a_number_that_no_trial_has_is_told_with_those_there_are(book: Studbook) -> None:
    with pytest.raises(NoCompleteTrial, match="no trial 7") as caught:
        swept(book).refit(7)
    assert "0 to 2" in caught.value.cure


@pytest.mark.parametrize(("end", "state"), [(ValueError("no"), "FAILED"), (PruneTrial(), "PRUNED")])
def test_a_trial_without_a_score_is_not_refitted(book: Studbook, end: Exception, state: str) -> None:
    ends: list[Exception | None] = [end, None]

    def train(context: TrainContext) -> object:
        given = ends.pop(0)
        if given is not None:
            raise given
        return 0.5

    sweep = swept(book, train, folds=None, trials=2 if state == "PRUNED" else 1, max_failed_trials=5)
    with pytest.raises(NoCompleteTrial, match=f"trial 0 is {state}"):
        sweep.refit(0)
    assert refits(book) == []


def test_with_several_objectives_a_trial_must_be_named(book: Studbook) -> None:
    sweep = swept(book, objective=[maximize("f1"), minimize("loss")])
    with pytest.raises(NoCompleteTrial, match="no single best"):
        sweep.refit()
    assert sweep.refit(1).trial == sweep.trials[1].run_key


def test_the_link_names_the_newest_complete_attempt(book: Studbook) -> None:
    scores = iter([0.9, 0.5])

    def train(context: TrainContext) -> object:
        return next(scores)

    sweep = swept(book, train, space={"x": choice(0.5)}, folds=None, trials=2, duplicates="rerun")
    mapping = sweep.refit(0, train=save)
    [run] = refits(book)
    assert run.refit_of == mapping.trial == sweep.trials[1].run_key


def test_a_repeated_point_is_refitted_as_the_trial_that_it_repeats(book: Studbook) -> None:
    sweep = swept(book, space={"x": choice(0.5)}, trials=2)
    assert sweep.trials[1].duplicate_of is not None
    assert sweep.refit(1) == sweep.refit(0)
    assert len(refits(book)) == 1


def test_a_refit_lies_below_the_session_that_holds_its_trial(book: Studbook) -> None:
    scores = iter([0.9, 0.1])

    def train(context: TrainContext) -> object:
        return next(scores)

    first = swept(book, train, folds=None, trials=1)
    second = swept(book, train, folds=None, trials=2)
    assert second.best.number == 0
    second.refit(train=save)
    assert refits(book)[0].parent == first.run_key


# --- failures


def test_without_a_checkpoint_the_refit_failed_and_maps_to_nothing(book: Studbook) -> None:
    sweep = swept(book)
    with pytest.raises(RefitError, match="no valid checkpoint") as caught:
        sweep.refit(train=nothing_written)
    assert "output_dir" in caught.value.cure
    [run] = refits(book)
    assert (run.status, run.end_reason, run.ref) == (RunStatus.FAILED, "error", caught.value.details["run"])
    assert run.refit_of == sweep.best.run_key
    kinds = [e.event.kind for e in book.container.event_log().read() if e.run_key == run.ref]
    assert "RefitLinked" not in kinds
    trial = book.find(sweep.best.run_key)
    assert (trial.status, trial.trial_state) == (RunStatus.FINISHED, "COMPLETE")
    assert book.find(sweep.run_key).status is RunStatus.FINISHED


def test_a_failed_refit_is_followed_by_the_next_attempt(book: Studbook) -> None:
    sweep = swept(book)
    with pytest.raises(RefitError):
        sweep.refit(train=nothing_written)
    mapping = sweep.refit()
    assert [run.status for run in refits(book)] == [RunStatus.FAILED, RunStatus.FINISHED]
    assert mapping.refit == refits(book)[1].ref


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (ValueError("diverged"), RunStatus.FAILED, "error"),
        (KeyboardInterrupt(), RunStatus.KILLED, "interrupted"),
        (SystemExit(0), RunStatus.KILLED, "interrupted"),
        (SystemExit(2), RunStatus.KILLED, "interrupted"),
    ],
)
def test_what_the_training_raises_passes_through_and_is_never_finished(
    book: Studbook, error: BaseException, status: RunStatus, reason: str
) -> None:
    def train(context: TrainContext) -> float:
        save(context)
        raise error

    with pytest.raises(type(error)) as caught:
        swept(book).refit(train=train)
    assert caught.value is error
    [run] = refits(book)
    assert (run.status, run.end_reason) == (status, reason)


def test_a_refit_that_runs_elsewhere_is_busy(open_book: OpenBook) -> None:
    locks = MemoryLocks()
    book = open_book(locks=locks)
    busy: list[RefitBusy] = []

    def train(context: TrainContext) -> Mapping[str, float]:
        with pytest.raises(RefitBusy) as caught:
            swept(open_book(locks=locks)).refit()
        busy.append(caught.value)
        return save(context)

    sweep = swept(book)
    sweep.refit(train=train)
    assert busy[0].cure
    assert [run.status for run in refits(book)] == [RunStatus.FINISHED]
    assert sweep.refit().refit == refits(book)[0].ref


def test_nothing_of_a_refit_stays_in_the_work_folder(book: Studbook) -> None:
    folders = []

    def train(context: TrainContext) -> Mapping[str, float]:
        folders.append(context.output_dir)
        return save(context)

    swept(book).refit(train=train)
    assert not folders[0].exists()
