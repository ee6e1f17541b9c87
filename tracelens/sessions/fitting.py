"""Which of several sessions a record belongs to, when nothing in it says so.

libssh2 prints no session id: two sessions of one process, in two threads or one event loop, interleave. Each session is
a sequence of steps, so a record mostly fits only those that wait for it; a session's own clock never runs backwards;
and where two fit alike, the one that spoke last goes on. Only asked while more than one session is open.
"""

from collections.abc import Callable

from tracelens.events import Event
from tracelens.packets import RawPacket
from tracelens.sessions.handshake import list_name
from tracelens.sessions.model import RANK, RECENT
from tracelens.sessions.track import Track
from tracelens.sessions.wording import phase_of

EXPECTED, POSSIBLE, UNLIKELY, IMPOSSIBLE = 3, 2, 1, 0
_ATTEMPT_OF = {
    "password": "password",
    "keyboard_interactive": "keyboard-interactive",
    "publickey": "publickey",
    "hostbased": "hostbased",
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
_AFTER_FREED = {"transport.packets_left", "transport.packet_left"}


def fits_event(track: Track, event: Event) -> int:
    """How well a text record continues the track's story."""
    if track.freed:
        if event.name in _AFTER_FREED:
            return EXPECTED
        return (
            UNLIKELY
            if event.context in ("Conn", "Failure Event") or event.name == "transport.looking_for_packet"
            else IMPOSSIBLE
        )
    if event.time is not None and track.clock is not None and event.time < track.clock:
        return IMPOSSIBLE
    if event.name in _AFTER_FREED:
        return IMPOSSIBLE
    rule = _RULES.get(event.name)
    if rule is not None:
        return rule(track, event)
    if event.name.startswith("userauth."):
        return _userauth(track, event)
    if event.context in ("Conn", "SFTP", "SCP"):
        return _connection(track, event)
    if event.context == "Key Ex":
        return EXPECTED if track.session.agreed and not track.session.kex_done else UNLIKELY
    if event.context == "Failure Event":
        return _failure(track, event)
    return POSSIBLE


def fits_packet(track: Track, raw: RawPacket) -> int:
    """How well a packet's dump continues the track's story; see `fits_number`."""
    if track.freed:
        return IMPOSSIBLE
    if raw.direction == "in":
        return fits_number(track, raw.number)
    session = track.session
    number = raw.number
    if number == 20:
        return EXPECTED if "client" in session.offers and "kexinit" not in session.packets else UNLIKELY
    if number in (30, 32, 34):
        return EXPECTED if session.agreed and not session.kex_done else UNLIKELY
    if number == 21:
        return EXPECTED if not session.kex_done and session.fingerprints else UNLIKELY
    if number == 5:
        return EXPECTED if session.service_line and not session.service_accepted else UNLIKELY
    if number in (50, 61):
        if session.authenticated or not session.service_accepted:
            return IMPOSSIBLE
        last = session.last_attempt
        return EXPECTED if last is not None and last.pending and not last.sent else POSSIBLE
    if number >= 80:
        return POSSIBLE if session.authenticated else IMPOSSIBLE
    return POSSIBLE


def fits_number(track: Track, number: int) -> int:
    """How well an incoming packet of this number continues the track's story."""
    session = track.session
    if track.freed:
        return IMPOSSIBLE
    if number in session.waiting_for:
        return EXPECTED
    if number == 20:
        return POSSIBLE if "client" in session.offers and "server" not in session.offers else UNLIKELY
    if 30 <= number <= 49:
        return POSSIBLE if session.agreed and not session.kex_done else IMPOSSIBLE
    if number == 21:
        return POSSIBLE if session.agreed and not track.newkeys else UNLIKELY
    if number == 6:
        return POSSIBLE if session.service_line and not session.service_accepted else IMPOSSIBLE
    if number == 7:
        return POSSIBLE if track.newkeys and not session.authenticated else UNLIKELY
    if 50 <= number <= 79:
        if session.authenticated or not session.service_accepted:
            return IMPOSSIBLE
        asked = any(attempt.pending for attempt in session.attempts[-RECENT:])
        return POSSIBLE if asked or not session.dumped else UNLIKELY
    if number >= 80 and not session.authenticated:
        return IMPOSSIBLE
    if number in (91, 92):
        return POSSIBLE if any(not c.opened and not c.refused_line for c in session.channels[-RECENT:]) else UNLIKELY
    if number in (99, 100):
        asked = any(r.granted is None for c in session.channels[-RECENT:] for r in c.requests)
        return POSSIBLE if asked else UNLIKELY
    if number >= 93:
        return POSSIBLE if any(c.opened for c in session.channels[-RECENT:]) else UNLIKELY
    return POSSIBLE


def _userauth(track: Track, event: Event) -> int:
    session = track.session
    step = event.name.removeprefix("userauth.")
    method, _, end = step.rpartition("_")
    last = session.last_attempt
    if session.authenticated and session.auth_line:
        # The answer's packet came first; its text follows at once.
        settled = last is not None and last.method == _ATTEMPT_OF.get(method) and not session.saw(event.name)
        return EXPECTED if end == "succeeded" and settled else IMPOSSIBLE
    if not session.kex_done:
        return IMPOSSIBLE
    if end in ("succeeded", "failed"):
        return EXPECTED if last is not None and last.method == _ATTEMPT_OF.get(method) else IMPOSSIBLE
    if end == "attempted":
        return UNLIKELY if last is not None and last.pending and last.method != "publickey" else EXPECTED
    return POSSIBLE


def _connection(track: Track, event: Event) -> int:
    session = track.session
    if event.name == "conn.blocking_mode":
        return POSSIBLE
    if not session.authenticated:
        return IMPOSSIBLE
    if event.name == "conn.channel_allocated":
        return POSSIBLE
    if event.name == "sftp.packet_id_received":
        number = event.fields.get("id")
        wanted = any(o.request_id == number and o.outcome == "pending" for o in session.operations[-RECENT:])
        return EXPECTED if wanted else POSSIBLE
    if event.context == "SFTP":
        if not session.sftp_line:
            return POSSIBLE if event.name in _SFTP_START else IMPOSSIBLE
        begun = session.sftp_version is not None
        return POSSIBLE if begun != (event.name in _SFTP_START) or event.name in _SFTP_EITHER else IMPOSSIBLE
    number = event.fields.get("channel")
    if event.name == "conn.channel_opened":
        return (
            EXPECTED if any(c.number == number and not c.requests for c in session.channels[-RECENT:]) else IMPOSSIBLE
        )
    if isinstance(number, int) and session.channels:
        return (
            EXPECTED if any(c.number == number and not c.freed_line for c in session.channels[-RECENT:]) else UNLIKELY
        )
    return POSSIBLE if session.channels else UNLIKELY


def _failure(track: Track, event: Event) -> int:
    phase = phase_of(str(event.fields.get("message", "")))
    if phase is None:
        return POSSIBLE
    here, there = RANK[track.phase], RANK[phase]
    if there >= RANK["channel"]:
        return POSSIBLE if here >= RANK["channel"] else IMPOSSIBLE
    return EXPECTED if here == there else IMPOSSIBLE


def _looking(track: Track, event: Event) -> int:
    number = event.fields.get("type")
    if not isinstance(number, int):
        return POSSIBLE
    fit = fits_number(track, number)
    # The first look comes right after the request; where both could, whoever spoke last is the one that looks.
    return EXPECTED if fit >= POSSIBLE or number == track.answered else fit


def _received(track: Track, event: Event) -> int:
    number = event.fields.get("type")
    return fits_number(track, number) if isinstance(number, int) else POSSIBLE


def _sent_list(track: Track, event: Event) -> int:
    session = track.session
    if session.server_banner is None:
        return IMPOSSIBLE
    name = list_name(event.name)
    if name in session.offers.get("client", {}):
        return UNLIKELY if session.kex_done else IMPOSSIBLE
    return EXPECTED


def _agreed(track: Track, event: Event) -> int:
    session = track.session
    if "client" not in session.offers or list_name(event.name) in session.agreed:
        return UNLIKELY if session.kex_done else IMPOSSIBLE
    return EXPECTED


def _once(condition: Callable[[Track], bool]) -> Callable[[Track, Event], int]:
    """A step that comes once in a session, when the condition holds."""

    def rule(track: Track, event: Event) -> int:
        if track.session.saw(event.name):
            return UNLIKELY if track.session.rekeys else IMPOSSIBLE
        return EXPECTED if condition(track) else IMPOSSIBLE

    return rule


_RULES: dict[str, Callable[[Track, Event], int]] = {
    "transport.banner_received": lambda t, e: (
        EXPECTED if t.session.client_banner and "client" not in t.session.offers else IMPOSSIBLE
    ),
    "transport.looking_for_packet": _looking,
    "transport.packet_received": _received,
    "transport.userauth_requested": _once(lambda t: t.newkeys),
    "transport.disconnect_sent": _once(lambda t: True),
    "transport.session_freed": lambda t, e: POSSIBLE,
    "key_ex.fingerprint_md5": _once(lambda t: bool(t.session.agreed)),
    "key_ex.fingerprint_sha1": _once(lambda t: bool(t.session.agreed)),
    "key_ex.fingerprint_sha256": _once(lambda t: bool(t.session.agreed)),
    "key_ex.newkeys_received": _once(lambda t: bool(t.session.agreed)),
    "key_ex.session_id_calculated": _once(lambda t: t.newkeys),
    "key_ex.kex_initiated": _once(lambda t: bool(t.session.agreed)),
    "key_ex.extension_received": lambda t, e: EXPECTED if t.newkeys and not t.session.authenticated else UNLIKELY,
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
        f"key_ex.{name}": _once(lambda t: t.newkeys)
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
