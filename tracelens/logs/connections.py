"""Entries of a server's log -> connections, streamed.

    found = Connections(entries)
    for connection in found: ...
    found.unknown, found.unassigned

A connection is given out when its process number begins another one, when too many are open, or at the end. How lines
are joined is said in `joining.py`.
"""

from collections.abc import Iterable, Iterator

from tracelens.logs import texts
from tracelens.logs.dropbear import Dropbear
from tracelens.logs.joining import Joining
from tracelens.logs.model import Connection, Entry, Event
from tracelens.logs.openssh import OpenSSH
from tracelens.logs.proftpd import ProFTPD
from tracelens.logs.rclone import Rclone
from tracelens.logs.sftpgo import SFTPGo

SERVERS: tuple[type[Joining], ...] = (OpenSSH, Dropbear, ProFTPD, Rclone, SFTPGo)
_BY_PROGRAM = {program: joining for joining in SERVERS for program in joining.programs}
# Fields that a text has only if the grammar is that of its server, where the log does not name the program.
_TELLING = ("port", "server_port", "ident")
_NAMES = 1_000  # such programs
_TRIED = 10_000  # lines of a program of unknown name that are looked at


class Connections(Iterator[Connection]):
    """The connections of a log.

    Attributes:
        servers: the server software that wrote in it, in the order of first lines.
        lines: lines of these servers.
        count: connections that were given out.
        unknown: lines whose text no grammar knows.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.servers: list[str] = []
        self.lines = self.count = self.unknown = 0
        self._joinings: dict[tuple[str, str], Joining] = {}  # by server and host
        self._programs: dict[
            str, type[Joining] | int
        ] = {}  # other names: the server, or how many lines were no server's
        self._given = self._read(entries)

    @property
    def unassigned(self) -> int:
        """Lines of connections that can't be told which; complete when all connections were given out."""
        return sum(joining.unassigned for joining in self._joinings.values())

    def __next__(self) -> Connection:
        connection = next(self._given)
        self.count += 1
        return connection

    def _read(self, entries: Iterable[Entry]) -> Iterator[Connection]:
        for entry in entries:
            kind = _BY_PROGRAM.get(entry.program) or self._by_text(entry)
            if kind is None:
                continue
            joining = self._joinings.get((kind.server, entry.host))
            if joining is None:
                joining = self._joinings[kind.server, entry.host] = kind()
                if kind.server not in self.servers:
                    self.servers.append(kind.server)
            entry = kind.read(entry)
            name, fields = texts.parse(kind.server, entry.text)
            event = Event(entry.line, entry.stamp, entry.level, name, fields, entry.text)
            self.lines += 1
            self.unknown += name == "unknown"
            joining.join(entry, event)
            if joining.table.given:
                yield from joining.table.given
                joining.table.given.clear()
        for joining in self._joinings.values():
            joining.close()
            yield from joining.table.given

    def _by_text(self, entry: Entry) -> type[Joining] | None:
        """The server that wrote a line of a program whose name says nothing."""
        program = entry.program.rpartition("/")[2].removesuffix(".exe")
        module = entry.program.partition("/")[0]  # ProFTPD's modules: `mod_sftp/1.1.1`
        known = _BY_PROGRAM.get(program) or _BY_PROGRAM.get(module) or self._programs.get(program, 0)
        if not isinstance(known, int):
            return known
        if known >= _TRIED:
            return None
        for kind in SERVERS:
            fields = texts.parse(kind.server, entry.text)[1] if kind.sign in entry.text else ()
            if any(name in fields for name in _TELLING):
                self._programs[program] = kind
                return kind
        if known or len(self._programs) < _NAMES:
            self._programs[program] = known + 1
        return None


def connections(entries: Iterable[Entry]) -> Connections:
    """The connections of a log, in the order in which they are complete."""
    return Connections(entries)
