"""A hex dump of a trace: the places of its rows, and its bytes, decoded on demand.

libssh2's `debugdump` (transport.c) prints a title and then rows of 16 bytes, so that the size in the title gives the
place of every row, whatever prefix and line end a program uses:

    => libssh2_transport_write plain (44 bytes)
    0000: 32 00 00 00 04 72 6F 6F  74 00 00 00 0E 73 73 68 : 2....root....ssh
"""

import re
from functools import lru_cache

from msgspec import Struct

ROW = 16
# At most so many bytes of a dump are kept. No SSH packet is that large (RFC 4253, 6.1: 35,000 bytes must be supported);
# a larger size is wrong.
KEPT = 1 << 20

# A row is its offset, ": ", three characters a byte and a blank in the middle, ": ", and a character a byte.
_HEX_WIDTH = 3 * ROW + 1
_FULL_ROW = 4 + 2 + _HEX_WIDTH + 2 + ROW
# Dumps of at most so many bytes are decoded whole: callers read them in several parts.
SHORT = 16 * ROW
_NARROW = 0x1000 * ROW  # bytes before the first row whose offset has more than four digits


def _digits(row: int) -> int:
    """The number of digits in the offset of a row."""
    return 4 if row < 0x1000 else len(f"{row * ROW:x}")


@lru_cache(64)
def kind_of(title: str) -> str:
    """Which buffer a dump with this title shows: "plain", "plain2", "raw" or "send"."""
    last = title.rpartition(" ")[2]
    return last if last in {"plain", "plain2", "raw"} else "send"


