"""Where a model came from, and what a target stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from studbook.adapters.memory.clock import ManualClock
from studbook.application.ancestry import lineage_of
from studbook.application.run_handle import RunHandle
from studbook.application.select import Decision
from studbook.application.subject import resolve_subject
from studbook.application.train_context import TrainContext
from studbook.domain.errors import InvalidInput, RefitMissing, RunNotFound
from studbook.domain.lineage import LineageNode, render
from studbook.domain.run import RunStatus
from studbook.domain.run_view import RunView
from studbook.domain.search_space import float_range
from studbook.domain.selection.refit_mapping import RefitMapping
from studbook.domain.stage import Stage
from studbook.domain.stored_run import Lifecycle
from studbook.domain.study import maximize
from studbook.entrypoints.studbook import Studbook


def save(context: TrainContext) -> Mapping[str, float]:
    (context.output_dir / "config.json").write_text("{}")
    (context.output_dir / "model.bin").write_bytes(b"weights")
    return {"f1": 0.5}


class Life:
    """A model from its sweep to its final training."""

    def __init__(self, book: Studbook, clock: ManualClock) -> None:
        self.sweep = book.sweep(
            "s",
            save,
            space={"x": float_range(0, 1)},
            objective=maximize("f1"),
            trials=2,
            folds=2,
            n_samples=4,
            family="svm",
        )
        self.refit: RefitMapping = self.sweep.refit()
        self.benchmark: RunView = book.benchmark(
            self.refit, lambda batch: clock.advance(0.001), {1: b""}, iterations=1
        )
        self.decision: Decision = book.select("best_metric")
        self.final: RunView = book.final_training(save, self.decision)


@pytest.fixture
def life(book: Studbook, clock: ManualClock) -> Life:
    """A whole life."""
    return Life(book, clock)


def edges(node: LineageNode) -> set[tuple[str, str, str]]:
    """(ref above, relation, ref below) of the whole tree."""
    return {(above.ref, below.relation, below.ref) for above in node.walk() for below in above.children}


def test_the_tree_goes_from_the_final_model_to_the_folds(book: Studbook, life: Life) -> None:
    tree = book.lineage(life.final)
    stages = {node.run.stage for node in tree.walk() if isinstance(node.run, RunView)}
    assert stages == {
        Stage.FINAL_TRAINING,
        Stage.SELECTION,
        Stage.REFIT,
        Stage.BENCHMARK,
        Stage.TRIAL,
        Stage.FOLD,
        Stage.SWEEP,
    }
    trial, refit = life.refit.trial, str(life.refit.refit)
    found = edges(tree)
    folds = [run.ref for run in book.container.catalog().find([Stage.FOLD]) if run.parent == trial]
    assert len(folds) == 2
    assert found >= {(trial, "fold", fold) for fold in folds}
    assert (refit, "benchmark", life.benchmark.ref) in found
    assert (refit, "refit_of", trial) in found
    assert (trial, "parent", life.sweep.run_key) in found
    assert (life.final.ref, "selection", life.decision.ref) in found
    assert not any(isinstance(node.run, str) for node in tree.walk())


def test_any_target_names_the_same_run(book: Studbook, life: Life) -> None:
    refs = {
        book.lineage(target).ref
        for target in (life.final, life.final.ref, life.final.ref[:20], life.final.run_id)
    }
    assert refs == {life.final.ref}
    assert book.lineage(life.decision).ref == life.decision.ref
    assert book.lineage(life.refit).ref == life.refit.refit


def test_other_trials_do_not_stand_in_the_tree(book: Studbook, life: Life) -> None:
    others = {trial.run_key for trial in life.sweep.trials} - {life.refit.trial}
    assert others.isdisjoint(node.ref for node in book.lineage(life.final).walk())


def test_an_ancestor_that_is_gone_is_a_leaf(book: Studbook, life: Life) -> None:
    gone = "rk3:" + "0" * 64
    tree = book.lineage(replace(life.final, lineage={**life.final.lineage, "refit": gone}))
    [leaf] = [node for node in tree.walk() if node.ref == gone]
    assert leaf.run == gone
    assert any("not found" in line for line in render(tree))


@pytest.mark.parametrize("ref", ["rk3:" + "0" * 64, "0" * 64, "abcdef123456", "no-such-run", "abc"])
def test_an_unknown_run_is_an_error_that_says_where_to_look(book: Studbook, ref: str) -> None:
    with pytest.raises(RunNotFound) as caught:
        book.lineage(ref)
    assert caught.value.exit_code == 3
    assert caught.value.cure


# --- what a target stands for


def test_a_decision_means_the_run_with_the_winners_files(book: Studbook, life: Life) -> None:
    catalog = book.container.catalog()
    for target in (life.decision, life.decision.ref, catalog.resolve(life.decision.ref)):
        subject = resolve_subject(target, catalog)
        assert (subject.run.ref, subject.selection) == (life.refit.refit, life.decision.ref)
    assert resolve_subject(life.decision, catalog).basis == "LINK"


def test_a_mapping_means_its_refit(book: Studbook, life: Life) -> None:
    subject = resolve_subject(life.refit, book.container.catalog())
    assert (subject.run.ref, subject.basis, subject.selection) == (life.refit.refit, "LINK", None)


def test_a_mapping_without_a_refit_means_nothing(book: Studbook, life: Life) -> None:
    with pytest.raises(RefitMissing) as caught:
        resolve_subject(replace(life.refit, refit=None), book.container.catalog())
    assert "refit()" in caught.value.cure


def test_a_handle_means_its_own_run(book: Studbook) -> None:
    with book.run("by hand") as handle:
        assert isinstance(handle, RunHandle)
        assert resolve_subject(handle, book.container.catalog()).run.ref == handle.key


def test_a_run_means_itself(book: Studbook, life: Life) -> None:
    catalog = book.container.catalog()
    assert resolve_subject(life.final, catalog).run == life.final
    assert resolve_subject(life.benchmark.ref, catalog).run.ref == life.benchmark.ref


def test_anything_else_names_no_run(book: Studbook) -> None:
    with pytest.raises(InvalidInput, match="int names no run"):
        resolve_subject(7, book.container.catalog())  # type: ignore[arg-type]


# --- what a run's input makes its ancestors


def view(stage: Stage, **fields: object) -> RunView:
    base = RunView(
        ref="rk3:" + "a" * 64,
        run_id="1",
        stage=stage,
        status=RunStatus.FINISHED,
        lifecycle=Lifecycle.ACTIVE,
        experiment="e",
        name="n",
        started_at=0,
        ended_at=1,
    )
    return replace(base, **fields)  # type: ignore[arg-type]


SWEEP, TRIAL, REFIT, CHOICE = ("rk3:" + letter * 64 for letter in "bcde")


def test_without_a_source_a_run_begins_from_scratch() -> None:
    lineage = lineage_of(None)
    assert lineage.source == "scratch"
    assert lineage.model_dump(exclude_none=True) == {"source": "scratch"}


def test_a_refit_knows_its_trial_and_sweep() -> None:
    refit = view(Stage.REFIT, refit_of=TRIAL, parent=SWEEP, family="svm")
    lineage = lineage_of(refit)
    assert (lineage.source, lineage.sweep, lineage.trial, lineage.refit, lineage.parent) == (
        "refit",
        SWEEP,
        TRIAL,
        refit.ref,
        refit.ref,
    )
    assert lineage.model_family == "svm"


def test_a_trial_that_stands_in_is_the_trial() -> None:
    lineage = lineage_of(view(Stage.TRIAL, parent=SWEEP))
    assert (lineage.trial, lineage.sweep, lineage.refit) == ("rk3:" + "a" * 64, SWEEP, None)


def test_a_final_model_hands_its_own_ancestors_on() -> None:
    known = {"sweep": SWEEP, "trial": TRIAL, "refit": REFIT, "selection": CHOICE}
    lineage = lineage_of(view(Stage.FINAL_TRAINING, lineage={**known, "source": "selection"}))
    assert lineage.source == "final_training"
    assert {name: getattr(lineage, name) for name in known} == known


def test_a_selection_wins_as_the_source() -> None:
    lineage = lineage_of(view(Stage.REFIT, refit_of=TRIAL), CHOICE)
    assert (lineage.source, lineage.selection) == ("selection", CHOICE)


def test_legacy_texts_are_no_keys() -> None:
    legacy = view(Stage.REFIT, ref="run:abc", refit_of="run:def", study_key="0123", trial_key="4567")
    lineage = lineage_of(legacy)
    assert lineage.model_dump(exclude_none=True) == {"source": "refit"}


def test_other_stages_are_external_sources() -> None:
    assert lineage_of(view(Stage.CONVERSION)).source == "external"
