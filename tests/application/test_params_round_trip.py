"""Typed params come back from every store as they went in, so that a key computed from them is the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studbook.adapters.memory.artifact_store import MemoryArtifactStore
from studbook.adapters.memory.tracking_store import MemoryTrackingStore
from studbook.adapters.mlflow.artifact_store import MlflowArtifactStore
from studbook.adapters.mlflow.tracking_store import MlflowTrackingStore
from studbook.application.spill import join, spill
from studbook.domain.keys import RunKey, StudyKey
from studbook.domain.run_reader import read_run
from studbook.domain.search_space import DynamicSpace, SearchSpace
from studbook.domain.stage import Stage
from studbook.domain.store_writes import RecordBatch
from studbook.domain.trial import trial_key
from studbook.domain.vocabulary import DEFAULT_VOCABULARY
from studbook.ports.artifact_store import ArtifactStore
from studbook.ports.tracking_store import NewRun, TrackingStore

STUDY = StudyKey.of({"study": 1})
DYNAMIC = DynamicSpace(revision="1")
SPACE = SearchSpace.parse(
    {
        "lr": {"type": "float", "low": 1e-6, "high": 1.0, "log": True},
        "momentum": {"type": "float", "low": 0.0, "high": 1.0, "step": 0.1},
        "depth": {"type": "int", "low": 1, "high": 2**60},
        "kernel": {"type": "categorical", "choices": ["16", 16, True, None, "true", [1, "a"], {"a": 0.5}]},
        "seed": {"type": "fixed", "value": 7.0},
    }
)

_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_numbers = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | _numbers | _text | st.just("x" * 9_000),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
    max_leaves=5,
)
_points = st.fixed_dictionaries(
    {
        "lr": st.floats(1e-6, 1.0),
        "momentum": st.integers(0, 10).map(lambda tenths: tenths / 10),
        "depth": st.integers(1, 2**60),
        "kernel": st.sampled_from(["16", 16, True, None, "true", [1, "a"], {"a": 0.5}]),
        "seed": st.just(7),
    }
)

Stored = Callable[[Mapping[str, Any]], dict[str, object]]


@pytest.fixture(scope="module", params=["memory", "mlflow"])
def stored(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stored]:
    """Writes typed params to a run as a delivery does, and gives back what a reader of the run sees."""
    key_tag = DEFAULT_VOCABULARY.key("run.key")
    store: TrackingStore = MemoryTrackingStore(run_key_tag=key_tag)
    artifacts: ArtifactStore = MemoryArtifactStore()
    if request.param == "mlflow":
        uri = f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"
        store, artifacts = MlflowTrackingStore(uri, run_key_tag=key_tag), MlflowArtifactStore(uri)
    run_id = store.create_run(NewRun(RunKey.of({"run": 1}), "studbook-test", "n", 1, {}))

    def through(params: Mapping[str, Any]) -> dict[str, object]:
        written = (
            DEFAULT_VOCABULARY.write(name, value, Stage.TRIAL)
            for name, value in {"run.schema": 3, "run.stage": Stage.TRIAL, "trial.params": params}.items()
        )
        batch = RecordBatch(tags=dict(written))
        store.record(run_id, spill(batch, run_id, store.capabilities, artifacts))
        return dict(read_run(join(store.get_run(run_id), artifacts)).params)

    yield through
    store.close()
    artifacts.close()


@given(_points)
def test_a_point_of_a_space_keeps_its_key(stored: Stored, point: dict[str, Any]) -> None:
    typed = SPACE.typed(point)
    back = stored(typed)
    assert back == typed
    assert trial_key(STUDY, SPACE.typed(back)) == trial_key(STUDY, typed)


@given(st.dictionaries(_text, _values, max_size=4))
def test_any_params_keep_their_key(stored: Stored, params: dict[str, Any]) -> None:
    typed = DYNAMIC.typed(params)
    assert trial_key(STUDY, DYNAMIC.typed(stored(typed))) == trial_key(STUDY, typed)


@given(_points)
def test_numbers_of_numpy_keep_the_key_of_pythons(stored: Stored, point: dict[str, Any]) -> None:
    numpy_point = {
        **point,
        "lr": np.float64(point["lr"]),
        "depth": np.int64(point["depth"]),
        "seed": np.float32(7),
    }
    assert trial_key(STUDY, SPACE.typed(stored(SPACE.typed(numpy_point)))) == trial_key(
        STUDY, SPACE.typed(point)
    )
