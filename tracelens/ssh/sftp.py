"""SFTP version 3 (draft-ietf-secsh-filexfer-02): message shapes, and packets out of channel data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from tracelens.ssh.wire import Choice, Field, Layout, Reader, Shape, Short, Span, Surveyor, read_layout

MAX_LENGTH = 64 * 1024 * 1024
_HEAD = 4096
_WRITE_HEAD = 4 + 1 + 4 + (4 + 256) + 8 + 4  # section 6.3: a handle has 256 bytes at most
_QUOTED = 80
_CONTENT = (6, 103)
_TAIL = 16  # bytes at the end of content that tell whether it was blanked out


def _attributes(reader: Reader) -> dict[str, int]:
    """The attributes of a file (section 5); those that a reader of traces wants."""
    fields = {}
    flags = reader.uint32()
    if flags & 0x1:
        fields["size"] = reader.uint64()
    if flags & 0x2:
        reader.skip(8)
    if flags & 0x4:
        fields["permissions"] = reader.uint32()
    if flags & 0x8:
        reader.skip(8)
    if flags & 0x80000000:
        for _ in range(reader.uint32()):
            reader.skip_string()
            reader.skip_string()
    return fields


def _extensions(reader: Reader) -> dict[str, str]:
    extensions = {}
    while reader.left:
        name = reader.text()
        extensions[name] = reader.text()
    return extensions


def _names(reader: Reader) -> dict[str, int | tuple[str, ...]]:
    """The entries of a directory, as many as the kept front of the packet holds."""
    count = reader.uint32()
    names: list[str] = []
    try:
        for _ in range(count):
            name = reader.text()
            reader.skip_string()
            _attributes(reader)
            names.append(name)
    except Short as short:
        if not short.hidden:
            raise
        reader.skip(reader.left)
    return {"count": count, "names": tuple(names)}


def _optional_text(reader: Reader) -> str:
    """A string that some servers leave out at the end of a packet."""
    return reader.text() if reader.left else ""


def _fields(**readers: Callable[[Reader], Any]) -> Layout:
    return tuple(Field(name, read) for name, read in readers.items())


_ID = _fields(id=Reader.uint32)
_PATH = (*_ID, *_fields(path=Reader.text))
_TARGET = (*_PATH, *_fields(target=Reader.text))
_HANDLE = (*_ID, *_fields(handle=Reader.hexadecimal))
_AT = (*_HANDLE, *_fields(offset=Reader.uint64))
_ATTRIBUTES = (Field("*", _attributes),)

_EXTENDED: Mapping[str, Layout] = {
    "statvfs@openssh.com": _fields(path=Reader.text),
    "fstatvfs@openssh.com": _fields(handle=Reader.hexadecimal),
    "fsync@openssh.com": _fields(handle=Reader.hexadecimal),
    "posix-rename@openssh.com": _fields(path=Reader.text, target=Reader.text),
    "hardlink@openssh.com": _fields(path=Reader.text, target=Reader.text),
}

# Sections 4, 6, 7 and 8 of the draft; heads count from the packet's length field on.
SHAPES: Mapping[int, Shape] = {
    1: Shape("init", _fields(version=Reader.uint32, extensions=_extensions), head=_HEAD),
    2: Shape("version", _fields(version=Reader.uint32, extensions=_extensions), head=_HEAD),
    3: Shape("open", (*_PATH, *_fields(flags=Reader.uint32), *_ATTRIBUTES), head=_HEAD),
    4: Shape("close", _HANDLE, head=_HEAD),
    5: Shape("read", (*_AT, *_fields(length=Reader.uint32)), head=_HEAD),
    6: Shape("write", (*_AT, *_fields(length=Reader.skip_string)), head=_WRITE_HEAD),
    7: Shape("lstat", _PATH, head=_HEAD),
    8: Shape("fstat", _HANDLE, head=_HEAD),
    9: Shape("setstat", (*_PATH, *_ATTRIBUTES), head=_HEAD),
    10: Shape("fsetstat", (*_HANDLE, *_ATTRIBUTES), head=_HEAD),
    11: Shape("opendir", _PATH, head=_HEAD),
    12: Shape("readdir", _HANDLE, head=_HEAD),
    13: Shape("remove", _PATH, head=_HEAD),
    14: Shape("mkdir", (*_PATH, *_ATTRIBUTES), head=_HEAD),
    15: Shape("rmdir", _PATH, head=_HEAD),
    16: Shape("realpath", _PATH, head=_HEAD),
    17: Shape("stat", _PATH, head=_HEAD),
    18: Shape("rename", _TARGET, exact=False, head=_HEAD),  # later drafts add flags
    19: Shape("readlink", _PATH, head=_HEAD),
    20: Shape("symlink", _TARGET, head=_HEAD),
    101: Shape(
        "status",
        (*_ID, *_fields(status=Reader.uint32, message=_optional_text, language=_optional_text)),
        exact=False,
        head=_HEAD,
    ),
    102: Shape("handle", _HANDLE, head=_HEAD),
    103: Shape("data", (*_ID, *_fields(length=Reader.skip_string)), exact=False, head=13),
    104: Shape("name", (*_ID, Field("*", _names)), exact=False, head=_HEAD),
    105: Shape("attrs", (*_ID, *_ATTRIBUTES), head=_HEAD),
    200: Shape("extended", (*_ID, *_fields(request=Reader.text), Choice("request", _EXTENDED)), head=_HEAD),
    201: Shape("extended_reply", _ID, exact=False, head=_HEAD),
}


class SftpPacket(Struct, frozen=True):
    """One SFTP packet (section 3 of the draft).

    Args:
        line: line of the dump in which it begins.
        time: the clock there.
        direction: `in` or `out`.
        number: its type.
        name: its type's name, without the prefix.
        fields: what it says; never a file's contents.
        size: its length field.
        problem: what is wrong with it, in words.
        blank: the file's contents in it were blanked out: their last bytes are 0.
    """

    line: int
    time: float | None
    direction: str
    number: int
    name: str
    fields: dict[str, Any]
    size: int
    problem: str | None
    blank: bool = False


def strings_in(data: bytes) -> list[Span]:
    """Where the strings of one SFTP packet stand.

    Args:
        data: the packet from its length field on, as far as it is at hand.
    """
    shape = SHAPES.get(data[4]) if len(data) > 4 else None
    if shape is None:
        return []
    surveyor = Surveyor(data, 4 + int.from_bytes(data[:4]), 5)
    read_layout(shape.layout, surveyor, {}, exact=False)
    return surveyor.spans


class SftpStream:
    """Puts SFTP packets together out of one channel's data in one direction.

    It keeps the front of an unfinished packet, 4 KiB at most, and asks only for the bytes it keeps: the
    contents of files are passed over.

    Args:
        direction: `in` or `out`, for the packets that it gives.

    Attributes:
        problem: why it stopped, or None. Nothing is decoded after that.
    """

    def __init__(self, direction: str = "in") -> None:
        self.direction = direction
        self.problem: str | None = None
        self._begun = False  # a whole packet's front was good
        self._head = bytearray()  # length field, type and what is kept of the rest
        self._seen = 0  # bytes of the packet that went by, kept or not
        self._line = 0
        self._time: float | None = None

    def feed(self, length: int, read: Callable[[int, int], bytes], line: int, time: float | None) -> list[SftpPacket]:
        """Takes the next chunk of channel data (RFC 4254 section 5.2).

        Args:
            length: bytes in the chunk.
            read: gives the bytes from a to b of the chunk; may come back short.
            line: line of the dump that shows it.
            time: the clock there.

        Returns:
            the packets that the chunk completes, in order.
        """
        packets: list[SftpPacket] = []
        position = 0
        while position < length and self.problem is None:
            if self._seen == 0:
                self._line, self._time = line, time
            step = min(self._wanted(), length - position)
            if len(self._head) < self._kept():
                data = read(position, position + step)
                if len(data) < step:
                    self.problem = f"line {line} does not show all of its data; the rest cannot be followed"
                    break
                self._head += data
            self._seen += step
            position += step
            if self._seen == 5 and not self._is_sftp():
                self.problem = self._describe(length, position, read)
            elif self._seen >= 5 and self._seen == 4 + self._length():
                packets.append(self._finish(position, read))
        return packets

    def _length(self) -> int:
        return int.from_bytes(self._head[:4])

    def _kept(self) -> int:
        """How many bytes of this packet to keep."""
        if len(self._head) < 5:
            return 5
        return min(SHAPES[self._head[4]].head, 4 + self._length())

    def _wanted(self) -> int:
        """How many bytes to take at once: up to the end of the front, or up to the end of the packet."""
        kept = self._kept()
        return kept - self._seen if self._seen < kept else 4 + self._length() - self._seen

    def _is_sftp(self) -> bool:
        return 1 <= self._length() <= MAX_LENGTH and self._head[4] in SHAPES

    def _describe(self, length: int, position: int, read: Callable[[int, int], bytes]) -> str:
        """What came where an SFTP packet should begin."""
        if self._begun:
            return f"no SFTP packet begins where one must, line {self._line}; data before it is missing"
        data = bytes(self._head) + read(position, min(length, position + _QUOTED))
        sender = "server" if self.direction == "in" else "client"
        return f'not SFTP: the {sender} sent "{_quote(data)}"'

    def _finish(self, position: int, read: Callable[[int, int], bytes]) -> SftpPacket:
        shape = SHAPES[self._head[4]]
        size = self._length()
        fields: dict[str, Any] = {}
        reader = Reader(bytes(self._head), 4 + size, 5)
        problem = read_layout(shape.layout, reader, fields, shape.exact)
        tail = min(_TAIL, fields.get("length", 0), position) if self._head[4] in _CONTENT else 0
        blank = tail > 0 and not any(read(position - tail, position))
        packet = SftpPacket(
            self._line, self._time, self.direction, self._head[4], shape.name, fields, size, problem, blank
        )
        self._begun = True
        self._head.clear()
        self._seen = 0
        return packet


def _quote(data: bytes) -> str:
    """At most 80 printable characters of what `data` begins with, the rest escaped."""
    text = ""
    for character in data.decode("utf-8", "backslashreplace"):
        shown = character if character.isprintable() else character.encode("unicode_escape").decode()
        if len(text) + len(shown) > _QUOTED:
            break
        text += shown
    return text
