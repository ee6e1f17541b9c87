"""What reports say of the server's side of a session: sentences for a terminal, for Markdown and for HTML."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

from tracelens.analysis import Session
from tracelens.analysis.document import Clock, LogFile, LogQuote, ServerReason, ServerSide

_CERTAINTIES = {
    "certain": "certainly this session",
    "likely": "most likely this session",
    "possible": "perhaps this session",
}
# Of a reason as many lines are shown, and of a connection without a reason.
QUOTES, LINES = 3, 6


def which(side: ServerSide) -> str:
    """Which lines of which log the session is, how sure that is, and why."""
    lines = (
        f"lines {side.lines[0].line} to {side.lines[-1].line}" if len(side.lines) > 1 else f"line {side.lines[0].line}"
    )
    unknown = f"; {side.unknown_lines} of them have a text that is not known" if side.unknown_lines else ""
    return f"{side.file} ({side.server}), {lines}: {_CERTAINTIES[side.certainty]}{unknown}"


def because(side: ServerSide) -> str:
    """What the trace and the log have in common, and the runner-up."""
    common = "; ".join(side.because)
    return f"{common}. But {side.runner_up}" if side.runner_up else common


def shown(side: ServerSide) -> tuple[ServerReason, ...]:
    """The reasons that are shown, the decisive one first."""
    return side.reasons[:2]


def quotes(side: ServerSide) -> tuple[LogQuote, ...]:
    """The lines that are shown: those of the reasons, or the last ones."""
    found = [quote for reason in shown(side) for quote in reason.evidence[-QUOTES:]]
    return tuple(dict.fromkeys(found)) or side.lines[-LINES:]


def quote(line: LogQuote) -> str:
    """A line of the log, with its own time."""
    return f"{line.time}  {line.text}" if line.time else line.text


def times(session: Session) -> str:
    """When the session began and ended, by the server's clock; empty where that is not known."""
    side = session.server
    if side is None or side.clock is None or session.started is None or session.ended is None:
        return ""
    began, ended = (of_day(side.clock, time) for time in (session.started, session.ended))
    end = ended if ended[:10] != began[:10] or not side.clock.has_year else ended[11:]
    verb = "failed" if session.failed else "ended"
    about = "" if side.clock.error <= 1 else f" (to {side.clock.error:.0f} s)"
    return f"began {began}, {verb} {end} by the server's clock{about}"


def of_day(clock: Clock, time: float) -> str:
    """A moment of the trace as the time of day of the server's log: `2026-11-28 08:15:01+01:00`, `Nov 28 08:15:01`."""
    moment = datetime.fromtimestamp(0, UTC) + timedelta(seconds=time + clock.offset)
    if clock.zone is not None:
        moment = moment.astimezone(timezone(timedelta(minutes=clock.zone)))
    text = moment.strftime("%Y-%m-%d %H:%M:%S" if clock.has_year else "%b %d %H:%M:%S")
    return text + moment.isoformat()[-6:] if clock.zone is not None else text


def files(logs: tuple[LogFile, ...]) -> Iterator[str]:
    """What each log holds."""
    for log in logs:
        unknown = f", {log.unknown_lines} with a text that is not known" if log.unknown_lines else ""
        damage = f"; damaged, only its readable part was read: {log.damage}" if log.damage else ""
        servers = ", ".join(log.servers)
        connections = f"{log.connections} connection{'' if log.connections == 1 else 's'}"
        yield f"{log.name}: {connections} of {servers} in {log.lines} lines{unknown}{damage}"
