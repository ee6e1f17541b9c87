"""A trace's bytes -> its items in file order: records (`folding`), dumps, and what is neither.

`Reader` reads blocks, frames them with patterns made from the terminals of `grammars/trace.lark`, and passes over the
rows of a dump that stands in one piece (`dumps`). Records that tell nothing one by one are folded into runs (`runs`).

Nothing about text raises. Every byte is counted as record, dump, blank or foreign (`Account`).
"""

import re
from collections.abc import Container, Iterable, Iterator
from typing import TYPE_CHECKING, cast

from tracelens.libssh2.events import Event
from tracelens.reader.buffer import LINE_KEPT
from tracelens.reader.dumps import KEPT, Dump, Layout
from tracelens.reader.partial_dumps import row_length
from tracelens.reader.patterns import decoded
from tracelens.reader.records import Folding, Item
from tracelens.reader.repeats import Run
from tracelens.reader.stats import FOREIGN_KEPT, LIKE, TITLES_KEPT, Account

if TYPE_CHECKING:
    from tracelens.reader.bulk import Lines

# What was found in so many bytes is handed on together: reading and what follows it take turns less often, which keeps
# the processor's caches warm.
_TOGETHER = 1 << 15
# A program's prefix is shorter than this.
_PREFIX_KEPT = 500
# A dump is given up as cut when its next row does not follow within so many bytes of what came in between.
_ROW_MAY_FOLLOW = 4000
_UNKNOWN = "unknown.unknown"
_BLANK = re.compile(rb"[\r\n]+(?<=\n)")


class Reader(Folding):
    """Iterates over the items of a trace, once.

    Args:
        chunks: the input's bytes, decompressed, in an ASCII-compatible encoding (`source.decoded`).
        fold: whether records that tell nothing one by one are folded into runs.
        seen: what was seen in earlier parts of the same input.
        bulk_from: how many bytes must have come before whole lines are read in bulk (`bulk`).

    `account` is complete when the iteration is. Damage of the input is raised when all before it has been given.
    """

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
        if counted := self._counted_as(_UNKNOWN, b"", text):
            self._add_to_run(counted, self._line, None, text)
        else:
            self._flush_run()
            self._out.append(Event(self._line, None, "Unknown", _UNKNOWN, {}, text))
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
