"""One large file read by several processes, with the same items as by one.

The file is cut where nothing can be open: where a record begins after so much text of records alone that no dump waits
for a row any more. Each span is read by a `Reader` of its own, and what a cut has parted, a run of folded records, is
joined again.
"""

import os
import re
import sys
import threading
from collections.abc import Iterator
from typing import Any

from msgspec.structs import force_setattr

from tracelens.libssh2.events import Event
from tracelens.reader import Dump, Item, Reader
from tracelens.reader.patterns import patterns
from tracelens.reader.repeats import Run
from tracelens.reader.stats import Account, Seen

# A smaller file is read by one process: others would hardly be done before it.
LARGE = 64 << 20
SPAN = 16 << 20
_BLOCK = 1 << 20
# Before a cut stand only lines that begin with a tag, for longer than a dump waits for its next row.
_CLEAR = 1 << 14
_SEARCHED = 1 << 18
_LINE = re.compile(rb"(?<=\n)(?!\[libssh2\] )")
# A process gives a span up where so much of it tells something that handing it over takes longer than reading it.
_ITEMS, _BYTES = 20_000, 32 << 20

Read = tuple[list[Item], Account, Seen]


def cuts(path: str, size: int, span: int = SPAN) -> list[int]:
    """Where a file of so many bytes can be cut, about `span` bytes apart; none where that is in few places only."""
    found: list[int] = []
    with open(path, "rb", buffering=0) as file:
        wanted = range(span, size - span // 2, span)
        for about in wanted:
            file.seek(about - _CLEAR)
            window = file.read(_CLEAR + _SEARCHED)
            at = _cut(window)
            if at is not None:
                found.append(about - _CLEAR + at)
    return found if len(found) * 2 > len(wanted) else []


def _cut(window: bytes) -> int | None:
    """A place in the window before which there are only records for long enough, and after which one begins."""
    record_at = patterns().record.match
    begin = window.find(b"\n") + 1
    while begin:
        clear = begin + _CLEAR
        at = window.rfind(b"\n", begin, clear) + 1
        other = _LINE.search(window, begin, at + 1)
        if at <= begin or clear > len(window):
            return None
        if other is None or other.start() >= at:
            found = record_at(window, at)
            if found is not None and found.group(1) is not None and b"\x1b" not in window[begin:at]:
                return at
            begin = window.find(b"\n", at) + 1
        else:
            begin = window.find(b"\n", other.start()) + 1
    return None


class ParallelReader:
    """Iterates over the items of a file as `Reader` does, with other processes reading ahead.

    Args:
        path: the file.
        cuts: where to part it, from `cuts`.
        jobs: how many processes; with one, this one reads the spans.
        chunks: the whole file once more, as it is for `Reader`; drained to its end meanwhile.

    `account` is complete when the iteration is.
    """

    def __init__(self, path: str, cuts: list[int], jobs: int, chunks: Iterator[bytes]) -> None:
        self.account = Account()
        self._path = path
        self._spans = list(zip([0, *cuts], cuts, strict=False))
        self._last = cuts[-1]
        self._jobs = jobs
        self._chunks = chunks

    def __iter__(self) -> Iterator[Item]:
        parts = [(self._path, *span) for span in self._spans]
        if self._jobs == 1:
            yield from self._joined(map(_read, parts), sum(map(len, self._chunks)))
            return
        import multiprocessing

        # A copy of this process is at work at once; but only one that has no threads can be copied.
        alone = sys.platform == "linux" and threading.active_count() == 1 and "numpy" not in sys.modules
        context: Any = multiprocessing.get_context("fork" if alone else "spawn")
        with context.Pool(min(self._jobs, len(self._spans)), _ignore_interrupts) as pool:
            ahead = pool.imap(_read, parts)
            yield from self._joined(ahead, sum(map(len, self._chunks)))

    def _joined(self, ahead: Iterator[Read | None], size: int) -> Iterator[Item]:
        seen = Seen()
        pending: Run | None = None  # the run that ends where the last span did
        for start, stop in [*self._spans, (self._last, size)]:
            read = next(ahead) if start != self._last else None
            if read is not None and not _is_within(seen, read[2]):
                read = None
            here = Reader(_blocks(self._path, start, stop), seen=seen) if read is None else None
            offset = self.account.lines
            joining = True
            for item in here if here is not None else read[0] if read is not None else ():
                _shift(item, offset)
                begins = joining and isinstance(item, Run) and (item.first_line == offset + 1 or item.anew)
                if begins and pending is not None and isinstance(item, Run) and pending.continues_in(item):
                    pending.join(item)
                    continue
                if begins and pending is not None and isinstance(item, Run):
                    item.anew = True
                joining = False
                if pending is not None:
                    yield pending
                    pending = None
                if isinstance(item, Run):
                    pending = item
                else:
                    yield item
            if read is not None:
                self.account.add(read[1])
                seen.add(read[2])
            elif here is not None:
                self.account.add(here.account)
                seen.bytes += here.offset
        if pending is not None:
            yield pending


def _is_within(seen: Seen, part: Seen) -> bool:
    """Whether the part that follows comes to no limit that one reader of all would have come to."""
    together = Seen(told=seen.told + part.told, read=seen.read + len(part.kinds), bytes=seen.bytes)
    return together.tells(0) and together.reads(0)


def _read(span: tuple[str, int, int]) -> Read | None:
    """The items of a span, None where they are too many to hand over."""
    reader = Reader(_blocks(*span))
    items: list[Item] = []
    size = 0
    for item in reader:
        items.append(item)
        size += item.size if isinstance(item, Dump) else len(item.text) if isinstance(item, Event) else 0
        if len(items) > _ITEMS or size > _BYTES:
            return None
    reader.seen.bytes = reader.offset
    reader.seen.alike.clear()  # not worth handing over
    return None if reader.account.counted else (items, reader.account, reader.seen)


def _blocks(path: str, start: int, stop: int) -> Iterator[bytes]:
    with open(path, "rb", buffering=0) as file:
        file.seek(start)
        while start < stop and (block := file.read(min(_BLOCK, stop - start))):
            start += len(block)
            yield block


def _shift(item: Item, lines: int) -> None:
    """Moves an item so many lines down."""
    if isinstance(item, Run):
        item.first_line += lines
        item.last_line += lines
        for retry in item.retries.values():
            retry.first_line += lines
            retry.last_line += lines
    elif isinstance(item, Dump):
        item.line += lines
    else:
        force_setattr(item, "line", item.line + lines)


def _ignore_interrupts() -> None:
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)


def cores() -> int:
    """How many processes can run at once."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
