"""Where a session begins and which ones are over: what tells it in each context, so that any part of the mask will do.

A session goes through its phases once, and each has texts of its own, so that a text of an earlier phase is the next
session's. Only a key exchange can come again: libssh2 prints "session_id calculated" for a session's first one alone.
"""

from collections.abc import Callable, Sequence

from tracelens.libssh2.errors import ErrorText, classify
from tracelens.libssh2.events import Event
from tracelens.libssh2.repeats import EAGAIN, FAILURE
from tracelens.reader.repeats import RESTART
from tracelens.sessions.model import RANK
from tracelens.sessions.state import State

# The events of a session that is set up and has not begun.
FRESH = {"conn.blocking_mode", "transport.new_session", "transport.local_banner_set", "transport.callback_set"}
_PREPARED = {*FRESH, FAILURE}
# What a program can have asked for before its session starts: known hosts, algorithms, an agent.
_PREPARATIONS = {"knownhosts", "session.method_unsupported", "agent", "agent_variable", "agent_socket", "pageant"}
# The errors that libssh2_session_startup() itself reports, in any code: they end the session.
_START_UP = {
    **dict.fromkeys(("banner.not_received", "banner.not_sent", "socket.blocking_mode", "socket.invalid"), "banner"),
    "kex.not_exchanged": "kex",
    "auth.service_not_granted": "auth",
}
# So many errors at most follow the one that ended the start-up, of the clean-up.
_NESTED = 8
# Errors closer together than this many seconds are one, reported by nested calls.
_SAME_ERROR = 0.005
# libssh2's socket errors: nothing more is sent or received.
_CONNECTION_LOST = (-7, -13, -43)
# A session whose last record is an error, and one with nothing to wait for, is over after so many seconds.
_AFTER_ERROR, _IDLE = 0.05, 0.2
# A program that tries another login does so in less than this many seconds.
_NEXT_LOGIN = 2.0
# A program that goes on after an error before the start does so in less than this many seconds.
_GOES_ON_WITHIN = 0.5
# One that waits for its server was abandoned after so many.
_LONGEST_WAIT = 30.0
# A session that says nothing for so long was killed, if another one starts with the number of its socket.
_CLOSED = 0.1


def is_fresh(state: State) -> bool:
    """Whether a session was set up and has not begun."""
    session = state.session
    if session.packets or session.waits or len(session.failures) > state.preparations:
        return False
    return session.lines.keys() <= (_PREPARED if state.preparations else FRESH)


def is_empty(state: State) -> bool:
    """Whether nothing is known of a session."""
    session = state.session
    return is_fresh(state) and not session.failures and session.last is None


def is_restart(state: State, time: float | None) -> bool:
    """Whether the clock restarted: it is a process's first second, or before the session. No session outlives that."""
    if time is None or state.clock is None or time >= state.clock - RESTART:
        return False
    started = state.session.started
    return time < 1.0 or (started is not None and time < started - RESTART)


def is_preparation(event: Event, sessions: Sequence[State]) -> bool:
    """Whether a program may have caused the record before its session starts: the next record tells whose it is."""
    if event.name == "conn.blocking_mode":
        return True
    if event.name != FAILURE or event.fields.get("code") == EAGAIN:
        return False
    if _PREPARATIONS.isdisjoint(_error(event).names):
        return _error(event).phase is None  # libssh2 reports what a failed step failed by before that step
    if _error(event).phase != "auth":
        return True
    # The agent is asked in a login.
    return not any(_logs_in(state) and not is_left(state, event.time) for state in sessions)


def is_reason(event: Event, following: Event) -> bool:
    """Whether an error tells what the error after it came of: libssh2 reports them at once."""
    if event.name != FAILURE or following.name != FAILURE or event.time is None or following.time is None:
        return False
    return following.fields.get("code") != EAGAIN and 0 <= following.time - event.time < _SAME_ERROR


def is_of_next(event: Event, following: Event) -> bool:
    """Whether what a program may have caused before a start belongs to the session that begins with the next record."""
    if event.name == FAILURE and _PREPARATIONS.isdisjoint(_error(event).names):
        return is_reason(event, following)
    return True


def _logs_in(state: State) -> bool:
    return state.session.kex.done and not state.session.login.authenticated


