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
from tracelens.batch.checkpoint import Store, Top
from tracelens.batch.worker import HANDED, Handed, Leaf, Members, Piece, Selection, Task, Whole, diagnosed, unreadable
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

    def __init__(self, store: Store, selection: Selection, take: Callable[[Leaf], None]) -> None:
        self.large: deque[Task] = deque()
        self.packed = 0
        self.tasks = self._tasks()
        self._store = store
        self._take = take
        self._selection = selection
        self._again = not store.empty
        self._batch: list[Piece] = []
        self._weight = 0
        # Top -> how many of its pieces are out; it is done when all are back and no more will come.
        self._out: dict[int, int] = {}
        self._open: set[int] = set()

    def split(self, piece: Piece) -> None:
        """A piece goes out on its own account as well."""
        self._out[piece.top] = self._out.get(piece.top, 0) + 1

    def back(self, piece: Piece) -> None:
        """The work on a piece is over, and its leaves are in the store."""
        self._out[piece.top] -= 1
        self._close(piece.top)

    def _close(self, top: int) -> None:
        if top not in self._open and not self._out.get(top):
            self._out.pop(top, None)
            self._store.done(top)

    def _tasks(self) -> Iterator[Task | None]:
        archive_files: list[Top] = []
        for top in self._store.pending(over=_LARGE):
            self._file(top, archive_files)
        for top in self._store.pending(under=_LARGE):
            self._file(top, archive_files)
            if self._full:
                yield self._taken()
        for top in archive_files:
            for _ in self._archive(top):
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

    def _give(self, piece: Piece, weight: int) -> None:
        self._out[piece.top] = self._out.get(piece.top, 0) + 1
        if weight >= _LARGE:
            self.large.append(Task((piece,), self._selection, large=True))
        else:
            self._batch.append(piece)
            self._weight += weight

    # -- files

    def _file(self, top: Top, archive_files: list[Top]) -> None:
        """Gives a file to the workers, or puts it with the archives that this process reads."""
        if top.path in inputs.STDIN:
            archive_files.append(top)
            return
        size = top.size or 0
        packed = self._is_packed(top)
        named = self._selection.names(top.name) and self._selection.times(top.modified)
        if not (self._selection.opens(top.name) if packed else named):
            self.packed += size
            self._store.done(top.id)
        elif packed and (size > _PACKED or top.size is None or self._again) and self._is_archive(top):
            archive_files.append(top)
        else:
            known = self._store.known(size) if not packed and size else ()
            self._give(Whole(top.id, _anywhere(top), top.name, top.size, known), size * _FACTOR if packed else size)
            self.packed += size

    def _is_packed(self, top: Top) -> bool:
        try:
            with inputs.open_file(top.path) as file:
                return archives.format_of(file.read(_HEAD)) is not None
        except (OSError, ValueError):
            return False  # the worker will say why

    def _is_archive(self, top: Top) -> bool:
        """Whether a packed file holds more than one compressed stream; one that was done before is taken for such."""
        if self._again and (top.size or 0) <= _PACKED:
            return True
        try:
            with inputs.open_file(top.path) as file:
                first = next(archives.unpack(top.name, file, Limits()), None)
                return isinstance(first, archives.Member) and bool({"zip", "tar"} & set(first.layers))
        except (OSError, ValueError, UnreadableInput):
            return False

    # -- archives

    def _archive(self, top: Top) -> Iterator[None]:
        """Reads an archive and gives out what is in it; yields after each thing."""
        self._open.add(top.id)
        group: list[tuple[int, str]] = []
        grouped = position = 0
        try:
            with inputs.open_file(top.path) as file:
                found = archives.unpack(top.name, file, Limits(), top.modified)
                for number, content in enumerate(found):
                    size = self._content(top, number, content)
                    if size:
                        group.append((number, content.name))
                        grouped += size
                    if group and grouped >= _GROUP:
                        self._give(Members(top.id, _anywhere(top), top.name, tuple(group)), _LARGE)
                        group, grouped = [], 0
                    if top.path not in inputs.STDIN:
                        self.packed += max(file.tell() - position, 0)
                        position = max(file.tell(), position)
                    yield
        except (OSError, ValueError) as error:
            self._take(unreadable(top.id, 0, top.name, reason(error, "file")))
        if group:
            self._give(Members(top.id, _anywhere(top), top.name, tuple(group)), _LARGE)
        self.packed += max((top.size or 0) - position, 0)
        self._open.discard(top.id)
        self._close(top.id)
        yield

    def _content(self, top: Top, number: int, content: "archives.Member | UnreadableInput") -> int:
        """Gives out one thing of an archive; the size of one that is too large to be handed over, else 0."""
        if self._store.has(top.id, number):
            return 0
        wanted = self._selection.names(content.name)
        if isinstance(content, UnreadableInput):
            if wanted:
                self._take(unreadable(top.id, number, content.name, content.reason))
            return 0
        compression, modified = "+".join(content.layers) or None, content.stream.modified
        if not wanted or not self._selection.times(modified):
            return 0
        if top.path in inputs.STDIN:
            # Nobody else can read it.
            self._take(diagnosed(inputs.Source(content.name, compression, content.stream), top.id, number))
            return 0
        data, damage, size, digest = _read(content.stream)
        if damage is None and self._store.knows(digest):
            self._take(Leaf(top.id, number, content.name, compression, modified, digest, size, None))
        elif data is None:
            return size
        else:
            self._give(Handed(top.id, number, content.name, compression, modified, data, damage), len(data))
        return 0


def _anywhere(top: Top) -> str:
    """The file's path, good in a worker with another working directory as well."""
    return top.path if remote.is_url(top.path) else os.path.abspath(top.path)


def _read(stream: Stream) -> tuple[bytes | None, str | None, int, str]:
    """A member's bytes, None of one that is large; what damaged it; its size; its digest."""
    digest, size, parts = hashlib.sha256(), 0, []
    damage = None
    try:
        while block := stream.read(inputs.BLOCK_BYTES):
            digest.update(block)
            size += len(block)
            if size <= HANDED:
                parts.append(block)
            else:
                parts.clear()
    except UnreadableInput as error:
        damage = error.reason
    return (b"".join(parts) if size <= HANDED else None), damage, size, digest.hexdigest()
