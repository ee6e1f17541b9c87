"""The sessions of a stream that may still continue, and which of them is the current one."""

from collections.abc import Callable

from tracelens.sessions.beginnings import is_closed_silently, is_left, is_outlasted, is_restart
from tracelens.sessions.interleaved.packets import IMPOSSIBLE
from tracelens.sessions.state import Observer, State
from tracelens.sessions.unanswered import GAVE_UP

# More open sessions than this are not distinguished; the oldest that never ended was abandoned.
OPEN_AT_ONCE = 16
# More sessions than this, and one more for so many lines, are not separated: a session that got anywhere is longer.
_SESSIONS, _LINES_A_SESSION = 5_000, 32
# A server takes less than so many seconds for an answer to a login.
_REOPENED = 5.0


class OpenSessions:
    """The states of the sessions that were begun, and of those that are open.

    `interleaved` counts how often the active session changed, `restarts` how often the clock restarted, `unparted` how
    many sessions were left in the one before them because of a limit.
    """

    def __init__(self, observer: Observer | None = None, others: int = 0) -> None:
        self.begun: list[State] = []
        self.states: list[State] = []
        self.active: State | None = None
        self.closed: list[State] = []  # what `leave_closed` left, and may have left wrongly
        self.interleaved = 0
        self.restarts = 0
        self.unparted = 0
        self._observer = observer
        self._others = others

    def copy(self, copied: dict[int, State]) -> "OpenSessions":
        """Return the same sessions with copies of their states, by the id of each state; nobody watches them."""
        copy = OpenSessions()
        copy.states = [copied[id(state)] for state in self.states]
        copy.active = copied[id(self.active)] if self.active is not None else None
        return copy

    def current_first(self) -> list[State]:
        """The open sessions, the current one first."""
        return sorted(self.states, key=lambda state: state is not self.active)

    def start(self, line: int, time: float | None, last_line: int) -> State:
        """Begin a session, and return its state; or the current one's where the trace has too many for its lines."""
        if self.active is not None and self._others + len(self.begun) >= _SESSIONS + last_line // _LINES_A_SESSION:
            self.unparted += 1
            self.states = [self.active]
            return self.active
        state = State.begin(line, time, self._observer)
        self.begun.append(state)
        self.states = [*[s for s in self.states if not is_left(s, time)][1 - OPEN_AT_ONCE :], state]
        self.active = state
        return state

    def is_at_end(self, state: State) -> bool:
        """Whether the trace ends in the midst of a session: it is open, and the current one or not silent for long."""
        if state.closed or state not in self.states:
            return False
        if state is self.active:
            return True
        now = max((other.clock for other in self.states if other.clock is not None), default=None)
        return now is None or state.clock is None or now - state.clock < GAVE_UP

    def activate(self, state: State) -> None:
        """Make a session the current one."""
        if not state.freed and self.active is not None and not self.active.freed:
            self.interleaved += 1
        self.active = state

    def notice_restart(self, state: State, time: float | None) -> bool:
        """Count a restart of the clock, which no session outlives."""
        if not is_restart(state, time):
            return False
        self.restarts += 1
        self.states = []
        return True

    def leave_closed(self, state: State, time: float | None) -> None:
        """Close the sessions whose socket has the number of the session that starts: it was closed before.

        But several processes, whose lines a log mixes, have the same numbers: see `reopen`.
        """
        self.closed = [one for one in self.states if one is not state and is_closed_silently(one, state.socket, time)]
        self.states = [one for one in self.states if one not in self.closed]

    def reopen(self, score: Callable[[State], float], time: float | None) -> None:
        """Open a session again that was closed only because of its socket, if an item can be of no other one."""
        if time is not None:
            self.closed = [one for one in self.closed if one.clock is None or time - one.clock < _REOPENED]
        if any(score(state) > IMPOSSIBLE for state in self.states):
            return
        for state in [one for one in self.closed if score(one) > IMPOSSIBLE]:
            self.closed.remove(state)
            self.states.append(state)

    def leave_outlasted(self, state: State, authenticated: bool) -> None:
        """Close the sessions that a session outlasted, once it has logged in.

        Args:
            state: the session.
            authenticated: whether it was logged in before its last event.
        """
        if len(self.states) > 1 and state.session.login.authenticated and not authenticated:
            self.states = [other for other in self.states if other is state or not is_outlasted(other, state)]
