"""Sessions and the server's logs -> the sessions with the server's side, and with the cause that both sides support."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import cast

from msgspec import Struct
from msgspec.structs import replace

from tracelens import inputs, rules
from tracelens.analysis import candidates
from tracelens.analysis.candidates import Candidates, Match
from tracelens.analysis.document import (
    Analysis,
    Clock,
    Finding,
    LogFile,
    LogQuote,
    Quote,
    ServerLine,
    ServerReason,
    ServerSide,
    Session,
)  # fmt: skip
from tracelens.analysis.matching import Fit
from tracelens.errors import UnreadableInput
from tracelens.logs import connections, framing, reasons
from tracelens.logs.model import Connection, Event, Stamp
from tracelens.rules.base import Advice, Rival, Who

NO_TIMES: Mapping[str, float | None] = {}
_HEAD_LINES, _TAIL_LINES = 160, 80
Hide = Callable[[str], str]


class Read(Struct, frozen=True):
    """A log that was read: what the document says of it, and each session's candidates in it."""

    file: LogFile
    candidates: list[Candidates]


def with_server_logs(
    analyses: Sequence[Analysis],
    logs: Iterable[inputs.Source | UnreadableInput],
    hide: Hide,
    modified: Mapping[str, float | None] = NO_TIMES,
) -> tuple[list[Analysis], list[UnreadableInput]]:
    """The analyses with the server's side of their sessions.

    Args:
        analyses: diagnosed traces.
        logs: the server's logs, as `inputs.find` gives them; each is read once, for all sessions.
        hide: masks the secrets of the traces in a line of a log.
        modified: when the file of a trace was written last, in seconds since 1970, by the name of the trace.

    Returns:
        the analyses, and the logs that could not be used or not as a whole.
    """
    sessions = [(session, _written(a, modified.get(a.name))) for a in analyses for session in a.sessions]
    read: list[Read] = []
    unusable: list[UnreadableInput] = []
    source: inputs.Source | UnreadableInput | None = None
    for source in logs:
        if isinstance(source, UnreadableInput):
            unusable.append(source)
            continue
        result = _read(source, sessions)
        at = 0
        for analysis in analyses:
            one = result.candidates[at : at + len(analysis.sessions)]
            at += len(one)
            candidates.settle(one, one_clock=not analysis.trace.clock_restarts)
        if result.file.damage is not None:
            unusable.append(
                UnreadableInput(source.name, f"damaged, only its readable part was read: {result.file.damage}")
            )
        if result.file.servers:
            read.append(result)
        elif result.file.damage is None:
            unusable.append(UnreadableInput(source.name, "no line of an SSH server is in it"))
    if source is None:
        unusable.append(UnreadableInput("the server's log", "there is no file in what was named as it"))
    files = tuple(one.file for one in read)
    sides = iter([_Side(session, read, number, hide).session() for number, (session, _) in enumerate(sessions)])
    out = [replace(a, sessions=tuple(next(sides) for _ in a.sessions), server_logs=files) for a in analyses]
    return (out if read else list(analyses)), unusable


def forms(values: Iterable[bytes]) -> Iterator[bytes]:
    """Secrets as a log and a shell show them: sshd doubles backslashes, and writes bytes beyond ASCII in octal."""
    for value in values:
        doubled = value.replace(b"\\", b"\\\\")
        octal = b"".join(bytes([byte]) if byte < 0x80 else b"\\%03o" % byte for byte in doubled)
        yield from (value, doubled, octal, value.replace(b"'", b"'\"'\"'"))


def _written(analysis: Analysis, modified: float | None) -> float | None:
    """By how much the time since 1970 is ahead of the trace's clock, if the trace file was written with its end."""
    last = analysis.sessions[-1].ended if analysis.sessions else None
    return None if modified is None or last is None or analysis.trace.clock_restarts else modified - last


def _read(source: inputs.Source, sessions: Sequence[tuple[Session, float | None]]) -> Read:
    candidates = [Candidates(session, when) for session, when in sessions]
    damage: list[str] = []
    found = connections.connections(framing.entries(_readable(source, damage)))
    for connection in found:
        for candidate in candidates:
            candidate.offer(connection)
    counts = (found.lines, found.count, found.unknown, found.unassigned)
    return Read(LogFile(source.name, tuple(found.servers), *counts, "".join(damage) or None), candidates)


def _readable(source: inputs.Source, damage: list[str]) -> Iterator[bytes]:
    """The text of a log; at damage it ends, so that the connections that are open then are not lost."""
    try:
        yield from inputs.read_text(source.chunks()).blocks
    except UnreadableInput as error:
        damage.append(error.reason)


