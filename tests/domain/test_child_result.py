"""The result of a child: what was written is what is read, and only for its own run."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studbook.domain.child_result import ChildResult
from studbook.domain.errors import ChildResultMissing
from studbook.domain.keys import RunKey

KEY = RunKey("rk3:" + 64 * "a")
RESULTS = st.builds(
    ChildResult,
    schema_version=st.just(1),
    run_key=st.just(KEY),
    outcome=st.sampled_from(["completed", "pruned"]),
    metrics=st.dictionaries(st.text(st.characters(codec="utf-8")), st.floats()),
    best_step=st.none() | st.integers(),
    fold_digest=st.none() | st.just("sha256:" + 64 * "b"),
    files=st.dictionaries(st.text(st.characters(codec="utf-8")), st.integers(0)),
)


def plain(result: ChildResult) -> dict[str, object]:
    """Comparable also where a metric is NaN."""
    return {**result.model_dump(), "metrics": {name: repr(value) for name, value in result.metrics.items()}}


@given(RESULTS)
def test_a_result_comes_back_as_it_was_written(result: ChildResult) -> None:
    assert plain(ChildResult.parse(result.to_json(), KEY)) == plain(result)


@given(RESULTS, st.sampled_from(sorted(ChildResult.model_fields)))
def test_a_field_that_lacks_or_is_unknown_makes_it_invalid(result: ChildResult, name: str) -> None:
    document = json.loads(result.to_json())
    document["more"] = document.pop(name)
    with pytest.raises(ChildResultMissing, match="not valid"):
        ChildResult.parse(json.dumps(document).encode(), KEY)


@given(RESULTS)
def test_another_runs_result_is_none(result: ChildResult) -> None:
    with pytest.raises(ChildResultMissing, match="another run"):
        ChildResult.parse(result.to_json(), RunKey("rk3:" + 64 * "c"))


def test_what_is_not_finite_survives() -> None:
    result = ChildResult(
        schema_version=1,
        run_key=KEY,
        outcome="completed",
        metrics={"a": math.nan, "b": -math.inf},
        best_step=None,
        fold_digest=None,
        files={},
    )
    found = ChildResult.parse(result.to_json(), KEY).metrics
    assert math.isnan(found["a"])
    assert found["b"] == -math.inf
