"""The trials of sweep jobs that a service ran by itself: read completely, each child as it is now."""

from __future__ import annotations

from collections.abc import Iterable

from ..domain.errors import InvalidInput, NoCandidate, RunNotFound, SweepJobNotFound
from ..domain.run_view import RunView
from ..domain.selection.fields import READ
from ..domain.selection.sweep_trials import SweepTrials, sweep_trials
from ..domain.selection.warning import merge_warnings
from ..domain.stage import Stage
from ..domain.stored_run import Lifecycle
from ..domain.sweep_job import AzureSweep, SweepJob
from ..ports.run_query import ANY_STATUS, RunQuery
from ..ports.sweep_jobs import SweepJobs
from .run_catalog import RunCatalog


class ReadSweepJobs:
    """A question: nothing is written, and no experiment is made."""

    def __init__(self, jobs: SweepJobs, catalog: RunCatalog) -> None:
        self._jobs = jobs
        self._catalog = catalog

    def __call__(self, sweeps: Iterable[AzureSweep]) -> SweepTrials:
        """The trials of all these sweep jobs, with the refits and benchmarks of those that studbook recorded, and what
        to know of them.

        Raises InvalidInput, NoSweepJobs, SweepJobNotFound, NotASweepJob, MalformedRun; NoCandidate for a job without
        children; TrackingUnavailable when the service, or a child, cannot be read.
        """
        jobs = [(sweep, self._jobs.read(sweep.name)) for sweep in _each_once(sweeps)]
        self._catalog.catch_up()
        read = [self._trials(sweep, job) for sweep, job in jobs]
        trials = tuple(run for found in read for run in found.runs)
        return SweepTrials(
            (*trials, *self._made_of(trials)),
            merge_warnings(warning for found in read for warning in found.warnings),
        )

    def _trials(self, said: AzureSweep, job: SweepJob) -> SweepTrials:
        try:
            sweep = self._catalog.by_ref(f"run:{job.name}")
        except RunNotFound as error:
            raise SweepJobNotFound(
                f"the sweep job {job.name} is {job.status}, and has no run yet",
                cure="wait until it has begun",
                job=job.name,
            ) from error
        query = RunQuery(
            (sweep.experiment,),
            ANY_STATUS,
            parent_id=sweep.run_id,
            lifecycles=frozenset(Lifecycle),
            fresh=True,
        )
        children = tuple(self._catalog.views(query))
        if not children:
            raise NoCandidate(
                f"the sweep job {job.name} is {job.status}, and has no children",
                cure="wait until it has started some, or name another sweep job",
                job=job.name,
            )
        return sweep_trials(said, job, sweep, children)

    def _made_of(self, trials: Iterable[RunView]) -> list[RunView]:
        """The project's refits of trials, and the benchmarks of both. Only what has a run key can have any."""
        names = {run.ref for run in trials if run.ref != f"run:{run.run_id}"}
        if not names:
            return []
        found = self._catalog.find((Stage.REFIT, Stage.BENCHMARK), flush=False, fields=READ)
        refits = [run for run in found if run.stage is Stage.REFIT and run.refit_of in names]
        names |= {run.ref for run in refits}
        return [*refits, *(run for run in found if run.stage is Stage.BENCHMARK and run.subject in names)]


def _each_once(sweeps: Iterable[AzureSweep]) -> Iterable[AzureSweep]:
    named: dict[str, AzureSweep] = {}
    for sweep in sweeps:
        if named.setdefault(sweep.name, sweep) != sweep:
            raise InvalidInput(
                f"the sweep job {sweep.name} is named twice, with different things said of it",
                cure="name it once",
            )
    return named.values()
