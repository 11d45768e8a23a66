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
from studbook.adapters.memory.delivery_ledger import MemoryDeliveryLedger
from studbook.adapters.mlflow.artifact_store import MlflowArtifactStore
from studbook.adapters.mlflow.tracking_store import MlflowTrackingStore
from studbook.application.list_runs import ListRuns
from studbook.application.spill import join, spill
from studbook.application.storable import as_recorded, record
from studbook.domain.errors import MalformedRun, ParamRefused, SpillMissing
from studbook.domain.run import Ending, EndReason, RunStatus
from studbook.domain.run_events import ParamsLogged, RunEnded, TagsSet
from studbook.domain.run_fields import RunFields
from studbook.domain.run_filter import RunFilter
from studbook.domain.stage import Stage
from studbook.domain.store_writes import RecordBatch
from studbook.domain.stored_run import Lifecycle, StoredRun
from studbook.domain.vocabulary import DEFAULT_VOCABULARY
from studbook.ports.capabilities import Capabilities
from studbook.ports.contract.tracking_examples import metric
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


@pytest.mark.parametrize("batches", [1, 3, 40])
def test_more_tags_than_a_backend_takes_come_back_whole(tmp_path: Path, batches: int) -> None:
    world = World(tmp_path, Capabilities(tags_per_run=50, tag_value_length=100))
    tags = {f"team/{number:03d}": f"value {number}" * (1 + number % 20) for number in range(120)}
    world.say("a", started("a"))
    relay = world.relay()
    for part in range(batches):
        chosen = {key: text for number, (key, text) in enumerate(tags.items()) if number % batches == part}
        world.say("a", TagsSet(tags=chosen))
        relay.drain()
    world.say("a", TagsSet(tags={"team/000": "again", "team/119": "again"}))
    world.say("a", RunEnded(ending=Ending.failed(EndReason.ERROR, "e")))
    relay.drain()
    assert relay.refusals() == ()
    assert len(world.run("a").tags) <= 50
    (run,) = world.catalog().runs(RunQuery((EXPERIMENT,), ANY_STATUS))
    wanted = {**tags, "team/000": "again", "team/119": "again"}
    assert {key: text for key, text in run.tags.items() if key.startswith("team/")} == wanted
    assert "studbook.more_tags" not in run.tags
    view = world.catalog().view(world.run("a"))
    assert (view.error, view.tags["team/050"]) == ("e", tags["team/050"])
    before = world.state()
    world.relay(MemoryDeliveryLedger()).drain()
    assert world.state() == before


@pytest.mark.parametrize("batches", [1, 3, 40])
def test_more_params_than_a_backend_takes_come_back_whole(tmp_path: Path, batches: int) -> None:
    world = World(tmp_path, Capabilities(params_per_run=50, tag_value_length=100, param_value_length=100))
    params = {f"layer/{number:03d}": f"spill:{number}" * (1 + number % 20) for number in range(120)}
    world.say("a", started("a"))
    relay = world.relay()
    for part in range(batches):
        chosen = {
            name: text for number, (name, text) in enumerate(params.items()) if number % batches == part
        }
        world.say("a", ParamsLogged(params=dict(chosen)))
        relay.drain()
    assert relay.refusals() == ()
    assert len(world.run("a").params) == 50
    (run,) = world.catalog().runs(RunQuery((EXPERIMENT,), ANY_STATUS))
    assert run.params == params
    assert "studbook.more_params" not in run.tags
    before = world.state()
    world.relay(MemoryDeliveryLedger()).drain()
    assert world.state() == before


def test_params_that_found_no_room_are_found_and_read_like_others(tmp_path: Path) -> None:
    world = World(tmp_path, Capabilities(params_per_run=1))
    world.say("a", started("a"), ParamsLogged(params={"p": 1, "q": 2, "r": None}))
    world.relay().drain()
    listed = ListRuns(world.catalog())
    assert [view.params for view in listed(RunFilter(params={"q": "2"}))] == [
        {"p": "1", "q": "2", "r": "null"}
    ]
    assert list(listed(RunFilter(params={"q": "3"}))) == []
    (view,) = world.catalog().find(tuple(Stage), fields=RunFields(frozenset({"run.schema"}), frozenset("q")))
    assert view.params == {"q": "2"}


def test_a_param_that_found_no_room_never_changes_and_nothing_else_is_lost(tmp_path: Path) -> None:
    world = World(tmp_path, Capabilities(params_per_run=2))
    world.say("a", started("a"), ParamsLogged(params={"p": "1", "q": "1", "r": "1"}))
    world.relay().drain()
    run_id = world.run("a").run_id
    batch = RecordBatch({"p": "1", "r": "2", "s": "3"}, metric("m", 1.0).metrics, {"t": "5"})
    for _ in range(2):
        with pytest.raises(ParamRefused) as caught:
            record(batch, run_id, world.store, world.artifacts, DEFAULT_VOCABULARY)
        assert caught.value.details["params"] == ("r",)
    run = as_recorded(world.run("a"), world.artifacts, DEFAULT_VOCABULARY)
    assert run.params == {"p": "1", "q": "1", "r": "1", "s": "3"}
    assert (run.metrics, run.tags["t"]) == ({"m": 1.0}, "5")


@pytest.mark.parametrize("tag", ["studbook.more_tags", "studbook.more_params"])
@pytest.mark.parametrize("text", ["[]", '{"a":1}', "{"])
def test_what_holds_more_of_them_must_be_a_mapping_of_texts(tag: str, text: str) -> None:
    with pytest.raises(MalformedRun) as caught:
        as_recorded(_run({}, {tag: text}), MemoryArtifactStore(), DEFAULT_VOCABULARY)
    assert caught.value.details["tag"] == tag


def test_what_another_program_wrote_stays() -> None:
    run = _run({"p": "spill: the beans"}, {"t": "spill:over"})
    assert join(run, MemoryArtifactStore()) == run
