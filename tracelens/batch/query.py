"""A SELECT over the tables of a scan -> frames, through DuckDB, which can read only these tables."""

from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracelens.errors import BadQuery, NotAScan
from tracelens.export.columns import SCAN

if TYPE_CHECKING:
    import pandas as pd

# Views in addition to the tables: name -> (what a row is, its query).
VIEWS = {
    "causes": (
        "a root cause",
        "SELECT root_cause, count(*) AS sessions, count(DISTINCT path) AS files, min(modified) AS first_seen,"
        " max(modified) AS last_seen FROM sessions WHERE root_cause IS NOT NULL GROUP BY ALL"
        " ORDER BY sessions DESC, root_cause",
    ),
    "signatures": (
        "a kind of failure",
        "SELECT signature, any_value(root_cause) AS root_cause, any_value(server_software) AS server_software,"
        " any_value(error_text) AS error_text, count(*) AS sessions, count(DISTINCT path) AS files,"
        " min(modified) AS first_seen, max(modified) AS last_seen FROM sessions WHERE signature IS NOT NULL"
        " GROUP BY signature ORDER BY sessions DESC, signature",
    ),
}
_ROWS_PER_FRAME = 50_000
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "python_enable_replacements": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}


def query(sql: str, folder: Path) -> "Iterator[pd.DataFrame]":
    """Run one SELECT over `files`, `sessions`, `findings` and the `VIEWS`; its result is at least one frame.

    The statement cannot read anything else: no files, settings or extensions.

    Raises:
        NotAScan: the folder has no tables of a scan.
        BadQuery: DuckDB is not installed or rejects the statement, or it is not a SELECT.
    """
    from pyarrow import dataset

    try:
        import duckdb
    except ImportError:
        raise BadQuery('query needs the extra: pip install "libssh2-tracelens[query]"') from None
    missing = [name for name in SCAN if not (folder / f"{name}.parquet").is_file()]
    if missing:
        raise NotAScan(str(folder), f"has no {missing[0]}.parquet: give the folder that `tracelens scan -o` wrote")
    with duckdb.connect(config=_CONFIG) as database:
        try:
            for name, columns in SCAN.items():
                database.register(f"_{name}", dataset.dataset(folder / f"{name}.parquet"))
                # A time with a zone needs an extension that DuckDB would download; all our times are UTC.
                zoneless = " REPLACE (make_timestamp(epoch_us(modified)) AS modified)" if "modified" in columns else ""
                database.execute(f"CREATE VIEW {name} AS SELECT *{zoneless} FROM _{name}")  # noqa: S608  names of our own
            for name, (_, view) in VIEWS.items():
                database.execute(f"CREATE VIEW {name} AS {view}")
            database.execute("SET enable_external_access = false; SET lock_configuration = true")
            statements = database.extract_statements(sql)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise BadQuery("takes one SELECT statement")
            batches = database.execute(statements[0]).to_arrow_reader(_ROWS_PER_FRAME)
            empty = True
            for batch in batches:
                yield _frame(batch)
                empty = False
            if empty:
                yield _frame(batches.schema.empty_table())
        except (duckdb.Error, OSError) as error:
            raise BadQuery(" ".join(str(error).split())) from error


def _frame(rows: Any) -> "pd.DataFrame":
    """Arrow's rows with the column types of the tables; columns of any other type become text."""
    import pandas as pd

    columns = zip(rows.schema, rows.columns, strict=True)
    return pd.DataFrame({field.name: _column(field.type, column.to_pylist()) for field, column in columns})


def _column(kind: Any, values: list[Any]) -> "pd.Series[Any]":
    import pandas as pd
    from pyarrow import types

    if types.is_decimal(kind):
        return _decimals(kind.scale, values)
    numeric = ((types.is_floating, "Float64"), (types.is_boolean, "boolean"), (types.is_integer, "Int64"))
    dtype = next((dtype for is_kind, dtype in numeric if is_kind(kind)), None)
    if dtype is not None and not types.is_uint64(kind):
        return pd.Series(values, dtype=dtype)
    if types.is_timestamp(kind):
        return pd.Series([v and v.replace(tzinfo=UTC) for v in values], dtype="datetime64[us, UTC]")
    return pd.Series([None if v is None else str(v) for v in values], dtype="string")


def _decimals(scale: int, values: list[Any]) -> "pd.Series[Any]":
    """DuckDB's sums of integers are decimals."""
    import pandas as pd

    whole = scale == 0 and all(v is None or abs(v) < 1 << 63 for v in values)
    number = int if whole else float
    return pd.Series([None if v is None else number(v) for v in values], dtype="Int64" if whole else "Float64")


def page() -> str:
    """The tables and views with their columns."""
    from tracelens.export.columns import ABOUT

    lines = [f"{name}: a row is {ABOUT[name]}\n  {', '.join(columns)}" for name, columns in SCAN.items()]
    lines += [f"{name}: a row is {about}\n  {', '.join(_names(view))}" for name, (about, view) in VIEWS.items()]
    return "\n".join(lines) + "\n"


def _names(view: str) -> list[str]:
    import re

    head = view.partition(" FROM ")[0].removeprefix("SELECT ")
    return [re.split(r" AS | ", part.strip())[-1] for part in re.split(r",(?![^(]*\))", head)]
