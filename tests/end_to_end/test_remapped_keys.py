"""A project that keeps its tags under keys of its own: written and read there, from sweep to acquisition."""

from __future__ import annotations

from pathlib import Path

import pytest

from studbook.application.train_context import TrainContext
from studbook.domain.search_space import float_range
from studbook.domain.study import maximize
from studbook.domain.tag_table import TAGS
from studbook.entrypoints.studbook import Studbook
from studbook.ports.run_query import ANY_STATUS, RunQuery

_OWN = [tag.name for tag in TAGS if tag.name != "run.parent_id"]


def _train(context: TrainContext) -> dict[str, float]:
    if context.fold is None:
        (context.output_dir / "weights.bin").write_bytes(b"weights")
        return {}
    assert not set(context.fold.train) & set(context.fold.validation)
    return {"f1": 1.0 - (float(str(context.params["x"])) - 0.3) ** 2}


def _tags_file(folder: Path, *, aliases: bool) -> None:
    lines = ["schema_version: 3", "keys:"]
    lines += [f"  {name}: acme.{name.replace('{', '_').replace('}', '')}" for name in _OWN]
    if aliases:
        lines = ["schema_version: 3", "aliases:"]
        lines += [f"  {name}: [acme.{name.replace('{', '_').replace('}', '')}]" for name in _OWN]
    (folder / "tags.yaml").write_text("\n".join(lines) + "\n")


def _live(book: Studbook) -> tuple[str, str]:
    sweep = book.sweep(
        "toy",
        _train,
        space={"x": float_range(0, 1)},
        objective=maximize("f1"),
        trials=4,
        folds=2,
        n_samples=12,
    )
    refit = sweep.refit()
    book.benchmark(refit, lambda batch: batch, {1: b"one"}, iterations=3, warmup=0)
    decision = book.select()
    acquired = book.acquire(decision, "checkpoint")
    assert (acquired.path / "weights.bin").read_bytes() == b"weights"
    final = book.final_training(_train, decision)
    assert [node.ref for node in book.lineage(final).walk()][-1:] != [final.ref]
    return decision.ref, final.ref


@pytest.mark.parametrize("scheme", ["memory", "sqlite"])
def test_a_whole_life_under_keys_of_ones_own(tmp_path: Path, scheme: str) -> None:
    uri = "memory://" if scheme == "memory" else f"sqlite:///{tmp_path / 'mlflow.db'}"
    (tmp_path / "studbook.yaml").write_text(f"tracking: {{uri: '{uri}'}}\ndelivery: {{mode: inline}}\n")
    _tags_file(tmp_path, aliases=False)
    with Studbook.open(config=tmp_path / "studbook.yaml") as book:
        made = _live(book)
        assert _live(book) == made, "the second life recognises the first"
        query = RunQuery(experiments=book.container.catalog().experiments(), statuses=ANY_STATUS)
        for run in book.runs(query):
            assert not [key for key in run.tags if key.startswith("studbook.")]
            assert run.tags["acme.run.stage"]


def test_runs_under_keys_used_before_are_still_found(tmp_path: Path) -> None:
    (tmp_path / "studbook.yaml").write_text(
        f"tracking: {{uri: 'sqlite:///{tmp_path / 'mlflow.db'}'}}\ndelivery: {{mode: inline}}\n"
    )
    _tags_file(tmp_path, aliases=False)
    with Studbook.open(config=tmp_path / "studbook.yaml") as book:
        made = _live(book)
    _tags_file(tmp_path, aliases=True)
    with Studbook.open(config=tmp_path / "studbook.yaml") as book:
        assert _live(book) == made
