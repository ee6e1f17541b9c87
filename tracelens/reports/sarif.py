"""Analyses as SARIF 2.1.0 (OASIS standard), for tools that show and track results in files."""

from collections.abc import Iterator, Sequence
from urllib.parse import quote

from tracelens import __version__, rules
from tracelens.analysis import Analysis, Finding, Quote, Session, Source
from tracelens.analysis.json_text import json_text
from tracelens.reports.formats import Options
from tracelens.reports.labels import SIDES
from tracelens.reports.server_side import advice, sentence
from tracelens.reports.text import escaped

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {"cause": "error", "notice": "note", "noise": "none"}
_UNEXPLAINED = "unexplained"


def render(analyses: Sequence[Analysis], options: Options) -> str:
    """One SARIF log with one run."""
    findings = [(found, analysis, session) for analysis in analyses for found, session in _findings(analysis)]
    used = sorted({found.id for found, *_ in findings})
    driver = {
        "name": "tracelens",
        "version": __version__,
        "semanticVersion": __version__,
        "rules": [_rule(id) for id in used],
        "properties": {"ruleSet": rules.version()},
    }
    problems = [f"{escaped(name)}: {escaped(reason)}" for name, reason in options.unusable]
    notifications = [{"level": "error", "message": {"text": problem}} for problem in problems]
    run = {
        "tool": {"driver": driver},
        "artifacts": [_artifact(analysis.source) for analysis in analyses],
        "results": [
            {**_result(found, _uri(analysis.name), session), "ruleIndex": used.index(found.id)}
            for found, analysis, session in findings
        ],
        "invocations": [{"executionSuccessful": not problems, "toolExecutionNotifications": notifications}],
    }
    return json_text({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]})


def _artifact(source: Source) -> dict[str, object]:
    hashes = {"hashes": {"sha-256": source.sha256}} if source.sha256 else {}
    return {"location": {"uri": _uri(source.name)}, "length": source.bytes, **hashes}


def _uri(name: str) -> str:
    return quote(name.replace("\\", "/"), safe="/!-._~", errors="surrogateescape")


def _rule(id: str) -> dict[str, object]:
    page = rules.page(id)
    if page is None:
        return {"id": id, "shortDescription": {"text": "The session failed, and no rule knows why."}}
    first = page.partition("\n")[0]
    return {"id": id, "shortDescription": {"text": first}, "help": {"text": page, "markdown": page}}


def _findings(analysis: Analysis) -> Iterator[tuple[Finding, Session | None]]:
    """The findings with their sessions; an error that no rule explains is one too."""
    for session in analysis.sessions:
        for found in session.findings:
            yield found, session
        if session.unexplained is not None:
            error = session.unexplained
            yield Finding(_UNEXPLAINED, "cause", None, error.text, "text", (error,), (), ()), session
    for found in analysis.notices:
        yield found, None


def _result(found: Finding, uri: str, session: Session | None) -> dict[str, object]:
    of_log = sentence(session) if session is not None and found is session.root else ""
    advised = advice(session) if session is not None and found is session.root else found.advice
    todo = [f"{SIDES[entry.who]}: {entry.action}" for entry in advised]
    said = [found.summary, *([of_log] if of_log else [])]
    places = [_place(quote, uri) for quote in found.evidence]
    whole: dict[str, object] = {"physicalLocation": {"artifactLocation": {"uri": uri}}}
    where = {"session": session.number, "verdict": session.verdict, "phase": session.phase} if session else {}
    return {
        "ruleId": found.id,
        "level": _LEVELS[found.kind],
        "message": {"text": "\n".join(map(escaped, [*said, *todo]))},
        "locations": [places[0] if places else whole],
        "relatedLocations": [{"id": n, **place} for n, place in enumerate(places[1:], 1)],
        "partialFingerprints": {"finding/v1": f"{found.id}:{session.number if session else 0}"},
        "properties": where,
    }


def _place(quote: Quote, uri: str) -> dict[str, object]:
    text = {"text": escaped(quote.text)}
    region: dict[str, object] = {"startLine": max(quote.line, 1), "snippet": text}
    if quote.record is not None:
        region["properties"] = {"record": quote.record}
    return {
        "physicalLocation": {"artifactLocation": {"uri": _uri(quote.file) if quote.file else uri}, "region": region},
        "message": text,
    }
