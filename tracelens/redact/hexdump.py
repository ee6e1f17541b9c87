"""A dump with its rows as they were written, so that other bytes can stand in their places."""

from msgspec import Struct

from tracelens.reader.dumps import KEPT, ROW, Dump, Layout
from tracelens.reader.patterns import patterns
from tracelens.ssh.wire import Span


class Row(Struct, gc=False):
    """One row of a dump: what a program put before it, label, hex digits, the column of characters, the line's end."""

    before: bytes
    offset: int
    label: bytes
    pairs: bytes
    column: bytes
    end: bytes
    rewritten: bytes | None = None  # what takes its place

    @property
    def text(self) -> bytes:
        """The row as it is to be written."""
        if self.rewritten is not None:
            return self.rewritten
        return self.before + self.label + self.pairs + self.column + self.end


class Hexdump(Dump):
    """A dump with its rows as they were written.

    `head` is all of the title up to its size, `digits` the size as printed, `title_end` what follows. `ending` ends
    its lines; `block` is the rows' text where `layout` says where each row is, else `rows` are the rows one by one.
    `spans` are the strings of the packet that begins in it, once they were searched for.
    """

    __slots__ = ("_decoded", "block", "digits", "ending", "head", "layout", "number", "rows", "spans", "title_end")

    def __init__(self, number: int, title: str, head: bytes, digits: bytes, title_end: bytes) -> None:
        super().__init__(0, None, title, int(digits), b"", None)
        self.number = number
        self.head = head
        self.digits = digits
        self.title_end = title_end
        self.ending = b""
        self.block = b""
        self.layout: Layout | None = None
        self.rows: list[Row] = []
        self.spans: list[Span] | None = None
        self._decoded = (b"", b"")  # a block or the digits of the only row, and the bytes that they show

    @property
    def next(self) -> int:
        """The offset of the row that is due."""
        return len(self.rows) * ROW

    def data(self, start: int = 0, stop: int | None = None) -> bytes:
        """The bytes that its rows show from `start` up to `stop`, or up to the first hole."""
        shown = self._shown()
        return shown if not start and stop is None else shown[start:stop]

    def _shown(self) -> bytes:
        if self.layout is not None:
            block, shown = self._decoded
            if block is not self.block:
                shown = Dump(0, None, self.title, self.size, self.block, self.layout).data()
                self._decoded = self.block, shown
            return shown
        rows = self.rows
        if len(rows) == 1:  # truncated dumps: input can contain any number, so cache the decode
            digits, shown = self._decoded
            if digits is not rows[0].pairs:
                digits = rows[0].pairs
                shown = bytes.fromhex(digits.decode("ascii"))[: min(ROW, self.size)]
                self._decoded = digits, shown
            return shown
        out = bytearray()
        for row in rows:
            due = min(ROW, self.size - row.offset)
            got = bytes.fromhex(row.pairs.decode("ascii"))[: max(due, 0)]
            out += got
            if len(got) < due or len(out) >= KEPT:
                break
        return bytes(out)

    def unfold(self) -> None:
        """Turns the block into rows."""
        if self.layout is None:
            return
        layout, block, last = self.layout, self.block, (self.size - 1) // ROW
        row_at = patterns().row.match
        for number in range(last + 1):
            stop = layout.start(number + 1) if number < last else len(block)
            line = block[layout.start(number) : stop]
            closed = number < last or len(line) > layout.length(self.size) - layout.start(last)
            end = line[len(line) - layout.end :] if closed and layout.end else b""
            before, body = line[: layout.prefix], line[layout.prefix : len(line) - len(end)]
            found = row_at(body)
            if found is not None and int(found.group(1), 16) == number * ROW:
                label, pairs = body[: found.start(2) if found.group(2) else found.end()], found.group(2) or b""
                self.rows.append(Row(before, number * ROW, label, pairs, body[found.end() :], end))
            else:
                self.rows.append(Row(before, number * ROW, b"", b"", body, end))
        self.layout, self.block = None, b""