class _Side:
    """What the logs say of one session."""

    def __init__(self, session: Session, read: Sequence[Read], number: int, hide: Hide) -> None:
        self._session, self._hide = session, hide
        self._found = [(one.file, candidates.choose(one.candidates[number])) for one in read]

    def session(self) -> Session:
        """The session with its server's side, and with the cause that both sides support."""
        matches = [(file, match) for file, match in self._found if isinstance(match, Match)]
        if not matches:
            why = "; ".join(f"{file.name}: {match}" for file, match in self._found)
            return replace(self._session, no_server=why or None)
        file, match = max(matches, key=lambda found: found[1].fit.weight)
        found = [reason for reason in reasons.of(match.fit.connection) if self._is_about(reason)]
        side = self._side(file, match, found)
        session = replace(self._session, server=side)
        if match.certainty == "possible" and not _agree(match, found):
            return session
        return decided(session, found, side)

    def _is_about(self, reason: reasons.Reason) -> bool:
        """Whether a reason that follows from what the log does not say fits what the trace shows."""
        root = self._session.root
        return not reason.implied or root is None or bool({root.id, *_open_rivals(root)} & {*reason.explains})

    def _side(self, file: LogFile, match: Match, found: Sequence[reasons.Reason]) -> ServerSide:
        connection = match.fit.connection
        clock = _clock(match.fit)
        lines = [self._line(file, event, clock) for event in connection.events]
        omitted = max(len(lines) - _HEAD_LINES - _TAIL_LINES, 0)
        kept = lines if not omitted else lines[:_HEAD_LINES] + lines[-_TAIL_LINES:]
        return ServerSide(
            file=file.name,
            server=connection.server,
            certainty=match.certainty,
            because=tuple(agreement.what for agreement in match.fit.agreements),
            runner_up=_runner_up(match),
            clock=clock,
            lines=tuple(kept),
            lines_omitted=omitted + connection.beyond,
            unknown_lines=len(connection.all("unknown")),
            reasons=tuple(self._reason(file, reason) for reason in found),
            contradictions=tuple(contradictions(self._session, connection)),
        )

    def _line(self, file: LogFile, event: Event, clock: Clock | None) -> ServerLine:
        quote = self._quote(file, event)
        time = event.stamp.seconds - clock.offset if event.stamp is not None and clock is not None else None
        return ServerLine(quote.file, quote.line, quote.time, quote.text, event.name, time)

    def _quote(self, file: LogFile, event: Event) -> LogQuote:
        time = event.stamp.at(event.stamp.seconds) if event.stamp is not None else None
        return LogQuote(file.name, event.line, time, self._hide(event.text))

    def _reason(self, file: LogFile, reason: reasons.Reason) -> ServerReason:
        return ServerReason(
            id=reason.id,
            summary=self._hide(reason.summary),
            evidence=tuple(self._quote(file, event) for event in reason.events[:12]),
            advice=tuple(Advice(cast(Who, who), self._hide(action)) for who, action in reason.advice),
        )


def _clock(fit: Fit) -> Clock | None:
    stamp: Stamp | None = next((e.stamp for e in fit.connection.events if e.stamp is not None), None)
    if fit.offset is None or stamp is None:
        return None
    low, high = fit.offset
    return Clock((low + high) / 2, stamp.zone, stamp.has_year, (high - low) / 2)


def _runner_up(match: Match) -> str | None:
    if not match.close:
        return None
    other, count = match.close[0].connection, len(match.close) - 1 + match.others
    more = f", and {count} more" if count else ""
    return f"lines {other.first_line} to {other.last_line} fit almost as well{more}"


def _agree(match: Match, found: Sequence[reasons.Reason]) -> bool:
    """Whether all connections that are close have the same reason."""
    ids = {reason.id for reason in found}
    return not match.others and all({r.id for r in reasons.of(other.connection)} >= ids for other in match.close)


# -- what the log decides


