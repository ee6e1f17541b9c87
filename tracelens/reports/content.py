"""Analyses -> what a report says; all text that comes from the trace is made printable here.

The templates escape it for their format.
"""

from collections.abc import Sequence
from typing import Any, TypeVar, cast

from msgspec import Struct
from msgspec.structs import replace

from tracelens import __version__, rules
from tracelens.analysis import Advice, Analysis, Attempt, Finding, Operation, Session, Unusable
from tracelens.libssh2 import trace_mask
from tracelens.reports import chart, offers
from tracelens.reports.formats import Options
from tracelens.reports.labels import BASES, FATES, PHASES, clock, outcome, seconds, shows
from tracelens.reports.model import (
    Actions,
    Content,
    FileOperation,
    FindingPart,
    IndexRow,
    Limits,
    Login,
    NoisePart,
    Proof,
    SessionPart,
    TracePart,
)
from tracelens.reports.similar_sessions import groups
from tracelens.reports.text import escaped
from tracelens.reports.untraced import FULL_MASK, untraced

T = TypeVar("T")
_QUOTE = 400


def content(analyses: Sequence[Analysis], options: Options, limits: Limits) -> Content:
    """What a report about some analyses says, within the limits."""
    traces: list[TracePart] = []
    left = limits.sessions
    for number, analysis in enumerate(analyses, 1):
        trace = _trace(printable(analysis), number, limits, left)
        left -= len(trace.sessions)
        traces.append(trace)
    index = [row for trace in traces for row in trace.index]
    return Content(
        title=traces[0].name if len(traces) == 1 else f"{len(traces)} traces",
        traces=traces,
        many=len(traces) > 1 or len(index) > 1,
        index=index[: limits.listed],
        index_left_out=max(len(index) - limits.listed, 0),
        unusable=[Unusable(escaped(name), escaped(reason)) for name, reason in options.unusable],
        masking=options.masking,
        command=escaped(options.command),
        version=__version__,
        rules=rules.version(),
    )


def printable(part: T) -> T:
    """A document with every text made printable: no control or direction character of the trace is left in it."""
    whole: Any = part
    if isinstance(whole, str):
        whole = escaped(whole)
    elif isinstance(whole, list | tuple):
        whole = type(whole)(map(printable, whole))
    elif isinstance(whole, dict):
        whole = {key: printable(value) for key, value in whole.items()}
    elif isinstance(whole, Struct):
        whole = type(whole)(*(printable(getattr(whole, name)) for name in whole.__struct_fields__))
    return cast(T, whole)


def _ranked(sessions: Sequence[Session]) -> list[Session]:
    """Those that failed first, and of those that went alike the first before all others."""
    ranks = [(s.verdict == "healthy", n, s.number, s) for alike in groups(sessions) for n, s in enumerate(alike)]
    return [session for *_, session in sorted(ranks, key=lambda rank: rank[:3])]


def _trace(analysis: Analysis, number: int, limits: Limits, left: int) -> TracePart:
    sessions = analysis.sessions
    order = _ranked(sessions) if len(sessions) > left else sessions
    chosen = {s.number for s in order[: max(left, 1 if number == 1 else 0)]}
    return TracePart(
        name=analysis.name.replace("\\", "/").rsplit("/", 1)[-1],
        anchor=f"t{number}",
        sessions=[_session(s, analysis, number, limits) for s in sessions if s.number in chosen],
        sessions_left_out=sum(s.number not in chosen for s in sessions),
        index=[_index_row(s, analysis.name, number, s.number in chosen) for s in sessions],
        notices=[_finding(notice, None, limits) for notice in analysis.notices],
        comparisons=analysis.comparisons,
        untraced=untraced(analysis),
        environment=_environment(analysis),
        damage=analysis.source.damage,
    )


def _index_row(session: Session, trace: str, number: int, shown: bool) -> IndexRow:
    return IndexRow(
        trace=trace.rsplit("/", 1)[-1],
        session=session.number,
        anchor=f"t{number}s{session.number}" if shown else None,
        verdict=session.verdict,
        cause=session.root_cause or "",
        phase=session.phase,
        server=session.server_banner or "",
        lines=f"{session.first_line}-{session.last_line}",
    )


def _session(session: Session, analysis: Analysis, number: int, limits: Limits) -> SessionPart:
    root, rows = session.root, limits.rows
    failing = _failing_line(session)
    proven = {quote.line for quote in root.evidence} if root else set()
    # Where the evidence has every error there is no list of them.
    errors = () if all(error.line in proven for error in session.errors) else session.errors
    return SessionPart(
        anchor=f"t{number}s{session.number}",
        session=session,
        of=len(analysis.sessions),
        headline=_headline(session),
        root=_finding(root, session, limits) if root else None,
        plain=_meaning(session),
        actions=_actions(session, analysis),
        undecided=[error for error in session.errors if error.fate == "undecided"][:2],
        chart=chart.sequence(session, failing, limits.marks),
        spans=chart.spans(session),
        failing_x=_failing_x(session, failing),
        offers=offers.compared(session),
        auth=[_login(attempt, session) for attempt in session.auth[:rows]],
        auth_left_out=max(len(session.auth) - rows, 0),
        operations=[_operation(operation) for operation in session.operations[:rows]],
        operations_left_out=max(len(session.operations) - rows, 0),
        errors=[replace(error, fate=FATES.get(error.fate, error.fate)) for error in errors[:rows]],
        errors_left_out=max(len(errors) - rows, 0),
        noise=[_noise(found, session) for found in session.noise_findings],
        notices=[_finding(found, session, limits) for found in session.findings if found.kind == "notice"],
        started=clock(session.started),
        ended=clock(session.ended),
    )


