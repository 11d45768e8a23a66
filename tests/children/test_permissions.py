"""What a child may: attached to its parent's run, on a run of its own, and as one rank of several."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from children.family import Family, script, scripted
from faults.waiting import wait_for
from studbook.domain.errors import RunEnded
from studbook.domain.run import RunStatus
from studbook.domain.run_context import RunContext
from studbook.domain.run_events import RunEnded as RunEndedEvent
from studbook.domain.run_events import RunStarted
from studbook.domain.run_view import RunView
from studbook.domain.stage import Stage
from studbook.domain.study import maximize
from studbook.entrypoints.job_context import job_context

_RANK = """
import studbook
with studbook.child() as context:
    context.log_metrics({"loss": float(context.rank)}, step=1)
    if context.rank:
        context.log_metrics("nonsense", step="x")
        context.log_params({"..": object()})
        context.set_tags({"mlflow.user": 3})
        context.log_artifact("no such file")
        context.report(float("nan"), -1)
        with context.open_run("", stage="none") as run:
            run.log_metrics({"": 1})
    print(context.rank, context.dropped, context.rank_seed, context.should_stop())
    context.finish({"f1": 0.5} if context.rank == 0 else None)
"""


def job(family: Family, document: str, body: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A job that was handed a document, far from whoever made it."""
    return subprocess.run(
        script(body),
        env={**os.environ, "STUDBOOK_RUN_CONTEXT": document, **variables},
        cwd=family.folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def delivered(family: Family) -> RunView:
    """The job's run, after `sync` has carried it over."""
    assert family.book.container.sync()().refusals == ()
    return family.run(Stage.FINAL_TRAINING)


def test_an_attached_child_leaves_the_end_and_the_vocabulary_to_its_parent(family: Family) -> None:
    family.sweep(
        scripted("""
        from studbook.domain.errors import NotYourRun
        said = []
        def refused(call):
            try:
                call()
            except NotYourRun as error:
                said.append(error.problem)
        with studbook.child() as context:
            refused(lambda: context.set_tags({"studbook.trial.key": "x"}))
            refused(lambda: context.open_run("mine", stage="benchmark"))
            refused(lambda: context.open_run("mine", stage="hpo_trial"))
            with context.open_run("fold by hand") as fold:
                fold.log_metrics({"loss": 0.25})
                refused(lambda: fold.backend_id())
                refused(lambda: fold.url())
            left_open = context.open_run("left open")
            refused(lambda: context._recording._run.end(None))
            context.log_params({"said": said})
            context.finish({"f1": 0.5})
        """)
    )
    trial = family.run(Stage.TRIAL)
    said = json.loads(family.stored(trial).params["said"])
    assert [" ".join(text.split()[:3]) for text in said] == [
        "tag 'studbook.trial.key' belongs",
        "a child process",
        "a child process",
        "a child process",
        "a child process",
        f"run {trial.name!r} was",
    ]
    by_name = {run.name: run for run in family.runs(Stage.FOLD)}
    assert {run.parent for run in by_name.values()} == {trial.ref}
    by_hand, left = by_name["fold by hand"], by_name["left open"]
    assert (by_hand.status, by_hand.metrics) == (RunStatus.FINISHED, {"loss": 0.25})
    assert (left.status, left.end_reason) == (RunStatus.KILLED, "parent_ended")


def test_only_a_trial_has_folds_for_its_child_to_open(family: Family) -> None:
    family.sweep(
        scripted("""
        from studbook.domain.errors import NotYourRun
        with studbook.child() as context:
            try:
                context.open_run("fold of a fold")
            except NotYourRun:
                context.finish({"f1": 0.5})
        """),
        folds=2,
        n_samples=4,
    )
    assert {run.status for run in family.runs(Stage.TRIAL)} == {RunStatus.FINISHED}


def test_a_child_that_has_finished_logs_no_more(family: Family) -> None:
    family.sweep(
        scripted("""
        from studbook.domain.errors import RunEnded
        with studbook.child() as context:
            context.finish({"f1": 0.5})
            for call in (
                lambda: context.finish({"f1": 0.6}),
                lambda: context.log_metrics({"late": 1.0}),
                lambda: context.log_params({"late": 1.0}),
                lambda: context.set_tags({"late": "x"}),
                lambda: context.log_artifact(sys.executable),
                lambda: context.report(1.0, 1),
                lambda: context.open_run("late"),
            ):
                try:
                    call()
                except RunEnded:
                    continue
                sys.exit(1)
        with studbook.child() as again:
            try:
                again.finish({"f1": 0.75})
            except RunEnded:
                pass
        """)
    )
    assert family.run(Stage.TRIAL).metrics == {"f1": 0.5}


def test_only_rank_0_records_and_the_others_never_fail_for_it(family: Family) -> None:
    (family.folder / "rank.py").write_text(_RANK, encoding="utf-8")
    family.sweep(
        scripted("""
        import subprocess
        processes = [
            subprocess.Popen(
                [sys.executable, "rank.py"],
                env={**os.environ, "RANK": str(rank), "WORLD_SIZE": "3"},
                stdout=subprocess.PIPE,
                text=True,
            )
            for rank in range(3)
        ]
        Path("said.json").write_text(json.dumps([process.communicate()[0] for process in processes]))
        sys.exit(max(process.returncode for process in processes))
        """)
    )
    run = family.run(Stage.TRIAL)
    assert (run.status, run.metrics) == (RunStatus.FINISHED, {"loss": 0.0, "f1": 0.5})
    said = [text.split() for text in json.loads((family.folder / "said.json").read_text(encoding="utf-8"))]
    assert [(rank, dropped, stop) for rank, dropped, _, stop in said] == [
        ("0", "0", "False"),
        ("1", "8", "False"),
        ("2", "8", "False"),
    ]
    assert len({seed for _, _, seed, _ in said}) == 3
    assert len({each.writer for each in family.events()}) == 2


def test_a_job_elsewhere_begins_and_ends_its_own_run(family: Family) -> None:
    with family.book.run("above") as above:
        document = job_context(
            family.book,
            "nightly",
            parent=above,
            params={"lr": 1.0, "layers": 16},
            seed=7,
            objectives=[maximize("f1")],
        )
    before = family.events()
    done = job(
        family,
        document,
        """
        with studbook.child() as context:
            assert context.params == {"lr": 1.0, "layers": 16}
            context.log_metrics({"loss": 0.5}, step=3)
            context.set_tags({"team": "red"})
            with context.open_run("measured", stage="benchmark") as below:
                below.log_metrics({"latency": 1.0})
            (context.output_dir / "weights.joblib").write_bytes(b"weights")
            context.log_artifact(context.output_dir, "weights", kind="checkpoint")
            context.finish(0.75)
        """,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert family.book.container.sync()().refusals == ()
    run = next(run for run in family.runs(Stage.FINAL_TRAINING) if run.name == "nightly")
    assert (run.status, run.parent, run.ref) == (
        RunStatus.FINISHED,
        above.key,
        RunContext.parse(document).run_key,
    )
    assert run.metrics == {"loss": 0.5, "f1": 0.75}
    assert family.stored(run).params == {"lr": "1", "layers": "16"}
    assert family.file(run, "weights/weights.joblib") == b"weights"
    assert family.run(Stage.BENCHMARK).parent == run.ref
    of_run = [each for each in family.events()[len(before) :] if each.run_key == run.ref]
    assert sum(isinstance(each.event, RunStarted) for each in of_run) == 1
    assert sum(isinstance(each.event, RunEndedEvent) for each in of_run) == 1


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        ("context.finish({'loss': 1.0}, pruned=True)", RunStatus.KILLED, "pruned"),
        ("raise studbook.PruneTrial", RunStatus.KILLED, "pruned"),
        ("raise ValueError('no')", RunStatus.FAILED, "error"),
        ("raise KeyboardInterrupt", RunStatus.KILLED, "interrupted"),
        ("sys.exit(143)", RunStatus.KILLED, "interrupted"),
        ("pass", RunStatus.FAILED, "no_result"),
    ],
)
def test_a_job_without_a_result_does_not_end_finished(
    family: Family, body: str, status: RunStatus, reason: str
) -> None:
    job(family, job_context(family.book, "nightly"), f"with studbook.child() as context:\n    {body}")
    run = delivered(family)
    assert (run.status, run.end_reason) == (status, reason)


