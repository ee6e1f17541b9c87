"""A trace's bytes -> its tokens: records, dumps with their rows, and all other bytes.

The patterns are made from the terminals of `grammars/trace.lark`. What becomes of a token is up to the subclass: the
`Reader` makes items of them, redaction keeps their exact bytes. Nothing about text raises.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable

from tracelens.reader.buffer import PREFIX_KEPT, Buffer
from tracelens.reader.dumps import KEPT, ROW, Layout
from tracelens.reader.patterns import patterns

# A longer line is read in parts: a record's text has at most 1,535 bytes (libssh2's `_libssh2_debug_low`).
LINE_KEPT = 1 << 20
# A dump is incomplete when a record comes and its next row is not within so many bytes from there.
_ROW_MAY_FOLLOW = 4000
_AHEAD = 1 << 14
# At most so many bytes of lines that are no part of a trace are one token.
_OTHER_KEPT = 1 << 16
_BLANK = re.compile(rb"[\r\n]+(?<=\n)")
_COLUMN = re.compile(rb" *: ?")
TAG = b"[libssh2]"


class Framer(Buffer, ABC):
    """Cuts a trace into tokens.

    Each token calls one of the abstract methods, which must consume it: set `_pos` to where it ends.

    Args:
        chunks: the trace's bytes, decompressed, in an ASCII-compatible encoding (`inputs.read_text`).
    """

    def __init__(self, chunks: Iterable[bytes]) -> None:
        super().__init__(chunks)
        self._at = patterns()
        self._row_due = -1  # offset of the next row of the dump that is open, -1 if none is
        self._dump_size = 0
        self._dump_prefix = 0  # what a program put before its title, and before each row

    @abstractmethod
    def _record(self, found: re.Match[bytes]) -> None:
        """A record: its clock, "Context: text", context and text."""

    @abstractmethod
    def _whole_dump(self, title: re.Match[bytes], rows: int, stop: int, end: bytes, layout: Layout) -> None:
        """A dump whose rows are all in place; the dump that is open, if any, ends before it (`_end_dump`).

        Args:
            title: name and size.
            rows: where the rows begin.
            stop: where they end.
            end: what ends each line; the last one may lack it at the end of the input.
            layout: where each row is.
        """

    @abstractmethod
    def _open_dump(self, title: re.Match[bytes], stop: int) -> None:
        """A dump's title, up to `stop`, whose rows follow one by one; the dump that is open ends before it."""

    @abstractmethod
    def _row(self, row: re.Match[bytes], column: int, stop: int, *, is_due: bool) -> None:
        """A row while a dump is open.

        Args:
            row: its offset and hex digits; `row.string` is the line from this token on.
            column: where in it the row's column of characters ends.
            stop: where the token ends: after blanks and the newline if nothing else is on the line.
            is_due: whether it is the row that the open dump waits for.
        """

    @abstractmethod
    def _close_dump(self, *, cut: bool) -> None:
        """The open dump ends; `cut`: it lacks rows."""

    @abstractmethod
    def _damaged(self, stop: int) -> None:
        """Tags that no known context follows, or an arrow that begins no title."""

    @abstractmethod
    def _other_bytes(self, stop: int, *, prefix: bool) -> None:
        """Whole lines, or part of one; `prefix`: a record or title follows on the same line."""

    def _token(self) -> bool:
        """Reads the next token; False at the end of the input."""
        while len(self._buffer) - self._pos < _AHEAD and self._more():
            pass
        buffer, pos = self._buffer, self._pos
        if pos >= len(buffer):
            return False
        found = self._at.record.match(buffer, pos, pos + LINE_KEPT)
        if found is not None:
            if found.end() + 2 >= len(buffer) and found.end() - pos < LINE_KEPT and self._more():
                return True
            if self._row_due >= 0 and not self._row_follows(pos):
                self._end_dump(cut=True)
            self._record(found)
        elif (found := self._at.title.match(buffer, pos)) is not None:
            self._title(found)
        elif self._line_start and (blank := _BLANK.match(buffer, pos, pos + LINE_KEPT)) is not None:
            self._other_bytes(blank.end(), prefix=False)
        else:
            self._rest_of_line()
        return True

    # -- dumps -----------------------------------------------------------------------------------------------------

    def _end_dump(self, *, cut: bool) -> None:
        if self._row_due >= 0:
            self._row_due = -1
            self._close_dump(cut=cut)

    def _row_follows(self, pos: int) -> bool:
        """Whether the row that is due comes soon, before the next dump."""
        row = self._buffer.find(b"%04x: " % self._row_due, pos, pos + _ROW_MAY_FOLLOW)
        return row >= 0 and self._at.title.search(self._buffer, pos, row) is None

    def _title(self, found: re.Match[bytes]) -> None:
        size, at, buffer = int(found[2]), found.end(), self._buffer
        rows = at
        while rows < at + 4 and buffer[rows : rows + 1] in (b"\r", b"\n"):
            rows += 1
        end = buffer[at:rows]
        layout = Layout(self._prefix_length(), len(end))
        if 0 < size <= KEPT:
            stop = rows + layout.length(size)
            if stop + len(end) > len(buffer) and self._may_be_whole(rows, layout, size) and self._more():
                return  # again, with the whole dump in the buffer
            closed = buffer.startswith(end, stop) or stop == len(buffer)
            if stop <= len(buffer) and closed and self._fits(rows, layout, size):
                self._whole_dump(found, rows, stop, end, layout)
                return
        self._open_dump(found, buffer.find(b"\n", at, at + 3) + 1 or at)
        self._row_due, self._dump_size, self._dump_prefix = 0, size, layout.prefix
        if not size:
            self._end_dump(cut=False)

    def _fits(self, begin: int, layout: Layout, size: int) -> bool:
        """Whether the rows are where the size puts them: the first and the last one show it."""
        return layout.fits(self._buffer, begin, size)

    def _may_be_whole(self, begin: int, layout: Layout, size: int) -> bool:
        """Whether the second row is where the size puts it, so that reading up to the last row is worth it."""
        second = begin + layout.start(1) + layout.prefix
        if size <= ROW or second + 6 > len(self._buffer):
            return not self._ended
        return self._buffer.startswith(b"0010: ", second)

    def _prefix_length(self) -> int:
        """The length of what a program put before this title on its line; its rows have as much before them."""
        reach = max(0, self._pos - PREFIX_KEPT)
        start = self._buffer.rfind(b"\n", reach, self._pos) + 1
        before = self._buffer[max(start, reach) : self._pos]
        return 0 if len(before) == PREFIX_KEPT or self._at.begin.search(before) else len(before)

    def _row_in(self, part: bytes) -> re.Match[bytes] | None:
        """The row that part of a line contains: at its beginning, behind the title's prefix, or due behind any."""
        found = self._at.row.match(part)
        if found is None:
            due = part.find(b"%04x:" % self._row_due)
            if due >= 0 and (due == 0 or not part[due - 1 : due].isalnum()):
                found = self._at.row.match(part, due)
        if found is None and (prefix := self._dump_prefix) > 0 and not part[prefix - 1 : prefix].isalnum():
            found = self._at.row.match(part, prefix)
            found = found if found is not None and found[2] else None
        return found

    def _take_row(self, row: re.Match[bytes], newline: bool) -> None:
        """A row in part of a line, which the newline follows or does not."""
        part = row.string
        width = len(bytes.fromhex((row[2] or b"").decode("ascii")))
        found = _COLUMN.match(part, row.end())
        column = row.end() if found is None else min(len(part), found.end() + width)
        stop = self._pos + (column if part[column:].strip() else len(part) + newline)
        is_due = int(row[1], 16) == self._row_due
        self._row(row, column, stop, is_due=is_due)
        if is_due:
            self._row_due = self._row_after(self._row_due)
            if self._row_due >= min(self._dump_size, KEPT):  # only a size that is wrong is larger
                self._end_dump(cut=False)

    def _row_after(self, offset: int) -> int:
        """The offset of the row that is due after this one."""
        return offset + ROW

    # -- all other bytes -------------------------------------------------------------------------------------------

    def _rest_of_line(self) -> None:
        """One line, or the part of it before a record or a title: a row, a prefix, words of a program."""
        newline = self._line_stop()
        if newline < 0 and len(self._buffer) - self._pos <= LINE_KEPT and self._more():
            return
        buffer, pos = self._buffer, self._pos
        stop = min(len(buffer) if newline < 0 else newline, pos + LINE_KEPT)
        begin = self._at.begin.search(buffer, pos, stop)
        if begin is not None and begin.start() == pos:
            self._damaged(self._damaged_stop(pos, stop))
            return
        upto = stop if begin is None else begin.start()
        part, ends = buffer[pos:upto], upto == newline
        row = self._row_in(part) if self._row_due >= 0 else None
        if row is not None:
            self._take_row(row, ends)
        elif self._line_start and (untagged := self._at.untagged.match(buffer, pos, stop)) is not None:
            self._record(untagged)
        elif ends and self._row_due < 0 and self._line_start:
            self._other_bytes(self._other_lines(newline + 1), prefix=False)
        else:
            self._other_bytes(upto + ends, prefix=begin is not None)

    def _damaged_stop(self, pos: int, stop: int) -> int:
        """The end of a series of damaged tags; hostile input can contain any number of them."""
        series = self._at.damaged.match(self._buffer, pos)
        end = self._buffer.rfind(TAG, pos, series.end()) if series is not None else pos
        if end > pos:  # the last one may not be complete
            return end
        found = self._at.rest.match(self._buffer, pos, stop)
        return found.end() if found is not None else min(stop, pos + 3)

    def _other_lines(self, stop: int) -> int:
        """The end of the whole lines from `stop` on that are no part of a trace either."""
        buffer, begins, untagged = self._buffer, self._at.begin.search, self._at.untagged.match
        most = min(len(buffer), stop + _OTHER_KEPT)
        while (newline := buffer.find(b"\n", stop, most)) >= 0:
            if begins(buffer, stop, newline) is not None or untagged(buffer, stop, newline) is not None:
                break
            stop = newline + 1
        return stop
