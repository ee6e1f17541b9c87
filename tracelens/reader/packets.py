"""Dumps -> packets: joined where two dumps show one packet, and decoded on demand."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

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
D = TypeVar("D", bound="Dump")


class RawPacket(Struct, frozen=True):
    """One SSH payload as dumped (RFC 4253, 6), not decoded. It refers to its dumps: do not pickle it.

    `line` and `time` are those of its first dump; `number` is its first byte, the message number, or -1 if nothing is
    shown; `size` is as the titles say and may be wrong. `sent`: the bytes that were sent cover an outgoing packet; None
    is "not known". `retried` is how often a blocked send repeated it. `read` returns its bytes from a to b, as far as
    the trace shows them.
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
    """One decoded SSH packet: a `RawPacket` with its message's name, such as `userauth_failure`, and its fields.

    `name` is `unknown_N` if the number has none; secrets among the `fields` are `Secret`; `problem` says in words what
    is wrong with the packet, if anything. `cut`: the trace does not show all of it, and its fields are those before the
    hole.
    """

    line: int
    time: float | None
    direction: str
    number: int
    name: str
    fields: dict[str, Any]
    size: int
    problem: str | None
    cut: bool = False


class Payload(Generic[D]):
    """The payload of one packet, in the dumps that show it: `plain`, then `plain2` if there is one.

    `size` is the bytes in it, as the titles say; they may be wrong.
    """

    __slots__ = ("dumps", "size")

    def __init__(self, dumps: list[D]) -> None:
        self.dumps = dumps
        self.size = dumps[0].size if len(dumps) == 1 else sum(dump.size for dump in dumps)

    def read(self, start: int, stop: int) -> bytes:
        """The bytes from `start` up to `stop`, or up to the first one that the trace does not show."""
        first = self.dumps[0]
        data = first.data(start, min(stop, first.size)) if start < first.size else b""
        if len(self.dumps) == 1 or stop <= first.size or start + len(data) < first.size:
            return data
        return data + self.dumps[1].data(max(start - first.size, 0), stop - first.size)


class PayloadJoiner(Generic[D]):
    """Joins the one or two dumps of an outgoing payload."""

    def __init__(self) -> None:
        self.dumps: list[D] = []  # an outgoing payload that a second buffer may still follow

    def takes(self, dump: D) -> bool:
        """Whether the dump is part of an outgoing payload, which is complete with the next `close`.

        `close` first where the dump is no `plain2`. A `plain2` without its first buffer is not taken.
        """
        if dump.kind == "plain2":
            if len(self.dumps) != 1:
                return False
            self.dumps.append(dump)
            return True
        if dump.kind == "plain" and dump.direction == "out":
            self.dumps = [dump]
            return True
        return False

    def close(self) -> Payload[D] | None:
        """The outgoing payload that is open, if any."""
        dumps, self.dumps = self.dumps, []
        return Payload(dumps) if dumps else None


class _Outgoing:
    """An outgoing packet that may yet be sent again: how to recognize it, and how much of it was sent."""

    def __init__(self, payload: Payload[Dump]) -> None:
        self.payload, self.size = payload, payload.size
        self.head = payload.read(0, min(_EDGE, self.size))
        self.tail = payload.read(max(self.size - _EDGE, 0), self.size) if self.size > _EDGE else b""
        self.sent = self.retried = 0

    @property
    def covered(self) -> bool:
        """Whether the bytes that were sent cover it."""
        return self.sent >= self.size + _OVERHEAD

    def repeats(self, other: _Outgoing) -> bool:
        """Whether it is `other` again; what is not shown is never the same."""
        return bool(self.head) and (self.size, self.head, self.tail) == (other.size, other.head, other.tail)


