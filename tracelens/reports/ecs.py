"""Analyses as JSON lines with the field names of the Elastic Common Schema, for log shippers: a line a session.

A trace has no wall-clock time, so there is no `@timestamp`: the shipper sets it.
"""

import json
from typing import Any

from tracelens import __version__, rules

_VERSION = "8.11.0"
_OUTCOMES = {"cause": "failure", "unexplained": "failure", "healthy": "success", "insufficient": "unknown"}


def render(documents: list[dict[str, Any]], options: dict[str, Any]) -> str:
    """One JSON object a line; `documents` and `options` as `content.content` takes them."""
    lines = [_session(session, document) for document in documents for session in document["sessions"]]
    lines += [_unusable(name, reason) for name, reason in options.get("unusable", ())]
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def _session(session: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    root = session["findings"][0] if session["root_cause"] else None
    first = session["unexplained"]
    said = root["summary"] if root else first["text"] if first else f"SSH session {session['verdict']}"
    event: dict[str, Any] = {
        "kind": "event",
        "category": ["network", "session"],
        "type": ["connection", "error"] if session["verdict"] in ("cause", "unexplained") else ["connection", "info"],
        "action": "ssh-session",
        "outcome": _OUTCOMES[session["verdict"]],
        "module": "tracelens",
        "dataset": "tracelens.session",
        "provider": "libssh2",
    }
    if root:
        event |= {"code": root["id"], "reason": root["summary"]}
    if session["started"] is not None and session["ended"] is not None:
        event["duration"] = int(max(session["ended"] - session["started"], 0) * 1_000_000_000)
    line: dict[str, Any] = {
        "ecs": {"version": _VERSION},
        "event": event,
        "message": said,
        "log": {"file": {"path": document["source"]["name"]}},
        "network": {"protocol": "ssh", "transport": "tcp"},
        "observer": {"product": "tracelens", "version": __version__},
        "tracelens": _own(session, document),
    }
    if session["user"]:
        line["user"] = {"name": session["user"]}
    if session["client_banner"]:
        line["user_agent"] = {"original": session["client_banner"]}
    if root:
        line["rule"] = {"id": root["id"], "ruleset": "tracelens", "version": rules.version()}
    failed = next((e for e in session["errors"] if e["fate"] == "final"), None)
    if failed is not None:
        line["error"] = {"code": str(failed["code"]), "message": failed["text"]}
    return line


def _own(session: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    return {
        "session": session["number"],
        "verdict": session["verdict"],
        "phase": session["phase"],
        "server_banner": session["server_banner"],
        "algorithms": session["algorithms"],
        "first_line": session["first_line"],
        "last_line": session["last_line"],
        "sha256": document["source"]["sha256"],
        "advice": [f"{a['who']}: {a['action']}" for f in session["findings"][:1] for a in f["advice"]],
        "notices": [f["id"] for f in session["findings"] if f["kind"] == "notice"],
    }


def _unusable(name: str, reason: str) -> dict[str, Any]:
    return {
        "ecs": {"version": _VERSION},
        "event": {
            "kind": "pipeline_error",
            "module": "tracelens",
            "dataset": "tracelens.session",
            "outcome": "failure",
        },
        "message": f"{name}: {reason}",
        "error": {"message": reason},
        "log": {"file": {"path": name}},
        "observer": {"product": "tracelens", "version": __version__},
    }
