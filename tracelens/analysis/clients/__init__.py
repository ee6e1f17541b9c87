"""A client's own log (`ssh -v`, `curl -v`) -> an analysis, as if its sessions had been traced.

The sessions are built from what the log tells, in the terms of a trace, so that rules, reports and comparisons work on
them as they are. What is quoted are the log's own lines.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from tracelens import rules, secrets
from tracelens.analysis import builder
from tracelens.analysis.clients import curl, ssh
from tracelens.analysis.clients.beside import beside
from tracelens.analysis.document import Analysis, Error, Finding, Quote, Source, Versions
from tracelens.analysis.document import Session as SessionPart
from tracelens.analysis.document import Trace as TracePart
from tracelens.logs import curl as curl_log
from tracelens.logs import ssh_verbose
from tracelens.logs.model import Run
from tracelens.rules.base import Advice
from tracelens.rules.engine import Diagnosis, diagnose
from tracelens.sessions import Session
from tracelens.sessions.sequence import Steps
from tracelens.sessions.state import Observer

__all__ = ["READERS", "analyze", "beside", "in_own_words", "kind", "session"]

READERS: dict[str, Callable[[Iterable[bytes]], list[Run]]] = {
    ssh_verbose.PROGRAM: ssh_verbose.runs,
    curl_log.PROGRAM: curl_log.runs,
}
"""Kind of log -> what reads its runs."""
_SESSIONS = {ssh_verbose.PROGRAM: ssh.session, curl_log.PROGRAM: curl.session}
_LOOKS = {ssh_verbose.PROGRAM: ssh_verbose.looks_like, curl_log.PROGRAM: curl_log.looks_like}
_NOT_REACHED = {ssh_verbose.PROGRAM: ssh.not_reached, curl_log.PROGRAM: curl.not_reached}
_NOTICES = 20
_THIN = (
    "curl prints neither banners, algorithms and packets nor the SFTP requests: a trace of libssh2 would show which "
    "step failed and what the server said."
)
_OF_LIBSSH = "This curl is built with libssh, another library than libssh2: what fails here may go well with libssh2."
_TRY = "check the name, the port and what stands between; then try the connection again"
_TRACE = (
    "trace libssh2 in another program from the same host (IRIS: SetTraceMask(511,FILE) before Connect; C: "
    "libssh2_trace()); curl prints it only if built with CURL_LIBSSH2_DEBUG"
)
_LIBSSH2 = re.compile(r"(?i)libssh2|IRIS|SetTraceMask|\btrace\b")
T = TypeVar("T", bound=Struct)


def kind(head: bytes) -> str | None:
    """Which client's log the first bytes are of, None where they are of none."""
    return next((program for program, looks_like in _LOOKS.items() if looks_like(head)), None)


def session(run: Run, observer: Observer | None = None) -> Session:
    """The session that a run tells of."""
    return _SESSIONS[run.program](run, observer)


def analyze(source: Source, runs: Sequence[Run], *, show_secrets: bool = False) -> Analysis:
    """The analysis of a client's log.

    Args:
        source: the input.
        runs: of one program, at least one.
        show_secrets: whether the document holds what it hides otherwise.
    """
    steps = Steps()
    sessions = [session(run, steps.observe) for run in runs]
    for number, each in enumerate(sessions, 1):
        each.number = number
    diagnoses = diagnose(sessions, rules.load())
    hide = str if show_secrets else secrets.without_credentials
    parts = builder.Builder(hide, int, _alone, steps, show_secrets)
    words = {event.line: event.text for run in runs for event in run.events}
    return Analysis(
        source=replace(source, kind=runs[0].program),
        holds=builder.holdings(sessions, ()),
        trace=_trace(sessions),
        sessions=tuple(
            in_own_words(parts.session(each, diagnosis), words, hide, by_libssh2=_is_of_libssh2(run))
            for run, each, diagnosis in zip(runs, sessions, diagnoses, strict=True)
        ),
        comparisons=(),
        notices=tuple(notice for pair in zip(runs, diagnoses, strict=True) if (notice := _notice(*pair, hide)))[
            :_NOTICES
        ],
    )


def _is_of_libssh2(run: Run) -> bool:
    return run.program == curl_log.PROGRAM and not curl.is_of_libssh(run)


def _notice(run: Run, diagnosis: Diagnosis, hide: Callable[[str], str]) -> Finding | None:
    """What a log cannot say, and what would; None for a session that went well, and for another library's."""
    event = _NOT_REACHED[run.program](run)
    if event is not None:
        text = hide(event.text)
        summary = f"No SSH server was reached, so libssh2 was not asked yet: {text}"
        return _finding("trace-empty", summary, Quote(event.line, text), _TRY)
    if diagnosis.verdict == "healthy" or run.program != curl_log.PROGRAM:
        return None
    first = run.events[0]
    if curl.is_of_libssh(run):
        return _finding("trace-mask-incomplete", _OF_LIBSSH, Quote(first.line, hide(first.text)), _TRACE)
    return _finding("trace-mask-incomplete", _THIN, Quote(first.line, hide(first.text)), _TRACE)


def _finding(id: str, summary: str, quote: Quote, advice: str) -> Finding:
    return Finding(id, "notice", None, summary, "text", (quote,), (Advice("client", advice),), ())


def _alone(line: int) -> None:
    """No line has several records."""


def _trace(sessions: Sequence[Session]) -> TracePart:
    """There is no trace: all counts are 0."""
    return TracePart(Versions(None, None), (), 0, 0, 0, 0, 0, 0, 0, 0, "normal")


def _without_libssh2(finding: Finding) -> Finding:
    """A finding about a client that is no libssh2: without what it says of libssh2 and its callers."""
    sentences = re.split(r"(?<=[.]) (?=[A-Z])", finding.summary)
    own = [sentence for sentence in sentences if not _LIBSSH2.search(sentence)]
    return replace(
        finding,
        summary=" ".join(own) or finding.summary,
        advice=tuple(advice for advice in finding.advice if not _LIBSSH2.search(advice.action)),
    )


def in_own_words(
    session: SessionPart, words: dict[int, str], hide: Callable[[str], str], *, by_libssh2: bool = True
) -> SessionPart:
    """The session with the log's own lines as evidence, in place of the words of a trace."""

    def quoted(part: T, line: int) -> T:
        return replace(part, text=hide(words[line])) if line in words else part

    def evidence(finding: Finding) -> Finding:
        finding = replace(
            finding, evidence=tuple(dict.fromkeys(quoted(quote, quote.line) for quote in finding.evidence))
        )
        return finding if by_libssh2 else _without_libssh2(finding)

    unexplained: Quote | None = session.unexplained
    errors: tuple[Error, ...] = tuple(quoted(error, error.line) for error in session.errors)
    return replace(
        session,
        findings=tuple(map(evidence, session.findings)),
        noise_findings=tuple(map(evidence, session.noise_findings)),
        unexplained=unexplained and quoted(unexplained, unexplained.line),
        errors=errors,
        skipped_rules=(),
    )
