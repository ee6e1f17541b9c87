"""What the server's log says of a session, in words that all reports share."""

from collections.abc import Iterator
from typing import NamedTuple

from tracelens.analysis import Advice, Analysis, Quote, Session
from tracelens.analysis.document import LogFile, LogQuote, ServerReason, ServerSide
from tracelens.analysis.places import HasPlace, at
from tracelens.analysis.time_of_day import by_server

_SURE = {"certain": "certainly", "likely": "most likely", "possible": "possibly"}
_OVER = {"cause": "failed", "unexplained": "failed"}
# A longer name of a log is cut.
_NAME = 32
# Evidence of a reason that is shown without -v.
_SHOWN = 3
# Lines that are shown of a connection without a reason.
_ENDING = 4
# The first lines of a connection that the document keeps, if it does not keep all.
FIRST_LINES = 160
# A clock that may be wrong by less than this is not said to be.
_EXACT = 0.05


class Row(NamedTuple):
    """A piece of a terminal's text: its label, what stands before each of its lines, and the text."""

    label: str
    lead: str
    text: str


def base(name: str) -> str:
    """The name of a log without its folder or archive."""
    own = name.replace("\\", "/").rpartition("!")[2].rpartition("/")[2] or name
    own = own if own.isprintable() else "".join(c if c.isprintable() else "?" for c in own)
    return own if len(own) <= _NAME else f"{own[: _NAME - 3]}..."


def spot(part: HasPlace | LogQuote) -> str:
    """Where a quote is: `line 12`, or `auth.log, line 14` where that is not the trace."""
    if isinstance(part, LogQuote):
        return f"{base(part.file)}, line {part.line}"
    name = base(part.file) if isinstance(part, Quote) else ""
    return f"{name}, line {part.line}" if name else f"line {at(part)}"


def times(session: Session) -> str:
    """When the session began and ended, by the server's clock; empty where that is unknown."""
    clock = session.server.clock if session.server is not None else None
    began, ended = by_server(clock, session.started), by_server(clock, _end(session))
    if clock is None or began is None or ended is None:
        return ""
    day, _, hour = ended.rpartition(" ")
    same_day = began.startswith(f"{day} ")
    error = f", give or take {clock.error:.1f} s" if clock.error >= _EXACT else ""
    zone = "" if clock.zone is not None else " (the log names no zone)"
    last = (hour[:8] if same_day else ended) if ended != began else "the same second"
    return f"began {began}, {_OVER.get(session.verdict, 'ended')} {last} by the server's clock{zone}{error}"


def _end(session: Session) -> float | None:
    final = session.final_error
    step = next((s for s in session.steps if final is not None and s.line == final.line), None)
    return step.time if step is not None and step.time is not None else session.ended


def match(side: ServerSide) -> str:
    """Which connection of the log it is, how sure that is, and because of what."""
    because = f": {'; '.join(side.because)}" if side.because else ""
    span = f", lines {side.lines[0].line} to {side.lines[-1].line}," if side.lines else ""
    unknown = f". The text of {side.unknown_lines} of them is not known" if side.unknown_lines else ""
    runner_up = f". But {side.runner_up}" if side.runner_up else ""
    return (
        f"{base(side.file)} ({side.server}){span} is {_SURE[side.certainty]} this session{because}{unknown}{runner_up}"
    )


def leading(session: Session) -> ServerReason | None:
    """The reason that the log gives for the failure; None where it gives none, or is perhaps of another."""
    side = session.server
    if side is None or not side.reasons or session.verdict == "healthy":
        return None
    root = session.root
    if root is not None and root.basis == "server-log":
        return side.reasons[0]
    if side.certainty == "possible":
        return None
    from tracelens.logs.reasons import pages

    known = pages()
    explains = {reason.id: known[reason.id].explains if reason.id in known else () for reason in side.reasons}
    return next((r for r in side.reasons if (root.id in explains[r.id] if root else explains[r.id])), None)


def advice(session: Session, *, all: bool = False) -> tuple[Advice, ...]:
    """Who should do what: what mends the reason that the server's log gives; without one, what the cause advises.

    Args:
        session: the session.
        all: whether the advice of the cause follows that of the reason.
    """
    reason = leading(session)
    first = reason.advice if reason is not None else ()
    others = session.root.advice if session.root is not None and (all or not first) else ()
    return (*first, *(entry for entry in others if entry not in first))


def sentence(session: Session) -> str:
    """The reason that the log gives, in a sentence; empty without one, or where the cause's own sentence is that."""
    reason = leading(session)
    said = session.root.summary if session.root is not None else ""
    return f"The server's log: {reason.summary}" if reason is not None and reason.summary != said else ""


def is_asked(session: Session) -> bool:
    """Whether the other side should still look for lines in its log: not where that has given the reason."""
    return session.ask is not None and bool(session.ask.log) and leading(session) is None


def rows(session: Session, verbosity: int) -> Iterator[Row]:
    """The server's side on a terminal."""
    if session.no_server:
        yield Row("Server log", "", f"this session is not in it. {session.no_server}")
    side = session.server
    if side is None:
        return
    yield Row("Server log", "", match(side))
    if when := times(session):
        yield Row("", "", f"{when[0].upper()}{when[1:]}")
    yield from _reasons(session, side, verbosity)
    for number, line in enumerate(() if side.reasons or verbosity else side.lines[-_ENDING:]):
        yield Row("" if number else "It ends", f"line {line.line}  ", with_time(line))
    for number, text in enumerate(side.contradictions):
        yield Row("" if number else "But", "", text)


def _reasons(session: Session, side: ServerSide, verbosity: int) -> Iterator[Row]:
    label = "Perhaps" if side.certainty == "possible" and leading(session) is None else "Reason"
    for number, reason in enumerate(side.reasons):
        yield Row("" if number else label, "", f"{reason.summary} ({reason.id})")
        for quote in reason.evidence if verbosity else reason.evidence[:_SHOWN]:
            yield Row("", f"line {quote.line}  ", with_time(quote))


def all_lines(session: Session) -> Iterator[Row]:
    """The lines of the connection in the server's log, on a terminal."""
    side = session.server
    if side is None:
        return
    for number, line in enumerate(side.lines):
        if side.lines_omitted and number == FIRST_LINES:
            yield Row("", "", left_out(side))
        yield Row("" if number else "Log lines", f"line {line.line}  ", with_time(line))


def left_out(side: ServerSide) -> str:
    """How many lines are not in the document."""
    return f"{side.lines_omitted} more lines are not kept"


def with_time(quote: LogQuote) -> str:
    """The text of a line of a log, after its time."""
    return f"{quote.time}  {quote.text}" if quote.time else quote.text


def log_file(file: LogFile) -> str:
    """What a log holds."""
    unknown = f"; the text of {file.unknown_lines} is not known" if file.unknown_lines else ""
    count = f"{file.connections} connection{'' if file.connections == 1 else 's'}"
    return f"{base(file.name)} ({', '.join(file.servers)}): {count} in {file.lines} lines{unknown}"


def log_files(analysis: Analysis) -> Iterator[Row]:
    """The logs that were read, on a terminal."""
    for number, file in enumerate(analysis.server_logs):
        yield Row("" if number else "Logs", "", log_file(file))
        if file.damage:
            yield Row("", "", f"{base(file.name)} is damaged, only its readable part was read: {file.damage}")
