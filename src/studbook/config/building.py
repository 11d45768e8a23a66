"""How each adapter is built: its vendor is imported when it is, and not before."""

from __future__ import annotations

import pickle
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from ..application.child_process import ChildRules
from ..application.project import Project
from ..application.store_artifact import ArtifactBuilder
from ..domain.run_context import ContextLease, ContextTarget
from ..domain.study import StudyDefinition
from ..domain.vocabulary import Vocabulary
from .schema import Retry
from .settings import LoadedSettings
from .tracking_target import TargetKind, TrackingTarget

if TYPE_CHECKING:
    from ..adapters.azureml.workspace import Workspace
    from ..adapters.mlflow.patience import Patience
    from ..application.backoff import Backoff
    from ..application.writer_watch import WriterWatch
    from ..ports.artifact_store import ArtifactStore
    from ..ports.attempt_claims import AttemptClaims
    from ..ports.child_processes import ChildProcesses
    from ..ports.clock import Clock
    from ..ports.delivery_ledger import DeliveryLedger
    from ..ports.event_log import EventLog
    from ..ports.fluent_runs import FluentRuns
    from ..ports.ids import Ids
    from ..ports.leases import Leases
    from ..ports.locks import Locks
    from ..ports.machine import Machine
    from ..ports.relay_launcher import RelayLauncher
    from ..ports.sampler import Sampler
    from ..ports.sweep_jobs import SweepJobs
    from ..ports.tracking_store import TrackingStore
    from ..ports.trial_executor import TrialExecutor

RELAY_MODULE = "studbook.entrypoints.relay_process"
"""What the relay process runs; it reads its settings from stdin."""


def system_clock() -> Clock:
    from ..adapters.system.clock import SystemClock

    return SystemClock()


def system_ids() -> Ids:
    from ..adapters.system.ids import SystemIds

    return SystemIds()


def system_machine() -> Machine:
    from ..adapters.system.machine import SystemMachine

    return SystemMachine()


def memory_tracking(vocabulary: Vocabulary) -> TrackingStore:
    from ..adapters.memory.tracking_store import MemoryTrackingStore

    return MemoryTrackingStore(run_key_tag=vocabulary.key("run.key"))


def mlflow_tracking(loaded: LoadedSettings, vocabulary: Vocabulary) -> TrackingStore:
    from ..adapters.mlflow.tracking_store import MlflowTrackingStore

    return MlflowTrackingStore(
        loaded.target.uri,
        run_key_tag=vocabulary.key("run.key"),
        artifact_root=loaded.target.artifact_root,
        timeout_s=loaded.settings.tracking.timeout,
        patience=_patience_of_questions(loaded),
    )


def azure_tracking(loaded: LoadedSettings, workspace: Workspace, vocabulary: Vocabulary) -> TrackingStore:
    from ..adapters.azureml.tracking_store import azure_tracking_store

    return azure_tracking_store(
        workspace,
        run_key_tag=vocabulary.key("run.key"),
        timeout_s=loaded.settings.tracking.timeout,
        patience=_patience_of_questions(loaded),
    )


def azure_artifacts(loaded: LoadedSettings, workspace: Workspace) -> ArtifactStore:
    from ..adapters.azureml.artifact_store import AzureArtifactStore

    return AzureArtifactStore(
        workspace,
        timeout_s=loaded.settings.tracking.timeout,
        patience=_patience_of_files(loaded),
    )


def azure_sweep_jobs(loaded: LoadedSettings, workspace: Workspace) -> SweepJobs:
    from ..adapters.azureml.sweep_jobs import AzureSweepJobs

    return AzureSweepJobs(
        workspace,
        timeout_s=loaded.settings.tracking.timeout,
        patience=_patience_of_questions(loaded),
    )


def no_sweep_jobs(target: TrackingTarget) -> SweepJobs:
    from ..adapters.no_sweep_jobs import NoService

    return NoService(target.display)


