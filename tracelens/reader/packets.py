"""Dumps become packets: which dumps are one packet, and what the packet says."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from tracelens.ssh.messages import decode_message, format_of

if TYPE_CHECKING:
    from tracelens.reader import Dump

# A binary packet has at least a length (4), a padding length (1) and padding (4): RFC 4253 section 6.
_OVERHEAD = 9
_EDGE = 64
_CAP = 0x10000
_UNSENT_KEPT = 4
_KEXINIT = 20


class RawPacket(Struct, frozen=True):
    """One SSH payload as dumped (RFC 4253 section 6), not decoded. It holds its dumps: do not pickle it.

    Args:
        line: line of its first dump's header.
        time: the clock there.
        direction: `in` or `out`.
        number: its first byte, the message number; -1 where nothing is shown.
        size: bytes in it, as the headers say; they may lie.
        sent: for an outgoing packet True if the bytes that went out cover it; None is "not known".
        retried: how often a blocked send repeated it before it was handed out.
        read: gives the payload's bytes from a to b, fewer where the trace does not show them.
    """

    line: int
    time: float | None
    direction: str
    number: int
    size: int
    sent: bool | None
    retried: int
    read: Callable[[int, int], bytes]


class Packet(Struct, frozen=True):
    """One decoded SSH packet.

    Args:
        line: line of its dump's header.
        time: the clock there.
        direction: `in` or `out`.
        number: its message number (RFC 4250 section 4.1); -1 where nothing is shown.
        name: its name, such as `userauth_failure`; `unknown_N` where the number has none.
        fields: what it says, by name; secrets are `Secret`.
        size: bytes in it, as the headers say; they may lie.
        problem: what is wrong with it, in words, or None.
    """

    line: int
    time: float | None
    direction: str
    number: int
    name: str
    fields: dict[str, Any]
    size: int
    problem: str | None


class _Outgoing(Struct):
    """An outgoing packet that may yet be sent again: how to know it, and what became of it."""

    line: int
    time: float | None
    size: int
    head: bytes
    tail: bytes
    read: Callable[[int, int], bytes]
    sent: int = 0
    retried: int = 0

    @property
    def covered(self) -> bool:
        return self.sent >= self.size + _OVERHEAD

    def is_again(self, other: _Outgoing) -> bool:
        """Whether it repeats `other`; what is not shown is never the same."""
        return bool(self.head) and (self.size, self.head, self.tail) == (other.size, other.head, other.tail)


class PacketReader:
    """Joins dumps into packets and drops the repeats that a blocked send leaves.

    libssh2 dumps an outgoing payload each time it tries to send it, in one buffer or two (`plain`,
    `plain2`), and dumps what went out after that. An outgoing packet is handed out once it is known to be
    whole and sent, and at the latest with the next dump that is something else, or with `flush`. A packet
    that is the same as an earlier one not fully sent is that one, tried again. Packets come in order of
    their lines.

    Attributes:
        retried: how many repeats were dropped.
    """

    def __init__(self) -> None:
        self.retried = 0
        self._open: list[Dump] = []  # an outgoing payload that a second buffer may still follow
        self._held: _Outgoing | None = None  # whole, to be handed out
        self._unsent: list[_Outgoing] = []  # not fully sent as far as is known; the last is the current one

    def add(self, dump: Dump) -> list[RawPacket]:
        """Takes the next dump and gives the packets that are complete with it."""
        if dump.kind == "plain" and dump.direction == "out":
            packets = self._close()
            self._open = [dump]
            return packets
        if dump.kind == "plain2":
            if len(self._open) == 1:
                self._open.append(dump)
            return []  # without its first buffer nobody can say what it is
        packets = self._close()
        if dump.kind == "send":
            self._count(dump.size)
            if self._held is None or not self._held.covered:
                return packets
        packets += self._release()
        if dump.kind == "plain":
            packets.append(_incoming(dump))
        return packets

    def flush(self) -> list[RawPacket]:
        """Gives the packet that is still held, at the end of the input."""
        return self._close() + self._release() if self._open or self._held is not None else []

    def _close(self) -> list[RawPacket]:
        """The open payload is whole: it is a repeat, or it takes the place of the held one."""
        if not self._open:
            return []
        packet = _outgoing(self._open)
        self._open = []
        for earlier in self._unsent:
            if packet.is_again(earlier):
                self.retried += 1
                earlier.retried += 1
                self._unsent.remove(earlier)
                self._unsent.append(earlier)
                return [] if earlier is self._held else self._release()
        released = self._release()
        if packet.head[:1] == bytes([_KEXINIT]):
            self._unsent.clear()  # another session may have begun: what is left of the last one is lost
        self._unsent = [*self._unsent[1 - _UNSENT_KEPT :], packet]
        self._held = packet
        return released

    def _count(self, size: int) -> None:
        if self._unsent:
            self._unsent[-1].sent += size
            if self._unsent[-1].covered:
                self._unsent.pop()

    def _release(self) -> list[RawPacket]:
        packet, self._held = self._held, None
        if packet is None:
            return []
        number = packet.head[0] if packet.head else -1
        sent = True if packet.covered else None
        return [RawPacket(packet.line, packet.time, "out", number, packet.size, sent, packet.retried, packet.read)]


def _incoming(dump: Dump) -> RawPacket:
    shown = dump.data(0, 1)
    return RawPacket(
        dump.line,
        dump.time,
        "in",
        shown[0] if shown else -1,
        dump.size,
        None,
        0,
        lambda a, b: dump.data(a, b),
    )


def _outgoing(dumps: list[Dump]) -> _Outgoing:
    first = dumps[0]
    size = sum(dump.size for dump in dumps)

    def read(start: int, stop: int) -> bytes:
        data = first.data(start, min(stop, first.size)) if start < first.size else b""
        if len(dumps) == 1 or stop <= first.size or start + len(data) < first.size:
            return data
        begin = max(start - first.size, 0)
        return data + dumps[1].data(begin, stop - first.size)

    head = read(0, min(_EDGE, size))
    tail = read(max(size - _EDGE, 0), size) if size > _EDGE else b""
    return _Outgoing(first.line, first.time, size, head, tail, read)


def decode(raw: RawPacket, method: str | None = None) -> Packet:
    """Says what a packet means. Damage of any kind becomes `problem`; nothing raises.

    Args:
        raw: the packet; only as much of it is read as the message's shape needs, 64 KiB at most.
        method: the authentication method last asked for, as number 60 depends on it (RFC 4252 section 5).
    """
    wanted = min(raw.size, format_of(raw.number).head, _CAP)
    data = raw.read(0, wanted) if wanted > 0 else b""
    if not data:
        why = "is empty" if raw.size == 0 else "the trace shows no byte of it"
        return Packet(raw.line, raw.time, raw.direction, -1, "unknown", {}, raw.size, why)
    name, fields, problem = decode_message(data, raw.size, method)
    if len(data) < wanted:
        problem = f"the trace shows {len(data)} of {raw.size} bytes"
    return Packet(raw.line, raw.time, raw.direction, data[0], name, fields, raw.size, problem)
