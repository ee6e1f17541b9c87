"""Whose turn it is, where several sessions are open: of those that an item fits alike, one."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from tracelens.libssh2.events import Event
from tracelens.reader import Item, Record, Run
from tracelens.sessions.error_texts import method_answered
from tracelens.sessions.state import State

Wait = Literal["", "answered", "given up"]
# Who has waited for so many seconds was rather abandoned than is next.
_OVERDUE = 1.0
# The client's number of a channel, as the folded texts print it with the server's: "channel 1/1", "from 1/1/0".
_CHANNEL = re.compile(r" (?:channel|from|for) (\d{1,10})/\d")


def best_of(states: Sequence[State], speaker: State | None, fit: Callable[[State], int], wait: Wait = "") -> State:
    """The open session that an item fits best.

    Where several fit alike: the one that spoke last, unless it waits; then the one that has waited longest, since
    servers answer in the order in which they were asked. Logins are no such queue: each takes its own time. And
    who has waited for long was rather abandoned.

    Args:
        states: the open sessions, at least one.
        speaker: the one that spoke last.
        fit: how well the item continues a session's story.
        wait: what it does to the wait of its session, which counts from when that began to look for the answer.
    """
    now = max((state.clock for state in states if state.clock is not None), default=None)

    def rank(state: State) -> tuple[int, bool, bool, int]:
        since = state.wait_started_line if wait else state.blocked_line
        since = 0 if state.phase == "auth" and state.session.attempts and wait != "given up" else since
        if since and now is not None and state.wait_started is not None and now - state.wait_started > _OVERDUE:
            since = 0
        speaks_on = state is speaker and not since
        return (fit(state), speaks_on, bool(since), -since if since else state.session.last_line)

    return max(states, key=rank)


def method_told(ahead: Iterable[Item]) -> str | None:
    """The login method whose end these items tell of next."""
    for item in ahead:
        if isinstance(item, Record) and item.context in ("Userauth", "Failure Event"):
            return method_answered(item.text)
    return None


def spokesman(run: Run) -> Event:
    """A run is short where sessions take turns: its first kind speaks for it, and the channel that it ends on."""
    message = next(iter(run.retries), "")
    name = "failure_event.failure" if message else next(iter(run.counts))
    context = "Failure Event" if message else "Conn" if name.startswith("conn.") else "SFTP"
    fields: dict[str, int | str | tuple[str, ...]] = {"message": message}
    if (channel := _CHANNEL.search(run.last_text)) is not None:
        fields["channel"] = int(channel[1])
    return Event(run.first_line, run.started, context, name, fields, message)