def is_own_failure(event: Event, following: Event | None) -> bool:
    """Whether a session failed by the error before it started: the program did not go on to start it."""
    if event.name != FAILURE or "knownhosts" in _error(event).names:
        return False
    if following is None or event.time is None or following.time is None:
        return False
    return not 0 <= following.time - event.time < _GOES_ON_WITHIN


def comes_before_start(event: Event) -> bool:
    """Whether only a session that has not started can report this."""
    return event.name == FAILURE and "session.method_unsupported" in _error(event).names


def is_set_up_again(state: State, event: Event, pause: float) -> bool:
    """Whether the event is of the next session that is set up, after one of which nothing else is known."""
    if event.name != "conn.blocking_mode" or not state.session.saw(event.name):
        return False
    return event.time is not None and state.clock is not None and not 0 <= event.time - state.clock < pause


def is_start(event: Event) -> bool:
    """Whether the record is of a session's start: what came before it was asked for before the session started."""
    if event.name == FAILURE:
        error = _error(event)
        return error.phase == "banner" or error.name in _START_UP
    return event.name == "key_ex.sent_kex" or (event.name in _CONTINUES and event.context == "Transport")


def _error(event: Event) -> ErrorText:
    return classify(str(event.fields.get("message", "")))


def has_ended(state: State, time: float | None = None) -> bool:
    """Whether a session can't go on: it was freed, the client disconnected, or its start-up failed."""
    if state.freed or state.closed:
        return True
    if state.phase not in ("banner", "kex", "auth"):
        return False
    failures = state.session.failures
    last = failures[max(state.preparations, len(failures) - _NESTED) :]
    fatal = next((f for f in last if state.phase == "banner" or f.error.name in _START_UP), None)
    if fatal is None:
        return False
    return fatal.time is None or time is None or not 0 <= time - fatal.time <= _SAME_ERROR


def is_left(state: State, time: float | None) -> bool:
    """Whether a session is over where another one begins, by what it did last and for how long it has been silent."""
    if state.freed:
        return True
    session = state.session
    if time is None or state.clock is None:
        return False
    silent = time - state.clock
    if shows_start(state):
        return silent > _LONGEST_WAIT  # where the start is traced, the end is
    if has_ended(state, time):
        return True
    if _failed_last(state):
        if session.failures[-1].code in _CONNECTION_LOST and not session.failures[-1].is_("agent"):
            return True
        return silent > (_AFTER_ERROR if RANK[state.phase] < RANK["channel"] else _IDLE)
    return silent > (_LONGEST_WAIT if not session.login.authenticated and _waits(state) else _IDLE)


def is_closed_silently(state: State, socket: object, time: float | None) -> bool:
    """Whether a session is over because another one starts with the number of its socket after a silence."""
    if state.socket is None or state.socket != socket or time is None or state.clock is None:
        return False
    return time - state.clock > _CLOSED


def _failed_last(state: State) -> bool:
    """Whether the last record of a session is an error."""
    failures, last = state.session.failures, state.session.last
    return bool(failures) and last is not None and failures[-1].line == last.line


def is_outlasted(state: State, other: State) -> bool:
    """Whether a session at work had nothing to say while another one began and logged in."""
    at_work = state.session.login.authenticated and not shows_start(state)
    return at_work and state.session.last_line < other.session.first_line


def follows_alone(held: Event, event: Event, state: State) -> bool:
    """Whether the next session begins with what is held, though the event after it is no session's first.

    It was killed, and the event is of the one after it; or it failed without a word of where.
    """
    if event.name == FAILURE:
        if event.fields.get("code") == EAGAIN or _error(event).phase is not None:
            return False
        return is_left(state, held.time) or _is_set_up_alike(state, held)
    return event.name == "conn.blocking_mode" and is_left(state, held.time)


def _is_set_up_alike(state: State, event: Event) -> bool:
    """Whether a session began with this record, and has not had it again: no program sets a mode that is set."""
    first = state.session.lines.get(event.name)
    return first is not None and first.line == state.session.first_line and first.text == event.text


def times_out_next(event: Event, state: State) -> bool:
    """Whether a time-out is the next session's: this one has failed, and asked for nothing since."""
    if event.name != FAILURE or "session.timeout" not in _error(event).names or shows_start(state):
        return False
    silent = event.time is not None and state.clock is not None and event.time - state.clock > _IDLE
    return _failed_last(state) and silent and RANK[state.phase] < RANK["channel"]


def shows_start(state: State) -> bool:
    """Whether the start of a session was traced: then the start of the next one is, too."""
    return state.session.saw("transport.session_startup")


