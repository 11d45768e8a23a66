"""Creating a run once, over a backend that creates one at every request."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ...domain.errors import ExperimentDeleted, RunDeleted, TrackingRefused, TrackingUnavailable
from ...domain.store_writes import RecordBatch
from ...domain.stored_run import Lifecycle
from ...ports.capabilities import Capabilities
from ...ports.run_query import ANY_STATUS, RunQuery
from ...ports.tracking_store import NewRun
from ...ports.write_limits import refuse_experiment_name, refuse_over_limits
from .entities import PARENT_TAG, tag_entities
from .errors import UNKNOWN, translated
from .mlflow_store import MlflowStore
from .run_reading import RunReader
from .tracking_backend import TrackingBackend

if TYPE_CHECKING:
    from mlflow.entities import Run

_ANYWHERE = frozenset(Lifecycle)


class RunCreation:
    """Not thread-safe: one at a time. `monotonic_s` is a clock for durations."""

    def __init__(
        self,
        backend: TrackingBackend,
        store: Callable[[], MlflowStore],
        reader: RunReader,
        capabilities: Capabilities,
        run_key_tag: str,
        monotonic_s: Callable[[], float],
    ) -> None:
        self._backend = backend
        self._store = store
        self._reader = reader
        self._capabilities = capabilities
        self._run_key_tag = run_key_tag
        self._monotonic_s = monotonic_s
        self._unknown_since: dict[tuple[str, str], float] = {}

    def create(self, new: NewRun) -> str:
        """The id of the run with this identity: found, else created.

        A request whose outcome is unknown is followed by a search, and sent once more only when the backend's
        visibility delay has passed; until then TrackingUnavailable says how long that takes.
        """
        name, text = self._identity(new)
        tags = {**new.tags, name: text}
        refuse_over_limits(self._capabilities, RecordBatch(tags=tags))
        if new.parent_id is not None:
            tags[PARENT_TAG] = new.parent_id
        experiment_id = self.ensure_experiment(new.experiment)
        held = self._held(experiment_id, new, tags) or self._request(experiment_id, new, tags)
        if held is None:
            held = self._request(experiment_id, new, tags)
        if held is None:
            raise self._unsettled(new)
        if (name, text) in self._unknown_since:
            with translated(run_id=held):
                self._complete(self._store().get_run(held), tags)
            del self._unknown_since[name, text]
        return held

    def _request(self, experiment_id: str, new: NewRun, tags: dict[str, str]) -> str | None:
        """One request, or none yet; None when neither it nor a search tells that there is a run."""
        if self._visible_in_s(new) > 0:
            raise self._unsettled(new)
        try:
            run = self._create(experiment_id, new, tags)
        except TrackingUnavailable as error:
            if error.details.get("outcome") != UNKNOWN:
                raise
            self._unknown_since[self._identity(new)] = self._monotonic_s()
            try:
                return self._held(experiment_id, new, tags)
            except TrackingUnavailable:
                raise error from error.__cause__
        created = str(run.info.run_id)
        if self._identity(new) in self._unknown_since:
            # An earlier request may have been done after all, later than it was looked for.
            return self._held(experiment_id, new, tags) or created
        try:
            self._complete(run, tags)
        except TrackingUnavailable:
            self._unknown_since[self._identity(new)] = self._monotonic_s()
            raise
        return created

    def _complete(self, run: Run, tags: dict[str, str]) -> None:
        """A backend may drop tags at a run's creation that it takes afterwards; the parent's by itself."""
        dropped = tag_entities({key: text for key, text in tags.items() if key not in run.data.tags})
        parent = [tag for tag in dropped if tag.key == PARENT_TAG]
        others = [tag for tag in dropped if tag.key != PARENT_TAG]
        with translated(run_id=str(run.info.run_id)):
            for tag in parent:
                self._store().set_tag(run.info.run_id, tag)
            if others:
                self._store().log_batch(run.info.run_id, [], [], others)

    def _create(self, experiment_id: str, new: NewRun, tags: dict[str, str]) -> Run:
        with translated():
            return self._store().create_run(
                experiment_id,
                tags.get("mlflow.user", "unknown"),
                new.started_at_ms,
                tag_entities(tags),
                new.name,
            )

    def _held(self, experiment_id: str, new: NewRun, tags: dict[str, str]) -> str | None:
        name, text = self._identity(new)
        query = RunQuery((new.experiment,), ANY_STATUS, tags={name: text}, lifecycles=_ANYWHERE)
        held = list(self._reader.find(query, {new.experiment: experiment_id}))
        active = [run for run in held if run.lifecycle is Lifecycle.ACTIVE]
        if held and not active:
            raise run_deleted(held[0].run_id)
        for repeated in active[1:]:
            if tags.items() <= repeated.tags.items():
                with translated(run_id=repeated.run_id):
                    self._store().delete_run(repeated.run_id)
        return active[0].run_id if active else None

    def _identity(self, new: NewRun) -> tuple[str, str]:
        return new.identity(self._run_key_tag)

    def _visible_in_s(self, new: NewRun) -> float:
        since = self._unknown_since.get(self._identity(new))
        if since is None:
            return 0.0
        return max(0.0, since + self._capabilities.visibility_delay_s - self._monotonic_s())

    def _unsettled(self, new: NewRun) -> TrackingUnavailable:
        return TrackingUnavailable(
            "the tracking backend did not say whether it created the run",
            cure="repeat: the run is looked for first, and created only if it is not there",
            code="NOT_SETTLED",
            outcome=UNKNOWN,
            retry_after_s=self._visible_in_s(new),
        )

    def ensure_experiment(self, name: str) -> str:
        """The id of the experiment: found, else made. Raises ExperimentDeleted, TrackingRefused."""
        refuse_experiment_name(self._capabilities, name)
        with translated():
            experiment = self._store().get_experiment_by_name(name)
            if experiment is None:
                try:
                    with translated():
                        location = self._backend.artifact_location(name)
                        return str(self._store().create_experiment(name, location, []))
                except TrackingRefused:
                    # Another process may have made it in the meantime.
                    experiment = self._store().get_experiment_by_name(name)
                    if experiment is None:
                        raise
        if experiment.lifecycle_stage != Lifecycle.ACTIVE:
            raise ExperimentDeleted(
                f"the experiment {name!r} is deleted",
                cure="use another name, or restore it: mlflow experiments restore "
                f"--experiment-id {experiment.experiment_id}",
                experiment=name,
            )
        return str(experiment.experiment_id)


def run_deleted(run_id: str) -> RunDeleted:
    """The run is in the bin."""
    return RunDeleted(
        f"the run {run_id} is deleted",
        cure=f"restore it: mlflow runs restore --run-id {run_id}",
        run_id=run_id,
    )
