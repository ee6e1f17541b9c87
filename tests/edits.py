"""Edits of real traces: what a trace of another server, version or fault could hold, and what no program writes.

    python -m tests.edits --make    # store a hash of the documents of each trace's edits, after a change that was meant

Each edit is a small change that a name and a number decide, the same each time: another error text, code, server or
version, a record that is gone, twice or elsewhere, another byte or number, time that passed, a record many times.
Nobody knows the right diagnosis of such a trace; tests/test_analysis_edits.py holds it to what it was, and
tests/mutants.py shows which branches it needs.
"""

import argparse
import csv
import hashlib
import random
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
STORE = HERE / "data" / "edits.tsv"
MESSAGES = HERE.parent / "tracelens" / "libssh2" / "messages.tsv"
COUNT = 24  # edits of a trace
LARGE = 60_000  # larger traces are left out
UNIT = re.compile(rb"^(?=\[libssh2\] |=> )", re.MULTILINE)
FAILURE = re.compile(rb"Failure Event: (-?\d+) - ([^\n]*)")
CLOCK = re.compile(rb"\[libssh2\] (\d+)\.(\d{6}) ")
NUMBER = re.compile(rb"(?<![\w.])\d{1,5}(?![\w.])")
ROW = re.compile(rb"(?m)^[0-9a-f]{4,}: ((?:[0-9A-F]{2} +){1,16})")
SERVERS = (
    *(f"OpenSSH_{version}" for version in ("5.3", "6.6.1p1", "6.9", "7.0", "7.2", "7.4", "8.0", "8.7", "8.8", "9.9")),
    *("dropbear_2012.55", "dropbear_2020.81", "dropbear_2022.83", "dropbear", "libssh_0.9.6", "lshd-2.1 lsh"),
    *("mod_sftp/0.9.9", "mod_sftp", "Go", "paramiko_3.4.0", "Twisted", "Erlang/5.1.4", "Cisco-1.25", "ROSSSH"),
    *("Sun_SSH_1.1", "WeOnlyDo 2.1.3", "SSHD-CORE-1.7.0", "AWS_SFTP_1.1", "xxxxxxx", "OpenSSH_for_Windows_8.1"),
)
VERSIONS = ("0.18", "1.2.9", "1.4.3", "1.7.0", "1.8.2", "1.9.0", "1.10.0", "1.11.0", "1.11.1", "1.11.2_DEV")
GREETINGS = (
    *(
        b"+OK Dovecot ready.",
        b"* OK IMAP4rev1 ready",
        b"220 ftp.example.org FTP server ready",
        b"HTTP/1.1 400 Bad Request",
    ),
    *(
        b"220 mail.example.org ESMTP Postfix",
        b"SSH-1.5-1.2.33",
        b"SSH-1.99-OpenSSH_3.9p1",
        b"RFB 003.008",
        b"\x15\x03\x01",
    ),
    *(b"Exceeded MaxStartups", b"Not allowed at this time", b"-ERR bye", b"421 too many connections", b"login: ", b""),
)
GOODBYES = (
    *(b"Too many authentication failures", b"No more authentication methods available", b"Timeout", b"bye", b""),
    *(
        b"Auth fail",
        b"Change of username or service not allowed",
        b"no matching cipher found",
        b"Corrupted MAC on input",
    ),
    *(
        b"Application disconnected",
        b"disconnected by user",
        b"Packet corrupt",
        b"Idle timeout",
        b"Session limit reached",
    ),
)
PACKETS = (
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    20,
    21,
    30,
    31,
    33,
    50,
    51,
    52,
    53,
    60,
    61,
    63,
    66,
    80,
    81,
    82,
    *range(90, 101),
    101,
    192,
)
PACKET = re.compile(rb"(?:Packet type|Looking for packet of type:|Redirecting into the key re-exchange:) (\d+)")
STATUS = re.compile(
    rb"0000: 5E (?:[0-9A-F]{2} +){12}65 [0-9A-F ]+: [^\n]*\n+0010: (?:[0-9A-F]{2} +){2}(?:00 +){3}([0-9A-F]{2})"
)
DISCONNECT = re.compile(rb"Disconnect\((\d+)\): ([^\n(]*)\(")
CODES = (*range(-52, 0), 0, 2, -1000)
WAITS = (150_000, 600_000, 1_500_000, 3_000_000, 12_000_000, 31_000_000, 65_000_000, 125_000_000, 700_000_000)

Edit = Callable[[bytes, list[bytes], random.Random], bytes]


@cache
def texts() -> tuple[tuple[str, str], ...]:
    """The errors of all versions of libssh2: code (or none) and text."""
    with MESSAGES.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        found = [
            (row["code"], re.sub(r"%\w*[dux]", "7", row["format"]).replace("%s", "x"))
            for row in rows
            if row["kind"] == "error"
        ]
    return tuple(dict.fromkeys(found))


@cache
def messages() -> tuple[tuple[str, str], ...]:
    """The messages of all versions of libssh2 that are no errors: context and text."""
    with MESSAGES.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return tuple((row["context_or_error"], row["format"]) for row in rows if row["kind"] == "debug")


