"""The first pass over a trace: which secrets are in it, and which channel data belongs to which stream."""

from array import array
from collections import deque
from collections.abc import Mapping
from typing import Any

from tracelens import secrets
from tracelens.libssh2 import events
from tracelens.libssh2.events import Event
from tracelens.reader import Dump, Run
from tracelens.reader.packets import Packet as Decoded
from tracelens.reader.patterns import decoded
from tracelens.redact.hexdump import Hexdump
from tracelens.redact.packets import HIDING, Packet, Walk
from tracelens.redact.pseudonyms import Pseudonyms
from tracelens.redact.tokens import LINES, OtherBytes, RecordToken
from tracelens.sessions import Assembler
from tracelens.sessions.track import HIDDEN_FIELDS, Track
from tracelens.ssh.messages import SECRETIVE
from tracelens.ssh.sftp import SftpPacket

# An orphaned second buffer up to this size may be a password; a larger one is content.
ORPHAN = 256
_WAITING = 4096
# How many records and dumps before the first message about a channel are kept. A larger dump is not: sessions are
# followed from there on.
_BEFORE, _LONG = 1024, 4096
_FIRST_OF_CHANNELS = b"\x50"
DATA, SFTP, AGENT = 1, 2, 3
_UNKNOWN = secrets.mask(0)


class Secrets:
    """The secrets of all inputs of one run, and the mask of each."""

    def __init__(self) -> None:
        self.masks: dict[bytes, bytes] = {}

    def add(self, value: bytes) -> None:
        """Takes a secret."""
        if value and not secrets.is_mask(value) and value not in self.masks:
            self.masks[value] = secrets.mask(len(self.masks) + 1)

    def mask(self, value: bytes) -> bytes:
        """What stands in its place."""
        known = self.masks.get(value)
        return known or (value if secrets.is_mask(value) else _UNKNOWN)

    def needles(self) -> secrets.Needles:
        """Those that are looked for everywhere."""
        return secrets.Needles(self.masks)

    @property
    def untold(self) -> list[bytes]:
        """Those that are ordinary words or too short, and masked only where a packet says what they are."""
        return [value for value in self.masks if not secrets.is_telling(value)]


