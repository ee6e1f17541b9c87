"""Results of a scan so far -> an SQLite database in its folder, which survives a kill at any moment.

It identifies files by path, size and time, and contents by digest, so that the same command resumes a scan and a later
run diagnoses only new inputs. It contains nothing that the tables do not contain. The table names are those of earlier
versions, so that their scans can be resumed: `tops` are files, `leaves` are inputs in them.
"""

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple, Self

from tracelens.batch.worker import ScanInput, Status
from tracelens.errors import BadOutput
from tracelens.export.formats import new_folder

NAME = "checkpoint.sqlite"
_APPLICATION = 0x74724C73  # "trLs", which identifies the database
_FORMAT = 1
_SCHEMA = """
CREATE TABLE contents (sha256 TEXT PRIMARY KEY, bytes INTEGER, version TEXT, status TEXT, error TEXT, facts TEXT)
WITHOUT ROWID;
CREATE INDEX contents_of_size ON contents (bytes);
CREATE TABLE tops (
    id INTEGER PRIMARY KEY, path BLOB UNIQUE, name TEXT, size INTEGER, modified REAL, mark TEXT,
    run INTEGER, done INTEGER, selection TEXT
);
CREATE INDEX tops_of_run ON tops (run, done, size);
CREATE TABLE leaves (
    top INTEGER, number INTEGER, path TEXT, compression TEXT, modified REAL, sha256 TEXT, damage TEXT,
    PRIMARY KEY (top, number)
) WITHOUT ROWID;
CREATE INDEX leaves_of_content ON leaves (sha256);
"""


class ScanFile(NamedTuple):
    """A file of the scan; `id` is its number in the database."""

    id: int
    path: str
    name: str
    size: int | None
    modified: float | None


class ScanRow(NamedTuple):
    """One input of the scan with the results for its content."""

    path: str
    compression: str | None
    modified: float | None
    sha256: str | None
    bytes: int | None
    status: Status
    error: str | None
    facts: dict[str, Any] | None


