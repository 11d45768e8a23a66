"""Run contexts of all kinds."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from studbook.domain.run_context import RunContext
from studbook.domain.run_identity import RunIdentity
from studbook.domain.stage import Stage
from studbook.domain.study import maximize, minimize

TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
_SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
_SECONDS = st.floats(0, 1e6)
_FOLDS = st.fixed_dictionaries({"index": st.integers(0, 99), "count": st.integers(1, 99)}).flatmap(
    lambda said: st.sampled_from(
        [
            {**said, "digest": None, "indices_path": None},
            {**said, "digest": "sha256:" + 64 * "a", "indices_path": "/home/indices.json"},
        ]
    )
)
_BUDGETS = st.sampled_from([{"unit": "epochs", "amount": 3}, {"unit": "seconds", "amount": 0.5}])


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """What a document says, as plain values."""
    attached = draw(st.booleans())
    identity = RunIdentity(
        project=draw(st.sampled_from(["studbook", "p-1"])),
        stage=draw(st.sampled_from(Stage)),
        subject={"run": draw(TEXTS)},
        attempt=draw(st.integers(1, 9)),
    )
    maybe_path = st.none() | TEXTS
    said = {name: draw(TEXTS) for name in ("run_name", "experiment", "home", "output_dir", "result_path")}
    return said | {
        "schema_version": 1,
        "mode": "attach" if attached else "own",
        "run_key": str(identity.key),
        "project": identity.project,
        "stage": str(identity.stage),
        "subject": identity.subject,
        "attempt": identity.attempt,
        "parent_run_key": draw(st.none() | st.just("rk3:" + 64 * "b")),
        "params": draw(st.dictionaries(TEXTS, _VALUES, max_size=4)),
        "fold": draw(st.none() | _FOLDS),
        "seed": draw(st.none() | st.integers(0, 2**31 - 1)),
        "budget": draw(st.none() | _BUDGETS),
        "objectives": draw(st.sampled_from([(), (maximize("f1"),), (maximize("f1"), minimize("loss"))])),
        "resume_from": draw(maybe_path),
        "control_path": draw(TEXTS if attached else maybe_path),
        "parent_writer": draw(TEXTS if attached else maybe_path),
        "lease": {"interval_s": draw(_SECONDS), "ttl_s": draw(_SECONDS)},
        "target": draw(_TARGETS if attached else st.none() | _TARGETS),
    }


_TARGETS = st.fixed_dictionaries({"uri": TEXTS, "decided_by": TEXTS})


def run_contexts() -> st.SearchStrategy[RunContext]:
    """Valid documents."""
    return documents().map(RunContext.model_validate)
