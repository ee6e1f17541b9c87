"""Traces and analyses as data frames, one table at a time; alone imports pandas.

A column name means one thing in every table and has one type, given in `columns.COLUMNS`. Tables come as a sequence of
frames, so that the one with a row a record never stands in memory as a whole.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from tracelens import analysis, events, records, secrets, source
from tracelens.errors import NotATrace, UnreadableInput
from tracelens.events import Event
from tracelens.frames import documents, sequences
from tracelens.frames.columns import COLUMNS, TABLES, Row
from tracelens.packets import PacketReader, RawPacket, decode
from tracelens.records import Dump, Record
from tracelens.sessions.track import shown
from tracelens.ssh.wire import Secret

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ROWS", "TABLES", "Timeline", "frame", "framed", "of_document"]

ROWS = 100_000
# Messages that hold secrets: USERAUTH_REQUEST, USERAUTH_INFO_RESPONSE, CHANNEL_REQUEST (env).
_SECRETIVE = (50, 61, 98)
_SEQUENCES = {"events": sequences.events, "packets": sequences.packets, "requests": sequences.requests}


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
        if table == "records":
            rows = self._records(origin)
        else:
            rows = (self._followed if table in _SEQUENCES else self._analyzed)(origin, table)
        self.frames = framed(TABLES[table], rows)

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
        yield from documents.ROWS[table](document)

    def _followed(self, origin: source.Source, table: str) -> Iterator[Row]:
        reader = records.read(source.decoded(origin.chunks())[1])
        yield from _SEQUENCES[table](reader, self._items(origin, reader))

    def _records(self, origin: source.Source) -> Iterator[Row]:
        # What is secret is in the packets; the rows of a frame are masked with all that was seen by its end.
        reader = records.read(source.decoded(origin.chunks())[1], fold=False)
        packets, known = PacketReader(), set[bytes]()
        held: list[Row] = []
        for item in self._items(origin, reader):
            if isinstance(item, Record):
                name, fields = events.parse(item.context, item.text)
                text = shown(Event(item.line, item.time, item.context, name, fields, item.text))
                held.append((item.line, item.time, item.context, name, text))
            elif isinstance(item, Dump):
                held.append((item.line, item.time, None, f"dump.{item.kind}", f"{item.title} ({item.size} bytes)"))
                for raw in packets.add(item):
                    known.update(_secrets(raw, held))
            if len(held) >= ROWS and isinstance(item, Record):
                yield from _masked(held, known)
                held = []
        for raw in packets.flush():
            known.update(_secrets(raw, held))
        yield from _masked(held, known)


def _secrets(raw: RawPacket, held: list[Row]) -> Iterator[bytes]:
    """The secrets that a packet holds: passwords, answers to prompts, values of environment variables.

    The titles of its dumps, among the rows that are held, lose their sizes, which would tell the secrets' lengths.
    """
    if raw.direction != "out" or raw.number not in _SECRETIVE:
        return
    fields = decode(raw).fields
    if not sequences.holds_secret(fields):
        return
    for at in range(len(held) - 1, -1, -1):
        line, time, context, event, text = held[at]
        if line < raw.line:
            break
        if event in ("dump.plain", "dump.plain2"):
            held[at] = (line, time, context, event, f"{text.rpartition(' (')[0]} (size not shown)")
    for value in fields.values():
        for secret in value if isinstance(value, tuple) else (value,):
            if isinstance(secret, Secret):
                yield secret.reveal()


def _masked(rows: list[Row], known: set[bytes]) -> Iterator[Row]:
    hide = secrets.hider(known)
    return ((*row[:-1], hide(row[-1])) for row in rows)


def framed(columns: tuple[str, ...], rows: Iterable[Row]) -> "Iterator[pd.DataFrame]":
    """Rows -> frames of at most `ROWS` rows, at least one frame, with the types of `COLUMNS`."""
    batch: list[Row] = []
    given = False
    for row in rows:
        batch.append(row)
        if len(batch) == ROWS:
            yield frame(columns, batch)
            batch = []
            given = True
    if batch or not given:
        yield frame(columns, batch)


def of_document(document: dict[str, Any]) -> "dict[str, pd.DataFrame]":
    """The tables that an analysis's document makes, by name: attempts, operations, phases, sessions, findings."""
    return {name: frame(TABLES[name], list(rows(document))) for name, rows in documents.ROWS.items()}


def frame(columns: tuple[str, ...], rows: Sequence[Row]) -> "pd.DataFrame":
    """Rows -> one frame with the types of `COLUMNS`."""
    import pandas as pd

    values: list[Any] = list(zip(*rows, strict=True)) if rows else [() for _ in columns]
    return pd.DataFrame(
        {name: pd.Series(list(column), dtype=COLUMNS[name][0]) for name, column in zip(columns, values, strict=True)}
    )
