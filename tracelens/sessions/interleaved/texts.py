"""Which of several sessions a record belongs to, when nothing in it says so.

libssh2 prints no session id: two sessions of one process, in two threads or one event loop, interleave. Each session is
a sequence of steps, so a record mostly fits only those that wait for it; a session's own clock never runs backwards;
and where two fit alike, the one that spoke last goes on. Only asked while more than one session is open.
"""

from collections.abc import Callable

from tracelens.libssh2.events import Event
from tracelens.sessions.error_texts import phase_of
from tracelens.sessions.handshake import list_name
from tracelens.sessions.interleaved.packets import EXPECTED, IMPOSSIBLE, METHOD_OF, POSSIBLE, UNLIKELY, fits_number
from tracelens.sessions.model import RANK, RECENT, Channel
from tracelens.sessions.state import State

# libssh2 looks for several answers in this order (_libssh2_packet_askv), and goes through them anew after a wait; what
# it requires alone (_libssh2_packet_require) it looks for once before it waits.
_LOOKED_BEFORE = {51: 52, 53: 51, 60: 51, 82: 81, 92: 91, 95: 94, 100: 99}
_FIRST_LOOKED = {52: (51, 53, 60), 81: (82,), 91: (92,), 94: (95,), 99: (100,)}
_LOOKED_ONCE = {6, 20, 21, 30, 31, 32, 33}
# With these something begins that nobody waits for yet.
_BEGINNINGS = {
    "conn.channel_allocated",
    "conn.direct_tcpip_requested",
    "conn.direct_streamlocal_requested",
    "conn.forward_requested",
    "scp.receive_started",
    "scp.send_started",
}
# The number of the packet that a text tells of, which stands right before it.
_TELLS_OF = {
    "conn.global_request_received": 80,
    "conn.window_adjusted": 93,
    "conn.eof_received": 96,
    "conn.close_received": 97,
    "conn.channel_request_received": 98,
}
# SFTP's texts before its version is agreed on, and those that come before and after.
_SFTP_START = {"sftp.subsystem_initialized", "sftp.version_sent", "sftp.version_enabled", "sftp.version_truncated"}
_SFTP_EITHER = {
    "sftp.packet_required",
    "sftp.packet_awaited",
    "sftp.packet_type_received",
    "sftp.packet_id_received",
    "sftp.packet_got",
    "sftp.data_begun",
}
_BEFORE_OPENED = {"conn.channel_opening", "conn.channel_opened", "conn.channel_freed"}
# What a channel still does after "Freeing channel": it is closed first.
_AFTER_FREEING = {
    "conn.eof_sent",
    "conn.eof_awaited",
    "conn.channel_closing",
    "conn.close_awaited",
    "conn.eof_received",
    "conn.close_received",
}
_AFTER_FREED = {"transport.packets_left", "transport.packet_left"}


def fits_event(state: State, event: Event) -> int:
    """How well a text record continues the state's story."""
    if state.freed:
        if event.name in _AFTER_FREED:
            return EXPECTED
        return (
            UNLIKELY
            if event.context in ("Conn", "Failure Event") or event.name == "transport.looking_for_packet"
            else IMPOSSIBLE
        )
    if event.time is not None and state.clock is not None and event.time < state.clock:
        return IMPOSSIBLE
    if event.name in _AFTER_FREED:
        return IMPOSSIBLE
    if event.context in ("Key Ex", "Userauth") and state.waiting and state.session.dumped:
        return UNLIKELY  # it waits, and no answer came
    rule = _RULES.get(event.name)
    if rule is not None:
        return rule(state, event)
    if event.name.startswith("userauth."):
        return _userauth(state, event)
    if event.context in ("Conn", "SFTP", "SCP"):
        return _connection(state, event)
    if event.context == "Key Ex":
        return EXPECTED if state.session.agreed and not state.session.kex_done else UNLIKELY
    if event.context == "Failure Event":
        return _failure(state, event)
    return POSSIBLE


