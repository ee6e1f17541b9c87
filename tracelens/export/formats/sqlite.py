"""An SQLite database with the one table."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_TYPES = {"Int64": "INTEGER", "Float64": "REAL", "string": "TEXT", "boolean": "INTEGER"}


def write(frames: "Iterator[pd.DataFrame]", path: Path, table: str) -> None:
    """Write the frames; a time is text in ISO 8601, a boolean 0 or 1."""
    with closing(sqlite3.connect(path)) as database:
        for number, frame in enumerate(frames):
            names = list(frame.columns)
            if number == 0:
                columns = ", ".join(f'"{name}" {_TYPES.get(str(frame[name].dtype), "TEXT")}' for name in names)
                database.execute(f'CREATE TABLE "{table}" ({columns})')
            marks = ", ".join("?" * len(names))
            rows = zip(*(_cells(frame[name]) for name in names), strict=True)
            database.executemany(f'INSERT INTO "{table}" VALUES ({marks})', rows)  # noqa: S608  names of our own
        database.commit()


def _cells(column: "pd.Series[Any]") -> Iterator[Any]:
    if str(column.dtype).startswith("datetime"):
        return (None if value is None else value.isoformat() for value in _values(column))
    # Lone surrogates have no UTF-8; the int of a huge header is no 64-bit number.
    return (value.encode("utf-8", "replace").decode() if isinstance(value, str) else value for value in _values(column))


def _values(column: "pd.Series[Any]") -> Iterator[Any]:
    return iter(column.astype(object).where(column.notna(), None))
