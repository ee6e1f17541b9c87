"""The second pass over a trace: the same trace without its secrets, contents and cipher text."""

import re
from collections import deque
from collections.abc import Callable, Iterable

from msgspec import Struct

from tracelens import secrets
from tracelens.libssh2 import events
from tracelens.reader.patterns import decoded
from tracelens.redact import rows
from tracelens.redact.channel_content import Content, Part, SftpContent
from tracelens.redact.collect import AGENT, ORPHAN, SFTP, Secrets, Survey
from tracelens.redact.hexdump import Hexdump, Row
from tracelens.redact.packets import HIDING, SIZING, Packet, Walk, is_transfer, program
from tracelens.redact.pseudonyms import Pseudonyms
from tracelens.redact.rows import Edit
from tracelens.redact.tokens import LINES, OtherBytes, RecordToken, Token
from tracelens.sessions.track import HIDDEN_FIELDS
from tracelens.ssh.messages import SECRETIVE

_HELD, _WRITTEN = 8 << 20, 1 << 16
_HIDDEN_WORDS = b"hidden-arguments"
# What goes over the wire around a payload: length, padding length, padding, MAC (RFC 4253, 6).
_OVERHEAD, _BLOCK, _MAC = 9, 16, 32
# How much more than its payload a packet can be on the wire.
_WIRE_MORE = 9 + 255 + 64
_REPEATS = 8
# A row of hex digits outside of any dump.
_ROW = re.compile(rb"([0-9a-f]{4,8}: ?)((?:[0-9A-Fa-f]{2} {1,2}){2,16})( *: ?)?([^\n]{0,16})")
_DIGITS = bytes.maketrans(b"123456789abcdefABCDEF", b"0" * 21)
_NUMBER = re.compile(rb"[0-9]{1,20}")
_KEY_LINE = re.compile(rb"[A-Za-z0-9+/=]{16,}")


class Choices(Struct, frozen=True):
    """What stays in the copy, and what is replaced besides secrets."""

    keep_content: bool = False
    keep_ciphertext: bool = False


class _Begin(Struct):
    """The title of a dump, held until it is known what becomes of its bytes."""

    dump: Hexdump


