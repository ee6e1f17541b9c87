"""Many inputs -> the tables of a scan: parallel, resumable, reproducible with any engine and number of jobs.

scan(["cases/"], "results")  ->  results/files.parquet, sessions.parquet, findings.parquet, summary.json
"""

import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from msgspec import Struct, field, to_builtins
from msgspec.structs import replace

from tracelens.batch import engines, results
from tracelens.batch.checkpoint import Checkpoint
from tracelens.batch.engines import Engine
from tracelens.batch.plan import Plan
from tracelens.batch.worker import ArchiveJob, Job, ScanInput, Selection, Task, run, unreadable_input, version
from tracelens.errors import EngineFailed, UnreadableInput
from tracelens.inputs import list_files

__all__ = ["Progress", "Scan", "Selection", "scan"]

# An input is set aside after this number of lost workers.
_MAX_LOSSES = 2
_LOST = "its worker was lost over it twice (killed, crashed, or out of memory): set aside"
_CHECKPOINT_SECONDS, _PROGRESS_SECONDS = 1.0, 0.5


class Progress(Struct):
    """The current progress of a scan."""

    files: int = 0  # inputs diagnosed in this run, also in archives
    known: int = 0  # inputs that were known before
    bytes: int = 0  # decompressed bytes of the inputs
    packed: int = 0  # bytes of the files that are read or sent, of `packed_total`
    packed_total: int = 0
    seconds: float = 0.0  # since the start
    causes: Counter[str] = field(default_factory=Counter)  # root causes found in this run
    notes: list[str] = field(default_factory=list)  # messages for the user


class Scan(Struct, frozen=True):
    """The result of a scan."""

    folder: Path  # where its tables are
    summary: dict[str, Any]  # `summary.json`
    progress: Progress  # of this run, at its end

    @property
    def complete(self) -> bool:
        """Whether every input could be read to its end."""
        return not (self.summary["files"]["unreadable"] or self.summary["files"]["damaged"])


def scan(
    inputs: Iterable[str | os.PathLike[str]],
    folder: str | os.PathLike[str],
    *,
    engine: str = "local",
    jobs: int | None = None,
    scheduler: str | None = None,
    selection: Selection | None = None,
    rehash: bool = False,
    watch: Callable[[Progress], None] | None = None,
) -> Scan:
    """Diagnose every trace behind the inputs and write the tables of a scan into a folder.

    Known results are reused; after an interruption at any moment, the same call resumes.

    Args:
        inputs: files, folders, glob patterns, URLs, `-` for standard input.
        folder: a new one, or one that a scan has written.
        engine: `local`, processes of this machine, or `dask`.
        jobs: how many workers; None: all cores, or the cluster's threads.
        scheduler: the address of Dask's scheduler, `tcp://host:port`.
        selection: the inputs to diagnose; None: all.
        rehash: read every file again, even if path, size and time are unchanged.
        watch: receives the progress twice a second.

    Raises:
        BadOutput: the folder belongs to something else, is in use, or cannot be written.
        EngineFailed: the engine is not available or was lost.
        BadPlugin: a rule does not load.
    """
    selection = selection or Selection()
    target = Path(folder)
    with Checkpoint(target, version()) as store:
        run = _Run(store, selection, watch)
        run.enlist([os.fspath(path) for path in inputs], target, rehash=rehash)
        run.work(engine, jobs, scheduler)
        return Scan(target, to_builtins(results.write(store, target)), run.progress)