def _userauth(state: State, event: Event) -> int:
    session = state.session
    step = event.name.removeprefix("userauth.")
    method, _, end = step.rpartition("_")
    last = session.last_attempt
    if session.authenticated and session.auth_line:
        # The answer's packet came first; its text follows at once.
        settled = last is not None and last.method == METHOD_OF.get(method) and not session.saw(event.name)
        return EXPECTED if end == "succeeded" and settled else IMPOSSIBLE
    if not session.kex_done:
        return IMPOSSIBLE
    if end in ("succeeded", "failed"):
        if last is None or last.method != METHOD_OF.get(method):
            return IMPOSSIBLE
        # It has read the answer and looked for it.
        return EXPECTED if state.looking_for == state.last_received else POSSIBLE
    if end == "attempted":
        return UNLIKELY if last is not None and last.pending and last.method != "publickey" else EXPECTED
    return POSSIBLE


def _connection(state: State, event: Event) -> int:
    session = state.session
    if event.name == "conn.blocking_mode":
        return POSSIBLE
    if not session.authenticated:
        return IMPOSSIBLE
    if event.name in _BEGINNINGS:
        return UNLIKELY if state.waiting and session.dumped else POSSIBLE
    told = _TELLS_OF.get(event.name)
    if told is not None and state.last_received is not None:
        return EXPECTED if state.last_received == told else UNLIKELY
    if event.name == "sftp.packet_id_received":
        number = event.fields.get("id")
        wanted = any(o.request_id == number and o.outcome == "pending" for o in session.operations[-RECENT:])
        return EXPECTED if wanted else POSSIBLE
    if event.context == "SFTP":
        return _sftp(state, event)
    number = event.fields.get("channel")
    if event.name == "conn.channel_opened":
        return (
            EXPECTED if any(c.number == number and not c.requests for c in session.channels[-RECENT:]) else IMPOSSIBLE
        )
    if isinstance(number, int) and session.channels:
        its = (c for c in session.channels[-RECENT:] if c.number == number)
        return EXPECTED if any(_goes_on(state, c, event.name) for c in its) else UNLIKELY
    return POSSIBLE if session.channels else UNLIKELY


def _sftp(state: State, event: Event) -> int:
    session = state.session
    if not session.sftp_line:
        return POSSIBLE if event.name in _SFTP_START else IMPOSSIBLE
    if event.name in _SFTP_EITHER:
        number = event.fields.get("channel")
        elsewhere = isinstance(number, int) and not state.carries_sftp("in", number)
        begun = session.saw("sftp.version_sent") or session.sftp_version is not None
        return POSSIBLE if begun and not elsewhere else UNLIKELY
    if event.name in _SFTP_START:
        return UNLIKELY if session.saw(event.name) else POSSIBLE
    # A dump tells the version before the text does.
    starting = session.saw("sftp.version_sent") and not session.saw("sftp.version_enabled")
    return POSSIBLE if session.sftp_version is not None and not starting else IMPOSSIBLE


def _goes_on(state: State, channel: Channel, name: str) -> bool:
    """Whether such a record can follow on the channel: a freed one is closed, each step once, and then gone."""
    if not channel.freed_line:
        return channel.opened or name in _BEFORE_OPENED
    seen = state.session.lines.get(name)
    return name in _AFTER_FREEING and (seen is None or seen.line < channel.freed_line)


def _failure(state: State, event: Event) -> int:
    phase = phase_of(str(event.fields.get("message", "")))
    if phase is None:
        return POSSIBLE
    here, there = RANK[state.phase], RANK[phase]
    if there >= RANK["channel"]:
        return POSSIBLE if here >= RANK["channel"] else IMPOSSIBLE
    return EXPECTED if here == there else IMPOSSIBLE


def _looking(state: State, event: Event) -> int:
    number = event.fields.get("type")
    if not isinstance(number, int):
        return POSSIBLE
    if state.closed:
        return UNLIKELY
    if number == state.last_received and not state.looking_for:
        return EXPECTED  # it looks once more for what it has just read, and finds it
    before = _LOOKED_BEFORE.get(number)
    if before is not None:
        return EXPECTED if state.looking_for == before else UNLIKELY
    if number in _FIRST_LOOKED:
        if state.last_received is not None and not state.looking_for:
            # An answer came: it goes through them up to that one.
            return EXPECTED if state.last_received in _FIRST_LOOKED[number] else fits_number(state, number)
        if state.looking_for:
            return fits_number(state, number) if state.looking_for in _FIRST_LOOKED[number] else UNLIKELY
    elif state.looking_for or (number in state.session.waiting_for and number in _LOOKED_ONCE):
        return UNLIKELY
    # The first look comes right after the request; where both could, whoever spoke last is the one that looks.
    fit = fits_number(state, number)
    return EXPECTED if fit >= POSSIBLE else fit


