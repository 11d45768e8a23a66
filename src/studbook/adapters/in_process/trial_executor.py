"""The executor of one process: the caller's thread for one worker, a pool of threads for several."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextvars import copy_context

from ...domain.errors import InvalidInput
from ...ports.log import get_logger
from ...ports.trial_executor import Task

_log = get_logger(__name__)


class InProcessExecutor:
    """Runs tasks in this process. With one worker a Ctrl-C reaches the task itself, with several the caller.

    Threads suit training that waits for a device, a child process or native code. Each task sees the context
    variables of the caller. A second Ctrl-C, while running tasks are waited for, passes at once.
    """

    def run(self, next_task: Callable[[], Task | None], workers: int) -> None:
        """Run tasks until there are none. Raises InvalidInput for no worker, else what was raised."""
        if workers < 1:
            raise InvalidInput(f"{workers} workers cannot run anything", cure="ask for at least one worker")
        if workers == 1:
            while (task := next_task()) is not None:
                task()
        else:
            _ThreadedRun(next_task, workers).run()


class _ThreadedRun:
    """One run over several threads. Failures are kept in the order in which they happened."""

    def __init__(self, next_task: Callable[[], Task | None], workers: int) -> None:
        self._next_task = next_task
        self._workers = workers
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="studbook-task")
        self._running: set[Future[None]] = set()
        self._failures: list[BaseException] = []

    def run(self) -> None:
        try:
            try:
                self._pull()
            except BaseException as error:  # noqa: BLE001 raised below: a Ctrl-C, or an error of `next_task`
                self._failures.append(error)
            wait(self._running)
        finally:
            self._threads.shutdown(wait=False)
        if self._failures:
            first, *later = self._failures
            for also in later:
                _log.warning("executor.also_failed", error=repr(also))
            raise first

    def _pull(self) -> None:
        while not self._failures and (task := self._next_task()) is not None:
            self._running.add(self._threads.submit(copy_context().run, self._guarded, task))
            if len(self._running) == self._workers:
                self._running = wait(self._running, return_when=FIRST_COMPLETED).not_done

    def _guarded(self, task: Task) -> None:
        try:
            task()
        except BaseException as error:  # noqa: BLE001 raised again in the caller's thread
            self._failures.append(error)
