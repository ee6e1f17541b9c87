"""Moments of a trace by the clock of the server's log."""

from datetime import UTC, datetime, timedelta

from tracelens.analysis.document import Analysis, Clock, Session

_ZERO = datetime(1970, 1, 1, tzinfo=UTC)


def of_session(session: Session) -> Clock | None:
    """The clock of the server's log; None where it is not known, or the log's connection is perhaps another session."""
    side = session.server
    return side.clock if side is not None and side.certainty != "possible" else None


def clocks(analysis: Analysis) -> dict[int, Clock]:
    """The clocks of the sessions by their numbers; those that are not sure are left out."""
    found = {session.number: of_session(session) for session in analysis.sessions}
    return {number: clock for number, clock in found.items() if clock is not None}


def by_server(clock: Clock | None, seconds: float | None, *, fraction: bool = False) -> str | None:
    """A moment of the trace, such as `2026-11-28 08:15:01+01:00`, `Nov 28 08:15:01`; None where that is unknown.

    Args:
        clock: how the trace's clock stands to that of the log.
        seconds: the moment on the trace's clock.
        fraction: whether milliseconds are given.
    """
    if clock is None or seconds is None:
        return None
    try:
        moment = _ZERO + timedelta(seconds=seconds + clock.offset, minutes=clock.zone or 0)
    except (OverflowError, ValueError):
        return None
    text = moment.strftime("%Y-%m-%d %H:%M:%S" if clock.has_year else "%b %d %H:%M:%S")
    text += f".{moment.microsecond // 1000:03}" if fraction else ""
    if clock.zone is None:
        return text
    hours, minutes = divmod(abs(clock.zone), 60)
    return f"{text}{'-' if clock.zone < 0 else '+'}{hours:02}:{minutes:02}"


def in_utc(clock: Clock | None, seconds: float | None) -> str | None:
    """A moment of the trace in UTC (RFC 3339); None where the log does not name its year or zone."""
    if clock is None or clock.zone is None or not clock.has_year or seconds is None:
        return None
    try:
        moment = _ZERO + timedelta(seconds=seconds + clock.offset)
    except (OverflowError, ValueError):
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
