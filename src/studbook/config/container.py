"""The composition root: which adapter serves each port, and which use cases are made of them."""

from __future__ import annotations

import pickle
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from dependency_injector import containers, providers

from ..application.acquire import AcquireArtifact
from ..application.benchmark import BenchmarkModel
from ..application.bus import Bus
from ..application.champions import ChooseChampions
from ..application.delivery import InlineDelivery, ManualDelivery, SidecarDelivery
from ..application.final_training import TrainFinal
from ..application.fold_runner import FoldRunner
from ..application.home_status import ReadStatus
from ..application.keepalive import KeepAlive
from ..application.lineage import TraceLineage
from ..application.list_events import ListEvents
from ..application.open_run import OpenRun
from ..application.project import Project
from ..application.reap import ReapDead
from ..application.recorder import Recorder
from ..application.refit import RefitTrial
from ..application.relay import Relay
from ..application.relay_service import RelayService
from ..application.run_catalog import RunCatalog
from ..application.run_opening import RunOpening
from ..application.select import SelectModel
from ..application.store_artifact import ArtifactBuilder
from ..application.store_writer import StoreWriter
from ..application.study_history import HistoryReader
from ..application.sweep import RunSweep
from ..application.sync import SyncHome
from ..application.trial_runner import TrialRunner
from ..application.writer_watch import WriterWatch
from ..domain.errors import ConfigError, UnsupportedTarget
from ..domain.study import StudyDefinition
from ..domain.vocabulary import Vocabulary
from .settings import LoadedSettings
from .tracking_target import TargetKind, TrackingTarget, named_target

if TYPE_CHECKING:
    from ..ports.artifact_store import ArtifactStore
    from ..ports.clock import Clock
    from ..ports.delivery_ledger import DeliveryLedger
    from ..ports.event_log import EventLog
    from ..ports.ids import Ids
    from ..ports.journal_survey import JournalSurvey
    from ..ports.leases import Leases
    from ..ports.locks import Locks
    from ..ports.machine import Machine
    from ..ports.relay_launcher import RelayLauncher
    from ..ports.sampler import Sampler
    from ..ports.tracking_store import TrackingStore
    from ..ports.trial_executor import TrialExecutor

RELAY_MODULE = "studbook.entrypoints.relay_process"
"""What the relay process runs; it reads its settings from stdin."""


def _system_clock() -> Clock:
    from ..adapters.system.clock import SystemClock

    return SystemClock()


def _system_ids() -> Ids:
    from ..adapters.system.ids import SystemIds

    return SystemIds()


def _system_machine() -> Machine:
    from ..adapters.system.machine import SystemMachine

    return SystemMachine()


def _memory_tracking(vocabulary: Vocabulary) -> TrackingStore:
    from ..adapters.memory.tracking_store import MemoryTrackingStore

    return MemoryTrackingStore(run_key_tag=vocabulary.key("run.key"))


def _mlflow_tracking(target: TrackingTarget, vocabulary: Vocabulary) -> TrackingStore:
    from ..adapters.mlflow.tracking_store import MlflowTrackingStore

    return MlflowTrackingStore(target.uri, run_key_tag=vocabulary.key("run.key"))


def _memory_artifacts() -> ArtifactStore:
    from ..adapters.memory.artifact_store import MemoryArtifactStore

    return MemoryArtifactStore()


def _mlflow_artifacts(target: TrackingTarget) -> ArtifactStore:
    from ..adapters.mlflow.artifact_store import MlflowArtifactStore

    return MlflowArtifactStore(target.uri)


def _unsupported(target: TrackingTarget) -> TrackingStore:
    raise ConfigError(
        f"{target.display} is a {target.kind} target, and this release has no adapter for it",
        cure="use sqlite:///…, http(s)://… of an MLflow server, or memory://",
    )


def _memory_log(clock: Clock, ids: Ids) -> EventLog:
    from ..adapters.memory.event_log import MemoryEventLog

    return MemoryEventLog(clock, ids)


def _journal(home: Path, clock: Clock, ids: Ids, target: TrackingTarget, project: Project) -> EventLog:
    from ..adapters.journal.event_log import JournalEventLog

    return JournalEventLog(home, clock=clock, ids=ids, target=target.display, project=project.name)


def _whole_journal(home: Path, clock: Clock, ids: Ids, target: TrackingTarget, project: Project) -> EventLog:
    from ..adapters.journal.whole_journal import WholeJournal

    return WholeJournal(home, clock=clock, ids=ids, target=target.display, project=project.name)


def _survey(home: Path) -> JournalSurvey:
    from ..adapters.journal.survey import HomeJournalSurvey

    return HomeJournalSurvey(home)


def _ledger_of(home: Path, target: TrackingTarget, ledger: DeliveryLedger) -> object:
    from ..adapters.journal.ledger import JournalDeliveryLedger

    def ledger_of(display: str) -> DeliveryLedger | None:
        """The ledger of a target that a journal names; None when nothing was delivered to it, or it is not known."""
        if display == target.display:
            return ledger
        try:
            found = JournalDeliveryLedger(home, named_target(display).id)
        except UnsupportedTarget:
            return None
        return found if found.exists else None

    return ledger_of


