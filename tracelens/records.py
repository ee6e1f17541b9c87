"""A trace's bytes -> its records and dumps, in file order: the bulk path.

`Reader` reads blocks, frames them with patterns made from the terminals of `grammars/trace.lark`, and passes over the
rows of a dump that stands in one piece (`dumps`). Records that tell nothing one by one are folded into runs (`runs`).

Nothing about text raises. Every byte is counted as record, dump, blank or foreign (`Account`).
"""

import re
from collections.abc import Container, Iterable, Iterator
from typing import TYPE_CHECKING, cast

from msgspec import Struct
from msgspec.structs import replace

from tracelens import events
from tracelens.account import COUNTED, FOREIGN_KEPT, LIKE, SHAPES_DATED, TITLES_KEPT, UNKNOWN, UNREAD, Account, Seen
from tracelens.blocks import LINE_KEPT, Blocks
from tracelens.dumps import KEPT, Dump, Layout
from tracelens.framing import DIGITS, decoded, patterns
from tracelens.opendumps import OpenDumps, row_length
from tracelens.runs import DATA, EAGAIN, FAILURE, FOLDED, POLLS, TYPED, Retry, Run

if TYPE_CHECKING:
    from tracelens.bulk import Lines, Shapes

__all__ = ["Account", "Dump", "Item", "Reader", "Record", "Retry", "Run", "read"]

_TEXT_KEPT = 1 << 16
# What was found in so many bytes is handed on together: reading and what follows it take turns less often, which keeps
# the processor's caches warm.
_TOGETHER = 1 << 15
# numpy takes longer to import than this many bytes take without it.
_BULK_FROM = 1 << 20
# Bytes that a bulk read looks at: before it knows how far it comes, and at most, which the processor's cache holds.
_SMALL, _WINDOW = 1 << 12, 1 << 17
# So many records are folded one by one before a bulk read is worth trying, and so many make one worth it.
_PATIENCE, _WORTH = 16, 64
# Texts that end in what the peer sent, newlines and all: lines after them that are no record belong to them.
_CONTINUES = (
    b"Userauth: Banner: ", b"Transport: Disconnect", b"Transport: Debug Packet", b"SCP: got", b"SCP: Sent ",
    b"Conn: starting request",
)  # fmt: skip
_CONTINUED_LINES = 40
# A program's prefix is shorter than this.
_PREFIX_KEPT = 500
# A dump is given up as cut when its next row does not follow within so many bytes of what came in between.
_ROW_MAY_FOLLOW = 4000
_UNKNOWN = "unknown.unknown"
_NEW = ("", False)
_NEWLINE = 10
_BLANK = re.compile(rb"[\r\n]+(?<=\n)")


class Record(Struct, frozen=True):
    """One line of text from libssh2.

    `time` is in seconds on the trace's own clock, None where the line has none; `line` is 1-based in the decompressed
    input; `text` is what follows "Context: ". `context` is "Unknown" where the line was cut before its context ended.
    """

    line: int
    time: float | None
    context: str
    text: str


Item = Record | Dump | Run


