"""Files -> tasks for workers: small inputs together, large ones alone, archives read once and sent member by member.

An archive is one stream, so the scan's own process reads it and sends the bytes of its members to the workers. It only
hashes a member that is too large to send, and a worker reads the archive up to that member. A small archive, or a
compressed file that is not an archive, goes to a worker as it is.
"""

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator

from tracelens import inputs
from tracelens.batch.checkpoint import Checkpoint, ScanFile
from tracelens.batch.worker import (
    MAX_SENT_BYTES,
    ArchiveJob,
    BytesJob,
    FileJob,
    Job,
    ScanInput,
    Selection,
    Task,
    diagnose,
    unreadable_input,
)
from tracelens.errors import UnreadableInput
from tracelens.inputs import archives, remote
from tracelens.inputs.limits import Limits
from tracelens.inputs.streams import Stream, reason

# Inputs of this size are large: they run beside small ones, never before all of them.
_LARGE = 16 << 20
# A task is full with this many bytes or jobs.
_BATCH_BYTES, _BATCH_PIECES = 4 << 20, 48
# A smaller archive goes to a worker as a whole. Text compresses to about a tenth.
_PACKED, _FACTOR = 256 << 10, 10
# Bytes of large members in one job: for each job a worker reads the archive from the start.
_GROUP = 1 << 30


