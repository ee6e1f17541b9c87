"""Where lines of the server's log stand between the steps of a session: for the sequence chart."""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from math import inf

from tracelens.analysis import Attempt, Session
from tracelens.analysis.document import ServerLine, ServerSide

_QUIET = ("noted", "unknown", "kexinit", "exited", "key_tried")
_OUTCOMES = {"attempt_failed": "refused", "attempt_partial": "partial", "attempt_accepted": "accepted"}
_ENDS = ("client_disconnected", "client_closed", "session_closed", "exited")
_METHOD = re.compile(r"\b(password|publickey|keyboard-interactive|hostbased|gssapi-with-mic)\b")


def chosen(side: ServerSide, limit: int) -> list[ServerLine]:
    """The lines that a chart shows: those that prove a reason, and those that say what happened, at most `limit`."""
    proofs = {quote.line for reason in side.reasons for quote in reason.evidence}
    telling = [line for line in side.lines if line.event not in _QUIET or line.line in proofs]
    if len(telling) <= limit:
        return telling
    first, last = limit // 3, limit - limit // 3
    kept = {line.line for line in (*telling[:first], *telling[-last:])} | set(sorted(proofs)[:limit])
    return [line for line in telling if line.line in kept]


def placed(session: Session, lines: Sequence[ServerLine]) -> Iterator[tuple[int, ServerLine]]:
    """Each line with the number of steps that come before it.

    The order of the log is kept. A line stands where the clock says, but an attempt to log in between its request and
    its answer, and the first and the last line where they must be: a log that counts seconds says no more.
    """
    times = [-inf if step.time is None else step.time for step in session.steps]
    ordered = sorted(range(len(times)), key=times.__getitem__) == list(range(len(times)))
    bounds = _bounds(session, lines)
    before = 0
    for line in lines:
        low, high = bounds.get(line.line, (0, len(times)))
        at = bisect_right(times, line.trace_time) if line.trace_time is not None and ordered else low
        before = max(before, min(max(at, low), high))
        yield before, line


def _bounds(session: Session, lines: Sequence[ServerLine]) -> dict[int, tuple[int, int]]:
    """Number of a line of the log -> the least and the greatest number of steps that come before it."""
    count = len(session.steps)
    bounds: dict[int, tuple[int, int]] = {}
    named = _asked(session, session.auth[0]) if session.auth else 0
    used: set[int] = set()
    for line in lines:
        if line.event == "connected":
            bounds[line.line] = (0, 0)
        elif line.event in _ENDS:
            bounds[line.line] = (count, count)
        elif attempt := _attempt(session.auth, line, used):
            used.add(id(attempt))
            place = max(_asked(session, attempt), sum(step.line < attempt.last_line for step in session.steps))
            bounds[line.line] = (place, place)
        elif session.user and re.search(rf"(?<!\w){re.escape(session.user)}(?!\w)", line.text):
            bounds[line.line] = (named, count)  # no server knows the user before
    return bounds


def _asked(session: Session, attempt: Attempt) -> int:
    """How many steps there are up to the request of an attempt."""
    steps = session.steps
    request = next((n for n, s in enumerate(steps) if s.line >= attempt.line and s.sender == "client"), len(steps) - 1)
    return request + 1


def _attempt(attempts: Sequence[Attempt], line: ServerLine, used: set[int]) -> Attempt | None:
    """The attempt to log in that a line is about: the first of its method and outcome that no line before is about."""
    outcome = _OUTCOMES.get(line.event)
    method = _METHOD.search(line.text)
    if outcome is None or method is None:
        return None
    fitting = (a for a in attempts if a.method == method[1] and a.outcome == outcome and id(a) not in used)
    return next(fitting, None)
