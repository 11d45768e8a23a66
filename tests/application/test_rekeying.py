"""Two homes that number one attempt alike: no run is ever written by two, and each is found by its home's key."""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path

import pytest

from studbook.adapters.memory.delivery_ledger import MemoryDeliveryLedger
from studbook.adapters.memory.tracking_store import MemoryTrackingStore
from studbook.adapters.mlflow.tracking_store import MlflowTrackingStore
from studbook.domain.events import Event
from studbook.domain.keys import RunKey, StudyKey, TrialKey
from studbook.domain.run import Ending, RunStatus
from studbook.domain.run_events import MetricsLogged, RunEnded, RunStarted, TagsSet
from studbook.domain.run_identity import RunIdentity, of_sweep, of_trial
from studbook.domain.search_events import StudyClosed
from studbook.domain.stage import Stage
from studbook.domain.stored_run import StoredRun
from studbook.domain.vocabulary import DEFAULT_VOCABULARY, Vocabulary
from studbook.ports.event_log import Happening

from .relay_world import EXPERIMENT, Cut, World

STUDY = StudyKey.of({"study": 1})
TRIAL = TrialKey.of({"trial": 1})
SWEEP = of_sweep("demo", STUDY, 1)
FIRST = of_trial("demo", TRIAL, 1)
SECOND = of_trial("demo", TRIAL, 2)
THIRD = of_trial("demo", TRIAL, 3)
FINISHED = RunEnded(ending=Ending.finished())

_vocabularies = pytest.mark.parametrize(
    "vocabulary",
    [
        DEFAULT_VOCABULARY,
        DEFAULT_VOCABULARY.remapped(
            {
                "run.key": "acme.key",
                "run.attempt": "acme.n",
                "run.writer": "acme.by",
                "run.parent_key": "acme.up",
            }
        ),
    ],
    ids=["default keys", "remapped keys"],
)


@pytest.fixture
def here(tmp_path: Path) -> World:
    return World(tmp_path / "here")


@pytest.fixture
def there(tmp_path: Path, here: World) -> World:
    """Another home that delivers to the same backend."""
    return _another(tmp_path / "there", here)


def _another(folder: Path, world: World) -> World:
    another = World(folder)
    another.store, another.artifacts = world.store, world.artifacts
    another.clock.advance(100)
    another.log = another.new_log()  # no home's writers are called as another's
    return another


def _begun(identity: RunIdentity, parent: RunKey | None = None) -> RunStarted:
    return RunStarted(
        project=identity.project,
        stage=identity.stage,
        subject=identity.subject,
        attempt=identity.attempt,
        name=f"{identity.stage} {identity.attempt}",
        experiment=EXPERIMENT,
        parent=parent,
        version="0",
    )


def _record(world: World, identity: RunIdentity, *events: Event) -> None:
    for event in events:
        world.clock.advance(1)
        world.log.append(Happening(event, identity.key, world.clock.now_ns()))


def _life(world: World, identity: RunIdentity, value: float, parent: RunKey | None = None) -> None:
    _record(world, identity, _begun(identity, parent), MetricsLogged(metrics={"f1": value}), FINISHED)


def _by_key(world: World, vocabulary: Vocabulary = DEFAULT_VOCABULARY) -> dict[str, StoredRun]:
    found = {run.tags[vocabulary.key("run.key")]: run for run in world.runs()}
    assert len(found) == len(world.runs())
    return found


@_vocabularies
@pytest.mark.parametrize("backend", ["memory", "mlflow"])
def test_the_second_home_takes_the_next_attempt(
    here: World, there: World, vocabulary: Vocabulary, backend: str, tmp_path: Path
) -> None:
    key_tag = vocabulary.key("run.key")
    here.store = there.store = (
        MemoryTrackingStore(run_key_tag=key_tag)
        if backend == "memory"
        else MlflowTrackingStore(f"sqlite:///{tmp_path / 'mlflow.db'}", run_key_tag=key_tag)
    )
    _life(here, FIRST, 0.1)
    _life(there, FIRST, 0.2)
    here.relay(vocabulary=vocabulary).drain()
    there.relay(vocabulary=vocabulary).drain()
    runs = _by_key(here, vocabulary)
    assert {key: run.metrics["f1"] for key, run in runs.items()} == {FIRST.key: 0.1, SECOND.key: 0.2}
    assert runs[SECOND.key].status is RunStatus.FINISHED
    assert vocabulary.read("run.attempt", runs[SECOND.key].tags) == 2
    assert vocabulary.read("run.attempt", runs[FIRST.key].tags) == 1
    assert there.ledger.run_id(FIRST.key) == runs[SECOND.key].run_id
    assert here.ledger.run_id(FIRST.key) == runs[FIRST.key].run_id
    here.store.close()


