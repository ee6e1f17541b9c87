"""The first pass over a trace: its secrets, and to which stream its channel data belongs."""

from array import array
from collections import deque
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from tracelens import secrets
from tracelens.libssh2 import events
from tracelens.libssh2.events import Event
from tracelens.reader import Dump, Run
from tracelens.reader.packets import Packet as Decoded
from tracelens.reader.patterns import decoded
from tracelens.redact.hexdump import Hexdump
from tracelens.redact.packets import HIDING, Packet, Pass
from tracelens.redact.private_keys import PrivateKeys
from tracelens.redact.pseudonyms import Pseudonyms
from tracelens.redact.tokens import OtherBytes, RecordToken
from tracelens.sessions import Assembler
from tracelens.sessions.state import HIDDEN_FIELDS, State
from tracelens.ssh.messages import SECRETIVE
from tracelens.ssh.sftp import SftpPacket

# A second buffer without its first may be a password up to this size; a larger one is content.
PASSWORD_KEPT = 256
_WAITING = 4096
# So many records and dumps before the first message about a channel are kept; from a dump that is longer than this,
# sessions are followed.
_BEFORE, _LONG = 1024, 4096
_FIRST_OF_CHANNELS = b"\x50"
DATA, SFTP, AGENT = 1, 2, 3
LOGIN, ANSWERS = 50, 61
_UNKNOWN = secrets.mask(0)


class Secrets:
    """The secrets of all inputs of one run, and the mask of each."""

    def __init__(self) -> None:
        self.masks: dict[bytes, bytes] = {}

    def add(self, value: bytes) -> None:
        """Adds a secret."""
        if value and not secrets.is_mask(value) and value not in self.masks:
            self.masks[value] = secrets.mask(len(self.masks) + 1)

    def forget(self, count: int) -> None:
        """Forgets all but the first ones."""
        for value in list(self.masks)[count:]:
            del self.masks[value]

    def mask(self, value: bytes) -> bytes:
        """What replaces it."""
        known = self.masks.get(value)
        return known or (value if secrets.is_mask(value) else _UNKNOWN)

    def needles(self) -> secrets.SecretSearcher:
        """A search for those that are masked everywhere."""
        return secrets.SecretSearcher(self.masks)

    @property
    def untold(self) -> list[bytes]:
        """Those that are ordinary words or too short: masked only where a packet says what they are."""
        return [value for value in self.masks if not secrets.is_searchable(value)]


