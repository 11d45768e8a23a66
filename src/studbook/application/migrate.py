"""Copy a store's runs into another store: what is there already is left, and a stopped copy goes on."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..domain.errors import (
    ExperimentDeleted,
    HomeUnusable,
    MigrationBusy,
    NameInvalid,
    RunEnded,
    RunNotFound,
    SameStore,
    TrackingRefused,
    TrackingUnavailable,
)
from ..domain.stored_run import Lifecycle, StoredRun
from ..domain.vocabulary import Vocabulary
from ..ports.clock import Clock
from ..ports.locks import Locks
from ..ports.migration_ledger import Copy, MigrationLedger
from ..ports.run_query import ANY_STATUS, RunQuery
from ..ports.write_limits import takes_experiment_name
from .backoff import Backoff
from .migration_ends import Copies, Destination, Source
from .migration_report import Copied, ExperimentPlan, NotCopied, Verification
from .migration_verifying import UNREADABLE, MigrationCheck
from .run_copying import RunCopier

_REFUSALS = (*UNREADABLE, TrackingRefused, RunEnded, RunNotFound)
_MOST_TRIES = 7
"""For one run, while a side does not serve."""
_MOST_NAMES = 10
"""In an error."""


class MigrateStore:
    """Copies from one source to one destination. `stage` is a folder for files on their way.

    All active runs, with `deleted` those in the bin too. Raises SameStore when the two are one; ExperimentDeleted
    before anything is copied; MigrationBusy while another process copies between the two.
    """

    def __init__(
        self,
        source: Source,
        destination: Destination,
        ledger: MigrationLedger,
        locks: Locks,
        clock: Clock,
        backoff: Backoff,
        vocabulary: Vocabulary,
        stage: Path,
        *,
        deleted: bool = False,
    ) -> None:
        self._source = source
        self._destination = destination
        self._ledger = ledger
        self._locks = locks
        self._clock = clock
        self._backoff = backoff
        self._vocabulary = vocabulary
        self._stage = stage
        self._lifecycles = frozenset(Lifecycle) if deleted else frozenset({Lifecycle.ACTIVE})
        if source.id == destination.id:
            raise _same(source)

    @property
    def source(self) -> str:
        """The source, for people."""
        return self._source.display

    @property
    def destination(self) -> str:
        """The destination, for people."""
        return self._destination.display

    def plan(self) -> tuple[ExperimentPlan, ...]:
        """What copying would do, experiment by experiment. Writes nothing. Raises NameInvalid, as `copy` does."""
        self._refuse_one_store()
        self._refuse_names()
        with self._staging() as stage:
            copies, copier = self._copier(stage)
            plans = []
            for name in self._source.runs.experiments():
                copies.look(name)
                runs, to_copy = Counter[str](), 0
                for run in self._runs(name):
                    runs[run.status] += 1
                    to_copy += not copier.is_done(run)
                plans.append(ExperimentPlan(name, dict(runs), to_copy))
        return tuple(plans)

    def copy(self, on_run: Callable[[], None]) -> Copied:
        """Copy what has no whole copy yet, oldest first; `on_run` is called after each run.

        A run that one of the two sides refuses is told of in the answer, and the others go on. A side that does
        not serve is asked again some times, then it is TrackingUnavailable; the next call goes on from there. Raises
        NameInvalid, before anything is copied, for names of experiments that the destination does not take.
        """
        self._refuse_one_store()
        self._refuse_names()
        with self._staging() as stage, self._alone():
            experiments = self._source.runs.experiments()
            for name in experiments:
                self._destination.runs.ensure_experiment(name)
            copies, copier = self._copier(stage)
            copied = already = 0
            failed: list[NotCopied] = []
            for name in experiments:
                copies.look(name)
                for run in self._runs(name):
                    if copier.is_done(run):
                        already += 1
                    elif (refusal := self._refusal(copier, run)) is not None:
                        failed.append(refusal)
                    else:
                        copied += 1
                    on_run()
        return Copied(copied, already, tuple(failed))

    def verify(self, on_run: Callable[[], None]) -> Verification:
        """Read both sides back, and compare. A copy that differs is copied again by the next `copy`."""
        self._refuse_one_store()
        with self._staging() as stage:
            check = MigrationCheck(self._source, self._destination, self._vocabulary, stage, self._lifecycles)
            verification = check(on_run)
        for difference in verification.differences:
            if difference.run_id is not None and difference.copy_id is not None:
                self._ledger.put(difference.run_id, Copy(difference.copy_id))
        return verification

    def _runs(self, experiment: str) -> Iterator[StoredRun]:
        return self._source.runs.find(
            RunQuery((experiment,), ANY_STATUS, lifecycles=self._lifecycles, fresh=True)
        )

    def _refusal(self, copier: RunCopier, run: StoredRun) -> NotCopied | None:
        """Copy the run; what was refused, or None."""
        for tried in range(1, _MOST_TRIES + 1):
            try:
                copier.copy(run)
            except ExperimentDeleted:
                raise
            except TrackingUnavailable as error:
                if tried == _MOST_TRIES:
                    raise
                self._clock.sleep(self._backoff.wait_s(tried, error, 1.0))
            except _REFUSALS as error:
                return NotCopied(run.run_id, run.experiment, error.problem, error.cure)
            else:
                break
        return None

    def _copier(self, stage: Path) -> tuple[Copies, RunCopier]:
        copies = Copies(self._source, self._destination, self._vocabulary)
        return copies, RunCopier(
            self._source, self._destination, copies, self._ledger, self._vocabulary, stage, self._lifecycles
        )

    def _refuse_one_store(self) -> None:
        """Two names may lead to one store: then it holds a run of the source under the same id, as it is."""
        for name in self._source.runs.experiments():
            for run in self._source.runs.find(
                RunQuery((name,), ANY_STATUS, lifecycles=frozenset(Lifecycle), limit=1)
            ):
                try:
                    there = self._destination.runs.get_run(run.run_id)
                except (RunNotFound, TrackingRefused):
                    return
                if there.tags == run.tags:
                    raise _same(self._source)
                return

    def _refuse_names(self) -> None:
        limits = self._destination.runs.capabilities
        unfit = [name for name in self._source.runs.experiments() if not takes_experiment_name(limits, name)]
        if unfit:
            listed = ", ".join(f"{name!r:.100}" for name in unfit[:_MOST_NAMES])
            more = len(unfit) - _MOST_NAMES
            raise NameInvalid(
                f"{self._destination.display} takes no experiments named {listed}"
                + (f" and {more} more" if more > 0 else ""),
                cure=f"give each another name: --rename {unfit[0]!r}=NEW, matching {limits.experiment_names}",
                experiments=unfit,
            )

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self._locks.hold(f"migrate-{self._source.id}-to-{self._destination.id}", 0.0) as held:
            if not held:
                raise MigrationBusy(
                    f"another process copies {self._source.display} to {self._destination.display} now",
                    cure="wait for it; it does the whole work",
                )
            yield

    @contextmanager
    def _staging(self) -> Iterator[Path]:
        try:
            self._stage.mkdir(parents=True, exist_ok=True)
            folder = tempfile.TemporaryDirectory(dir=self._stage, prefix="stage-")
        except OSError as error:
            raise HomeUnusable(
                f"{self._stage} cannot be used: {error.strerror}",
                cure="choose another place with --home or STUDBOOK_HOME, or mend its permissions",
                path=str(self._stage),
            ) from error
        with folder as name:
            yield Path(name)


def _same(source: Source) -> SameStore:
    return SameStore(
        f"source and destination are one store, or one was made as a copy of the other: {source.display}",
        cure="name another destination: this one holds the source's runs themselves",
    )
