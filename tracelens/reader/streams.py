"""A trace's bytes -> its streams, one for each process that a prefix names, each with a reader of its own.

    streams = Streams(blocks)
    for stream in streams:
        for item in stream: ...

A trace whose prefix names no process is one stream, read as it comes. Else the first process's lines are read as they
come, and those of the others are kept, in a temporary file where they are many, and read after it. Streams are read
without what names their process; line numbers are those of the input.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

from msgspec.structs import force_setattr

from tracelens.errors import TracelensError
from tracelens.reader.buffer import COLOUR
from tracelens.reader.dumps import Dump
from tracelens.reader.framer import TAG
from tracelens.reader.reader import Item, Reader
from tracelens.reader.repeats import Run
from tracelens.reader.stats import FOREIGN_KEPT, SAID_KEPT, Account, ShapeCache

if TYPE_CHECKING:
    from tracelens.reader.divide import Part

# So many bytes from the first tag on show whether a prefix names a process; it must be within so many.
_HEAD, _SEARCHED = 1 << 17, 1 << 22


class ItemReader(Protocol):
    """What reads items: a `Reader`, or several processes (`parallel`)."""

    account: Account

    def __iter__(self) -> Iterator[Item]: ...


class Stream:
    """The items of one process; iterates once. `account` is complete when the iteration is."""

    def __init__(self, reader: ItemReader, part: "Part | None" = None) -> None:
        self.account = reader.account
        self._reader = reader
        self._part = part
        self.damage: TracelensError | None = None  # what kept it from being read to its end

    @property
    def name(self) -> str:
        """The process as its prefix names it, "" where none does; known when the iteration has begun."""
        return self._part.name if self._part is not None else ""

    def __iter__(self) -> Iterator[Item]:
        return self._items() if self._part is None else self._moved(self._part.line_of)

    def _items(self) -> Iterator[Item]:
        try:
            yield from self._reader
        except TracelensError as error:
            self.damage = error

    def _moved(self, line_of: Callable[[int], int]) -> Iterator[Item]:
        for item in self._reader:
            move(item, line_of)
            yield item
        account = self.account
        account.foreign = [(line_of(line), text) for line, text in account.foreign]
        account.said = [(line_of(line), text) for line, text in account.said]


class Streams:
    """Iterates over the streams of a trace, once; the next one is there when the one before was read to its end.

    Args:
        blocks: the trace's bytes, decompressed, in an ASCII-compatible encoding (`inputs.read_text`).

    `account` is that of all streams, complete when the iteration is. `beyond` counts the lines of processes that were
    not told apart because of a limit. Damage of the input is raised after all streams.
    """

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self.account = Account()
        self.names: list[str] = []
        self.beyond = 0
        head, self.blocks = _peek(iter(blocks))
        self._head, self._pattern = head, _pattern(head)
        self._reader: ItemReader | None = None

    def read_by(self, reader: "ItemReader") -> None:
        """Has the only stream read by another reader than one of this process."""
        self._reader = reader

    @property
    def are_named(self) -> bool:
        """Whether prefixes name processes."""
        return self._pattern is not None

    def __iter__(self) -> Iterator[Stream]:
        if self._pattern is None:
            reader = self._reader or Reader(self.blocks)
            self.account = reader.account
            stream = Stream(reader)
            yield stream
            if stream.damage is not None:
                raise stream.damage
            return
        from tracelens.reader.divide import Divider

        divider = Divider(self.blocks, self._pattern)
        known = ShapeCache()
        try:
            for part, lines in divider.parts():
                cache = ShapeCache(events=known.events, texts=known.texts, bytes=known.bytes)  # its limits go on
                reader = Reader(lines, cache=cache)
                yield Stream(reader, part)
                cache.events, cache.bytes = cache.events - known.events, reader.offset
                known.add(cache)
                is_last = part.line_of(part.count) == divider.lines or reader.account.last_line_open
                self._add(reader.account, is_last)
                self.names.append(part.name)
        finally:
            divider.close()
        self.account.bytes += divider.stripped + divider.coloured
        self.account.record_bytes += divider.stripped
        self.account.blank_bytes += divider.coloured
        self.beyond = divider.beyond
        if divider.damage is not None:
            raise divider.damage

    def unmixed(self) -> Iterator[bytes] | None:
        """The trace with each process's lines together, where they are between the rows of another one's dumps."""
        if self._pattern is None:
            return None
        from tracelens.reader import prefixes

        if not prefixes.mixes_dumps(self._head, self._pattern):
            return None
        return self._together(self._pattern)

    def _together(self, pattern: re.Pattern[bytes]) -> Iterator[bytes]:
        from tracelens.reader.divide import Divider

        divider = Divider(self.blocks, pattern, strip=False)
        try:
            for _, lines in divider.parts():
                yield from lines
        finally:
            divider.close()
        if divider.damage is not None:
            raise divider.damage

    def _add(self, account: Account, is_last: bool) -> None:
        """Adds the account of a stream; `is_last`: the input's last line is in it."""
        foreign, account.foreign = account.foreign, []
        said, account.said = account.said, []
        if not is_last:
            account.cut_at_end = account.last_line_open = False
        whole = self.account
        is_open = whole.last_line_open or account.last_line_open
        whole.add(account)
        whole.last_line_open, whole.open_end = is_open, is_open and whole.lines * 4 > whole.records
        whole.foreign = sorted([*whole.foreign, *foreign])[:FOREIGN_KEPT]
        whole.said = sorted([*whole.said, *said])[:SAID_KEPT]


def _peek(blocks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """The first lines that contain a record, and all blocks."""
    read: list[bytes] = []
    size, tag = 0, -1
    failure: list[TracelensError] = []
    try:
        for block in blocks:
            read.append(block)
            if tag < 0 and TAG in block:
                tag = size
            size += len(block)
            if size > (tag + _HEAD if tag >= 0 else _SEARCHED):
                break
    except TracelensError as error:
        failure.append(error)

    def again() -> Iterator[bytes]:
        yield from read
        read.clear()
        for error in failure:
            raise error
        yield from blocks

    if tag < 0:
        return b"", again()
    text = b"".join(read)
    begin = text.rfind(b"\n", 0, text.find(TAG)) + 1
    return text[begin : begin + _HEAD], again()


def _pattern(head: bytes) -> re.Pattern[bytes] | None:
    """The pattern of what names a process; None in a plain trace, where each tag begins a line."""
    tags = head.count(TAG)
    if not tags or tags == head.startswith(TAG) + head.count(b"\n" + TAG):
        return None
    from tracelens.reader import prefixes

    return prefixes.find(COLOUR.sub(b"", head))


def move(item: Item, line_of: Callable[[int], int]) -> None:
    """Changes the line numbers of an item."""
    if isinstance(item, Run):
        item.first_line, item.last_line = line_of(item.first_line), line_of(item.last_line)
        for retry in item.retries.values():
            retry.first_line, retry.last_line = line_of(retry.first_line), line_of(retry.last_line)
    elif isinstance(item, Dump):
        item.line = line_of(item.line)
    else:
        force_setattr(item, "line", line_of(item.line))
