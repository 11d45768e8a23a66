"""The composition root: which adapter serves each port, and which use cases are made of them."""

from __future__ import annotations

from dependency_injector import containers, providers

from ..application.acquire import AcquireArtifact
from ..application.benchmark import BenchmarkModel
from ..application.bus import Bus
from ..application.champions import ChooseChampions
from ..application.child_process import RunInChild
from ..application.delivery import InlineDelivery, ManualDelivery, SidecarDelivery
from ..application.dismiss import DismissRefusals
from ..application.final_training import TrainFinal
from ..application.fold_runner import FoldRunner
from ..application.forget_dead import ForgetDead
from ..application.home_status import ReadStatus
from ..application.keepalive import KeepAlive
from ..application.lineage import TraceLineage
from ..application.list_events import ListEvents
from ..application.list_runs import ListRuns
from ..application.open_run import OpenRun
from ..application.reap import ReapDead
from ..application.reap_stored import ReapStored
from ..application.recorder import Recorder
from ..application.refit import RefitTrial
from ..application.relay import Relay
from ..application.relay_service import RelayService
from ..application.run_catalog import RunCatalog
from ..application.run_opening import RunOpening
from ..application.select import SelectModel
from ..application.selection_inputs import ReadInputs
from ..application.signs_of_life import SignsOfLife
from ..application.store_writer import StoreWriter
from ..application.study_history import HistoryReader
from ..application.sweep import RunSweep
from ..application.sweep_job_trials import ReadSweepJobs
from ..application.sync import SyncHome
from ..application.trial_runner import TrialRunner
from ..application.writer_watch import WriterWatch
from . import building as build
from .checkup import azure_checkup, memory_checkup, mlflow_checkup
from .settings import LoadedSettings
from .upkeep import journal_survey, ledgers, whole_journal


