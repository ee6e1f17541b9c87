"""A SELECT over the tables of a scan -> frames, through DuckDB, which can read only these tables."""

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracelens.errors import BadQuery, NotAScan
from tracelens.export.columns import SCAN
from tracelens.inputs.limits import Limits

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
    # Its defaults are local paths, which a statement could show. Nothing is written beside the tables.
    "temp_directory": "",
    "secret_directory": "none",
}
# What a statement may call in place of a table; others show files, settings and what else there is on this machine.
_ROW_MAKERS = {"range", "generate_series", "unnest", "repeat", "repeat_row"}
_SETTINGS = {"current_setting", "which_secret"}
_LOOK_SECONDS = 0.05


def query(sql: str, folder: Path, limits: Limits | None = None) -> "Iterator[pd.DataFrame]":
    """Run one SELECT over `files`, `sessions`, `findings` and the `VIEWS`; its result is at least one frame.

    The statement cannot read anything else: no files, settings or extensions. Its time and memory are limited, by
    default as the environment says.

    Raises:
        NotAScan: the folder has no tables of a scan, or they are damaged.
        BadQuery: DuckDB is not installed or rejects the statement, it is not a SELECT, or it reached a limit.
    """
    limits = limits or Limits.in_force()
    try:
        import duckdb
    except ImportError:
        raise BadQuery('query needs the extra: pip install "libssh2-tracelens[query]"') from None
    missing = [name for name in SCAN if not os.path.isfile(folder / f"{name}.parquet")]
    if missing:
        raise NotAScan(str(folder), f"has no {missing[0]}.parquet: give the folder that `tracelens scan -o` wrote")
    with duckdb.connect(config={**_CONFIG, "memory_limit": f"{limits.query_bytes}B"}) as database:
        try:
            _make_views(database, folder)
            statements = database.extract_statements(sql)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise BadQuery("takes one SELECT statement")
            _check_reads(database, sql)
            with _limited(database, limits):
                batches = database.execute(statements[0]).to_arrow_reader(_ROWS_PER_FRAME)
                empty = True
                for batch in batches:
                    yield _frame(batch)
                    empty = False
                if empty:
                    yield _frame(batches.schema.empty_table())
        except duckdb.OutOfMemoryException as error:
            raise BadQuery(_too_large(limits)) from error
        except duckdb.Error as error:
            raise BadQuery(" ".join(str(error).split())) from error


def _make_views(database: Any, folder: Path) -> None:
    """Make the tables and views; from then on DuckDB opens nothing and changes no setting."""
    from pyarrow import ArrowException, dataset

    for name, columns in SCAN.items():
        try:
            table = dataset.dataset(folder / f"{name}.parquet")
        except (ArrowException, OSError) as error:
            raise NotAScan(str(folder), f"its {name}.parquet is damaged: run `tracelens scan -o` again") from error
        database.register(f"_{name}", table)
        # A time with a zone needs an extension that DuckDB would download; all our times are UTC.
        zoneless = " REPLACE (make_timestamp(epoch_us(modified)) AS modified)" if "modified" in columns else ""
        database.execute(f"CREATE VIEW {name} AS SELECT *{zoneless} FROM _{name}")  # noqa: S608  names of our own
    for name, (_, view) in VIEWS.items():
        database.execute(f"CREATE VIEW {name} AS {view}")
    database.execute("SET enable_external_access = false; SET lock_configuration = true")


def _check_reads(database: Any, sql: str) -> None:
    """Check in its syntax tree that a statement reads our tables, its own, and nothing else."""
    tree = json.loads(database.execute("SELECT json_serialize_sql(?::VARCHAR)", [sql]).fetchone()[0])
    if tree["error"]:
        raise BadQuery(f"can't be checked, so it is not run: {tree['error_message']}")
    nodes = list(_nodes(tree))
    tables = {
        *SCAN,
        *VIEWS,
        *(entry["key"].lower() for node in nodes for entry in node.get("map", ()) if "key" in entry),
    }
    for node in nodes:
        kind, name = node.get("type"), str(node.get("table_name", "")).lower()
        function = str(node.get("function_name", "")).lower()
        if kind == "TABLE_FUNCTION":
            name = str(node["function"].get("function_name", "")).lower()
            allowed = name in _ROW_MAKERS
        elif kind == "BASE_TABLE":
            allowed = name in tables and node.get("schema_name", "") in ("", "main")
        elif kind == "SHOW_REF":
            allowed = not name  # DESCRIBE and SUMMARIZE of a table, which is a node of its own
        else:
            name, allowed = function, function not in _SETTINGS
        if not allowed:
            raise BadQuery(f"{name}: a query reads {', '.join((*SCAN, *VIEWS))} and nothing else")


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """All objects of a syntax tree."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            node = list(node.values())
        if isinstance(node, list):
            waiting += node


@contextmanager
def _limited(database: Any, limits: Limits) -> Iterator[None]:
    """Stop what runs inside at the limits of a query.

    DuckDB's own limit leaves out long texts, so the memory of the process is watched too, where the system tells it.
    """
    why: list[str] = []
    over = threading.Event()
    end, most = time.monotonic() + limits.query_seconds, _resident() + limits.query_bytes

    def watch() -> None:
        while not over.wait(_LOOK_SECONDS):
            if time.monotonic() > end:
                why.append(f"stopped after {limits.query_seconds} s: ask for less, or allow more with --seconds")
            elif _resident() > most:
                why.append(_too_large(limits))
            if why:
                database.interrupt()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    except Exception as error:
        if why:
            raise BadQuery(why[0]) from error
        raise
    finally:
        over.set()
        watcher.join()


def _too_large(limits: Limits) -> str:
    return f"needs more than {limits.query_bytes >> 20:,} MB of memory: ask for less, or allow more with --megabytes"


def _resident() -> int:
    """The bytes of memory that this process has; 0 where the system does not tell."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


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
