"""The tree of a model's ancestors is complete, finite and shows every run once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from studbook.domain.lineage import lineage_of, render
from studbook.domain.run import RunStatus
from studbook.domain.run_view import RunView
from studbook.domain.stage import Stage
from studbook.domain.stored_run import Lifecycle


def view(
    ref: str,
    stage: Stage,
    *,
    parent: str | None = None,
    refit_of: str | None = None,
    subject: str | None = None,
    lineage: dict[str, str] | None = None,
    tags: dict[str, str] | None = None,
    trial_number: int | None = None,
) -> RunView:
    return RunView(
        ref=ref,
        run_id=ref,
        stage=stage,
        status=RunStatus.FINISHED,
        lifecycle=Lifecycle.ACTIVE,
        experiment="e",
        name=f"{ref}-name",
        started_at=0,
        ended_at=1,
        parent=parent,
        refit_of=refit_of,
        subject=subject,
        lineage=lineage or {},
        tags=tags or {},
        trial_number=trial_number,
    )


def family() -> dict[str, RunView]:
    runs = [
        view("sweep", Stage.SWEEP),
        view("trial", Stage.TRIAL, parent="sweep", trial_number=3),
        view("fold1", Stage.FOLD, parent="trial"),
        view("fold0", Stage.FOLD, parent="trial"),
        view("refit", Stage.REFIT, parent="sweep", refit_of="trial"),
        view("bench", Stage.BENCHMARK, subject="refit", lineage={"trial": "trial", "refit": "refit"}),
        view(
            "selection",
            Stage.SELECTION,
            tags={"studbook.winner_trial_ref": "trial", "studbook.winner_refit_ref": "refit"},
        ),
        view(
            "final",
            Stage.FINAL_TRAINING,
            lineage={
                "source": "selection",
                "selection": "selection",
                "refit": "refit",
                "trial": "trial",
                "sweep": "sweep",
                "parent": "refit",
            },
        ),
        view("onnx", Stage.CONVERSION, lineage={"source": "final_training", "parent": "final"}),
        view("elsewhere", Stage.TRIAL, parent="sweep"),
    ]
    return {run.ref: run for run in runs}


def test_a_final_model_leads_back_to_everything_it_came_from() -> None:
    assert render(lineage_of("onnx", family())) == [
        "conversion onnx-name FINISHED onnx",
        "└─ input: final_training final-name FINISHED final",
        "   └─ selection: selection selection-name FINISHED selection",
        "      └─ winner_refit: hpo_refit refit-name FINISHED refit",
        "         ├─ refit_of: hpo_trial #3 trial-name FINISHED trial",
        "         │  ├─ parent: hpo_sweep sweep-name FINISHED sweep",
        "         │  ├─ fold: hpo_fold fold0-name FINISHED fold0",
        "         │  └─ fold: hpo_fold fold1-name FINISHED fold1",
        "         └─ benchmark: benchmark bench-name FINISHED bench",
    ]


def test_a_benchmark_leads_to_its_subject_and_stands_there_once() -> None:
    tree = lineage_of("bench", family())
    assert [node.ref for node in tree.walk()] == ["bench", "refit", "trial", "sweep", "fold0", "fold1"]


def test_unknown_ancestors_are_leaves() -> None:
    runs = {"b": view("b", Stage.BENCHMARK, subject="sha256:" + "a" * 64)}
    assert render(lineage_of("b", runs))[1] == f"└─ subject: sha256:{'a' * 64} (not found)"
    assert render(lineage_of("gone", {})) == ["gone (not found)"]


_refs = st.sampled_from("abcdefg")
_edge = st.none() | _refs
_runs = st.builds(
    lambda ref, stage, parent, refit_of, subject, lineage: view(
        ref, stage, parent=parent, refit_of=refit_of, subject=subject, lineage=lineage
    ),
    _refs,
    st.sampled_from(Stage),
    _edge,
    _edge,
    _edge,
    st.dictionaries(st.sampled_from(["selection", "parent", "refit", "trial", "sweep"]), _refs),
)


@given(st.lists(_runs, unique_by=lambda run: run.ref), _refs)
def test_any_graph_cycles_included_gives_a_finite_tree_that_unfolds_each_run_once(
    found: list[RunView], ref: str
) -> None:
    runs = {run.ref: run for run in found}
    tree = lineage_of(ref, runs)
    unfolded = [node.ref for node in tree.walk() if not node.repeated and not isinstance(node.run, str)]
    assert len(unfolded) == len(set(unfolded))
    assert len(render(tree)) == sum(1 for _ in tree.walk())

    reachable, todo = set(), [ref]
    while todo:
        run = runs.get(each := todo.pop())
        if each not in reachable and run is not None:
            todo += [
                e for e in (run.parent, run.refit_of, run.subject, *run.lineage.values()) if e is not None
            ]
        reachable.add(each)
    assert reachable <= {node.ref for node in tree.walk()}


@given(st.lists(_runs, unique_by=lambda run: run.ref), _refs)
def test_the_tree_is_independent_of_the_order_of_the_runs(found: list[RunView], ref: str) -> None:
    there = {run.ref: run for run in found}
    back = {run.ref: run for run in reversed(found)}
    assert render(lineage_of(ref, there)) == render(lineage_of(ref, back))
