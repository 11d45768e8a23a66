"""What a tracking store's declared limits mean, as tests."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ...domain.errors import TrackingRefused
from ...domain.store_writes import MetricPoint, RecordBatch
from ..tracking_store import TrackingStore
from .tracking_examples import START, fresh_name, metric, new_run


class TrackingLimitContract:
    """What is within the limits is kept whole; what is over one of them is refused, and never cut."""

    @pytest.fixture
    def store(self) -> TrackingStore:
        """The store under test."""
        raise NotImplementedError

    def test_the_longest_values_are_kept_whole_and_longer_ones_refused_whole(
        self, store: TrackingStore
    ) -> None:
        limits = store.capabilities
        run_id = store.create_run(new_run(fresh_name()))
        longest = RecordBatch(
            params={"k" * limits.param_name_length: "p" * limits.param_value_length},
            metrics=metric("k" * limits.metric_name_length, 1.0).metrics,
            tags={"k" * limits.tag_key_length: "t" * limits.tag_value_length},
        )
        store.record(run_id, longest)
        before = store.get_run(run_id)
        assert (before.params, set(before.metrics)) == (longest.params, {longest.metrics[0].name})
        assert longest.tags.items() <= before.tags.items()
        too_long = (
            RecordBatch(params={"p": "p" * (limits.param_value_length + 1)}),
            RecordBatch(tags={"t": "t" * (limits.tag_value_length + 1)}),
            *(RecordBatch(params={key: "v"}) for key in ("", "k" * (limits.param_name_length + 1))),
            *(RecordBatch(tags={key: "v"}) for key in ("", "k" * (limits.tag_key_length + 1))),
            *(metric(key, 1.0) for key in ("", "k" * (limits.metric_name_length + 1))),
        )
        for batch in too_long:
            with pytest.raises(TrackingRefused):
                store.record(run_id, replace(batch, params={"a": "b", **batch.params}))
        assert store.get_run(run_id) == before
        with pytest.raises(TrackingRefused):
            store.create_run(new_run(fresh_name(), tags={"t": "t" * (limits.tag_value_length + 1)}))

    def test_more_than_a_run_may_hold_is_refused(self, store: TrackingStore) -> None:
        limits = store.capabilities
        run_id = store.create_run(new_run(fresh_name()))
        most = max(limits.params_per_run or 0, limits.tags_per_run or 0, limits.metrics_per_run or 0) + 1
        items = {f"k{i}": "v" for i in range(most)}
        points = tuple(MetricPoint(name, 1.0, START, 0) for name in items)
        for limit, batch in (
            (limits.params_per_run, RecordBatch(params=items)),
            (limits.tags_per_run, RecordBatch(tags=items)),
            (limits.metrics_per_run, RecordBatch(metrics=points)),
        ):
            if limit is not None:
                with pytest.raises(TrackingRefused):
                    store.record(run_id, batch)

    def test_a_batch_of_any_size_is_stored_whole(self, store: TrackingStore) -> None:
        limits = store.capabilities
        params = {
            f"p{i}": str(i)
            for i in range(min(2 * limits.params_per_batch + 1, limits.params_per_run or 10**9))
        }
        tags = {
            f"t{i}": str(i)
            for i in range(min(2 * limits.tags_per_batch + 1, (limits.tags_per_run or 10**9) - 20))
        }
        count = 2 * limits.metrics_per_batch + 1
        points = tuple(MetricPoint(f"m{i % 3}", float(i), START + i, i) for i in range(count))
        run_id = store.create_run(new_run(fresh_name()))
        store.record(run_id, RecordBatch(params, points, tags))
        run = store.get_run(run_id)
        assert run.params == params
        assert tags.items() <= run.tags.items()
        stored = [point for name in ("m0", "m1", "m2") for point in store.metric_history(run_id, name)]
        assert sorted(stored, key=lambda point: point.step) == list(points)

    def test_an_experiment_that_could_not_be_found_by_its_name_is_not_made(
        self, store: TrackingStore
    ) -> None:
        if store.capabilities.experiment_names is None:
            name = f"{fresh_name()} a/b"
            store.ensure_experiment(name)
            assert name in store.experiments()
            return
        with pytest.raises(TrackingRefused):
            store.ensure_experiment("a/b")
        with pytest.raises(TrackingRefused):
            store.create_run(new_run("a/b"))
        assert "a/b" not in store.experiments()
