"""The second pass over a trace: the same trace without its secrets, contents and cipher text."""

import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct

from tracelens import secrets
from tracelens.libssh2 import events
from tracelens.reader.patterns import decoded
from tracelens.redact import hexdump, remnants
from tracelens.redact.channel_content import Content, Part, SftpContent
from tracelens.redact.collect import AGENT, PASSWORD_KEPT, SFTP, SecretCollector, Secrets
from tracelens.redact.hexdump import Edit, Hexdump, Row
from tracelens.redact.packets import HIDING, SIZING, Packet, Pass, WireSizes, is_transfer, program
from tracelens.redact.private_keys import PrivateKeys, begins_key
from tracelens.redact.pseudonyms import Pseudonyms
from tracelens.redact.tokens import OtherBytes, RecordToken, Token
from tracelens.secrets.spellings import Spellings
from tracelens.sessions.state import HIDDEN_FIELDS
from tracelens.ssh.messages import SECRETIVE
from tracelens.ssh.wire import StringSpan

_MOST_WAITING, _WRITTEN = 8 << 20, 1 << 16
_HIDDEN_WORDS = b"hidden-arguments"
_REPEATS = 8
# So many bytes of channel data decide what it is.
_FRONT = 64
# Messages that hold numbers alone, and their sizes; most packets without channel data are such.
_SHORT = {(93, 9), (96, 5), (97, 5), (99, 5), (100, 5), (21, 1), (52, 1), (81, 1), (82, 1)}


class Choices(Struct, frozen=True):
    """What is kept in the copy besides the trace's own words."""

    keep_content: bool = False
    keep_ciphertext: bool = False


class _Begin(Struct):
    """The title of a dump, which waits until its packet is known."""

    dump: Hexdump


