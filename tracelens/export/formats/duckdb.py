"""A DuckDB database with the one table."""

import tempfile
from pathlib import Path

from tracelens.export.formats import Frames, needed, parquet

# The same table gives the same bytes: a file of this version bears no random identifier, and DuckDB's compressed blocks
# hold whatever its memory held before.
_STORAGE = "v1.0.0"
_SETTINGS = "SET threads = 1; SET force_compression = 'uncompressed'"


def write(frames: Frames, path: Path, table: str) -> None:
    """Write the frames.

    Raises:
        BadOutput: DuckDB is not installed.
    """
    duckdb = needed("duckdb", "query")
    path.unlink()  # DuckDB makes its file itself
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f"{path.name}.") as folder, duckdb.connect() as database:
        rows = Path(folder) / "rows.parquet"
        parquet.write(frames, rows, table)
        quoted = str(path).replace("'", "''")
        database.execute(_SETTINGS)
        database.execute(f"ATTACH '{quoted}' AS made (STORAGE_VERSION '{_STORAGE}')")
        database.execute(f'CREATE TABLE made."{table}" AS SELECT * FROM read_parquet(?)', [str(rows)])  # noqa: S608  a name of our own
        database.execute("DETACH made")
