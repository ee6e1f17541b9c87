"""A dump with its rows as they were written, and how to put other bytes in their exact places."""

import re
from collections.abc import Callable

from msgspec import Struct

from tracelens.reader.dumps import KEPT, ROW, Dump, Layout
from tracelens.reader.patterns import patterns
from tracelens.redact.remnants import LEFT_OUT
from tracelens.ssh.wire import StringSpan

# Start, stop, replacement; places count from the packet's first byte.
Edit = tuple[int, int, bytes]

_PRINTABLE = bytes(b if 0x20 <= b < 0x7F else 0x2E for b in range(256))
_PAIR = re.compile(rb"[0-9A-Fa-f]{2}")
_ZEROS = re.compile(rb"\0{32,}")
_COLUMN = re.compile(rb" *: ?")
_DOT = b"."[0]
_templates: dict[bytes, bytes] = {}


class Row(Struct, gc=False):
    """One row of a dump: a program's prefix, label, hex digits, the column of characters, the line's end."""

    before: bytes
    offset: int
    label: bytes
    pairs: bytes
    column: bytes
    end: bytes
    rewritten: bytes | None = None  # what replaces it

    @property
    def text(self) -> bytes:
        """The row as it will be written."""
        if self.rewritten is not None:
            return self.rewritten
        return self.before + self.label + self.pairs + self.column + self.end

    def is_whole(self, size: int) -> bool:
        """Whether it shows as many pairs and as many characters as a dump of this size has there."""
        column = _COLUMN.match(self.column)
        due = max(min(ROW, size - self.offset), 0)
        return len(self.pairs.split()) == due and column is not None and len(self.column) - column.end() == due


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
        self.spans: list[StringSpan] | None = None
        self._decoded = (b"", b"")  # a block or the digits of the only row, and the bytes that they show

    @property
    def next(self) -> int:
        """The offset of the next row."""
        return len(self.rows) * ROW

    def data(self, start: int = 0, stop: int | None = None) -> bytes:
        """The bytes that its rows show from `start` up to `stop`, or up to the first hole."""
        data = self._decode()
        return data if not start and stop is None else data[start:stop]

    def _decode(self) -> bytes:
        if self.layout is not None:
            block, data = self._decoded
            if block is not self.block:
                data = Dump(0, None, self.title, self.size, self.block, self.layout).data()
                self._decoded = self.block, data
            return data
        rows = self.rows
        if len(rows) == 1:  # truncated dumps: input can contain any number, so cache the decode
            digits, data = self._decoded
            if digits is not rows[0].pairs:
                digits = rows[0].pairs
                data = bytes.fromhex(digits.decode("ascii"))[: min(ROW, self.size)]
                self._decoded = digits, data
            return data
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


def hexed(data: bytes) -> bytes:
    """The hex digits of a row as libssh2 prints them, padded to their full width."""
    left, right = data[:8].hex(" ").upper(), data[8:].hex(" ").upper()
    return f"{left}  {right}".ljust(49).encode() if right else left.ljust(49).encode()


def row_text(offset: int, data: bytes, end: bytes) -> bytes:
    """A whole row."""
    return b"%04x: %s: %s%s" % (offset, hexed(data), data.translate(_PRINTABLE), end)


def render(dump: Hexdump) -> bytes:
    """The title, and the rows of a dump with a layout."""
    return dump.head + dump.digits + dump.title_end + dump.block


def blank(dump: Hexdump) -> None:
    """Sets all its bytes to 0."""
    if dump.layout is not None:
        replace(dump, bytes(dump.size))
        return
    for row in dump.rows:
        _put(row, b"")


def blank_row(row: Row) -> None:
    """Sets the bytes of one row to 0."""
    _put(row, b"")


