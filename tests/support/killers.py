"""The work of a scan with inputs that kill the worker which takes them up; in a module, as workers import it."""

import os
import signal
import time
from pathlib import Path

from tracelens.batch import worker


def run(task: worker.Task) -> tuple[str, list[worker.ScanInput]]:
    """As `worker.run`, but "always" in a name kills each time, "once" only if no mark of it lies beside it yet."""
    for job in task.jobs:
        if "always" in job.name:
            os.kill(os.getpid(), signal.SIGKILL)
        if "once" in job.name and isinstance(job, worker.FileJob):
            mark = Path(f"{job.path}.met")
            if not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
    return worker.run(task)


def slow(task: worker.Task) -> tuple[str, list[worker.ScanInput]]:
    """As `worker.run`, but slow, so that something can happen meanwhile."""
    time.sleep(0.3)
    return worker.run(task)