def _received(state: State, event: Event) -> int:
    number = event.fields.get("type")
    return fits_number(state, number) if isinstance(number, int) else POSSIBLE


def _sent_list(state: State, event: Event) -> int:
    session = state.session
    if not (session.server_banner or "").startswith("SSH-"):
        return IMPOSSIBLE
    name = list_name(event.name)
    if name in session.offers.get("client", {}):
        return UNLIKELY if session.kex_done else IMPOSSIBLE
    return EXPECTED


def _agreed(state: State, event: Event) -> int:
    session = state.session
    if "client" not in session.offers or list_name(event.name) in session.agreed:
        return UNLIKELY if session.kex_done else IMPOSSIBLE
    return EXPECTED if state.last_received in (None, 20) else POSSIBLE


def _once(condition: Callable[[State], bool], after: tuple[int, ...] = ()) -> Callable[[State, Event], int]:
    """A step that comes once in a session, when the condition holds, and best right after one of these packets."""

    def rule(state: State, event: Event) -> int:
        if state.session.saw(event.name):
            return UNLIKELY if state.session.rekeys else IMPOSSIBLE
        if not condition(state):
            return IMPOSSIBLE
        return EXPECTED if not after or state.last_received in after else POSSIBLE

    return rule


def _disconnecting(state: State, event: Event) -> int:
    session = state.session
    if session.saw(event.name):
        return IMPOSSIBLE
    failed = bool(session.failures) and session.last is not None and session.failures[-1].line == session.last.line
    idle = bool(session.channels) and all(channel.freed_line for channel in session.channels[-RECENT:])
    return EXPECTED if failed or idle else POSSIBLE


_RULES: dict[str, Callable[[State, Event], int]] = {
    "transport.banner_sent": lambda t, e: (
        EXPECTED if t.session.client_banner is None and t.phase == "banner" else IMPOSSIBLE
    ),
    "transport.banner_received": lambda t, e: (
        EXPECTED if t.session.client_banner and t.phase == "banner" else IMPOSSIBLE
    ),
    "transport.session_startup": lambda t, e: EXPECTED if not t.session.saw(e.name) else IMPOSSIBLE,
    "transport.looking_for_packet": _looking,
    "transport.packet_received": _received,
    "transport.userauth_requested": _once(lambda t: t.newkeys_received),
    "transport.disconnect_sent": _disconnecting,
    "transport.session_freed": lambda t, e: EXPECTED if t.closed else POSSIBLE,
    "key_ex.fingerprint_md5": _once(lambda t: bool(t.session.agreed), after=(31, 33)),
    "key_ex.fingerprint_sha1": _once(lambda t: bool(t.session.agreed)),
    "key_ex.fingerprint_sha256": _once(lambda t: bool(t.session.agreed)),
    "key_ex.newkeys_received": _once(lambda t: bool(t.session.agreed), after=(21,)),
    "key_ex.session_id_calculated": _once(lambda t: t.newkeys_received),
    "key_ex.kex_initiated": _once(lambda t: bool(t.session.agreed)),
    "key_ex.extension_received": lambda t, e: (
        EXPECTED if t.newkeys_received and not t.session.authenticated else UNLIKELY
    ),
    "key_ex.signing": lambda t, e: EXPECTED if t.phase == "auth" else UNLIKELY,
    **{
        f"key_ex.sent_{name}": _sent_list
        for name in (
            "kex",
            "hostkey",
            "crypt_cs",
            "crypt_sc",
            "mac_cs",
            "mac_sc",
            "comp_cs",
            "comp_sc",
            "lang_cs",
            "lang_sc",
        )
    },
    **{
        f"key_ex.agreed_{name}": _agreed
        for name in (
            "kex",
            "hostkey",
            "crypt_cs",
            "crypt_sc",
            "mac_cs",
            "mac_sc",
            "comp_cs",
            "comp_sc",
            "lang_cs",
            "lang_sc",
        )
    },
    **{
        f"key_ex.{name}": _once(lambda t: t.newkeys_received)
        for name in (
            "cipher_keyed_cs",
            "cipher_keyed_sc",
            "mac_keyed_cs",
            "mac_keyed_sc",
            "compression_initialized_cs",
            "compression_initialized_sc",
        )
    },
}