class Checkpoint:
    """The database of one scan; only one process at a time can open it.

    Args:
        folder: of the results; it is created if it does not exist.
        version: of the code that diagnoses.

    Attributes:
        outdated: number of contents that another version diagnosed; they are diagnosed again.

    Raises:
        BadOutput: the folder holds something else, another scan writes into it, or it can't be written.
    """

    def __init__(self, folder: Path, version: str) -> None:
        self._folder, self._version = folder, version
        path = folder / NAME
        with new_folder(folder):
            try:
                new = not os.path.exists(path)
                if new and any(folder.iterdir()):
                    raise BadOutput(str(folder), "is not empty and no scan has written it: give a new folder with -o")
                self._database = sqlite3.connect(path, timeout=1.0, isolation_level=None)
            except (OSError, sqlite3.Error) as error:
                raise self._failure(error) from error
            try:
                self._open()
            except BaseException as error:
                self._database.close()
                if new:
                    for file in folder.glob(f"{NAME}*"):
                        file.unlink()
                raise self._failure(error) from error

    def _failure(self, error: BaseException) -> BaseException:
        """The exception to raise for one of the database or of the system."""
        if isinstance(error, sqlite3.OperationalError):
            busy = "locked" in str(error)
            return BadOutput(str(self._folder), "another scan is writing into it" if busy else str(error))
        if isinstance(error, sqlite3.DatabaseError):
            return BadOutput(str(self._folder), f"its {NAME} is no scan's, or damaged: {error}")
        if isinstance(error, OSError) and not isinstance(error, BadOutput):
            return BadOutput(str(self._folder), error.strerror or str(error))
        return error

    def _open(self) -> None:
        database = self._database
        (application,), (format,) = (database.execute(f"PRAGMA {name}").fetchone() for name in _STAMPS)
        empty = database.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
        if not empty and (application, format) != (_APPLICATION, _FORMAT):
            raise BadOutput(str(self._folder), f"its {NAME} is not of this version's making: give a new folder with -o")
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("BEGIN IMMEDIATE")
        if empty:
            for statement in _SCHEMA.split(";"):
                database.execute(statement)
            database.execute(f"PRAGMA application_id = {_APPLICATION}")
            database.execute(f"PRAGMA user_version = {_FORMAT}")
        self._run = (database.execute("SELECT max(run) FROM tops").fetchone()[0] or 0) + 1
        count = database.execute("SELECT count(*) FROM contents WHERE version != ?", (self._version,))
        self.outdated: int = count.fetchone()[0]
        if self.outdated:
            database.execute("DELETE FROM contents WHERE version != ?", (self._version,))
        database.execute("COMMIT")
        database.execute("BEGIN")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, *rest: object) -> None:
        """Commit and close the database, also after a failure; one of the database becomes BadOutput."""
        with closing(self._database):
            try:
                if self._database.in_transaction:  # SQLite ends it itself where the disk is full
                    self._database.execute("COMMIT")
            except sqlite3.Error as failure:
                error = error or failure
        if isinstance(error, sqlite3.Error):
            raise self._failure(error) from error

    def close(self) -> None:
        """Commit and close the database."""
        self.__exit__(None, None)

    def commit(self) -> None:
        """Write everything added so far to disk."""
        self._database.execute("COMMIT")
        self._database.execute("BEGIN")

    # -- the files of this run

    def enlist(self, place: Any, *, selection: str, trust: bool) -> bool:
        """Add a file to this run; return whether it must be read.

        With `trust`, a file with unchanged path, size and time that was completed with the same selection is not read
        again. The inputs of a changed file are forgotten, but the results for their contents are kept.
        """
        execute = self._database.execute
        path = os.fsencode(place.path)  # a file's name need not be text
        row = execute("SELECT id, mark, done, selection, run FROM tops WHERE path = ?", (path,)).fetchone()
        if row is None:
            values = (path, place.name, place.size, place.modified, place.fingerprint, self._run, selection)
            execute(
                "INSERT INTO tops (path, name, size, modified, mark, run, done, selection) VALUES (?,?,?,?,?,?,0,?)",
                values,
            )
            return True
        file_id, mark, done, selected, run = row
        if run == self._run:
            return False  # named twice
        same = trust and place.fingerprint is not None and (mark, selected) == (place.fingerprint, selection)
        if not same:
            execute("DELETE FROM leaves WHERE top = ?", (file_id,))
        else:
            # Retry unreadable inputs and those that another version diagnosed.
            again = execute(
                "DELETE FROM leaves WHERE top = ? AND (sha256 IS NULL OR sha256 NOT IN (SELECT sha256 FROM contents))",
                (file_id,),
            )
            done = done and not again.rowcount
        execute(
            "UPDATE tops SET name = ?, size = ?, modified = ?, mark = ?, run = ?, done = ?, selection = ? WHERE id = ?",
            (
                place.name,
                place.size,
                place.modified,
                place.fingerprint,
                self._run,
                int(same and done),
                selection,
                file_id,
            ),
        )
        return not (same and done)

    def refuse(self, number: int, name: str, why: str) -> None:
        """Record an argument of the command line that is not a file."""
        path = b"\0%d" % number
        execute = self._database.execute
        execute("DELETE FROM leaves WHERE top IN (SELECT id FROM tops WHERE path = ?)", (path,))
        execute("DELETE FROM tops WHERE path = ?", (path,))
        made = execute("INSERT INTO tops (path, name, run, done) VALUES (?, ?, ?, 1)", (path, name, self._run))
        execute("INSERT INTO leaves (top, number, path, damage) VALUES (?, 0, ?, ?)", (made.lastrowid, name, why))

    def totals(self) -> tuple[int, int, int, int]:
        """The files of this run and their bytes; the pending ones and their bytes."""
        row = self._database.execute(
            "SELECT count(*), coalesce(sum(size), 0), coalesce(sum(1 - done), 0),"
            " coalesce(sum(size * (1 - done)), 0) FROM tops WHERE run = ?",
            (self._run,),
        ).fetchone()
        return (row[0], row[1], row[2], row[3])

    def settled(self) -> int:
        """The number of inputs of this run with a result."""
        row = self._database.execute(
            "SELECT count(*) FROM leaves l JOIN tops t ON t.id = l.top WHERE t.run = ?", (self._run,)
        )
        return int(row.fetchone()[0])

    def pending(self, *, over: int | None = None, under: int | None = None) -> Iterator[ScanFile]:
        """The pending files within size bounds, sorted by path."""
        after = b""
        while True:
            rows = self._database.execute(
                "SELECT id, path, name, size, modified FROM tops WHERE run = ? AND done = 0 AND path > ?"
                " AND coalesce(size, 0) >= ? AND coalesce(size, 0) < ? ORDER BY path LIMIT 500",
                (self._run, after, over or 0, under if under is not None else 1 << 62),
            ).fetchall()
            if not rows:
                return
            for file_id, path, *rest in rows:
                yield ScanFile(file_id, os.fsdecode(path), *rest)
                after = path

    def done(self, file_id: int) -> None:
        """Mark a file as completed."""
        self._database.execute("UPDATE tops SET done = 1 WHERE id = ?", (file_id,))

    # -- what is in them

    def has(self, file_id: int, number: int) -> bool:
        """Whether an input of the file has a result."""
        row = self._database.execute("SELECT 1 FROM leaves WHERE top = ? AND number = ?", (file_id, number))
        return row.fetchone() is not None

    def knows(self, sha256: str) -> bool:
        """Whether a content was diagnosed before."""
        return self._database.execute("SELECT 1 FROM contents WHERE sha256 = ?", (sha256,)).fetchone() is not None

    def known(self, size: int) -> tuple[str, ...]:
        """The digests of the diagnosed contents of this size."""
        rows = self._database.execute("SELECT sha256 FROM contents WHERE bytes = ? LIMIT 1000", (size,))
        return tuple(row[0] for row in rows)

    @property
    def empty(self) -> bool:
        """Whether no content was diagnosed yet."""
        return self._database.execute("SELECT 1 FROM contents LIMIT 1").fetchone() is None

    def add(self, result: ScanInput) -> None:
        """Add the result of one input."""
        if result.sha256 is not None and result.status is not None:
            self._database.execute(
                "INSERT OR REPLACE INTO contents VALUES (?, ?, ?, ?, ?, ?)",
                (result.sha256, result.bytes, self._version, result.status, result.error, result.facts),
            )
        self._database.execute(
            "INSERT OR REPLACE INTO leaves VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                result.file_id,
                result.number,
                result.name,
                result.compression,
                result.modified,
                result.sha256,
                result.damage,
            ),
        )

    def rows(self) -> Iterator[ScanRow]:
        """All inputs of this run, sorted by path."""
        cursor = self._database.execute(
            "SELECT l.path, l.compression, l.modified, l.sha256, c.bytes, c.status, coalesce(c.error, l.damage),"
            " c.facts FROM leaves l JOIN tops t ON t.id = l.top LEFT JOIN contents c ON c.sha256 = l.sha256"
            " WHERE t.run = ? ORDER BY l.path, t.path, l.number",
            (self._run,),
        )
        for path, compression, modified, sha256, size, status, error, facts in cursor:
            parsed = json.loads(facts) if facts else None
            yield ScanRow(path, compression, modified, sha256, size, status or "unreadable", error, parsed)


_STAMPS = ("application_id", "user_version")
