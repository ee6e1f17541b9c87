"""Which bytes of channel data are content: files, output of commands, messages of an agent."""

from msgspec import Struct

from tracelens.ssh import sftp

_DATA, _WRITE = 103, 6
# So much of a text that a server sends instead of SFTP is kept: a diagnosis quotes it.
_GREETING = 80
# Only packets with content are larger.
_LARGEST = 256 << 10
# Packet type -> how many of its first strings are paths.
_PATHS = {3: 1, 7: 1, 9: 1, 11: 1, 13: 1, 14: 1, 15: 1, 16: 1, 17: 1, 18: 2, 19: 1, 20: 2, 104: 1 << 20}
_EXTENDED, _HANDLES = 200, frozenset((4, 5, 8, 10, 12, 102))


class Part(Struct, frozen=True):
    """A stretch of channel data: "content", "names" (paths and entries of folders) or "words" (all other text)."""

    start: int
    stop: int
    kind: str


class Content:
    """Channel data that is content throughout."""

    def feed(self, payload: bytes, length: int) -> list[Part]:
        """The parts of the next chunk (RFC 4254, 5.2): the bytes that the trace shows, and how many there are."""
        return [Part(0, length, "content")]


class SftpContent(Content):
    """One direction of an SFTP channel: only the data of READ and WRITE is content.

    If it may contain data of another session's channel (`mixed`), only packets that are whole in one chunk are trusted.
    """

    def __init__(self, mixed: bool = False) -> None:
        self._mixed = mixed
        self._head = bytearray()
        self._left = 0  # bytes of the packet still to come
        self._kind = ""  # what they are
        self._begun = self._lost = False

    def feed(self, payload: bytes, length: int) -> list[Part]:
        """The parts of the next chunk, in order. Bytes that cannot be followed are content."""
        parts: list[Part] = []
        at = 0
        while at < length:
            if self._lost:
                parts.append(Part(at, length, "content"))
                break
            if self._left:
                step = min(self._left, length - at)
                if self._kind:
                    parts.append(Part(at, at + step, self._kind))
                self._left -= step
                at += step
                continue
            step = min(self._due() - len(self._head), length - at)
            data = payload[at : at + step]
            self._head += data
            at += step
            if len(data) < step or (len(self._head) == 5 and not self._is_sftp()):
                self._lost = True
                greets = not self._begun and not self._mixed and len(data) == step
                begin, at = max(0, at - 5), min(length, at + _GREETING) if greets else at
                parts.append(Part(begin, at, "words" if greets else "content"))
            elif len(self._head) == self._due():
                parts += self._entered(payload, at, length)
        return parts

    def _size(self) -> int:
        return 4 + int.from_bytes(self._head[:4])

    def _is_sftp(self) -> bool:
        return 5 <= self._size() <= 4 + sftp.MAX_LENGTH and self._head[4] in sftp.FORMATS

    def _due(self) -> int:
        """How many bytes are needed to know where the content begins."""
        head = self._head
        if len(head) < 5 or head[4] not in (_DATA, _WRITE):
            return 5
        due = 13
        if head[4] == _WRITE and len(head) >= 13:
            handle = int.from_bytes(head[9:13])
            due = 13 + handle + 12 if handle <= 256 else 13
        return min(due, self._size())

    def _entered(self, payload: bytes, at: int, length: int) -> list[Part]:
        """The front is complete: the parts of the packet so far, and what the rest will be."""
        size, number = self._size(), self._head[4]
        begin = at - len(self._head)
        self._left = size - len(self._head)
        self._begun = True
        self._head.clear()
        if number in (_DATA, _WRITE) or size > _LARGEST:
            self._kind = "content"
            return []
        if self._mixed and (begin < 0 or begin + size > length):
            self._kind = "content"
            return [Part(max(begin, 0), at, "content")]
        if begin < 0 or begin + size > length:
            # It continues in another packet; its strings are words unless they are handles.
            self._kind = "words" if number not in _HANDLES else ""
            return []
        self._kind = ""
        names = _PATHS.get(number, 0)
        parts = []
        for index, span in enumerate(sftp.strings_in(payload[begin : begin + size])):
            kind = "names" if index < names or (number == _EXTENDED and index) else "words"
            stop = min(begin + span.start + span.length, begin + size)
            if number not in _HANDLES and begin + span.start < stop:
                parts.append(Part(begin + span.start, stop, kind))
        return parts
