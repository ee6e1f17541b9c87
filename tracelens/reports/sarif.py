"""Analyses as SARIF 2.1.0 (OASIS standard), for tools that show and track results in files."""

from typing import Any
from urllib.parse import quote

from tracelens import __version__, rules
from tracelens.analysis.json_text import json_text
from tracelens.reports.labels import SIDES
from tracelens.reports.text import escaped

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {"cause": "error", "notice": "note", "noise": "none"}
_UNEXPLAINED = "unexplained"


def render(documents: list[dict[str, Any]], options: dict[str, Any]) -> str:
    """One SARIF log with one run; `documents` and `options` as `content.content` takes them."""
    results = [result for document in documents for result in _results(document)]
    used = sorted({result["ruleId"] for result in results})
    for result in results:
        result["ruleIndex"] = used.index(result["ruleId"])
    unusable = options.get("unusable", ())
    run = {
        "tool": {
            "driver": {
                "name": "tracelens",
                "version": __version__,
                "semanticVersion": __version__,
                "rules": [_rule(id) for id in used],
                "properties": {"ruleSet": rules.version()},
            }
        },
        "artifacts": [_artifact(document["source"]) for document in documents],
        "results": results,
        "invocations": [
            {
                "executionSuccessful": not unusable,
                "toolExecutionNotifications": [
                    {"level": "error", "message": {"text": f"{escaped(name)}: {escaped(reason)}"}}
                    for name, reason in unusable
                ],
            }
        ],
    }
    log = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return json_text(log)


def _artifact(source: dict[str, Any]) -> dict[str, Any]:
    hashes = {"hashes": {"sha-256": source["sha256"]}} if source["sha256"] else {}
    return {"location": {"uri": _uri(source["name"])}, "length": source["bytes"], **hashes}


def _uri(name: str) -> str:
    return quote(name.replace("\\", "/"), safe="/!-._~", errors="surrogateescape")


def _rule(id: str) -> dict[str, Any]:
    page = rules.page(id)
    if page is None:
        return {"id": id, "shortDescription": {"text": "The session failed, and no rule knows why."}}
    first = page.partition("\n")[0]
    return {"id": id, "shortDescription": {"text": first}, "help": {"text": page, "markdown": page}}


def _results(document: dict[str, Any]) -> list[dict[str, Any]]:
    uri = _uri(document["source"]["name"])
    results = []
    for session in document["sessions"]:
        where = {"session": session["number"], "verdict": session["verdict"], "phase": session["phase"]}
        results += [_result(found, uri, where) for found in session["findings"]]
        if session["unexplained"]:
            error = session["unexplained"]
            found = {"id": _UNEXPLAINED, "kind": "cause", "summary": error["text"], "evidence": [error], "advice": []}
            results.append(_result(found, uri, where))
    return results + [_result(found, uri, {}) for found in document["notices"]]


def _result(found: dict[str, Any], uri: str, where: dict[str, Any]) -> dict[str, Any]:
    advice = [f"{SIDES.get(a['who'], a['who'])}: {a['action']}" for a in found["advice"]]
    places = [_place(q, uri) for q in found["evidence"]]
    first = {"physicalLocation": {"artifactLocation": {"uri": uri}}}
    return {
        "ruleId": found["id"],
        "level": _LEVELS.get(found["kind"], "note"),
        "message": {"text": "\n".join([escaped(found["summary"]), *map(escaped, advice)])},
        "locations": [places[0] if places else first],
        "relatedLocations": [{"id": n, **place} for n, place in enumerate(places[1:], 1)],
        "partialFingerprints": {"finding/v1": f"{found['id']}:{where.get('session', 0)}"},
        "properties": where,
    }


def _place(quote: dict[str, Any], uri: str) -> dict[str, Any]:
    text = escaped(quote["text"])
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": uri},
            "region": {"startLine": max(quote["line"], 1), "snippet": {"text": text}},
        },
        "message": {"text": text},
    }