def _headline(session: Session) -> str:
    where, lasted = PHASES[session.phase], session.lasted
    if session.verdict == "insufficient":
        return f"Not enough to tell: the trace stops {where}"
    if session.verdict == "healthy":
        return f"Healthy: what was begun was finished{', in ' + seconds(lasted) if lasted else ''}"
    after = f" after {seconds(lasted)}".replace("after under", "within") if lasted else ""
    return f"Failed {where}{after}{'; no rule knows why' if session.verdict == 'unexplained' else ''}"


_MEANINGS = {
    "healthy": "Nothing failed here. The errors that the trace shows were got over, or are part of the normal course.",
    "unexplained": "An error ended this session, and none of the known causes fits what the trace shows.",
    "insufficient": "What the trace shows does not tell whether the session went well. A more complete trace would: "
    "see below.",
}


def _meaning(session: Session) -> list[str]:
    """The cause in plain words: the paragraphs of its page's "What it means"."""
    if session.root is None:
        return [_MEANINGS[session.verdict]]
    page = rules.page(session.root.id) or ""
    part = page.partition("## What it means")[2].partition("\n## ")[0]
    return [" ".join(paragraph.split()) for paragraph in part.split("\n\n") if paragraph.strip()]


def _actions(session: Session, analysis: Analysis) -> list[Actions]:
    """Who must act, and how: a side once, in the order of the advice."""
    advice = session.root.advice if session.root else ()
    if not advice and session.verdict in ("insufficient", "unexplained"):
        again = f"{trace_mask.objectscript(FULL_MASK)} before Connect, or in C {trace_mask.c_call(FULL_MASK)}"
        wanted = [notice.advice for notice in analysis.notices if notice.id == "trace-mask-incomplete"]
        advice = wanted[0] if wanted else (Advice("client", f"trace it again with a full mask: {again}"),)
    sides: dict[str, Actions] = {}
    for entry in advice:
        sides.setdefault(entry.who, Actions(entry.who, [])).actions.append(entry.action)
    return list(sides.values())


def _finding(found: Finding, session: Session | None, limits: Limits) -> FindingPart:
    return FindingPart(
        id=found.id,
        summary=found.summary,
        evidence=[
            Proof(number, quote.line, _cut(quote.text), shows(quote, session))
            for number, quote in enumerate(found.evidence[: limits.evidence], 1)
        ],
        evidence_left_out=max(len(found.evidence) - limits.evidence, 0),
        advice=found.advice,
        rivals=found.rivals,
        basis=BASES[found.basis],
    )


def _noise(found: Finding, session: Session) -> NoisePart:
    because = (rules.page(found.id) or "").partition("\n")[0]
    lines = ", ".join(str(quote.line) for quote in found.evidence[:6])
    return NoisePart(session.noise[found.id], found.summary, because, lines)


def _login(attempt: Attempt, session: Session) -> Login:
    return Login(
        line=attempt.line,
        time=clock(attempt.time),
        method=attempt.method,
        algorithm=attempt.algorithm or "",
        outcome=outcome(attempt, session),
        asks=attempt.method == "none",
        remaining=", ".join(attempt.remaining),
    )


def _operation(operation: Operation) -> FileOperation:
    started, ended = operation.started, operation.ended
    return FileOperation(
        line=operation.line,
        verb=operation.verb,
        path=_cut(operation.path),
        outcome="no answer" if operation.outcome == "pending" else operation.outcome,
        status="" if operation.status is None else str(operation.status),
        message=operation.message or "",
        took=seconds(ended - started) if started is not None and ended is not None else "",
    )


def _failing_line(session: Session) -> int | None:
    """The line of the step by which the session failed: an error's where there is one, else the first proof's."""
    final = session.final_error.line if session.final_error else None
    steps = {step.line for step in session.steps}
    proofs = [quote.line for quote in session.root.evidence] if session.root else []
    return next((line for line in (final, *proofs) if line in steps), final)


def _failing_x(session: Session, line: int | None) -> float | None:
    step = next((s for s in session.steps if s.line == line), None)
    times = [(p.started, p.ended) for p in session.phases if p.started is not None and p.ended is not None]
    if step is None or step.time is None or not times:
        return None
    begin, end = times[0][0], times[-1][1]
    share = (step.time - begin) / (end - begin) if end > begin else 0.0
    return round(chart.WIDTH * min(max(share, 0.0), 1.0), 1)


def _environment(analysis: Analysis) -> list[tuple[str, str]]:
    source, trace = analysis.source, analysis.trace
    first, last = trace.libssh2.first, trace.libssh2.last
    wording = (f"{first}" if first == last else f"{first} to {last}") if first else "fits no single release"
    kind = ", ".join(part for part in (source.encoding, source.compression) if part)
    rows = [
        ("Input", source.name),
        ("SHA-256 of the input", str(source.sha256)),
        ("Size", f"{source.bytes} bytes, {source.lines} lines ({kind})"),
        ("libssh2 by the trace's wording", wording),
        ("Trace mask seen in use", f"{trace.mask} ({', '.join(trace.contexts) or 'no text'})"),
        ("Records", f"{trace.records} of text, {trace.dumps} dumps"),
        ("Not understood", f"{trace.unknown_records} records, {trace.foreign_lines} lines that are no trace"),
    ]
    if trace.clock_restarts:
        rows.append(("Clock", f"started anew {trace.clock_restarts} times: several processes in one file"))
    return rows


def _cut(text: str) -> str:
    return text if len(text) <= _QUOTE else f"{text[:_QUOTE]} ..."
