"""A scan's counts -> what a report about an archive says, in the order in which it says it."""

from typing import Any

from tracelens import __version__, rules
from tracelens.reports.model import Limits, printable

_WIDTH, _HEIGHT = 860, 220
# So many causes have a colour of their own; the others share one.
_COLOURS = 7


def content(found: dict[str, Any], options: dict[str, Any], limits: Limits) -> dict[str, Any]:
    """What a report says.

    Args:
        found: the counts, as `batch.overview.overview` gives them.
        options: `name` (of the folder), `masking`, `command`.
        limits: how much of each kind is shown; what is left out is counted.
    """
    found = printable(found)
    summary = found["summary"]
    rows = limits.rows
    return {
        "title": printable(options["name"]),
        "masking": options["masking"],
        "command": printable(options["command"]),
        "version": __version__,
        "rules": rules.version(),
        "made_by": summary["tracelens"],
        "files": summary["files"],
        "bytes": summary["bytes"],
        "sessions": summary["sessions"],
        "span": [(summary.get(key) or "")[:10] for key in ("first_seen", "last_seen")],
        "since": found["since"],
        "causes": [_cause(row, limits) for row in summary["causes"][:rows]],
        "causes_left_out": max(len(summary["causes"]) - rows, 0),
        "chart": _chart(found["periods"]),
        "periods": found["periods"],
        "trends": found["trends"][:rows],
        "trends_left_out": max(len(found["trends"]) - rows, 0),
        "servers": [_software(row) for row in found["servers"][:rows]],
        "servers_left_out": max(len(found["servers"]) - rows, 0),
        "clients": [_software(row) for row in found["clients"][:rows]],
        "clients_left_out": max(len(found["clients"]) - rows, 0),
        "signatures": [_signature(row, limits) for row in summary["signatures"][:rows]],
        "signatures_left_out": max(len(summary["signatures"]) - rows, 0),
        "not_read": summary["not_read"][:rows],
        "not_read_left_out": max(len(summary["not_read"]) - rows, 0) + summary.get("left_out", 0),
    }


def _cause(row: dict[str, Any], limits: Limits) -> dict[str, Any]:
    page = rules.page(row["root_cause"]) or ""
    return {
        **row,
        "meaning": page.partition("\n")[0],
        "first": (row["first_seen"] or "")[:10],
        "last": (row["last_seen"] or "")[:10],
        **_examples(row, limits),
    }


def _signature(row: dict[str, Any], limits: Limits) -> dict[str, Any]:
    return {
        **row,
        "algorithms": ", ".join(value for value in (row.get("algorithms") or {}).values() if value),
        "error": (row.get("error") or "")[:200],
        "first": (row["first_seen"] or "")[:10],
        "last": (row["last_seen"] or "")[:10],
        **_examples(row, limits),
    }


def _examples(row: dict[str, Any], limits: Limits) -> dict[str, Any]:
    kept = 2 if limits.evidence > 8 else 1
    return {"examples": row["examples"][:kept], "more": max(row["files"] - kept, 0)}


def _software(row: dict[str, Any]) -> dict[str, Any]:
    causes = [f"{name} {count}" for name, count in row["causes"].items() if not name.startswith("(")]
    more = f", {len(causes) - 5} more" if len(causes) > 5 else ""
    return {**row, "share": f"{100 * row['failed'] / row['sessions']:.0f} %", "told": ", ".join(causes[:5]) + more}


def _chart(periods: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Stacked bars, a bar a period: {"width", "height", "bars", "legend"}; None where no time is known."""
    totals: dict[str, int] = {}
    for period in periods:
        for cause, count in period["causes"].items():
            if not cause.startswith("("):
                totals[cause] = totals.get(cause, 0) + count
    if not totals:
        return None
    named = sorted(totals, key=lambda cause: (-totals[cause], cause))[:_COLOURS]
    highest = max(sum(n for c, n in p["causes"].items() if c in totals) for p in periods) or 1
    step = _WIDTH / len(periods)
    bars = []
    for number, period in enumerate(periods):
        y = float(_HEIGHT)
        parts = []
        counts = {cause: period["causes"].get(cause, 0) for cause in named}
        counts["others"] = sum(n for c, n in period["causes"].items() if c in totals and c not in named)
        for colour, (cause, count) in enumerate(counts.items()):
            height = round(_HEIGHT * count / highest, 1)
            if count:
                y = round(y - height, 1)
                parts.append({"colour": colour, "y": y, "height": height, "cause": cause, "count": count})
        x, width = round(number * step + 1, 1), round(min(max(step - 2, 1), 60), 1)
        bars.append({"x": x, "width": width, "from": period["from"], "parts": parts})
    legend = [{"colour": n, "cause": cause, "count": totals[cause]} for n, cause in enumerate(named)]
    rest = sum(totals.values()) - sum(totals[cause] for cause in named)
    if rest:
        legend.append({"colour": _COLOURS, "cause": "others", "count": rest})
    return {"width": _WIDTH, "height": _HEIGHT, "bars": bars, "legend": legend, "highest": highest}
