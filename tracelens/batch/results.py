"""A scan's checkpoint -> the files of its folder: Parquet tables and a summary, reproducible byte by byte."""

from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tracelens import __version__
from tracelens.analysis.json_text import json_text
from tracelens.batch.checkpoint import Checkpoint, ScanRow
from tracelens.export.columns import COLUMNS, SCAN
from tracelens.export.formats import replace_with

SCHEMA = "tracelens/scan/1"
# Rows in memory at a time, which become a row group.
_ROWS = 20_000
# What the summary quotes; the tables have all.
_UNREADABLE_SHOWN = 100
_FILES_SHOWN = 10
_COUNTED = SCAN["files"].index("encoding")
# Places of what the summary reads in a session's facts, which have no path.
_SESSION = {name: place for place, name in enumerate(SCAN["sessions"][2:])}


def write(store: Checkpoint, folder: Path) -> dict[str, Any]:
    """Write `files.parquet`, `sessions.parquet`, `findings.parquet` and `summary.json`, each whole or not at all.

    Args:
        store: the scan's checkpoint.
        folder: the target.

    Returns:
        the summary.

    Raises:
        BadOutput: a file could not be written.
    """
    summary = _Summary()
    with ExitStack() as stack:
        tables = {name: stack.enter_context(_Table(folder / f"{name}.parquet", SCAN[name])) for name in SCAN}
        for row in store.rows():
            modified = _time(row.modified)
            facts = row.facts or {"file": [None] * (len(SCAN["files"]) - _COUNTED), "sessions": [], "findings": []}
            told = (row.sha256, row.bytes, row.status, row.error, modified, row.compression)
            tables["files"].add((row.path, *told, *facts["file"]))
            for session in facts["sessions"]:
                tables["sessions"].add((row.path, modified, *session))
            for finding in facts["findings"]:
                tables["findings"].add((row.path, *finding))
            summary.add(row, modified, facts["sessions"])
    made = summary.document()
    text = json_text(made)
    replace_with(folder / "summary.json", lambda path: path.write_text(text, encoding="utf-8", newline="\n"))
    return made


def _time(seconds: float | None) -> datetime | None:
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):  # a time in an archive can be any number
        return None


class _Table:
    """A Parquet file that is moved to its place after its last row."""

    def __init__(self, path: Path, columns: Iterable[str]) -> None:
        import pyarrow

        self._path = path
        self._rows: list[tuple[Any, ...]] = []
        types = {
            "Int64": pyarrow.int64(),
            "Float64": pyarrow.float64(),
            "string": pyarrow.string(),
            "boolean": pyarrow.bool_(),
            "datetime64[us, UTC]": pyarrow.timestamp("us", tz="UTC"),
        }
        self._schema = pyarrow.schema([(name, types[COLUMNS[name][0]]) for name in columns])

    def __enter__(self) -> "_Table":
        from pyarrow import parquet

        self._temporary = self._path.with_name(f".{self._path.name}.part")
        self._writer = parquet.ParquetWriter(self._temporary, self._schema, compression="zstd")
        return self

    def add(self, row: tuple[Any, ...]) -> None:
        self._rows.append(row)
        if len(self._rows) == _ROWS:
            self._flush()

    def _flush(self) -> None:
        import pyarrow

        columns = list(zip(*self._rows, strict=True)) or [()] * len(self._schema)
        arrays = [pyarrow.array(values, field.type) for values, field in zip(columns, self._schema, strict=True)]
        self._writer.write_table(pyarrow.Table.from_arrays(arrays, schema=self._schema))
        self._rows = []

    def __exit__(self, kind: object, *rest: object) -> None:
        if kind is None and self._rows:
            self._flush()
        self._writer.close()
        if kind is None:
            replace_with(self._path, lambda path: self._temporary.replace(path))
        self._temporary.unlink(missing_ok=True)


class _Summary:
    """Counts inputs and sessions; its size depends on the causes and signatures, not on the files."""

    def __init__(self) -> None:
        self._files: Counter[str] = Counter()
        self._bytes = self._damaged = 0
        self._verdicts: Counter[str] = Counter()
        self._causes: dict[str, dict[str, Any]] = {}
        self._signatures: dict[str, dict[str, Any]] = {}
        self._unreadable: list[dict[str, Any]] = []
        self._seen: list[datetime | None] = [None, None]

    def add(self, row: ScanRow, modified: datetime | None, sessions: list[list[Any]]) -> None:
        self._files[row.status] += 1
        self._bytes += row.bytes or 0
        if row.status != "not-a-trace" and row.error is not None:
            self._damaged += row.status == "ok"
            if len(self._unreadable) < _UNREADABLE_SHOWN:
                self._unreadable.append({"path": row.path, "status": row.status, "error": row.error})
        for session in sessions:
            self._session(row.path, modified, session)
        if sessions and modified is not None:
            first, last = self._seen
            self._seen = [min(first or modified, modified), max(last or modified, modified)]

    def _session(self, path: str, modified: datetime | None, session: list[Any]) -> None:
        def value(name: str) -> Any:
            return session[_SESSION[name]]

        self._verdicts[value("verdict")] += 1
        if value("root_cause") is not None:
            _count(self._causes, value("root_cause"), path, modified, {"root_cause": value("root_cause")})
        if value("signature") is not None:
            algorithms = {name: value(name) for name in ("kex", "hostkey", "cipher_cs", "mac_cs")}
            told = {
                "signature": value("signature"),
                "root_cause": value("root_cause"),
                "server_software": value("server_software"),
                "algorithms": algorithms,
                "error": value("error_text"),
            }
            _count(self._signatures, value("signature"), path, modified, told)

    def document(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "tracelens": __version__,
            "files": {
                "total": self._files.total(),
                "ok": self._files["ok"],
                "not_a_trace": self._files["not-a-trace"],
                "unreadable": self._files["unreadable"],
                "damaged": self._damaged,
            },
            "bytes": self._bytes,
            "sessions": {
                "total": self._verdicts.total(),
                **{name: self._verdicts[name] for name in ("cause", "healthy", "unexplained", "insufficient")},
            },
            "first_seen": _iso(self._seen[0]),
            "last_seen": _iso(self._seen[1]),
            "causes": _ranked(self._causes),
            "signatures": _ranked(self._signatures),
            "not_read": self._unreadable,
        }


def _count(
    counts: dict[str, dict[str, Any]], key: str, path: str, modified: datetime | None, told: dict[str, Any]
) -> None:
    entry = counts.get(key)
    if entry is None:
        entry = counts[key] = told | {"sessions": 0, "files": 0, "first": None, "last": None, "in": []}
    entry["sessions"] += 1
    if entry.get("path") != path:  # rows come in the order of their paths
        entry["path"] = path
        entry["files"] += 1
        if len(entry["in"]) < _FILES_SHOWN:
            entry["in"].append(path)
    if modified is not None:
        entry["first"] = min(entry["first"] or modified, modified)
        entry["last"] = max(entry["last"] or modified, modified)


def _ranked(counts: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The most frequent first; of equals in the order of their names."""
    result = []
    for _, entry in sorted(counts.items(), key=lambda pair: (-pair[1]["sessions"], pair[0])):
        shown = {name: value for name, value in entry.items() if name not in ("first", "last", "in", "path")}
        seen = {"first_seen": _iso(entry["first"]), "last_seen": _iso(entry["last"])}
        result.append(shown | seen | {"examples": entry["in"]})
    return result


def _iso(time: datetime | None) -> str | None:
    return time.isoformat(timespec="seconds") if time is not None else None