def _other_text(data: bytes, units: list[bytes], chance: random.Random) -> bytes:
    code, text = chance.choice(texts())
    with_code = chance.random() < 0.5
    places = [n for n, unit in enumerate(units) if FAILURE.search(unit) and b" -37 " not in unit]
    if not places:
        at = chance.randrange(len(units))
        clock = CLOCK.match(units[at])
        head = clock[0] if clock else b"[libssh2] "
        return b"".join([*units[:at], head + f"Failure Event: {code or -1} - {text}\n".encode(), *units[at:]])
    at = places[0] if chance.random() < 0.3 else places[-1]
    new = (f"Failure Event: {code or -1} - " if with_code else r"Failure Event: \1 - ").encode() + text.encode()
    return b"".join([*units[:at], FAILURE.sub(new, units[at], count=1), *units[at + 1 :]])


def _other_code(data: bytes, units: list[bytes], chance: random.Random) -> bytes:
    found = list(FAILURE.finditer(data))
    if not found:
        return _number(data, units, chance)
    at = chance.choice(found[-3:])
    return data[: at.start(1)] + str(chance.choice(CODES)).encode() + data[at.end(1) :]


def _one_more_text(data: bytes, units: list[bytes], chance: random.Random) -> bytes:
    code, text = chance.choice(texts())
    return _inserted(units, chance, f"Failure Event: {code or chance.choice(CODES)} - {text}")


def _one_more_message(data: bytes, units: list[bytes], chance: random.Random) -> bytes:
    context, text = chance.choice(messages())
    text = re.sub(r"%\w*[dux]", lambda _: str(chance.choice((0, 0, 1, 2, 4, 60, 96, 100))), text)
    return _inserted(
        units, chance, f"{context}: {text.replace('%s', chance.choice(('x', 'password', 'publickey,password')))}"
    )


def _inserted(units: list[bytes], chance: random.Random, text: str) -> bytes:
    at = chance.randrange(len(units))
    clock = CLOCK.match(units[at])
    return b"".join([*units[:at], (clock[0] if clock else b"[libssh2] ") + text.encode() + b"\n", *units[at:]])


def _other_greeting(data: bytes, units: list[bytes], chance: random.Random) -> bytes:
    """A peer that greets in another way, with which the handshake ends."""
    found = re.search(rb"Received Banner: ", data)
    if found is None:
        return _number(data, units, chance)
    clock = CLOCK.match(data, data.rfind(b"[libssh2] ", 0, found.end()))
    error = b"%sFailure Event: %d - Failed getting banner\n" % (
        clock[0] if clock else b"[libssh2] ",
        chance.choice(CODES),
    )
    return data[: found.end()] + chance.choice(GREETINGS) + b"\n" + error


def _other_packet(data: bytes, units: list[bytes], chance: random.Random) -> bytes:
    """Another number in a record that names the type of a packet."""
    found = list(PACKET.finditer(data))
    if not found:
        return _number(data, units, chance)
    at = chance.choice(found)
    return data[: at.start(1)] + str(chance.choice(PACKETS)).encode() + data[at.end(1) :]


def _other_status(data: bytes, units: list[bytes], chance: random.Random) -> bytes:
    """Another SFTP status in the dump of an answer."""
    found = list(STATUS.finditer(data))
    if not found:
        return _byte(data, units, chance)
    at = chance.choice(found[-4:])
    return data[: at.start(1)] + b"%02X" % chance.randrange(33) + data[at.end(1) :]


def _other_end(data: bytes, units: list[bytes], chance: random.Random) -> bytes:
    """Another reason of a disconnect, with other words."""
    reason, words = chance.randrange(17), chance.choice(GOODBYES)
    if not DISCONNECT.search(data):
        return _inserted(units, chance, f"Transport: Disconnect({reason}): {words.decode()}()")
    return DISCONNECT.sub(lambda m: b"Disconnect(%d): %s(" % (reason, words or m[2]), data)


def _other_server(data: bytes, units: list[bytes], chance: random.Random) -> bytes:
    new = chance.choice(SERVERS).encode()
    return re.sub(rb"(Received Banner: SSH-[\d.]+-)[^\n]*", lambda m: m[1] + new, data)


def _other_version(data: bytes, units: list[bytes], chance: random.Random) -> bytes:
    new = chance.choice(VERSIONS).encode()
    return re.sub(rb"(Sending Banner: SSH-2.0-libssh2_)[^\n]*", lambda m: m[1] + new, data)


def _gone(data: bytes, units: list[bytes], chance: random.Random) -> bytes:
    at = chance.randrange(len(units))
    return b"".join(units[:at] + units[at + chance.choice((1, 1, 2, 5)) :])


def _elsewhere(data: bytes, units: list[bytes], chance: random.Random) -> bytes:
    at = chance.randrange(len(units))
    to = min(len(units) - 1, max(0, at + chance.choice((-9, -3, -1, 1, 3, 9))))
    rest = units[:at] + units[at + 1 :]
    return b"".join([*rest[:to], units[at], *rest[to:]])


