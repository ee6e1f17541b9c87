"""SQL over the tables of a scan, through DuckDB: it reads them and nothing else, and writes nothing."""

from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracelens.errors import BadQuery, NotAScan
from tracelens.export.columns import SCAN

if TYPE_CHECKING:
    import pandas as pd

# Views beside the tables: name -> (what a row is, its query).
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
_ROWS = 50_000
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "python_enable_replacements": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}


def query(sql: str, folder: Path) -> "Iterator[pd.DataFrame]":
    """The result of one SELECT over `files`, `sessions`, `findings` and the `VIEWS`, in frames, at least one.

    The statement can read nothing but these: no file, no setting, no extension.

    Raises:
        NotAScan: the folder has no tables of a scan.
        BadQuery: DuckDB does not take the statement, or it is no SELECT; or DuckDB is not installed.
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
                # A time with a zone needs an extension that DuckDB would fetch from the net; all of ours are UTC.
                zoneless = " REPLACE (make_timestamp(epoch_us(modified)) AS modified)" if "modified" in columns else ""
                database.execute(f"CREATE VIEW {name} AS SELECT *{zoneless} FROM _{name}")  # noqa: S608  names of our own
            for name, (_, view) in VIEWS.items():
                database.execute(f"CREATE VIEW {name} AS {view}")
            database.execute("SET enable_external_access = false; SET lock_configuration = true")
            statements = database.extract_statements(sql)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise BadQuery("takes one SELECT statement")
            batches = database.execute(statements[0]).to_arrow_reader(_ROWS)
            given = False
            for batch in batches:
                yield _frame(batch)
                given = True
            if not given:
                yield _frame(batches.schema.empty_table())
        except (duckdb.Error, OSError) as error:
            raise BadQuery(" ".join(str(error).split())) from error


def _frame(rows: Any) -> "pd.DataFrame":
    """Arrow's rows with the types that the tables have; what has another is text."""
    import pandas as pd
    from pyarrow import types

    frame = {}
    for number, name in enumerate(rows.schema.names):
        kind, values = rows.schema.field(number).type, rows.column(number).to_pylist()
        if types.is_decimal(kind):  # DuckDB's sum of integers
            whole = kind.scale == 0 and all(v is None or abs(v) < 1 << 63 for v in values)
            values = [None if v is None else int(v) if whole else float(v) for v in values]
            dtype = "Int64" if whole else "Float64"
        elif types.is_integer(kind) and not types.is_uint64(kind):
            dtype = "Int64"
        elif types.is_floating(kind):
            dtype = "Float64"
        elif types.is_boolean(kind):
            dtype = "boolean"
        elif types.is_timestamp(kind):
            dtype, values = "datetime64[us, UTC]", [v and v.replace(tzinfo=UTC) for v in values]
        else:
            dtype, values = "string", [None if v is None else str(v) for v in values]
        frame[name] = pd.Series(values, dtype=dtype)
    return pd.DataFrame(frame)


def page() -> str:
    """What can be asked: tables and views with their columns."""
    from tracelens.export.columns import ABOUT

    lines = [f"{name}: a row is {ABOUT[name]}\n  {', '.join(columns)}" for name, columns in SCAN.items()]
    lines += [f"{name}: a row is {about}\n  {', '.join(_names(view))}" for name, (about, view) in VIEWS.items()]
    return "\n".join(lines) + "\n"


def _names(view: str) -> list[str]:
    import re

    head = view.partition(" FROM ")[0].removeprefix("SELECT ")
    return [re.split(r" AS | ", part.strip())[-1] for part in re.split(r",(?![^(]*\))", head)]
