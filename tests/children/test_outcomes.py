"""How a run ends whose training is a child process: by exit code and result, and by nothing else."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from children.family import Family, script, scripted
from studbook.application.train_context import TrainContext, TrainingResult
from studbook.domain.errors import ChildProcessFailed, InvalidInput, SweepFailed
from studbook.domain.run import RunStatus
from studbook.domain.run_events import RunEnded, RunStarted
from studbook.domain.search_events import FoldScored, TrialPruned
from studbook.domain.search_space import fixed, float_range
from studbook.domain.stage import Stage
from studbook.domain.study import Pruning
from studbook.entrypoints.command_training import command_training
from studbook.ports.sampler import TrialState

SCORED = """
with studbook.child() as context:
    context.finish({"f1": 0.75})
"""

WROTE = """
with studbook.child() as context:
    (context.output_dir / "model.bin").write_bytes(b"abc")
    context.finish({"f1": 0.5})
(context.output_dir / "model.bin").write_bytes(b"ab")
"""


def test_a_child_that_finishes_completes_the_trial(family: Family) -> None:
    sweep = family.sweep(
        scripted("""
        with studbook.child() as context:
            for step in (1, 2):
                context.log_metrics({"loss": 1 / step}, step=step)
                context.report(step / 4, step)
            context.log_params({"modules": sorted({n.partition(".")[0] for n in sys.modules})})
            context.set_tags({"team": "red"})
            Path("notes.txt").write_text("seen", encoding="utf-8")
            context.log_artifact("notes.txt")
            context.finish({"f1": 0.75, "extra": context.params["x"]}, best_step=2)
        """),
        space={"x": fixed(0.5), "y": float_range(0, 1)},
    )
    run = family.run(Stage.TRIAL)
    assert (run.status, run.trial_state, run.end_reason) == (RunStatus.FINISHED, "COMPLETE", None)
    assert run.metrics == {"loss": 0.5, "intermediate_f1": 0.5, "f1": 0.75, "extra": 0.5}
    assert sweep.best.values == {"f1": 0.75}
    assert family.stored(run).tags["team"] == "red"
    assert family.file(run, "notes.txt") == b"seen"
    assert not {"mlflow", "optuna", "azure", "pandas", "dependency_injector"} & set(
        json.loads(family.stored(run).params["modules"])
    )


def test_parent_and_child_write_segments_of_their_own(family: Family) -> None:
    family.sweep(
        scripted("""
        with studbook.child() as context:
            context.log_metrics({"loss": 0.5})
            context.finish({"f1": 0.75})
        """)
    )
    key = family.run(Stage.TRIAL).ref
    parent = family.book.container.event_log().writer
    of_run = [each for each in family.events() if each.run_key == key]
    by_child = [each.event.kind for each in of_run if each.writer != parent]
    assert by_child == ["MetricsLogged"]
    ends = [each.writer for each in of_run if isinstance(each.event, RunStarted | RunEnded)]
    assert ends == [parent, parent]


def test_final_values_stand_at_the_last_step_of_the_child(family: Family) -> None:
    family.sweep(
        scripted("""
        with studbook.child() as context:
            context.log_metrics({"f1": 0.25}, step=7)
            context.finish({"f1": 0.75})
        """)
    )
    run = family.run(Stage.TRIAL)
    assert run.metrics["f1"] == 0.75
    history = family.book.container.tracking_store().metric_history(run.run_id, "f1")
    assert [(point.step, point.value) for point in history] == [(7, 0.25), (7, 0.75)]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("print('tried'); print('no luck'); sys.exit(3)", "exit code 3: no luck"),
        ("raise ValueError('bad data')", "exit code 1: ValueError: bad data"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "signal SIGKILL"),
        (SCORED + "\nos.kill(os.getpid(), signal.SIGTERM)", "signal SIGTERM"),
        (SCORED + "\nsys.exit(2)", "exit code 2"),
        ("with studbook.child() as context:\n    raise KeyError('x')", "exit code 1: KeyError: 'x'"),
    ],
)
def test_another_exit_code_than_0_or_a_signal_is_a_failure(family: Family, body: str, error: str) -> None:
    run = family.failing_trial(scripted(body))
    assert (run.status, run.end_reason, run.trial_state) == (RunStatus.FAILED, "error", "FAILED")
    assert run.error is not None
    assert run.error.startswith(f"ChildProcessFailed: {Path(sys.executable).name!r} ended with {error}")


def test_what_a_failed_child_wrote_is_kept_without_secrets(family: Family) -> None:
    run = family.failing_trial(
        scripted("""
        print("to stdout", flush=True)
        print("api_key=hunter2hunter2", file=sys.stderr, flush=True)
        sys.exit(1)
        """)
    )
    assert family.file(run, "logs/output.log")
    assert family.file(run, "logs/output.log") == b"to stdout\napi_key=***\n"
    assert run.error is not None
    assert "hunter2" not in run.error


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("pass", "the child process left no result"),
        ("with studbook.child() as context:\n    pass", "the child process left no result"),
        ("with studbook.child():\n    sys.exit(0)", "the child process left no result"),
        ("result().write_text('{}')", "the result file is not valid: schema_version: Field required"),
        (f"{SCORED}\nresult().write_text(result().read_text()[:-1])", "the result file is not valid"),
        (
            f"{SCORED}\nresult().write_text(result().read_text().replace(context.run_key, 'rk3:' + 64 * 'a'))",
            "the result file is that of another run",
        ),
        (WROTE, "1 files of the child process are not as it left them: model.bin"),
    ],
)
def test_exit_code_0_without_a_valid_result_is_a_failure_of_its_own(
    family: Family, body: str, error: str
) -> None:
    run = family.failing_trial(scripted(f"print('here')\n{body}"))
    assert (run.status, run.end_reason, run.trial_state) == (RunStatus.FAILED, "no_result", "FAILED")
    assert run.error is not None
    assert error in run.error
    assert family.file(run, "logs/output.log") == b"here\n"


def test_an_objective_that_the_result_lacks_is_missing(family: Family) -> None:
    run = family.failing_trial(scripted("with studbook.child() as context:\n    context.finish({'loss': 1})"))
    assert (run.status, run.end_reason) == (RunStatus.FAILED, "missing_objective")


def test_a_program_that_is_not_there_fails_the_trial(family: Family) -> None:
    run = family.failing_trial(command_training(["no-such-program"]))
    assert (run.status, run.end_reason) == (RunStatus.FAILED, "error")
    assert run.error is not None
    assert "'no-such-program' cannot be started: No such file or directory" in run.error


def test_the_pruner_sees_the_childs_reports_and_the_child_is_told(family: Family) -> None:
    body = """
    with studbook.child() as context:
        value = 0.25 if Path("first").exists() else 0.5
        Path("first").touch()
        for step in range(1, 100 if value < 0.5 else 3):
            context.report(value, step)
            while value < 0.5 and step == 2 and not context.should_stop():
                time.sleep(0.01)
            if context.should_prune():
                break
        context.finish({"f1": value})
    """
    pruner = Pruning(algorithm="median", options={"n_startup_trials": 1, "n_warmup_steps": 2})
    sweep = family.sweep(scripted(body, timeout_s=100), trials=2, pruner=pruner)
    first, second = sorted(family.runs(Stage.TRIAL), key=lambda run: run.trial_number or 0)
    assert first.status is RunStatus.FINISHED
    assert (second.status, second.end_reason, second.trial_state) == (RunStatus.KILLED, "pruned", "PRUNED")
    assert [trial.state for trial in sweep.trials] == [TrialState.COMPLETE, TrialState.PRUNED]
    [pruned] = [each.event for each in family.events() if isinstance(each.event, TrialPruned)]
    assert (pruned.step, pruned.last_value) == (2, 0.25)
    assert second.metrics == {"intermediate_f1": 0.25, "pruned_at_step": 2.0}


def test_a_child_that_gives_up_by_itself_is_pruned_too(family: Family) -> None:
    sweep = family.sweep(
        scripted("""
        with studbook.child() as context:
            context.report(0.125, 4)
            raise studbook.PruneTrial
        """)
    )
    run = family.run(Stage.TRIAL)
    assert (run.status, run.end_reason) == (RunStatus.KILLED, "pruned")
    assert run.metrics == {"intermediate_f1": 0.125, "pruned_at_step": 4.0}
    assert sweep.trials[0].state is TrialState.PRUNED


@pytest.mark.parametrize(
    "body",
    [
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('deaf', flush=True)\ntime.sleep(600)",
        """
