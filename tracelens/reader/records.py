"""The records of a trace: told one by one, or folded into runs where they tell nothing one by one."""

import re
from collections.abc import Container, Iterable, Iterator
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tracelens.libssh2 import events
from tracelens.libssh2.events import Event
from tracelens.libssh2.repeats import FAILURE, MULTILINE, SFTP_DATA, SFTP_PACKET, is_repeated
from tracelens.reader.buffer import Blocks
from tracelens.reader.dumps import Dump
from tracelens.reader.partial_dumps import OpenDumps
from tracelens.reader.patterns import DIGITS, decoded, patterns
from tracelens.reader.repeats import Run
from tracelens.reader.stats import COUNTED, SHAPES_DATED, UNKNOWN, UNREAD, Seen

if TYPE_CHECKING:
    from tracelens.reader.bulk import Lines, Shapes

_TEXT_KEPT = 1 << 16
# numpy takes longer to import than this many bytes take without it.
_BULK_FROM = 1 << 20
# Bytes that a bulk read looks at: before it knows how far it comes, and at most, which the processor's cache holds.
_SMALL, _WINDOW = 1 << 12, 1 << 17
# So many records are folded one by one before a bulk read is worth trying, and so many make one worth it.
_PATIENCE, _WORTH = 16, 64
_CONTINUED_LINES = 40


Item = Event | Dump | Run