def decided(session: Session, found: Sequence[reasons.Reason], side: ServerSide) -> Session:
    """The session with the cause that its trace and its server's log both allow."""
    explaining = [(reason, shown) for reason, shown in zip(found, side.reasons, strict=True) if reason.explains]
    if not explaining or session.verdict == "healthy":
        return session
    reason, shown = explaining[0]
    root = session.root
    if root is None:
        return _explained(session, reason, shown) if session.verdict in ("unexplained", "insufficient") else session
    narrower = _of_list(reason)
    if narrower is not None and root.id == "kex-no-common-algorithm":
        return _promoted(session, narrower, shown)
    if root.id in reason.explains:
        return _confirmed(session, root, reason, shown)
    likely = _open_rivals(root)
    last = session.auth[-1] if session.auth and root.phase == "auth" else None
    if not reason.implied and last is not None and (last.method, last.outcome) == ("publickey", "refused"):
        likely = (*likely, "auth-publickey-rejected")
    promoted = [id for id in dict.fromkeys(likely) if id in reason.explains and rules.rule(id) is not None]
    if root.phase != "client" and reason.id != "server-method-missing" and len(promoted) == 1:
        return _promoted(session, promoted[0], shown)
    others = [pair for pair in explaining if root.id in pair[0].explains]
    return _confirmed(session, root, *others[0]) if others else session


def _confirmed(session: Session, root: Finding, reason: reasons.Reason, shown: ServerReason) -> Session:
    """The same cause: its rivals are ruled out, and the server's advice is that of its reason."""
    rivals = tuple(_ruled_out(rival, root.id, reason, shown) for rival in root.rivals)
    own = tuple(advice for advice in root.advice if advice.who != "server")
    return _with_root(session, replace(root, rivals=rivals, advice=(*shown.advice, *own)))


_LISTS = {"kex": "kex", "hostkey": "hostkey", "cipher": "cipher", "mac": "mac", "comp": "compression"}


def _open_rivals(root: Finding) -> tuple[str, ...]:
    """The causes that the trace alone does not rule out."""
    return tuple(rival.id for rival in root.rivals if not rival.because.startswith("ruled out"))


def _of_list(reason: reasons.Reason) -> str | None:
    """The cause that the log names with the list that has no common member."""
    kinds = [str(event.fields.get("kind", "")).partition("_")[0] for event in reason.events]
    named = [_LISTS[kind] for kind in kinds if kind in _LISTS]
    return f"kex-no-common-{named[0]}" if reason.id == "server-no-common-algorithm" and named else None


def _ruled_out(rival: Rival, root: str, reason: reasons.Reason, shown: ServerReason) -> Rival:
    if rival.id in reason.explains or rival.because.startswith("ruled out"):
        return rival
    return Rival(rival.id, f"ruled out by the server's log: {shown.summary}")


def _with_root(session: Session, root: Finding) -> Session:
    notices = session.findings[1:] if session.root is not None else session.findings
    return replace(session, findings=(root, *notices), root_cause=root.id, verdict="cause")


def _evidence(shown: ServerReason) -> tuple[Quote, ...]:
    return tuple(Quote(quote.line, quote.text, quote.file) for quote in shown.evidence)


def _promoted(session: Session, id: str, shown: ServerReason) -> Session:
    """Another cause than the likeliest one by the trace alone."""
    root = session.root
    assert root is not None
    likeliest = Rival(root.id, f"the likeliest by the trace alone; ruled out by the server's log: {shown.summary}")
    rivals = (likeliest, *(rival for rival in root.rivals if rival.id != id))
    evidence = (*_evidence(shown), *root.evidence)
    return _with_root(session, _finding(id, shown, evidence, rivals))


def _explained(session: Session, reason: reasons.Reason, shown: ServerReason) -> Session:
    """A cause for what the trace alone does not explain."""
    able = [id for id in reason.explains if rules.rule(id) is not None]
    if len(able) != 1:
        return session
    finding = _finding(able[0], shown, _evidence(shown), ())
    evidence = (session.unexplained,) if session.unexplained is not None else ()
    return replace(_with_root(session, replace(finding, evidence=(*finding.evidence, *evidence))), unexplained=None)


def _finding(id: str, shown: ServerReason, evidence: tuple[Quote, ...], rivals: tuple[Rival, ...]) -> Finding:
    rule = rules.rule(id)
    assert rule is not None
    return Finding(id, "cause", rule.phase, shown.summary, "server-log", evidence, shown.advice, rivals)


# -- where both sides do not agree


def contradictions(session: Session, connection: Connection) -> Iterator[str]:
    """What one side says and the other denies."""
    accepted = [a for a in session.auth if a.outcome == "accepted"]
    failed = connection.all("attempt_failed")
    if accepted and failed and not connection.all("attempt_accepted") and connection.ended:
        yield "the trace shows an accepted login, the log none"
    lost = session.root_cause == "transport-connection-lost"
    if lost and connection.all("client_closed") and not connection.all("server_disconnected"):
        yield (
            "each side says that the other one closed the connection: a firewall, NAT or load balancer between them "
            "may have cut it"
        )