class Rewrite(Walk):
    """Writes the copy.

    Args:
        survey: the first pass over the same trace.
        known: the secrets of all inputs, with their masks.
        needles: looks for them.
        names: pseudonyms, or None where names stay.
        choices: what stays.
        write: takes the copy's bytes in order.
    """

    def __init__(
        self,
        survey: Survey,
        known: Secrets,
        needles: secrets.Needles,
        names: Pseudonyms | None,
        choices: Choices,
        write: Callable[[bytes], object],
    ) -> None:
        super().__init__()
        self._survey, self._known, self._needles, self._names = survey, known, needles, names
        self._choices, self._write = choices, write
        self._queue: deque[RecordToken | OtherBytes | Row | _Begin] = deque()
        self._held = 0
        self._undecided: dict[int, _Begin] = {}
        self._streams: dict[int, Content] = {}
        self._repeats: deque[tuple[int, bytes, list[Edit]]] = deque(maxlen=_REPEATS)
        self._announced: dict[tuple[int, int], int] = {}
        self._sent: _Sent | None = None
        self._in_key = False
        self._last = -1

    # -- order -----------------------------------------------------------------------------------------------------

    def go(self, pieces: Iterable[Token]) -> None:
        """Takes the trace's pieces to their end."""
        super().go(pieces)
        for begun in list(self._undecided.values()):
            self._blank(begun.dump)
        self._flush()

    def _add(self, piece: RecordToken | OtherBytes | Row | _Begin, size: int) -> None:
        self._queue.append(piece)
        self._held += size
        if self._held > _HELD:
            self.close()
            for begun in list(self._undecided.values()):
                self._blank(begun.dump)
        if self._held > _WRITTEN and not self._undecided:
            self._flush()

    def _flush(self) -> None:
        out: list[bytes] = []
        for piece in self._queue:
            if isinstance(piece, RecordToken):
                out += (piece.head, piece.text, piece.tail)
            elif isinstance(piece, _Begin):
                out.append(rows.render(piece.dump))
            else:
                out.append(piece.text)
        self._queue.clear()
        self._held = 0
        self._write(b"".join(out))

    def begun(self, dump: Hexdump) -> None:
        """A dump's title; it waits until the packet is known."""
        begin = _Begin(dump)
        self._undecided[dump.number] = begin
        self._last = dump.number
        self._add(begin, len(dump.block) + 100)

    def row(self, piece: Row) -> None:
        """A row; it waits with its title."""
        if self._last not in self._undecided:  # its dump was too much to hold
            rows.blank_row(piece)
        self._add(piece, len(piece.text))

    def _decided(self, *dumps: Hexdump) -> None:
        for dump in dumps:
            self._undecided.pop(dump.number, None)
        if self._held > _WRITTEN and not self._undecided:
            self._flush()

    def _blank(self, dump: Hexdump) -> None:
        rows.blank(dump)
        self._decided(dump)

    # -- texts -----------------------------------------------------------------------------------------------------

    def told(self, piece: RecordToken) -> None:
        """A record."""
        text, whole = piece.text, decoded(piece.text)
        secret = self._needles.find(text)
        told: events.Parsed = ("", {})
        if secret or self._names is not None or events.opening(*HIDING, SIZING).match(whole):
            told = piece.parsed()
        name, fields = told
        for field in HIDDEN_FIELDS.get(name, ()):
            value = fields.get(field)
            if isinstance(value, str) and value:
                text = text.replace(b"=" + value.encode(), b"=" + self._known.mask(value.encode()))
        if name == "conn.request_started" and fields.get("request") == "exec":
            before, mark, command = text.partition(b"message=")
            text = before + mark + self._command(command)
        if name == "transport.packet_received":
            new = self._announced.pop((_integer(fields.get("type")), _integer(fields.get("length"))), None)
            text = text if new is None else re.sub(rb"[0-9]+\Z", b"%d" % new, text)
        if self._sent is not None and piece.context == "Socket":
            text = self._sent.retold(text)
        if secret:
            text = self._masked(text, [v.encode() for v in fields.values() if isinstance(v, str)])
        if self._names is not None:
            text = self._names.record(name, fields, text)
        piece.text = text
        self._add(piece, len(text) + 100)

    def loose(self, piece: OtherBytes) -> None:
        """What stands between records and dumps."""
        text = piece.text
        if self._in_key or secrets.KEY_BEGIN.search(text):
            text = b"".join(map(self._without_key, LINES.findall(text)))
        piece.text = self._clean(text)
        self._add(piece, len(text))

    def _without_key(self, line: bytes) -> bytes:
        if not self._in_key and not secrets.KEY_BEGIN.search(line):
            return line
        self._in_key = not secrets.KEY_END.search(line)
        return _KEY_LINE.sub(b"(hidden)", line)

    def _clean(self, text: bytes) -> bytes:
        """A loose text without secrets: credentials by its own words, rows of hex digits, and all that is known."""
        text = self._masked(secrets.mask_credentials(text, self._known.mask))
        text = _ROW.sub(_zeroed, text)
        return self._names.words(text) if self._names is not None else text

    def _masked(self, text: bytes, strings: list[bytes] | None = None) -> bytes:
        """The text without the known secrets.

        Args:
            text: all of it.
            strings: what in it is no figure of the trace's own: a secret of digits is masked there alone.
        """
        if strings is not None:
            for string in filter(None, strings):
                text = text.replace(string, self._masked(string))
            return self._needles.replace(text, lambda v: v if v.isdigit() else self._known.mask(v), numbers=False)
        return self._needles.replace(text, self._known.mask, numbers=False)

    def _command(self, command: bytes) -> bytes:
        """A command line without its arguments, which may hold anything; those of scp are paths."""
        if self._choices.keep_content or is_transfer(command) or len(command.split(None, 1)) < 2:
            return self._masked(command)
        word = program(command)
        return word + b" " + _HIDDEN_WORDS if word else _HIDDEN_WORDS

    # -- packets ---------------------------------------------------------------------------------------------------

    def packet(self, packet: Packet) -> None:
        """A packet in the clear: what is secret in it is replaced, and its sizes with it."""
        edits = self._content(packet) if packet.header() else self._message(packet)
        old = packet.size
        if len(packet.data) < packet.dumps[0].size and len(packet.dumps) > 1:
            self.orphan(packet.dumps[1])
            rows.apply(packet.dumps[:1], edits, self._clean)
        else:
            rows.apply(packet.dumps, edits, self._clean)
        new = sum(dump.size for dump in packet.dumps)
        if packet.dumps[0].direction == "in":
            if new != old:
                self._announced[packet.number, old] = new
        elif new == old:
            self._sent = None
        else:
            if self._sent is None or self._sent.covered or (self._sent.old, self._sent.new) != (old, new):
                self._sent = _Sent(old, new)  # else a blocked send is tried again
            self._retell(packet.dumps[0])
        self._decided(*packet.dumps)

    def _retell(self, dump: Hexdump) -> None:
        """Sizes in the records that wait behind the packet."""
        if dump.number not in self._undecided:  # it was too long to be held, and is written
            return
        for piece in reversed(self._queue):
            if isinstance(piece, _Begin) and piece.dump is dump:
                break
            if isinstance(piece, RecordToken) and piece.context == "Socket" and self._sent is not None:
                piece.text = self._sent.retold(piece.text)

    def _message(self, packet: Packet) -> list[Edit]:
        edits: list[Edit] = []
        if self._names is None and packet.number not in SECRETIVE and not self._needles.may_be_in(packet.data):
            return edits
        data, spans = packet.data, packet.strings()
        command = packet.command()
        for span in spans:
            stop = min(span.start + span.length, packet.size)
            value = data[span.start : stop]
            if span.kind == "secret":
                new = self._known.mask(value)
            elif span.kind == "text" and value and len(value) == span.length:
                new = self._command(value) if command is not None and span == command else value
                new = self._needles.replace(new, self._known.mask)
                new = self._names.packet(packet.number, new) if self._names is not None else new
            else:
                continue
            if new != value or (span.kind == "secret" and span.length != len(new)):
                if len(new) != span.length:
                    edits.append((span.start - 4, span.start, len(new).to_bytes(4)))
                if span.start < packet.size:
                    edits.append((span.start, stop, new))
        return edits + self._overwritten(data, edits, 0)

    def _overwritten(self, data: bytes, edits: list[Edit], base: int) -> list[Edit]:
        """Secrets that stand where no string is known: their bytes become asterisks."""
        more: list[Edit] = []
        for start, stop, _ in self._needles.find(data):
            if not any(a < base + stop and base + start < b for a, b, _ in edits):
                more.append((base + start, base + stop, b"*" * (stop - start)))
        return more

    def _content(self, packet: Packet) -> list[Edit]:
        header = packet.header()
        number = packet.dumps[0].number
        streams, kinds = self._survey.streams, self._survey.kinds
        stream = streams[number] if number < len(streams) else 0
        length = min(int.from_bytes(packet.data[header - 4 : header]), max(packet.size - header, 0))
        payload = packet.data[header : header + length]
        if not stream:
            for size, head, edits in self._repeats:
                if size == packet.size and head == packet.data:
                    return edits  # a blocked send, tried again
            parts = [Part(0, max(packet.size - header, 0), "content")]
        else:
            content = self._streams.get(stream)
            if content is None:
                content = SftpContent(self._survey.shared) if kinds[stream] == SFTP else Content()
                self._streams[stream] = content
            parts = content.feed(payload, length)
            parts.append(Part(length, max(packet.size - header, length), "content"))
        keep = self._choices.keep_content and kinds[stream] != AGENT and not secrets.KEY_BEGIN.search(payload)
        edits = []
        for part in parts:
            old = payload[part.start : part.stop]
            new = old
            if part.kind == "content" and not keep:
                new = bytes(part.stop - part.start)
            elif part.kind != "content" and self._names is not None:
                new = self._names.path(old) if part.kind == "names" else self._names.same_length(old)
            if part.kind != "content" and self._needles.find(new):
                new = b"*" * len(new)
            if new != old and part.start < part.stop:
                edits.append((header + part.start, header + part.stop, new))
        if self._needles.values:
            edits += self._kept(payload, edits, header)
        if packet.dumps[0].direction == "out":
            self._repeats.append((packet.size, packet.data, edits))
        return edits

    def _kept(self, payload: bytes, edits: list[Edit], base: int) -> list[Edit]:
        """Secrets in channel data that stays; also the parts of one that goes on in the next packet."""
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

    def orphan(self, dump: Hexdump) -> None:
        """A second buffer without its first: a password, or content."""
        if 0 < dump.size <= ORPHAN and dump.data() != b"none":
            new = self._known.mask(dump.data())
            rows.apply([dump], [(0, dump.size, new)], self._clean)
            self._decided(dump)
        elif dump.data() == b"none" or (self._choices.keep_content and not self._needles.values):
            self._decided(dump)
        else:
            self._blank(dump)

    def wire(self, dump: Hexdump) -> None:
        """Cipher text, or before the keys are new what `plain` shows as well."""
        if dump.kind == "send" and self._sent is not None:
            size = self._sent.next(dump.size)
            if size != dump.size:
                whole = dump.layout is not None or len(dump.data()) == dump.size
                rows.resize(dump, bytes(size if whole else 0), size)
        if not self._choices.keep_ciphertext:
            self._blank(dump)
            return
        edits = self._overwritten(dump.data(), [], 0)
        rows.apply([dump], edits, self._clean)
        self._decided(dump)


