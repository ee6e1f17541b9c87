"""A tar archive -> its regular files, one after the other, as streams.

Reads the headers of POSIX (ustar, pax) and GNU tar itself: the headers of one member are bounded, whatever they say of
their own size, and a header with a wrong checksum is damage. Python's tarfile keeps long headers in memory and, on some
versions, takes a damaged header for the end of the archive.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from tracelens.inputs.streams import Read, Stream

_BLOCK = 512
_STEP = 1 << 16
_MAX_HEADER_BYTES = 1 << 20  # all headers of one member together: long names, attributes, the map of a sparse file
_EXTENSIONS = b"LKxXg"  # types of headers that describe the member after them
_REGULAR = (b"0", b"\0", b"7", b"S")
_WITHOUT_DATA = (b"1", b"2", b"3", b"4", b"5", b"6")  # links, devices, folders, FIFOs: their size means something else


class PackedFile(NamedTuple):
    """A regular file of the archive; its data must be read before the next one is requested, or is skipped."""

    name: str  # its path in the archive
    modified: float | None  # file time, seconds since 1970; None if the header has none
    is_sparse: bool  # whether `read` fills holes with zeros, so that the file may be larger than its data
    read: Read


def packed_files(stream: Stream) -> Iterator[PackedFile]:
    """The regular files in an archive, in its order.

    Raises:
        ValueError: a header is damaged or too large, or data is missing.
        UnreadableInput: the stream is damaged.
    """
    shared: dict[str, str] = {}
    while header := _Header.read(stream, shared):
        data = _Data(stream, header.size)
        if header.is_regular:
            extents = header.extents(data)
            read = data.read if extents is None else _with_holes(data, extents, header.full_size)
            yield PackedFile(header.name, header.modified, extents is not None, read)
        data.skip()


class _Data:
    """The data of one member."""

    def __init__(self, stream: Stream, size: int) -> None:
        self._stream = stream
        self._padding = -size % _BLOCK
        self._left = size

    def read(self, size: int) -> bytes:
        data = self._stream.read(min(size, self._left))
        if self._left and not data:
            raise ValueError("unexpected end of data")
        self._left -= len(data)
        return data

    def skip(self) -> None:
        """Skip what was not read, up to the next header."""
        while self.read(_STEP):
            pass
        self._stream.read(self._padding)


class _Header:
    """The headers of one member."""

    def __init__(self, block: bytes, attributes: list[tuple[str, str]], shared: dict[str, str]) -> None:
        self._block = block
        self._records = attributes
        self._attributes = {**shared, **dict(attributes)}
        self._kind = block[156:157]
        self.size = 0 if self._kind in _WITHOUT_DATA else _number(block[124:136])
        if "size" in self._attributes and self._kind not in _WITHOUT_DATA:
            self.size = _decimal(self._attributes["size"])
        self.extension_blocks: list[bytes] = []

    @classmethod
    def read(cls, stream: Stream, shared: dict[str, str]) -> "_Header | None":
        """Read the next header with all extensions; None at the end of the archive."""
        attributes: list[tuple[str, str]] = []
        left = _MAX_HEADER_BYTES
        while (block := _checked_block(stream)) and block[156:157] in _EXTENSIONS:
            kind, size = block[156:157], _number(block[124:136])
            left -= _BLOCK + size
            if left < 0:
                raise ValueError("too large a header")
            data = _exactly(stream, size)
            stream.read(-size % _BLOCK)
            if kind == b"g":
                shared.update(_pax_records(data))
            elif kind != b"K":
                attributes += [("path", _text(data))] if kind == b"L" else _pax_records(data)
        if not block:
            return None
        header = cls(block, attributes, shared)
        has_more = header._kind == b"S" and block[482]
        while has_more:
            left -= _BLOCK
            if left < 0:
                raise ValueError("too large a header")
            header.extension_blocks.append(_exactly(stream, _BLOCK))
            has_more = header.extension_blocks[-1][504]
        return header

    @property
    def is_regular(self) -> bool:
        """Whether it is a file with data; old archives have folders as files whose name ends with a slash."""
        return self._kind in _REGULAR and not self.name.endswith("/")

    @property
    def name(self) -> str:
        """The path in the archive."""
        for key in ("GNU.sparse.name", "path"):
            if key in self._attributes:
                return self._attributes[key]
        prefix = _text(self._block[345:500]) if self._block[257:263] == b"ustar\0" else ""
        return "/".join(filter(None, (prefix, _text(self._block[:100]))))

    @property
    def modified(self) -> float | None:
        """The file time in seconds since 1970."""
        try:
            text = self._attributes.get("mtime")
            return float(_number(self._block[136:148]) if text is None else text)
        except (ValueError, OverflowError):
            return None

    @property
    def full_size(self) -> int:
        """The size of a sparse file with its holes."""
        for key in ("GNU.sparse.realsize", "GNU.sparse.size"):
            if key in self._attributes:
                return _decimal(self._attributes[key])
        return _number(self._block[483:495])

    def extents(self, data: _Data) -> list[tuple[int, int]] | None:
        """Where the data of a sparse file belongs, as (offset, size); None for other files."""
        numbers: list[int]
        if self._kind == b"S":
            maps = [self._block[386:482], *(block[:504] for block in self.extension_blocks)]
            fields = [part[at : at + 12] for part in maps for at in range(0, len(part), 12)]
            numbers = [_number(field) for field in fields]
        elif self._attributes.get("GNU.sparse.major") == "1":
            numbers = _map_before(data)
        elif "GNU.sparse.map" in self._attributes:
            numbers = [_decimal(number) for number in self._attributes["GNU.sparse.map"].split(",") if number]
        elif "GNU.sparse.size" in self._attributes:
            kept = ("GNU.sparse.offset", "GNU.sparse.numbytes")
            numbers = [_decimal(value) for key, value in self._records if key in kept]
        else:
            return None
        return list(pairwise(numbers))[::2]


def _exactly(stream: Stream, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise ValueError("unexpected end of data")
    return data


def _checked_block(stream: Stream) -> bytes:
    """The next header block; empty at the end of the archive."""
    block = stream.read(_BLOCK)
    if not any(block):
        return b""
    if len(block) < _BLOCK:
        raise ValueError("unexpected end of data")
    others = block[:148] + b" " * 8 + block[156:]
    negative = 256 * sum(byte > 127 for byte in others)  # old programs add signed bytes
    if _number(block[148:156]) not in (sum(others), sum(others) - negative):
        raise ValueError("bad checksum")
    return block


def _number(field: bytes) -> int:
    """A number in octal digits, or in base 256 behind a first byte 0x80."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.partition(b"\0")[0].strip()
    if not digits.isdigit() and digits:
        raise ValueError("bad number in a header")
    return int(digits or b"0", 8)