class Plan:
    """The tasks of a scan, created on demand.

    Args:
        store: the known results and the pending files.
        selection: the inputs to diagnose.
        take: receives results that need no worker.

    Attributes:
        tasks: yields tasks; None after a step without a full task.
        large: tasks of large inputs that `tasks` has found so far.
        packed: bytes of the files that are read or sent.
    """

    def __init__(self, store: Checkpoint, selection: Selection, take: Callable[[ScanInput], None]) -> None:
        self.large: deque[Task] = deque()
        self.packed = 0
        self.tasks = self._tasks()
        self._store = store
        self._take = take
        self._selection = selection
        self._again = not store.empty
        self._batch: list[Job] = []
        self._weight = 0
        # File id -> number of running jobs; a file is done when all have returned and none will follow.
        self._out: dict[int, int] = {}
        self._open: set[int] = set()

    def split(self, job: Job) -> None:
        """Count a job that repeats a part of another one."""
        self._out[job.file_id] = self._out.get(job.file_id, 0) + 1

    def back(self, job: Job) -> None:
        """Finish a job whose results are in the store."""
        self._out[job.file_id] -= 1
        self._close(job.file_id)

    def _close(self, file_id: int) -> None:
        if file_id not in self._open and not self._out.get(file_id):
            self._out.pop(file_id, None)
            self._store.done(file_id)

    def _tasks(self) -> Iterator[Task | None]:
        archive_files: list[ScanFile] = []
        for scan_file in self._store.pending(over=_LARGE):
            self._file(scan_file, archive_files)
        for scan_file in self._store.pending(under=_LARGE):
            self._file(scan_file, archive_files)
            if self._full:
                yield self._taken()
        for scan_file in archive_files:
            for _ in self._archive(scan_file):
                yield self._taken() if self._full else None
        if self._batch:
            yield self._taken()

    # -- batches

    @property
    def _full(self) -> bool:
        return self._weight >= _BATCH_BYTES or len(self._batch) >= _BATCH_PIECES

    def _taken(self) -> Task:
        task = Task(tuple(self._batch), self._selection)
        self._batch, self._weight = [], 0
        return task

    def _send(self, job: Job, weight: int) -> None:
        self._out[job.file_id] = self._out.get(job.file_id, 0) + 1
        if weight >= _LARGE:
            self.large.append(Task((job,), self._selection, large=True))
        else:
            self._batch.append(job)
            self._weight += weight

    # -- files

    def _file(self, scan_file: ScanFile, archive_files: list[ScanFile]) -> None:
        """Send a file to the workers, or add it to the archives that this process reads."""
        if scan_file.path in inputs.STDIN:
            archive_files.append(scan_file)
            return
        size = scan_file.size or 0
        packed = self._is_packed(scan_file)
        named = self._selection.names(scan_file.name) and self._selection.times(scan_file.modified)
        if not (self._selection.opens(scan_file.name) if packed else named):
            self.packed += size
            self._store.done(scan_file.id)
        elif packed and (size > _PACKED or scan_file.size is None or self._again) and self._is_archive(scan_file):
            archive_files.append(scan_file)
        else:
            known = self._store.known(size) if not packed and size else ()
            self._send(
                FileJob(scan_file.id, _anywhere(scan_file), scan_file.name, scan_file.size, known),
                size * _FACTOR if packed else size,
            )
            self.packed += size

    def _is_packed(self, scan_file: ScanFile) -> bool:
        try:
            with inputs.open_file(scan_file.path) as file:
                return archives.format_of(Stream(file.read, "file")) is not None
        except (OSError, ValueError, UnreadableInput):
            return False  # the worker will say why

    def _is_archive(self, scan_file: ScanFile) -> bool:
        """Whether a compressed file is an archive; in a repeated scan small files count as one."""
        if self._again and (scan_file.size or 0) <= _PACKED:
            return True
        try:
            with inputs.open_file(scan_file.path) as file:
                first = next(archives.unpack(scan_file.name, file, Limits()), None)
                return isinstance(first, archives.Member) and bool({"zip", "tar"} & set(first.layers))
        except (OSError, ValueError, UnreadableInput):
            return False

    # -- archives

    def _archive(self, scan_file: ScanFile) -> Iterator[None]:
        """Read an archive and send its members; yields after each one."""
        self._open.add(scan_file.id)
        group: list[tuple[int, str]] = []
        grouped = position = 0
        try:
            with inputs.open_file(scan_file.path) as file:
                found = archives.unpack(scan_file.name, file, Limits(), scan_file.modified)
                for number, content in enumerate(found):
                    size = self._content(scan_file, number, content)
                    if size:
                        group.append((number, content.name))
                        grouped += size
                    if group and grouped >= _GROUP:
                        self._send(ArchiveJob(scan_file.id, _anywhere(scan_file), scan_file.name, tuple(group)), _LARGE)
                        group, grouped = [], 0
                    if scan_file.path not in inputs.STDIN:
                        self.packed += max(file.tell() - position, 0)
                        position = max(file.tell(), position)
                    yield
        except (OSError, ValueError) as error:
            self._take(unreadable_input(scan_file.id, 0, scan_file.name, reason(error, "file")))
        if group:
            self._send(ArchiveJob(scan_file.id, _anywhere(scan_file), scan_file.name, tuple(group)), _LARGE)
        self.packed += max((scan_file.size or 0) - position, 0)
        self._open.discard(scan_file.id)
        self._close(scan_file.id)
        yield

    def _content(self, scan_file: ScanFile, number: int, content: archives.Member | UnreadableInput) -> int:
        """Send a member of an archive; return its size if it is too large for that, otherwise 0."""
        if self._store.has(scan_file.id, number):
            return 0
        wanted = self._selection.names(content.name)
        if isinstance(content, UnreadableInput):
            if wanted:
                self._take(unreadable_input(scan_file.id, number, content.name, content.reason))
            return 0
        compression, modified = "+".join(content.layers) or None, content.stream.modified
        if not wanted or not self._selection.times(modified):
            return 0
        if scan_file.path in inputs.STDIN:
            # Only this process can read it.
            self._take(diagnose(inputs.Source(content.name, compression, content.stream), scan_file.id, number))
            return 0
        data, damage, size, digest = _read(content.stream)
        if damage is None and self._store.knows(digest):
            self._take(ScanInput(scan_file.id, number, content.name, compression, modified, digest, size, None))
        elif data is None:
            return size
        else:
            self._send(BytesJob(scan_file.id, number, content.name, compression, modified, data, damage), len(data))
        return 0


def _anywhere(scan_file: ScanFile) -> str:
    """The file's path, valid also in a worker with another working directory."""
    return scan_file.path if remote.is_url(scan_file.path) else os.path.abspath(scan_file.path)


def _read(stream: Stream) -> tuple[bytes | None, str | None, int, str]:
    """A member's bytes, None if it is large; its damage; its size; its digest."""
    digest, size, parts = hashlib.sha256(), 0, []
    damage = None
    try:
        while block := stream.read(inputs.BLOCK_BYTES):
            digest.update(block)
            size += len(block)
            if size <= MAX_SENT_BYTES:
                parts.append(block)
            else:
                parts.clear()
    except UnreadableInput as error:
        damage = error.reason
    return (b"".join(parts) if size <= MAX_SENT_BYTES else None), damage, size, digest.hexdigest()
