"""Tokens of a trace -> its packets, with the dumps that they were written in: what both passes over a trace share."""

import re
from collections.abc import Callable, Iterable
from typing import Any

from tracelens.reader.packets import Payload, PayloadJoiner
from tracelens.redact.hexdump import Hexdump, Row
from tracelens.redact.tokens import DumpEnd, DumpStart, OtherBytes, RecordToken, Token
from tracelens.sessions.track import HIDDEN_FIELDS
from tracelens.ssh import messages
from tracelens.ssh.wire import Span

CHANNEL_DATA, EXTENDED_DATA, CHANNEL_REQUEST, USERAUTH_REQUEST = 94, 95, 98, 50
# No message's strings are looked for beyond this many bytes.
_CAP = 1 << 16
_EXEC = b"\x00\x00\x00\x04exec"


# Events whose texts hold secrets or commands, and the one that tells the size of a packet.
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

    def strings(self) -> list[Span]:
        """Where its strings stand; not looked for again in the second pass where the first one's pieces were kept."""
        dump = self.dumps[0]
        if dump.spans is None:
            dump.spans = messages.strings_in(self.data[:_CAP], self.size) if self.data else []
        return dump.spans

    def command(self) -> Span | None:
        """Where the command of an exec request stands (RFC 4254, 6.5)."""
        if self.number != CHANNEL_REQUEST or self.data[5:13] != _EXEC or len(self.data) < 18:
            return None
        return Span(18, int.from_bytes(self.data[14:18]), "text")

    def header(self) -> int:
        """How many bytes stand before a packet's channel data; 0 if it is another packet."""
        return {CHANNEL_DATA: 9, EXTENDED_DATA: 13}.get(self.number, 0)


class Walk:
    """Goes through a trace once. A subclass says what becomes of each thing that it meets."""

    def __init__(self) -> None:
        self._joiner = PayloadJoiner[Hexdump]()

    def go(self, pieces: Iterable[Token]) -> None:
        """Takes the trace's pieces to their end."""
        takers: dict[type[Token], Callable[[Any], None]] = {
            RecordToken: self.told,
            OtherBytes: self.loose,
            DumpStart: self._begun,
            Row: self.row,
            DumpEnd: lambda piece: self._closed(piece.dump),
        }
        for piece in pieces:
            takers[type(piece)](piece)
        self.close()

    def _begun(self, piece: DumpStart) -> None:
        self.begun(piece.dump)
        if piece.dump.layout is not None:
            self._closed(piece.dump)

    def _closed(self, dump: Hexdump) -> None:
        self.dumped(dump)
        is_second = dump.kind == "plain2"
        if not is_second:
            self.close()
        if self._joiner.takes(dump):
            if is_second:
                self.close()
        elif is_second:
            self.orphan(dump)
        elif dump.kind == "plain":
            self.packet(Packet(Payload([dump])))
        else:
            self.wire(dump)

    def close(self) -> None:
        """Ends the outgoing packet that is open."""
        payload = self._joiner.close()
        if payload is not None:
            self.packet(Packet(payload))

    def told(self, piece: RecordToken) -> None:
        """A record."""

    def loose(self, piece: OtherBytes) -> None:
        """Bytes that are neither record nor dump."""

    def begun(self, dump: Hexdump) -> None:
        """A dump begins here; its rows follow, or are in it."""

    def row(self, piece: Row) -> None:
        """A row of a dump that does not stand in one piece."""

    def dumped(self, dump: Hexdump) -> None:
        """A dump is whole, or was given up."""

    def packet(self, packet: Packet) -> None:
        """An SSH packet in the clear."""

    def orphan(self, dump: Hexdump) -> None:
        """A `plain2` whose first buffer is not in the trace."""

    def wire(self, dump: Hexdump) -> None:
        """Bytes as they went over the wire: `raw` or `send()`."""


_SCP = re.compile(rb"scp( +-[A-Za-z0-9]+)* +(-[ft])\b")


def is_transfer(command: bytes) -> bool:
    """Whether a command is the remote end of scp or SFTP, whose words are paths."""
    return _SCP.match(command) is not None or b"sftp-server" in command or command.startswith(b"internal-sftp")


def program(command: bytes) -> bytes:
    """The first word of a command, which tells no secret unless it sets a variable or names one by `user:password@`."""
    word = command.split(None, 1)[0] if command.split() else b""
    return b"" if b"=" in word or b"@" in word else word
