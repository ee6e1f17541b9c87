"""Which of several sessions a packet belongs to: how well it continues each one's story, by its number and fields.

A session has asked for what comes, and a packet names a channel, a key or a prompt that only some sessions wait for.
"""

from tracelens.reader.packets import RawPacket
from tracelens.sessions.model import RECENT, Channel, Session
from tracelens.sessions.state import State

EXPECTED, POSSIBLE, UNLIKELY, IMPOSSIBLE = 3, 2, 1, 0
# The login method of a step that libssh2's text names.
METHOD_OF = {
    "password": "password",
    "keyboard_interactive": "keyboard-interactive",
    "publickey": "publickey",
    "hostbased": "hostbased",
}
# The kind of key that a signature algorithm uses, where their names differ (RFC 8332, 3).
_KEY_OF = {
    "rsa-sha2-256": "ssh-rsa",
    "rsa-sha2-512": "ssh-rsa",
    "rsa-sha2-256-cert-v01@openssh.com": "ssh-rsa-cert-v01@openssh.com",
    "rsa-sha2-512-cert-v01@openssh.com": "ssh-rsa-cert-v01@openssh.com",
}
_KEY_KINDS = ("ssh-", "ecdsa-", "rsa-sha2-", "sk-")
_LONGEST_NAME = 64
_LONGEST_60 = 4096


def fits_packet(state: State, raw: RawPacket) -> int:
    """How well a packet's dump continues the state's story; see `fits_number`."""
    if state.freed:
        return IMPOSSIBLE
    session = state.session
    number = raw.number
    if 91 <= number <= 100 and session.channels:
        its = _channels_of(state, raw)
        if its is not None:
            return _fits_channel(state, number, its)
    if raw.direction == "in":
        if number in (31, 33) and not _is_reply(session, raw):
            return IMPOSSIBLE
        last = session.last_attempt
        if number == 60 and last is not None and last.pending and last.method not in _methods_of(raw):
            return UNLIKELY
        return fits_number(state, number)
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


def _is_reply(session: Session, raw: RawPacket) -> bool:
    """Whether a key exchange reply can be this session's: with a host key of the agreed kind (RFC 4253, 8)."""
    agreed = session.agreed.get("hostkey")
    if not agreed or session.kex_done:
        return True
    size = int.from_bytes(raw.read(5, 9), "big")
    kind = raw.read(9, 9 + size).decode("ascii", "replace") if 0 < size <= _LONGEST_NAME else ""
    return not kind or kind == _KEY_OF.get(agreed, agreed) or not kind.startswith(_KEY_KINDS)


def _methods_of(raw: RawPacket) -> tuple[str, ...]:
    """The login methods that a packet 60 can answer, by what it holds (RFC 4252, 7 and 8; RFC 4256, 3.2)."""
    data = raw.read(1, 1 + _LONGEST_60)
    if len(data) + 1 < raw.size:
        return tuple(METHOD_OF.values())
    strings: list[bytes] = []
    at = 0
    while at + 4 <= len(data) and len(strings) < 2:
        end = at + 4 + int.from_bytes(data[at : at + 4], "big")
        strings.append(data[at + 4 : end])
        at = end
    if at != len(data):
        return ("keyboard-interactive",)
    return ("publickey",) if strings[0].decode("ascii", "replace").startswith(_KEY_KINDS) else ("password",)


def _channels_of(state: State, raw: RawPacket) -> list[Channel] | None:
    """The session's channels that a channel's packet names; None where the trace does not show which it names."""
    recipient = raw.read(1, 5)
    if len(recipient) < 4:
        return None
    number = state.own_number(raw.direction, int.from_bytes(recipient, "big"))
    return [c for c in state.session.channels[-RECENT:] if c.number == number]


def _fits_channel(state: State, number: int, its: list[Channel]) -> int:
    """How well a packet for these channels, which are those that it names, continues the state's story."""
    if number in (91, 92):
        return EXPECTED if any(not c.opened and not c.refused_line for c in its) else UNLIKELY
    if number in (99, 100):
        return EXPECTED if any(r.granted is None for c in its for r in c.requests[-RECENT:]) else UNLIKELY
    its = [c for c in its if c.opened and not (c.freed_line and c.close_line)]
    # A session channel carries data where something was asked for; others do at once.
    if not its or (number in (94, 95) and not any(c.requests or c.kind not in ("", "session") for c in its)):
        return UNLIKELY
    return EXPECTED if number in state.session.waiting_for else POSSIBLE


def answers_attempt(state: State, method: str) -> bool:
    """Whether the session waits for the answer to such a login attempt."""
    last = state.session.last_attempt
    return last is not None and last.pending and last.method == method


def fits_number(state: State, number: int) -> int:
    """How well an incoming packet of this number continues the state's story."""
    session = state.session
    if state.freed:
        return IMPOSSIBLE
    if state.closed:
        return UNLIKELY
    if number in session.waiting_for:
        # A server tells its extensions before it accepts the service (RFC 8308, 2.4), to clients that ask for them.
        due = number == 6 and _extends(session) and "ext_info" not in session.packets
        return POSSIBLE if due else EXPECTED
    if number == 20:
        return POSSIBLE if "client" in session.offers and "server" not in session.offers else UNLIKELY
    if 30 <= number <= 49:
        return POSSIBLE if session.agreed and not session.kex_done else IMPOSSIBLE
    if number == 21:
        return POSSIBLE if session.agreed and not state.newkeys_received else UNLIKELY
    if number == 6:
        return POSSIBLE if session.service_line and not session.service_accepted else IMPOSSIBLE
    if number == 7:
        # It comes with the first packets under the new keys (RFC 8308, 2.4).
        early = state.newkeys_received and not session.service_accepted and "ext_info" not in session.packets
        return EXPECTED if early else UNLIKELY
    if 50 <= number <= 79:
        if session.authenticated or not session.service_accepted:
            return IMPOSSIBLE
        asked = any(attempt.pending for attempt in session.attempts[-RECENT:])
        return POSSIBLE if asked or not session.dumped else UNLIKELY
    if number >= 80 and not session.authenticated:
        return IMPOSSIBLE
    if number == 80:
        # OpenSSH tells its host keys once, right after the login.
        told = "global_request" in session.packets or "OpenSSH" not in (session.server_banner or "")
        return POSSIBLE if told else EXPECTED
    if number in (91, 92):
        return POSSIBLE if any(not c.opened and not c.refused_line for c in session.channels[-RECENT:]) else UNLIKELY
    if number in (99, 100):
        asked = any(r.granted is None for c in session.channels[-RECENT:] for r in c.requests[-RECENT:])
        return POSSIBLE if asked else UNLIKELY
    if number >= 93:
        return POSSIBLE if any(c.opened for c in session.channels[-RECENT:]) else UNLIKELY
    return POSSIBLE


def _extends(session: Session) -> bool:
    """Whether the client asks for the server's extensions."""
    return "ext-info-c" in session.offers.get("client", {}).get("kex", ())