def azure_workspace(loaded: LoadedSettings) -> Workspace:
    from ..adapters.azureml.workspace import Workspace

    azure = loaded.settings.tracking.azure
    return Workspace.of(loaded.target.uri, credential=azure.credential, cloud=azure.cloud, job=loaded.job)


def memory_artifacts() -> ArtifactStore:
    from ..adapters.memory.artifact_store import MemoryArtifactStore

    return MemoryArtifactStore()


def mlflow_artifacts(loaded: LoadedSettings) -> ArtifactStore:
    from ..adapters.mlflow.artifact_store import MlflowArtifactStore

    return MlflowArtifactStore(
        loaded.target.uri,
        artifact_root=loaded.target.artifact_root,
        timeout_s=loaded.settings.tracking.timeout,
        patience=_patience_of_files(loaded),
    )


def _patience_of_questions(loaded: LoadedSettings) -> Patience:
    retry = loaded.settings.retry
    return _patience(retry, retry.base, retry.cap)


def _patience_of_files(loaded: LoadedSettings) -> Patience:
    retry = loaded.settings.retry
    return _patience(retry, retry.transfer_base, retry.transfer_cap)


def _patience(retry: Retry, base_s: float, cap_s: float) -> Patience:
    from ..adapters.mlflow.patience import Patience

    return Patience(attempts=retry.attempts, within_s=retry.within, first_wait_s=base_s, longest_wait_s=cap_s)


def relay_backoff(loaded: LoadedSettings) -> Backoff:
    from ..application.backoff import Backoff

    retry = loaded.settings.retry
    return Backoff(
        base_s=retry.base,
        cap_s=retry.cap,
        retry_after_cap_s=retry.retry_after_cap,
        transfer_base_s=retry.transfer_base,
        transfer_cap_s=retry.transfer_cap,
    )


def fluent_kind(loaded: LoadedSettings) -> str:
    """Every backend but memory is one that MLflow's own functions can write to."""
    kind = loaded.target.kind
    return str(kind) if kind in (TargetKind.MEMORY, TargetKind.AZUREML) else "mlflow"


def memory_fluent_runs() -> FluentRuns:
    from ..adapters.memory.fluent_runs import MemoryFluentRuns

    return MemoryFluentRuns()


def mlflow_fluent_runs(target: TrackingTarget) -> FluentRuns:
    from ..adapters.mlflow.fluent_runs import MlflowFluentRuns

    return MlflowFluentRuns(target.uri)


def azure_fluent_runs(workspace: Workspace) -> FluentRuns:
    from ..adapters.azureml.fluent_runs import AzureFluentRuns

    return AzureFluentRuns(workspace)


def memory_log(clock: Clock, ids: Ids) -> EventLog:
    from ..adapters.memory.event_log import MemoryEventLog

    return MemoryEventLog(clock, ids)


def journal_log(
    home: Path,
    clock: Clock,
    ids: Ids,
    target: TrackingTarget,
    project: Project,
    segment_bytes: int,
    watch: WriterWatch,
) -> EventLog:
    from ..adapters.journal.event_log import JournalEventLog

    return JournalEventLog(
        home,
        clock=clock,
        ids=ids,
        target=target.display,
        project=project.name,
        segment_bytes=segment_bytes,
        alive=watch.may_write,
    )


def memory_ledger() -> DeliveryLedger:
    from ..adapters.memory.delivery_ledger import MemoryDeliveryLedger

    return MemoryDeliveryLedger()


def journal_ledger(home: Path, target: TrackingTarget) -> DeliveryLedger:
    from ..adapters.journal.ledger import JournalDeliveryLedger

    return JournalDeliveryLedger(home, target.id)


def memory_locks() -> Locks:
    from ..adapters.memory.locks import MemoryLocks

    return MemoryLocks()


def home_locks(home: Path) -> Locks:
    from ..adapters.home.locks import HomeLocks

    return HomeLocks(home)


def memory_claims() -> AttemptClaims:
    from ..adapters.memory.attempt_claims import MemoryAttemptClaims

    return MemoryAttemptClaims()