def _decimal(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 20:
        raise ValueError("bad number in a header")
    return int(text)


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _pax_records(data: bytes) -> list[tuple[str, str]]:
    """The attributes in a pax header: lines of "length key=value"."""
    records = []
    at = 0
    while at < len(data) and data[at]:
        digits = data[at : at + 8].partition(b" ")[0]
        size = int(digits) if digits.isdigit() else 0
        key, equals, value = data[at + len(digits) + 1 : at + size - 1].partition(b"=")
        if size < len(digits) + 3 or at + size > len(data) or not equals:
            raise ValueError("bad attribute in a header")
        records.append((_text(key), value.decode("utf-8", "surrogateescape")))
        at += size
    return records


def _map_before(data: _Data) -> list[int]:
    """The map at the beginning of a member's data: the number of entries, then offset and size of each, a line each."""
    text, wanted = b"", 1
    while text.count(b"\n") < wanted:
        block = data.read(_BLOCK)
        if not block or len(text) > _MAX_HEADER_BYTES:
            raise ValueError("too large a header" if block else "bad map of a sparse file")
        text += block
        if b"\n" in text:
            wanted = 1 + 2 * _decimal(_text(text.partition(b"\n")[0]))
    return [_decimal(_text(line)) for line in text.split(b"\n")[1:wanted]]


def _with_holes(data: _Data, extents: list[tuple[int, int]], size: int) -> Read:
    """Reads a sparse file: its data, and zeros for its holes."""

    def blocks() -> Iterator[bytes]:
        position = 0
        for offset, length in (*extents, (size, 0)):
            if offset < position and length:
                raise ValueError("bad map of a sparse file")
            while position < offset:
                yield bytes(min(_STEP, offset - position))
                position += min(_STEP, offset - position)
            while position < offset + length:
                block = data.read(min(_STEP, offset + length - position))
                if not block:
                    raise ValueError("bad map of a sparse file")
                yield block
                position += len(block)

    parts = blocks()
    return lambda _: next(parts, b"")