def test_what_became_of_it_is_in_the_journal_of_whoever_delivered(here: World, there: World) -> None:
    _life(here, FIRST, 0.1)
    _life(there, FIRST, 0.2)
    here.relay().drain()
    there.relay().drain()
    noted = [each for each in there.log.read() if isinstance(each.event, TagsSet)]
    assert [(each.run_key, each.event) for each in noted] == [
        (FIRST.key, TagsSet(tags={"studbook.run_key": SECOND.key, "studbook.attempt": "2"}))
    ]
    assert not [each for each in here.log.read() if isinstance(each.event, TagsSet)]
    before = here.state()
    there.relay().drain()
    assert there.relay().pending() == 0
    assert here.state() == before


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_delivery_that_dies_at_any_write_leaves_the_same_runs(tmp_path: Path, *, after: bool) -> None:
    for at in itertools.count(1):
        here = World(tmp_path / f"here-{at}")
        there = _another(tmp_path / f"there-{at}", here)
        _life(here, FIRST, 0.1)
        here.relay().drain()
        _record(there, SWEEP, _begun(SWEEP))
        _life(there, FIRST, 0.2, parent=SWEEP.key)
        cut = Cut(at, KeyboardInterrupt, after=after)
        with contextlib.suppress(KeyboardInterrupt):
            there.relay(cut=cut).drain()
        there.relay().drain()
        runs = _by_key(here)
        assert runs.keys() == {FIRST.key, SECOND.key, SWEEP.key}
        assert (runs[FIRST.key].metrics, runs[SECOND.key].metrics) == ({"f1": 0.1}, {"f1": 0.2})
        assert runs[SECOND.key].tags["studbook.attempt"] == "2"
        if cut.calls < at:
            assert at > 5
            return


def test_a_child_names_its_parent_by_the_key_that_the_store_has(here: World, there: World) -> None:
    _life(here, SWEEP, 0.0)
    here.relay().drain()
    _life(here, FIRST, 0.1)
    here.relay().drain()
    _record(there, SWEEP, _begun(SWEEP))
    there.relay().drain()
    _life(there, FIRST, 0.2, parent=SWEEP.key)
    closed = StudyClosed(outcome="completed", counts={}, best_trial=TRIAL, best_run=FIRST.key)
    _record(there, SWEEP, closed, FINISHED)
    there.relay().drain()
    session = of_sweep("demo", STUDY, 2).key
    runs = _by_key(here)
    child = runs[SECOND.key]
    assert child.tags["studbook.parent_run_key"] == session
    assert child.parent_id == runs[session].run_id
    assert runs[session].tags["studbook.best_trial_run_key"] == SECOND.key


def test_a_home_with_several_attempts_keeps_them_apart(here: World, there: World) -> None:
    _life(here, FIRST, 0.1)
    for identity, value in ((FIRST, 0.2), (SECOND, 0.3)):
        _life(there, identity, value)
    here.relay().drain()
    there.relay().drain()
    values = {key: run.metrics["f1"] for key, run in _by_key(here).items()}
    assert values == {FIRST.key: 0.1, SECOND.key: 0.2, THIRD.key: 0.3}


def test_the_same_journal_delivered_by_another_home_is_the_same_run(here: World, tmp_path: Path) -> None:
    _life(here, FIRST, 0.1)
    here.relay().drain()
    before = here.state()
    here.relay(MemoryDeliveryLedger()).drain()
    assert here.state() == before


def test_a_note_for_another_target_changes_no_identity(here: World, there: World, tmp_path: Path) -> None:
    _life(here, FIRST, 0.1)
    _life(there, FIRST, 0.2)
    here.relay().drain()
    there.relay().drain()
    fresh = World(tmp_path / "fresh")
    there.store, there.artifacts = fresh.store, fresh.artifacts
    there.relay(MemoryDeliveryLedger()).drain()
    (run,) = fresh.runs()
    assert (run.tags["studbook.run_key"], run.tags["studbook.attempt"]) == (FIRST.key, "1")


def test_a_run_that_is_always_new_asks_for_no_more_than_its_creation(here: World) -> None:
    asked: list[str] = []
    get_run = here.store.get_run

    def watched(run_id: str) -> StoredRun:
        asked.append(run_id)
        found: StoredRun = get_run(run_id)
        return found

    here.store.get_run = watched
    here.open_run()("mine", stage=Stage.BENCHMARK)
    here.relay().drain()
    assert asked == []
