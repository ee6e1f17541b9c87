"""Analyses -> what the templates of a report read: the document itself, all of its text printable.

The templates escape it for their format.
"""

from collections.abc import Sequence
from typing import Any, TypeVar, cast

from msgspec import Struct

from tracelens import __version__, rules
from tracelens.analysis import Advice, Analysis, Error, Session, Unusable
from tracelens.analysis.places import place
from tracelens.libssh2 import trace_mask
from tracelens.reports import server_side
from tracelens.reports.formats import Options
from tracelens.reports.labels import LEFT_ADVICE, reached, seconds, unfinished
from tracelens.reports.remote_commands import verdict_note
from tracelens.reports.similar_sessions import groups
from tracelens.reports.text import escaped
from tracelens.reports.untraced import FULL_MASK

T = TypeVar("T")


class Limits(Struct, frozen=True):
    """How much of each kind a report shows; what is left out is counted in it."""

    sessions: int = 12
    evidence: int = 12
    marks: int = 48
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


class Part(Struct, frozen=True):
    """One trace of a report, and those of its sessions that are shown in full."""

    analysis: Analysis
    name: str
    anchor: str
    sessions: list[Session]


def content(analyses: Sequence[Analysis], options: Options, limits: Limits) -> dict[str, Any]:
    """What the templates of a report read: some analyses, within the limits."""
    traces: list[Part] = []
    left = limits.sessions
    for number, analysis in enumerate(map(printable, analyses), 1):
        sessions = analysis.sessions
        order = _ranked(sessions) if len(sessions) > left else sessions
        chosen = {s.number for s in order[: max(left, 1 if number == 1 else 0)]}
        name = analysis.name.replace("\\", "/").rsplit("/", 1)[-1]
        traces.append(Part(analysis, name, f"t{number}", [s for s in sessions if s.number in chosen]))
        left -= len(chosen)
    index = [(trace, session) for trace in traces for session in trace.analysis.sessions]
    return {
        "title": _title(traces),
        "todo": todo(analyses),
        "traces": traces,
        "many": len(traces) > 1 or len(index) > 1,
        "index": index,
        "unusable": [Unusable(escaped(name), escaped(reason)) for name, reason in options.unusable],
        "limits": limits,
        **about(options),
    }


def _title(traces: Sequence[Part]) -> str:
    """What a report is about; logs of clients beside traces are counted apart."""
    beside = sum(bool(trace.analysis.source.kind) for trace in traces)
    count = len(traces) - beside
    if len(traces) == 1 or not count or not beside:
        return traces[0].name if len(traces) == 1 else f"{len(traces)} traces"
    what = traces[0].name if count == 1 else f"{count} traces"
    return f"{what} and {'the log of a client' if beside == 1 else f'{beside} logs of clients'}"


def todo(analyses: Sequence[Analysis]) -> dict[str, list[str]]:
    """Who must act, and how, in all of a case: what several sessions ask for is said once; empty for another report.

    A case is a report with a server's log or configuration in which several sessions failed.
    """
    failed = [(session, analysis) for analysis in analyses for session in analysis.sessions if session.failed]
    known = any(analysis.server_logs for analysis in analyses) or any(s.server_config for s, _ in failed)
    if not known or len(failed) < 2:
        return {}
    sides: dict[str, list[str]] = {}
    for session, analysis in failed:
        for who, steps in printable(actions(session, analysis)).items():
            listed = sides.setdefault(who, [])
            listed += [step for step in steps if step not in listed]
    return sides


def about(options: Options) -> dict[str, str]:
    """What each report says of itself."""
    own = {"version": __version__, "rules": rules.version()}
    return {"masking": options.masking, "command": escaped(options.command), **own}


def printable(part: T) -> T:
    """A document with every text printable: no control or direction character of the trace is left in it."""
    whole: Any = part
    if isinstance(whole, str):
        whole = escaped(whole)
    elif isinstance(whole, list | tuple):
        whole = type(whole)(map(printable, whole))
    elif isinstance(whole, dict):
        whole = {key: printable(value) for key, value in whole.items()}
    elif isinstance(whole, Struct):
        whole = type(whole)(**{name: printable(getattr(whole, name)) for name in whole.__struct_fields__})
    return cast(T, whole)


def _ranked(sessions: Sequence[Session]) -> list[Session]:
    """Those that failed first, and of those that went alike the first before all others."""
    ranks = [(s.verdict == "healthy", n, s.number, s) for alike in groups(sessions) for n, s in enumerate(alike)]
    return [session for *_, session in sorted(ranks, key=lambda rank: rank[:3])]