def _waits(state: State) -> bool:
    """Whether a session waits for its server, as far as texts show it."""
    session, login = state.session, state.session.login.last_attempt
    exchanges = bool(session.kex.offers) and not session.kex.done
    return state.waiting or exchanges or (login is not None and login.pending and not session.login.authenticated)


def begins_session(event: Event, sessions: Sequence[State], first_exchange: bool | None) -> bool:
    """Whether the event is a new session's: none of the open sessions can go on with it.

    Args:
        event: the event.
        sessions: the open sessions, the current one first.
        first_exchange: whether a "Sent KEX" begins the first key exchange of its session, where later records tell.
    """
    continues = _exchanges(first_exchange) if event.name == "key_ex.sent_kex" else _CONTINUES.get(event.name)
    if event.name == FAILURE and _handshake_phase(event) is None:
        return bool(sessions) and all(times_out_next(event, state) for state in sessions)
    if continues is None:
        return False
    here = [state for state in sessions if not has_ended(state, event.time)]
    if len(here) > 1 and event.name not in STARTS and any(map(shows_start, here)):
        return False  # it may be the other session's
    return not any(is_fresh(state) or continues(state, event) for state in here)


Continues = Callable[[State, Event], bool]


def _exchanges(first: bool | None) -> Continues:
    """Whether a session can go on with a "Sent KEX"."""

    def continues(state: State, event: Event) -> bool:
        session = state.session
        if "client" not in session.kex.offers and not (first and session.kex.done):
            return True
        if first is not None:
            return not first and session.kex.done
        # A re-exchange comes after the login, and in mid-transfer.
        if not session.kex.done or not session.login.authenticated:
            return False
        pause = event.time is not None and state.clock is not None and event.time - state.clock > _IDLE
        return shows_start(state) or not (pause or _failed_last(state))

    return continues


def _handshake_phase(event: Event) -> str | None:
    """The phase before the work that an error is of: any error -37 with a text of one, else those of the start-up."""
    error = _error(event)
    phase = error.phase if event.fields.get("code") == EAGAIN else _START_UP.get(error.name)
    return phase if phase in ("banner", "kex", "auth") else None


def _goes_on(state: State, event: Event) -> bool:
    """Whether a session can go on with an error: it is of no phase that the session has left."""
    phase, is_retry = _handshake_phase(event), event.fields.get("code") == EAGAIN
    if phase is None or (shows_start(state) and not is_retry):
        return True
    if phase == "kex" and state.session.kex.done:
        return _error(event).name != "kex.not_exchanged" or (is_retry and bool(state.session.kex.offers))
    return RANK[phase] >= RANK[state.phase]


def _goes_on_to_log_in(state: State, event: Event) -> bool:
    session = state.session
    if session.kex.offers or not _failed_last(state) or event.time is None or state.clock is None:
        return not session.login.authenticated
    # Where no key exchange shows that another session begins, a pause after a refusal does.
    return not session.login.authenticated and event.time - state.clock < _NEXT_LOGIN


def _never(state: State, event: Event) -> bool:
    return False


# The texts of a session's start, which come before any other.
STARTS = ("transport.new_session", "transport.session_startup", "transport.local_banner_set")
# Event -> whether an open session can go on with it.
_CONTINUES: dict[str, Continues] = {
    **dict.fromkeys(STARTS, _never),
    **dict.fromkeys(("conn.blocking_mode", "transport.callback_set"), lambda state, event: True),
    "transport.banner_sent": lambda state, event: state.session.banner.client is None,
    "transport.banner_received": lambda state, event: not (state.session.kex.offers and state.session.kex.done),
    "userauth.permitted_methods": _goes_on_to_log_in,
    "userauth.password_attempted": _goes_on_to_log_in,
    "userauth.keyboard_interactive_attempted": _goes_on_to_log_in,
    "userauth.publickey_attempted": _goes_on_to_log_in,
    "userauth.hostbased_attempted": _goes_on_to_log_in,
    FAILURE: _goes_on,
}


def may_be_exchanged_again(event: Event, sessions: Sequence[State]) -> bool:
    """Whether a "Sent KEX" may be a session's second exchange as well as another one's first."""
    if event.name != "key_ex.sent_kex" or not any(s.session.kex.done and not shows_start(s) for s in sessions):
        return False
    return not any(s.session.kex.done is False and "client" not in s.session.kex.offers for s in sessions)
