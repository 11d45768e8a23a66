from __future__ import annotations

import threading
from contextvars import ContextVar

import pytest

from studbook.adapters.in_process.trial_executor import InProcessExecutor
from studbook.ports.contract.trial_executor import TrialExecutorContract
from studbook.ports.trial_executor import Task, TrialExecutor

_label: ContextVar[str] = ContextVar("_label", default="unset")


class TestInProcessExecutor(TrialExecutorContract):
    @pytest.fixture
    def executor(self) -> TrialExecutor:
        return InProcessExecutor()


def test_one_worker_is_the_callers_thread() -> None:
    seen: list[int] = []
    tasks: list[Task] = [lambda: seen.append(threading.get_ident())]
    InProcessExecutor().run(lambda: tasks.pop() if tasks else None, 1)
    assert seen == [threading.get_ident()]


def test_a_keyboard_interrupt_of_a_task_passes_unchanged() -> None:
    interrupt = KeyboardInterrupt()

    def task() -> None:
        raise interrupt

    for workers in (1, 2):
        tasks: list[Task] = [task]
        with pytest.raises(KeyboardInterrupt) as caught:
            InProcessExecutor().run(lambda rest=tasks: rest.pop() if rest else None, workers)  # type: ignore[misc]
        assert caught.value is interrupt


def test_several_workers_see_the_callers_context() -> None:
    token = _label.set("outer")
    try:
        seen: list[str] = []
        tasks: list[Task] = [lambda: seen.append(_label.get()), lambda: seen.append(_label.get())]
        InProcessExecutor().run(lambda: tasks.pop() if tasks else None, 2)
    finally:
        _label.reset(token)
    assert seen == ["outer", "outer"]


def test_no_thread_is_left_behind() -> None:
    names: list[threading.Thread] = []
    tasks: list[Task] = [lambda: names.append(threading.current_thread())] * 4
    InProcessExecutor().run(lambda: tasks.pop() if tasks else None, 2)
    for thread in names:
        thread.join(30)
        assert not thread.is_alive()
