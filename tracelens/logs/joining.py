"""What joins the lines of a server's log to connections.

A server has a class derived from `Joining` in a module of its own, which `connections.SERVERS` lists:

    class Dropbear(Joining):
        server = "dropbear"              # as in `texts.parse`
        programs = ("dropbear",)         # names under which it logs; a log without names is told by its texts
        begins = ("connected",)          # events that begin a connection, whatever had the key before
        ends = ("client_closed",)        # events after which the connection is over

Lines with the same `key` are one connection: the process number if the logger prints it, else the client's address and
port. A server with something better overrides `key` (SFTPGo: the connection_id of the event's fields); one whose
processes fork overrides `place`.
"""

from collections import OrderedDict
from collections.abc import Iterator
from itertools import islice

from msgspec import Struct

from tracelens.logs.model import EVENTS_KEPT, Connection, Entry, Event

OPEN = 4096  # connections that are followed at the same time
EVENTS = 200_000  # events that they have together
SILENT = 60.0  # seconds after its end in which a connection may have more lines
NEAR = 50  # lines between which a log without process numbers is taken to speak of the same connection
LOOKED_AT = 256  # connections, the latest first, that a line without a key may belong to
# Texts that no connection begins with: the listener's, and what a process says before its connection.
_ASIDE = ("noted", "unknown", "listening")


class Open(Struct, eq=False):
    """A connection that may have more lines.

    Attributes:
        connection: as far as it is known.
        keys: what its lines are found by; the first one is its own, the others are those of its children.
        address, port: the client's; empty and 0 until a line has them.
        user: the name that it logs in with; empty until a line has it.
        line, time: those of its last line; the time is None where the log has none.
        accepted: the time of its login, 0 if the log has no times; None before.
        served: how many sftp-servers of it are known.
    """

    connection: Connection
    keys: list[str]
    address: str = ""
    port: int = 0
    user: str = ""
    line: int = 0
    time: float | None = None
    accepted: float | None = None
    served: int = 0

    def is_another(self, address: object, port: object, time: float | None) -> bool:
        """Whether a line of this key belongs to a later connection: the system gives process numbers again."""
        if address and port and self.port and (self.address, self.port) != (address, port):
            return True
        return self.connection.ended and time is not None and self.time is not None and time - self.time > SILENT


class Table:
    """The connections of one server that may have more lines, the latest active last."""

    def __init__(self, server: str) -> None:
        self.server = server
        self.given: list[Connection] = []  # what is complete and was not taken yet
        self._open: OrderedDict[int, Open] = OrderedDict()
        self._keys: dict[str, Open] = {}
        self._events = 0

    def find(self, key: str) -> Open | None:
        """The connection with this key."""
        return self._keys.get(key)

    def by_client(self, address: object, port: object) -> Open | None:
        """The connection of this address and port of the client."""
        return self._keys.get(f"{address}:{port}") if address and port else None

    def latest(self) -> Iterator[Open]:
        """The connections, the latest active first; not all of them if there are many."""
        return islice(reversed(self._open.values()), LOOKED_AT)

    def begin(self, key: str) -> Open:
        """A new connection; one that had the key is complete."""
        earlier = self._keys.get(key)
        if earlier is not None:
            self.forget(key) if earlier.keys[0] != key else self._give(earlier)
        found = Open(Connection(self.server, key, []), [key])
        self._open[id(found)] = self._keys[key] = found
        return found

    def also(self, found: Open, key: str) -> None:
        """Let a connection be found by a further key."""
        if self._keys.get(key) is not found:
            self.forget(key)
            found.keys.append(key)
            self._keys[key] = found

    def forget(self, key: str) -> None:
        """Let the connection that has this key be found by its others alone."""
        found = self._keys.pop(key, None)
        if found is not None:
            found.keys.remove(key)
            if not found.keys:
                found.keys = [key]
                self._give(found)

    def add(self, found: Open, event: Event) -> None:
        """Give an event to a connection, and let go of the longest silent ones where there are too many."""
        connection = found.connection
        if len(connection.events) < EVENTS_KEPT:
            connection.events.append(event)
            self._events += 1
        else:
            connection.beyond += 1
        address, port, user = event.fields.get("address"), event.fields.get("port"), event.fields.get("user")
        if isinstance(address, str) and isinstance(port, int):
            found.address, found.port = address, port
            self.also(found, f"{address}:{port}")
        elif isinstance(address, str) and not found.address:
            found.address = address
        if isinstance(user, str) and user:
            found.user = user
        found.line = event.line
        found.time = event.stamp.seconds if event.stamp is not None else None
        self._open.move_to_end(id(found))
        while len(self._open) > OPEN or (self._events > EVENTS and len(self._open) > 1):
            self._give(next(iter(self._open.values())))

    def close(self) -> None:
        """Let go of all connections, in the order of their first lines."""
        for found in sorted(self._open.values(), key=lambda found: found.connection.first_line):
            self._give(found)

    def _give(self, found: Open) -> None:
        self._open.pop(id(found), None)
        for key in found.keys:
            if self._keys.get(key) is found:
                del self._keys[key]
        self._events -= len(found.connection.events)
        if found.connection.events:
            self.given.append(found.connection)


