"""A session as a sequence chart: which marks to draw, and where. The template only draws them.

Units are those of the SVG's view box; the number of marks is bounded whatever the trace's size.
"""

from typing import Any

from tracelens.reports.labels import PHASE_NAMES, clock, seconds

MARKS = 48
WIDTH = 860
_CLIENT, _SERVER = 150, 700
_ROW, _HEAD, _PHASE = 26, 44, 24
_LABEL = 78
# Pauses shorter than this share of the session, and than this many seconds, are no row of their own.
_SHARE, _SHORTEST = 0.04, 0.05


def sequence(session: dict[str, Any], failing_line: int | None, marks: int = MARKS) -> dict[str, Any] | None:
    """The sequence chart of a session: {"width", "height", "client", "server", "rows"}; None without steps.

    A row is {"kind": "phase" | "message" | "error" | "wait" | "cut", "y", "height", ...}: a message has "right" (from
    client to server), "text", "time", "line" and "failing"; a wait has "text" and "on" ("server" or "client").
    """
    steps = session.get("steps") or []
    if not steps:
        return None
    total = (session["ended"] or 0) - (session["started"] or 0)
    threshold = max(total * _SHARE, _SHORTEST)
    rows: list[dict[str, Any]] = []
    y = _HEAD
    phase, before = "", None
    kept = _kept(steps, failing_line, marks)
    for number, step in enumerate(steps):
        if number not in kept:
            continue
        skipped = _skipped(kept, number)
        if skipped:
            text = f"{skipped} step{'' if skipped == 1 else 's'} not drawn"
            rows.append({"kind": "cut", "y": y, "height": _ROW, "text": text})
            y += _ROW
            before = None
        pause = _pause(before, step)
        if before is not None and pause is not None and pause >= threshold:
            on = "server" if before["from"] == "client" and before["kind"] == "message" else "client"
            text = (
                f"{seconds(pause)} waiting for the server"
                if on == "server"
                else f"{seconds(pause)} until the client goes on"
            )
            height = min(18 + int(60 * pause / total), 70) if total else 20
            rows.append({"kind": "wait", "y": y, "height": height, "text": text, "on": on})
            y += height + 4
        if step["phase"] != phase:
            phase = step["phase"]
            rows.append(
                {"kind": "phase", "y": y, "height": _PHASE, "phase": phase, "text": PHASE_NAMES.get(phase, phase)}
            )
            y += _PHASE
        rows.append(_mark(step, y, failing_line))
        y += _ROW
        before = step
    y += _silence(rows, session, before, y, threshold)
    return {"width": WIDTH, "height": y + 10, "client": _CLIENT, "server": _SERVER, "rows": rows}


def _mark(step: dict[str, Any], y: int, failing_line: int | None) -> dict[str, Any]:
    text = step["what"] if step["count"] == 1 else f"{step['count']} x {step['what']}"
    return {
        "kind": step["kind"],
        "y": y,
        "height": _ROW,
        "right": step["from"] == "client",
        "phase": step["phase"],
        "text": text if len(text) <= _LABEL else text[: _LABEL - 1] + "…",
        "time": clock(step["time"]),
        "line": step["line"],
        "failing": step["line"] == failing_line,
    }


def _silence(rows: list[dict[str, Any]], session: dict[str, Any], last: Any, y: int, threshold: float) -> int:
    """The time after the last step, where it was long."""
    if last is None or session["ended"] is None or last["last_time"] is None:
        return 0
    pause = session["ended"] - last["last_time"]
    if pause < max(threshold, 0.5):
        return 0
    waits = last["from"] == "client" and last["kind"] == "message"
    text = f"{seconds(pause)}: {'no answer came' if waits else 'nothing more happened'} until the trace's end"
    rows.append({"kind": "wait", "y": y, "height": 44, "text": text, "on": "server" if waits else "client"})
    return 48


def _pause(before: Any, step: dict[str, Any]) -> float | None:
    if before is None or before["last_time"] is None or step["time"] is None:
        return None
    return float(step["time"] - before["last_time"])


def _kept(steps: list[dict[str, Any]], failing_line: int | None, marks: int) -> set[int]:
    """Which steps are drawn: the first, the last, and what stands around the failing one."""
    if len(steps) <= marks:
        return set(range(len(steps)))
    part = marks // 3
    kept = {*range(part), *range(len(steps) - part, len(steps))}
    middle = next((n for n, s in enumerate(steps) if s["line"] == failing_line), None)
    if middle is None or middle in kept:
        middle = part + part // 2
    kept |= {n for n in range(middle - part * 2 // 3, middle + part // 3) if 0 <= n < len(steps)}
    return kept


def _skipped(kept: set[int], number: int) -> int:
    count = 0
    while number - count - 1 >= 0 and number - count - 1 not in kept:
        count += 1
    return count


def spans(session: dict[str, Any]) -> list[dict[str, Any]]:
    """Time per phase: {"name", "label", "took", "waited", "x", "width", "waited_width", "lines", ...} a phase.

    `x` and the widths are for a bar that is `WIDTH` wide; they are 0 where the trace has no clock.
    """
    phases = [p for p in session["phases"] if p["started"] is not None and p["ended"] is not None]
    if not phases:
        return []
    begin = phases[0]["started"]
    total = max(phases[-1]["ended"] - begin, 1e-9)
    rows = []
    for phase in phases:
        took = max(phase["ended"] - phase["started"], 0.0)
        width = WIDTH * took / total
        rows.append(
            {
                "name": phase["name"],
                "label": PHASE_NAMES.get(phase["name"], phase["name"]),
                "took": seconds(took),
                "waited": seconds(phase["waited"]),
                "share": f"{100 * took / total:.0f} %",
                "x": round(WIDTH * (phase["started"] - begin) / total, 1),
                "width": round(max(width, 1.0), 1),
                "waited_width": round(width * min(phase["waited"] / took, 1.0), 1) if took else 0,
                "lines": f"{phase['first_line']}-{phase['last_line']}",
                "seconds": round(took, 6),
            }
        )
    return rows
