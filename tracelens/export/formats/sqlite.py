"""An SQLite database with the one table."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from tracelens.export.formats import Frames, rows

_TYPES = {"Int64": "INTEGER", "Float64": "REAL", "string": "TEXT", "boolean": "INTEGER"}


def write(frames: Frames, path: Path, table: str) -> None:
    """Write the frames; a time is text in ISO 8601, a boolean 0 or 1.

    Raises:
        OSError: SQLite could not write its file.
    """
    try:
        _write(frames, path, table)
    except sqlite3.OperationalError as error:  # it has no number of the system's error
        raise OSError(str(error)) from error


def _write(frames: Frames, path: Path, table: str) -> None:
    with closing(sqlite3.connect(path)) as database:
        for number, frame in enumerate(frames):
            names = list(frame.columns)
            if number == 0:
                columns = ", ".join(f'"{name}" {_TYPES.get(str(frame[name].dtype), "TEXT")}' for name in names)
                database.execute(f'CREATE TABLE "{table}" ({columns})')
            marks = ", ".join("?" * len(names))
            plain = (tuple(map(_plain, row)) for row in rows(frame))
            database.executemany(f'INSERT INTO "{table}" VALUES ({marks})', plain)  # noqa: S608  names of our own
        database.commit()


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()  # lone surrogates have no UTF-8
    return value.isoformat() if hasattr(value, "isoformat") else value
