"""Whose turn it is, where several sessions are open: of those that an item fits alike, one."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from tracelens.libssh2.events import Event
from tracelens.reader import Item, Run
from tracelens.sessions.error_texts import method_answered
from tracelens.sessions.track import Track

Wait = Literal["", "answered", "given up"]
# Who has waited for so many seconds was rather abandoned than is next.
_OVERDUE = 1.0
# The client's number of a channel, as the folded texts print it with the server's: "channel 1/1", "from 1/1/0".
_CHANNEL = re.compile(r" (?:channel|from|for) (\d{1,10})/\d")


def best_of(tracks: Sequence[Track], speaker: Track | None, fit: Callable[[Track], int], wait: Wait = "") -> Track:
    """The open session that an item fits best.

    Where several fit alike: the one that spoke last, unless it waits; then the one that has waited longest, since
    servers answer in the order in which they were asked. Logins are no such queue: each takes its own time. And
    who has waited for long was rather abandoned.

    Args:
        tracks: the open sessions, at least one.
        speaker: the one that spoke last.
        fit: how well the item continues a session's story.
        wait: what it does to the wait of its session, which counts from when that began to look for the answer.
    """
    now = max((track.clock for track in tracks if track.clock is not None), default=None)

    def rank(track: Track) -> tuple[int, bool, bool, int]:
        since = track.asked_line if wait else track.blocked_line
        since = 0 if track.phase == "auth" and track.session.attempts and wait != "given up" else since
        if since and now is not None and track.asked_time is not None and now - track.asked_time > _OVERDUE:
            since = 0
        speaks_on = track is speaker and not since
        return (fit(track), speaks_on, bool(since), -since if since else track.session.last_line)

    return max(tracks, key=rank)


def method_told(ahead: Iterable[Item]) -> str | None:
    """The login method whose end these items tell of next."""
    for item in ahead:
        if isinstance(item, Event) and item.context in ("Userauth", "Failure Event"):
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
