"""Traces and analyses as data frames, one table at a time; alone imports pandas.

A column name means one thing in every table and has one type, listed in `columns.COLUMNS`. Tables come as a sequence of
frames, so that the one with a row for each record is never in memory as a whole.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from tracelens import analysis, inputs
from tracelens.analysis.document import Clock
from tracelens.analysis.time_of_day import by_server
from tracelens.errors import NotATrace, UnreadableInput
from tracelens.export import documents, packets, records, requests
from tracelens.export.columns import COLUMNS, TABLES, TIMES, Row, with_wall_time
from tracelens.reader import Reader, Streams

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ROWS", "TABLES", "Timeline", "frame", "framed", "of_analysis"]

T = TypeVar("T")
ROWS = 100_000
_SEQUENCES = {"events": packets.events, "packets": packets.packets, "requests": requests.requests}


class Timeline:
    """One table of one trace.

    Args:
        origin: the input.
        table: a name in `TABLES`.
        show_secrets: whether the table holds what is masked otherwise.
        clocks: the clocks of the server's log by the numbers of the sessions, for a column with the time of day.

    `frames` gives it in frames of at most `ROWS` rows, at least one, which may be empty; it raises NotATrace where no
    libssh2 record is in the input. `damage` says, when the frames have been taken, why the input ended early.
    """

    def __init__(
        self,
        origin: inputs.Source,
        table: str,
        *,
        show_secrets: bool = False,
        clocks: Mapping[int, Clock] | None = None,
    ) -> None:
        self.damage: str | None = None
        self._show_secrets = show_secrets
        if table == "records":
            self.frames = self._records(origin)
        else:
            rows = (self._followed if table in _SEQUENCES else self._analyzed)(origin, table)
            names = TABLES[table]
            if clocks is not None and (timed := with_wall_time(table)) != names:
                names, rows = timed, _with_wall_time(names, rows, clocks)
            self.frames = framed(names, rows)

    def _items(self, origin: inputs.Source, reader: Reader | Streams, items: Iterable[T]) -> Iterator[T]:
        """The reader's items; what damages the input is kept for later, unless nothing came before it."""
        try:
            yield from items
        except UnreadableInput as error:
            self.damage = error.reason
        if not reader.account.records and not reader.account.dumps:
            if self.damage is not None:
                raise UnreadableInput(origin.name, self.damage)
            raise NotATrace(origin.name, "see what `tracelens analyze` says of it")

    def _analyzed(self, origin: inputs.Source, table: str) -> Iterator[Row]:
        result = analysis.analyze(origin, show_secrets=self._show_secrets)
        self.damage = result.source.damage
        yield from documents.ROWS[table](result)

    def _followed(self, origin: inputs.Source, table: str) -> Iterator[Row]:
        streams = Streams(inputs.read_text(origin.chunks()).blocks)
        yield from _SEQUENCES[table](self._items(origin, streams, streams), self._show_secrets)

    def _records(self, origin: inputs.Source) -> "Iterator[pd.DataFrame]":
        reader = Reader(inputs.read_text(origin.chunks()).blocks, fold=False)
        yield from records.records(
            self._items(origin, reader, reader.with_lines(records.BUT)), ROWS, self._show_secrets
        )


def _with_wall_time(names: tuple[str, ...], rows: Iterable[Row], clocks: Mapping[int, Clock]) -> Iterator[Row]:
    """The rows with their times of day at the end."""
    session = names.index("session")
    time = next(names.index(name) for name in TIMES if name in names)
    for row in rows:
        yield (*row, by_server(clocks.get(row[session]), row[time], fraction=True))


def framed(columns: tuple[str, ...], values: Iterable[Row]) -> "Iterator[pd.DataFrame]":
    """Rows -> frames of at most `ROWS` rows, at least one frame, with the types of `COLUMNS`."""
    rows = iter(values)
    yield frame(columns, list(islice(rows, ROWS)))
    while batch := list(islice(rows, ROWS)):
        yield frame(columns, batch)


def of_analysis(result: analysis.Analysis) -> "dict[str, pd.DataFrame]":
    """The tables that an analysis makes, by name: attempts, operations, phases, sessions, findings."""
    return {name: frame(TABLES[name], list(rows(result))) for name, rows in documents.ROWS.items()}


def frame(columns: tuple[str, ...], rows: Sequence[Row]) -> "pd.DataFrame":
    """Rows -> one frame with the types of `COLUMNS`."""
    import pandas as pd

    values: list[Any] = list(zip(*rows, strict=True)) if rows else [() for _ in columns]
    return pd.DataFrame(
        {name: pd.Series(list(column), dtype=COLUMNS[name][0]) for name, column in zip(columns, values, strict=True)}
    )
