"""The rows of a dump with other bytes in them, in the very places where the old ones stood."""

import re
from collections.abc import Callable

from tracelens.reader.dumps import ROW
from tracelens.redact.hexdump import Hexdump, Row

# Offset, stop, what takes their place; places count from the packet's first byte.
Edit = tuple[int, int, bytes]

_PRINTABLE = bytes(b if 0x20 <= b < 0x7F else 0x2E for b in range(256))
_PAIR = re.compile(rb"[0-9A-Fa-f]{2}")
_ZEROS = re.compile(rb"\0{32,}")
_COLUMN = re.compile(rb" *: ?")
_templates: dict[bytes, bytes] = {}


def hexed(data: bytes) -> bytes:
    """The hex digits of a row as libssh2 prints them, padded to their full width."""
    left, right = data[:8].hex(" ").upper(), data[8:].hex(" ").upper()
    return f"{left}  {right}".ljust(49).encode() if right else left.ljust(49).encode()


def row_text(offset: int, data: bytes, end: bytes) -> bytes:
    """A whole row."""
    return b"%04x: %s: %s%s" % (offset, hexed(data), data.translate(_PRINTABLE), end)


def render(dump: Hexdump) -> bytes:
    """The title, and the rows where they stand in one piece."""
    return dump.head + dump.digits + dump.title_end + dump.block


def blank(dump: Hexdump) -> None:
    """Sets all bytes that it shows to 0."""
    if dump.layout is not None:
        replace(dump, bytes(dump.size))
        return
    for row in dump.rows:
        _put(row, b"")


def blank_row(row: Row) -> None:
    """Sets the bytes of one row to 0."""
    _put(row, b"")


def replace(dump: Hexdump, data: bytes) -> None:
    """Puts other bytes in the place of those that it shows; what `data` does not cover becomes 0.

    Where the rows stand in one piece `data` has them all.
    """
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
    """Puts bytes of another number in their place.

    Args:
        dump: the dump; its rows become more or fewer, and its title says the new size.
        data: the bytes to show.
        size: how many there are; more than shown where the trace does not show all, or lacks rows.

    All rows of a dump that stands in one piece end as its title does.
    """
    ending, layout = dump.ending, dump.layout
    if layout is not None and not layout.prefix:
        tail = dump.block[layout.length(dump.size) :]
        last = -(-size // ROW) - 1
        dump.block = b"".join([_line(number, data, ending if number < last else tail) for number in range(last + 1)])
        dump.digits, dump.size = b"%d" % size, size
        return
    dump.unfold()
    rows = dump.rows
    complete = len(rows) * ROW >= dump.size
    wanted = -(-size // ROW) if complete else -(-len(data) // ROW)
    for number, row in enumerate(rows):
        row.rewritten = b""
        if number >= wanted:
            continue
        is_last = number == wanted - 1
        end = rows[-1].end if is_last else row.end if row is not rows[-1] else ending or row.end
        row.rewritten = row.before + _line(number, data, end)
    for number in range(len(rows), wanted if rows else 0):
        end = rows[-1].end if number == wanted - 1 else ending or rows[-1].end
        rows[-1].rewritten = (rows[-1].rewritten or b"") + rows[-1].before + _line(number, data, end)
    dump.digits, dump.size = b"%d" % size, size
    if layout is not None:
        dump.block = b"".join(row.text for row in rows)
        dump.rows = []


def _line(number: int, data: bytes, end: bytes) -> bytes:
    part = data[number * ROW : number * ROW + ROW]
    return row_text(number * ROW, part, end) if part else b"%04x: %s" % (number * ROW, end)


def _put(row: Row, data: bytes) -> None:
    """Other bytes into a row, as many as it shows."""
    digits = iter(data.hex().upper().encode()[i : i + 2] for i in range(0, 2 * len(data), 2))
    pairs = _PAIR.sub(lambda _: next(digits, b"00"), row.pairs)
    column = _COLUMN.match(row.column)
    if column is not None and row.pairs:
        shown = data.translate(_PRINTABLE)
        rest = len(row.column) - column.end()
        row.column = row.column[: column.end()] + (shown + b"." * rest)[:rest]
    row.pairs = pairs


def _template(end: bytes, length: int, rows: int) -> bytes:
    """Rows of zeros."""
    known = _templates.get(end, b"")
    if len(known) < length:
        many = max(rows, 4096)
        known = _templates[end] = b"".join(row_text(n * ROW, bytes(ROW), end) for n in range(many))
    return known


def edited(data: bytes, edits: list[Edit]) -> bytes:
    """The bytes with the edits made; edits do not overlap."""
    out: list[bytes] = []
    done = 0
    for start, stop, new in sorted(edits):
        if start >= len(data):
            break
        # What is cut off in the middle of a secret stays cut off.
        out += (data[done:start], new if stop <= len(data) else new[:1])
        done = stop
    return b"".join([*out, data[done:]])


def apply(dumps: list[Hexdump], edits: list[Edit], clean: Callable[[bytes], bytes]) -> None:
    """Makes the edits in the one or two dumps of a packet.

    Args:
        dumps: first `plain`, then `plain2` if there is one.
        edits: in places of the packet.
        clean: masks what stands between rows and is none.
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
                if not row.label:
                    row.column = clean(row.column)
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
