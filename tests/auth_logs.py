"""auth.logs put together from the lab's recordings: many sessions at once, in the forms that loggers write.

A recorded connection is moved to another time, with numbers of its own for processes and ports; those of other people
get their names, addresses and keys as well.
"""

import json
import random
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta, timezone
from itertools import count
from pathlib import Path
from typing import NamedTuple

HOST = "depot7"
SERVER = "192.0.2.1"
_RECORDED = re.compile(r"(\S+T\S+) \S+ ([\w.-]+)(?:\[(\d+)\])?: (.*)")
_LISTENS = re.compile(r"Server listening on |Received signal \d+; terminating|Received SIGHUP")
_NUMBER = re.compile(r"(?<=\bpid )\d+|(?<=Forked child )\d+|(?<=privsep child )\d+")
_OF_CLIENTS = re.compile(r"drop connection |error: beginning MaxStartups")
_ON = re.compile(r"(?<= on )(\[?)127\.0\.0\.1(\]?:| port )\d+")
_USER = re.compile(r"\b(?:devi|dewi|vera|nils|zora|lena|olaf|rolf|gina|hugo|nobody-here)\b")
_KEY = re.compile(r"SHA256:[\w+/]{43}")
_NAMES = (
    *("anke", "bodo", "carla", "dario", "elif", "farid", "greta", "hana", "igor", "jana", "karim", "leon", "mona"),
    *("nora", "oskar", "petra", "quinn", "rosa", "sven", "tarek", "uma", "viktor", "wanda", "xenia", "yusuf"),
    *("backup", "orders", "etl", "reports", "sync"),
)


class Line(NamedTuple):
    """A line of an auth.log: when in seconds since 1970, by which process, and what it says."""

    seconds: float
    program: str
    process: int | None
    text: str


def recorded(log: Path) -> list[Line]:
    """The lines of a recorded log that belong to connections: what the listening process says of itself is left out."""
    lines = []
    for text in log.read_text(errors="replace").splitlines():
        if found := _RECORDED.match(text):
            time, program, process, message = found.groups()
            seconds = datetime.fromisoformat(time).timestamp()
            lines.append(Line(seconds, program, int(process) if process else None, message))
    listening = {line.process for line in lines if _LISTENS.match(line.text)}
    return [line for line in lines if line.process not in listening or _OF_CLIENTS.match(line.text)]


def moved(lines: Sequence[Line], seconds: float, other: random.Random | None = None) -> list[Line]:
    """The same connection at another time. `other`: as somebody else's, of whom chance decides name and address."""
    name, address, mark = "", "192.0.2.7", 0
    if other is not None:
        name, mark = other.choice(_NAMES), other.randrange(10**9)
        address = f"198.51.100.{other.randrange(1, 255)}"
    begun = lines[0].seconds if lines else 0.0

    def text(line: Line) -> str:
        said = _ON.sub(rf"\g<1>{SERVER}\g<2>22", line.text).replace("127.0.0.1", address)
        if name:
            said = _USER.sub(name, said)
            said = _KEY.sub(lambda key: "SHA256:" + _other_key(key[0], mark), said)
        return said

    return [line._replace(seconds=line.seconds - begun + seconds, text=text(line)) for line in lines]


def _other_key(key: str, mark: int) -> str:
    chance = random.Random(f"{key} {mark}")
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return "".join(chance.choices(letters, k=43))