def replace(dump: Hexdump, data: bytes) -> None:
    """Replaces its bytes; those that `data` does not cover become 0. A dump with a layout needs all of them."""
    layout, block = dump.layout, dump.block
    if layout is None:
        for written in dump.rows:
            _put(written, data[written.offset : written.offset + ROW])
        return
    last = (dump.size - 1) // ROW
    tail = block[layout.length(dump.size) :]
    starts, row = layout.start, 0
    out: list[bytes] = []
    zeros = _ZEROS.finditer(data) if not layout.prefix else iter(())
    run = next(zeros, None)
    while row <= last:
        if run is not None and -(-run.start() // ROW) <= row:
            stop = min(run.end() // ROW, last)
            if stop > row:
                out.append(_template(dump.ending, starts(stop), stop)[starts(row) : starts(stop)])
                row = stop
            run = next(zeros, None)
            continue
        begin = starts(row)
        out += (
            block[begin : begin + layout.prefix],
            row_text(row * ROW, data[row * ROW : row * ROW + ROW], dump.ending if row < last else tail),
        )
        row += 1
    dump.block = b"".join(out)


def resize(dump: Hexdump, data: bytes, size: int) -> None:
    """Replaces the bytes of a dump by another number of bytes.

    Args:
        dump: the dump; its rows become more or fewer, and its title says the new size.
        data: the bytes to show.
        size: how many there are; more than shown where the trace does not show all, or lacks rows.

    All rows of a dump with a layout end as its title does.
    """
    layout = dump.layout
    if layout is not None and not layout.prefix:
        tail, last = dump.block[layout.length(dump.size) :], -(-size // ROW) - 1
        lines = (_line(number, data, dump.ending if number < last else tail) for number in range(last + 1))
        dump.block = b"".join(lines)
    else:
        dump.unfold()
        _resize_rows(dump, data, size)
        if layout is not None:
            dump.block = b"".join(row.text for row in dump.rows)
            dump.rows = []
    dump.digits, dump.size = b"%d" % size, size


def _resize_rows(dump: Hexdump, data: bytes, size: int) -> None:
    """Rewrites the rows one by one; rows that are new follow the last one."""
    rows, ending = dump.rows, dump.ending
    complete = len(rows) * ROW >= dump.size
    wanted = -(-size // ROW) if complete else -(-len(data) // ROW)
    for number, row in enumerate(rows):
        end = row.end if row is not rows[-1] else ending or row.end
        end = rows[-1].end if number == wanted - 1 else end
        row.rewritten = row.before + _line(number, data, end) if number < wanted else b""
    for number in range(len(rows), wanted if rows else 0):
        end = rows[-1].end if number == wanted - 1 else ending or rows[-1].end
        rows[-1].rewritten = (rows[-1].rewritten or b"") + rows[-1].before + _line(number, data, end)


def _line(number: int, data: bytes, end: bytes) -> bytes:
    part = data[number * ROW : number * ROW + ROW]
    return row_text(number * ROW, part, end) if part else b"%04x: %s" % (number * ROW, end)


def _put(row: Row, data: bytes) -> None:
    """Replaces the bytes of a row, as many as it shows."""
    digits = iter(data.hex().upper().encode()[i : i + 2] for i in range(0, 2 * len(data), 2))
    pairs = _PAIR.sub(lambda _: next(digits, b"00"), row.pairs)
    if row.column.strip() and not _has_column(row):
        row.column = LEFT_OUT
    column = _COLUMN.match(row.column)
    if column is not None and _has_column(row):
        characters = data.translate(_PRINTABLE)
        rest = len(row.column) - column.end()
        row.column = row.column[: column.end()] + (characters + b"." * rest)[:rest]
    row.pairs = pairs


def _has_column(row: Row) -> bool:
    return bool(row.pairs) and _COLUMN.match(row.column) is not None


def contradictions(dump: Hexdump, most: int) -> int:
    """How many of the rows in its first bytes show characters that their hex digits do not."""
    count = 0
    data, layout = dump.data(0, most), dump.layout
    for at in range(0, len(data), ROW):
        due = data[at : at + ROW].translate(_PRINTABLE)
        if layout is not None:
            begin = layout.column(at // ROW)
            shown = dump.block[begin : begin + len(due)]
        else:
            column = _COLUMN.match(dump.rows[at // ROW].column)
            shown = due if column is None else dump.rows[at // ROW].column[column.end() :]
        count += shown != due and _contradicts(shown.translate(_PRINTABLE), due)
    return count


def _contradicts(shown: bytes, due: bytes) -> bool:
    return any(a not in (b, _DOT) for a, b in zip(shown, due, strict=False))


def _template(end: bytes, length: int, rows: int) -> bytes:
    """Rows of zeros."""
    known = _templates.get(end, b"")
    if len(known) < length:
        many = max(rows, 4096)
        known = _templates[end] = b"".join(row_text(n * ROW, bytes(ROW), end) for n in range(many))
    return known


def edited(data: bytes, edits: list[Edit]) -> bytes:
    """The bytes after the edits, which do not overlap."""
    out: list[bytes] = []
    done = 0
    for start, stop, new in sorted(edits):
        if start >= len(data):
            break
        # A secret that is cut off stays cut off.
        out += (data[done:start], new if stop <= len(data) else new[:1])
        done = stop
    return b"".join([*out, data[done:]])


def apply(dumps: list[Hexdump], edits: list[Edit], leave_out: Callable[[bytes], bytes]) -> None:
    """Applies the edits to the one or two dumps of a packet.

    Args:
        dumps: first `plain`, then `plain2` if there is one.
        edits: in places of the packet.
        leave_out: masks lines between rows that are no rows.
    """
    base = 0
    for dump in dumps:
        here = []
        for start, stop, new in edits:
            if base <= start < base + dump.size:
                here.append((start - base, min(stop - base, dump.size), new))
            elif start < base < stop:
                here.append((0, min(stop - base, dump.size), b""))
        base += dump.size
        data = dump.data()
        if dump.layout is not None and len(data) < dump.size:
            dump.unfold()
            for row in dump.rows:
                if not _has_column(row):
                    row.column = leave_out(row.column)
            if not here:
                replace(dump, data)
                dump.block = b"".join(row.text for row in dump.rows)
                dump.rows = []
                continue
            _rewrite(dump, data, here)
            dump.block = b"".join(row.text for row in dump.rows)
            dump.rows = []
        elif here or dump.layout is None:
            _rewrite(dump, data, here)


def _rewrite(dump: Hexdump, data: bytes, edits: list[Edit]) -> None:
    size = dump.size + sum(len(new) - (stop - start) for start, stop, new in edits)
    new = edited(data, edits)
    if size == dump.size:
        replace(dump, new)
    else:
        resize(dump, new, size)
