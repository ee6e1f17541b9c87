"""SFTP version 3 (draft-ietf-secsh-filexfer-02): message formats, and packets from channel data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from tracelens.ssh.wire import StringFinder, StringSpan, Truncated, Types, WireReader, read_fields, read_formats

MAX_LENGTH = 64 * 1024 * 1024  # bytes of a packet
_HEAD = 4096  # leading bytes that are kept of a packet
_MAX_QUOTED = 80  # characters of data that is not SFTP
_CONTENT = (6, 103)  # packets with a file's contents
_TAIL = 16  # bytes at the end of contents that show whether they were blanked out


def _attributes(reader: WireReader) -> dict[str, int]:
    """The attributes of a file (section 5) that matter in a trace."""
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


def _extensions(reader: WireReader) -> dict[str, str]:
    extensions = {}
    while reader.left:
        name = reader.text()
        extensions[name] = reader.text()
    return extensions


def _entries(reader: WireReader) -> dict[str, int | tuple[str, ...]]:
    """The entries of a directory, as many as fit in the kept front of the packet."""
    count = reader.uint32()
    names: list[str] = []
    try:
        for _ in range(count):
            name = reader.text()
            reader.skip_string()
            _attributes(reader)
            names.append(name)
    except Truncated as truncated:
        if not truncated.hidden:
            raise
        reader.skip(reader.left)
    return {"count": count, "names": tuple(names)}


def _optional_text(reader: WireReader) -> str:
    """A string at the end of a packet, which some servers omit."""
    return reader.text() if reader.left else ""


_TYPES: Types = {
    "attributes": _attributes, "extensions": _extensions, "entries": _entries, "optional_text": _optional_text,
}  # fmt: skip
FORMATS = {int(key): form for key, form in read_formats("sftp.tsv", _TYPES, _HEAD).items()}


class SftpPacket(Struct, frozen=True):
    """One SFTP packet (section 3 of the draft)."""

    line: int  # first line of the dump in which it begins
    time: float | None  # timestamp of that dump
    direction: str  # `in` or `out`
    number: int  # its type
    name: str  # its type's name, without the prefix
    fields: dict[str, Any]  # its decoded values; never a file's contents
    size: int  # value of its length field
    problem: str | None  # description of a defect, if any
    blank: bool = False  # whether the file's contents in it were blanked out, so that their last bytes are 0


def strings_in(data: bytes) -> list[StringSpan]:
    """Find the strings of an SFTP packet.

    Args:
        data: the bytes at hand, from the length field on.
    """
    message = FORMATS.get(data[4]) if len(data) > 4 else None
    if message is None:
        return []
    finder = StringFinder(data, 4 + int.from_bytes(data[:4]), 5)
    read_fields(message.fields, finder, {}, exact=False)
    return finder.spans


class SftpStream:
    """Assembles SFTP packets from one channel's data in one direction.

    It keeps at most 4 KiB of an unfinished packet and reads only these bytes; the contents of files are skipped.

    Args:
        direction: `in` or `out`, copied to the packets.

    Attributes:
        problem: why decoding stopped for good, or None.
        lost: whether it stopped because the trace does not show all of the data.
    """

    def __init__(self, direction: str = "in") -> None:
        self.direction = direction
        self.problem: str | None = None
        self.lost = False
        self._begun = False  # at least one packet was decoded
        self._head = bytearray()  # length field, type and the kept bytes of the rest
        self._seen = 0  # bytes of the packet so far, kept or not
        self._line = 0
        self._time: float | None = None

    def feed(self, length: int, read: Callable[[int, int], bytes], line: int, time: float | None) -> list[SftpPacket]:
        """Decode the next chunk of channel data (RFC 4254 section 5.2).

        Args:
            length: bytes in the chunk.
            read: returns the bytes from a to b of the chunk, fewer if the dump does not show them.
            line: first line of its dump.
            time: timestamp of its dump.

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
                    self.lost = True
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
        """Number of leading bytes of this packet to keep."""
        if len(self._head) < 5:
            return 5
        return min(FORMATS[self._head[4]].head, 4 + self._length())

    def _wanted(self) -> int:
        """Number of bytes up to the end of the kept front, or after it to the end of the packet."""
        kept = self._kept()
        return kept - self._seen if self._seen < kept else 4 + self._length() - self._seen

    def _is_sftp(self) -> bool:
        return 1 <= self._length() <= MAX_LENGTH and self._head[4] in FORMATS

    def _describe(self, length: int, position: int, read: Callable[[int, int], bytes]) -> str:
        """Describe the data found where an SFTP packet should begin."""
        if self._begun:
            self.lost = True
            return f"no SFTP packet begins where one must, line {self._line}; data before it is missing"
        data = bytes(self._head) + read(position, min(length, position + _MAX_QUOTED))
        sender = "server" if self.direction == "in" else "client"
        return f'not SFTP: the {sender} sent "{_quote(data)}"'

    def _finish(self, position: int, read: Callable[[int, int], bytes]) -> SftpPacket:
        message = FORMATS[self._head[4]]
        size = self._length()
        fields: dict[str, Any] = {}
        reader = WireReader(bytes(self._head), 4 + size, 5)
        problem = read_fields(message.fields, reader, fields, message.exact)
        tail = min(_TAIL, fields.get("length", 0), position) if self._head[4] in _CONTENT else 0
        blank = tail > 0 and not any(read(position - tail, position))
        number = self._head[4]
        self._begun = True
        self._head.clear()
        self._seen = 0
        return SftpPacket(self._line, self._time, self.direction, number, message.name, fields, size, problem, blank)


def _quote(data: bytes) -> str:
    """The beginning of `data` as at most 80 characters, unprintable ones escaped."""
    text = ""
    for character in data.decode("utf-8", "backslashreplace"):
        shown = character if character.isprintable() else character.encode("unicode_escape").decode()
        if len(text) + len(shown) > _MAX_QUOTED:
            break
        text += shown
    return text
