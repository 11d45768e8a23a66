"""Has a training run in a child process: hands over its run, follows it, and judges how it ended."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..domain.child_result import ChildResult
from ..domain.errors import (
    ChildProcessFailed,
    ChildResultMissing,
    ChildTimedOut,
    ConfigError,
    StudbookError,
)
from ..domain.manifest import ArtifactKind
from ..domain.run_context import (
    RUN_CONTEXT_VARIABLE,
    ContextFold,
    ContextLease,
    ContextMode,
    ContextTarget,
    RunContext,
)
from ..ports.child_processes import ChildProcess, ChildProcesses, Command
from ..ports.clock import Clock
from ..ports.event_log import EventLog
from ..ports.ids import Ids
from ..ports.log import get_logger
from .child_folder import ParentFolder, sizes_below
from .child_watch import ChildWatch, OpenedRun
from .recorder import Recorder
from .store_artifact import ArtifactBuilder
from .train_context import PruneTrial, RunCommand, TrainContext, TrainingResult

LOGS: Final = "logs"
"""The artifact that holds what a failed child wrote."""
_ENDS_WITHIN_S: Final = 5.0
_LONGEST_WORDS: Final = 300

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ChildRules:
    """How children are watched: what their documents say of leases, how often they are looked after, and how long
    one may go on that was told to stop, in seconds. Without `target` nothing that a child records could be read.
    """

    lease: ContextLease
    target: ContextTarget | None
    look_s: float
    grace_s: float


class RunInChild:
    """The use case. The child records in a journal segment of its own; this process ends the run."""

    def __init__(
        self,
        log: EventLog,
        processes: ChildProcesses,
        recorder: Recorder,
        artifacts: ArtifactBuilder,
        clock: Clock,
        ids: Ids,
        home: Path,
        rules: ChildRules,
    ) -> None:
        self._log = log
        self._processes = processes
        self._recorder = recorder
        self._artifacts = artifacts
        self._clock = clock
        self._ids = ids
        self._home = home
        self._rules = rules

    def of(self, run: OpenedRun) -> RunCommand:
        """How the training function of this run has a command do its work."""

        def run_command(context: TrainContext, command: Command) -> TrainingResult:
            return self(run, context, command)

        return run_command

    def __call__(self, run: OpenedRun, context: TrainContext, command: Command) -> TrainingResult:
        """What the child measured. Raises PruneTrial when it gave up, ChildTimedOut, ChildResultMissing,
        ChildProcessFailed; then what it wrote is stored with the run as `logs`.
        """
        folder = ParentFolder(self._home / "work" / "children" / self._ids.nonce())
        try:
            newcomers = self._log.newcomers()
            document = self._document(run, context, folder)
            variables = {RUN_CONTEXT_VARIABLE: folder.hand_over(document.to_json())}
            process = self._processes.start(command, variables, folder.output_path)
            watch = ChildWatch(run, context, folder, newcomers)
            try:
                self._wait(process, watch, command)
                result = self._result(run, context, folder)
            except ChildProcessFailed:
                self._keep_output(run, folder)
                raise
        finally:
            folder.remove()
        if context.fold is not None:
            context.fold.prove(result.fold_digest)
        context.best_step = result.best_step
        if result.outcome == "pruned":
            raise PruneTrial
        return result.metrics

    def _document(self, run: OpenedRun, context: TrainContext, folder: ParentFolder) -> RunContext:
        target, started = self._rules.target, run.started
        if target is None:
            raise ConfigError(
                "a run that is tracked in memory cannot be shared with a child process",
                cure="track into sqlite:///mlflow.db or a server, or train in this process",
            )
        fold = None
        if context.fold is not None:
            planned = context.fold.planned
            fold = ContextFold(
                index=context.fold.index,
                count=context.fold.count,
                digest=planned.digest if planned else None,
                indices_path=str(folder.write_indices(planned)) if planned else None,
            )
        return RunContext(
            schema_version=1,
            mode=ContextMode.ATTACH,
            run_key=run.key,
            project=started.project,
            stage=started.stage,
            subject=started.subject,
            attempt=started.attempt,
            parent_run_key=started.parent,
            run_name=started.name,
            experiment=started.experiment,
            home=str(self._home.absolute()),
            params=context.params,
            fold=fold,
            seed=context.seed,
            budget=context.budget,
            objectives=context.objectives,
            output_dir=str(context.output_dir.absolute()),
            resume_from=str(context.resume_from.absolute()) if context.resume_from else None,
            result_path=str(folder.result_path.absolute()),
            control_path=str(folder.control_path.absolute()),
            parent_writer=self._log.writer,
            lease=self._rules.lease,
            target=target,
        )

    def _wait(self, process: ChildProcess, watch: ChildWatch, command: Command) -> None:
        """Until it has ended well, feeding its reports to the pruner. Whatever else happens, it is ended."""
        begun = self._clock.monotonic_ns()
        try:
            while (code := process.wait(self._rules.look_s)) is None:
                watch.look()
                self._check_time(watch, command, (self._clock.monotonic_ns() - begun) / 1e9)
        except BaseException:
            _end(process)
            raise
        finally:
            watch.look_last()
        if watch.out_of_time:
            raise _timed_out(command)
        if code != 0:
            raise _failed(command, code, watch.folder)

    def _check_time(self, watch: ChildWatch, command: Command, seconds: float) -> None:
        limit = command.timeout_s
        if limit is None or seconds < limit:
            return
        watch.tell_time()
        if seconds >= limit + self._rules.grace_s:
            raise _timed_out(command)

    def _result(self, run: OpenedRun, context: TrainContext, folder: ParentFolder) -> ChildResult:
        result = ChildResult.parse(folder.result(), run.key)
        there = sizes_below(context.output_dir)
        missing = [path for path, size in result.files.items() if there.get(path) != size]
        if missing:
            raise ChildResultMissing(
                f"{len(missing)} files of the child process are not as it left them: {missing[0]}",
                cure="let nothing change the files below context.output_dir after context.finish(...)",
            )
        return result

    def _keep_output(self, run: OpenedRun, folder: ParentFolder) -> None:
        try:
            output = folder.output()
            if output is not None:
                stage = run.started.stage
                logged = self._artifacts.build(
                    output, name=LOGS, kind=ArtifactKind.ANY, run_key=run.key, stage=stage
                )
                self._recorder.record(run.key, logged)
        except (StudbookError, OSError) as error:
            # The child's own failure is what the caller must see.
            _log.warning("output of a child process not kept", run=str(run.key), error=str(error))


def _end(process: ChildProcess) -> None:
    """Ask first; a launcher passes that on to what it has started."""
    process.terminate()
    try:
        process.wait(_ENDS_WITHIN_S)
    finally:
        process.kill()
        process.wait()


def _timed_out(command: Command) -> ChildTimedOut:
    return ChildTimedOut(
        f"{_shown(command)} did not end within {command.timeout_s:g} s",
        cure="give it more time: timeout_s=",
    )


def _failed(command: Command, code: int, folder: ParentFolder) -> ChildProcessFailed:
    how = f"exit code {code}" if code > 0 else f"signal {_signal_name(-code)}"
    words = folder.last_words()[:_LONGEST_WORDS]
    return ChildProcessFailed(
        f"{_shown(command)} ended with {how}" + (f": {words}" if words else ""),
        cure=f"read what it wrote: the run's artifact {LOGS!r}",
        exit_code=code,
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def _shown(command: Command) -> str:
    """The program's name only: arguments may hold secrets."""
    return repr(Path(command.argv[0]).name)[:100]