def headline(session: Session) -> str:
    """How a session went, in a line."""
    where, lasted = reached(session), session.lasted
    if session.verdict == "insufficient" and not session.phases:
        return "Not enough to tell: the trace does not show how far the session came"
    if left := unfinished(session):
        return left[0].capitalize()
    if session.verdict == "insufficient":
        return f"Not enough to tell: the trace stops {where}"
    if note := verdict_note(session):
        return f"Healthy{' in ' + seconds(lasted) if lasted else ''}, but {note}"
    if session.verdict == "healthy":
        return f"Healthy: what was begun was finished{', in ' + seconds(lasted) if lasted else ''}"
    after = f" after {seconds(lasted)}".replace("after under", "within") if lasted else ""
    return f"Failed {where}{after}{'; no rule knows why' if session.verdict == 'unexplained' else ''}"


_COMMAND_FAILED = "SSH did its work to the end. What a status other than 0 means is for the command to say: "
_MEANINGS = {
    "healthy": "Nothing failed here. The errors that the trace shows were got over, or are part of the normal course.",
    "unexplained": "An error ended this session, and none of the known causes fits what the trace shows.",
    "insufficient": "What the trace shows does not tell whether the session went well. A more complete trace would: "
    "see below.",
}


def paragraphs(session: Session) -> list[str]:
    """The cause in plain words: the paragraphs of its page's "What it means"."""
    if session.root is None:
        if left := unfinished(session):
            return [f"{left[1][0].upper()}{left[1][1:]}."]
        if not verdict_note(session):
            return [_MEANINGS[session.verdict]]
        shown = any(command.failed and command.stderr for command in session.commands)
        look = "`tracelens analyze --show-secrets` shows what it wrote to stderr" if shown else "run it by hand"
        return [f"{_COMMAND_FAILED}{look}."]
    page = rules.page(session.root.id) or ""
    part = page.partition("## What it means")[2].partition("\n## ")[0]
    return [" ".join(paragraph.split()) for paragraph in part.split("\n\n") if paragraph.strip()]


def actions(session: Session, analysis: Analysis) -> dict[str, list[str]]:
    """Who must act -> how, in the order of the advice."""
    advice = server_side.advice(session)
    if not advice and session.verdict == "insufficient" and session.left in LEFT_ADVICE:
        advice = (Advice("client", LEFT_ADVICE[session.left]),)
    if not advice and session.verdict in ("insufficient", "unexplained"):
        again = f"{trace_mask.objectscript(FULL_MASK)} before Connect, or in C {trace_mask.c_call(FULL_MASK)}"
        masks = [notice.advice for notice in analysis.notices if notice.id == "trace-mask-incomplete"]
        advice = masks[0] if masks else (Advice("client", f"trace it again with a full mask: {again}"),)
    sides: dict[str, list[str]] = {}
    for entry in advice:
        sides.setdefault(entry.who, []).append(entry.action)
    return sides


def listed_errors(session: Session) -> tuple[Error, ...]:
    """The errors of a session; none where the evidence has every one."""
    proven = {place(quote) for quote in session.root.evidence if not quote.file} if session.root else set()
    return () if all(place(error) in proven for error in session.errors) else session.errors


def environment(analysis: Analysis) -> list[tuple[str, str]]:
    """What was read: labels and values."""
    source, trace = analysis.source, analysis.trace
    kind = ", ".join(part for part in (source.encoding, source.compression) if part)
    rows = [
        ("Input", source.name),
        ("SHA-256 of the input", str(source.sha256)),
        ("Size", f"{source.bytes} bytes, {source.lines} lines ({kind})"),
    ]
    if source.kind:
        return [*rows, ("Kind", f"the output of `{source.kind}`, no libssh2 trace")]
    rows += [
        ("libssh2 by the trace's wording", trace.libssh2.span or "fits no single release"),
        ("Trace mask seen in use", f"{trace.mask} ({', '.join(trace.contexts) or 'no text'})"),
        ("Records", f"{trace.records} of text, {trace.dumps} dumps"),
        ("Not understood", f"{trace.unknown_records} records, {trace.foreign_lines} lines that are no trace"),
    ]
    if source.unwrapped:
        rows.append(("Undone before reading", ", then ".join(source.unwrapped)))
    if trace.clock_restarts:
        rows.append(("Clock", f"started anew {trace.clock_restarts} times: several processes in one file"))
    return rows
