"""One large file, read by several processes with the same items as by one.

The file is cut where no dump can be open: where a record begins after so many bytes of records alone that no dump
waits for a row any more. Each span is read by a `Reader` of its own; runs that a cut parted are joined again.
"""

import contextlib
import os
import re
import sys
import threading
from collections.abc import Generator, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from tracelens.libssh2.events import Event
from tracelens.reader.dumps import Dump
from tracelens.reader.patterns import patterns
from tracelens.reader.reader import Item, Reader
from tracelens.reader.repeats import Run
from tracelens.reader.stats import Account, ShapeCache
from tracelens.reader.streams import move

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

# A smaller file is read by one process: starting others takes as long.
LARGE = 64 << 20
SPAN = 16 << 20
_BLOCK = 1 << 20
# So many bytes before a cut consist of lines that begin with a tag, more than a dump waits for its next row.
_CLEAR = 1 << 14
_SEARCHED = 1 << 18
_LINE = re.compile(rb"(?<=\n)(?!\[libssh2\] )")
# A process gives up a span with more items than this: sending them takes longer than reading the span.
_ITEMS, _BYTES = 20_000, 32 << 20

Read = tuple[list[Item], Account, ShapeCache]


def cuts(path: str, size: int, span: int = SPAN) -> list[int]:
    """Offsets at which the file can be split, about `span` bytes apart; empty if too few are safe."""
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
    """A place in the window where a record begins after `_CLEAR` bytes of records alone."""
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
        jobs: how many processes; with one, this process reads the spans.
        chunks: the whole file once more; read to its end meanwhile.

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

        # A fork starts at once, but only a process without threads can be forked.
        alone = sys.platform == "linux" and threading.active_count() == 1 and "numpy" not in sys.modules
        context: Any = multiprocessing.get_context("fork" if alone else "spawn")
        # A pipe each, no queue and no lock: a process that is killed leaves an end of file, and nobody waits for it.
        jobs = min(self._jobs, len(self._spans))
        receivers: list[Connection] = []
        processes = []
        try:
            for job in range(jobs):
                receiver, sender = context.Pipe(duplex=False)
                receivers.append(receiver)
                process = context.Process(
                    target=_send, args=(sender, parts[job::jobs], receivers if alone else []), daemon=True
                )
                process.start()
                processes.append(process)
                sender.close()
            ahead = (_received(receivers[span % jobs]) for span in range(len(parts)))
            yield from self._joined(ahead, sum(map(len, self._chunks)))
        finally:
            for receiver in receivers:
                receiver.close()
            for process in processes:
                process.terminate()
                process.join()

    def _joined(self, ahead: Iterator[Read | None], size: int) -> Iterator[Item]:
        cache = ShapeCache()
        pending: Run | None = None  # the run with which the last span ends
        for start, stop in [*self._spans, (self._last, size)]:
            offset = self.account.lines
            read = next(ahead) if start != self._last else None
            if read is not None and _is_within(cache, read[2]):
                pending = yield from _continued(pending, read[0], offset)
                self.account.add(read[1])
                cache.add(read[2])
            else:
                reader = Reader(_blocks(self._path, start, stop), cache=cache)
                pending = yield from _continued(pending, reader, offset)
                self.account.add(reader.account)
                cache.bytes += reader.offset
        if pending is not None:
            yield pending


def _continued(pending: Run | None, items: Iterable[Item], offset: int) -> Generator[Item, None, Run | None]:
    """Yields the items of a span, joined to the run before it; returns the run with which it ends, if any."""
    joining = True
    for item in items:
        move(item, offset.__add__)
        joining &= isinstance(item, Run) and (item.first_line == offset + 1 or item.anew)
        if joining and pending is not None and isinstance(item, Run):
            if pending.continues_in(item):
                pending.join(item)
                continue
            item.anew = True
        joining = False
        if pending is not None:
            yield pending
        pending = item if isinstance(item, Run) else None
        if pending is None:
            yield item
    return pending


def _is_within(cache: ShapeCache, part: ShapeCache) -> bool:
    """Whether one reader of both parts would have reached no limit."""
    events, texts = cache.events + part.events, cache.texts + len(part.kinds)
    together = ShapeCache(events=events, texts=texts, bytes=cache.bytes)
    return together.allows_events(0) and together.allows_texts(0)


def _read(span: tuple[str, int, int]) -> Read | None:
    """The items of a span, None if they are too many to send."""
    reader = Reader(_blocks(*span))
    items: list[Item] = []
    size = 0
    for item in reader:
        items.append(item)
        size += item.size if isinstance(item, Dump) else len(item.text) if isinstance(item, Event) else 0
        if len(items) > _ITEMS or size > _BYTES:
            return None
    reader.cache.bytes = reader.offset
    reader.cache.similar.clear()  # not worth sending
    return None if reader.account.counted else (items, reader.account, reader.cache)


def _blocks(path: str, start: int, stop: int) -> Iterator[bytes]:
    with open(path, "rb", buffering=0) as file:
        file.seek(start)
        while start < stop and (block := file.read(min(_BLOCK, stop - start))):
            start += len(block)
            yield block


def _send(sender: "Connection", spans: list[tuple[str, int, int]], others: "list[Connection]") -> None:
    """Reads spans and sends each as soon as it is asked for; what a process of its own does.

    Args:
        sender: where to.
        spans: path, start and stop of each.
        others: ends of pipes that the process got by a fork and does not need.
    """
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for other in others:
        other.close()
    with contextlib.suppress(BrokenPipeError):  # nobody wants them any more
        for span in spans:
            sender.send(_read(span))


def _received(receiver: "Connection") -> Read | None:
    """The next span that a process has read, None if that process ended."""
    try:
        read: Read | None = receiver.recv()
    except (EOFError, ConnectionResetError):
        return None
    return read


def cores() -> int:
    """How many processes can run at once."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
