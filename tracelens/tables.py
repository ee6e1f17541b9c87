"""Traces and analyses as data frames, one table at a time; alone imports pandas.

A column name means one thing in every table and has one type, given in `COLUMNS`. Tables come as a sequence of
frames, so that the one with a row a record never stands in memory as a whole.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from tracelens import analysis, events, records, source
from tracelens.errors import NotATrace, UnreadableInput
from tracelens.events import Event
from tracelens.packets import Packet, PacketReader, RawPacket, decode
from tracelens.records import Dump, Record, Run
from tracelens.sessions import Assembler
from tracelens.sessions.login import SHORTEST_SECRET
from tracelens.sessions.track import HIDDEN_FIELDS, Track, shown
from tracelens.ssh.sftp import SftpPacket
from tracelens.ssh.wire import Secret

# Column -> (pandas type, what it means).
COLUMNS: dict[str, tuple[str, str]] = {
    "session": ("Int64", "number of the session in the trace, from 1; empty where a row belongs to none"),
    "line": ("Int64", "1-based line of the decompressed input"),
    "last_line": ("Int64", "last line that belongs to the row"),
    "time": ("Float64", "seconds on the trace's own clock; for a dump, the clock of the record before it"),
    "delta": ("Float64", "seconds since the session's event before"),
    "started": ("Float64", "clock at the first record, seconds"),
    "ended": ("Float64", "clock at the last record, seconds"),
    "phase": ("string", "banner, kex, auth, channel, sftp, scp or done"),
    "source": (
        "string",
        "text (a record), packet (an SSH packet), sftp (an SFTP packet), run (folded records)",
    ),
    "direction": ("string", "in (from the server) or out"),
    "context": ("string", "libssh2's trace context; empty for a dump"),
    "event": ("string", "name of the event or packet"),
    "count": ("Int64", "how many records the row stands for"),
    "text": ("string", "the record's text, a dump's title, or what a packet says; secrets masked"),
    "fields": ("string", "the event's or packet's fields as JSON; secrets masked"),
    "verdict": ("string", "cause, healthy, unexplained or insufficient"),
    "root_cause": ("string", "id of the root cause, empty without one"),
    "client_banner": ("string", "the client's SSH banner"),
    "server_banner": ("string", "the server's SSH banner, or what it sent in its place"),
    "user": ("string", "user name of the login"),
    **{
        name: ("string", f"agreed on: {name}")
        for name in ("kex", "hostkey", "cipher_cs", "cipher_sc", "mac_cs", "mac_sc", "comp_cs", "comp_sc")
    },
    "id": ("string", "id of the finding"),
    "kind": ("string", "cause, noise or notice"),
    "summary": ("string", "the finding in a sentence"),
}

TABLES: dict[str, tuple[str, ...]] = {
    "events": (
        "session", "line", "last_line", "time", "delta", "phase", "source", "direction", "context", "event", "count",
        "text", "fields",
    ),
    "records": ("line", "time", "context", "event", "text"),
    "sessions": (
        "session", "line", "last_line", "started", "ended", "verdict", "root_cause", "phase", "client_banner",
        "server_banner", "user", "kex", "hostkey", "cipher_cs", "cipher_sc", "mac_cs", "mac_sc", "comp_cs", "comp_sc",
    ),
    "findings": ("session", "id", "kind", "phase", "line", "count", "summary"),
}  # fmt: skip

ROWS = 100_000
# Messages that hold secrets: USERAUTH_REQUEST, USERAUTH_INFO_RESPONSE, CHANNEL_REQUEST (env).
_SECRETIVE = (50, 61, 98)
Row = tuple[Any, ...]


class Timeline:
    """One table of one trace.

    Args:
        origin: the input.
        table: a name in `TABLES`.

    `frames` gives it in frames of at most `ROWS` rows, at least one, which may be empty; it raises NotATrace where no
    libssh2 record is in the input. `damage` says, when the frames have been taken, why the input ended early.
    """

    def __init__(self, origin: source.Source, table: str) -> None:
        self.damage: str | None = None
        rows = {"records": self._records, "events": self._events}.get(table)
        self.frames = _framed(table, self._analyzed(origin, table) if rows is None else rows(origin))

    def _items(self, origin: source.Source, reader: records.Reader) -> Iterator[records.Item]:
        """The reader's items; what damages the input is kept for later, unless nothing came before it."""
        try:
            yield from reader
        except UnreadableInput as error:
            self.damage = error.reason
        if not reader.account.records and not reader.account.dumps:
            if self.damage is not None:
                raise UnreadableInput(origin.name, self.damage)
            raise NotATrace(origin.name, "see what `tracelens analyze` says of it")

    def _analyzed(self, origin: source.Source, table: str) -> Iterator[Row]:
        document = analysis.analyze(origin).document
        self.damage = document["source"]["damage"]
        yield from (_sessions if table == "sessions" else _findings)(document)

    def _records(self, origin: source.Source) -> Iterator[Row]:
        # What is secret is in the packets; the rows of a frame are masked with all that was seen by its end.
        reader = records.read(source.decoded(origin.chunks())[1], fold=False)
        packets, secrets = PacketReader(), set[bytes]()
        held: list[Row] = []
        for item in self._items(origin, reader):
            if isinstance(item, Record):
                name, fields = events.parse(item.context, item.text)
                text = shown(Event(item.line, item.time, item.context, name, fields, item.text))
                held.append((item.line, item.time, item.context, name, text))
            elif isinstance(item, Dump):
                held.append((item.line, item.time, None, f"dump.{item.kind}", f"{item.title} ({item.size} bytes)"))
                for raw in packets.add(item):
                    secrets.update(_secrets(raw))
            if len(held) >= ROWS:
                yield from _masked(held, secrets)
                held = []
        for raw in packets.flush():
            secrets.update(_secrets(raw))
        yield from _masked(held, secrets)

    def _events(self, origin: source.Source) -> Iterator[Row]:
        rows: list[tuple[Track, Row]] = []
        last: dict[Track, float] = {}

        def observe(track: Track, item: Event | Run | Packet | SftpPacket) -> None:
            time = item.started if isinstance(item, Run) else item.time
            before = last.get(track)
            delta = round(time - before, 6) if time is not None and before is not None else None
            if time is not None:
                last[track] = time
            rows.append((track, _event_row(track, item, time, delta)))

        reader = records.read(source.decoded(origin.chunks())[1])
        assembler = Assembler(observe)
        for item in self._items(origin, reader):
            assembler.add(item)
        sessions = assembler.sessions(reader.account.contexts)
        number = {id(session): session.number for session in sessions}
        hide = analysis.hider(value for session in sessions for value in session.hidden)
        rows.sort(key=lambda pair: pair[1][0])
        for track, row in rows:
            lines = (assembler.line_of(row[0]), assembler.line_of(row[1]))
            yield (number.get(id(track.session)), *lines, *row[2:-2], hide(row[-2]), hide(row[-1]))


