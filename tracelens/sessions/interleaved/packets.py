"""How well a packet continues an open session, by its number and fields.

A session has asked for the packets that it receives, and a packet names a channel, a key or a prompt that only some
sessions wait for.
"""

import re
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

from tracelens.reader.packets import RawPacket
from tracelens.sessions.handshake import LIST_NAMES
from tracelens.sessions.model import RECENT, Channel
from tracelens.sessions.session import Session
from tracelens.sessions.state import State

CERTAIN, EXPECTED, POSSIBLE, UNLIKELY, IMPOSSIBLE = 4, 3, 2, 1, 0
# The login method of a step that libssh2's text names.
METHOD_OF = {
    "password": "password",
    "keyboard_interactive": "keyboard-interactive",
    "publickey": "publickey",
    "hostbased": "hostbased",
}
# Records that one function prints one after the other, and does nothing else between them; and which follows on which.
PRINTED_TOGETHER = (
    tuple(f"key_ex.sent_{name}" for name in LIST_NAMES),
    tuple(f"key_ex.agreed_{name}" for name in LIST_NAMES if not name.startswith("lang")),
)
NEXT_OF = dict(pair for names in PRINTED_TOGETHER for pair in pairwise(names))
# The kind of key that a signature algorithm uses, where their names differ (RFC 8332, 3).
_KEY_OF = {
    "rsa-sha2-256": "ssh-rsa",
    "rsa-sha2-512": "ssh-rsa",
    "rsa-sha2-256-cert-v01@openssh.com": "ssh-rsa-cert-v01@openssh.com",
    "rsa-sha2-512-cert-v01@openssh.com": "ssh-rsa-cert-v01@openssh.com",
}
_KEY_KINDS = ("ssh-", "ecdsa-", "rsa-sha2-", "sk-")
# Messages with paths on the server, or with words for the user: debug, banner, prompts, data, requests on a channel.
_NAMING, _LONGEST_NAMING = (4, 53, 60, 94, 98), 512
_USER = re.compile(rb"(?:/(?:home|Users)/|\()([A-Za-z0-9._-]{1,64})(?=/|@|\x00|$)")
_LOGIN_ANSWERS = range(51, 80)
_LONGEST_NAME = 64
_LONGEST_60 = 4096
_NO_END = 1 << 63


class _Row(NamedTuple):
    """Packets of these numbers are impossible unless `needed`; their score is `score` if `likely`, else `otherwise`."""

    numbers: range | tuple[int, ...]
    needed: Callable[[Session], object]
    likely: Callable[[Session], object]
    score: int
    otherwise: int = UNLIKELY


def _always(session: Session) -> bool:
    return True


def _is_exchanging_keys(session: Session) -> bool:
    return bool(session.kex.agreed) and not session.kex.done


def _awaits_service(session: Session) -> bool:
    return bool(session.login.service_line) and not session.login.service_accepted


def _is_logging_in(session: Session) -> bool:
    return session.login.service_accepted and not session.login.authenticated


def _is_authenticated(session: Session) -> bool:
    return session.login.authenticated


def _awaits_login(session: Session) -> bool:
    return not session.dumped or any(attempt.pending for attempt in session.login.attempts[-RECENT:])


def _has_unsent_login(session: Session) -> bool:
    last = session.login.last_attempt
    return last is not None and last.pending and not last.sent


def _awaits_host_keys(session: Session) -> bool:
    """Whether OpenSSH's host keys, which it sends right after the login, are still to come."""
    return "global_request" not in session.packets and "OpenSSH" in (session.banner.server or "")


def _is_opening(channel: Channel) -> bool:
    return not channel.opened and not channel.refused_line


def _awaits_answer(channel: Channel) -> bool:
    return any(request.granted is None for request in channel.requests[-RECENT:])