class Folding(Blocks):
    """The part of a `Reader` that takes the lines of records. What it finds waits in `_out`, or in the open `_run`."""

    def __init__(
        self, chunks: Iterable[bytes], *, fold: bool = True, bulk_from: int = _BULK_FROM, seen: Seen | None = None
    ) -> None:
        super().__init__(chunks)
        self._fold = fold
        self._line = 1
        self._line_start = True
        self._time: float | None = None
        self._run: Run | None = None
        self._out: list[Item] = []  # what was found and is to be given next
        self.seen = seen or Seen()
        self._open = OpenDumps(self.account, self.seen, fold=fold)
        self._shapes: Shapes | None = None
        self._taught: set[bytes] = set()
        self._but: Container[str] | None = None  # events whose records are not given in bulk; None: none are
        self._bulk_from = bulk_from
        self._window = _SMALL  # how much the next bulk read looks at
        self._streak, self._due = 0, _PATIENCE  # records folded one by one since the last; how many it takes
        self._at = patterns()

    def _may_transfer(self) -> bool:
        return (self._run is not None or self._but is not None) and self._line_start and not self._open

    def _transfer(self) -> "Iterator[Lines]":
        """Reads on in bulk while whole lines are folded, or given in bulk: the same as `_record` does one by one."""
        buffer, begin = self._buffer, self._pos
        self._streak, self._due = 0, 1
        stop = buffer.rfind(b"\n", begin, begin + self._window) + 1
        if not stop:
            return
        block = buffer[begin:stop]
        if self._but is not None and not block.isascii():  # one by one it is seen how a text is encoded
            self._window, self._due = _SMALL, _PATIENCE
            return
        lines = self._shapes.read(block) if self._shapes is not None else None
        taken = 0
        if lines is not None:
            taken = len(lines) if self._run is None else lines.fold(self._run, self._line)
        if lines is not None and taken:
            lines = lines.upto(taken)
            if self._but is not None:
                yield replace(lines, first=self._line)
            self.account.records += taken
            self.account.record_bytes += lines.length
            self._pos, self._line, self._time = begin + lines.length, self._line + taken, float(lines.times[-1])
        # A window as large as what it is good for, whatever breaks the transfer.
        if self._pos == stop:
            self._window = min(2 * self._window, _WINDOW)
            self._due = 0
        else:
            self._window = min(max(2 * (self._pos - begin), _SMALL), _WINDOW)
            self._due = 1 if taken >= _WORTH else _PATIENCE

    def _learn(self, shape: bytes, line: bytes, whole: bytes, context: bytes, kind: str) -> None:
        """Teaches the bulk reading a line, once it is at work; small traces do without it."""
        if self.account.bytes < self._bulk_from or shape in self._taught:
            return
        if self._shapes is None:
            from tracelens.reader.bulk import Shapes

            self._shapes = Shapes()
        self._taught.add(shape)
        self._shapes.learn(line, whole, context.decode(), kind, numbers=self._but is None)

    def _record(self, found: re.Match[bytes]) -> None:
        clock, whole, context, text = found.group(1, 2, 3, 4)
        pos, line = found.end(), self._line
        if whole.endswith(b"\r"):
            whole, text = whole.rstrip(b"\r"), (text or b"").rstrip(b"\r")
        if whole.startswith(MULTILINE):
            size = pos - self._pos
            more = self._continued(size)
            pos = self._pos + size + more
            text = (text or b"") + self._buffer[pos - more : pos]
        begin = self._pos
        buffer = self._buffer
        while buffer[pos : pos + 1] == b"\r":
            pos += 1
        alone = self._line_start
        self._line_start = buffer[pos : pos + 1] == b"\n"
        if self._line_start:
            pos += 1
            self._line += 1
        self._pos = pos
        self.account.record_bytes += pos - begin
        self.account.records += 1
        time = None if clock is None else float(clock)
        if time is not None:
            self._time = time
        # The number of a Failure Event decides what it is; in all other texts the numbers do not.
        shape = whole if context == b"Failure Event" else whole.translate(None, DIGITS)
        said, area, parsed = decoded(text), context.decode(), None
        known = self.seen.kinds.get(shape)
        if known is not None:
            kind, folded = known
        elif self._fold and not self.seen.reads(self.offset):
            kind, folded = UNREAD, False
        else:
            parsed = events.parse(area, said)
            kind, folded = self._remember(shape, area, said, parsed)
        if folded and self._fold and not (kind == SFTP_PACKET and not SFTP_DATA.search(whole)):
            self._streak += 1
            if alone and self._line_start and time is not None:
                self._learn(shape, buffer[begin : pos - 1], whole, context, kind)
            self._add_to_run(kind, line, time, said)
            return
        if self._but is not None and kind not in self._but and alone and self._line_start and time is not None:
            self._streak += 1
            if not whole.startswith(MULTILINE):
                self._learn(shape, buffer[begin : pos - 1], whole, context, kind)
        if counted := self._counted_as(kind, whole, said):
            self._add_to_run(counted, line, time, said)
            return
        name, fields = parsed or events.parse(area, said)
        if self._run is not None:
            self._flush_run()
        self._out.append(Event(line, time, area, name, fields, said))

    def _counted_as(self, kind: str, whole: bytes, said: str) -> str:
        """As what a record is counted that is beyond the limits, empty where it is told.

        Args:
            kind: the event's name.
            whole: its context and text; empty where no grammar is to read it.
            said: its text.
        """
        if not self._fold:
            return ""
        if whole and kind != UNREAD and not self.seen.affords(whole, kind, self.offset):
            kind = UNREAD
        if self.seen.takes(kind, said if kind == FAILURE else kind, self.offset):
            return ""
        self.account.counted += not kind.endswith(UNKNOWN)
        return COUNTED if kind == FAILURE else kind

    def _continued(self, size: int) -> int:
        """How many bytes after the record's first `size` belong to it: its text is the peer's, newlines and all."""
        end = size
        if self._buffer[self._pos + size : self._pos + size + 1] not in (b"\n", b"\r"):
            return 0  # another record follows on the same line
        for _ in range(_CONTINUED_LINES):
            while self._pos + end + _TEXT_KEPT >= len(self._buffer) and self._more():
                pass
            newline = self._buffer.find(b"\n", self._pos + end)
            after = newline + 1
            if newline < 0 or after >= len(self._buffer):
                break
            stop = self._buffer.find(b"\n", after, after + _TEXT_KEPT)
            following = self._buffer[after : len(self._buffer) if stop < 0 else stop]
            at = self._at
            if not following.strip() or any(p.search(following) for p in (at.begin, at.untagged, at.row)):
                break
            end = after + len(following) - self._pos
            self._line += 1
        return end - size

    def _remember(self, shape: bytes, context: str, text: str, parsed: events.Parsed) -> tuple[str, bool]:
        """The event name of records of this shape, and whether they are folded."""
        account, (name, fields) = self.account, parsed
        self.seen.read += 1
        account.contexts.add(context)
        if len(account.shapes) < SHAPES_DATED:
            account.shapes.setdefault((context, shape), text)
        folded = is_repeated(name, fields)
        self.seen.remember(shape, name, folded)
        return name, folded

    def _add_to_run(self, name: str, line: int, time: float | None, text: str) -> None:
        run = self._run
        anew = run is not None and run.ends_before(name, time, text.partition(" - ")[2] if name == FAILURE else "")
        if anew:
            self._flush_run()
        if run is None or anew:
            run = self._run = Run(line, time, anew=anew)
        run.add(name, line, time, text)

    def _flush_run(self) -> None:
        run, self._run = self._run, None
        self._streak = 0
        if run is not None:
            self._out.append(run)
