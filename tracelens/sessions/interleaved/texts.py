"""How well a text record continues an open session; only asked while more than one session is open."""

from collections.abc import Callable
from itertools import pairwise

from tracelens.libssh2.errors import ErrorText, classify
from tracelens.libssh2.events import Event
from tracelens.libssh2.repeats import FAILURE
from tracelens.sessions.handshake import LIST_NAMES, list_name
from tracelens.sessions.interleaved.packets import (
    CERTAIN,
    EXPECTED,
    IMPOSSIBLE,
    METHOD_OF,
    NEXT_OF,
    POSSIBLE,
    PRINTED_TOGETHER,
    UNLIKELY,
    looks_on,
    score_number,
)
from tracelens.sessions.model import RANK, RECENT, Channel
from tracelens.sessions.session import Session
from tracelens.sessions.state import State

Score = Callable[[State, Event], int]

# A program that gave up, or is done, disconnects in less than this many seconds.
_AT_ONCE = 1.0
# libssh2 looks for several answers in this order (_libssh2_packet_askv), and again after a wait; a packet that it
# requires alone (_libssh2_packet_require) it looks for once before it waits.
_LOOKED_BEFORE = {51: 52, 53: 51, 60: 51, 82: 81, 92: 91, 95: 94, 100: 99}
_FIRST_LOOKED = {52: (51, 53, 60), 81: (82,), 91: (92,), 94: (95,), 99: (100,)}
_LOOKED_ONCE = {6, 20, 21, 30, 31, 32, 33}
# The answer that is looked for first after a request was sent, by the numbers of both.
_FIRST_LOOK = {20: (20,), 31: (30, 34), 33: (32,), 21: (21,), 6: (5,), 52: (50, 61), 91: (90,), 99: (98,), 81: (80,)}
_SOON = 0.5  # seconds
# These begin something that no session waits for.
_BEGINNINGS = {
    *("conn.channel_allocated", "conn.direct_tcpip_requested", "conn.direct_streamlocal_requested"),
    *("conn.forward_requested", "scp.receive_started", "scp.send_started"),
}
# Texts about the packet right before them, and its number.
_PACKET_BEFORE = {
    "conn.global_request_received": 80,
    "conn.window_adjusted": 93,
    "conn.eof_received": 96,
    "conn.close_received": 97,
    "conn.channel_request_received": 98,
}
# SFTP's texts before its version is agreed on, and the texts that occur before and after.
_SFTP_START = {"sftp.subsystem_initialized", "sftp.version_sent", "sftp.version_enabled", "sftp.version_truncated"}
_SFTP_EITHER = {
    *("sftp.packet_required", "sftp.packet_awaited", "sftp.packet_type_received", "sftp.packet_id_received"),
    *("sftp.packet_got", "sftp.data_begun"),
}
_BEFORE_OPENED = {"conn.channel_opening", "conn.channel_opened", "conn.channel_freed"}
# The steps of a channel after "Freeing channel": it is closed first.
_AFTER_FREEING = {
    *("conn.eof_sent", "conn.eof_awaited", "conn.channel_closing", "conn.close_awaited"),
    *("conn.eof_received", "conn.close_received"),
}
_AFTER_FREED = {"transport.packets_left", "transport.packet_left"}
_PREPARED = ("cipher_keyed", "mac_keyed", "compression_initialized")
# Records of which the later comes right after the earlier one, if it comes.
_IN_ORDER = (
    *PRINTED_TOGETHER,
    ("key_ex.agreed_comp_sc", "key_ex.kex_initiated"),
    ("key_ex.fingerprint_md5", "key_ex.fingerprint_sha1", "key_ex.fingerprint_sha256"),
    ("key_ex.session_id_calculated", *(f"key_ex.{name}_{side}" for name in _PREPARED for side in ("cs", "sc"))),
    ("conn.channel_allocated", "conn.channel_opening"),
    ("transport.session_startup", "transport.banner_sent"),
)
_AGREED = {f"key_ex.agreed_{name}" for name in LIST_NAMES if not name.startswith(("lang", "mac"))}
# Event -> the one that its session told of right before it, where that is always the same one.
_RIGHT_BEFORE = {later: name for names in _IN_ORDER for name, later in pairwise(names)}


