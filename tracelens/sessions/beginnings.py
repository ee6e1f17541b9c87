"""Where a new session begins: at an event that cannot follow in the current one."""

from collections.abc import Callable

from tracelens.libssh2.errors import classify
from tracelens.libssh2.events import Event
from tracelens.libssh2.repeats import EAGAIN, FAILURE
from tracelens.reader.repeats import RESTART
from tracelens.sessions.model import RANK
from tracelens.sessions.state import State

# The events of a session that is set up and has not begun.
FRESH = {"conn.blocking_mode", "transport.new_session", "transport.local_banner_set", "transport.callback_set"}


def is_fresh(state: State) -> bool:
    """Whether a session was set up and has not begun."""
    session = state.session
    return not session.packets and not session.waits and session.lines.keys() <= FRESH


def is_empty(state: State) -> bool:
    """Whether nothing is known of a session."""
    session = state.session
    return is_fresh(state) and not session.failures and session.last is None


def is_restart(state: State, time: float | None) -> bool:
    """Whether the clock restarted: a process's first second after a later time. No session outlives that."""
    return time is not None and state.clock is not None and time < 1.0 and time < state.clock - RESTART


def begins_session(event: Event, state: State, others: list[State]) -> bool:
    """Whether the event can only be a new session's.

    Args:
        event: the event.
        state: the current session.
        others: the other open sessions.
    """
    name = event.name
    if is_fresh(state) or (name == "transport.session_startup" and any(map(is_fresh, others))):
        return False
    if name in ("transport.new_session", "transport.session_startup"):
        return True
    if any(not other.freed for other in others):
        return False  # it may be the other session's
    begins = _BEGINNINGS.get(name)
    return begins is not None and begins(state, event)


def returns_to_earlier_phase(state: State, message: str) -> bool:
    """Whether error -37 is of a phase that the session has long left, so that another one must have begun."""
    phase = classify(message).phase
    if phase not in ("banner", "kex", "auth"):
        return False
    if phase == "kex" and state.session.kex.done:
        return message.startswith("Unable to exchange encryption keys") and not state.session.kex.offers
    return RANK[phase] < RANK[state.phase]


def _begins_by_kexinit(state: State, event: Event) -> bool:
    # A re-exchange comes after the login, and no program sets the blocking mode just before it.
    session = state.session
    if "client" not in session.kex.offers:
        return False
    prepared = session.last is not None and session.last.text.startswith("Setting blocking mode")
    return not session.kex.done or not session.login.authenticated or prepared


def _begins_by_login(state: State, event: Event) -> bool:
    return state.session.login.authenticated


def _begins_by_error(state: State, event: Event) -> bool:
    return event.fields.get("code") == EAGAIN and returns_to_earlier_phase(state, str(event.fields.get("message", "")))


# Event -> whether it begins a session, though another one is open.
_BEGINNINGS: dict[str, Callable[[State, Event], bool]] = {
    **dict.fromkeys(FRESH, lambda state, event: state.freed),
    "transport.banner_sent": lambda state, event: state.session.banner.client is not None,
    "transport.banner_received": lambda state, event: bool(state.session.kex.offers) and state.session.kex.done,
    "key_ex.sent_kex": _begins_by_kexinit,
    "userauth.permitted_methods": _begins_by_login,
    "userauth.password_attempted": _begins_by_login,
    "userauth.keyboard_interactive_attempted": _begins_by_login,
    "userauth.publickey_attempted": _begins_by_login,
    "userauth.hostbased_attempted": _begins_by_login,
    FAILURE: _begins_by_error,
}