# The first row with the number decides; a number in no row is possible.
_RECEIVED = (
    _Row(
        (20,), _always, lambda session: "client" in session.kex.offers and "server" not in session.kex.offers, POSSIBLE
    ),
    _Row(range(30, 50), _is_exchanging_keys, _always, POSSIBLE),
    _Row((6,), _awaits_service, _always, POSSIBLE),
    _Row(range(50, 80), _is_logging_in, _awaits_login, POSSIBLE),
    _Row((80,), _is_authenticated, _awaits_host_keys, EXPECTED, POSSIBLE),
    _Row((91, 92), _is_authenticated, lambda session: any(map(_is_opening, session.channels[-RECENT:])), POSSIBLE),
    _Row((99, 100), _is_authenticated, lambda session: any(map(_awaits_answer, session.channels[-RECENT:])), POSSIBLE),
    _Row(
        range(93, _NO_END),
        _is_authenticated,
        lambda session: any(c.opened for c in session.channels[-RECENT:]),
        POSSIBLE,
    ),
    _Row(range(80, _NO_END), _is_authenticated, _always, POSSIBLE),
)
_SENT = (
    _Row((20,), _always, lambda session: "client" in session.kex.offers and "kexinit" not in session.packets, EXPECTED),
    _Row((30, 32, 34), _always, _is_exchanging_keys, EXPECTED),
    _Row((21,), _always, lambda session: not session.kex.done and session.kex.fingerprints, EXPECTED),
    _Row((5,), _always, _awaits_service, EXPECTED),
    _Row((50, 61), _is_logging_in, _has_unsent_login, EXPECTED, POSSIBLE),
    _Row(range(80, _NO_END), _is_authenticated, _always, POSSIBLE),
)

# The number of a packet -> the texts that tell of it right before it is sent.
_TOLD_BEFORE = {
    1: ("transport.disconnect_sent",),
    5: ("transport.userauth_requested",),
    20: ("key_ex.sent_lang_sc",),
    21: ("key_ex.fingerprint_sha256", "key_ex.fingerprint_sha1", "key_ex.newkeys_sent"),
    **dict.fromkeys((30, 32, 34), ("key_ex.kex_initiated", "key_ex.kex_packet_sent")),
    50: (*(f"userauth.{method}_attempted" for method in METHOD_OF), "userauth.publickey_signed"),
    61: ("userauth.keyboard_interactive_callback",),
    90: ("conn.channel_opening",),
    96: ("conn.eof_sent",),
    97: ("conn.channel_closing",),
    98: ("conn.request_started", "conn.pty_requested", "conn.env_requested"),
}


def _score_by_table(table: tuple[_Row, ...], session: Session, number: int) -> int:
    for row in table:
        if number in row.numbers:
            return IMPOSSIBLE if not row.needed(session) else row.score if row.likely(session) else row.otherwise
    return POSSIBLE


def score_number(state: State, number: int) -> int:
    """How well a received packet of this number continues the session."""
    session = state.session
    if state.freed:
        return IMPOSSIBLE
    if state.closed:
        return UNLIKELY
    if number in session.waiting_for:
        # A server sends its extensions before it accepts the service (RFC 8308, 2.4), to clients that ask for them.
        asks = "ext-info-c" in session.kex.offers.get("client", {}).get("kex", ())
        return POSSIBLE if number == 6 and asks and "ext_info" not in session.packets else EXPECTED
    if number == 7:
        # Extensions come with the first packets under the new keys (RFC 8308, 2.4).
        early = state.newkeys_received and not session.login.service_accepted and "ext_info" not in session.packets
        return EXPECTED if early else UNLIKELY
    if number == 21:
        return POSSIBLE if session.kex.agreed and not state.newkeys_received else UNLIKELY
    return _score_by_table(_RECEIVED, session, number)


def _names_another_user(session: Session, raw: RawPacket) -> bool:
    """Whether a packet has a path below a user's home directory, or a prompt with a name, and none is the session's."""
    user = session.login.user
    if not user or raw.number not in _NAMING or raw.size > _LONGEST_NAMING:
        return False
    names = _USER.findall(raw.read(1, _LONGEST_NAMING))
    return bool(names) and user.encode() not in names


