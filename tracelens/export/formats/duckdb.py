"""A DuckDB database with the one table."""

from pathlib import Path
from typing import Any

from tracelens.export.formats import Frames, needed, parquet

# The same table gives the same bytes: a file of this version bears no random identifier, and DuckDB's compressed blocks
# hold whatever its memory held before.
_STORAGE = "v1.0.0"
_SETTINGS = "SET threads = 1; SET force_compression = 'uncompressed'"


def write(frames: Frames, path: Path, table: str) -> None:
    """Write the frames.

    Raises:
        BadOutput: DuckDB is not installed.
        OSError: DuckDB could not write its file.
    """
    duckdb = needed("duckdb", "query")
    path.unlink()  # DuckDB makes its file itself
    rows = path.with_suffix(".parquet")
    parquet.write(frames, rows, table)
    try:
        _write(duckdb, rows, path, table)
    except duckdb.Error as error:
        raise OSError(str(error).rpartition('": ')[2]) from error  # what it says before that names the temporary file


def _write(duckdb: Any, rows: Path, path: Path, table: str) -> None:
    # What DuckDB has no memory for goes beside its file too, not into the current folder.
    with duckdb.connect(config={"temp_directory": str(path.parent)}) as database:
        quoted = str(path).replace("'", "''")
        database.execute(_SETTINGS)
        database.execute(f"ATTACH '{quoted}' AS made (STORAGE_VERSION '{_STORAGE}')")
        database.execute(f'CREATE TABLE made."{table}" AS SELECT * FROM read_parquet(?)', [str(rows)])  # noqa: S608  a name of our own
        database.execute("DETACH made")
