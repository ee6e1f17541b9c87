"""A Dask cluster: its scheduler gives the jobs to its workers, and again to others where one is lost."""

import queue
import threading
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any, Generic

from tracelens.batch.engines import ResultT, TaskT
from tracelens.errors import EngineFailed

# Jobs beyond the cluster's threads that wait at the workers, so that none waits for the next.
_AHEAD = 1
# Seconds until a scheduler must answer; seconds without a result until somebody asks whether there are workers.
_PATIENCE, _LONELY = 20.0, 30.0
# Dask's workers may have several threads; what diagnoses is made for one.
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
            self._client = distributed.Client(scheduler, timeout=_PATIENCE, set_as_default=False)
            self._client.wait_for_workers(1, timeout=_PATIENCE)
        except (OSError, TimeoutError, ValueError) as error:
            raise EngineFailed(f"Dask's scheduler at {scheduler} does not answer, or has no worker: {error}") from error
        threads = sum(self._client.nthreads().values())
        self.slots = jobs or threads * (1 + _AHEAD)
        self._function = function
        self._jobs: dict[str, tuple[Any, TaskT]] = {}
        self._seen = time.monotonic()
        self._done: queue.SimpleQueue[Any] = queue.SimpleQueue()

    @property
    def running(self) -> int:
        """How many jobs it has now."""
        return len(self._jobs)

    def submit(self, task: TaskT) -> None:
        """Takes a job."""
        future = self._client.submit(_alone, self._function, task, pure=False)
        self._jobs[future.key] = (future, task)
        future.add_done_callback(self._done.put)

    def ready(self, timeout: float) -> list[tuple[TaskT, ResultT | None]]:
        """What is done; None for a job over which one worker after the other was lost."""
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
        """A cluster without workers would be waited for without end."""
        now = time.monotonic()
        if done or not self._jobs:
            self._seen = now
        elif now - self._seen > _LONELY:
            if not self._client.nthreads():
                raise EngineFailed("Dask has no worker left; what was done is kept, the same command takes it up")
            self._seen = now

    def close(self) -> None:
        """Takes back what is not done, and leaves the cluster as it was."""
        for future, _ in self._jobs.values():
            future.cancel()
        self._client.close()