class Container(containers.DeclarativeContainer):
    """Everything of one book. Give it `loaded` and `version`; every provider then builds its object once.

    A port with several adapters is a Selector by the target's kind (`kind`) or by where its state lives
    (`storage`: home or memory). Override a provider to bring an adapter of your own.
    """

    loaded: providers.Dependency[LoadedSettings] = providers.Dependency(instance_of=LoadedSettings)
    version: providers.Dependency[str] = providers.Dependency(instance_of=str)

    target = loaded.provided.target
    kind = providers.Callable(str, loaded.provided.target.kind)
    storage = providers.Callable(build.storage_of, loaded)
    home = providers.Singleton(build.book_home, loaded)
    selection_config = loaded.provided.selection

    clock = providers.Singleton(build.system_clock)
    ids = providers.Singleton(build.system_ids)
    machine = providers.Singleton(build.system_machine)
    project = providers.Singleton(build.project_of, loaded, machine, version)
    vocabulary = project.provided.vocabulary

    workspace = providers.Singleton(build.azure_workspace, loaded)
    tracking_store = providers.Selector(
        kind,
        **{
            "memory": providers.Singleton(build.memory_tracking, vocabulary),
            "mlflow-sqlite": providers.Singleton(build.mlflow_tracking, loaded, vocabulary),
            "mlflow-server": providers.Singleton(build.mlflow_tracking, loaded, vocabulary),
            "mlflow-db": providers.Singleton(build.mlflow_tracking, loaded, vocabulary),
            "azureml": providers.Singleton(build.azure_tracking, loaded, workspace, vocabulary),
        },
    )
    artifact_store = providers.Selector(
        kind,
        **{
            "memory": providers.Singleton(build.memory_artifacts),
            "mlflow-sqlite": providers.Singleton(build.mlflow_artifacts, loaded),
            "mlflow-server": providers.Singleton(build.mlflow_artifacts, loaded),
            "mlflow-db": providers.Singleton(build.mlflow_artifacts, loaded),
            "azureml": providers.Singleton(build.azure_artifacts, loaded, workspace),
        },
    )
    sweep_jobs = providers.Selector(
        kind,
        **{
            "memory": providers.Singleton(build.no_sweep_jobs, target),
            "mlflow-sqlite": providers.Singleton(build.no_sweep_jobs, target),
            "mlflow-server": providers.Singleton(build.no_sweep_jobs, target),
            "mlflow-db": providers.Singleton(build.no_sweep_jobs, target),
            "azureml": providers.Singleton(build.azure_sweep_jobs, loaded, workspace),
        },
    )
    backend_checkup = providers.Selector(
        kind,
        **{
            "memory": providers.Singleton(memory_checkup),
            "mlflow-sqlite": providers.Singleton(mlflow_checkup, target),
            "mlflow-server": providers.Singleton(mlflow_checkup, target),
            "mlflow-db": providers.Singleton(mlflow_checkup, target),
            "azureml": providers.Singleton(azure_checkup, workspace),
        },
    )
    leases = providers.Selector(
        storage,
        memory=providers.Singleton(build.memory_leases),
        home=providers.Singleton(build.home_leases, home),
    )
    watch = providers.Singleton(WriterWatch, leases, clock, ttl_s=loaded.provided.settings.leases.ttl)
    event_log = providers.Selector(
        storage,
        memory=providers.Singleton(build.memory_log, clock, ids),
        home=providers.Singleton(
            build.journal_log,
            home,
            clock,
            ids,
            target,
            project,
            loaded.provided.settings.journal.segment_size,
            watch,
        ),
    )
    ledger = providers.Selector(
        storage,
        memory=providers.Singleton(build.memory_ledger),
        home=providers.Singleton(build.journal_ledger, home, target),
    )
    locks = providers.Selector(
        storage,
        memory=providers.Singleton(build.memory_locks),
        home=providers.Singleton(build.home_locks, home),
    )
    claims = providers.Selector(
        storage,
        memory=providers.Singleton(build.memory_claims),
        home=providers.Singleton(build.home_claims, home),
    )
    sampler = providers.Selector(
        storage,
        memory=providers.Singleton(build.optuna_in_memory),
        home=providers.Singleton(build.optuna_in_home, home),
    )
    executor = providers.Singleton(build.in_process_executor)
    pins = providers.Singleton(build.home_pins, home, ids)
    deliveries = providers.Singleton(build.home_deliveries, home)

    bus = providers.Singleton(Bus)
    opening = providers.Singleton(RunOpening, project, loaded.provided.adopt)
    artifacts = providers.Singleton(build.artifact_builder, loaded, pins, clock, version)
    store_writer = providers.Singleton(
        StoreWriter, tracking_store, artifact_store, ledger, pins, vocabulary, event_log, clock
    )
    relay = providers.Singleton(
        Relay,
        event_log,
        ledger,
        store_writer,
        vocabulary,
        clock,
        backoff=providers.Singleton(build.relay_backoff, loaded),
        batch=loaded.provided.settings.delivery.batch,
    )
    reap = providers.Singleton(ReapDead, event_log, ledger, watch, clock, project.provided.name)
    reap_stored = providers.Singleton(ReapStored, event_log, ledger, tracking_store.provider, clock, project)
    sync = providers.Singleton(SyncHome, event_log, ledger, relay.provider, clock)
    dismiss = providers.Singleton(DismissRefusals, event_log, ledger, clock)
    survey = providers.Singleton(journal_survey, home, watch)
    ledger_of = providers.Singleton(ledgers, home, target, ledger)
    forget_dead = providers.Singleton(ForgetDead, survey, ledger_of, leases, watch)
    relay_service = providers.Singleton(
        RelayService,
        relay,
        ledger,
        reap,
        watch,
        clock,
        forget_dead=forget_dead,
        denied_pause_s=loaded.provided.settings.retry.denied_pause,
    )
    status = providers.Singleton(ReadStatus, survey, ledger_of, leases, watch, loaded.provided.target.display)
    whole_log = providers.Singleton(whole_journal, home, clock, ids, target, project, watch)
    list_events = providers.Singleton(ListEvents, whole_log, clock)
    launcher = providers.Singleton(build.relay_launcher, home, ledger, loaded)
    keepalive = providers.Singleton(
        KeepAlive,
        event_log,
        leases,
        clock,
        interval_s=loaded.provided.settings.leases.interval,
        fsync_interval_s=loaded.provided.settings.journal.fsync_interval,
        heartbeat_s=loaded.provided.settings.leases.heartbeat,
        ttl_s=loaded.provided.settings.leases.ttl,
    )
    delivery = providers.Selector(
        providers.Callable(build.delivery_mode, loaded),
        sidecar=providers.Singleton(
            SidecarDelivery, event_log, ledger, launcher, watch, relay.provider, clock
        ),
        inline=providers.Singleton(InlineDelivery, event_log, ledger, relay.provider, clock),
        manual=providers.Singleton(ManualDelivery, event_log, ledger, relay.provider, clock),
    )
    signs_of_life = providers.Singleton(SignsOfLife, keepalive, delivery)
    recorder = providers.Singleton(
        Recorder,
        event_log,
        clock,
        bus,
        open_runs=signs_of_life,
        strict=loaded.provided.settings.journal.strict,
    )
    catalog = providers.Singleton(
        RunCatalog, tracking_store, artifact_store, delivery, project, loaded.provided.adopt
    )
    list_runs = providers.Singleton(ListRuns, catalog)

    fluent_runs = providers.Selector(
        providers.Callable(build.fluent_kind, loaded),
        memory=providers.Singleton(build.memory_fluent_runs),
        mlflow=providers.Singleton(build.mlflow_fluent_runs, target),
        azureml=providers.Singleton(build.azure_fluent_runs, workspace),
    )
    open_run = providers.Singleton(OpenRun, recorder, opening, artifacts, catalog, ids, fluent_runs)
    child_processes = providers.Singleton(build.child_processes)
    child_rules = providers.Singleton(build.child_rules, loaded)
    children = providers.Singleton(
        RunInChild, event_log, child_processes, recorder, artifacts, clock, ids, home, child_rules
    )
    fold_runner = providers.Singleton(FoldRunner, recorder, opening, children)
    trial_runner = providers.Singleton(TrialRunner, recorder, fold_runner, children)
    history = providers.Singleton(HistoryReader, catalog, recorder, project.provided.name)
    sweep = providers.Singleton(
        RunSweep, sampler, executor, history, trial_runner, recorder, opening, locks, clock, home
    )
    refit = providers.Singleton(
        RefitTrial, catalog, recorder, opening, artifacts, locks, claims, children, home
    )
    acquire = providers.Singleton(AcquireArtifact, artifact_store, clock, home, deliveries, studbook=version)
    benchmark = providers.Singleton(
        BenchmarkModel, catalog, recorder, opening, artifacts, acquire, machine, clock, claims, home
    )
    read_sweep_jobs = providers.Singleton(ReadSweepJobs, sweep_jobs, catalog)
    read_inputs = providers.Singleton(ReadInputs, catalog, selection_config, read_sweep_jobs)
    champions = providers.Singleton(ChooseChampions, read_inputs)
    select = providers.Singleton(
        SelectModel, catalog, recorder, opening, artifacts, read_inputs, claims, home
    )
    final_training = providers.Singleton(
        TrainFinal, catalog, recorder, opening, artifacts, claims, children, home
    )
    lineage = providers.Singleton(TraceLineage, catalog)