def score_event(state: State, event: Event) -> int:
    """How well a text record continues the session."""
    name = event.name
    if state.freed:
        return _score_after_end(event)
    backwards = event.time is not None and state.clock is not None and event.time < state.clock
    if backwards or name in _AFTER_FREED:
        return IMPOSSIBLE
    if event.context in ("Key Ex", "Userauth") and state.waiting and state.session.dumped:
        return UNLIKELY  # it waits, and no answer came
    if name in _AGREED and not _agrees(state.session, event):
        return UNLIKELY
    return _score_in_order(state, event)


def _score_after_end(event: Event) -> int:
    """How well a text record continues a session that was freed."""
    if event.name in _AFTER_FREED:
        return EXPECTED
    late = event.context in ("Conn", "Failure Event") or event.name == "transport.looking_for_packet"
    return UNLIKELY if late else IMPOSSIBLE


def _score_in_order(state: State, event: Event) -> int:
    """How well a text record follows the last one of the session."""
    name = event.name
    before = _RIGHT_BEFORE.get(name)
    if before is not None and state.last_event == before:
        return EXPECTED
    if state.last_event in NEXT_OF or (looks_on(state) and name != "transport.looking_for_packet"):
        return UNLIKELY
    rate = _BY_NAME.get(name) or _BY_CONTEXT.get(event.context)
    score = rate(state, event) if rate is not None else POSSIBLE
    return score if before is None else min(score, UNLIKELY)


def _score_userauth(state: State, event: Event) -> int:
    session = state.session
    method, _, end = event.name.removeprefix("userauth.").rpartition("_")
    last = session.login.last_attempt
    same = last is not None and last.method == METHOD_OF.get(method)
    if session.login.authenticated and session.login.accepted_line:
        # The answer's packet came first; its text follows at once.
        return EXPECTED if end == "succeeded" and same and not session.saw(event.name) else IMPOSSIBLE
    if not session.kex.done:
        return IMPOSSIBLE
    if end in ("succeeded", "failed"):
        # The session has read the answer and looked for it.
        return IMPOSSIBLE if not same else EXPECTED if state.looking_for == state.last_received else POSSIBLE
    if end == "attempted":
        return UNLIKELY if last is not None and last.pending and last.method != "publickey" else EXPECTED
    return POSSIBLE


def _score_connection(state: State, event: Event) -> int:
    session = state.session
    if not session.login.authenticated:
        return IMPOSSIBLE
    if event.name in _BEGINNINGS:
        return UNLIKELY if state.waiting and session.dumped else POSSIBLE
    before = _PACKET_BEFORE.get(event.name)
    if before is not None and state.last_received is not None:
        return EXPECTED if state.last_received == before else UNLIKELY
    if event.name == "sftp.packet_id_received":
        number = event.fields.get("id")
        pending = any(o.request_id == number and o.outcome == "pending" for o in session.operations[-RECENT:])
        return EXPECTED if pending else POSSIBLE
    return (_score_sftp if event.context == "SFTP" else _score_channel)(state, event)


def _score_channel(state: State, event: Event) -> int:
    channels, number = state.session.channels, event.fields.get("channel")
    named = [c for c in channels[-RECENT:] if c.number == number]
    if event.name == "conn.channel_opened":
        return EXPECTED if any(not c.requests for c in named) else IMPOSSIBLE
    if isinstance(number, int) and channels:
        return EXPECTED if any(_can_follow(state, c, event.name) for c in named) else UNLIKELY
    return POSSIBLE if channels else UNLIKELY


def _can_follow(state: State, channel: Channel, name: str) -> bool:
    """Whether the event can follow on the channel: each step of closing a freed channel occurs once."""
    if not channel.freed_line:
        return channel.opened or name in _BEFORE_OPENED
    last = state.session.lines.get(name)
    return name in _AFTER_FREEING and (last is None or last.line < channel.freed_line)


