"""Tasks of a scan -> their results, from this machine's cores or a Dask cluster, through the same interface."""

from collections.abc import Callable
from typing import Protocol, TypeVar

TaskT = TypeVar("TaskT")
ResultT = TypeVar("ResultT")


class Engine(Protocol[TaskT, ResultT]):
    """Runs one function over tasks, several at a time, in any order."""

    @property
    def slots(self) -> int:
        """The maximum number of tasks at a time."""

    @property
    def running(self) -> int:
        """The number of unfinished tasks."""

    def submit(self, task: TaskT) -> None:
        """Start a task; only while `running` is less than `slots`."""

    def ready(self, timeout: float) -> list[tuple[TaskT, ResultT | None]]:
        """Return the finished tasks; wait for one at most `timeout` seconds.

        The result is None if the worker was lost: killed, crashed, out of memory.
        """

    def close(self) -> None:
        """End the workers, whatever they are doing."""


def engine(
    name: str, function: "Callable[[TaskT], ResultT]", *, jobs: int | None, scheduler: str | None
) -> "Engine[TaskT, ResultT]":
    """The engine of this name.

    Args:
        name: `local` or `dask`.
        function: called for each task; it can be imported.
        jobs: number of tasks at a time; None: the number of cores, or of threads in the cluster.
        scheduler: the address of Dask's scheduler, `tcp://host:port`.

    Raises:
        EngineFailed: the engine is not installed or not available.
    """
    if name == "dask":
        from tracelens.batch.engines.dask import Cluster

        return Cluster(function, jobs, scheduler)
    from tracelens.batch.engines.local import Pool

    return Pool(function, jobs)