with studbook.child() as context:
    print('deaf', flush=True)
    while not context.should_stop():
        time.sleep(0.01)
    context.finish({"f1": 1.0})
time.sleep(600)
""",
    ],
)
def test_a_child_that_takes_too_long_is_ended(family: Family, body: str) -> None:
    run = family.failing_trial(scripted(body, timeout_s=2))
    assert (run.status, run.end_reason, run.trial_state) == (RunStatus.KILLED, "timeout", "FAILED")
    assert run.error is not None
    assert "did not end within 2 s" in run.error


def test_a_child_has_its_grace_to_stop_by_itself(tmp_path: Path, family: Family) -> None:
    patient = Family(tmp_path, **{"children.grace": 120})
    body = """
    with studbook.child() as context:
        while not context.should_stop():
            time.sleep(0.01)
        Path("saved.bin").write_bytes(b"saved")
        context.log_artifact("saved.bin")
    """
    run = patient.failing_trial(scripted(body, timeout_s=0.01))
    patient.book.close()
    assert (run.status, run.end_reason) == (RunStatus.KILLED, "timeout")
    assert patient.file(run, "saved.bin") == b"saved"


def test_a_fold_trains_on_its_own_split_and_proves_it(family: Family) -> None:
    sweep = family.sweep(
        scripted("""
        with studbook.child() as context:
            rows = sum(context.fold.validation)
            context.log_metrics({"rows": rows}, step=3)
            context.finish({"f1": len(context.fold.train) / 6}, best_step=context.fold.index)
        """),
        folds=3,
        n_samples=9,
    )
    folds = sorted(family.runs(Stage.FOLD), key=lambda run: int(str(run.params["fold_index"])))
    assert [run.status for run in folds] == [RunStatus.FINISHED] * 3
    assert sum(run.metrics["rows"] for run in folds) == sum(range(9))
    scored = [each.event for each in family.events() if isinstance(each.event, FoldScored)]
    planned = {str(family.book.container.vocabulary().read("fold.digest", run.tags)) for run in folds}
    assert {event.digest for event in scored} == planned
    assert [(event.best_step, event.last_step) for event in scored] == [(0, 3), (1, 3), (2, 3)]
    assert sweep.best.values == {"f1": 1.0}


def test_a_split_that_was_never_looked_at_is_not_proven(family: Family) -> None:
    family.sweep(scripted(SCORED), folds=2, n_samples=6)
    scored = [each.event for each in family.events() if isinstance(each.event, FoldScored)]
    assert [event.digest for event in scored] == [None, None]


def test_another_split_than_the_planned_one_fails_the_trial(family: Family) -> None:
    run = family.failing_trial(
        scripted("""
        with studbook.child() as context:
            _ = context.fold.train
            digest = context.fold.used_digest
            context.finish({"f1": 0.5})
        result().write_text(result().read_text().replace(digest, "sha256:" + 64 * "0"))
        """),
        folds=2,
        n_samples=6,
    )
    assert (run.status, run.end_reason) == (RunStatus.FAILED, "split_mismatch")
    fold = family.run(Stage.FOLD)
    assert (fold.status, fold.end_reason) == (RunStatus.FAILED, "split_mismatch")


def test_without_runs_of_their_own_folds_are_recorded_on_the_trial(family: Family) -> None:
    family.sweep(
        scripted("""
        with studbook.child() as context:
            context.log_metrics({"loss": context.fold.index}, step=1)
            context.report(0.5, 1)
            context.finish({"f1": 0.5})
        """),
        folds=2,
        n_samples=6,
        fold_runs=False,
    )
    assert family.runs(Stage.FOLD) == ()
    metrics = family.run(Stage.TRIAL).metrics
    assert {name: metrics[name] for name in ("loss_fold_0", "loss_fold_1")} == {
        "loss_fold_0": 0.0,
        "loss_fold_1": 1.0,
    }
    assert metrics["intermediate_f1_fold_1"] == metrics["intermediate_f1"] == 0.5


def test_refits_and_final_trainings_keep_what_the_child_has_written(family: Family) -> None:
    train = scripted("""
    with studbook.child() as context:
        context.log_metrics({"f1": 0.1, "loss": 0.5}, step=1)
        if context.fold is None:
            (context.output_dir / "weights.joblib").write_bytes(b"weights")
        context.finish({"f1": 0.75})
    """)
    refit = family.sweep(train, folds=2, n_samples=6).refit()
    final = family.book.final_training(train, refit)
    run = family.run(Stage.REFIT)
    assert (run.status, run.metrics) == (RunStatus.FINISHED, {"loss": 0.5})
    assert family.file(run, "checkpoint/weights.joblib") == b"weights"
    assert (final.status, final.metrics) == (RunStatus.FINISHED, {"f1": 0.75, "loss": 0.5})
    assert family.file(final, "model/weights.joblib") == b"weights"


@pytest.mark.parametrize(
    ("body", "reason", "status"),
    [
        ("sys.exit(1)", "error", RunStatus.FAILED),
        ("pass", "no_result", RunStatus.FAILED),
        ("time.sleep(600)", "timeout", RunStatus.KILLED),
    ],
)
def test_a_final_training_ends_as_its_child_did(
    family: Family, body: str, reason: str, status: RunStatus
) -> None:
    with pytest.raises(ChildProcessFailed):
        family.book.final_training(scripted(body, timeout_s=60 if reason != "timeout" else 1), family="svm")
    run = family.run(Stage.FINAL_TRAINING)
    assert (run.status, run.end_reason) == (status, reason)


def test_a_long_document_goes_by_a_file_that_nobody_else_may_read(family: Family) -> None:
    final = family.book.final_training(
        scripted("""
        with studbook.child() as context:
            path = Path(os.environ["STUDBOOK_RUN_CONTEXT"])
            (context.output_dir / "weights.joblib").write_bytes(b"weights")
            context.finish({"mode": path.stat().st_mode & 0o777, "length": len(context.params["text"])})
        """),
        family="svm",
        params={"text": "x" * 20_000},
    )
    assert final.metrics == {"mode": float(0o600), "length": 20_000.0}


def test_the_parents_environment_and_home_are_as_before(family: Family) -> None:
    seen = []

    def train(context: TrainContext) -> TrainingResult:
        before = dict(os.environ)
        result = context.run_command(script(SCORED))
        seen.append(dict(os.environ) == before)
        return result

    family.sweep(train)
    assert seen == [True]
    work = family.folder / "home" / "work"
    assert [path for path in work.rglob("*") if path.is_file()] == []


def test_several_children_at_once_report_to_their_own_trials(family: Family) -> None:
    family.sweep(
        scripted("""
        with studbook.child() as context:
            context.report(context.params["x"], 1)
            context.finish({"f1": context.params["x"]})
        """),
        trials=4,
        workers=2,
    )
    runs = family.runs(Stage.TRIAL)
    assert len(runs) == 4
    for run in runs:
        assert run.metrics["intermediate_f1"] == run.metrics["f1"] == float(str(run.params["x"]))


def test_what_is_tracked_in_memory_cannot_be_shared(tmp_path: Path) -> None:
    in_memory = Family(tmp_path, **{"tracking.uri": "memory://"})
    with pytest.raises(SweepFailed, match="tracked in memory cannot be shared"):
        in_memory.sweep(scripted(SCORED), max_failed_trials=1)
    in_memory.book.close()


@pytest.mark.parametrize("command", [[], "python train.py"])
def test_what_is_no_command_is_refused_at_once(command: list[str]) -> None:
    with pytest.raises(InvalidInput, match="no command"):
        command_training(command)


def test_a_time_limit_of_nothing_is_refused_at_once() -> None:
    with pytest.raises(InvalidInput, match="leaves no time"):
        command_training(["true"], timeout_s=0)
