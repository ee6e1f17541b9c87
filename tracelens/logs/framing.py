"""Lines of any logger -> entries: a line without what the logger put before it.

    entries(blocks)  ->  Entry(line=3, stamp=..., host="depot7", program="sshd", process=811, level="", text="...")

syslog (RFC 3164, RFC 5424, ISO times), journald (short forms, JSON, export), `sshd -E`, Win32-OpenSSH, a Windows event
log, dropbear, ProFTPD, SFTPGo and rclone. Lines of programs that are no SSH server are only counted.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import chain

from msgspec.structs import replace

from tracelens.logs import json_entries
from tracelens.logs.model import Entry
from tracelens.logs.times import Times

LONGEST = 64 * 1024  # bytes of a line that are read
_HEAD = 64 * 1024  # bytes that decide whether the log names programs
_REPEATED = 100  # more repetitions of a message than these say nothing new

# Each name of a server's program holds one of these.
_NAMES = (b"last message repeated", b"sshd", b"sftp", b"dropbear", b"proftpd", b"rclone")
_MONTH_DAY = rb"(?:[A-Za-z]{3},? )?[A-Za-z]{3} {1,2}\d{1,2} (?:\d{4} )?\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: \d{4})?"
_ISO = rb"(?:[A-Za-z]{3} )?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})? ?(?:Z|UTC|[+-]\d\d:?\d\d)?"
_TIME = rb"(" + _MONTH_DAY + rb"|" + _ISO + rb"|\d{9,10}\.\d{6})"
_SERVERS = (
    rb"(?:sshd(?:-session|-auth|-\d{1,5})?|sftp-server|internal-sftp|dropbear|proftpd|mod_sftp[\w./-]*|sftpgo|rclone)"
)
_BEGIN = (
    rb"^[ \t]{0,8}(?:<\d{1,3}>)?(?:1 )?"
    + _TIME
    + rb"(?: [A-Z]{3,4}(?= ))? (?:(?!\S{1,64}\[\d|\S{1,64}: )(\S{1,255}) )?"
)
# RFC 5424 has blanks around the process number and a message id; all others `program[process]: `.
_NAMED = re.compile(
    _BEGIN
    + rb"(?:\S{0,200}/)?("
    + _SERVERS
    + rb")(?:\.exe)?(?:\[(\d{1,10})\]:? |: | (\d{1,10}|-) \S{1,64} (?:-|\[[^\n]{0,999}?\]) )([^\n]*)",
    re.MULTILINE,
)
_ANY_PROGRAM = re.compile(
    _BEGIN + rb"\S{1,64}(?:\[\d{1,10}\]:?|:| (?:\d{1,10}|-) \S{1,64} (?:-|\[.{0,999}?\])) ", re.MULTILINE
)

# Loggers whose lines name no program: each with the groups time, process, host, program, text.
_UNNAMED = tuple(
    re.compile(pattern.encode("ascii"))
    for pattern in (
        # dropbear -E
        r"\[(?P<process>\d{1,10})\] (?P<time>\w{3} {1,2}\d{1,2} \d\d:\d\d:\d\d) (?P<text>.*)",
        # Win32-OpenSSH's sshd.log
        r"(?P<process>\d{1,10}) (?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[.,]\d{1,6}) (?P<text>.*)",
        # ProFTPD's TraceLog
        r"(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:,\d{1,6})?) \[(?P<process>\d{1,10})\] "
        r"(?P<text><\w{1,20}:\d{1,3}>.*)",
        # rclone
        r"(?P<time>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?) (?P<text>(?:[A-Z]{4,9} *: ).*)",
        # SFTPGo for the terminal
        r"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}) (?:TRC|DBG|INF|WRN|ERR|FTL) (?P<text>.*)",
    )
)
_PROGRAMS = ("dropbear", "sshd", "proftpd", "rclone", "sftpgo")
_LEVEL = re.compile(r"(debug[123]|verbose|info|error|fatal): (?=\S)")
_REPEAT = re.compile(r"message repeated (\d{1,6}) times: \[ ?(.*?)\]\s*\Z", re.DOTALL)
# What Kubernetes, `docker logs -t`, `docker compose logs` and `kubectl logs --prefix` put before a line.
_CONTAINER = re.compile(
    rb"(\d{4}-\d\d-\d\dT\S{8,30}) (?:stdout|stderr) [FP] |(\d{4}-\d\d-\d\dT[\d:.]{8,18}Z) (?!\S+ \S+[\[:])"
    rb"|[\w.-]{1,64} +\| |\[pod/\S{1,200}\] "
)
_PREFIX = 120  # bytes before "last message repeated" at most
_LAST = re.compile(rb"last message repeated (\d{1,6}) times")
_ESCAPED = re.compile(r"#0(?:12|11)")


class Entries(Iterable[Entry]):
    """The entries of a log, read once; `lines` counts its lines."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self.lines = 0
        self._blocks = iter(blocks)
        self._times = Times()

    def __iter__(self) -> Iterator[Entry]:
        blocks = _whole_lines(self._blocks)
        first = next(blocks, b"")
        head = first[:_HEAD]
        head = head[: head.rfind(b"\n") + 1] or head  # the same, whatever the blocks
        if json_entries.is_json(head):
            yield from self._with_inner(json_entries.of_objects(self._numbered(first, blocks), self._times))
        elif json_entries.is_export(head):
            yield from json_entries.of_export(self._numbered(first, blocks), self._times)
        elif json_entries.is_event_log(head):
            yield from json_entries.of_event_log(self._numbered(first, blocks), self._times)
        elif _ANY_PROGRAM.search(head):
            yield from self._named(first, blocks)
        else:
            yield from self._unnamed(first, blocks)

    def _numbered(self, first: bytes, blocks: Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
        while first:
            for line in first.splitlines():
                self.lines += 1
                yield self.lines, line[:LONGEST]
            first = next(blocks, b"")

    def _named(self, block: bytes, blocks: Iterator[bytes]) -> Iterator[Entry]:
        """Lines that name a program; those of other programs are passed over."""
        last: Entry | None = None
        while block:
            place = 0
            for begin in _of_servers(block):
                found = _NAMED.match(block, begin)
                again = None if found is not None or last is None else _LAST.search(block, begin, begin + _PREFIX)
                if found is None and again is None:
                    continue
                self.lines += block.count(b"\n", place, begin)
                place = begin
                if found is not None:
                    for last in self._named_entry(found, self.lines + 1):
                        yield last
                elif last is not None and again is not None and last.line == self.lines:
                    for _ in range(min(int(again[1]), _REPEATED)):
                        yield replace(last, line=self.lines + 1)
            self.lines += block.count(b"\n", place) + (not block.endswith(b"\n"))
            block = next(blocks, b"")

    def _named_entry(self, found: re.Match[bytes], line: int) -> Iterator[Entry]:
        time, host, program, process, other, text = (_text(group or b"") for group in found.groups())
        number = process or other
        entry = Entry(
            line, self._times.stamp(time), host, program, int(number) if number.isdigit() else None, *with_level(text)
        )
        repeat = _REPEAT.match(entry.text)
        if repeat is None:
            yield entry
            return
        for _ in range(min(int(repeat[1]), _REPEATED)):
            yield Entry(line, entry.stamp, host, program, entry.process, *with_level(repeat[2]))

    def _unnamed(self, block: bytes, blocks: Iterator[bytes]) -> Iterator[Entry]:
        """Lines that name no program, and texts alone."""
        last: Entry | None = None
        for number, line in self._numbered(block, blocks):
            again = _LAST.search(line)
            if again is not None and last is not None:
                for _ in range(min(int(again[1]), _REPEATED)):
                    yield Entry(number, last.stamp, last.host, last.program, last.process, last.level, last.text)
                continue
            for last in self._unwrapped(number, line):
                yield last

    def _unwrapped(self, number: int, line: bytes) -> Iterator[Entry]:
        """The entries of a line that names no program, but perhaps behind what a container's log puts first."""
        outer = _CONTAINER.match(line)
        if outer is None:
            yield unnamed_entry(number, line, self._times)
            return
        named = _NAMED.match(line[outer.end() :])
        if named is not None:
            yield from self._named_entry(named, number)
            return
        inner = unnamed_entry(number, line[outer.end() :], self._times)
        time = outer[1] or outer[2]
        yield inner if inner.stamp is not None or not time else replace(inner, stamp=self._times.stamp(_text(time)))

    def _with_inner(self, found: Iterator[Entry]) -> Iterator[Entry]:
        """Entries of JSON, whose text may be a line of a logger again."""
        for entry in found:
            named = _NAMED.match(entry.text.encode("utf-8", "surrogateescape"))
            if named is not None:
                yield from self._named_entry(named, entry.line)
            elif entry.program:
                yield entry
            else:
                inner = unnamed_entry(entry.line, entry.text.encode("utf-8", "surrogateescape"), self._times)
                yield inner if inner.stamp is not None else replace(inner, stamp=entry.stamp)


def entries(blocks: Iterable[bytes]) -> Entries:
    """The entries of a log.

    Args:
        blocks: the log's bytes, in an encoding that contains ASCII.
    """
    return Entries(blocks)


def unnamed_entry(number: int, line: bytes, times: Times) -> Entry:
    """The entry of a line that names no program: of a logger that is known by its form, or a text alone."""
    for pattern, program in zip(_UNNAMED, _PROGRAMS, strict=True):
        found = pattern.match(line)
        if found is not None:
            parts = {name: _text(value) for name, value in found.groupdict().items() if value}
            process = parts.get("process", "")
            stamp = times.stamp(parts["time"])
            host, program = parts.get("host", ""), parts.get("program", program)
            return Entry(
                number, stamp, host, program, int(process) if process else None, *with_level(parts.get("text", ""))
            )
    return Entry(number, None, "", "", None, *with_level(_text(line)))


def with_level(text: str) -> tuple[str, str]:
    """The level that a text begins with, empty where it names none, and the text without it."""
    found = _LEVEL.match(text)
    return (found[1], text[found.end() :]) if found is not None else ("", text)


def _text(data: bytes) -> str:
    text = data[:LONGEST].decode("utf-8", "replace").rstrip("\r\n\0")
    return _ESCAPED.sub(" ", text) if "#0" in text else text


def _of_servers(block: bytes) -> list[int]:
    """Where the lines begin that hold a server's name; most lines of a log are another program's."""
    begins: set[int] = set()
    for name in _NAMES:
        place = block.find(name)
        while place >= 0:
            begins.add(block.rfind(b"\n", 0, place) + 1)
            end = block.find(b"\n", place)
            place = block.find(name, end) if end >= 0 else -1
    return sorted(begins)


def _whole_lines(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Blocks that end with a line, the first one large enough to judge; of a line too long the beginning is kept."""
    rest = b""
    for block in blocks:
        rest += block
        if len(rest) >= _HEAD:
            break
    blocks, rest = chain([rest], blocks), b""
    for block in blocks:
        end = block.rfind(b"\n") + 1
        if end:
            yield rest + block[:end]
            rest = block[end:]
        elif len(rest) < LONGEST:
            rest += block
    if rest:
        yield rest
