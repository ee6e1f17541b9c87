"""The JSON document -> what a report says, in the order in which it says it: one content, several templates.

All text that comes from the trace is made printable here; the templates escape it for their format.
"""

import re
from typing import Any

from msgspec import Struct

from tracelens import __version__, rules
from tracelens.libssh2 import trace_mask
from tracelens.reports import chart, offers
from tracelens.reports.labels import BASES, FATES, PHASES, SIDES, clock, outcome, seconds, shows
from tracelens.reports.similar_sessions import groups
from tracelens.reports.text import escaped

_FULL = 511
_WITH_SOCKETS = 1023
_QUOTE = 400


class Limits(Struct, frozen=True):
    """How much of each kind a report shows; what is left out is counted in it."""

    sessions: int = 12
    evidence: int = 12
    marks: int = chart.MARKS
    rows: int = 60
    listed: int = 400

    def halved(self) -> "Limits":
        """Tighter ones."""
        return Limits(
            max(self.sessions // 2, 1),
            max(self.evidence // 2, 4),
            max(self.marks * 2 // 3, 12),
            max(self.rows // 2, 8),
            max(self.listed // 2, 20),
        )


def content(documents: list[dict[str, Any]], options: dict[str, Any], limits: Limits) -> dict[str, Any]:
    """What a report about some analyses says.

    Args:
        documents: entries of the JSON document's `analyses`.
        options: `masking` (how secrets and names were treated, in words), `command`, `unusable` ([(name, reason)]).
        limits: how much of each kind is shown.
    """
    shown: list[dict[str, Any]] = []
    left = limits.sessions
    for number, document in enumerate(documents, 1):
        trace = _trace(printable(document), number, limits, left)
        left -= len(trace["sessions"])
        shown.append(trace)
    return {
        "title": _title(shown),
        "traces": shown,
        "many": len(shown) > 1 or any(len(t["index"]) > 1 for t in shown),
        "index": [row for t in shown for row in t["index"]][: limits.listed],
        "index_left_out": max(sum(len(t["index"]) for t in shown) - limits.listed, 0),
        "unusable": [{"name": escaped(n), "reason": escaped(r)} for n, r in options.get("unusable", ())],
        "masking": options["masking"],
        "command": escaped(options["command"]),
        "version": __version__,
        "rules": rules.version(),
    }


def printable(part: Any) -> Any:
    """A document with every text made printable: no control or direction character of the trace is left in it."""
    if isinstance(part, str):
        return escaped(part)
    if isinstance(part, list):
        return [printable(entry) for entry in part]
    if isinstance(part, dict):
        return {key: printable(value) for key, value in part.items()}
    return part


def _title(traces: list[dict[str, Any]]) -> str:
    return traces[0]["name"] if len(traces) == 1 else f"{len(traces)} traces"


def _telling(sessions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that failed first, and of those that went alike the first before all others."""
    ranked = [(s["verdict"] == "healthy", n, s["number"], s) for alike in groups(sessions) for n, s in enumerate(alike)]
    return [session for *_, session in sorted(ranked, key=lambda rank: rank[:3])]


def _trace(document: dict[str, Any], number: int, limits: Limits, left: int) -> dict[str, Any]:
    sessions = document["sessions"]
    order = _telling(sessions) if len(sessions) > left else sessions
    chosen = {s["number"] for s in order[: max(left, 1 if number == 1 else 0)]}
    source, trace = document["source"], document["trace"]
    return {
        "name": source["name"].replace("\\", "/").rsplit("/", 1)[-1],
        "anchor": f"t{number}",
        "sessions": [
            _session(s, document, f"t{number}s{s['number']}", limits) for s in sessions if s["number"] in chosen
        ],
        "sessions_left_out": len(sessions) - len(chosen & {s["number"] for s in sessions}),
        "index": [_index_row(s, source, number, s["number"] in chosen) for s in sessions],
        "notices": [_finding(n, {}, limits) for n in document["notices"]],
        "comparisons": document.get("comparisons", []),
        "untraced": _untraced(document),
        "environment": _environment(source, trace),
        "damage": source.get("damage"),
    }


def _index_row(session: dict[str, Any], source: dict[str, Any], number: int, shown: bool) -> dict[str, Any]:
    return {
        "trace": source["name"].rsplit("/", 1)[-1],
        "session": session["number"],
        "anchor": f"t{number}s{session['number']}" if shown else None,
        "verdict": session["verdict"],
        "cause": session["root_cause"] or "",
        "phase": session["phase"],
        "server": session["server_banner"] or "",
        "lines": f"{session['first_line']}-{session['last_line']}",
    }


def _session(session: dict[str, Any], document: dict[str, Any], anchor: str, limits: Limits) -> dict[str, Any]:
    findings = session["findings"]
    root = findings[0] if findings and findings[0]["kind"] == "cause" else None
    failing = _failing_line(session, root)
    notices = [_finding(f, session, limits) for f in findings if f["kind"] == "notice"]
    operations, errors = session.get("operations", []), session.get("errors", [])
    proofs = {quote["line"] for quote in root["evidence"]} if root else set()
    proven = all(error["line"] in proofs for error in errors)  # the evidence says it all
    lasted = None if session["started"] is None or session["ended"] is None else session["ended"] - session["started"]
    return {
        "anchor": anchor,
        "number": session["number"],
        "of": len(document["sessions"]),
        "verdict": session["verdict"],
        "headline": _headline(session, lasted),
        "root": None if root is None else _finding(root, session, limits),
        "plain": _plain(session, root),
        "actions": _actions(root["advice"] if root else [], session, document),
        "undecided": [e for e in session.get("errors", ()) if e["fate"] == "undecided"][:2],
        "unexplained": session.get("unexplained"),
        "client": session["client_banner"],
        "server": session["server_banner"],
        "user": session["user"],
        "chart": chart.sequence(session, failing, limits.marks),
        "spans": chart.spans(session),
        "bar_width": chart.WIDTH,
        "failing_x": _failing_x(session, failing),
        "offers": offers.compared(session),
        "auth": [_attempt(a, session) for a in session["auth"][: limits.rows]],
        "auth_left_out": max(len(session["auth"]) - limits.rows, 0),
        "operations": [_operation(o) for o in operations[: limits.rows]],
        "operations_left_out": max(len(operations) - limits.rows, 0),
        "errors": [] if proven else [{**e, "fate": FATES.get(e["fate"], e["fate"])} for e in errors[: limits.rows]],
        "errors_left_out": 0 if proven else max(len(errors) - limits.rows, 0),
        "noise": [_noise(f, session) for f in session.get("noise_findings", ())],
        "notices": notices,
        "ask": _ask(session.get("ask")),
        "fingerprints": session.get("host_key_fingerprints", {}),
        "skipped": session.get("skipped_rules", []),
        "first_line": session["first_line"],
        "last_line": session["last_line"],
        "started": clock(session["started"]),
        "ended": clock(session["ended"]),
    }


def _headline(session: dict[str, Any], lasted: float | None) -> str:
    where = PHASES.get(session["phase"], session["phase"])
    after = f" after {seconds(lasted)}".replace("after under", "within") if lasted else ""
    return {
        "cause": f"Failed {where}{after}",
        "unexplained": f"Failed {where}{after}; no rule knows why",
        "insufficient": f"Not enough to tell: the trace stops {where}",
        "healthy": f"Healthy: what was begun was finished{', in ' + seconds(lasted) if lasted else ''}",
    }[session["verdict"]]


def _plain(session: dict[str, Any], root: dict[str, Any] | None) -> list[str]:
    """The cause in plain words: the paragraphs of its page's "What it means"."""
    if root is not None:
        return _meaning(root["id"])
    if session["verdict"] == "healthy":
        return ["Nothing failed here. The errors that the trace shows were got over, or are part of the normal course."]
    if session["verdict"] == "unexplained":
        return ["An error ended this session, and none of the known causes fits what the trace shows."]
    return ["What the trace shows does not tell whether the session went well. A more complete trace would: see below."]


def _meaning(id: str) -> list[str]:
    page = rules.page(id) or ""
    part = page.partition("## What it means")[2].partition("\n## ")[0]
    return [" ".join(paragraph.split()) for paragraph in part.split("\n\n") if paragraph.strip()]


def _actions(advice: list[dict[str, Any]], session: dict[str, Any], document: dict[str, Any]) -> list[dict[str, Any]]:
    """Who must act, and how: [{"who", "side", "actions"}], a side once, in the order of the advice."""
    if not advice and session["verdict"] in ("insufficient", "unexplained"):
        wanted = [n for n in document["notices"] if n["id"] == "trace-mask-incomplete"]
        advice = wanted[0]["advice"] if wanted else [{"who": "client", "action": _trace_again(_FULL)}]
    sides: dict[str, list[str]] = {}
    for entry in advice:
        sides.setdefault(entry["who"], []).append(entry["action"])
    return [{"who": who, "side": SIDES.get(who, who), "actions": actions} for who, actions in sides.items()]


def _trace_again(mask: int) -> str:
    again = f"{trace_mask.objectscript(mask)} before Connect, or in C {trace_mask.c_call(mask)}"
    return f"trace it again with a full mask: {again}"


def _finding(found: dict[str, Any], session: dict[str, Any], limits: Limits) -> dict[str, Any]:
    evidence = [
        {"number": n, "line": q["line"], "text": _cut(q["text"]), "shows": shows(q, session)}
        for n, q in enumerate(found["evidence"][: limits.evidence], 1)
    ]
    return {
        "id": found["id"],
        "summary": found["summary"],
        "evidence": evidence,
        "evidence_left_out": max(len(found["evidence"]) - limits.evidence, 0),
        "advice": [{"side": SIDES.get(a["who"], a["who"]), "action": a["action"]} for a in found["advice"]],
        "rivals": found["rivals"],
        "basis": BASES.get(found.get("basis", ""), ""),
    }


def _noise(found: dict[str, Any], session: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": found["id"],
        "count": session["noise"].get(found["id"], 1),
        "summary": found["summary"],
        "because": (rules.page(found["id"]) or "").partition("\n")[0],
        "lines": ", ".join(str(q["line"]) for q in found["evidence"][:6]),
    }


def _ask(ask: dict[str, Any] | None) -> dict[str, Any] | None:
    """What to ask the other side for, None where nothing."""
    if not ask or not any(ask.values()):
        return None
    return {"log": ask.get("log") or [], "window": ask.get("window"), "reproduce": ask.get("reproduce") or []}


def _attempt(attempt: dict[str, Any], session: dict[str, Any]) -> dict[str, Any]:
    return {
        "line": attempt["line"],
        "time": clock(attempt.get("time")),
        "method": attempt["method"],
        "algorithm": attempt.get("algorithm") or "",
        "outcome": outcome(attempt, session),
        "asks": attempt["method"] == "none",
        "remaining": ", ".join(attempt["remaining"]),
    }


def _operation(operation: dict[str, Any]) -> dict[str, Any]:
    begun, ended = operation.get("started"), operation.get("ended")
    return {
        "line": operation["line"],
        "verb": operation["verb"],
        "path": _cut(operation["path"]),
        "outcome": {"done": "done", "failed": "failed", "pending": "no answer"}.get(operation["outcome"], "?"),
        "status": "" if operation["status"] is None else str(operation["status"]),
        "message": operation.get("message") or "",
        "took": seconds(ended - begun) if begun is not None and ended is not None else "",
    }


def _failing_line(session: dict[str, Any], root: dict[str, Any] | None) -> int | None:
    """The line of the step by which the session failed: an error's where there is one, else the first proof's."""
    final = next((e["line"] for e in session.get("errors", ()) if e["fate"] == "final"), None)
    steps = {s["line"] for s in session.get("steps", ())}
    proofs = [q["line"] for q in root["evidence"]] if root else []
    return next((line for line in [final, *proofs] if line in steps), final)


def _failing_x(session: dict[str, Any], line: int | None) -> float | None:
    step = next((s for s in session.get("steps", ()) if s["line"] == line), None)
    phases = [p for p in session["phases"] if p["started"] is not None and p["ended"] is not None]
    if step is None or step["time"] is None or not phases:
        return None
    begin, end = phases[0]["started"], phases[-1]["ended"]
    share = (step["time"] - begin) / (end - begin) if end > begin else 0.0
    return round(chart.WIDTH * min(max(share, 0.0), 1.0), 1)


# From which phase on a subsystem has anything to say.
_SPEAKS_FROM = {"Key Ex": 1, "Userauth": 2, "Conn": 3, "SCP": 4, "SFTP": 4}
# What decides between two causes, where a trace can show it.
_BY_TRACE = re.compile(r"\bmask\b|\bpacket [0-9]|\bdumps?\b|\bbit\b")
_SILENT = ("transport-timeout", "banner-timeout", "banner-closed")
_ORDER = {"banner": 0, "kex": 1, "auth": 2, "channel": 3, "sftp": 4, "scp": 4, "done": 5}


def _untraced(document: dict[str, Any]) -> dict[str, Any]:
    """What the trace has not, what stays unknown for it, and how to get it.

    What no session came to is told apart from what was not traced. No login or transfer needs Publickey, only silence
    needs Socket, and a transfer by SCP would be seen by its channel.
    """
    trace = document["trace"]
    reached = max((_ORDER[s["phase"]] for s in document["sessions"]), default=0)
    silent = any(s["root_cause"] in _SILENT for s in document["sessions"])
    needless = ["Publickey"] + ["Socket"] * (not silent) + ["SCP"] * ("Conn" in trace["contexts"])
    missing, ahead = [], []
    for bit in trace_mask.BITS:
        if bit.context in (*trace["contexts"], *needless) or (bit.value == 2 and trace["dumps"]):
            continue
        if _SPEAKS_FROM.get(bit.context, 0) > reached:
            ahead.append(f"{bit.context} ({bit.value})")
        else:
            missing.append({"context": bit.context, "bit": bit.value, "without": bit.without})
    if "Transport" in trace["contexts"] and not trace["dumps"]:
        without = trace_mask.BITS[0].without.removeprefix("no hex dumps: ")
        missing.insert(0, {"context": "hex dumps", "bit": 2, "without": without})
    mask = _WITH_SOCKETS if silent else _FULL
    lacking = any(notice["id"] == "trace-mask-incomplete" for notice in document["notices"])
    return {
        "again": not document["sessions"] or (bool(missing) and (lacking or any(map(_is_open, document["sessions"])))),
        "missing": missing,
        "ahead": ahead,
        "mask": mask,
        "objectscript": trace_mask.objectscript(mask),
        "c": trace_mask.c_call(mask),
    }


def _is_open(session: dict[str, Any]) -> bool:
    """Whether further tracing could change what is said of a session."""
    if session["verdict"] == "healthy":
        return False
    root = next((f for f in session["findings"] if f["id"] == session["root_cause"]), None)
    open_still = (r["because"] for r in root["rivals"] if not r["because"].startswith("ruled out")) if root else ()
    return root is None or any(_BY_TRACE.search(because) for because in open_still)


def _environment(source: dict[str, Any], trace: dict[str, Any]) -> list[tuple[str, str]]:
    first, last = trace["libssh2"]["first"], trace["libssh2"]["last"]
    wording = (first if first == last else f"{first} to {last}") if first else "fits no single release"
    kind = ", ".join(part for part in (source["encoding"], source["compression"]) if part)
    rows = [
        ("Input", source["name"]),
        ("SHA-256 of the input", source["sha256"]),
        ("Size", f"{source['bytes']} bytes, {source['lines']} lines ({kind})"),
        ("libssh2 by the trace's wording", wording),
        ("Trace mask seen in use", f"{trace['mask']} ({', '.join(trace['contexts']) or 'no text'})"),
        ("Records", f"{trace['records']} of text, {trace['dumps']} dumps"),
        ("Not understood", f"{trace['unknown_records']} records, {trace['foreign_lines']} lines that are no trace"),
    ]
    if trace.get("clock_restarts"):
        rows.append(("Clock", f"started anew {trace['clock_restarts']} times: several processes in one file"))
    return rows


def _cut(text: str) -> str:
    return text if len(text) <= _QUOTE else f"{text[:_QUOTE]} ..."
