"""Analyses as JSON lines with the field names of the Elastic Common Schema, for log shippers: a line a session.

A trace has no wall-clock time: without a server's log that names its zone there is no `@timestamp`, and the shipper
sets it.
"""

import json
from collections.abc import Sequence

from tracelens import __version__, rules
from tracelens.analysis import Analysis, Session, time_of_day
from tracelens.analysis.time_of_day import in_utc
from tracelens.reports import server_side
from tracelens.reports.formats import Options
from tracelens.reports.remote_commands import verdict_note

_VERSION = "8.11.0"
_SOURCE = {"module": "tracelens", "dataset": "tracelens.session"}
_OBSERVER = {"product": "tracelens", "version": __version__}
_OUTCOMES = {"cause": "failure", "unexplained": "failure", "healthy": "success", "insufficient": "unknown"}


def render(analyses: Sequence[Analysis], options: Options) -> str:
    """One JSON object a line."""
    lines = [_session(session, analysis) for analysis in analyses for session in analysis.sessions]
    lines += [_unusable(name, reason) for name, reason in options.unusable]
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def _session(session: Session, analysis: Analysis) -> dict[str, object]:
    root = session.root
    first = root.summary if root else session.unexplained.text if session.unexplained else ""
    note = verdict_note(session)
    event: dict[str, object] = {
        "kind": "event",
        "category": ["network", "session"],
        "type": ["connection", "error" if session.failed else "info"],
        "action": "ssh-session",
        "outcome": _OUTCOMES[session.verdict],
        **_SOURCE,
        "provider": "libssh2",
    }
    if root:
        first = " ".join(filter(None, (root.summary, server_side.sentence(session))))
        event |= {"code": root.id, "reason": first}
    if session.lasted is not None:
        event["duration"] = int(max(session.lasted, 0) * 1_000_000_000)
    clock = time_of_day.of_session(session)
    moments = {"start": in_utc(clock, session.started), "end": in_utc(clock, session.ended)}
    event |= {name: moment for name, moment in moments.items() if moment is not None}
    line: dict[str, object] = {
        **({"@timestamp": event["start"]} if "start" in event else {}),
        "ecs": {"version": _VERSION},
        "event": event,
        "message": first or f"SSH session {session.verdict}{', but ' + note if note else ''}",
        "log": {"file": {"path": analysis.name}},
        "network": {"protocol": "ssh", "transport": "tcp"},
        "observer": _OBSERVER,
        "tracelens": _own(session, analysis),
    }
    if session.user:
        line["user"] = {"name": session.user}
    if session.client_banner:
        line["user_agent"] = {"original": session.client_banner}
    if root:
        line["rule"] = {"id": root.id, "ruleset": "tracelens", "version": rules.version()}
    if session.final_error is not None:
        line["error"] = {"code": str(session.final_error.code), "message": session.final_error.text}
    return line


def _own(session: Session, analysis: Analysis) -> dict[str, object]:
    first = session.findings[0].advice if session.findings else ()
    same = ("verdict", "phase", "server_banner", "algorithms", "first_line", "last_line")
    return {
        "session": session.number,
        **{name: getattr(session, name) for name in same},
        "sha256": analysis.source.sha256,
        "advice": [f"{a.who}: {a.action}" for a in server_side.advice(session) or first],
        "notices": [found.id for found in session.notices],
        **_server(session),
    }


def _server(session: Session) -> dict[str, object]:
    side = session.server
    if side is None:
        return {}
    reasons = [{"id": reason.id, "summary": reason.summary} for reason in side.reasons]
    return {"server": {"log": side.file, "certainty": side.certainty, "reasons": reasons}}


def _unusable(name: str, reason: str) -> dict[str, object]:
    return {
        "ecs": {"version": _VERSION},
        "event": {"kind": "pipeline_error", **_SOURCE, "outcome": "failure"},
        "message": f"{name}: {reason}",
        "error": {"message": reason},
        "log": {"file": {"path": name}},
        "observer": _OBSERVER,
    }
