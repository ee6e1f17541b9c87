"""A trace without what chance and the clock put into it, so that recording it again gives the same bytes.

What is random is replaced by bytes derived from the trace's name, of the same length and wherever it stands: cookies,
ephemeral keys, signatures, padding, and all cipher text (of which a trace tells nothing but its length). Times are
evened: a step takes 40 us, an answer of the peer 20 ms, and a wait that was longer keeps its length, roughly. Pointers
are numbered. All that is left is as libssh2 printed it: every text, every length, every packet's contents.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

_CLOCK = re.compile(rb"(\[libssh2\] )(\d+)\.(\d{6}) ")
_POINTER = re.compile(rb"0x[0-9a-f]{6,16}\b")
_DUMP = re.compile(
    rb"=> (libssh2_transport_\w+(?:\(\))? ([a-z0-9]+)(?:\(\))?) \((\d+) bytes\)(\n+)((?:[0-9a-f]{4,}: [^\n]*\n+)*)"
)
# The language of a disconnect is printed with what stands behind it in memory, whatever that is.
_DISCONNECT = re.compile(rb"(Transport: Disconnect\(\d+\): [^\n]*?\()(.*?)(?=\)\n(?:\[libssh2\]|=> |\Z))", re.DOTALL)
_ROW = re.compile(rb"[0-9a-f]{4,}: ([0-9A-F ]{49}): ")

DISCONNECT, KEXINIT, NEWKEYS, USERAUTH_REQUEST = 1, 20, 21, 50
STEP, ANSWER, LONG = 40, 20_000, 700_000  # microseconds
_LONG = (1_000_000, 2_000_000, 5_000_000, 10_000_000, 20_000_000, 60_000_000)
_REPLACED_FROM = 8  # bytes; what is shorter could stand elsewhere by accident


class Dump(NamedTuple):
    """A hex dump of a trace: where it stands, its kind (`plain`, `plain2`, `raw`, `send`), direction and bytes."""

    at: re.Match[bytes]
    kind: str
    sent: bool
    data: bytes


def steady(trace: bytes, name: str, even_clock: bool = True) -> bytes:
    """The trace with what is random replaced; `name` decides by what. An uneven clock is that of several processes."""
    made = _number_pointers(_clean_languages(_replace_random(trace, name), name))
    return _even_clock(made, name) if even_clock else made


def dumps(trace: bytes) -> Iterator[Dump]:
    """All dumps of a trace, in order. Raises ValueError for one whose rows are not what its title says."""
    for found in _DUMP.finditer(trace):
        data = b"".join(bytes.fromhex(row[1].decode()) for row in _ROW.finditer(found[5]))
        if len(data) != int(found[3]) or _rows(data, found[4]) != found[5]:
            raise ValueError(f"a dump at byte {found.start()} that does not hold what its title says")
        yield Dump(found, found[2].decode(), b"write" in found[1], data)


def _rows(data: bytes, end: bytes) -> bytes:
    """A dump's rows as libssh2 prints them."""
    rows = []
    for start in range(0, len(data), 16):
        row = data[start : start + 16]
        left, right = (" ".join(f"{byte:02X}" for byte in half) for half in (row[:8], row[8:]))
        shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        rows.append(f"{start:04x}: {left:<23}  {right:<23} : {shown}".encode() + end)
    return b"".join(rows)


class _Random:
    """Bytes that a name and a number decide."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._serial = 0

    def take(self, length: int) -> bytes:
        self._serial += 1
        return hashlib.shake_256(f"{self._name} {self._serial}".encode()).digest(length)

    def number(self, old: bytes) -> bytes:
        """For what key exchange sends: a point's bytes, or an mpint, which stays positive."""
        new = bytearray(self.take(len(old)))
        if len(old) == 32:  # X25519
            pass
        elif len(old) in (65, 97, 133) and old[0] == 4:  # uncompressed, of a NIST curve
            new[0] = 4
        elif old[:1] == b"\0":
            new[:2] = bytes((0, new[1] | 0x80)) if len(old) > 1 else b"\0"
        elif new:
            new[0] = new[0] & 0x7F | 0x01
        return bytes(new)


@dataclass
class _Stream:
    """One direction of a connection on the wire: clear packets up to NEWKEYS, cipher text from there on."""

    held: bytes = b""
    ciphered: bool = False
    paddings: list[tuple[int, int]] = field(default_factory=list)

    def clear(self, data: bytes) -> tuple[int, list[tuple[int, int]]]:
        """How many of these bytes are clear, and where in them padding stands."""
        if self.ciphered:
            return 0, []
        before = len(self.held)
        self.held += data
        at, paddings, end = 0, [], len(self.held)
        while len(self.held) - at >= 6:
            length, padding = int.from_bytes(self.held[at : at + 4], "big"), self.held[at + 4]
            after = at + 4 + length
            if length < 2 or length > 35_000 or padding >= length:
                break  # the peer speaks something else
            paddings.append((after - padding - before, after - before))
            if self.held[at + 5] == NEWKEYS and after <= len(self.held):
                self.ciphered, end = True, after
                break
            at = after
        return end - before, [(max(0, a), min(len(data), b)) for a, b in paddings if b > 0 and a < len(data)]


