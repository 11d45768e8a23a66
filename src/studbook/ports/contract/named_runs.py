"""The tracking store's promises about runs without a run key, and experiments without runs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ...domain.errors import RunDeleted
from ...domain.store_writes import RecordBatch
from ..run_query import ANY_STATUS, RunQuery
from ..tracking_store import TrackingStore
from .tracking_examples import RUN_KEY_TAG, fresh_name, ids, new_run


class NamedRunContract:
    """Part of `TrackingStoreContract`."""

    def test_a_run_without_a_key_is_named_by_one_of_its_tags(self, store: TrackingStore) -> None:
        named = replace(new_run(fresh_name()), run_key=None, tags={"from": "there/it's 7"}, named_by="from")
        first = store.create_run(named)
        assert store.create_run(replace(named, name="again")) == first
        assert store.create_run(replace(named, tags={"from": "there/8"})) != first
        run = store.get_run(first)
        assert (run.name, run.tags["from"]) == ("a run", "there/it's 7")
        assert RUN_KEY_TAG not in run.tags
        store.delete_run(first)
        with pytest.raises(RunDeleted):
            store.create_run(named)

    def test_a_run_whose_naming_tag_says_something_else_is_another(self, store: TrackingStore) -> None:
        named = replace(new_run(fresh_name()), run_key=None, tags={"from": "there/7"}, named_by="from")
        first = store.create_run(named)
        store.record(first, RecordBatch(tags={"from": "nowhere"}))
        store.delete_run(first)
        again = store.create_run(named)
        assert again != first
        assert store.create_run(named) == again

    def test_a_run_that_nothing_names_is_refused(self, store: TrackingStore) -> None:
        for named_by in (None, "absent"):
            with pytest.raises(ValueError, match="named"):
                store.create_run(replace(new_run(fresh_name()), run_key=None, named_by=named_by))

    def test_an_experiment_can_be_made_without_a_run(self, store: TrackingStore) -> None:
        name = fresh_name()
        for _ in range(2):
            store.ensure_experiment(name)
        assert store.experiments().count(name) == 1
        assert ids(store.find(RunQuery((name,), ANY_STATUS))) == []
        store.create_run(new_run(name))
        store.ensure_experiment(name)
        assert len(ids(store.find(RunQuery((name,), ANY_STATUS)))) == 1