def test_a_job_on_a_trial_that_lacks_its_objective_fails(family: Family) -> None:
    document = job_context(family.book, "far", stage="hpo_trial", objectives=[maximize("f1")])
    job(family, document, "with studbook.child() as context:\n    context.finish({'loss': 1.0})")
    assert family.book.container.sync()().refusals == ()
    run = family.run(Stage.TRIAL)
    assert (run.status, run.end_reason) == (RunStatus.FAILED, "missing_objective")


def test_a_job_is_carried_out_once(family: Family) -> None:
    document = job_context(family.book, "nightly")
    body = "with studbook.child() as context:\n    context.finish()"
    assert job(family, document, body).returncode == 0
    again = job(family, document, body)
    assert again.returncode == 1
    assert RunEnded.__name__ in again.stderr
    assert delivered(family).status is RunStatus.FINISHED
    ends = [each for each in family.events() if isinstance(each.event, RunEndedEvent)]
    assert len(ends) == 1


def test_a_killed_job_is_reaped_and_delivered(family: Family) -> None:
    body = "with studbook.child() as context:\n    context.log_metrics({'loss': 1.0})\n    os.kill(os.getpid(), 9)"
    assert job(family, job_context(family.book, "nightly"), body).returncode == -9
    assert len(family.book.container.reap()().reaped) == 1
    run = delivered(family)
    assert (run.status, run.end_reason, run.metrics) == (RunStatus.KILLED, "lost", {"loss": 1.0})


