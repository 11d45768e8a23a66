"""What a tracking store promises of runs that stand open already, as tests: a part of `TrackingStoreContract`."""

from __future__ import annotations

import uuid
from dataclasses import replace

from ...domain.run import RunStatus
from ...domain.stored_run import Lifecycle
from ..run_query import ANY_STATUS, RunQuery
from ..tracking_store import TrackingStore
from .tracking_examples import RUN_KEY_TAG, START, fresh_name, ids, keyless_run, new_run


class TrackingAdoptionContract:
    """A run is adopted by getting a key, which it has from then on."""

    def test_a_running_run_without_a_key_is_adopted_as_it_is(self, store: TrackingStore) -> None:
        other = fresh_name()
        run_id = keyless_run(store, other)
        new = replace(new_run(fresh_name(), START + 5, tags={"colour": "brown"}), adopt=run_id)
        assert store.create_run(new) == run_id
        run = store.get_run(run_id)
        assert (run.name, run.experiment, run.started_at_ms) == ("somebody else's", other, START)
        assert (run.status, run.lifecycle) == (RunStatus.RUNNING, Lifecycle.ACTIVE)
        assert new.tags.items() <= run.tags.items()
        assert ids(store.find(RunQuery((new.experiment,), ANY_STATUS))) == []

    def test_an_adopted_run_is_adopted_again_whatever_became_of_it(self, store: TrackingStore) -> None:
        run_id = keyless_run(store, fresh_name())
        new = replace(new_run(fresh_name()), adopt=run_id)
        store.create_run(new)
        assert store.create_run(new) == run_id
        store.end_run(run_id, RunStatus.FINISHED, START + 1)
        assert store.create_run(new) == run_id
        assert ids(store.find(RunQuery((new.experiment,), ANY_STATUS))) == []

    def test_an_adopted_run_is_found_by_its_key(self, store: TrackingStore) -> None:
        new = new_run(fresh_name())
        run_id = keyless_run(store, new.experiment)
        store.create_run(replace(new, adopt=run_id))
        assert store.create_run(new) == run_id

    def test_what_cannot_be_adopted_is_as_if_it_were_not_named(self, store: TrackingStore) -> None:
        experiment = fresh_name()
        ended, deleted = keyless_run(store, experiment), keyless_run(store, experiment)
        store.end_run(ended, RunStatus.FINISHED, START + 1)
        store.delete_run(deleted)
        anothers = store.create_run(new_run(experiment))
        for adopt in (ended, deleted, anothers, uuid.uuid4().hex, "no id at all"):
            before = [store.get_run(each).tags for each in (ended, deleted, anothers)]
            new = replace(new_run(fresh_name()), adopt=adopt)
            run = store.get_run(store.create_run(new))
            assert run.run_id not in (ended, deleted, anothers)
            assert (run.name, run.experiment) == (new.name, new.experiment)
            assert [store.get_run(each).tags for each in (ended, deleted, anothers)] == before

    def test_an_ended_run_is_adopted_when_it_is_asked_for(self, store: TrackingStore) -> None:
        experiment = fresh_name()
        ended, deleted = keyless_run(store, experiment), keyless_run(store, experiment)
        store.end_run(ended, RunStatus.FAILED, START + 1)
        store.delete_run(deleted)
        anothers = store.create_run(new_run(experiment))
        new = replace(new_run(fresh_name()), adopt=ended, adopt_ended=True)
        assert store.create_run(new) == ended
        assert (store.get_run(ended).status, store.get_run(ended).ended_at_ms) == (
            RunStatus.FAILED,
            START + 1,
        )
        for adopt in (ended, deleted, anothers):
            other = replace(new_run(fresh_name()), adopt=adopt, adopt_ended=True)
            assert store.create_run(other) not in (ended, deleted, anothers)

    def test_who_has_a_run_adopts_none(self, store: TrackingStore) -> None:
        new = new_run(fresh_name())
        run_id = store.create_run(new)
        adopt = keyless_run(store, fresh_name())
        assert store.create_run(replace(new, adopt=adopt)) == run_id
        assert store.get_run(adopt).tags[RUN_KEY_TAG] == ""
