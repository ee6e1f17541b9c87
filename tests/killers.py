"""The work of a scan with inputs that kill the worker which takes them up; in a module, as workers import it."""

import os
import signal
import time
from pathlib import Path

from tracelens.batch import work


def run(task: work.Task) -> tuple[str, list[work.Leaf]]:
    """As `work.run`, but "always" in a name kills each time, "once" only if no mark of it lies beside it yet."""
    for piece in task.pieces:
        if "always" in piece.name:
            os.kill(os.getpid(), signal.SIGKILL)
        if "once" in piece.name and isinstance(piece, work.Whole):
            mark = Path(f"{piece.path}.met")
            if not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
    return work.run(task)


def slow(task: work.Task) -> tuple[str, list[work.Leaf]]:
    """As `work.run`, but slow, so that something can happen meanwhile."""
    time.sleep(0.3)
    return work.run(task)
