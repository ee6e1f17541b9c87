"""This machine's cores: processes of the standard library, each with an executor, so that a lost one is known."""

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


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Pool(Generic[TaskT, ResultT]):
    """Processes of this machine."""

    def __init__(self, function: Callable[[TaskT], ResultT], jobs: int | None) -> None:
        self.slots = jobs or cores()
        self._function = function
        self._idle: list[ProcessPoolExecutor] = []
        self._busy: dict[Future[ResultT], tuple[ProcessPoolExecutor, TaskT]] = {}
        self._proven = False

    @property
    def running(self) -> int:
        """How many jobs it has now."""
        return len(self._busy)

    def submit(self, task: TaskT) -> None:
        """Takes a job."""
        executor = self._idle.pop() if self._idle else _executor()
        with _deaf():  # a process that starts now
            try:
                future = executor.submit(self._function, task)
            except BrokenProcessPool:  # killed while it had nothing to do
                executor.shutdown(wait=False)
                executor = _executor()
                future = executor.submit(self._function, task)
        self._busy[future] = (executor, task)

    def ready(self, timeout: float) -> list[tuple[TaskT, ResultT | None]]:
        """What is done; None for a job whose process was lost."""
        done, _ = wait(self._busy, timeout=timeout, return_when=FIRST_COMPLETED)
        results: list[tuple[TaskT, ResultT | None]] = []
        for future in done:
            executor, task = self._busy.pop(future)
            try:
                results.append((task, future.result()))
                self._idle.append(executor)
                self._proven = True
            except BrokenProcessPool:
                self._prove()
                results.append((task, None))
                executor.shutdown(wait=False)
        return results

    def _prove(self) -> None:
        """Tells a process that died of its job from processes that can't live at all."""
        if self._proven:
            return
        with _executor() as executor:
            try:
                executor.submit(os.getpid).result()
            except BrokenProcessPool:
                raise EngineFailed(
                    "worker processes can't start here; a script must call scan below `if __name__ == '__main__':`"
                ) from None
        self._proven = True

    def close(self) -> None:
        """Ends the processes."""
        for executor in [*self._idle, *(executor for executor, _ in self._busy.values())]:
            for process in list((executor._processes or {}).values()):
                with suppress(OSError):
                    process.kill()
            executor.shutdown(wait=True, cancel_futures=True)


def _executor() -> ProcessPoolExecutor:
    # Spawned, not forked: no lock of a thread is inherited, and it is the same on every system.
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _begin)


@contextmanager
def _deaf() -> Iterator[None]:
    """The parent alone answers the keyboard: a process that starts meanwhile inherits that it does not."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _begin() -> None:
    """In the process: it does not answer the keyboard, and does not outlive its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_watch, args=(parent.sentinel,), daemon=True).start()


def _watch(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)