def _many_times(data: bytes, units: list[bytes], chance: random.Random) -> bytes:
    at = chance.randrange(len(units))
    return b"".join(units[:at] + units[at : at + 1] * chance.choice((2, 2, 3, 7, 25, 120)) + units[at + 1 :])


def _from_another_place(data: bytes, units: list[bytes], chance: random.Random) -> bytes:
    """A stretch of records again, or its end, or without its beginning."""
    a, b = sorted(chance.randrange(len(units) + 1) for _ in range(2))
    return b"".join(chance.choice((units[:b] + units[a:], units[:b], units[a:], units[:a] + units[b:])))


def _number(data: bytes, units: list[bytes], chance: random.Random) -> bytes:
    lines = [m for m in re.finditer(rb"(?m)^\[libssh2\] (?:\d+\.\d+ )?([^\n]*)", data) if NUMBER.search(m[1])]
    if not lines:
        return data
    line = chance.choice(lines)
    number = chance.choice(list(NUMBER.finditer(line[1])))
    start = line.start(1) + number.start()
    old = int(number[0])
    new = chance.choice((old + 1, max(0, old - 1), 0, 1, 2, 3, 4, 5, 6, 11, 14, old * 10, chance.randrange(128)))
    return data[:start] + str(new).encode() + data[start + len(number[0]) :]


def _byte(data: bytes, units: list[bytes], chance: random.Random) -> bytes:
    places = [n for n, unit in enumerate(units) if unit.startswith(b"=> ") and b"plain" in unit[:50]]
    if not places:
        return _number(data, units, chance)
    at = chance.choice(places)
    rows = list(ROW.finditer(units[at]))[:3]
    if not rows:
        return data
    row = chance.choice(rows[:1] * 3 + rows)
    column = chance.choice((0, 0, 1, 4, 8, 9, chance.randrange(16)))
    start = row.start(1) + column * 3 + (column > 7)
    value = chance.choice((0, 1, 2, 3, 4, *range(50, 104), chance.randrange(256)))
    if start + 2 > row.end(1):
        return data
    unit = units[at][:start] + b"%02X" % value + units[at][start + 2 :]
    return b"".join([*units[:at], unit, *units[at + 1 :]])


def _time(data: bytes, units: list[bytes], chance: random.Random) -> bytes:
    at, wait = chance.randrange(len(units)), chance.choice(WAITS)

    def later(found: re.Match[bytes]) -> bytes:
        return b"[libssh2] %d.%06d " % divmod(int(found[1]) * 1_000_000 + int(found[2]) + wait, 1_000_000)

    return b"".join([*units[:at], *(CLOCK.sub(later, unit) for unit in units[at:])])


EDITS: tuple[Edit, ...] = (
    *(_other_text, _one_more_text, _byte, _other_packet, _gone, _one_more_message, _time, _other_code, _elsewhere),
    *(_other_text, _number, _other_server, _other_status, _many_times, _one_more_text, _other_end, _other_text),
    *(_one_more_message, _other_version, _byte, _from_another_place, _other_greeting, _other_text, _other_packet),
)


def edits(data: bytes, name: str) -> Iterator[tuple[str, bytes]]:
    """The edits of a trace, with their names; every other one has a second edit on top of it."""
    units = UNIT.split(data)[1:]
    if not units or len(data) > LARGE:
        return
    chance = random.Random(name)
    for number in range(COUNT):
        edit = EDITS[number % len(EDITS)]
        changed = edit(data, units, chance)
        if number % 2 and (again := UNIT.split(changed)[1:]):
            changed = chance.choice(EDITS)(changed, again, chance)
        yield f"edit {number} {edit.__name__.strip('_')}", changed


def traces() -> list[Path]:
    """The traces of the repository that are small enough to be edited."""
    found = [*HERE.glob("cases/*/*.log"), *HERE.parent.glob("sample_logs/*.log")]
    return sorted(path for path in found if path.stat().st_size <= LARGE)


def named(path: Path) -> str:
    """A trace's name in the store."""
    return f"{path.parent.name}/{path.name}"


def hashed(path: Path) -> str:
    """A hash of the JSON documents of all edits of a trace."""
    from tracelens import analysis, inputs
    from tracelens.analysis.json_text import json_text
    from tracelens.errors import TracelensError

    digest = hashlib.sha256()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "trace.log"
        for _, edit in edits(path.read_bytes(), path.name):
            file.write_bytes(edit)
            try:
                documents = [analysis.analyze(found).document for found in inputs.find([str(file)])]  # type: ignore[arg-type]
                # Lines of a program in the trace are quoted with the trace's name.
                text = json_text({**documents[0], "source": None}).replace(str(file), "trace.log")
                digest.update(text.encode())
            except TracelensError as error:
                digest.update(type(error).__name__.encode())
    return digest.hexdigest()[:12]


def stored() -> dict[str, str]:
    """The stored hashes by the traces' names."""
    rows = (tuple(line.split("\t", 1)) for line in STORE.read_text().splitlines())
    return dict(rows)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.edits", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--make", action="store_true", required=True, help="store the hashes")
    parser.parse_args()
    STORE.write_text("".join(f"{named(path)}\t{hashed(path)}\n" for path in traces()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
