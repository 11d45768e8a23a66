"""Every field of the run context has a reader."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from studbook.application.child_context import ChildContext
from studbook.config.child import child_context
from studbook.domain.errors import FoldsInvalid, InvalidInput, MetricValueInvalid, RunContextInvalid
from studbook.domain.folds import Fold
from studbook.domain.run_context import (
    ContextFold,
    ContextLease,
    ContextMode,
    ContextTarget,
    RunContext,
    StopWord,
)
from studbook.domain.run_identity import RunIdentity
from studbook.domain.stage import Stage
from studbook.domain.study import maximize
from studbook.domain.value import Value

FOLD = Fold.of(1, (0, 1, 2), (3, 4))
_PARSED_ONLY = {"schema_version"}


class Noted:
    """A value that notes which of its fields are asked for."""

    def __init__(self, value: Value, asked: set[str], at: str = "") -> None:
        self._value, self._asked, self._at = value, asked, at

    def __getattr__(self, name: str) -> Any:
        self._asked.add(f"{self._at}{name}")
        found = getattr(self._value, name)
        nested = isinstance(found, ContextFold | ContextLease | ContextTarget)
        return Noted(found, self._asked, f"{name}.") if nested else found


def document(folder: Path, mode: ContextMode, **changes: object) -> RunContext:
    """A document for a child of this folder."""
    identity = RunIdentity(project="p", stage=Stage.FOLD, subject={"run": str(mode)}, attempt=2)
    indices = folder / "indices.json"
    indices.write_text(json.dumps({"train": FOLD.train, "validation": FOLD.validation}), encoding="utf-8")
    attached = mode is ContextMode.ATTACH
    said: dict[str, object] = {
        "schema_version": 1,
        "mode": mode,
        "run_key": identity.key,
        "project": identity.project,
        "stage": identity.stage,
        "subject": identity.subject,
        "attempt": identity.attempt,
        "parent_run_key": "rk3:" + 64 * "b",
        "run_name": "named",
        "experiment": "experimental",
        "home": str(folder / "home"),
        "params": {"lr": 1.0},
        "fold": ContextFold(index=1, count=3, digest=FOLD.digest, indices_path=str(indices)),
        "seed": 7,
        "budget": {"unit": "epochs", "amount": 3},
        "objectives": [maximize("f1")],
        "output_dir": str(folder / "out"),
        "resume_from": str(folder / "earlier"),
        "result_path": str(folder / f"{mode}.json"),
        "control_path": str(folder / "control"),
        "parent_writer": "20260101t000000000000000-0123456789" if attached else None,
        "lease": ContextLease(interval_s=0.5, ttl_s=5),
        "target": ContextTarget(uri="http://tracking.invalid", decided_by="file"),
    }
    return RunContext.model_validate({**said, **changes})


def child_of(said: RunContext) -> ChildContext:
    """The part of a child that was handed this document."""
    return child_context({"STUDBOOK_RUN_CONTEXT": said.to_json().decode()})


def work(context: ChildContext) -> None:
    """All that a child may do."""
    with context:
        context.log_metrics({"loss": 1.0}, step=1)
        context.report(0.5, 2)
        assert context.fold is not None
        _ = context.fold.train
        context.should_stop()
        context.finish(0.75)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("STUDBOOK_", "MLFLOW_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def fields(model: type[Value], at: str = "") -> set[str]:
    return {f"{at}{name}" for name in model.model_fields}


def test_every_field_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: set[str] = set()
    parse = RunContext.parse
    monkeypatch.setattr(RunContext, "parse", lambda text: Noted(parse(text), asked))
    for mode in ContextMode:
        work(child_of(document(tmp_path, mode)))
    wanted = (
        fields(RunContext)
        | fields(ContextFold, "fold.")
        | fields(ContextLease, "lease.")
        | fields(ContextTarget, "target.")
    )
    assert wanted - asked == _PARSED_ONLY


def test_the_context_says_what_the_document_says(tmp_path: Path) -> None:
    said = document(tmp_path, ContextMode.ATTACH)
    context = child_of(said)
    told_alike = """mode run_key project stage subject attempt parent_run_key run_name experiment
        params seed budget objectives"""
    same = told_alike.split()
    assert {name: getattr(context, name) for name in same} == {name: getattr(said, name) for name in same}
    assert (context.output_dir, context.resume_from) == (tmp_path / "out", tmp_path / "earlier")
    assert context.output_dir.is_dir()
    assert context.fold is not None
    assert (context.fold.index, context.fold.count) == (1, 3)
    assert (context.fold.train, context.fold.validation) == (FOLD.train, FOLD.validation)
    assert context.fold.used_digest == FOLD.digest


def test_the_journal_goes_to_the_home_for_the_target_under_a_lease(tmp_path: Path) -> None:
    context = child_of(document(tmp_path, ContextMode.OWN))
    with context:
        [lease] = (tmp_path / "home" / "leases").iterdir()
        [segment] = (tmp_path / "home" / "journal").iterdir()
        assert segment.name.startswith(lease.stem)
        assert '"target":"http://tracking.invalid"' in segment.read_text(encoding="utf-8").splitlines()[0]
        context.finish(0.5)
    assert list((tmp_path / "home" / "leases").iterdir()) == []


@pytest.mark.parametrize("word", StopWord)
def test_the_control_file_stops_a_child(tmp_path: Path, word: StopWord) -> None:
    with child_of(document(tmp_path, ContextMode.ATTACH)) as context:
        assert not context.should_stop()
        (tmp_path / "control").write_text(word, encoding="utf-8")
        assert context.should_stop()
        assert context.should_prune() is (word is StopWord.PRUNE)
        (tmp_path / "control").unlink()
        assert context.should_stop()
        context.finish({})
    outcome = json.loads((tmp_path / "attach.json").read_bytes())["outcome"]
    assert outcome == ("pruned" if word is StopWord.PRUNE else "completed")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"target": ContextTarget(uri="memory://", decided_by="file")}, "gone with it"),
        ({"target": ContextTarget(uri="http://x", decided_by="a guess")}, "is no source of settings"),
    ],
)
def test_a_target_that_is_of_no_use_is_refused(
    tmp_path: Path, changes: Mapping[str, object], problem: str
) -> None:
    with pytest.raises(RunContextInvalid, match=problem):
        child_of(document(tmp_path, ContextMode.ATTACH, **changes))


@pytest.mark.parametrize(
    "indices", ["", "{}", '{"train": [0], "validation": [0]}', '{"train": [0, 1], "validation": [3]}']
)
def test_indices_that_are_not_those_of_the_digest_are_refused(tmp_path: Path, indices: str) -> None:
    context = child_of(document(tmp_path, ContextMode.ATTACH))
    (tmp_path / "indices.json").write_text(indices, encoding="utf-8")
    assert context.fold is not None
    with pytest.raises(RunContextInvalid, match="indices of fold 1"):
        _ = context.fold.train
    assert context.fold.used_digest is None


def test_a_split_that_nobody_knows_is_not_made_up(tmp_path: Path) -> None:
    unknown = ContextFold(index=0, count=2, digest=None, indices_path=None)
    context = child_of(document(tmp_path, ContextMode.ATTACH, fold=unknown))
    assert context.fold is not None
    with pytest.raises(FoldsInvalid, match="without data"):
        _ = context.fold.validation


@pytest.mark.parametrize("mode", ContextMode)
def test_nothing_is_recorded_before_the_part_begins(tmp_path: Path, mode: ContextMode) -> None:
    context = child_of(document(tmp_path, mode))
    with pytest.raises(InvalidInput, match="has not begun"):
        context.log_metrics({"loss": 1.0})
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("step", ["x", 1.5, 2**63])
@pytest.mark.parametrize("stage", [Stage.FOLD, Stage.TRIAL])
def test_what_is_no_step_is_refused(tmp_path: Path, step: object, stage: Stage) -> None:
    identity = RunIdentity(project="p", stage=stage, subject={"run": "stepped"}, attempt=2)
    said = document(tmp_path, ContextMode.ATTACH, stage=stage, subject=identity.subject, run_key=identity.key)
    with child_of(said) as context:
        with pytest.raises(MetricValueInvalid, match="is no step"):
            context.log_metrics({"loss": 1.0}, step=step)  # type: ignore[arg-type]  # told at the call
        context.finish({})


def test_a_file_that_is_not_there_is_no_document(tmp_path: Path) -> None:
    with pytest.raises(RunContextInvalid, match="cannot be read"):
        child_context({"STUDBOOK_RUN_CONTEXT": str(tmp_path / "nothing")})
