"""The `Studbook` facade: one book, opened on one tracking target."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from ..application.benchmark import BenchmarkRequest
from ..application.final_training import FinalTrainingRequest
from ..application.subject import resolve_subject
from ..application.sweep_session import SweepRequest
from ..config.container import Container
from ..config.settings import load_settings
from ..domain.data import EvalSpec
from ..domain.errors import StudyInvalid
from ..domain.search_space import SearchSpace
from ..domain.study import Budget, FoldAggregate, Objective, Pruning, Sampling, SeedPolicy, StudyDefinition
from ..domain.training import ExecSpec
from .data_input import Folds, data_spec, row_count, splits
from .foreign_runs import SweepsGiven, azure_sweeps, run_id
from .sweep_handle import Sweep

if TYPE_CHECKING:
    from ..application.acquire import Acquired
    from ..application.benchmark import Batches
    from ..application.bus import Subscription
    from ..application.run_handle import RunHandle
    from ..application.select import Decision
    from ..application.subject import Target
    from ..application.train_context import TrainingFunction
    from ..config.settings import LoadedSettings
    from ..domain.lineage import LineageNode
    from ..domain.manifest import ArtifactKind
    from ..domain.run_view import RunView
    from ..domain.selection.champions import ChampionReport
    from ..domain.stage import Stage
    from ..domain.stored_run import StoredRun
    from ..ports.run_query import RunQuery

_EXIT_S = 10.0
_EXIT_TRANSIENT_S = 300.0


class Studbook:
    """The official record of models: runs, sweeps, refits, benchmarks, decisions and files. A context manager.

    Get one with `Studbook.open`. What is logged survives this process; leaving the book delivers it.
    """

    def __init__(self, container: Container, loaded: LoadedSettings) -> None:
        self.container = container
        self.settings = loaded
        self._closed = False

    @classmethod
    def open(
        cls,
        tracking_uri: str | None = None,
        *,
        home: str | Path | None = None,
        experiment: str | None = None,
        delivery: Literal["sidecar", "inline", "manual"] | None = None,
        config: str | Path | None = None,
        overrides: Mapping[str, object] | None = None,
    ) -> Studbook:
        """Open a book by settings: these arguments, the environment, `.env`, `studbook.yaml`, defaults.

        `overrides` are further settings by dotted key. Raises ConfigError, UnsupportedTarget, HomeUnusable.
        """
        said = {
            "tracking.uri": tracking_uri,
            "home": None if home is None else str(home),
            "experiment": experiment,
            "delivery.mode": delivery,
            **(overrides or {}),
        }
        return cls.of(load_settings(overrides=said, config=None if config is None else Path(config)))

    @classmethod
    def of(cls, loaded: LoadedSettings) -> Studbook:
        """A book on settings that are loaded already. Raises HomeUnusable, ConfigError for a target that this
        release does not deliver to: both now, and not after the training.
        """
        container = Container(loaded=loaded, version=version("studbook"))
        container.tracking_store()
        container.ledger().cursor()
        return cls(container, loaded)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Studbook({self.settings.target.display!r}, home={str(self.home)!r})"

    @property
    def home(self) -> Path:
        """Where this book's journal, models and studies lie."""
        return self.container.home()

    def run(
        self,
        name: str,
        *,
        stage: Stage | str = "final_training",
        parent: RunHandle | None = None,
        params: Mapping[str, object] | None = None,
        tags: Mapping[str, str] | None = None,
        adopt: object = None,
    ) -> RunHandle:
        """Open a run of your own: always a new one. Leaving its `with` block ends it: FINISHED, or FAILED on an
        exception, which passes through unchanged.

        `adopt` is an MLflow run, or its id, that was opened by other means: it becomes this run, and keeps its name
        and experiment. If the backend has none, or it is a run of studbook already, a run of its own is made.
        """
        return self.container.open_run()(
            name, stage=stage, parent=parent, params=params, tags=tags, adopt=run_id(adopt)
        )

    def sweep(
        self,
        name: str,
        train: TrainingFunction,
        *,
        space: Mapping[str, object] | SearchSpace,
        objective: Objective | Sequence[Objective],
        trials: int,
        folds: Folds = None,
        data: object = None,
        labels: Sequence[object] | None = None,
        n_samples: int | None = None,
        stratify: bool | None = None,
        split_seed: int = 0,
        family: str | None = None,
        evaluation: EvalSpec | None = None,
        fold_aggregate: FoldAggregate | str = "mean",
        sampler: Sampling | str = "tpe",
        pruner: Pruning | str | None = None,
        budget: Budget | None = None,
        seed: int | SeedPolicy = 0,
        revision: str | None = None,
        workers: int | None = None,
        timeout_s: float | None = None,
        max_failed_trials: int | None = None,
        max_consecutive_failures: int | None = None,
        duplicates: Literal["reuse", "rerun"] | None = None,
        fold_runs: bool | None = None,
    ) -> Sweep:
        """Search `space` for the best params until the study has `trials` trials; resumes what is there.

        `train(context)` is called once a fold (or once a trial without folds) and returns the metrics, the
        objective among them. `folds` is a number, (training, validation) index pairs, or None. `data` gives the
        study its identity: a DataSpec, or arrays, whose bytes are digested. Raises StudyInvalid and its kin
        before any training, SweepFailed when too many trials fail.
        """
        given: object = objective
        if isinstance(given, str):
            raise StudyInvalid(
                f"the objective {given!r} says no direction",
                cure=f"give maximize({given!r}) or minimize({given!r})",
            )
        rows = row_count(data, n_samples)
        split = splits(folds, rows=rows, labels=labels, stratify=stratify, seed=split_seed)
        defaults = self.settings.settings.sweep
        study = StudyDefinition.parse(
            {
                "name": name,
                "model_family": family or name,
                "data": data_spec(data),
                "evaluation": evaluation or EvalSpec(),
                "objectives": (objective,) if isinstance(objective, Objective) else tuple(objective),
                "fold_aggregate": fold_aggregate,
                "validation": split.validation,
                "space": SearchSpace.parse(space),
                "sampling": Sampling(algorithm=sampler) if isinstance(sampler, str) else sampler,
                "pruning": Pruning(algorithm=pruner) if isinstance(pruner, str) else pruner,
                "budget": budget,
                "seed_policy": SeedPolicy.derived(seed) if isinstance(seed, int) else seed,
                "revision": revision,
            }
        )
        request = SweepRequest(
            study=study,
            train=train,
            trials=trials,
            folds=split.folds,
            workers=defaults.workers if workers is None else workers,
            timeout_s=timeout_s,
            max_failed_trials=max_failed_trials,
            max_consecutive_failures=(
                defaults.max_consecutive_failures
                if max_consecutive_failures is None
                else max_consecutive_failures
            ),
            duplicates=duplicates or defaults.duplicates,
            fold_runs=defaults.fold_runs if fold_runs is None else fold_runs,
        )
        return Sweep(
            self.container.sweep()(request),
            train,
            self.container.refit(),
            rows or _length(labels),
            self.container.catalog(),
        )

    def benchmark(
        self,
        target: Target,
        predict: Callable[..., object],
        batches: Batches,
        *,
        batch_sizes: Iterable[int] | None = None,
        warmup: int = 10,
        iterations: int = 100,
        load: Callable[[Path], object] | None = None,
        synchronize: Callable[[], object] | None = None,
        sequence_length: int | None = None,
        precision: str | None = None,
        runtime: tuple[str, str] | None = None,
        options: Mapping[str, object] | None = None,
        force: bool = False,
    ) -> RunView:
        """Measure `predict(batch)` in milliseconds, for each batch size by itself; made once for one subject,
        configuration and hardware, unless `force`.

        With `load`, the subject's checkpoint is acquired, loaded by `load(folder)` and handed to
        `predict(model, batch)`. `batches` is a mapping of size to batch, or a function of the size. Raises
        BenchmarkFailed, RefitMissing, AcquisitionFailed.
        """
        if batch_sizes is None:
            batch_sizes = tuple(batches) if isinstance(batches, Mapping) else (1,)
        request = BenchmarkRequest(
            subject=resolve_subject(target, self.container.catalog()).run,
            predict=predict,
            batches=batches,
            batch_sizes=tuple(batch_sizes),
            warmup=warmup,
            iterations=iterations,
            load=load,
            synchronize=synchronize,
            sequence_length=sequence_length,
            precision=precision,
            runtime=runtime,
            options=options or {},
            force=force,
        )
        return self.container.benchmark()(request)

    def champions(self, *, azureml_sweep: SweepsGiven = None, **changes: Any) -> ChampionReport:
        """The best trial of each model family, of the project or of Azure ML sweep jobs: a name, an AzureSweep, or
        several. `changes` are keys of the settings' section `selection`.
        """
        return self.container.champions()(changes, azure_sweeps(azureml_sweep))

    def select(
        self,
        policy: str | None = None,
        *,
        dry_run: bool = False,
        azureml_sweep: SweepsGiven = None,
        **changes: Any,
    ) -> Decision:
        """Choose the best model by a policy, and record why; the same inputs give the recorded decision again.

        `azureml_sweep` names sweep jobs as in `champions`, whose best metric then decides unless a policy is named.
        `changes` are keys of the settings' section `selection`, as `scope={"studies": [...]}`. With `dry_run`
        nothing is stored. Raises NoCandidate, BenchmarksNotComparable and their kin.
        """
        if policy is not None:
            changes = {**changes, "policy": policy}
        return self.container.select()(changes, azure_sweeps(azureml_sweep), dry_run=dry_run)

    def acquire(
        self,
        target: Target,
        kind: ArtifactKind | str = "checkpoint",
        to: str | Path | None = None,
        *,
        name: str | None = None,
        replace: bool = False,
    ) -> Acquired:
        """The target's files, verified against their manifest, at `to` or in the home.

        Raises AcquisitionFailed with every try, DestinationOccupied, RefitMissing.
        """
        subject = resolve_subject(target, self.container.catalog())
        return self.container.acquire().acquire(
            subject.run,
            kind,
            name=name,
            to=None if to is None else Path(to),
            replace=replace,
            target=subject.target,
            mapping_basis=subject.basis,
        )

    def final_training(
        self,
        train: TrainingFunction,
        source: Target | None = None,
        *,
        family: str | None = None,
        params: Mapping[str, object] | None = None,
        data: object = None,
        evaluation: EvalSpec | None = None,
        budget: Budget | None = None,
        seed: int | None = None,
        execution: ExecSpec | None = None,
        full_data: bool = False,
        mode: Literal["reuse", "new_variant"] = "reuse",
    ) -> RunView:
        """Train a model for use, with the params of `source` (a selection, a mapping, a run) and overrides.

        What `train(context)` writes below `context.output_dir` is its model. An equal, FINISHED final training
        is returned instead, unless mode is `new_variant`. Raises FinalTrainingFailed, StudyInvalid.
        """
        subject = None if source is None else resolve_subject(source, self.container.catalog())
        model_family = family or (subject.run.family if subject else None)
        if model_family is None:
            raise StudyInvalid("a final training needs a model family", cure="give family=, or a source")
        request = FinalTrainingRequest(
            train=train,
            model_family=model_family,
            source=subject.run if subject else None,
            selection=subject.selection if subject else None,
            params=params or {},
            data=data_spec(data),
            evaluation=evaluation or EvalSpec(),
            budget=budget,
            seed=seed,
            execution=execution or self._execution(),
            full_data=full_data,
            mode=mode,
        )
        return self.container.final_training()(request)

    def _execution(self) -> ExecSpec:
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        return ExecSpec(python=python, device=self.container.machine().hardware().kind)

    def lineage(self, target: Target) -> LineageNode:
        """The tree of the target's ancestors. Raises RunNotFound."""
        return self.container.lineage()(target)

    def runs(self, query: RunQuery) -> Iterator[StoredRun]:
        """All stored runs that match, in the query's order; complete, or an error."""
        return self.container.catalog().runs(query)

    def find(self, ref: str) -> RunView:
        """The run with this key (12 digits or more), `run:<backend id>` or backend id. Raises RunNotFound."""
        return self.container.catalog().resolve(ref)

    def subscribe(self, handler: Callable[[Any], None], *, name: str = "subscriber") -> Subscription:
        """Have every event and progress notice given to `handler`, in a thread of its own."""
        return self.container.bus().subscribe(handler, name=name)

    def flush(self, timeout: float | None = None) -> None:
        """A barrier: everything logged so far is delivered, or DeliveryPending after `timeout` seconds."""
        self.container.delivery().flush(timeout)

    def close(self) -> None:
        """End what is open, deliver, give back connections. Closing twice is fine.

        Waits for the delivery at most `delivery.exit_timeout`; what is pending then is logged, and not lost.
        """
        if self._closed:
            return
        self._closed = True
        container = self.container
        container.open_run().abandon_open()
        container.recorder().close()
        try:
            container.delivery().leave(self._exit_timeout())
        finally:
            container.keepalive().close()
            container.bus().close()
            container.event_log().close()
            container.tracking_store().close()
            container.artifact_store().close()

    def _exit_timeout(self) -> float:
        said = self.settings.settings.delivery.exit_timeout
        if said is not None:
            return said
        return _EXIT_TRANSIENT_S if self.container.machine().is_transient() else _EXIT_S


def _length(labels: Sequence[object] | None) -> int | None:
    return None if labels is None else len(labels)
