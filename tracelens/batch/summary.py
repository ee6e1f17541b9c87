"""A scan's tables -> the counts for a report about the archive; only this module reads them for a report."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from msgspec import convert

from tracelens.batch.results import SCHEMA
from tracelens.errors import UnreadableInput
from tracelens.reports.archive import Overview, Period, Software, Summary, Trend

_COLUMNS = ["modified", "verdict", "root_cause", "server_software", "client_banner"]
_BARS = 60  # with more bars, a reader cannot distinguish them
_NO_CAUSE = {"healthy": "(healthy)", "unexplained": "(unexplained)", "insufficient": "(not enough to tell)"}


def overview(folder: Path, since: datetime | None = None) -> Overview:
    """Count what happened in an archive; sessions without a cause count under their verdict, in brackets.

    Args:
        folder: the results of a scan.
        since: causes first seen from then on are "new"; by default the last quarter of the archive's time span.

    Raises:
        UnreadableInput: the tables are not those of a scan.
    """
    try:
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        sessions = pq.read_table(folder / "sessions.parquet", columns=_COLUMNS)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise UnreadableInput(str(folder), f"not the results of a scan: {error}") from error
    if summary.get("schema") != SCHEMA:
        raise UnreadableInput(str(folder), f"not the results of a scan of this version: {summary.get('schema')}")
    labels = [
        cause or _NO_CAUSE.get(verdict, verdict)
        for cause, verdict in zip(sessions["root_cause"].to_pylist(), sessions["verdict"].to_pylist(), strict=True)
    ]
    sessions = sessions.append_column("what", pa.array(labels, pa.string()))
    days = _days(sessions)
    split = since or _last_quarter(days)
    return Overview(
        summary=convert(summary, Summary),
        since=split.date().isoformat() if split else None,
        periods=_periods(days),
        servers=_by(sessions, "server_software", "not shown"),
        clients=_by(sessions, "client_banner", "not shown"),
        trends=_trends(days, split),
    )


Days = dict[tuple[datetime, str], int]


def _days(sessions: pa.Table) -> Days:
    """(Day, cause) -> sessions; sessions of unknown time are left out."""
    dated = sessions.filter(pc.is_valid(sessions["modified"]))
    dated = dated.append_column("day", pc.floor_temporal(dated["modified"], unit="day"))
    counted = dated.group_by(["day", "what"]).aggregate([([], "count_all")])
    rows = zip(counted["day"].to_pylist(), counted["what"].to_pylist(), counted["count_all"].to_pylist(), strict=True)
    return {(day, cause): count for day, cause, count in sorted(rows)}


def _last_quarter(days: Days) -> datetime | None:
    if not days:
        return None
    first, last = min(days)[0], max(days)[0]
    return None if first == last else first + (last - first) * 3 / 4


def _periods(days: Days) -> list[Period]:
    """Causes per period: a day, or as few days as keep the number of periods within `_BARS`."""
    if not days:
        return []
    first, last = min(days)[0], max(days)[0]
    length = (last - first).days // _BARS + 1
    count = (last - first).days // length + 1
    periods = [Period((first + timedelta(days=n * length)).date().isoformat(), {}) for n in range(count)]
    for (day, cause), number in days.items():
        causes = periods[(day - first).days // length].causes
        causes[cause] = causes.get(cause, 0) + number
    return periods


def _by(sessions: pa.Table, column: str, unknown: str) -> list[Software]:
    counted = sessions.group_by([column, "what"]).aggregate([([], "count_all")])
    found: dict[str, dict[str, int]] = {}
    rows = zip(counted[column].to_pylist(), counted["what"].to_pylist(), counted["count_all"].to_pylist(), strict=True)
    for name, cause, number in rows:
        found.setdefault(name or unknown, {})[cause] = number
    software = [
        Software(
            name=name,
            sessions=sum(causes.values()),
            failed=sum(n for cause, n in causes.items() if not cause.startswith("(") or cause == "(unexplained)"),
            causes=dict(sorted(causes.items(), key=lambda pair: (-pair[1], pair[0]))),
        )
        for name, causes in found.items()
    ]
    return sorted(software, key=lambda row: (-row.failed, row.name))


def _trends(days: Days, since: datetime | None) -> list[Trend]:
    """Each cause before and after a day: new, gone, more or fewer a day."""
    if since is None:
        return []
    since = since.replace(tzinfo=UTC) if since.tzinfo is None else since
    first, last = min(days)[0], max(days)[0]
    lengths = (max((since - first).days, 1), max((last - since).days + 1, 1))
    rows = []
    for cause in sorted({cause for _, cause in days}):
        seen = [day for day, name in days if name == cause]
        before = sum(n for (day, name), n in days.items() if name == cause and day < since)
        after = sum(n for (day, name), n in days.items() if name == cause and day >= since)
        trend = _trend(before / lengths[0], after / lengths[1])
        rows.append(Trend(cause, before, after, min(seen).date().isoformat(), trend))
    order = {"new": 0, "more": 1, "as before": 2, "fewer": 3, "gone": 4}
    return sorted(rows, key=lambda row: (order[row.trend], -row.after, row.cause))


def _trend(before: float, after: float) -> str:
    if not before or not after:
        return "gone" if before else "new"
    return "more" if after > 1.5 * before else "fewer" if after < before / 1.5 else "as before"
