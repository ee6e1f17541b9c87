"""Files -> tasks for workers: small things together, large ones alone, archives read once and handed out in pieces.

An archive is one stream, so the scan's own process reads it and hands the bytes of its members to the workers; of a
member too large for that it takes the digest only, and a worker reads the archive up to it. A small archive, and a
compressed file that is none, goes to a worker as it is.
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

# Something from here on is large: it is worked on beside small things, never in front of all of them.
_LARGE = 16 << 20
# A batch is full with so many bytes or pieces.
_BATCH_BYTES, _BATCH_PIECES = 4 << 20, 48
# A smaller archive is a worker's, as a whole. Text packs about ten times smaller.
_PACKED, _FACTOR = 256 << 10, 10
# Bytes of large members of one archive that a worker takes at once: for each task it reads the archive up to them.
_GROUP = 1 << 30
_HEAD = 512


class Plan:
    """The tasks of a scan, made as they are asked for.

    Args:
        store: what is known, and what is to do.
        selection: which inputs are wanted.
        take: gets what needs no worker.

    Attributes:
        tasks: gives batches; None while it is busy with something that gives none.
        large: tasks of large things, as far as `tasks` has come upon them.
        packed: bytes of the files that are read or given out.
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
        # Top -> how many of its pieces are out; it is done when all are back and no more will come.
        self._out: dict[int, int] = {}
        self._open: set[int] = set()

    def split(self, job: Job) -> None:
        """A piece goes out on its own account as well."""
        self._out[job.file_id] = self._out.get(job.file_id, 0) + 1

    def back(self, job: Job) -> None:
        """The work on a piece is over, and its leaves are in the store."""
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

    def _give(self, job: Job, weight: int) -> None:
        self._out[job.file_id] = self._out.get(job.file_id, 0) + 1
        if weight >= _LARGE:
            self.large.append(Task((job,), self._selection, large=True))
        else:
            self._batch.append(job)
            self._weight += weight

    # -- files

    def _file(self, scan_file: ScanFile, archive_files: list[ScanFile]) -> None:
        """Gives a file to the workers, or puts it with the archives that this process reads."""
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
            self._give(
                FileJob(scan_file.id, _anywhere(scan_file), scan_file.name, scan_file.size, known),
                size * _FACTOR if packed else size,
            )
            self.packed += size

    def _is_packed(self, scan_file: ScanFile) -> bool:
        try:
            with inputs.open_file(scan_file.path) as file:
                return archives.format_of(file.read(_HEAD)) is not None
        except (OSError, ValueError):
            return False  # the worker will say why

    def _is_archive(self, scan_file: ScanFile) -> bool:
        """Whether a packed file holds more than one compressed stream; one that was done before is taken for such."""
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
        """Reads an archive and gives out what is in it; yields after each thing."""
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
                        self._give(ArchiveJob(scan_file.id, _anywhere(scan_file), scan_file.name, tuple(group)), _LARGE)
                        group, grouped = [], 0
                    if scan_file.path not in inputs.STDIN:
                        self.packed += max(file.tell() - position, 0)
                        position = max(file.tell(), position)
                    yield
        except (OSError, ValueError) as error:
            self._take(unreadable_input(scan_file.id, 0, scan_file.name, reason(error, "file")))
        if group:
            self._give(ArchiveJob(scan_file.id, _anywhere(scan_file), scan_file.name, tuple(group)), _LARGE)
        self.packed += max((scan_file.size or 0) - position, 0)
        self._open.discard(scan_file.id)
        self._close(scan_file.id)
        yield

    def _content(self, scan_file: ScanFile, number: int, content: archives.Member | UnreadableInput) -> int:
        """Gives out one thing of an archive; the size of one that is too large to be handed over, else 0."""
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
            # Nobody else can read it.
            self._take(diagnose(inputs.Source(content.name, compression, content.stream), scan_file.id, number))
            return 0
        data, damage, size, digest = _read(content.stream)
        if damage is None and self._store.knows(digest):
            self._take(ScanInput(scan_file.id, number, content.name, compression, modified, digest, size, None))
        elif data is None:
            return size
        else:
            self._give(BytesJob(scan_file.id, number, content.name, compression, modified, data, damage), len(data))
        return 0


def _anywhere(scan_file: ScanFile) -> str:
    """The file's path, good in a worker with another working directory as well."""
    return scan_file.path if remote.is_url(scan_file.path) else os.path.abspath(scan_file.path)


def _read(stream: Stream) -> tuple[bytes | None, str | None, int, str]:
    """A member's bytes, None of one that is large; what damaged it; its size; its digest."""
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