class _Run:
    """One run of a scan."""

    plan: Plan

    def __init__(self, store: Checkpoint, selection: Selection, watch: Callable[[Progress], None] | None) -> None:
        self.progress = Progress()
        self._store = store
        self._selection = selection
        self._watch = watch
        self._began = self._looked = self._saved = time.monotonic()
        self._again: deque[Task] = deque()
        self._large_running = 0
        if store.outdated:
            self.progress.notes.append(
                f"tracelens or its rules have changed since: {store.outdated} traces are read and diagnosed again"
            )

    def enlist(self, inputs: list[str], folder: Path, *, rehash: bool) -> None:
        """List the files, without opening any."""
        own = os.path.realpath(folder) + os.sep
        selected = repr(self._selection)
        for number, place in enumerate(list_files(inputs)):
            if isinstance(place, UnreadableInput):
                self._store.refuse(number, place.name, place.reason)
            elif not os.path.realpath(place.path).startswith(own):
                self._store.enlist(place, selection=selected, trust=not rehash)
        self._store.commit()
        _, total_bytes, _, pending_bytes = self._store.totals()
        self.progress.packed_total = total_bytes
        self.progress.packed = total_bytes - pending_bytes
        self._packed_before = self.progress.packed
        self.progress.known = self._store.settled()
        self.plan = Plan(self._store, self._selection, self._take)

    def work(self, name: str, jobs: int | None, scheduler: str | None) -> None:
        """Run all pending tasks."""
        if not self._store.totals()[2]:
            return
        engine: Engine[Task, tuple[str, list[ScanInput]]] = engines.engine(name, run, jobs=jobs, scheduler=scheduler)
        try:
            over = False
            while True:
                busy = True
                while engine.running < engine.slots:
                    task, over = self._next(engine.slots, over)
                    if task is None:
                        busy = over
                        break
                    engine.submit(task)
                if over and not engine.running and not self._again and not self.plan.large:
                    break
                for task, result in engine.ready(_PROGRESS_SECONDS if busy and engine.running else 0):
                    self._done(task, result)
                self._look()
        finally:
            engine.close()
            self._look(last=True)

    def _next(self, slots: int, over: bool) -> tuple[Task | None, bool]:
        """The next task if there is one now, and whether the plan has no more small tasks."""
        if self._again:
            return self._again.popleft(), over
        if self.plan.large and (over or self._large_running < slots - 1):
            self._large_running += 1
            return self.plan.large.popleft(), over
        if not over:
            try:
                return next(self.plan.tasks), False
            except StopIteration:
                return self._next(slots, True)
        return None, True

    def _done(self, task: Task, result: tuple[str, list[ScanInput]] | None) -> None:
        if task.large:
            self._large_running = max(self._large_running - 1, 0)
        if result is None:
            self._lost(task)
            return
        made_by, scan_inputs = result
        if made_by != version():
            raise EngineFailed(f"the workers have another tracelens ({made_by}) than this process ({version()})")
        for scan_input in scan_inputs:
            self._take(scan_input)
        for job in task.jobs:
            self.plan.back(job)

    def _lost(self, task: Task) -> None:
        """Retry the jobs of a lost worker one by one; set an input aside after too many losses."""
        parts = list(_parts(task))
        if len(parts) > 1:
            for part in parts:
                self.plan.split(part)
            for job in task.jobs:
                self.plan.back(job)
            self._again += [Task((part,), task.selection) for part in parts]
        elif task.losses + 1 < _MAX_LOSSES:
            self._again.append(replace(task, large=False, losses=task.losses + 1))
        else:
            (job,) = task.jobs
            number, name = _place(job)
            self.progress.notes.append(f"{name}: {_LOST}")
            self._take(unreadable_input(job.file_id, number, name, _LOST))
            self.plan.back(job)

    def _take(self, scan_input: ScanInput) -> None:
        self._store.add(scan_input)
        self.progress.known += scan_input.status is None
        self.progress.files += scan_input.status is not None
        self.progress.bytes += scan_input.bytes or 0
        self.progress.causes.update(scan_input.root_causes)

    def _look(self, *, last: bool = False) -> None:
        now = time.monotonic()
        if now - self._saved >= _CHECKPOINT_SECONDS or last:
            self._store.commit()
            self._saved = now
        if now - self._looked >= _PROGRESS_SECONDS or last:
            self._looked = now
            self.progress.packed = self._packed_before + self.plan.packed
            self.progress.seconds = now - self._began
            if self._watch is not None:
                self._watch(self.progress)


def _parts(task: Task) -> Iterable[Job]:
    for job in task.jobs:
        if isinstance(job, ArchiveJob):
            yield from (replace(job, members=(member,)) for member in job.members)
        else:
            yield job


def _place(job: Job) -> tuple[int, str]:
    if isinstance(job, ArchiveJob):
        return job.members[0]
    return getattr(job, "number", 0), job.name