def mixed(connections: Iterable[Sequence[Line]], chance: random.Random) -> list[tuple[int, Line]]:
    """All in the order of time, each line with the number of its connection; processes and ports numbered anew."""
    numbers = count(chance.randrange(1000, 200_000), 1)
    ports = iter(chance.sample(range(32768, 61000), 28_000))
    given: dict[tuple[int, str], int] = {}

    def new(kind: str, number: int, old: str) -> str:
        key = number, kind + old
        if key not in given:
            given[key] = next(numbers) if kind == "pid" else next(ports)
        return str(given[key])

    lines = [(number, line) for number, each in enumerate(connections) for line in each]
    out = []
    for number, line in sorted(lines, key=lambda one: one[1].seconds):  # stable: of one connection, as recorded
        text = _NUMBER.sub(lambda found, n=number: new("pid", n, found[0]), line.text)
        text = re.sub(
            r"(?<!on )(\b(?:\d+\.){3}\d+(?: port |\]?:))(\d+)\b",
            lambda found, n=number: found[1] + (found[2] if found[2] == "22" else new("port", n, found[2])),
            text,
        )
        process = int(new("pid", number, str(line.process))) if line.process is not None else None
        out.append((number, line._replace(process=process, text=text)))
    return out


# -- a crowd

Kinds = dict[str, list[list[Line]]]
MIX = {"none": 0.6, "auth": 0.3, "other": 0.1}  # of the others: went well, refused at the login, all else
_PAUSE = 3.6  # seconds between two connections, on average: a thousand an hour


def crowd(kinds: Kinds, number: int, others: int) -> list[list[Line]]:
    """Other people's connections, with their times."""
    chance = random.Random(f"crowd {number}")
    at, made = 1_795_000_000.0 + 90_000 * number, []
    while len(made) < others:
        at += chance.expovariate(1 / _PAUSE)
        kind = chance.choices(list(MIX), list(MIX.values()))[0]
        made.append(moved(chance.choice(kinds[kind]), at, chance))
    return made


# -- forms


def _tag(line: Line) -> str:
    return line.program + (f"[{line.process}]" if line.process is not None else "")


def _local(line: Line, minutes: int) -> datetime:
    return datetime.fromtimestamp(line.seconds, timezone(timedelta(minutes=minutes)))


def iso(line: Line, minutes: int = 0) -> str:
    """What rsyslog writes since Debian 12."""
    return f"{_local(line, minutes).isoformat(timespec='microseconds')} {HOST} {_tag(line)}: {line.text}"


def rfc3164(line: Line, minutes: int = 0) -> str:
    """What syslog daemons write by tradition: local time without year and zone, whole seconds."""
    at = _local(line, minutes)
    return f"{at:%b} {at.day:2d} {at:%H:%M:%S} {HOST} {_tag(line)}: {line.text}"


def short_precise(line: Line, minutes: int = 0) -> str:
    """What `journalctl -o short-precise` prints."""
    at = _local(line, minutes)
    return f"{at:%b} {at.day:02d} {at:%H:%M:%S.%f} {HOST} {_tag(line)}: {line.text}"


def journal_json(line: Line, minutes: int = 0) -> str:
    """What `journalctl -o json` prints."""
    priority = "7" if line.text.startswith("debug") else "3" if line.text.startswith("error: ") else "6"
    fields = {
        "__REALTIME_TIMESTAMP": str(round(line.seconds * 1e6)),
        "_HOSTNAME": HOST,
        "PRIORITY": priority,
        "SYSLOG_FACILITY": "10",
        "SYSLOG_IDENTIFIER": line.program,
        "MESSAGE": line.text,
    }
    if line.process is not None:
        fields |= {"_PID": str(line.process), "SYSLOG_PID": str(line.process)}
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))


Form = Callable[[Line, int], str]
FORMS: dict[str, tuple[Form, int]] = {  # and the zone, in minutes east of UTC
    "iso": (iso, 0),
    "iso +05:30": (iso, 330),
    "rfc3164": (rfc3164, 0),
    "rfc3164 -08:00": (rfc3164, -480),
    "journal json": (journal_json, 0),
    "short-precise": (short_precise, 60),
}


def by_itself(lines: Iterable[Line]) -> str:
    """What `sshd -E` writes: no time and no process number, CRLF, and nothing of an SFTP server of its own."""
    return "".join(f"{line.text}\r\n" for line in lines if line.program == "sshd")