def _secrets(raw: RawPacket) -> Iterator[bytes]:
    """The secrets that a packet holds: passwords, answers to prompts, values of environment variables."""
    if raw.direction != "out" or raw.number not in _SECRETIVE:
        return
    for value in decode(raw).fields.values():
        for secret in value if isinstance(value, tuple) else (value,):
            if isinstance(secret, Secret) and len(secret.reveal()) >= SHORTEST_SECRET:
                yield secret.reveal()


def _masked(rows: list[Row], secrets: set[bytes]) -> Iterator[Row]:
    hide = analysis.hider(secrets)
    return ((*row[:-1], hide(row[-1])) for row in rows)


def _framed(table: str, rows: Iterator[Row]) -> Iterator[pd.DataFrame]:
    batch: list[Row] = []
    given = False
    for row in rows:
        batch.append(row)
        if len(batch) == ROWS:
            yield _frame(table, batch)
            batch = []
            given = True
    if batch or not given:
        yield _frame(table, batch)


def _frame(table: str, rows: Sequence[Row]) -> pd.DataFrame:
    columns = TABLES[table]
    values: list[Any] = list(zip(*rows, strict=True)) if rows else [() for _ in columns]
    return pd.DataFrame(
        {name: pd.Series(list(column), dtype=COLUMNS[name][0]) for name, column in zip(columns, values, strict=True)}
    )


def _event_row(track: Track, item: Event | Run | Packet | SftpPacket, time: float | None, delta: float | None) -> Row:
    phase = track.phase
    if isinstance(item, Event):
        fields = {name: value for name, value in item.fields.items() if name not in HIDDEN_FIELDS.get(item.name, ())}
        return (
            item.line, item.line, time, delta, phase, "text", None, item.context, item.name, 1, shown(item),
            _json(fields),
        )  # fmt: skip
    if isinstance(item, Run):
        count = sum(item.counts.values())
        return (
            item.first_line,
            item.last_line,
            time,
            delta,
            phase,
            "run",
            None,
            None,
            max(item.counts, key=lambda k: item.counts[k]),
            count,
            item.last_text,
            _json(item.counts),
        )
    kind = "sftp" if isinstance(item, SftpPacket) else "packet"
    said = item.problem or ", ".join(f"{k}={_short(v)}" for k, v in item.fields.items())
    return (
        item.line,
        item.line,
        time,
        delta,
        phase,
        kind,
        item.direction,
        None,
        item.name,
        1,
        said,
        _json(item.fields),
    )


def _short(value: Any) -> str:
    text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return text if len(text) <= 120 else f"{text[:117]}..."


def _json(fields: Any) -> str:
    return json.dumps(fields, ensure_ascii=False, default=str)


def _sessions(document: dict[str, Any]) -> Iterator[Row]:
    for s in document["sessions"]:
        yield (
            s["number"], s["first_line"], s["last_line"], s["started"], s["ended"], s["verdict"], s["root_cause"],
            s["phase"], s["client_banner"], s["server_banner"], s["user"], *s["algorithms"].values(),
        )  # fmt: skip


def _findings(document: dict[str, Any]) -> Iterator[Row]:
    def row(session: int | None, found: dict[str, Any], count: int) -> Row:
        line = found["evidence"][0]["line"] if found["evidence"] else None
        return (session, found["id"], found["kind"], found["phase"], line, count, found["summary"])

    for s in document["sessions"]:
        for found in s["findings"]:
            yield row(s["number"], found, 1)
        for found in s["noise_findings"]:
            yield row(s["number"], found, s["noise"][found["id"]])
    for found in document["notices"]:
        yield row(None, found, 1)