def test_the_launchers_rank_counts_when_the_settings_say_so(family: Family) -> None:
    document = job_context(family.book, "nightly")
    body = "with studbook.child() as context:\n    print(context.rank)\n    context.finish()"
    launched = {"SLURM_PROCID": "2", "STUDBOOK_DISTRIBUTED__LAUNCHER": "slurm"}
    assert job(family, document, body, **launched).stdout == "2\n"
    assert job(family, document, body, SLURM_PROCID="2").stdout == "0\n"


def test_a_process_that_is_nobodys_child_is_told_so(family: Family) -> None:
    done = job(family, "", "studbook.child()")
    assert done.returncode == 1
    assert "STUDBOOK_RUN_CONTEXT is not set" in done.stderr


def test_a_parent_that_dies_stops_its_child(family: Family, tmp_path: Path) -> None:
    """The child is told within the lease's interval, and the run is reaped."""
    pid_file, stopped = tmp_path / "parent.pid", tmp_path / "stopped"
    child = f"""
import os, signal, time
from pathlib import Path
import studbook
with studbook.child() as context:
    context.log_metrics({{"loss": 0.5}})
    assert not context.should_stop()
    os.kill(int(Path({str(pid_file)!r}).read_text()), signal.SIGKILL)
    while not context.should_stop():
        time.sleep(0.01)
    context.finish({{"f1": 0.5}})
Path({str(stopped)!r}).touch()
"""
    parent = f"""
import os, sys
from pathlib import Path
from studbook import Studbook, command_training, float_range, maximize
Path({str(pid_file)!r}).write_text(str(os.getpid()))
book = Studbook.open("sqlite:///mlflow.db", home={str(family.book.home)!r}, delivery="manual",
                     overrides={{"leases.interval": 0.05}})
train = command_training([sys.executable, "-c", {child!r}])
book.final_training(train, family="svm")
"""
    # A final training asks its store first, which makes the database.
    done = subprocess.run(
        [sys.executable, "-c", parent], capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == -9, done.stderr
    wait_for("the child has stopped", stopped.exists)
    assert len(family.book.container.reap()().reaped) == 1
    run = delivered(family)
    assert (run.status, run.end_reason, run.metrics) == (RunStatus.KILLED, "lost", {"loss": 0.5})
