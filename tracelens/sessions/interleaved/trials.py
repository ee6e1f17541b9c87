"""Tries out to which of several sessions an item belongs: the items after it contradict a wrong choice."""

import copy
import pickle
from collections.abc import Iterable
from itertools import islice
from typing import TypeVar

from tracelens.libssh2.events import Event
from tracelens.libssh2.repeats import FAILURE
from tracelens.sessions.interleaved.packets import IMPOSSIBLE, POSSIBLE, UNLIKELY
from tracelens.sessions.model import RECENT
from tracelens.sessions.session import Session
from tracelens.sessions.state import State

Key = TypeVar("Key")
Value = TypeVar("Value")

# So small a difference between the costs of two choices says nothing about a session's result.
SLIGHT = 2
# The numbers of messages that decide what becomes of a session: disconnect, and the answers to a login.
_ANSWERS = (1, 51, 52)
# An error that comes within so many seconds of its session's last record did not end a wait.
_AT_ONCE = 0.001

# What an item counts that fits its session so well; one that fits no session at all shows that something went wrong.
_COSTS = {IMPOSSIBLE: 20, UNLIKELY: 5, POSSIBLE: 1}


def cost_of(score: float) -> int:
    """How much an item contradicts that its session is what it is taken for."""
    return _COSTS.get(int(score), 0)


def decides(event: Event, state: State) -> bool:
    """Whether a result hangs on the event: an answer to a login or the look for one, a disconnect, an error."""
    if event.name == FAILURE:
        return event.time is not None and state.clock is not None and event.time - state.clock > _AT_ONCE
    return event.fields.get("type") in _ANSWERS


def are_different(states: list[State]) -> bool:
    """Whether it matters which of the sessions an event belongs to."""
    return len({_identity(state.session) for state in states}) > 1


def _identity(session: Session) -> tuple[object, ...]:
    attempts = tuple(attempt.method for attempt in session.login.attempts[-RECENT:])
    return session.login.user, session.banner.server, attempts


def copies(states: Iterable[State]) -> dict[int, State]:
    """Copies of the states by the id of each: they have what decides about the next items, and nobody watches them."""
    known = {id(state): state for state in states}
    # States refer to each other's parts nowhere; within one, the same attempt or channel stays the same object.
    bare = pickle.dumps([_bare(state) for state in known.values()])
    return dict(zip(known, pickle.loads(bare), strict=True))  # noqa: S301 - made on the line before


def _bare(state: State) -> State:
    bare, session = copy.copy(state), copy.copy(state.session)
    bare.observer, bare.session, bare.known_secrets = None, session, set()
    for name in ("channel_by_number", "own_numbers", "sftp_streams", "open_operations", "close_handles"):
        setattr(bare, name, _latest(getattr(bare, name)))
    session.waits, session.sftp = _latest(session.waits), copy.copy(session.sftp)
    session.sftp.unanswered = _latest(session.sftp.unanswered)
    session.secrets, session.packet_lines, session.phases = [], set(), session.phases[-1:]
    for name in ("channels", "operations", "failures", "disconnects"):
        setattr(session, name, getattr(session, name)[-RECENT:])
    session.login = copy.copy(session.login)
    session.login.attempts = session.login.attempts[-RECENT:]
    session.login.messages = session.login.messages[-RECENT:]
    return bare


def _latest(entries: dict[Key, Value]) -> dict[Key, Value]:
    """A copy of the last entries."""
    return dict(islice(reversed(entries.items()), RECENT)) if len(entries) > RECENT else dict(entries)