def _memory_ledger() -> DeliveryLedger:
    from ..adapters.memory.delivery_ledger import MemoryDeliveryLedger

    return MemoryDeliveryLedger()


def _journal_ledger(home: Path, target: TrackingTarget) -> DeliveryLedger:
    from ..adapters.journal.ledger import JournalDeliveryLedger

    return JournalDeliveryLedger(home, target.id)


def _memory_locks() -> Locks:
    from ..adapters.memory.locks import MemoryLocks

    return MemoryLocks()


def _home_locks(home: Path) -> Locks:
    from ..adapters.home.locks import HomeLocks

    return HomeLocks(home)


def _memory_leases() -> Leases:
    from ..adapters.memory.leases import MemoryLeases

    return MemoryLeases()


def _home_leases(home: Path) -> Leases:
    from ..adapters.home.leases import HomeLeases

    return HomeLeases(home)


def _launcher(home: Path, ledger: DeliveryLedger, loaded: LoadedSettings) -> RelayLauncher:
    from ..adapters.home.relay_launcher import ProcessRelayLauncher

    return ProcessRelayLauncher(home, ledger, RELAY_MODULE, lambda: pickle.dumps(loaded))


def _delivery_mode(loaded: LoadedSettings) -> str:
    """Memory is gone with its process: nobody else can deliver what is in it."""
    return "inline" if loaded.target.kind is TargetKind.MEMORY else loaded.settings.delivery.mode


def _lent_pins(home: Path, ids: Ids) -> object:
    from ..adapters.home.pins import LentPins

    return LentPins(home, ids)


def _pins(home: Path, ids: Ids) -> object:
    from ..adapters.home.pins import HomePins

    return HomePins(home, ids)


def _deliveries(home: Path) -> object:
    from ..adapters.home.deliveries import HomeDeliveries

    return HomeDeliveries(home)


def _optuna_in_memory() -> Sampler:
    from ..adapters.optuna.sampler import OptunaSampler

    return OptunaSampler(lambda _study: None)


def _optuna_in_home(home: Path) -> Sampler:
    from ..adapters.optuna.sampler import OptunaSampler

    def storage_url(study: StudyDefinition) -> str:
        return f"sqlite:///{home / 'studies' / study.key.folder / 'optuna.db'}"

    return OptunaSampler(storage_url)


def _in_process_executor() -> TrialExecutor:
    from ..adapters.in_process.trial_executor import InProcessExecutor

    return InProcessExecutor()


def _storage(loaded: LoadedSettings) -> str:
    return "memory" if loaded.target.kind is TargetKind.MEMORY else "home"


def _home(loaded: LoadedSettings) -> Path:
    """The folder for files. What is tracked in memory leaves nothing in the project, unless a home is named."""
    if loaded.target.kind is TargetKind.MEMORY and loaded.settings.home is None:
        return Path(tempfile.mkdtemp(prefix="studbook-memory-"))
    return loaded.home


def _project(loaded: LoadedSettings, machine: Machine, version: str) -> Project:
    settings = loaded.settings
    return Project(
        name=settings.project,
        experiment=loaded.target.experiment,
        environment=settings.environment or machine.environment(),
        created_by=settings.created_by,
        version=version,
        naming=settings.naming.templates(),
        vocabulary=settings.tags.vocabulary(),
        user_tags=settings.tags.declared(),
    )


def _builder(loaded: LoadedSettings, pins: object, clock: Clock, version: str) -> ArtifactBuilder:
    return ArtifactBuilder(pins, clock, version, tuple(loaded.settings.artifacts.store.exclude))  # type: ignore[arg-type]