def _score_sftp(state: State, event: Event) -> int:
    session, name = state.session, event.name
    if not session.sftp.line:
        return POSSIBLE if name in _SFTP_START else IMPOSSIBLE
    asked = session.saw("sftp.version_sent")
    if name in _SFTP_EITHER:
        number = event.fields.get("channel")
        elsewhere = isinstance(number, int) and not state.carries_sftp("in", number)
        begun = asked or session.sftp.version is not None
        return POSSIBLE if begun and not elsewhere else UNLIKELY
    if name in _SFTP_START:
        return UNLIKELY if session.saw(name) else POSSIBLE
    # A dump shows the version before the text does.
    starting = asked and not session.saw("sftp.version_enabled")
    return POSSIBLE if session.sftp.version is not None and not starting else IMPOSSIBLE


def _score_key_exchange(state: State, event: Event) -> int:
    return EXPECTED if state.session.kex.agreed and not state.session.kex.done else UNLIKELY


def _score_error(state: State, event: Event) -> int:
    error = classify(str(event.fields.get("message", "")))
    if error.phase is None:
        return POSSIBLE
    here, there = RANK[state.phase], RANK[error.phase]
    if there >= RANK["channel"]:
        return POSSIBLE if here >= RANK["channel"] else IMPOSSIBLE
    if here != there:
        return IMPOSSIBLE
    return _score_handshake_error(state, error)


def _score_handshake_error(state: State, error: ErrorText) -> int:
    """How well an error of key exchange or login fits a session in that phase."""
    attempts = state.session.login.attempts
    if error.method is not None:
        return EXPECTED if attempts and attempts[-1].method == error.method else UNLIKELY
    if error.name == "auth.methods_not_listed":
        return UNLIKELY if any(a.pending and a.method != "none" for a in attempts[-RECENT:]) else EXPECTED
    if error.name == "kex.not_exchanged" and state.last_event != FAILURE and not state.session.kex.agreed:
        offered = state.session.kex.offers.keys() >= {"client", "server"}
        return EXPECTED if state.session.kex.mismatches() else UNLIKELY if offered else POSSIBLE
    if error.name == "kex.timeout":
        return EXPECTED if state.session.kex.agreed else UNLIKELY
    return EXPECTED


def _score_look(state: State, event: Event) -> int:
    """How well a "Looking for packet of type N" continues the session."""
    number, looking_for, received = event.fields.get("type"), state.looking_for, state.last_received
    if not isinstance(number, int):
        return POSSIBLE
    if state.closed:
        return UNLIKELY
    if number == received and not looking_for:
        return EXPECTED  # it looks again for the packet that it has just read, and finds it
    before = _LOOKED_BEFORE.get(number)
    if before is not None:
        return EXPECTED if looking_for == before else UNLIKELY
    score = score_number(state, number)
    later = _FIRST_LOOKED.get(number)
    if later is None:
        again = looking_for or (number in state.session.waiting_for and number in _LOOKED_ONCE)
        return UNLIKELY if again else _as_first_look(state, event, number, score)
    if looking_for:
        return score if looking_for in later else UNLIKELY
    if received is not None:
        # An answer came: the session looks through the list up to that one.
        return EXPECTED if received in later else score
    return _as_first_look(state, event, number, score)


def _as_first_look(state: State, event: Event, number: int, score: int) -> int:
    """The first look follows the request at once, a later one a wait; among equals the active session looks."""
    if score < POSSIBLE:
        return score
    session = state.session
    if state.last_sent in _FIRST_LOOK.get(number, ()):
        # One that sent its request long ago was abandoned.
        return CERTAIN if _seconds_since(state, event) < _SOON else UNLIKELY
    if not session.dumped or number not in _FIRST_LOOK:
        offers = session.saw("key_ex.sent_kex") and not session.saw("key_ex.sent_lang_sc")
        return UNLIKELY if offers else EXPECTED
    return EXPECTED if state.blocked_line and number in session.waiting_for else UNLIKELY


def _seconds_since(state: State, event: Event) -> float:
    """The seconds since the session's last record."""
    return event.time - state.clock if event.time is not None and state.clock is not None else 0.0


def _score_received(state: State, event: Event) -> int:
    number = event.fields.get("type")
    return score_number(state, number) if isinstance(number, int) else POSSIBLE


def _score_sent_list(state: State, event: Event) -> int:
    session = state.session
    if session.saw("transport.session_startup") and not (session.banner.server or "").startswith("SSH-"):
        return IMPOSSIBLE
    if list_name(event.name) in session.kex.offers.get("client", {}):
        return UNLIKELY if session.kex.done else IMPOSSIBLE
    return EXPECTED


