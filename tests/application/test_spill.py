"""Long values: whole again for whoever reads, on every backend; never cut."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.mlflow_server import Server
from studbook.adapters.memory.artifact_store import MemoryArtifactStore
from studbook.adapters.mlflow.artifact_store import MlflowArtifactStore
from studbook.adapters.mlflow.tracking_store import MlflowTrackingStore
from studbook.application.spill import join, spill
from studbook.domain.errors import SpillMissing
from studbook.domain.run import RunStatus
from studbook.domain.run_events import ParamsLogged, TagsSet
from studbook.domain.store_writes import RecordBatch
from studbook.domain.stored_run import Lifecycle, StoredRun
from studbook.ports.capabilities import Capabilities
from studbook.ports.run_query import ANY_STATUS, RunQuery

from .relay_world import EXPERIMENT, RUN_KEY_TAG, World, run_key, started

TINY = Capabilities(param_value_length=8, tag_value_length=100)
LONG = {
    "9000": "x" * 9_000,
    "100000": "y" * 100_000,
    "unicode": "🐎ü漢" * 5_000,
    "marked": "spill:me",
    "marked fully": f"spill:sha256:{'0' * 64}",
    "lines": "a\nb\r\n" * 3_000,
}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"


@pytest.fixture(scope="module")
def server_uri(server: Server) -> str:
    return server.uri


@pytest.fixture(params=["memory", "database", "server_uri"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path, Capabilities())
    if request.param != "memory":
        uri = request.getfixturevalue(request.param)
        world.store = MlflowTrackingStore(uri, run_key_tag=RUN_KEY_TAG)
        world.artifacts = MlflowArtifactStore(uri)
    yield world
    world.store.close()
    world.artifacts.close()


@pytest.fixture
def tracked(world: World, request: pytest.FixtureRequest) -> Callable[..., StoredRun]:
    """Delivers one run with these params and tags, and reads it through the catalog."""

    def track(params: dict[str, str], tags: dict[str, str]) -> StoredRun:
        name = request.node.name
        world.say(name, started(name), ParamsLogged(params=dict(params)), TagsSet(tags=tags))
        world.relay().drain()
        query = RunQuery((EXPERIMENT,), ANY_STATUS, tags={RUN_KEY_TAG: run_key(name)})
        (run,) = world.catalog().runs(query)
        return run

    return track


def _spilled(world: World, run: StoredRun) -> list[str]:
    paths = [file.path for file in world.artifacts.list_files(run.run_id)]
    return [path for path in paths if path.startswith("studbook/spill/")]


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_a_long_value_comes_back_whole(tracked: Callable[..., StoredRun], world: World, text: str) -> None:
    run = tracked({"p": text, "short": "1"}, {"t": text, "u": "2"})
    assert (run.params, run.tags["t"], run.tags["u"]) == ({"p": text, "short": "1"}, text, "2")
    assert _spilled(world, run) == [f"studbook/spill/{hashlib.sha256(text.encode()).hexdigest()}"]
    view = world.catalog().view(world.store.get_run(run.run_id))
    assert (view.params["p"], view.tags["t"]) == (text, text)
    assert run.tags["t"] != world.store.get_run(run.run_id).tags["t"]


@pytest.mark.parametrize("letter", ["x", "ü", "漢", "🐎"])
def test_limits_are_in_characters_whatever_their_bytes(
    tracked: Callable[..., StoredRun], world: World, letter: str
) -> None:
    limits = world.store.capabilities
    params = {"p": letter * limits.param_value_length}
    tags = {"t": letter * limits.tag_value_length}
    run = tracked(params, tags)
    assert (run.params, run.tags["t"]) == (params, tags["t"])
    assert _spilled(world, run) == []


@given(
    st.dictionaries(st.sampled_from("abc"), st.text(st.characters(codec="utf-8"), max_size=20), max_size=3)
)
def test_joining_undoes_spilling(values: dict[str, str]) -> None:
    artifacts = MemoryArtifactStore()
    stored = spill(RecordBatch(params=values, tags=values), "r", TINY, artifacts)
    assert all(len(text) <= 8 or text.startswith("spill:sha256:") for text in stored.params.values())
    again = spill(RecordBatch(params=values, tags=values), "r", TINY, artifacts)
    assert again == stored
    run = join(_run(stored.params, stored.tags), artifacts)
    assert (run.params, run.tags) == (values, values)


def _run(params: dict[str, str], tags: dict[str, str]) -> StoredRun:
    return StoredRun("r", "e", "n", RunStatus.RUNNING, Lifecycle.ACTIVE, 1, None, tags=tags, params=params)


@pytest.mark.parametrize(
    ("content", "problem"), [(None, "'p' on run r is gone"), (b"altered", "'p' on run r was altered")]
)
def test_a_lost_or_altered_spill_is_told(content: bytes | None, problem: str) -> None:
    artifacts = MemoryArtifactStore()
    stored = spill(RecordBatch(params={"p": "long enough to spill"}), "r", TINY, artifacts)
    (path,) = artifacts.runs["r"]
    if content is None:
        del artifacts.runs["r"][path]
    else:
        artifacts.runs["r"][path] = content
    with pytest.raises(SpillMissing, match=problem) as caught:
        join(_run(stored.params, {}), artifacts)
    assert caught.value.details == {"run": "r", "key": "p"}


@pytest.mark.parametrize(
    "mark", ["spill:sha256:", "spill:sha256:00", f"spill:sha256:{'0' * 63}", "spill:sha256:../x"]
)
def test_an_altered_mark_is_told(mark: str) -> None:
    with pytest.raises(SpillMissing, match="mark that was altered"):
        join(_run({}, {"t": mark}), MemoryArtifactStore())


def test_what_another_program_wrote_stays() -> None:
    run = _run({"p": "spill: the beans"}, {"t": "spill:over", "u": "see spill:sha256:00"})
    assert join(run, MemoryArtifactStore()) == run