class Reader(Blocks):
    """Iterates over the items of a trace, once.

    Args:
        chunks: the input's bytes, decompressed, in an ASCII-compatible encoding (`source.decoded`).
        fold: whether records that tell nothing one by one are folded into runs.
        seen: what was seen in earlier parts of the same input.
        bulk_from: how many bytes must have come before whole lines are read in bulk (`bulk`).

    `account` is complete when the iteration is. Damage of the input is raised when all before it has been given.
    """

    def __init__(
        self, chunks: Iterable[bytes], *, fold: bool = True, bulk_from: int = _BULK_FROM, seen: "Seen | None" = None
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

    def __iter__(self) -> Iterator[Item]:
        return cast(Iterator[Item], self._items())

    def with_lines(self, but: Container[str]) -> "Iterator[Item | Lines]":
        """Iterates with records in bulk where they come so; those of the events named in `but` come one by one."""
        self._but = but
        return self._items()

    def _items(self) -> "Iterator[Item | Lines]":
        record_at, title_at, out, account = self._at.record.match, self._at.title.match, self._out, self.account
        due = 0
        while True:
            if out and (done := account.record_bytes + account.dump_bytes) > due:
                yield from out
                out.clear()
                due = done + _TOGETHER
            while self._streak >= self._due and self._bulk_from <= account.bytes and self._may_transfer():
                yield from out
                out.clear()
                yield from self._transfer()
            if self._line_start and not self._open and (self._but is None or self._run is not None):
                self._whole_lines()
            buffer, pos = self._buffer, self._pos
            if pos >= len(buffer):
                if self._more():
                    continue
                break
            found = record_at(buffer, pos)
            if found is not None:
                if found.end() + 2 >= len(buffer) and found.end() - pos < LINE_KEPT and self._more():
                    continue
                if self._open:
                    while self._pos + _ROW_MAY_FOLLOW > len(self._buffer) and self._more():
                        pass
                    out += self._open.interrupted(self._buffer[self._pos : self._pos + _ROW_MAY_FOLLOW])
                    found = record_at(self._buffer, self._pos) or found
                self._record(found)
                continue
            found = title_at(buffer, pos)
            if found is not None:
                if found.end() + 4 >= len(buffer) and self._more():
                    continue
                self._dump(found)
                continue
            if self._line_start and (blank := _BLANK.match(buffer, pos)) is not None:
                account.blank_bytes += blank.end() - pos
                self._line += buffer.count(b"\n", pos, blank.end())
                self._pos = blank.end()
                continue
            if not self._line_at_hand() and self._more():
                continue
            self._other()
        self._flush_run()
        account.cut_at_end |= bool(self._open)
        out += self._open.give_up()
        yield from out
        self._finish()
        if self._damage is not None:
            raise self._damage

    def _finish(self) -> None:
        account = self.account
        account.last_line_open = bool(account.bytes) and not self._line_start
        account.lines = self._line if account.last_line_open else self._line - 1
        account.add(Account(last_line_open=account.last_line_open))

    # -- records ---------------------------------------------------------------------------------------------------

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

    def _whole_lines(self) -> None:
        """Reads on while there are records with a clock, a line each, whose like has come before: `_record` in short.

        It stops where a bulk read is worth trying.
        """
        buffer, pos, line, account = self._buffer, self._pos, self._line, self.account
        record_at, kinds, stop = self._at.record.match, self.seen.kinds, len(buffer) - 2
        bulk = self._bulk_from <= account.bytes
        run, streak, due = self._run, self._streak, self._due if bulk else stop
        begin, time, last = pos, self._time, None
        while streak < due:
            found = record_at(buffer, pos)
            if found is None or (end := found.end()) >= stop or buffer[end] != _NEWLINE:
                break
            clock, whole, context, text = found.group(1, 2, 3, 4)
            if clock is None:
                break
            if whole.endswith(b"\r"):
                whole, text = whole.rstrip(b"\r"), (text or b"").rstrip(b"\r")
            shape = whole if context == b"Failure Event" else whole.translate(None, DIGITS)
            kind, folded = kinds.get(shape, _NEW)
            said = ""
            if not folded or not self._fold or (kind == TYPED and not DATA.search(whole)):
                if self._but is not None or whole.startswith(_CONTINUES):
                    break
                self._pos = end + 1
                if not kind and (not self._fold or self.seen.reads(self.offset)):
                    break
                said = decoded(text)
                kind = self._counted_as(kind or UNREAD, whole, said)
                if not kind:
                    if run is not None:
                        run.last_text = run.last_text if last is None else decoded(last)
                        self._out.append(run)
                        run, last, streak = None, None, 0
                    time = float(clock)
                    self._out.append(Record(line, time, context.decode(), said))
                    pos, line = end + 1, line + 1
                    continue
            else:
                streak += 1
                if bulk and shape not in self._taught:
                    self._learn(shape, buffer[pos:end], whole, context, kind)
            time = float(clock)
            message = decoded(text).partition(" - ")[2] if kind == FAILURE else ""
            if run is None:
                run = Run(line, time, line, time)
            elif run.begins_anew(kind, time, message):
                run.last_text = run.last_text if last is None else decoded(last)
                self._out.append(run)
                run, streak = Run(line, time, line, time, anew=True), 0
            elif run.waiting is not None:
                run.pause(time)
                run.waiting = None
            run.counts[kind] = run.counts.get(kind, 0) + 1
            run.last_line, run.ended = line, time
            if kind not in POLLS:
                run.moved = time
            if kind == FAILURE:
                run.retried(message, line)
            last, pos, line = text or b"", end + 1, line + 1
        if run is not None and last is not None:
            run.last_text = decoded(last)
        account.records += line - self._line
        account.record_bytes += pos - begin
        self._run, self._streak = run, streak
        self._pos, self._line, self._time = pos, line, time

    def _learn(self, shape: bytes, line: bytes, whole: bytes, context: bytes, kind: str) -> None:
        """Teaches the bulk reading a line, once it is at work; small traces do without it."""
        if self.account.bytes < self._bulk_from or shape in self._taught:
            return
        if self._shapes is None:
            from tracelens.bulk import Shapes

            self._shapes = Shapes()
        self._taught.add(shape)
        self._shapes.learn(line, whole, context.decode(), kind, numbers=self._but is None)

    def _record(self, found: re.Match[bytes]) -> None:
        clock, whole, context, text = found.group(1, 2, 3, 4)
        pos, line = found.end(), self._line
        if whole.endswith(b"\r"):
            whole, text = whole.rstrip(b"\r"), (text or b"").rstrip(b"\r")
        if whole.startswith(_CONTINUES):
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
        kind, folded = self.seen.kinds.get(shape) or self._kind(context.decode(), decoded(text), shape)
        if folded and self._fold and not (kind == TYPED and not DATA.search(whole)):
            self._streak += 1
            if alone and self._line_start and time is not None:
                self._learn(shape, buffer[begin : pos - 1], whole, context, kind)
            self._add_to_run(kind, line, time, decoded(text))
            return
        if self._but is not None and kind not in self._but and alone and self._line_start and time is not None:
            self._streak += 1
            if not whole.startswith(_CONTINUES):
                self._learn(shape, buffer[begin : pos - 1], whole, context, kind)
        said = decoded(text)
        self._tell(self._counted_as(kind, whole, said), Record(line, time, context.decode(), said))

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

    def _tell(self, counted: str, record: Record) -> None:
        """The record, or no more than its count where there are too many."""
        if counted:
            self._add_to_run(counted, record.line, record.time, record.text)
            return
        if self._run is not None:
            self._flush_run()
        self._out.append(record)

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

    def _kind(self, context: str, text: str, shape: bytes) -> tuple[str, bool]:
        """The event name of records of this shape, and whether they are folded."""
        account = self.account
        if self._fold and not self.seen.reads(self.offset):
            return UNREAD, False
        self.seen.read += 1
        name, fields = events.parse(context, text)
        account.contexts.add(context)
        if len(account.shapes) < SHAPES_DATED:
            account.shapes.setdefault((context, shape), text)
        folded = name in FOLDED or (name == FAILURE and fields["code"] == EAGAIN)
        self.seen.remember(shape, name, folded)
        return name, folded

    def _add_to_run(self, kind: str, line: int, time: float | None, text: str) -> None:
        run = self._run
        message = text.partition(" - ")[2] if kind == FAILURE else ""
        anew = run is not None and run.begins_anew(kind, time, message)
        if anew:
            self._flush_run()
            run = None
        if run is None:
            run = self._run = Run(line, time, line, time, anew=anew)
        elif time is not None:
            run.pause(time)
        run.counts[kind] = run.counts.get(kind, 0) + 1
        run.last_line, run.last_text, run.waiting = line, text, None
        if time is not None:
            run.ended = time
            if kind not in POLLS:
                run.moved = time
        if kind == FAILURE:
            run.retried(message, line)

    def _flush_run(self) -> None:
        run, self._run = self._run, None
        self._streak = 0
        if run is not None:
            self._out.append(run)

    # -- dumps -----------------------------------------------------------------------------------------------------

    def _dump(self, found: re.Match[bytes]) -> None:
        title, size = found.group(1).decode(), int(found.group(2))
        buffer, at = self._buffer, found.end()
        end = at
        while end < at + 4 and buffer[end : end + 1] in (b"\r", b"\n"):
            end += 1
        line_end = buffer[at:end]
        layout = Layout(self._prefix_length(), len(line_end))
        whole = 0 < size <= KEPT
        if whole:
            text_end = end + layout.length(size)
            if text_end + len(line_end) > len(buffer) and self._may_be_whole(end, layout, size) and self._more():
                return  # again, with the whole dump in the buffer
            closed = buffer[text_end : text_end + len(line_end)] == line_end
            whole = text_end <= len(buffer) and layout.fits(buffer, end, size) and (closed or text_end == len(buffer))
        if len(self.account.titles) < TITLES_KEPT:
            self.account.titles[title] = None
        self._flush_run()
        self._out += self._open.give_up()
        self.account.dumps += 1
        newlines = line_end.count(b"\n")
        if whole:
            self._out.append(Dump(self._line, self._time, title, size, buffer[end:text_end], layout))
            stop = text_end + (len(line_end) if closed else 0)
            self._line += newlines * ((size - 1) // 16 + 1 + closed)
            self._line_start = newlines > 0 and closed
        else:
            self._out += self._open.open(self._line, self._time, title, size)
            newline = buffer.find(b"\n", at, at + 3)
            self._line_start = newline >= 0
            stop = newline + 1 if self._line_start else at
            self._line += self._line_start
        self.account.dump_bytes += stop - self._pos
        self._pos = stop

    def _may_be_whole(self, begin: int, layout: Layout, size: int) -> bool:
        """Whether the rows at hand stand where the size puts them, so that waiting for the rest is worth it."""
        second = begin + layout.start(1) + layout.prefix
        if size <= 16 or second + 6 > len(self._buffer):
            return not self._ended
        return self._buffer.startswith(b"0010: ", second)

    def _prefix_length(self) -> int:
        """How many characters a program put before this title on its line; its rows have as many."""
        reach = max(0, self._pos - _PREFIX_KEPT)
        start = self._buffer.rfind(b"\n", reach, self._pos) + 1
        before = self._buffer[max(start, reach) : self._pos]
        return 0 if len(before) == _PREFIX_KEPT or self._at.begin.search(before) else len(before)

    # -- all else --------------------------------------------------------------------------------------------------

    def _other(self) -> None:
        """One line, or the part of it before a record or a title: a row, a blank, a prefix, a foreign line."""
        buffer, pos = self._buffer, self._pos
        newline = self._line_stop()
        stop = len(buffer) if newline < 0 else newline
        if stop - pos > LINE_KEPT:
            stop, newline = pos + LINE_KEPT, -1
        begin = self._at.begin.search(buffer, pos, stop)
        if begin is not None and begin.start() == pos:
            self._damaged(pos, stop)
            return
        upto = stop if begin is None else begin.start()
        part = buffer[pos:upto]
        row = self._open.row_in(part) if self._open or self._line_start else None
        account = self.account
        if row is not None and self._open:
            taken = row_length(part, row)
            self._out += self._open.take(row)
            if part[taken:].strip():
                upto = pos + taken
            account.dump_bytes += upto - pos
        elif not part.strip():
            account.blank_bytes += len(part)
        elif self._line_start and (untagged := self._at.untagged.match(buffer, pos)) is not None:
            self._record(untagged)
            return
        elif row is not None and row.group(2) and part[row.end() : row.end() + 51].lstrip().startswith(b":"):
            account.dump_bytes += len(part)  # a dump's row whose title was cut off
        elif begin is not None:
            account.record_bytes += len(part)  # a program's prefix, or the end of what it printed without a newline
        else:
            account.foreign_bytes += len(part)
            account.foreign_lines += self._line_start
            if self._line_start and len(account.foreign) < FOREIGN_KEPT:
                account.foreign.append((self._line, decoded(part[:200])))
        self._pos = upto
        self._line_start = False
        if newline >= 0 and upto == newline:
            account.blank_bytes += 1
            self._line += 1
            self._line_start = True
            self._pos += 1

    def _damaged(self, pos: int, stop: int) -> None:
        """A tag that no known context follows: cut off, or printed by somebody else. Or an arrow that is no title."""
        found = self._at.rest.match(self._buffer, pos)
        end = min(stop, found.end()) if found is not None else pos + 3
        text = decoded(self._buffer[pos:end].rstrip(b"\r"))
        account = self.account
        account.records += 1
        account.cut_at_end |= end == len(self._buffer) and self._ended
        self._tell(self._counted_as(_UNKNOWN, b"", text), Record(self._line, None, "Unknown", text))
        self._line_start = self._buffer[end : end + 1] == b"\n"
        end += self._line_start
        self._line += self._line_start
        account.record_bytes += end - pos
        self._pos = end
        if self._fold and self.seen.like[_UNKNOWN] > LIKE and not self._open and self._run is not None:
            self._damaged_ones(self._run)

    def _damaged_ones(self, run: Run) -> None:
        """Reads on while there are nothing but tags that no known context follows: they are as many as one likes."""
        found = self._at.damaged.match(self._buffer, self._pos)
        if found is None:
            return
        text = found[0][: found[0].rfind(b"[libssh2]")]  # the last one may not be whole
        count = text.count(b"[libssh2]")
        if count == 0:
            return
        last = text[text.rfind(b"[libssh2]") :]
        lines = text.count(b"\n")
        run.counts[_UNKNOWN] = run.counts.get(_UNKNOWN, 0) + count
        run.last_line = self._line + lines - last.endswith(b"\n")
        run.last_text, run.waiting = decoded(last.rstrip(b"\r\n")), None
        self.seen.like[_UNKNOWN] += count
        self.account.records += count
        self.account.record_bytes += len(text)
        self._line += lines
        self._line_start = text.endswith(b"\n")
        self._pos += len(text)


def read(chunks: Iterable[bytes], *, fold: bool = True) -> Reader:
    """The items of a trace; see `Reader`."""
    return Reader(chunks, fold=fold)