class Survey(Walk):
    """Collects secrets, and follows sessions so far that streams on channels can be told apart.

    `streams` has an entry a dump, by its number: 0, or the number of the stream of which it shows data; `kinds` says
    what each stream carries. `shared` says whether sessions took turns, so that data may be of another than
    it seems.
    """

    def __init__(self, known: Secrets, names: Pseudonyms | None) -> None:
        super().__init__()
        self.known = known
        self._names = names
        self.streams = array("I")
        self.kinds = [0]
        self.found = 0
        self.shared = False
        self._startups = self._ends = 0  # of sessions, until they are followed
        self._numbers: dict[tuple[int, int, str], int] = {}
        self._places: dict[int, int] = {}  # place of a dump in the trace -> its number
        self._assembler = Assembler(self._seen)
        # Before its first message about a channel there is no stream, and no session need be followed, unless names
        # are to be learned from its packets.
        self._following = names is not None
        self._before: deque[tuple[int, RecordToken | Dump]] = deque(maxlen=_BEFORE)
        self._place = 0
        self._clock: float | None = None
        self._tracks: list[Track] = []
        self._agents: set[tuple[int, int, str]] = set()
        self._in_key = False

    def finish(self) -> None:
        """The trace is over; what only the sessions needed is let go of."""
        self._assembler.finish()
        self.shared = self._assembler.interleaved > 0
        self._assembler, self._tracks, self._places = Assembler(), [], {}
        self._before.clear()

    def told(self, piece: RecordToken) -> None:
        """A record; some hold secrets."""
        self.found += 1
        self._place += 1
        if piece.clock is not None:
            self._clock = piece.clock
        text = decoded(piece.text)
        if not self._following and piece.context == "Transport":
            self._startups += text.startswith("session_startup")
            self._ends += text.startswith("Freeing session resource")
            self._following = self._startups > self._ends + 1
        if self._names is not None or events.opening(*HIDING).match(text):
            name, fields = piece.parsed()
            for field in HIDDEN_FIELDS.get(name, ()):
                self.known.add(str(fields.get(field, "")).encode())
            if name == "conn.request_started":
                self._command(str(fields.get("message", "")).encode())
            if self._names is not None:
                self._learn(name, fields)
        self._follow(self._place, piece)

    def _command(self, command: bytes) -> None:
        """A command line may hold credentials; those that are no path are masked wherever else they stand."""
        for value in secrets.credentials(command):
            self.known.add(value)

    def loose(self, piece: OtherBytes) -> None:
        """A line of a program may print a secret, or a private key."""
        if self._in_key or secrets.KEY_BEGIN.search(piece.text):
            for line in LINES.findall(piece.text):
                if self._in_key or secrets.KEY_BEGIN.search(line):
                    self._in_key = not secrets.KEY_END.search(line)
                else:
                    self._credentials(line)
        else:
            self._credentials(piece.text)

    def _credentials(self, text: bytes) -> None:
        if b"\n" in text or len(text) > 8:
            for value in secrets.credentials(text):
                self.known.add(value)

    def dumped(self, dump: Hexdump) -> None:
        """A dump, for the sessions."""
        self.found += 1
        self._place += 1
        self.streams.append(0)
        if dump.kind == "plain":
            self._places[self._place] = dump.number
            if len(self._places) > _WAITING:
                del self._places[next(iter(self._places))]
        if not self._following:
            is_long = dump.size > _LONG and (dump.layout is not None or dump.next > _LONG)
            about_channels = dump.kind == "plain" and dump.data()[:1] >= _FIRST_OF_CHANNELS
            self._following = is_long or about_channels
        dump.line, dump.time = self._place, self._clock
        self._follow(self._place, dump)

    def _follow(self, place: int, item: RecordToken | Dump) -> None:
        self._before.append((place, item))
        while self._before and self._following:
            place, item = self._before.popleft()
            if isinstance(item, RecordToken):
                name, fields = item.parsed()
                text = decoded(item.text)
                self._assembler.add(Event(place, item.clock, item.context, name, fields, text))
            else:
                self._assembler.add(item)

    def orphan(self, dump: Hexdump) -> None:
        """A second buffer alone may be a password."""
        if 0 < dump.size <= ORPHAN:
            self.known.add(dump.data())

    def packet(self, packet: Packet) -> None:
        """A packet; its secrets are collected, those too that the trace cuts off."""
        for span in packet.strings() if packet.number in SECRETIVE else ():
            if span.kind == "secret":
                self.known.add(packet.data[span.start : span.start + span.length])
        command = packet.command()
        if command is not None:
            self._command(packet.data[command.start : command.start + command.length])
        if len(packet.dumps) > 1 and len(packet.data) < packet.dumps[0].size:
            self.orphan(packet.dumps[1])

    def _seen(self, track: Track, item: Event | Run | Decoded | SftpPacket) -> None:
        """What the sessions make of a packet: which stream its data belongs to, and whose names are in it."""
        if self._names is not None and isinstance(item, Decoded | SftpPacket):
            self._learn(item.name, item.fields)
        if not isinstance(item, Decoded):
            return
        fields = item.fields
        number = self._places.pop(item.line, None)
        if item.problem is not None:
            return
        if item.name == "channel_open" and str(fields["kind"]).startswith("auth-agent"):
            self._agents.add((id(track), fields["sender"], "out"))
        elif item.name == "channel_open_confirmation" and item.direction == "out":
            if (id(track), fields["recipient"], "out") in self._agents:
                self._agents.add((id(track), fields["sender"], "in"))
        elif number is not None and item.name in ("channel_data", "channel_extended_data"):
            is_agent = (id(track), fields["recipient"], item.direction) in self._agents
            is_sftp = item.name == "channel_data" and track.carries_sftp(item.direction, fields["recipient"])
            kind = AGENT if is_agent else SFTP if is_sftp else DATA
            key = (id(track), fields["recipient"], f"{item.direction} {item.name} {kind}")
            stream = self._numbers.get(key)
            if stream is None:
                stream = self._numbers[key] = len(self.kinds)
                self._tracks.append(track)  # else another could get its id
                self.kinds.append(kind)
            self.streams[number] = stream

    def _learn(self, name: str, fields: Mapping[str, Any]) -> None:
        """Names that are to be replaced wherever they turn up, for one before the packet that tells them."""
        names = self._names
        assert names is not None
        for field, kind in _NAMED.items():
            value = fields.get(field)
            if isinstance(value, str) and value and not name.startswith(("key_ex.", "conn.channel_request")):
                names.learn(kind, value.encode())
        if name == "name":  # SFTP's list of a folder
            for entry in fields.get("names", ()):
                names.learn("name", entry.encode())


# Field of an event or a packet -> whose name it is.
_NAMED = {
    "user": "user", "client_user": "user", "from_host": "host", "to_host": "host", "host": "host", "comment": "comment",
    "path": "name", "target": "name",
}  # fmt: skip