class Joining:
    """Joins the lines of one server; see above."""

    server = ""
    programs: tuple[str, ...] = ()
    # Words of a text by which a log without names is told; the grammar is asked where they are.
    sign = ""
    begins: tuple[str, ...] = ("connected",)
    ends: tuple[str, ...] = ("client_closed", "exited")
    # Events that are a connection of their own, such as one that was refused.
    alone: tuple[str, ...] = ()
    # Events that a log without process numbers may have before the line that names their connection.
    early: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.table = Table(self.server)
        self.unassigned = 0  # events of connections that can't be told which
        self._waiting: list[Event] = []

    @staticmethod
    def read(entry: Entry) -> Entry:
        """The entry with the text that the server's grammar knows."""
        return entry

    def join(self, entry: Entry, event: Event) -> None:
        """Put an event where it belongs."""
        if event.name in self.alone:
            key = f"{event.fields.get('address', '')}:{event.fields.get('port', '')}"
            self.table.given.append(Connection(self.server, key.strip(":"), [event], ended=True))
            return
        found = self.place(entry, event)
        if found is not None:
            if self._waiting and entry.process is None:
                self._assign_waiting(found, event)
            self.table.add(found, self.completed(found, event))
            found.connection.ended = found.connection.ended or self.is_end(event)
        elif event.name not in _ASIDE:
            self._wait(event, entry.process is None and event.name in self.early)

    def close(self) -> None:
        """The log is at its end."""
        self.unassigned += len(self._waiting)
        self._waiting.clear()
        self.table.close()

    def _wait(self, event: Event, may: bool) -> None:
        """Keep an event for the next line that names its connection: a reason is often logged before that."""
        self.unassigned += not may
        if may:
            self._waiting.append(event)
            if len(self._waiting) > NEAR:
                self._waiting.pop(0)
                self.unassigned += 1

    def _assign_waiting(self, found: Open, event: Event) -> None:
        """Give a connection the events just before that may be its own."""
        user = event.fields.get("user") or found.user
        address = event.fields.get("address") or found.address
        left = []
        for waiting in self._waiting:
            same = waiting.fields.get("user", user) == user and waiting.fields.get("address", address) == address
            if same and event.line - waiting.line <= NEAR:
                self.table.add(found, waiting)
            else:
                left.append(waiting)
        self._waiting = left

    def completed(self, found: Open, event: Event) -> Event:
        """The event with what lines before it in the same connection say of it."""
        return event

    def is_end(self, event: Event) -> bool:
        """Whether a connection is over with this event."""
        return event.name in self.ends or event.level == "fatal"

    def key(self, entry: Entry, event: Event) -> str | None:
        """What lines of the same connection have in common; None where the line has no such thing."""
        if entry.process is not None:
            return str(entry.process)
        address, port = event.fields.get("address"), event.fields.get("port")
        return f"{address}:{port}" if address and port else None

    def place(self, entry: Entry, event: Event) -> Open | None:
        """The connection that an event belongs to; None where it can't be told."""
        key = self.key(entry, event)
        if key is None:
            return self.near(entry, event)
        found = self.table.find(key)
        if found is not None and event.name not in self.begins:
            time = event.stamp.seconds if event.stamp is not None else None
            if not found.is_another(event.fields.get("address"), event.fields.get("port"), time):
                return found
        if event.name in _ASIDE:
            return None
        return self.table.begin(key)

    def near(self, entry: Entry, event: Event) -> Open | None:
        """The only connection that a line without a key can belong to; None if there are several."""
        user = event.fields.get("user")
        fitting = [found for found in self.table.latest() if not found.connection.ended]
        if user and event.name != "user_named":
            fitting = [found for found in fitting if found.user in ("", user)]
        if len(fitting) > 1:
            fitting = [found for found in fitting if entry.line - found.line <= NEAR]
        return fitting[0] if len(fitting) == 1 else None