class Layout(Struct, frozen=True):
    """Where rows are: `prefix` characters before each offset, `end` characters that end each line."""

    prefix: int
    end: int

    def start(self, row: int) -> int:
        """The place of a row's line after the first row's line; offsets are wider from 64 KiB on."""
        wider = 0 if row <= 0x1000 else (row - 0x1000) + max(0, row - 0x10000) + max(0, row - 0x100000)
        return row * (_FULL_ROW + self.prefix + self.end) + wider

    def pairs(self, row: int) -> int:
        """The place of a row's hex digits."""
        return self.start(row) + self.prefix + _digits(row) + 2

    def column(self, row: int) -> int:
        """The place of a row's characters."""
        return self.pairs(row) + _HEX_WIDTH + 2

    def length(self, size: int) -> int:
        """The length of the rows of a dump of `size` bytes, without the last line's end."""
        last = (size - 1) // ROW
        return self.column(last) + size - last * ROW

    def fits(self, buffer: bytes, begin: int, size: int) -> bool:
        """Whether the first and the last row of a dump are in the buffer where this layout puts them."""
        last = (size - 1) // ROW
        if last and not buffer.startswith(b"0000: ", begin + self.prefix):
            return False
        pairs = begin + self.pairs(last)
        label = b"%04x: " % (last * ROW)
        return buffer.startswith(label, pairs - len(label)) and buffer.startswith(b": ", pairs + _HEX_WIDTH)

    def decode(self, rows: bytes | bytearray, size: int, start: int, stop: int) -> bytes:
        """The bytes of a dump from `start` up to `stop`, or up to the first hole; see `bytes_of`."""
        if stop <= start:
            return b""
        first, last = start // ROW, (stop - 1) // ROW
        whole = self.bytes_of(rows, size, first, last) if stop <= _NARROW else None
        if whole is not None:
            return whole[start - first * ROW : stop - first * ROW]
        out = bytearray()
        for row in range(first, last + 1):
            at = self.pairs(row)
            label = b"%04x: " % (row * ROW)
            if not rows.startswith(label, at - len(label)):
                break
            length = min(ROW, size - row * ROW)
            try:
                out += bytes.fromhex(rows[at : at + 3 * length + (length > ROW // 2)].decode("ascii"))
            except ValueError:
                break
            if len(out) != min((row + 1) * ROW, size) - first * ROW:
                break
        return bytes(out[start - first * ROW : stop - first * ROW])

    def in_order(self, rows: bytes | bytearray, size: int) -> "PartialDump":
        """The rows of a dump by their own offsets; those that can't be read are holes."""
        found = PartialDump(0, None, "", size)
        for row in range((size - 1) // ROW + 1):
            at = self.pairs(row)
            label, pairs = rows[at - _digits(row) - 2 : at], bytes(rows[at : at + _HEX_WIDTH])
            try:
                offset, shown = int(label.removesuffix(b": "), 16), len(bytes.fromhex(pairs.decode("ascii")))
            except ValueError:
                continue
            if shown == min(ROW, size - offset):
                found.add(offset, pairs)
        return found

    def bytes_of(self, rows: bytes | bytearray, size: int, first: int = 0, last: int | None = None) -> bytes | None:
        """The bytes of rows whose offsets have four digits, None if something is missing in them.

        Args:
            rows: the rows' text, from that of offset 0 on.
            size: of the dump.
            first: the first row that is wanted.
            last: the last one; None for the dump's last.
        """
        last = (size - 1) // ROW if last is None else last
        at, length = self.pairs(first), self.start(1)
        out = []
        for offset in range(first * ROW, (last + 1) * ROW, ROW):
            if not rows.startswith(b"%04x: " % offset, at - 6):
                return None
            try:
                row = bytes.fromhex(rows[at : at + _HEX_WIDTH].decode("ascii"))
            except ValueError:
                return None
            if len(row) != ROW and len(row) != size - offset:
                return None
            out.append(row)
            at += length
        return b"".join(out)


class Dump:
    """One hex dump.

    `line` is that of its title, `time` that of the record before it, `size` the bytes its title claims (which can be
    absurd: 1.11.x prints 18446744073709551540 with a broken MAC), `title` as printed.
    """

    __slots__ = ("_in_order", "_layout", "_rows", "line", "size", "time", "title")

    def __init__(
        self, line: int, time: float | None, title: str, size: int, rows: bytes | bytearray, layout: Layout | None
    ) -> None:
        self.line = line
        self.time = time
        self.title = title
        self.size = size
        self._rows = rows
        self._layout = layout  # None: `rows` are the bytes themselves
        self._in_order: PartialDump | None = None  # where a row is not in its place, or is damaged

    @property
    def direction(self) -> str:
        """Whether it was received ("in") or sent ("out")."""
        return "in" if "_read" in self.title else "out"

    @property
    def kind(self) -> str:
        """Which buffer: "plain", "plain2", "raw" or "send"."""
        return kind_of(self.title)

    def data(self, start: int = 0, stop: int | None = None) -> bytes:
        """The dumped bytes from `start` up to `stop`, as far as the rows show them without a hole."""
        stop = self.size if stop is None else min(stop, self.size)
        if self._layout is not None and 0 < self.size <= SHORT:
            short = self._layout.bytes_of(self._rows, self.size)
            if short is not None:
                self._rows, self._layout = short, None
        if self._layout is None:
            return bytes(self._rows[start:stop])
        data = self._layout.decode(self._rows, self.size, start, stop)
        if len(data) == stop - start or stop <= start:
            return data
        if self._in_order is None:
            self._in_order = self._layout.in_order(self._rows, self.size)
        return self._in_order.data(start, stop)


class PartialDump(Dump):
    """A dump whose rows are read one by one: lines come between them, or they are not where its size puts them."""

    __slots__ = ("_bytes", "_later")

    def __init__(self, line: int, time: float | None, title: str, size: int) -> None:
        self._bytes = bytearray()  # up to the first hole
        self._later: dict[int, bytes] = {}  # rows behind the first hole, or behind a row that is short
        super().__init__(line, time, title, size, self._bytes, None)

    def add(self, offset: int, pairs: bytes, *, cut: bool = True) -> None:
        """Adds the hex digits of the row at this offset; a row that was there before, or can't be one, is left out.

        `cut`: where digits are missing, they are the last ones. Else there is no telling which, and the row is a hole.
        """
        if offset % ROW or not offset < min(self.size, KEPT) or offset < len(self._bytes) or offset in self._later:
            return
        due = min(ROW, self.size - offset)
        data = bytes.fromhex(pairs.decode("ascii"))[:due]
        if len(data) < due and not cut:
            return
        if offset != len(self._bytes):
            self._later[offset] = data
            return
        self._bytes += data
        while len(self._bytes) in self._later:
            self._bytes += self._later.pop(len(self._bytes))

    def data(self, start: int = 0, stop: int | None = None) -> bytes:
        """The dumped bytes from `start` up to `stop`, as far as the rows show them without a hole."""
        if start < len(self._bytes) or not self._later:
            return super().data(start, stop)
        stop = self.size if stop is None else min(stop, self.size)
        out = bytearray()
        offset = start - start % ROW
        while offset < stop and len(row := self._later.get(offset, b"")) == ROW:
            out += row
            offset += ROW
        out += self._later.get(offset, b"") if offset < stop else b""
        return bytes(out[start % ROW : stop - start + start % ROW])

    def due(self, offset: int) -> int:
        """The offset of the next row after this one that was not seen."""
        offset = max(offset + ROW, len(self._bytes) // ROW * ROW)
        while offset in self._later:
            offset += ROW
        return offset

    @property
    def shows_a_row(self) -> bool:
        """Whether a whole row was seen, or all of the dump."""
        return len(self._bytes) >= min(ROW, self.size)


def is_cut(row: re.Match[bytes], column: int) -> bool:
    """Whether the digits that a short row lacks are its last ones: nothing, or half a pair, is left of the line."""
    rest = row.string[column:]
    return not rest.rstrip(b"\r\n") if b":" in row.string[row.end() : column] else len(rest.strip()) < 2
