"""The table with a row a record: a transfer's lines in bulk, as Arrow arrays, all else row by row."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from tracelens import secrets
from tracelens.export.columns import COLUMNS, TABLES, Row
from tracelens.export.packets import holds_secret
from tracelens.libssh2.events import Event
from tracelens.reader import Dump, Item
from tracelens.reader.bulk import Lines
from tracelens.reader.packets import PacketReader, RawPacket, decode
from tracelens.sessions.state import HIDDEN_FIELDS, shown
from tracelens.ssh.wire import Secret

if TYPE_CHECKING:
    import pandas as pd

# Messages that hold secrets: USERAUTH_REQUEST, USERAUTH_INFO_RESPONSE, CHANNEL_REQUEST (env).
_SECRETIVE = (50, 61, 98)
# Events whose texts are masked one by one.
BUT = frozenset(HIDDEN_FIELDS)
Part = list[Row] | Lines


def records(items: Iterable[Item | Lines], size: int, show_secrets: bool = False) -> "Iterator[pd.DataFrame]":
    """Items -> frames of about `size` rows, at least one frame.

    What is secret is in the packets; the rows of a frame are masked with all that is known at its end.
    """
    packets, known = PacketReader(), set[bytes]()
    parts: list[Part] = []
    rows: list[Row] = []
    count, yielded = 0, False

    def learn(raws: Iterable[RawPacket]) -> None:
        for raw in raws:
            known.update(_secrets_in_packet(raw, rows))

    for item in items:
        if isinstance(item, Lines):
            if rows:
                parts.append(rows)
                rows = []
            parts.append(item)
            count += len(item)
        elif isinstance(item, Event):
            if not show_secrets:
                known.update(_secrets_in_text(item))
            rows.append((item.line, item.time, item.context, item.name, item.text if show_secrets else shown(item)))
            count += 1
        elif isinstance(item, Dump):
            rows.append((item.line, item.time, None, f"dump.{item.kind}", f"{item.title} ({item.size} bytes)"))
            count += 1
            if not show_secrets:
                learn(packets.add(item))
        if count >= size and not isinstance(item, Dump):
            yield _frame([*parts, rows], known)
            parts, rows, count, yielded = [], [], 0, True
    if not show_secrets:
        learn(packets.flush())
    if count or not yielded:
        yield _frame([*parts, rows], known)


def _secrets_in_packet(raw: RawPacket, rows: list[Row]) -> Iterator[bytes]:
    """The secrets that a packet holds: passwords, answers to prompts, values of environment variables.

    The titles of its dumps, among the rows, lose their sizes, which would give the secrets' lengths away.
    """
    if raw.direction != "out" or raw.number not in _SECRETIVE:
        return
    fields = decode(raw).fields
    if not holds_secret(fields):
        return
    for at in range(len(rows) - 1, -1, -1):
        line, time, context, event, text = rows[at]
        if line < raw.line:
            break
        if event in ("dump.plain", "dump.plain2"):
            rows[at] = (line, time, context, event, f"{text.rpartition(' (')[0]} (size not shown)")
    for value in fields.values():
        for secret in value if isinstance(value, tuple) else (value,):
            if isinstance(secret, Secret):
                yield secret.reveal()


def _secrets_in_text(event: Event) -> Iterator[bytes]:
    """The secrets in a record's text: values of environment variables, cookies, credentials in commands."""
    for name in HIDDEN_FIELDS.get(event.name, ()):
        yield str(event.fields.get(name, "")).encode()
    if event.name == "conn.request_started":
        yield from secrets.credentials(event.text.encode())


def _frame(parts: list[Part], known: set[bytes]) -> "pd.DataFrame":
    """The parts as one frame, masked."""
    import pandas as pd
    import pyarrow as pa

    tables = [_of_lines(part) if isinstance(part, Lines) else _of_rows(part) for part in parts]
    names = TABLES["records"]
    table = pa.concat_tables(tables)
    columns: dict[str, Any] = {}
    for name in names:
        column = table.column(name)
        if name == "text" and any(map(secrets.is_searchable, known)):
            hide = secrets.hider(known)
            column = pa.chunked_array([pa.array([hide(text) for text in column.to_pylist()], pa.string())])
        if COLUMNS[name][0] == "string":
            columns[name] = pd.array(column, dtype=pd.StringDtype("pyarrow"))
        else:
            columns[name] = column.to_pandas(
                types_mapper={pa.int64(): pd.Int64Dtype(), pa.float64(): pd.Float64Dtype()}.get
            )
    return pd.DataFrame(columns)


def _schema() -> Any:
    import pyarrow as pa

    types = {"Int64": pa.int64(), "Float64": pa.float64(), "string": pa.string()}
    return pa.schema([(name, types[COLUMNS[name][0]]) for name in TABLES["records"]])


def _of_rows(rows: list[Row]) -> Any:
    import pyarrow as pa

    schema = _schema()
    values: list[Any] = list(zip(*rows, strict=True)) if rows else [() for _ in schema]
    return pa.table([pa.array(list(v), f.type) for v, f in zip(values, schema, strict=True)], schema=schema)


def _of_lines(lines: Lines) -> Any:
    """Their texts are cut out of the block by Arrow: what is between two texts, and each text, in turn."""
    import numpy as np
    import pyarrow as pa

    shapes, count = lines.shapes.all, len(lines)
    places = np.empty(2 * count + 1, np.int32)
    places[0] = 0
    places[1::2] = lines.texts + np.array([shape.head for shape in shapes])[lines.codes]
    places[2::2] = lines.ends - np.array([shape.tail for shape in shapes])[lines.codes]
    pieces = pa.StringArray.from_buffers(2 * count, pa.py_buffer(places), pa.py_buffer(lines.block))
    codes = pa.array(lines.codes)
    columns = [
        pa.array(np.arange(lines.first, lines.first + count)),
        pa.array(lines.times),
        pa.array([shape.context for shape in shapes], pa.string()).take(codes),
        pa.array([shape.name for shape in shapes], pa.string()).take(codes),
        pieces.take(pa.array(np.arange(1, 2 * count, 2))),
    ]
    return pa.table(columns, schema=_schema())
