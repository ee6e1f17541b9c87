"""Where the work of a scan is done: on this machine's cores, or on a Dask cluster. One interface, the same bytes."""

from collections.abc import Callable
from typing import Protocol, TypeVar

TaskT = TypeVar("TaskT")
ResultT = TypeVar("ResultT")


class Engine(Protocol[TaskT, ResultT]):
    """Runs one function over jobs, several at a time, in no order."""

    @property
    def slots(self) -> int:
        """How many jobs it works on at a time."""

    @property
    def running(self) -> int:
        """How many it has now."""

    def submit(self, task: TaskT) -> None:
        """Takes a job; call it while `running` is less than `slots`."""

    def ready(self, timeout: float) -> list[tuple[TaskT, ResultT | None]]:
        """What is done, at once if something is, else after `timeout` seconds at most.

        The result is None where the worker was lost over the job: killed, crashed, out of memory.
        """

    def close(self) -> None:
        """Ends the workers, whatever they do."""


def engine(
    name: str, function: "Callable[[TaskT], ResultT]", *, jobs: int | None, scheduler: str | None
) -> "Engine[TaskT, ResultT]":
    """The engine of this name.

    Args:
        name: `local` or `dask`.
        function: what it runs; it can be imported.
        jobs: how many at a time; None: as many as there are cores, or threads of the cluster.
        scheduler: the address of Dask's scheduler, `tcp://host:port`.

    Raises:
        EngineFailed: the engine is not installed, or not there.
    """
    if name == "dask":
        from tracelens.batch.engines.dask import Cluster

        return Cluster(function, jobs, scheduler)
    from tracelens.batch.engines.local import Pool

    return Pool(function, jobs)