def looks_on(state: State) -> bool:
    """Whether it looks through the answers to a login, and not yet for the last that it has looked for before."""
    looked, number = state.session.waiting_for, state.looking_for
    return bool(looked) and number in looked and looked[-1] in _LOGIN_ANSWERS and number != looked[-1]


def score_packet(state: State, raw: RawPacket) -> int:
    """How well a dumped packet continues the session."""
    if state.freed:
        return IMPOSSIBLE
    session, number = state.session, raw.number
    if state.last_event in NEXT_OF or looks_on(state) or _names_another_user(session, raw):
        return UNLIKELY
    if raw.direction == "out" and state.last_event in _TOLD_BEFORE.get(number, ()):
        return EXPECTED
    if 91 <= number <= 100 and session.channels:
        channels = _channels_of(state, raw)
        if channels is not None:
            return _score_channel(session, number, channels)
    if raw.direction == "out":
        return min(_score_by_table(_SENT, session, number), POSSIBLE)
    return _score_answer(state, raw)


def _score_answer(state: State, raw: RawPacket) -> int:
    """How well an incoming packet answers what the session is about."""
    session, number = state.session, raw.number
    if number in (31, 33) and not _is_reply(session, raw):
        return IMPOSSIBLE
    last = session.login.last_attempt
    if number == 60 and last is not None and last.pending and last.method not in _methods_of(raw):
        return UNLIKELY
    return score_number(state, number)


def _is_reply(session: Session, raw: RawPacket) -> bool:
    """Whether a key exchange reply has a host key of the kind that the session agreed on (RFC 4253, 8)."""
    agreed = session.kex.agreed.get("hostkey")
    if not agreed or session.kex.done:
        return True
    size = int.from_bytes(raw.read(5, 9), "big")
    kind = raw.read(9, 9 + size).decode("ascii", "replace") if 0 < size <= _LONGEST_NAME else ""
    return not kind or kind == _KEY_OF.get(agreed, agreed) or not kind.startswith(_KEY_KINDS)


def _methods_of(raw: RawPacket) -> tuple[str, ...]:
    """The login methods that a packet 60 can answer, by its contents (RFC 4252, 7 and 8; RFC 4256, 3.2)."""
    data = raw.read(1, 1 + _LONGEST_60)
    if len(data) + 1 < raw.size:
        return tuple(METHOD_OF.values())
    strings: list[bytes] = []
    at = 0
    while at + 4 <= len(data) and len(strings) < 2:
        end = at + 4 + int.from_bytes(data[at : at + 4], "big")
        strings.append(data[at + 4 : end])
        at = end
    if at != len(data) or not strings:
        return ("keyboard-interactive",)
    return ("publickey",) if strings[0].decode("ascii", "replace").startswith(_KEY_KINDS) else ("password",)


def _channels_of(state: State, raw: RawPacket) -> list[Channel] | None:
    """The session's channels that a packet names; None where the trace does not show which it names."""
    recipient = raw.read(1, 5)
    if len(recipient) < 4:
        return None
    number = state.own_number(raw.direction, int.from_bytes(recipient, "big"))
    return [c for c in state.session.channels[-RECENT:] if c.number == number]


def _score_channel(session: Session, number: int, channels: list[Channel]) -> int:
    """How well a packet that names these channels continues the session."""
    if number in (91, 92):
        return EXPECTED if any(map(_is_opening, channels)) else UNLIKELY
    if number in (99, 100):
        return EXPECTED if any(map(_awaits_answer, channels)) else UNLIKELY
    channels = [c for c in channels if c.opened and not (c.freed_line and c.close_line)]
    if number in (94, 95):
        # A session channel carries data only after a request, other channels from the start.
        channels = [c for c in channels if c.requests or c.kind not in ("", "session")]
    if not channels:
        return UNLIKELY
    return EXPECTED if number in session.waiting_for else POSSIBLE


def awaits_login_answer(state: State, method: str) -> bool:
    """Whether the session waits for the answer to an attempt of this method."""
    last = state.session.login.last_attempt
    return last is not None and last.pending and last.method == method