class PacketReader:
    """Joins dumps into packets and drops the repeats that a blocked send leaves.

    libssh2 dumps an outgoing payload each time it tries to send it, in one buffer or two (`plain`, `plain2`), and then
    the bytes that were sent. An outgoing packet is returned once it is known to be whole and sent, and at the latest
    with the next dump that is something else, or by `flush`. A packet that equals an earlier one that was not fully
    sent is its repetition. Packets come in order of their lines. `retried` is how many repeats were dropped.
    """

    def __init__(self) -> None:
        self.retried = 0
        self._joiner: PayloadJoiner[Dump] = PayloadJoiner()
        self._pending: _Outgoing | None = None  # whole, to be returned
        self._unsent: list[_Outgoing] = []  # perhaps not fully sent; the last is the current one

    def copy(self) -> PacketReader:
        """One that has read the same, and goes on by itself."""
        other = PacketReader()
        copies = {id(each): copy.copy(each) for each in (*self._unsent, self._pending) if each is not None}
        other._joiner.dumps = [*self._joiner.dumps]
        other._pending = copies[id(self._pending)] if self._pending is not None else None
        other._unsent = [copies[id(each)] for each in self._unsent]
        return other

    def add(self, dump: Dump) -> list[RawPacket]:
        """Adds the next dump; returns the packets that are complete with it."""
        if dump.kind == "plain2":
            self._joiner.takes(dump)
            return []  # without its first buffer its message is not known
        packets = self._close()
        if self._joiner.takes(dump):
            return packets
        if dump.kind == "send":
            self._count(dump.size)
            if self._pending is None or not self._pending.covered:
                return packets
        packets += self._release()
        if dump.kind == "plain":
            packets.append(_incoming(dump))
        return packets

    def flush(self) -> list[RawPacket]:
        """Returns the packet that is still pending, at the end of the input."""
        return self._close() + self._release() if self._joiner.dumps or self._pending is not None else []

    def _close(self) -> list[RawPacket]:
        """The open payload is complete: it repeats an earlier one, or it replaces the pending one."""
        payload = self._joiner.close()
        if payload is None:
            return []
        packet = _Outgoing(payload)
        for earlier in self._unsent:
            if packet.repeats(earlier):
                self.retried += 1
                earlier.retried += 1
                self._unsent.remove(earlier)
                self._unsent.append(earlier)
                return [] if earlier is self._pending else self._release()
        released = self._release()
        if packet.head[:1] == bytes([_KEXINIT]):
            self._unsent.clear()  # another session may have begun: what is left of the last one is lost
        self._unsent = [*self._unsent[1 - _UNSENT_KEPT :], packet]
        self._pending = packet
        return released

    def _count(self, size: int) -> None:
        if self._unsent:
            self._unsent[-1].sent += size
            if self._unsent[-1].covered:
                self._unsent.pop()

    def _release(self) -> list[RawPacket]:
        packet, self._pending = self._pending, None
        if packet is None:
            return []
        number, first = packet.head[0] if packet.head else -1, packet.payload.dumps[0]
        sent, read = True if packet.covered else None, packet.payload.read
        return [RawPacket(first.line, first.time, "out", number, packet.size, sent, packet.retried, read)]


def _incoming(dump: Dump) -> RawPacket:
    first = dump.data(0, 1)
    number = first[0] if first else -1
    return RawPacket(dump.line, dump.time, "in", number, dump.size, None, 0, Payload([dump]).read)


def decode(raw: RawPacket, method: str | None = None) -> Packet:
    """Decodes a packet. Damage of any kind becomes `problem`; nothing raises.

    Args:
        raw: the packet; at most 64 KiB of it are read.
        method: the authentication method of the last request: number 60 depends on it (RFC 4252, 5).
    """
    wanted = min(raw.size, format_of(raw.number).head, _CAP)
    data = raw.read(0, wanted) if wanted > 0 else b""
    if not data:
        why = "is empty" if raw.size == 0 else "the trace shows no byte of it"
        return Packet(raw.line, raw.time, raw.direction, -1, "unknown", {}, raw.size, why, raw.size != 0)
    name, fields, problem = decode_message(data, raw.size, method)
    cut = len(data) < wanted
    if cut:
        problem = f"the trace shows {len(data)} of {raw.size} bytes"
    return Packet(raw.line, raw.time, raw.direction, data[0], name, fields, raw.size, problem, cut)
