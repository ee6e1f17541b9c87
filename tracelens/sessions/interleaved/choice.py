"""Breaks ties between open sessions that an item fits equally well."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from tracelens.libssh2.errors import method_answered
from tracelens.libssh2.events import Event
from tracelens.reader import Item, Run
from tracelens.sessions.state import State

WaitEnd = Literal["", "answered", "given up"]
# A session that has waited longer than this many seconds was probably abandoned.
_OVERDUE = 1.0
# Texts about what a server sent; and errors that end a wait: timed out, socket disconnected, nothing received.
_ANSWERS = {"transport.packet_received", "transport.banner_received"}
_ENDS_OF_WAITS = (-9, -13, -43)
_OVERDUE_IN_TEXT = 0.2  # where the trace shows no start and so no end: the session before is over
# The client's number of a channel, as the folded texts print it with the server's: "channel 1/1", "from 1/1/0".
_CHANNEL = re.compile(r" (?:channel|from|for) (\d{1,10})/\d")


def pick_session(
    states: Sequence[State], active: State | None, score: Callable[[State], float], wait_end: WaitEnd = ""
) -> State:
    """The open session with the best score.

    Among equals: the active one, unless it waits; then the one that has waited longest, since servers answer requests
    in order. Logins are no such queue: each takes its own time. A session that has waited too long was abandoned.

    Args:
        states: the open sessions, at least one.
        active: the one that the last item belongs to.
        score: how well the item continues a session.
        wait_end: how the item ends the wait of its session, which began when that first looked for the answer.
    """
    now = max((state.clock for state in states if state.clock is not None), default=None)

    def rank(state: State) -> tuple[float, bool, bool, int]:
        since = state.wait_started_line if wait_end else state.blocked_line
        since = 0 if state.phase == "auth" and state.session.login.attempts and wait_end != "given up" else since
        overdue = _OVERDUE if state.session.saw("transport.session_startup") else _OVERDUE_IN_TEXT
        if since and now is not None and state.wait_started is not None and now - state.wait_started > overdue:
            since = 0
        continues = state is active and not since
        return (score(state), continues, bool(since), -since if since else state.session.last_line)

    return max(states, key=rank)


def wait_end_of(event: Event) -> WaitEnd:
    """How an event ends the wait of its session."""
    if event.name in _ANSWERS:
        return "answered"
    return "given up" if event.fields.get("code") in _ENDS_OF_WAITS else ""


def next_answered_method(ahead: Iterable[Item]) -> str | None:
    """The login method whose answer these items report next."""
    for item in ahead:
        if isinstance(item, Event) and item.context in ("Userauth", "Failure Event"):
            return method_answered(item.text)
    return None


def representative_event(run: Run) -> Event:
    """One event for a run, which is short while sessions interleave: its first kind, its last text's channel."""
    message = next(iter(run.retries), "")
    name = "failure_event.failure" if message else next(iter(run.counts))
    context = "Failure Event" if message else "Conn" if name.startswith("conn.") else "SFTP"
    fields: dict[str, int | str | tuple[str, ...]] = {"message": message}
    if (channel := _CHANNEL.search(run.last_text)) is not None:
        fields["channel"] = int(channel[1])
    return Event(run.first_line, run.started, context, name, fields, message)