class _Sent:
    """What goes over the wire of a packet that has another size now.

    The sizes of what was sent tell the size of what was in it; they become those of the new packet.
    """

    def __init__(self, old: int, new: int) -> None:
        self.old, self.new = old, new
        self._was = self._is = 0
        blocks = -(-(new + _OVERHEAD) // _BLOCK)
        self.wire = blocks * _BLOCK + _MAC

    @property
    def covered(self) -> bool:
        """Whether all of it went out."""
        return self._was >= self.old + _OVERHEAD

    def next(self, size: int) -> int:
        """The size that the next `send()` has now."""
        if self.covered:
            return size
        self._was += size
        size = max(self.wire - self._is, 1) if self.covered else max(1, min(size, self.wire - self._is - 1))
        self._is += size
        return size

    def retold(self, text: bytes) -> bytes:
        """A text of the socket with the new size."""

        def new(found: "re.Match[bytes]") -> bytes:
            number = int(found[0])
            return b"%d" % self.wire if self.old + _OVERHEAD <= number <= self.old + _WIRE_MORE else found[0]

        return _NUMBER.sub(new, text)


def _zeroed(found: "re.Match[bytes]") -> bytes:
    label, pairs, colon, column = found.group(1, 2, 3, 4)
    if colon is None:
        return label + pairs.translate(_DIGITS) + column
    return label + pairs.translate(_DIGITS) + colon + b"." * len(column)


def _integer(value: object) -> int:
    return value if isinstance(value, int) else -1
