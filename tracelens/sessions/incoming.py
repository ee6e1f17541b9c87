"""Incoming packets, whose dumps come before the texts that announce them."""

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from tracelens.libssh2.events import Event
from tracelens.reader.packets import RawPacket
from tracelens.sessions.interleaved.packets import IMPOSSIBLE, score_packet
from tracelens.sessions.state import State

Score = Callable[[State], float]


class Packet(NamedTuple):
    """An incoming packet that waits for its "Packet type N received": after so many records and reads from a socket."""

    raw: RawPacket
    records: int
    read: int


class Incoming:
    """The packets that wait, `reads`: dumps of data from a socket, `last_state`: the session of the last packet."""

    def __init__(self) -> None:
        self.waiting: deque[Packet] = deque()
        self.reads = 0
        self.last_state: State | None = None
        self._last_read = 0

    def copy(self, copied: dict[int, State]) -> "Incoming":
        """Return the same packets with a copy of the last one's state, by the id of each state."""
        copy = Incoming()
        copy.waiting, copy.reads, copy._last_read = self.waiting.copy(), self.reads, self._last_read
        copy.last_state = copied[id(self.last_state)] if self.last_state is not None else None
        return copy

    def add(self, raw: RawPacket, records: int) -> None:
        """Let a packet wait, that came after so many records."""
        self.waiting.append(Packet(raw, records, self.reads))

    def waits_before(self, line: int) -> bool:
        """Whether a packet waits that was dumped before a line."""
        return bool(self.waiting) and self.waiting[0].raw.line < line

    def announced_by(self, event: Event) -> Packet | None:
        """The first packet that a "Packet type N received, length=L" can announce."""
        number, length = event.fields.get("type"), event.fields.get("length")
        return next((one for one in self.waiting if one.raw.number == number and one.raw.size == length), None)

    def take(self, packet: Packet, state: State) -> None:
        """Give a packet to a session: it waits no longer."""
        if self.waiting[0] is packet:
            self.waiting.popleft()
        else:
            self.waiting.remove(packet)
        self.last_state, self._last_read = state, packet.read

    def score(self, packet: Packet) -> Score:
        """How a packet fits; among equals, the session whose packet came before it from the same read is better."""
        reader = self.last_state if 0 < packet.read == self._last_read else None

        def score(state: State) -> float:
            plain = score_packet(state, packet.raw)
            return plain + (state is reader and plain > IMPOSSIBLE) / 2

        return score
