"""A Dask cluster, whose scheduler repeats the tasks of a lost worker on another one."""

import queue
import threading
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any, Generic

from tracelens.batch.engines import ResultT, TaskT
from tracelens.errors import EngineFailed

# Waiting tasks per thread of the cluster, so that no thread is idle.
_QUEUED_PER_THREAD = 1
# The scheduler must answer within this time; after this time without a result, check that there are workers.
_ANSWER_SECONDS, _CHECK_SECONDS = 20.0, 30.0
# Dask's workers may have several threads; the diagnosis is not thread-safe.
_ONE_AT_A_TIME = threading.Lock()


def _alone(function: Callable[[TaskT], ResultT], task: TaskT) -> ResultT:
    with _ONE_AT_A_TIME:
        return function(task)


class Cluster(Generic[TaskT, ResultT]):
    """Workers of a Dask cluster. Paths are opened there, so they must see the same files.

    Raises:
        EngineFailed: Dask is not installed, or the scheduler does not answer or has no worker.
    """

    def __init__(self, function: Callable[[TaskT], ResultT], jobs: int | None, scheduler: str | None) -> None:
        if scheduler is None:
            raise EngineFailed("dask needs the address of its scheduler: --scheduler tcp://HOST:PORT")
        try:
            distributed: Any = import_module("distributed")
        except ImportError:
            raise EngineFailed('dask needs the extra: pip install "libssh2-tracelens[dask]"') from None
        try:
            self._client = distributed.Client(scheduler, timeout=_ANSWER_SECONDS, set_as_default=False)
            self._client.wait_for_workers(1, timeout=_ANSWER_SECONDS)
        except (OSError, TimeoutError, ValueError) as error:
            raise EngineFailed(f"Dask's scheduler at {scheduler} does not answer, or has no worker: {error}") from error
        threads = sum(self._client.nthreads().values())
        self.slots = jobs or threads * (1 + _QUEUED_PER_THREAD)
        self._function = function
        self._jobs: dict[str, tuple[Any, TaskT]] = {}
        self._seen = time.monotonic()
        self._done: queue.SimpleQueue[Any] = queue.SimpleQueue()

    @property
    def running(self) -> int:
        """The number of unfinished tasks."""
        return len(self._jobs)

    def submit(self, task: TaskT) -> None:
        """Start a task."""
        future = self._client.submit(_alone, self._function, task, pure=False)
        self._jobs[future.key] = (future, task)
        future.add_done_callback(self._done.put)

    def ready(self, timeout: float) -> list[tuple[TaskT, ResultT | None]]:
        """Return the finished tasks; None for a task on which several workers were lost."""
        killed = import_module("distributed.scheduler").KilledWorker
        results: list[tuple[TaskT, ResultT | None]] = []
        try:
            future = self._done.get(timeout=timeout)
            while True:
                _, task = self._jobs.pop(future.key)
                try:
                    results.append((task, future.result()))
                except killed:
                    results.append((task, None))
                except OSError as error:
                    raise EngineFailed(f"Dask's scheduler is gone: {error}") from error
                future = self._done.get_nowait()
        except queue.Empty:
            self._look(bool(results))
            return results

    def _look(self, done: bool) -> None:
        """Fail if the cluster has no workers, instead of waiting forever."""
        now = time.monotonic()
        if done or not self._jobs:
            self._seen = now
        elif now - self._seen > _CHECK_SECONDS:
            if not self._client.nthreads():
                raise EngineFailed("Dask has no worker left; what was done is kept, the same command takes it up")
            self._seen = now

    def close(self) -> None:
        """Cancel the unfinished tasks and disconnect."""
        for future, _ in self._jobs.values():
            future.cancel()
        self._client.close()
