"""What a log of another program holds: lines with a time, events, connections."""

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone

from msgspec import Struct, field

Value = int | str | tuple[str, ...]
NOTHING: Mapping[str, Value] = {}


class Stamp(Struct, frozen=True, order=True):
    """The time of a line, as far as the log shows it.

    Attributes:
        seconds: since 1970-01-01 00:00 on the log's own clock; without a zone that is the server's local time.
        zone: the offset from UTC in minutes; None where the log names no zone.
        has_year: whether the log prints the year; without it `seconds` counts from the beginning of 1972.
        step: the clock's resolution in seconds: 1.0 for syslog, 0.000001 for journald.
    """

    seconds: float
    zone: int | None = None
    has_year: bool = True
    step: float = 1.0

    def at(self, seconds: float) -> str:
        """The time of day of another moment of the same clock, such as `2026-11-28 08:15:01+01:00`."""
        zone = timezone(timedelta(minutes=self.zone or 0))
        base = datetime(1970, 1, 1, tzinfo=zone) if self.zone is None else datetime.fromtimestamp(0, zone)
        moment = base + timedelta(seconds=seconds)
        text = moment.strftime("%Y-%m-%d %H:%M:%S" if self.has_year else "%b %d %H:%M:%S")
        return text if self.zone is None else text + moment.strftime("%z")[:3] + ":" + moment.strftime("%z")[3:]


class Entry(Struct, frozen=True):
    """A line of a log without what the logger put before it.

    Attributes:
        line: its number in the file, from 1.
        stamp: its time; None where the line has none.
        host: the host that the logger names; empty where it names none.
        program: the program's name as printed, such as `sshd` or `sshd-session`; empty where none is printed.
        process: the process number; None where none is printed.
        level: `debug1` to `debug3`, `verbose`, `info`, `error`, `fatal`; empty where the line does not say.
        text: the message.
        more: what else a line of JSON says of the message, such as SFTPGo's `connection_id`.
    """

    line: int
    stamp: Stamp | None
    host: str
    program: str
    process: int | None
    level: str
    text: str
    more: Mapping[str, Value] = NOTHING


class Event(Struct, frozen=True):
    """An entry whose text a grammar knows; `unknown` as the name where none does.

    Attributes:
        line, stamp, level, text: those of the entry.
        name: the event, in the vocabulary of `events.md`, the same for all servers.
        fields: its values by name.
    """

    line: int
    stamp: Stamp | None
    level: str
    name: str
    fields: Mapping[str, Value]
    text: str


class Connection(Struct):
    """One SSH connection as a server's log shows it.

    Attributes:
        server: the server software: `OpenSSH`, `dropbear`, `ProFTPD`, `SFTPGo`, `rclone`.
        key: what joins its lines, such as the process number; for messages to people only.
        events: in the order of the log; at most `EVENTS_KEPT`.
        beyond: how many more events it had.
        ended: whether the log shows its end.
    """

    server: str
    key: str
    events: list[Event]
    beyond: int = 0
    ended: bool = False

    @property
    def first_line(self) -> int:
        """The line of the first event."""
        return self.events[0].line

    @property
    def last_line(self) -> int:
        """The line of the last event."""
        return self.events[-1].line

    def all(self, *names: str) -> list[Event]:
        """The events with one of these names."""
        return [event for event in self.events if event.name in names]

    def first(self, field: str) -> Value | None:
        """The first value that an event has for a field, such as `user` or `address`."""
        return next((event.fields[field] for event in self.events if event.fields.get(field)), None)


EVENTS_KEPT = 2000


class Run(Struct):
    """What one run of a client printed about its connection.

    Attributes:
        program: `ssh -v` or `curl -v`.
        events: in the order of the log; the first of very many, and the last one.
        beyond: how many more events it had.
        names: those of all its events.
    """

    program: str
    events: list[Event] = field(default_factory=list)
    beyond: int = 0
    names: set[str] = field(default_factory=set)

    def add(self, event: Event) -> None:
        """Adds the next event."""
        self.names.add(event.name)
        if len(self.events) < EVENTS_KEPT:
            self.events.append(event)
        else:
            self.beyond += 1
            self.events[-1] = event

    def has(self, *names: str) -> bool:
        """Whether it has an event with one of these names."""
        return not self.names.isdisjoint(names)

    def last(self, *names: str) -> Event | None:
        """The last event with one of these names."""
        return next((event for event in reversed(self.events) if event.name in names), None)

    def first(self, field: str) -> Value | None:
        """The first value that an event has for a field, such as `host`."""
        return next((event.fields[field] for event in self.events if event.fields.get(field)), None)
