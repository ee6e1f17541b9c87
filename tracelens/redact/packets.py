"""Tokens of a trace -> its packets and the dumps that show them, for both passes over a trace."""

import re
from collections.abc import Callable, Iterable
from typing import Any

from tracelens.reader.packets import Payload, PayloadJoiner
from tracelens.redact.hexdump import Hexdump, Row
from tracelens.redact.tokens import DumpEnd, DumpStart, OtherBytes, RecordToken, Token
from tracelens.sessions.state import HIDDEN_FIELDS
from tracelens.ssh import messages
from tracelens.ssh.wire import StringSpan

CHANNEL_DATA, EXTENDED_DATA, CHANNEL_REQUEST = 94, 95, 98
# Strings of messages are only searched for in so many bytes.
_CAP = 1 << 16
_EXEC = b"\x00\x00\x00\x04exec"
# The bytes around a payload on the wire: length, padding length, padding, MAC (RFC 4253, 6).
_OVERHEAD, _BLOCK, _MAC = 9, 16, 32
# A packet on the wire is at most so much longer than its payload.
_WIRE_MORE = 9 + 255 + 64
_NUMBER = re.compile(rb"[0-9]{1,20}")
# Events whose texts contain secrets or commands, and the one that says the size of a packet.
HIDING = (*HIDDEN_FIELDS, "conn.request_started")
SIZING = "transport.packet_received"


class Packet:
    """One SSH payload and the dumps that show it, first `plain`, then `plain2` if there is one."""

    __slots__ = ("data", "dumps", "size")

    def __init__(self, payload: Payload[Hexdump]) -> None:
        self.dumps, self.size = payload.dumps, payload.size
        self.data = payload.read(0, payload.size)

    @property
    def number(self) -> int:
        """Its message number; -1 where nothing is shown."""
        return self.data[0] if self.data else -1

    def strings(self) -> list[StringSpan]:
        """The places of its strings; if the tokens were kept, the first pass has found them."""
        dump = self.dumps[0]
        if dump.spans is None:
            dump.spans = messages.strings_in(self.data[:_CAP], self.size) if self.data else []
        return dump.spans

    def understood(self) -> int:
        """How many of its first bytes belong to its message as far as the message's format is known."""
        return messages.known_length(self.data[:_CAP], self.size) if self.data else 0

    def command(self) -> StringSpan | None:
        """The place of the command of an exec request (RFC 4254, 6.5)."""
        if self.number != CHANNEL_REQUEST or self.data[5:13] != _EXEC or len(self.data) < 18:
            return None
        return StringSpan(18, int.from_bytes(self.data[14:18]), "text")

    def header(self) -> int:
        """The number of bytes before a packet's channel data; 0 if it is another packet."""
        return {CHANNEL_DATA: 9, EXTENDED_DATA: 13}.get(self.number, 0)


class Pass:
    """One pass over a trace. Subclasses override the methods for what they handle."""

    def __init__(self) -> None:
        self._joiner = PayloadJoiner[Hexdump]()

    def go(self, tokens: Iterable[Token]) -> None:
        """Handles all tokens of the trace."""
        takers: dict[type[Token], Callable[[Any], None]] = {
            RecordToken: self.record,
            OtherBytes: self.other_bytes,
            DumpStart: self._dump_start,
            Row: self.row,
            DumpEnd: lambda token: self._dump_end(token.dump),
        }
        for token in tokens:
            takers[type(token)](token)
        self.close()

    def _dump_start(self, token: DumpStart) -> None:
        self.dump_start(token.dump)
        if token.dump.layout is not None:
            self._dump_end(token.dump)

    def _dump_end(self, dump: Hexdump) -> None:
        self.dump_end(dump)
        is_second = dump.kind == "plain2"
        if not is_second:
            self.close()
        if self._joiner.takes(dump):
            if is_second:
                self.close()
        elif is_second:
            self.lone_second_buffer(dump)
        elif dump.kind == "plain":
            self.packet(Packet(Payload([dump])))
        else:
            self.wire_bytes(dump)

    def close(self) -> None:
        """Ends the outgoing packet that is open."""
        payload = self._joiner.close()
        if payload is not None:
            self.packet(Packet(payload))

    def record(self, token: RecordToken) -> None:
        """A record."""

    def other_bytes(self, token: OtherBytes) -> None:
        """Bytes that are neither record nor dump."""

    def dump_start(self, dump: Hexdump) -> None:
        """The start of a dump; its rows follow, or are in it."""

    def row(self, token: Row) -> None:
        """A row of a dump that does not stand in one token."""

    def dump_end(self, dump: Hexdump) -> None:
        """The end of a dump, whole or not."""

    def packet(self, packet: Packet) -> None:
        """An SSH packet in the clear."""

    def lone_second_buffer(self, dump: Hexdump) -> None:
        """A `plain2` without its first buffer."""

    def wire_bytes(self, dump: Hexdump) -> None:
        """A dump of bytes on the wire: `raw` or `send()`."""


class WireSizes:
    """The bytes on the wire of a packet whose size was changed.

    The sizes of `send()` would reveal the old size; they become those of the new packet.
    """

    def __init__(self, old: int, new: int) -> None:
        self.old, self.new = old, new
        self._was = self._is = 0
        blocks = -(-(new + _OVERHEAD) // _BLOCK)
        self.wire = blocks * _BLOCK + _MAC

    @property
    def covered(self) -> bool:
        """Whether all of it was sent."""
        return self._was >= self.old + _OVERHEAD

    def next(self, size: int) -> int:
        """The new size of the next `send()`."""
        if self.covered:
            return size
        self._was += size
        size = max(self.wire - self._is, 1) if self.covered else max(1, min(size, self.wire - self._is - 1))
        self._is += size
        return size

    def resized(self, text: bytes) -> bytes:
        """A text of context Socket with the new size."""

        def new(found: "re.Match[bytes]") -> bytes:
            number = int(found[0])
            return b"%d" % self.wire if self.old + _OVERHEAD <= number <= self.old + _WIRE_MORE else found[0]

        return _NUMBER.sub(new, text)


_SCP = re.compile(rb"scp( +-[A-Za-z0-9]+)* +(-[ft])\b")


def is_transfer(command: bytes) -> bool:
    """Whether a command is the remote end of scp or SFTP, whose words are paths."""
    return _SCP.match(command) is not None or b"sftp-server" in command or command.startswith(b"internal-sftp")


def program(command: bytes) -> bytes:
    """The first word of a command, or nothing if it may contain a secret: `NAME=value`, `user:password@`."""
    word = command.split(None, 1)[0] if command.split() else b""
    return b"" if b"=" in word or b"@" in word else word