def _score_agreed(state: State, event: Event) -> int:
    session = state.session
    if "client" not in session.kex.offers or list_name(event.name) in session.kex.agreed:
        return UNLIKELY if session.kex.done else IMPOSSIBLE
    return EXPECTED if state.last_received == 20 or not session.dumped else POSSIBLE


def _agrees(session: Session, event: Event) -> bool:
    """Whether both sides offered the algorithm that they agreed on, as far as their offers are known."""
    common = session.kex.common(list_name(event.name))
    return common is None or session.kex.done or event.fields.get("algorithm") in common


def _once(condition: Callable[[State], bool], after: tuple[int, ...] = ()) -> Score:
    """The score of a step that occurs once in a session, if the condition holds, and best right after these packets."""

    def score(state: State, event: Event) -> int:
        if state.session.saw(event.name):
            return UNLIKELY if state.session.kex.rekeys else IMPOSSIBLE
        if not condition(state):
            return IMPOSSIBLE
        return EXPECTED if not after or state.last_received in after else POSSIBLE

    return score


def _score_disconnect(state: State, event: Event) -> int:
    session = state.session
    if session.saw(event.name):
        return IMPOSSIBLE
    failed = bool(session.failures) and session.last is not None and session.failures[-1].line == session.last.line
    silent = event.time - state.clock if event.time is not None and state.clock is not None else 0.0
    idle = bool(session.channels) and all(channel.freed_line for channel in session.channels[-RECENT:])
    return EXPECTED if (failed or idle) and silent < _AT_ONCE else POSSIBLE


def _expected(condition: Callable[[State], object], otherwise: int) -> Score:
    """EXPECTED if the condition holds, else another score."""
    return lambda state, event: EXPECTED if condition(state) else otherwise


def _has_agreed(state: State) -> bool:
    return bool(state.session.kex.agreed)


def _has_new_keys(state: State) -> bool:
    return state.newkeys_received


_BY_NAME: dict[str, Score] = {
    "transport.banner_sent": _expected(
        lambda s: s.session.banner.client is None and s.phase == "banner", otherwise=IMPOSSIBLE
    ),
    "transport.banner_received": _expected(
        lambda s: s.session.banner.client and s.phase == "banner", otherwise=IMPOSSIBLE
    ),
    "transport.session_startup": _expected(
        lambda s: not s.session.saw("transport.session_startup"), otherwise=IMPOSSIBLE
    ),
    "transport.looking_for_packet": _score_look,
    "transport.packet_received": _score_received,
    "transport.userauth_requested": _once(_has_new_keys),
    "transport.disconnect_sent": _score_disconnect,
    "transport.session_freed": _expected(lambda s: s.closed, otherwise=POSSIBLE),
    "conn.blocking_mode": lambda state, event: POSSIBLE,
    "key_ex.fingerprint_md5": _once(_has_agreed, after=(31, 33)),
    "key_ex.fingerprint_sha1": _once(_has_agreed),
    "key_ex.fingerprint_sha256": _once(_has_agreed),
    "key_ex.newkeys_received": _once(_has_agreed, after=(21,)),
    "key_ex.session_id_calculated": _once(_has_new_keys),
    "key_ex.kex_initiated": _once(_has_agreed),
    "key_ex.extension_received": _expected(
        lambda s: s.newkeys_received and not s.session.login.authenticated, otherwise=UNLIKELY
    ),
    "key_ex.signing": _expected(lambda s: s.phase == "auth", otherwise=UNLIKELY),
    **{f"key_ex.sent_{name}": _score_sent_list for name in LIST_NAMES},
    **{f"key_ex.agreed_{name}": _score_agreed for name in LIST_NAMES},
    **{f"key_ex.{name}_{side}": _once(_has_new_keys) for name in _PREPARED for side in ("cs", "sc")},
}
_BY_CONTEXT: dict[str, Score] = {
    "Userauth": _score_userauth,
    "Conn": _score_connection,
    "SFTP": _score_connection,
    "SCP": _score_connection,
    "Key Ex": _score_key_exchange,
    "Failure Event": _score_error,
}