class Rewrite(Pass):
    """Writes the copy.

    Args:
        collector: the first pass over the same trace.
        known: the secrets of all inputs, with their masks.
        needles: searches for them.
        names: pseudonyms, or None if names are kept.
        choices: what is kept.
        write: gets the copy's bytes in order.
    """

    def __init__(
        self,
        collector: SecretCollector,
        known: Secrets,
        needles: secrets.SecretSearcher,
        names: Pseudonyms | None,
        choices: Choices,
        write: Callable[[bytes], object],
    ) -> None:
        super().__init__()
        self._collector, self._known, self._needles, self._names = collector, known, needles, names
        self._choices, self._write = choices, write
        self._queue: deque[RecordToken | OtherBytes | Row | _Begin] = deque()
        self._waiting = 0
        self._undecided: dict[int, _Begin] = {}
        self._streams: dict[int, Content] = {}
        self._repeats: deque[tuple[int, bytes, list[Edit]]] = deque(maxlen=_REPEATS)
        self._announced: dict[tuple[int, int], int] = {}
        self._sent: WireSizes | None = None
        self._keys = PrivateKeys()
        self.left_out = 0  # lines of dumps that could not be read
        self._line_counted = False  # whether a part of this line was
        self._spellings = Spellings(needles)
        self._last = -1

    # -- order -----------------------------------------------------------------------------------------------------

    def go(self, tokens: Iterable[Token]) -> None:
        """Handles all tokens of the trace, and writes the rest of the copy."""
        super().go(tokens)
        for begun in list(self._undecided.values()):
            self._blank(begun.dump)
        self._flush()

    def _add(self, token: RecordToken | OtherBytes | Row | _Begin, size: int) -> None:
        self._queue.append(token)
        self._waiting += size
        if self._waiting > _MOST_WAITING:
            self.close()
            for begun in list(self._undecided.values()):
                self._blank(begun.dump)
        if self._waiting > _WRITTEN and not self._undecided:
            self._flush()

    def _flush(self) -> None:
        out: list[bytes] = []
        for token in self._queue:
            if isinstance(token, RecordToken):
                out += (token.head, token.text, token.tail)
            elif isinstance(token, _Begin):
                out.append(hexdump.render(token.dump))
            else:
                out.append(token.text)
        self._queue.clear()
        self._waiting = 0
        self._write(b"".join(out))

    def dump_start(self, dump: Hexdump) -> None:
        """A dump's title, which waits until its packet is known."""
        begin = _Begin(dump)
        self._undecided[dump.number] = begin
        self._last = dump.number
        self._add(begin, len(dump.block) + 100)

    def row(self, token: Row) -> None:
        """A row, which waits with its title."""
        if self._last not in self._undecided:  # its dump was too large to wait
            hexdump.blank_row(token)
        self._line_counted = self._line_counted and not token.end
        self._add(token, len(token.text))

    def _decided(self, *dumps: Hexdump) -> None:
        for dump in dumps:
            self._undecided.pop(dump.number, None)
        if self._waiting > _WRITTEN and not self._undecided:
            self._flush()

    def _blank(self, dump: Hexdump) -> None:
        hexdump.blank(dump)
        self._decided(dump)

    # -- texts -----------------------------------------------------------------------------------------------------

    def record(self, token: RecordToken) -> None:
        """Masks the secrets in a record's text, and updates the sizes in it."""
        text = token.text
        has_secret = bool(self._needles.find(text))
        event: events.Parsed = "", {}
        if has_secret or self._names is not None or events.opening(*HIDING, SIZING).match(decoded(text)):
            event = token.parsed()
        name, fields = event
        for field in HIDDEN_FIELDS.get(name, ()):
            value = fields.get(field)
            if isinstance(value, str) and value:
                text = text.replace(b"=" + value.encode(), b"=" + self._known.mask(value.encode()))
        if name == "conn.request_started" and fields.get("request") == "exec":
            before, mark, command = text.partition(b"message=")
            text = before + mark + self._command(command)
        text = self._resized(token.context, name, fields, text)
        if has_secret:
            text = self._masked(text, [value.encode() for value in fields.values() if isinstance(value, str)])
        if self._names is not None:
            text = self._names.record(name, fields, text)
        token.text = text
        self._add(token, len(text) + 100)

    def _resized(self, context: str, name: str, fields: Mapping[str, events.Value], text: bytes) -> bytes:
        """The text with the new size of a packet that was edited."""
        if name == SIZING:
            new = self._announced.pop((_integer(fields.get("type")), _integer(fields.get("length"))), None)
            text = text if new is None else re.sub(rb"[0-9]+\Z", b"%d" % new, text)
        return self._sent.resized(text) if self._sent is not None and context == "Socket" else text

    def other_bytes(self, token: OtherBytes) -> None:
        """Bytes between records and dumps."""
        text = self._keys.without(token.text)
        token.text = self._left_out(text) if token.in_dump else self._clean(text)
        self._add(token, len(text))

    def _left_out(self, text: bytes) -> bytes:
        """Lines of a dump that are no rows of it."""
        text, count = remnants.without(text)
        self.left_out += count - (self._line_counted and count > 0)
        self._line_counted = count > 0 and not text.endswith(b"\n")
        return text

    def _clean(self, text: bytes) -> bytes:
        """Other bytes without secrets: credentials by their context, and all known secrets."""
        text = self._masked(secrets.mask_credentials(text, self._known.mask))
        text = self._spellings.replace(text, self._known.mask)
        return self._names.words(text) if self._names is not None else text

    def _masked(self, text: bytes, strings: list[bytes] | None = None) -> bytes:
        """The text without the known secrets.

        Args:
            text: all of it.
            strings: its parts that are no numbers of the trace itself: only there a secret of digits is masked.
        """
        if strings is not None:
            for string in filter(None, strings):
                text = text.replace(string, self._masked(string))
            return self._needles.replace(text, lambda v: v if v.isdigit() else self._known.mask(v), numbers=False)
        return self._needles.replace(text, self._known.mask, numbers=False)

    def _command(self, command: bytes) -> bytes:
        """A command line without its arguments, which may contain anything; those of scp are paths."""
        if self._choices.keep_content or is_transfer(command) or len(command.split(None, 1)) < 2:
            return self._masked(command)
        word = program(command)
        return word + b" " + _HIDDEN_WORDS if word else _HIDDEN_WORDS

    # -- packets ---------------------------------------------------------------------------------------------------

    def packet(self, packet: Packet) -> None:
        """A packet in the clear: its secrets are replaced, and its sizes updated."""
        edits = self._content(packet) if packet.header() else self._message(packet)
        damaged = sum(hexdump.contradictions(dump, _FRONT if packet.header() else dump.size) for dump in packet.dumps)
        if damaged:  # what kind of message it was can't be told
            self.left_out += damaged
            edits = [(0, len(packet.data), bytes(len(packet.data)))]
        old = packet.size
        if len(packet.data) < packet.dumps[0].size and len(packet.dumps) > 1:
            self.lone_second_buffer(packet.dumps[1])
            hexdump.apply(packet.dumps[:1], edits, self._left_out)
        else:
            hexdump.apply(packet.dumps, edits, self._left_out)
        new = sum(dump.size for dump in packet.dumps)
        if packet.dumps[0].direction == "in":
            if new != old:
                self._announced[packet.number, old] = new
        elif new == old:
            self._sent = None
        else:
            if self._sent is None or self._sent.covered or (self._sent.old, self._sent.new) != (old, new):
                self._sent = WireSizes(old, new)  # else a blocked send is repeated
            self._resize_texts(packet.dumps[0])
        self._decided(*packet.dumps)

    def _resize_texts(self, dump: Hexdump) -> None:
        """Updates sizes in the records that wait behind the packet."""
        if dump.number not in self._undecided:  # it was too large to wait, and is written
            return
        for token in reversed(self._queue):
            if isinstance(token, _Begin) and token.dump is dump:
                break
            if isinstance(token, RecordToken) and token.context == "Socket" and self._sent is not None:
                token.text = self._sent.resized(token.text)

    def _message(self, packet: Packet) -> list[Edit]:
        data, number = packet.data, packet.number
        known = packet.size if (number, packet.size) in _SHORT else packet.understood()
        if known < len(data) and (number not in SECRETIVE or known == 1):
            # A second buffer may have the title of a first one, and its first byte looks like a message's number.
            known = 1 if packet.dumps[0].direction == "out" else known
            return [(known, len(data), bytes(len(data) - known))]
        if self._names is None and number not in SECRETIVE and not self._needles.may_be_in(data):
            return []
        edits = self._strings(packet)
        rest = max([known, *(stop for _, stop, _ in edits)])
        if number in SECRETIVE and rest < len(data):
            edits.append((rest, len(data), bytes(len(data) - rest)))
        return edits + self._overwritten(data, edits, 0)

    def _strings(self, packet: Packet) -> list[Edit]:
        edits: list[Edit] = []
        for span in packet.strings():
            stop = min(span.start + span.length, packet.size)
            value = packet.data[span.start : stop]
            new = self._new_string(packet, span, value)
            if new != value or (span.kind == "secret" and span.length != len(new)):
                if len(new) != span.length:
                    edits.append((span.start - 4, span.start, len(new).to_bytes(4)))
                if span.start < packet.size:
                    edits.append((span.start, stop, new))
        return edits

    def _new_string(self, packet: Packet, span: StringSpan, value: bytes) -> bytes:
        """What replaces a string of a packet: its mask, or a text without secrets and names."""
        if span.kind == "secret":
            return self._known.mask(value)
        if span.kind != "text" or not value or len(value) != span.length:
            return value
        new = self._needles.replace(self._command(value) if span == packet.command() else value, self._known.mask)
        return self._names.packet(packet.number, new) if self._names is not None else new

    def _overwritten(self, data: bytes, edits: list[Edit], base: int) -> list[Edit]:
        """Secrets outside the known strings: their bytes become asterisks."""
        more: list[Edit] = []
        for start, stop, _ in self._needles.find(data):
            if not any(a < base + stop and base + start < b for a, b, _ in edits):
                more.append((base + start, base + stop, b"*" * (stop - start)))
        return more

    def _content(self, packet: Packet) -> list[Edit]:
        """Edits of a packet with channel data: its content is zeroed, names and secrets in the rest are replaced."""
        header, number = packet.header(), packet.dumps[0].number
        streams = self._collector.streams
        stream = streams[number] if number < len(streams) else 0
        for size, head, edits in self._repeats if not stream else ():
            if size == packet.size and head == packet.data:
                return edits  # a blocked send, repeated
        size = max(packet.size - header, 0)
        length = min(int.from_bytes(packet.data[header - 4 : header]), size)
        payload = packet.data[header : header + length]
        is_kept = self._choices.keep_content and self._collector.kinds[stream] != AGENT
        is_kept = is_kept and not begins_key(payload)
        edits = []
        for part in self._parts(stream, payload, length, size):
            old = payload[part.start : part.stop]
            new = self._new_part(part, old, is_kept)
            if new != old and part.start < part.stop:
                edits.append((header + part.start, header + part.stop, new))
        if self._needles.values:
            edits += self._kept(payload, edits, header)
        if packet.dumps[0].direction == "out":
            self._repeats.append((packet.size, packet.data, edits))
        return edits

    def _parts(self, stream: int, payload: bytes, length: int, size: int) -> list[Part]:
        """The parts of a packet's channel data: `length` bytes, as the message says, and the rest up to `size`."""
        if not stream:
            return [Part(0, size, "content")]
        content = self._streams.get(stream)
        if content is None:
            is_sftp = self._collector.kinds[stream] == SFTP
            content = self._streams[stream] = SftpContent(self._collector.shared) if is_sftp else Content()
        return [*content.feed(payload, length), Part(length, max(size, length), "content")]

    def _new_part(self, part: Part, old: bytes, is_kept: bool) -> bytes:
        """What replaces a part of channel data."""
        if part.kind == "content":
            return old if is_kept else bytes(part.stop - part.start)
        new = old
        if self._names is not None:
            new = self._names.path(old) if part.kind == "names" else self._names.same_length(old)
        return b"*" * len(new) if self._needles.find(new) else new

    def _kept(self, payload: bytes, edits: list[Edit], base: int) -> list[Edit]:
        """Masks secrets in channel data that is kept, also the parts of one that two packets share."""
        found = self._overwritten(payload, edits, base)
        end = base + len(payload)
        found += [(end - self._needles.begun(payload), end, b""), (base, base + self._needles.ended(payload), b"")]
        merged: list[Edit] = []
        for start, stop, _ in sorted(found):
            if start == stop or any(a < stop and start < b for a, b, _ in edits):
                continue
            if merged and start < merged[-1][1]:
                start, stop = merged[-1][0], max(stop, merged.pop()[1])
            merged.append((start, stop, b"*" * (stop - start)))
        return merged

    def lone_second_buffer(self, dump: Hexdump) -> None:
        """A second buffer without its first: a password or content."""
        if 0 < dump.size <= PASSWORD_KEPT and dump.data() != b"none":
            new = self._known.mask(dump.data())
            hexdump.apply([dump], [(0, dump.size, new)], self._left_out)
            self._decided(dump)
        elif dump.data() == b"none" or (self._choices.keep_content and not self._needles.values):
            self._decided(dump)
        else:
            self._blank(dump)

    def wire_bytes(self, dump: Hexdump) -> None:
        """Ciphertext; before NEWKEYS, the same bytes that the `plain` dump shows."""
        if dump.kind == "send" and self._sent is not None:
            size = self._sent.next(dump.size)
            if size != dump.size:
                whole = dump.layout is not None or len(dump.data()) == dump.size
                hexdump.resize(dump, bytes(size if whole else 0), size)
        if not self._choices.keep_ciphertext:
            self._blank(dump)
            return
        edits = self._overwritten(dump.data(), [], 0)
        hexdump.apply([dump], edits, self._left_out)
        self._decided(dump)


def _integer(value: object) -> int:
    return value if isinstance(value, int) else -1
