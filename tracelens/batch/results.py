"""A scan's checkpoint -> the files of its folder: Parquet tables and a summary, reproducible byte by byte."""

from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct, field

from tracelens import __version__
from tracelens.analysis.json_text import json_text
from tracelens.batch.checkpoint import Checkpoint, ScanRow
from tracelens.export.columns import COLUMNS, SCAN
from tracelens.export.formats import replacing

if TYPE_CHECKING:
    from tracelens.reports import archive

SCHEMA = "tracelens/scan/1"
# Rows in memory at a time, which become a row group.
_ROWS = 20_000
# What the summary quotes; the tables have all.
_UNREADABLE_SHOWN = 100
_FILES_SHOWN = 10
_COUNTED = SCAN["files"].index("encoding")
_CountT = TypeVar("_CountT")


def write(store: Checkpoint, folder: Path) -> "archive.Summary":
    """Write `files.parquet`, `sessions.parquet`, `findings.parquet` and `summary.json`, all or none.

    Returns:
        the summary.

    Raises:
        BadOutput: a file could not be written.
    """
    names = [*(f"{name}.parquet" for name in SCAN), "summary.json"]
    with replacing(*(folder / name for name in names)) as (*tables, summary):
        document = _fill(store, dict(zip(SCAN, tables, strict=True)))
        summary.write_text(json_text(document), encoding="utf-8", newline="\n")
    return document


def _fill(store: Checkpoint, paths: dict[str, Path]) -> "archive.Summary":
    """Write the tables and return the summary."""
    summary = _Summary()
    with ExitStack() as stack:
        tables = {name: stack.enter_context(_Table(path, SCAN[name])) for name, path in paths.items()}
        for row in store.rows():
            modified = _time(row.modified)
            facts = row.facts or {"file": [None] * (len(SCAN["files"]) - _COUNTED), "sessions": [], "findings": []}
            cells = (row.path, row.sha256, row.bytes, row.status, row.error, modified, row.compression)
            tables["files"].add((*cells, *facts["file"]))
            for session in facts["sessions"]:
                tables["sessions"].add((row.path, modified, *session))
            for finding in facts["findings"]:
                tables["findings"].add((row.path, *finding))
            summary.add(row, modified, facts["sessions"])
    return summary.document()


def _time(seconds: float | None) -> datetime | None:
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):  # a time in an archive can be any number
        return None


class _Table:
    """A Parquet file, filled row by row."""

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

        self._writer = parquet.ParquetWriter(self._path, self._schema, compression="zstd")
        return self

    def add(self, row: tuple[Any, ...]) -> None:
        self._rows.append(row)
        if len(self._rows) == _ROWS:
            self._flush()

    def _flush(self) -> None:
        import pyarrow

        columns = list(zip(*self._rows, strict=True)) or [()] * len(self._schema)
        arrays = [pyarrow.array(values, column.type) for values, column in zip(columns, self._schema, strict=True)]
        self._writer.write_table(pyarrow.Table.from_arrays(arrays, schema=self._schema))
        self._rows = []

    def __exit__(self, kind: object, *rest: object) -> None:
        if kind is None and self._rows:
            self._flush()
        self._writer.close()


class _Count(Struct):
    """How often a cause or a signature was seen; rows come in the order of their paths."""

    facts: dict[str, Any]
    sessions: int = 0
    files: int = 0
    first: datetime | None = None
    last: datetime | None = None
    examples: list[str] = field(default_factory=list)
    path: str | None = None

    def add(self, path: str, modified: datetime | None) -> None:
        self.sessions += 1
        if path != self.path:
            self.path = path
            self.files += 1
            if self.files <= _FILES_SHOWN:
                self.examples.append(path)
        self.first, self.last = _widened(self.first, self.last, modified)


class _Summary:
    """Counts inputs and sessions; its size depends on the causes and signatures, not on the files."""

    def __init__(self) -> None:
        self._files: Counter[str] = Counter()
        self._bytes = self._damaged = 0
        self._verdicts: Counter[str] = Counter()
        self._causes: dict[str, _Count] = {}
        self._signatures: dict[str, _Count] = {}
        self._not_read: list[tuple[str, str, str]] = []
        self._first: datetime | None = None
        self._last: datetime | None = None

    def add(self, row: ScanRow, modified: datetime | None, sessions: list[list[Any]]) -> None:
        self._files[row.status] += 1
        self._bytes += row.bytes or 0
        if row.status != "not-a-trace" and row.error is not None:
            self._damaged += row.status == "ok"
            if len(self._not_read) < _UNREADABLE_SHOWN:
                self._not_read.append((row.path, row.status, row.error))
        for values in sessions:
            session = dict(zip(SCAN["sessions"][2:], values, strict=True))
            cause, signature = session["root_cause"], session["signature"]
            self._verdicts[session["verdict"]] += 1
            if cause is not None:
                self._causes.setdefault(cause, _Count({"root_cause": cause})).add(row.path, modified)
            if signature is not None:
                facts = {name: session[name] for name in ("signature", "root_cause", "server_software")}
                facts["algorithms"] = {name: session[name] for name in ("kex", "hostkey", "cipher_cs", "mac_cs")}
                count = _Count(facts | {"error": session["error_text"]})
                self._signatures.setdefault(signature, count).add(row.path, modified)
        if sessions:
            self._first, self._last = _widened(self._first, self._last, modified)

    def document(self) -> "archive.Summary":
        from tracelens.reports import archive  # workers do not need it

        files, verdicts = self._files, self._verdicts
        verdict_names = ("cause", "healthy", "unexplained", "insufficient")
        return archive.Summary(
            schema=SCHEMA,
            tracelens=__version__,
            files={
                "total": files.total(),
                "ok": files["ok"],
                "not_a_trace": files["not-a-trace"],
                "unreadable": files["unreadable"],
                "damaged": self._damaged,
            },
            bytes=self._bytes,
            sessions={"total": verdicts.total(), **{name: verdicts[name] for name in verdict_names}},
            first_seen=_iso(self._first),
            last_seen=_iso(self._last),
            causes=_ranked(self._causes, archive.Cause),
            signatures=_ranked(self._signatures, archive.Signature),
            not_read=[archive.NotRead(*cells) for cells in self._not_read],
        )


def _widened(
    first: datetime | None, last: datetime | None, time: datetime | None
) -> tuple[datetime | None, datetime | None]:
    """A span of time that includes one more time, if that is known."""
    return (first, last) if time is None else (min(first or time, time), max(last or time, time))


def _ranked(counts: dict[str, _Count], kind: Callable[..., _CountT]) -> list[_CountT]:
    """The most frequent first; of equals in the order of their names."""
    ranked = [count for _, count in sorted(counts.items(), key=lambda pair: (-pair[1].sessions, pair[0]))]
    times = [{"first_seen": _iso(count.first), "last_seen": _iso(count.last)} for count in ranked]
    return [
        kind(**count.facts, **time, sessions=count.sessions, files=count.files, examples=count.examples)
        for count, time in zip(ranked, times, strict=True)
    ]


def _iso(time: datetime | None) -> str | None:
    return time.isoformat(timespec="seconds") if time is not None else None