def home_claims(home: Path) -> AttemptClaims:
    from ..adapters.home.attempt_claims import HomeAttemptClaims

    return HomeAttemptClaims(home)


def memory_leases() -> Leases:
    from ..adapters.memory.leases import MemoryLeases

    return MemoryLeases()


def home_leases(home: Path) -> Leases:
    from ..adapters.home.leases import HomeLeases

    return HomeLeases(home)


def relay_launcher(home: Path, ledger: DeliveryLedger, loaded: LoadedSettings) -> RelayLauncher:
    from ..adapters.home.relay_launcher import ProcessRelayLauncher

    return ProcessRelayLauncher(home, ledger, RELAY_MODULE, lambda: pickle.dumps(loaded))


def delivery_mode(loaded: LoadedSettings) -> str:
    """Memory is gone with its process: nobody else can deliver what is in it."""
    return "inline" if loaded.target.kind is TargetKind.MEMORY else loaded.settings.delivery.mode


def home_pins(home: Path, ids: Ids) -> object:
    from ..adapters.home.pins import HomePins

    return HomePins(home, ids)


def home_deliveries(home: Path) -> object:
    from ..adapters.home.deliveries import HomeDeliveries

    return HomeDeliveries(home)


def optuna_in_memory() -> Sampler:
    from ..adapters.optuna.sampler import OptunaSampler

    return OptunaSampler(lambda _study: None)


def optuna_in_home(home: Path) -> Sampler:
    from ..adapters.home.keyed_folder import keyed_folder
    from ..adapters.optuna.sampler import OptunaSampler

    def storage_url(study: StudyDefinition) -> str:
        return f"sqlite:///{keyed_folder(home / 'studies', study.key) / 'optuna.db'}"

    return OptunaSampler(storage_url)


def in_process_executor() -> TrialExecutor:
    from ..adapters.in_process.trial_executor import InProcessExecutor

    return InProcessExecutor()


def child_processes() -> ChildProcesses:
    from ..adapters.child_process.processes import SystemChildProcesses

    return SystemChildProcesses()


def child_rules(loaded: LoadedSettings) -> ChildRules:
    """Nobody else reads what is tracked in memory, so its children are told of no target."""
    settings, target = loaded.settings, loaded.target
    shared = target.kind is not TargetKind.MEMORY
    return ChildRules(
        lease=ContextLease(interval_s=settings.leases.interval, ttl_s=settings.leases.ttl),
        target=ContextTarget(uri=target.display, decided_by=target.decided_by) if shared else None,
        look_s=settings.children.look,
        grace_s=settings.children.grace,
    )


def storage_of(loaded: LoadedSettings) -> str:
    return "memory" if loaded.target.kind is TargetKind.MEMORY else "home"


def book_home(loaded: LoadedSettings) -> Path:
    """The folder for files. What is tracked in memory leaves nothing in the project, unless a home is named."""
    if loaded.target.kind is TargetKind.MEMORY and loaded.settings.home is None:
        return Path(tempfile.mkdtemp(prefix="studbook-memory-"))
    return loaded.home


def project_of(loaded: LoadedSettings, machine: Machine, version: str) -> Project:
    settings = loaded.settings
    recorded = loaded.selection.record.experiment
    return Project(
        name=settings.project,
        experiment=loaded.target.experiment,
        environment=settings.environment or machine.environment(),
        created_by=settings.created_by,
        version=version,
        naming=settings.naming.templates(),
        vocabulary=settings.tags.vocabulary(),
        user_tags=settings.tags.declared(),
        elsewhere=() if recorded is None else (recorded,),
        legacy=settings.legacy.experiments,
    )


def artifact_builder(loaded: LoadedSettings, pins: object, clock: Clock, version: str) -> ArtifactBuilder:
    return ArtifactBuilder(pins, clock, version, tuple(loaded.settings.artifacts.store.exclude))  # type: ignore[arg-type]