class SecretCollector(Pass):
    """Collects secrets, and follows sessions as far as needed to distinguish the streams on channels.

    `streams` has an entry for each dump, by its number: 0, or the number of the stream whose data it shows; `kinds` is
    what each stream carries. `shared`: sessions are interleaved, so that data may belong to another one.
    """

    def __init__(self, known: Secrets, names: Pseudonyms | None) -> None:
        super().__init__()
        self.known = known
        self._names = names
        self.streams = array("I")
        self.kinds = [0]
        self.found = 0
        self.shared = False
        self.users: set[str] = set()
        self._startups = self._ends = 0  # of sessions, until they are followed
        self._numbers: dict[tuple[int, int, str], int] = {}
        self._places: dict[int, int] = {}  # place of a dump in the trace -> its number
        self._assembler = Assembler(self._seen)
        # Before the first message about a channel there is no stream, and sessions are followed only to learn names
        # from their packets.
        self._following = names is not None
        self._before: deque[tuple[int, RecordToken | Dump]] = deque(maxlen=_BEFORE)
        self._place = 0
        self._clock: float | None = None
        self._tracks: list[State] = []
        self._agents: set[tuple[int, int, str]] = set()
        self._keys = PrivateKeys()

    def finish(self) -> None:
        """Ends the trace, and deletes what only the sessions needed."""
        self._assembler.finish()
        self.shared = self._assembler.opened.interleaved > 0
        self._assembler, self._tracks, self._places = Assembler(), [], {}
        self._before.clear()

    def record(self, token: RecordToken) -> None:
        """A record; some contain secrets."""
        self.found += 1
        self._place += 1
        if token.clock is not None:
            self._clock = token.clock
        text = decoded(token.text)
        if not self._following and token.context == "Transport":
            self._startups += text.startswith("session_startup")
            self._ends += text.startswith("Freeing session resource")
            self._following = self._startups > self._ends + 1
        if self._names is not None or events.opening(*HIDING).match(text):
            name, fields = token.parsed()
            for field in HIDDEN_FIELDS.get(name, ()):
                self.known.add(str(fields.get(field, "")).encode())
            if name == "conn.request_started":
                self._command(str(fields.get("message", "")).encode())
            if self._names is not None:
                self._learn(name, fields)
        self._follow(self._place, token)

    def _command(self, command: bytes) -> None:
        """A command line may contain credentials, which are masked everywhere."""
        for value in secrets.credentials(command):
            self.known.add(value)

    def other_bytes(self, token: OtherBytes) -> None:
        """Lines of a program may contain a secret, or a private key."""
        self._credentials(self._keys.without(token.text))

    def _credentials(self, text: bytes) -> None:
        if b"\n" in text or len(text) > 8:
            for value in secrets.credentials(text):
                self.known.add(value)

    def dump_end(self, dump: Hexdump) -> None:
        """A dump, which the sessions need."""
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

    def lone_second_buffer(self, dump: Hexdump) -> None:
        """A second buffer without its first may be a password."""
        if 0 < dump.size <= PASSWORD_KEPT:
            self.known.add(dump.data())

    def packet(self, packet: Packet) -> None:
        """A packet; its secrets are collected, even if the trace cuts them off."""
        if packet.number == LOGIN:
            self.users.update(value.decode("utf-8", "replace") for value in islice(_strings(packet.data[1:]), 1))
        for span in packet.strings() if packet.number in SECRETIVE else ():
            if span.kind == "secret":
                self.known.add(packet.data[span.start : span.start + span.length])
        if packet.number == ANSWERS:
            for value in _strings(packet.data[packet.understood() :]):
                self.known.add(value)
        command = packet.command()
        if command is not None:
            self._command(packet.data[command.start : command.start + command.length])
        if len(packet.dumps) > 1 and len(packet.data) < packet.dumps[0].size:
            self.lone_second_buffer(packet.dumps[1])

    def _seen(self, track: State, item: Event | Run | Decoded | SftpPacket) -> None:
        """Notes to which stream the data of a packet belongs, and whose names are in it."""
        if self._names is not None and isinstance(item, Decoded | SftpPacket):
            self._learn(item.name, item.fields)
        if not isinstance(item, Decoded):
            return
        fields, key = item.fields, id(track)
        number = self._places.pop(item.line, None)
        if item.problem is not None:
            return
        if item.name == "channel_open" and str(fields["kind"]).startswith("auth-agent"):
            self._agents.add((key, fields["sender"], "out"))
        elif item.name == "channel_open_confirmation" and (key, fields["recipient"], "out") in self._agents:
            if item.direction == "out":
                self._agents.add((key, fields["sender"], "in"))
        elif number is not None and item.name in ("channel_data", "channel_extended_data"):
            self.streams[number] = self._stream_of(track, item)

    def _stream_of(self, track: State, item: Decoded) -> int:
        """The number of the stream to which the data of a packet belongs."""
        channel = item.fields["recipient"]
        is_agent = (id(track), channel, item.direction) in self._agents
        is_sftp = item.name == "channel_data" and track.carries_sftp(item.direction, channel)
        kind = AGENT if is_agent else SFTP if is_sftp else DATA
        key = (id(track), channel, f"{item.direction} {item.name} {kind}")
        if key not in self._numbers:
            self._numbers[key] = len(self.kinds)
            self._tracks.append(track)  # else another could get its id
            self.kinds.append(kind)
        return self._numbers[key]

    def _learn(self, name: str, fields: Mapping[str, Any]) -> None:
        """Learns names that are replaced everywhere, also before the packet that contains them."""
        names = self._names
        assert names is not None
        for field, kind in _NAMED.items():
            value = fields.get(field)
            if isinstance(value, str) and value and not name.startswith(("key_ex.", "conn.channel_request")):
                names.learn(kind, value.encode())
        if name == "name":  # SFTP's list of a folder
            for entry in fields.get("names", ()):
                names.learn("name", entry.encode())


def _strings(data: bytes) -> Iterator[bytes]:
    """The strings that follow each other in the data, as far as their lengths are true."""
    at = 0
    while at + 4 <= len(data):
        length = int.from_bytes(data[at : at + 4])
        if not length or at + 4 + length > len(data):
            break
        yield data[at + 4 : at + 4 + length]
        at += 4 + length


# Field of an event or a packet -> the kind of name in it.
_NAMED = {
    "user": "user", "client_user": "user", "from_host": "host", "to_host": "host", "host": "host", "comment": "comment",
    "path": "name", "target": "name",
}  # fmt: skip
