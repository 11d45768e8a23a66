"""A run in the hands of the user: what it takes, what it refuses, and how it ends."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studbook.application.project import Project
from studbook.application.run_handle import RunHandle
from studbook.domain.errors import (
    ArtifactInvalid,
    ArtifactNameInvalid,
    JournalError,
    MetricNameInvalid,
    MetricValueInvalid,
    NotYourRun,
    ParamConflict,
    ParamInvalid,
    ReservedTag,
    RunEnded,
    TagInvalid,
    UndeclaredTag,
)
from studbook.domain.manifest import ArtifactKind
from studbook.domain.recorded_values import param_text, typed_param
from studbook.domain.run import Ending, EndReason, RunStatus
from studbook.domain.run_events import MetricsLogged
from studbook.domain.run_events import RunEnded as RunEndedEvent
from studbook.domain.stage import Stage
from studbook.ports.contract.artifact_store import write_tree

from .failing_log import FULL, FailingLog, open_run_on
from .relay_world import World

CHECKPOINT = {"config.json": b'{"model_type":"svm"}\n', "model.bin": bytes(range(256))}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def run(world: World) -> RunHandle:
    return world.open_run()("mine")


def _ends(world: World) -> list[Ending]:
    return [event.ending for event in world.events() if isinstance(event, RunEndedEvent)]


# --- the end -------------------------------------------------------------------------------------------------


def test_leaving_finishes_the_run(world: World, run: RunHandle) -> None:
    with run as same:
        assert same is run
        run.log_metrics({"loss": 1.0})
    assert run.ending == Ending.finished()
    world.relay().drain()
    stored = world.run("mine")
    assert (stored.status, stored.ended_at_ms) == (RunStatus.FINISHED, world.clock.now_ns() // 10**6)


def test_an_exception_fails_the_run_and_passes_through(world: World, run: RunHandle) -> None:
    error = ValueError("no: https://me:hush@host\nmore")
    with pytest.raises(ValueError, match="no: ") as caught, run:
        raise error
    assert caught.value is error
    assert error.__context__ is None
    world.relay().drain()
    stored = world.run("mine")
    assert stored.status is RunStatus.FAILED
    assert stored.tags["studbook.error"] == "ValueError: no: https://me:***@host"
    assert stored.tags["studbook.end_reason"] == "error"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(143)])
def test_being_stopped_kills_the_run(world: World, run: RunHandle, error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, run:
        raise error
    assert caught.value is error
    assert _ends(world)[0].reason is EndReason.INTERRUPTED
    world.relay().drain()
    assert world.run("mine").status is RunStatus.KILLED


def test_a_polite_exit_finishes_the_run(world: World, run: RunHandle) -> None:
    with pytest.raises(SystemExit), run:
        raise SystemExit(0)
    assert _ends(world) == [Ending.finished()]


def test_nothing_is_taken_after_the_end(world: World, run: RunHandle, tmp_path: Path) -> None:
    with run:
        pass
    before = world.events()
    source = write_tree(tmp_path / "source", CHECKPOINT)
    for late in (
        lambda: run.log_metrics({"loss": 1.0}),
        lambda: run.log_params({"lr": 1}),
        lambda: run.set_tags({"note": "x"}),
        lambda: run.log_artifact(source),
        lambda: run.record(MetricsLogged(metrics={"loss": 1.0})),
        lambda: run.end(Ending.finished()),
    ):
        with pytest.raises(RunEnded, match="'mine' has ended FINISHED"):
            late()
    run.abandon()
    assert world.events() == before
    assert not (tmp_path / "home" / "pins").exists()


def test_a_run_that_was_ended_by_hand_is_not_ended_again(world: World, run: RunHandle) -> None:
    with run:
        run.end(Ending.killed(EndReason.PRUNED), MetricsLogged(metrics={"loss": 2.0}))
    assert _ends(world) == [Ending.killed(EndReason.PRUNED)]
    assert isinstance(world.events()[-2], MetricsLogged)


def test_an_end_that_cannot_be_recorded_hides_no_exception(world: World, run: RunHandle) -> None:
    world.log.close()
    with pytest.raises(ValueError, match="mine"), run:
        raise ValueError("mine")
    assert run.ending is None
    with pytest.raises(JournalError), run:
        pass


def test_an_abandoned_run_is_killed(world: World, run: RunHandle) -> None:
    run.abandon()
    assert _ends(world) == [Ending.killed(EndReason.ABANDONED)]


def test_a_child_that_is_still_open_ends_with_its_parent(world: World) -> None:
    open_run = world.open_run()
    with open_run("parent") as parent:
        child = open_run("child", parent=parent)
        grandchild = open_run("grandchild", parent=child)
        with open_run("done", parent=parent):
            pass
    assert child.ending == grandchild.ending == Ending.killed(EndReason.PARENT_ENDED)
    assert [ending.status for ending in _ends(world)] == [
        RunStatus.FINISHED,
        RunStatus.KILLED,
        RunStatus.KILLED,
        RunStatus.FINISHED,
    ]


def test_nothing_of_a_run_follows_its_end_even_with_threads(world: World, run: RunHandle) -> None:
    start = threading.Barrier(5)

    def log() -> None:
        start.wait()
        try:
            for step in range(200):
                run.log_metrics({"loss": 1.0}, step)
        except RunEnded:
            return

    threads = [threading.Thread(target=log) for _ in range(4)]
    for thread in threads:
        thread.start()
    start.wait()
    run.end(Ending.finished())
    for thread in threads:
        thread.join()
    assert isinstance(world.events()[-1], RunEndedEvent)


@pytest.fixture
def a_thread_logs(run: RunHandle) -> Iterator[None]:
    """Another thread is in the middle of a call on the run."""
    held, go_on = threading.Event(), threading.Event()

    def keep_the_lock() -> None:
        with run._lock:
            held.set()
            go_on.wait(30)

    hold = threading.Thread(target=keep_the_lock)
    hold.start()
    assert held.wait(30)
    yield
    go_on.set()
    hold.join()


@pytest.mark.usefixtures("a_thread_logs")
def test_a_forked_child_logs_to_the_run_and_leaves_its_end_alone(world: World, run: RunHandle) -> None:
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        try:
            with run:
                run.log_metrics({"loss": 1.0})
            run.abandon()
            logged = isinstance(world.events()[-1], MetricsLogged)
            with pytest.raises(NotYourRun):
                run.end(Ending.finished())
        except BaseException:  # noqa: BLE001  a child must not come back into pytest
            os._exit(1)
        os._exit(0 if logged and run.ending is None else 2)
    assert os.waitpid(child, 0)[1] == 0
    assert run.ending is None


# --- metrics -------------------------------------------------------------------------------------------------


def test_nan_and_infinity_are_recorded(world: World, run: RunHandle) -> None:
    run.log_metrics({"nan": float("nan"), "inf": float("inf")})
    world.relay().drain()
    metrics = world.run("mine").metrics
    assert metrics["inf"] == float("inf")
    assert metrics["nan"] != metrics["nan"]


def test_numpy_values_are_numbers(world: World, run: RunHandle) -> None:
    run.log_metrics({"a": np.float32(0.5), "b": np.int64(3), "c": np.float64(2.0)}, np.int64(7))  # type: ignore[dict-item,arg-type]
    run.log_params({"lr": np.float64(0.25), "depth": np.int32(3), "flag": np.bool_(True)})
    world.relay().drain()
    stored = world.run("mine")
    assert stored.metrics == {"a": 0.5, "b": 3.0, "c": 2.0}
    assert stored.params == {"lr": "0.25", "depth": "3", "flag": "true"}
    assert world.store.metric_history(stored.run_id, "a")[0].step == 7


def test_a_metric_has_the_time_of_its_call(world: World, run: RunHandle) -> None:
    run.log_metrics({"loss": 1.0})
    first = world.clock.now_ns() // 10**6
    world.clock.advance(60)
    run.log_metrics({"loss": 2.0}, 1)
    world.clock.advance(3600)
    world.relay().drain()
    points = world.store.metric_history(world.run("mine").run_id, "loss")
    assert [(point.timestamp_ms - first, point.step) for point in points] == [(0, 0), (60_000, 1)]


@pytest.mark.parametrize("step", [2**63, -(2**63) - 1, 1.5, "many", float("nan"), float("inf")])
def test_a_step_that_no_backend_holds_is_refused(world: World, run: RunHandle, step: object) -> None:
    before = len(world.events())
    with pytest.raises(MetricValueInvalid):
        run.log_metrics({"loss": 1.0}, step)  # type: ignore[arg-type]
    assert len(world.events()) == before


@pytest.mark.parametrize("step", [None, 0, -1, 2**63 - 1, 3.0, np.int16(4)])
def test_any_whole_step_is_taken(world: World, run: RunHandle, step: int | None) -> None:
    run.log_metrics({"loss": 1.0}, step)
    last = world.events()[-1]
    assert isinstance(last, MetricsLogged)
    assert last.step == (step or 0)


def test_bad_metrics_are_refused_before_anything_is_recorded(world: World, run: RunHandle) -> None:
    before = len(world.events())
    with pytest.raises(MetricNameInvalid):
        run.log_metrics({"good": 1.0, "bad:name": 1.0})
    with pytest.raises(MetricValueInvalid):
        run.log_metrics({"good": 1.0, "bad": "text"})  # type: ignore[dict-item]
    assert len(world.events()) == before


def test_a_name_is_checked_however_many_came_before(run: RunHandle) -> None:
    for n in range(5000):
        run.log_metrics({f"m{n}": 1.0})
    with pytest.raises(MetricNameInvalid):
        run.log_metrics({"m1": 1.0, "bad:name": 1.0})
    assert len(run._metric_names) < 5000


def test_threads_log_to_one_run(world: World, run: RunHandle) -> None:
    def log(name: str) -> None:
        for step in range(50):
            run.log_metrics({name: 1.0}, step)

    threads = [threading.Thread(target=log, args=(f"m{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    world.relay().drain()
    run_id = world.run("mine").run_id
    assert [len(world.store.metric_history(run_id, f"m{n}")) for n in range(4)] == [50] * 4


# --- params --------------------------------------------------------------------------------------------------


def test_a_param_that_changes_is_refused_at_the_call(world: World, run: RunHandle) -> None:
    run.log_params({"lr": 0.1})
    before = len(world.events())
    with pytest.raises(ParamConflict, match=r"'lr' is '0.1', and would become '0.2'") as caught:
        run.log_params({"other": 1, "lr": 0.2})
    assert caught.value.details == {"param": "lr"}
    assert len(world.events()) == before
    run.log_params({"other": 2, "lr": 0.1})


def test_a_param_given_at_the_opening_counts(world: World) -> None:
    run = world.open_run()("mine", params={"lr": 0.1})
    with pytest.raises(ParamConflict):
        run.log_params({"lr": 0.2})


_values = st.sampled_from(
    [1, 1.0, True, "1", "true", None, "null", 0, -0.0, False, [1], (1,), [1.0], [True], 2**60]
)


@given(_values, _values)
def test_a_call_conflicts_exactly_where_the_store_would(first: object, second: object) -> None:
    run = World(Path("unused")).open_run()("mine", params={"p": first})
    same = param_text(typed_param(first)) == param_text(typed_param(second))
    try:
        run.log_params({"p": second})
    except ParamConflict:
        assert not same
    else:
        assert same


def test_a_param_that_was_not_recorded_may_still_be_given(world: World) -> None:
    log = FailingLog(world)
    run = open_run_on(world, log, strict=True)("mine")
    log.error = FULL
    with pytest.raises(JournalError):
        run.log_params({"lr": 1})
    log.error = None
    run.log_params({"lr": 2})


def test_a_param_without_a_text_is_refused(run: RunHandle) -> None:
    with pytest.raises(ParamInvalid):
        run.log_params({"lr": float("nan")})


# --- tags ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tags", "error"),
    [
        ({"studbook.run_key": "x"}, ReservedTag),
        ({"mlflow.runName": "x"}, ReservedTag),
        ({"ok": "x", "bad:key": "x"}, TagInvalid),
    ],
)
def test_tags_that_are_not_the_users_are_refused(
    world: World, run: RunHandle, tags: dict[str, str], error: type[Exception]
) -> None:
    before = len(world.events())
    with pytest.raises(error):
        run.set_tags(tags)
    assert len(world.events()) == before


def test_undeclared_tags_are_refused_where_tags_are_declared(world: World) -> None:
    project = Project(user_tags={"owner": frozenset({Stage.FINAL_TRAINING})})
    run = world.open_run(project)("mine", tags={"owner": "me"})
    before = len(world.events())
    with pytest.raises(UndeclaredTag):
        run.set_tags({"other": "x"})
    assert len(world.events()) == before


# --- artifacts -----------------------------------------------------------------------------------------------


def test_a_folder_is_stored_under_its_name_and_kind(world: World, run: RunHandle, tmp_path: Path) -> None:
    source = write_tree(tmp_path / "best", CHECKPOINT)
    manifest = run.log_artifact(source, "weights/best", kind="checkpoint")
    (source / "model.bin").write_bytes(b"trained on")
    world.relay().drain()
    assert (manifest.name, manifest.kind, manifest.run_key) == (
        "weights/best",
        ArtifactKind.CHECKPOINT,
        run.key,
    )
    files = world.files("mine")
    assert {path: files[f"weights/best/{path}"] for path in CHECKPOINT} == CHECKPOINT
    assert world.run("mine").tags["studbook.artifact.checkpoint"] == manifest.content_digest


def test_a_file_is_stored_under_its_own_name(world: World, run: RunHandle, tmp_path: Path) -> None:
    write_tree(tmp_path / "s", {"notes.txt": b"hello"})
    run.log_artifact(str(tmp_path / "s" / "notes.txt"))
    world.relay().drain()
    assert world.files("mine")["notes.txt"] == b"hello"
    assert not [key for key in world.run("mine").tags if key.startswith("studbook.artifact.")]


def test_what_cannot_be_stored_is_refused_and_pins_nothing(
    world: World, run: RunHandle, tmp_path: Path
) -> None:
    before = len(world.events())
    source = write_tree(tmp_path / "s", {"notes.txt": b"hello"})
    with pytest.raises(ArtifactInvalid):
        run.log_artifact(tmp_path / "nothing")
    with pytest.raises(ArtifactInvalid, match="'weights' is no kind"):
        run.log_artifact(source, kind="weights")
    with pytest.raises(ArtifactNameInvalid):
        run.log_artifact(source, "../up")
    world.log.close()
    with pytest.raises(JournalError):
        run.log_artifact(source)
    assert len(world.events()) == before
    assert not list((tmp_path / "home" / "pins").iterdir())


def test_the_backends_id_is_there_after_delivery(world: World, run: RunHandle) -> None:
    assert run.backend_id(timeout=1) == world.run("mine").run_id
    assert run.url(timeout=1) is None


def test_a_handle_tells_what_it_is(run: RunHandle) -> None:
    assert run.ending is None
    assert repr(run) == f"RunHandle(final_training, 'mine', {run.key.short})"