def _replace_random(trace: bytes, name: str) -> bytes:
    random = _Random(name)
    new = _replacements(_joined(dumps(trace)), random)
    for dump in dumps(trace):  # an offer that was cut is in no packet
        if dump.kind == "raw" and dump.data[:2] == b"\0\0" and dump.data[5:6] == bytes([KEXINIT]):
            new.setdefault(dump.data[6:22], random.take(16))
    parts, at = [], 0
    streams = {True: _Stream(), False: _Stream()}
    for dump in dumps(trace):
        if b"session_startup for socket" in trace[at : dump.at.start()]:
            streams = {True: _Stream(), False: _Stream()}
        data = dump.data
        if dump.kind in ("raw", "send"):
            clear, paddings = streams[dump.sent].clear(data)
            for start, end in paddings:
                data = data[:start] + random.take(end - start) + data[end:]
            data = _substituted(data[:clear], new) + random.take(len(data) - clear)
        else:
            data = _substituted(data, new)
        parts += [trace[at : dump.at.start(5)], _rows(data, dump.at[4])]
        at = dump.at.end()
    return b"".join([*parts, trace[at:]])


def _joined(found: Iterator[Dump]) -> Iterator[tuple[bool, bytes]]:
    """Direction and payload of each packet: `plain` and what `plain2` adds to it."""
    held: tuple[bool, bytes] | None = None
    for dump in found:
        if dump.kind == "plain2" and held is not None:
            held = (held[0], held[1] + dump.data)
        elif dump.kind == "plain":
            if held is not None:
                yield held
            held = (dump.sent, dump.data)
    if held is not None:
        yield held


def _replacements(packets: Iterator[tuple[bool, bytes]], random: _Random) -> dict[bytes, bytes]:
    """What is random in these packets, and what replaces it."""
    new: dict[bytes, bytes] = {}

    def replace(old: bytes, by: bytes) -> None:
        if len(old) >= _REPLACED_FROM and any(old):
            new.setdefault(old, by)

    for sent, payload in packets:
        if payload[:1] == bytes([KEXINIT]):
            replace(payload[1:17], random.take(16))
        elif payload[:1] and 30 <= payload[0] <= 34:
            fields = _strings(payload[1:])
            if (
                fields and fields[0][4:].startswith((b"ssh-", b"ecdsa-")) and len(fields) == 3
            ):  # a reply: key, value, signature
                replace(fields[1], random.number(fields[1]))
                replace(_last(fields[2]), random.take(len(_last(fields[2]))))
            elif len(fields) in (1, 2):
                for one in fields:
                    replace(one, random.number(one))
        elif sent and payload[:1] == bytes([USERAUTH_REQUEST]) and b"\x09publickey\x01" in payload:
            signature = _last((_strings(payload.partition(b"\x09publickey\x01")[2]) or [b""])[-1])
            replace(signature, random.take(len(signature)))
    return new


def _strings(data: bytes) -> list[bytes]:
    """Length-prefixed fields up to the end; none where they don't fill it."""
    found, at = [], 0
    while at + 4 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        found.append(data[at + 4 : at + 4 + length])
        at += 4 + length
    return found if at == len(data) else []


def _last(signature: bytes) -> bytes:
    """The signature itself, behind its algorithm's name."""
    fields = _strings(signature)
    return fields[-1] if len(fields) == 2 else signature


def _substituted(data: bytes, new: dict[bytes, bytes]) -> bytes:
    for old, by in new.items():
        data = data.replace(old, by)
    return data


def _clean_languages(trace: bytes, name: str) -> bytes:
    random = _Random(f"{name} language")
    packets = [payload for sent, payload in _joined(dumps(trace)) if not sent and payload[:1] == bytes([DISCONNECT])]
    languages = iter([(_strings(payload[5:]) or [b""])[-1] for payload in packets])

    def clean(found: re.Match[bytes]) -> bytes:
        language = next(languages, b"")
        return found[1] + (language if found[2] == language else language + bytes(b | 0x80 for b in random.take(24)))

    return _DISCONNECT.sub(clean, trace)


def _number_pointers(trace: bytes) -> bytes:
    numbers: dict[bytes, int] = {}

    def numbered(found: re.Match[bytes]) -> bytes:
        number = numbers.setdefault(found[0], len(numbers))
        return b"0x%012x" % (0x5555_5575_92A0 + number * 0x1B40)

    rows = list(_DUMP.finditer(trace))
    parts, at = [], 0
    for dump in rows:
        parts += [_POINTER.sub(numbered, trace[at : dump.start()]), dump[0]]
        at = dump.end()
    return b"".join([*parts, _POINTER.sub(numbered, trace[at:])])


def _even_clock(trace: bytes, name: str) -> bytes:
    """A process's clock starts anywhere within a second and is never behind."""
    now = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % 900_000
    before: int | None = None
    at, waited = 0, True
    parts = []
    for found in _CLOCK.finditer(trace):
        between = trace[at : found.start()]
        real = int(found[2]) * 1_000_000 + int(found[3])
        gap = 0 if before is None else real - before
        asked = b"_write send() (" in between
        answered = b"_read() raw (" in between or b"Failure Event: -37 " in between
        if before is None:
            pass
        elif gap >= LONG:
            now += min(_LONG, key=lambda known: abs(known - gap) / known)
            waited = True
        elif answered and (asked or not waited):
            now += ANSWER
            waited = True
        else:
            now += STEP
        waited = (waited and not asked) or answered
        before = real
        parts += [between, b"%s%d.%06d " % (found[1], now // 1_000_000, now % 1_000_000)]
        at = found.end()
    return b"".join([*parts, trace[at:]])