class Container(containers.DeclarativeContainer):
    """Everything of one book. Give it `loaded` and `version`; every provider then builds its object once.

    A port with several adapters is a Selector by the target's kind (`kind`) or by where its state lives
    (`storage`: home or memory). Override a provider to bring an adapter of your own.
    """

    loaded: providers.Dependency[LoadedSettings] = providers.Dependency(instance_of=LoadedSettings)
    version: providers.Dependency[str] = providers.Dependency(instance_of=str)

    target = loaded.provided.target
    kind = providers.Callable(str, loaded.provided.target.kind)
    storage = providers.Callable(_storage, loaded)
    home = providers.Singleton(_home, loaded)
    selection_config = loaded.provided.selection

    clock = providers.Singleton(_system_clock)
    ids = providers.Singleton(_system_ids)
    machine = providers.Singleton(_system_machine)
    project = providers.Singleton(_project, loaded, machine, version)
    vocabulary = project.provided.vocabulary

    tracking_store = providers.Selector(
        kind,
        **{
            "memory": providers.Singleton(_memory_tracking, vocabulary),
            "mlflow-sqlite": providers.Singleton(_mlflow_tracking, target, vocabulary),
            "mlflow-server": providers.Singleton(_mlflow_tracking, target, vocabulary),
            "mlflow-db": providers.Singleton(_unsupported, target),
            "azureml": providers.Singleton(_unsupported, target),
        },
    )
    artifact_store = providers.Selector(
        kind,
        **{  # type: ignore[arg-type]  # mypy reads the second such call otherwise than the first
            "memory": providers.Singleton(_memory_artifacts),
            "mlflow-sqlite": providers.Singleton(_mlflow_artifacts, target),
            "mlflow-server": providers.Singleton(_mlflow_artifacts, target),
            "mlflow-db": providers.Singleton(_unsupported, target),
            "azureml": providers.Singleton(_unsupported, target),
        },
    )
    event_log = providers.Selector(
        storage,
        memory=providers.Singleton(_memory_log, clock, ids),
        home=providers.Singleton(_journal, home, clock, ids, target, project),
    )
    ledger = providers.Selector(
        storage,
        memory=providers.Singleton(_memory_ledger),
        home=providers.Singleton(_journal_ledger, home, target),
    )
    locks = providers.Selector(
        storage,
        memory=providers.Singleton(_memory_locks),
        home=providers.Singleton(_home_locks, home),
    )
    leases = providers.Selector(
        storage,
        memory=providers.Singleton(_memory_leases),
        home=providers.Singleton(_home_leases, home),
    )
    sampler = providers.Selector(
        storage,
        memory=providers.Singleton(_optuna_in_memory),
        home=providers.Singleton(_optuna_in_home, home),
    )
    executor = providers.Singleton(_in_process_executor)
    pins = providers.Singleton(_pins, home, ids)
    deliveries = providers.Singleton(_deliveries, home)

    bus = providers.Singleton(Bus)
    recorder = providers.Singleton(Recorder, event_log, clock, bus)
    opening = providers.Singleton(RunOpening, project)
    artifacts = providers.Singleton(_builder, loaded, pins, clock, version)
    store_writer = providers.Singleton(StoreWriter, tracking_store, artifact_store, ledger, pins, vocabulary)
    relay = providers.Singleton(Relay, event_log, ledger, store_writer, vocabulary, clock)
    watch = providers.Singleton(WriterWatch, leases, clock, ttl_s=loaded.provided.settings.leases.ttl)
    reap = providers.Singleton(ReapDead, event_log, ledger, watch, clock, project.provided.name)
    relay_service = providers.Singleton(RelayService, relay, ledger, reap, watch, clock)
    sync = providers.Singleton(SyncHome, event_log, ledger, relay.provider, clock)
    survey = providers.Singleton(_survey, home)
    status = providers.Singleton(
        ReadStatus,
        survey,
        providers.Singleton(_ledger_of, home, target, ledger),
        leases,
        watch,
        target.display,
    )
    whole_journal = providers.Singleton(_whole_journal, home, clock, ids, target, project)
    list_events = providers.Singleton(ListEvents, whole_journal, clock)
    launcher = providers.Singleton(_launcher, home, ledger, loaded)
    keepalive = providers.Singleton(
        KeepAlive,
        event_log,
        leases,
        clock,
        interval_s=loaded.provided.settings.leases.interval,
        fsync_interval_s=loaded.provided.settings.journal.fsync_interval,
        heartbeat_s=loaded.provided.settings.leases.heartbeat,
    )
    delivery = providers.Selector(
        providers.Callable(_delivery_mode, loaded),
        sidecar=providers.Singleton(SidecarDelivery, event_log, ledger, launcher, watch, clock),
        inline=providers.Singleton(InlineDelivery, relay),
        manual=providers.Singleton(ManualDelivery, relay),
    )
    catalog = providers.Singleton(RunCatalog, tracking_store, artifact_store, delivery, project)

    open_run = providers.Singleton(OpenRun, recorder, opening, artifacts, catalog, ids)
    fold_runner = providers.Singleton(FoldRunner, recorder, opening)
    trial_runner = providers.Singleton(TrialRunner, recorder, fold_runner)
    history = providers.Singleton(HistoryReader, catalog, recorder, project.provided.name)
    sweep = providers.Singleton(
        RunSweep, sampler, executor, history, trial_runner, recorder, opening, locks, clock, home
    )
    refit = providers.Singleton(RefitTrial, catalog, recorder, opening, artifacts, locks, home)
    acquire = providers.Singleton(AcquireArtifact, artifact_store, clock, home, deliveries, studbook=version)
    benchmark = providers.Singleton(
        BenchmarkModel, catalog, recorder, opening, artifacts, acquire, machine, clock, home
    )
    champions = providers.Singleton(ChooseChampions, catalog, selection_config)
    select = providers.Singleton(SelectModel, catalog, recorder, opening, artifacts, selection_config, home)
    final_training = providers.Singleton(TrainFinal, catalog, recorder, opening, artifacts, home)
    lineage = providers.Singleton(TraceLineage, catalog)


def over_all_targets(container: Container) -> None:
    """Have the container deliver what the home holds for any target to its own one: for a relay that was told so.

    The files of runs stay in the home: they are released when their own target has them.
    """
    container.event_log.override(container.whole_journal)
    container.pins.override(providers.Singleton(_lent_pins, container.home, container.ids))
