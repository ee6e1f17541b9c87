"""Processes of this machine, one executor per process, so that the task of a lost process is known."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing import connection
from typing import Generic

from tracelens.batch.engines import ResultT, TaskT
from tracelens.errors import EngineFailed
from tracelens.reader.parallel import cores


class Pool(Generic[TaskT, ResultT]):
    """Processes of this machine."""

    def __init__(self, function: Callable[[TaskT], ResultT], jobs: int | None) -> None:
        self.slots = jobs or cores()
        self._function = function
        self._idle: list[ProcessPoolExecutor] = []
        self._busy: dict[Future[ResultT], tuple[ProcessPoolExecutor, TaskT]] = {}
        self._can_start = False

    @property
    def running(self) -> int:
        """The number of unfinished tasks."""
        return len(self._busy)

    def submit(self, task: TaskT) -> None:
        """Start a task."""
        executor = self._idle.pop() if self._idle else _executor()
        with _ignore_interrupts():  # a new process inherits this
            try:
                future = executor.submit(self._function, task)
            except BrokenProcessPool:  # killed while idle
                executor.shutdown(wait=False)
                executor = _executor()
                future = executor.submit(self._function, task)
        self._busy[future] = (executor, task)

    def ready(self, timeout: float) -> list[tuple[TaskT, ResultT | None]]:
        """Return the finished tasks; None for a task whose process was lost."""
        done, _ = wait(self._busy, timeout=timeout, return_when=FIRST_COMPLETED)
        results: list[tuple[TaskT, ResultT | None]] = []
        for future in done:
            executor, task = self._busy.pop(future)
            try:
                results.append((task, future.result()))
                self._idle.append(executor)
                self._can_start = True
            except BrokenProcessPool:
                self._check_start()
                results.append((task, None))
                executor.shutdown(wait=False)
        return results

    def _check_start(self) -> None:
        """Check that a process can start at all, so that its task was the cause of the loss."""
        if self._can_start:
            return
        with _executor() as executor:
            try:
                executor.submit(os.getpid).result()
            except BrokenProcessPool:
                raise EngineFailed(
                    "worker processes can't start here; a script must call scan below `if __name__ == '__main__':`"
                ) from None
        self._can_start = True

    def close(self) -> None:
        """Kill the processes."""
        for executor in [*self._idle, *(executor for executor, _ in self._busy.values())]:
            for process in list((executor._processes or {}).values()):
                with suppress(OSError):
                    process.kill()
            executor.shutdown(wait=True, cancel_futures=True)


def _executor() -> ProcessPoolExecutor:
    # Spawned, not forked: no thread's lock is inherited, and all systems behave the same.
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _initialize)


@contextmanager
def _ignore_interrupts() -> Iterator[None]:
    """Ignore SIGINT while a process starts, which inherits this: only the parent handles the keyboard."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _initialize() -> None:
    """In the process: ignore the keyboard, and exit when the parent does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_exit_with_parent, args=(parent.sentinel,), daemon=True).start()


def _exit_with_parent(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)
