"""The run context: what was written is what is read, and nothing else is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.documents import run_contexts
from studbook.domain.errors import RunContextInvalid
from studbook.domain.run_context import RunContext

GONE = object()


def changed(context: RunContext, **changes: object) -> RunContext:
    """The document with other values, or without what is GONE."""
    document = {**json.loads(context.to_json()), **changes}
    return RunContext.parse(
        json.dumps({name: value for name, value in document.items() if value is not GONE})
    )


def types(value: object) -> object:
    """The types inside a JSON value: 1, 1.0 and true are equal, and not the same."""
    if isinstance(value, dict):
        return {name: types(each) for name, each in value.items()}
    return [types(each) for each in value] if isinstance(value, list) else type(value)


@given(run_contexts())
def test_a_document_comes_back_as_it_was_written(context: RunContext) -> None:
    again = RunContext.parse(context.to_json())
    assert again == context
    assert types(again.params) == types(context.params)
    assert again.to_json() == context.to_json()
    assert json.loads(context.to_json()).keys() == RunContext.model_fields.keys()


@given(run_contexts(), st.sampled_from(sorted(RunContext.model_fields)))
def test_every_field_must_be_there(context: RunContext, name: str) -> None:
    with pytest.raises(RunContextInvalid, match=f"{name}: Field required"):
        changed(context, **{name: GONE})


@given(
    run_contexts(), st.text(min_size=1, max_size=9).filter(lambda name: name not in RunContext.model_fields)
)
def test_no_other_field_may_be_there(context: RunContext, name: str) -> None:
    with pytest.raises(RunContextInvalid, match="Extra inputs are not permitted"):
        changed(context, **{name: None})


@given(run_contexts(), st.integers().filter(lambda version: version != 1))
def test_another_schema_version_is_refused(context: RunContext, version: int) -> None:
    with pytest.raises(RunContextInvalid, match="knows schema version 1"):
        changed(context, schema_version=version)


@given(run_contexts(), st.sampled_from(["project", "stage", "attempt", "subject"]))
def test_the_run_key_is_that_of_the_run_that_is_described(context: RunContext, name: str) -> None:
    others = {
        "project": "another",
        "stage": "selection" if context.stage != "selection" else "benchmark",
        "attempt": context.attempt + 1,
        "subject": {"run": "another", "more": 1},
    }
    with pytest.raises(RunContextInvalid, match="run_key is not the key"):
        changed(context, **{name: others[name]})


@given(run_contexts(), st.sampled_from(["control_path", "parent_writer", "target"]))
def test_who_attaches_must_be_told_of_its_parent(context: RunContext, name: str) -> None:
    if context.mode == "attach":
        with pytest.raises(RunContextInvalid, match="attach needs"):
            changed(context, **{name: None})
    else:
        assert getattr(changed(context, **{name: None}), name) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"', b"\xff", "{}"])
def test_what_is_no_document_is_refused(text: str | bytes) -> None:
    with pytest.raises(RunContextInvalid, match="not usable"):
        RunContext.parse(text)


@given(run_contexts())
def test_a_refusal_tells_no_values(context: RunContext) -> None:
    with pytest.raises(RunContextInvalid) as caught:
        changed(context, target={"uri": 5, "decided_by": "hunter2"}, seed="hunter2")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "fold",
    [
        {"index": 0, "count": 2, "digest": "sha256:" + 64 * "a", "indices_path": None},
        {"index": 0, "count": 2, "digest": None, "indices_path": "x"},
        {"index": -1, "count": 2, "digest": None, "indices_path": None},
        {"index": 0, "count": 2, "digest": None},
        {"index": 0, "count": 2, "digest": None, "indices_path": None, "more": 1},
    ],
)
def test_a_fold_is_whole(fold: dict[str, object]) -> None:
    @given(run_contexts())
    def refused(context: RunContext) -> None:
        with pytest.raises(RunContextInvalid, match="fold"):
            changed(context, fold=fold)

    refused()
