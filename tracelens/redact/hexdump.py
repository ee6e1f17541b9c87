"""A dump with its rows as they were written, so that other bytes can stand in their places."""

from msgspec import Struct

from tracelens.reader.dumps import KEPT, ROW, SHORT, Dump, Layout, kind_of
from tracelens.reader.patterns import patterns
from tracelens.ssh.wire import StringSpan


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


class Hexdump:
    """A dump, with its rows as they were written.

    `title` is all of the title up to its size, `digits` the size as printed, `title_end` what follows;
    `kind` is the buffer: "plain", "plain2", "raw" or "send"; `direction` says whether it was received ("in") or sent
    ("out"). `ending` ends its lines; `block` is the rows' text where they stand in one piece; `rows` are they
    one by one. `spans` are the strings of the packet that begins in it, when they were looked for.
    """

    __slots__ = (
        "_decoded", "block", "digits", "direction", "ending", "kind", "layout", "name", "number", "rows", "size",
        "spans", "title", "title_end",
    )  # fmt: skip

    def __init__(self, number: int, title: bytes, digits: bytes, title_end: bytes, name: str) -> None:
        self.number = number
        self.title = title
        self.digits = digits
        self.title_end = title_end
        self.name = name
        self.kind = kind_of(name)
        self.direction = "in" if "_read" in name else "out"
        self.size = int(digits)
        self.ending = b""
        self.block = b""
        self.layout: Layout | None = None
        self.rows: list[Row] = []
        self.spans: list[StringSpan] | None = None
        self._decoded = (b"", b"")  # a block or the digits of the only row, and the bytes that they show

    @property
    def next(self) -> int:
        """The offset of the row that is due."""
        return len(self.rows) * ROW

    def data(self) -> bytes:
        """The bytes that its rows show, up to the first hole."""
        if self.layout is not None:
            block, shown = self._decoded
            if block is not self.block:
                short = self.layout.bytes_of(self.block, self.size) if self.size <= SHORT else None
                shown = Dump(0, None, self.name, self.size, self.block, self.layout).data() if short is None else short
                self._decoded = self.block, shown
            return shown
        rows = self.rows
        if len(rows) == 1:  # cut off: there are as many as one likes
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

    def dump(self, line: int, time: float | None) -> Dump:
        """The dump as sessions take it."""
        if self.layout is not None and (self.size > SHORT or len(self.data()) < self.size):
            return Dump(line, time, self.name, self.size, self.block, self.layout)
        return Dump(line, time, self.name, self.size, self.data(), None)

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
