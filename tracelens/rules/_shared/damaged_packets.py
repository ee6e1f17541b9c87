"""What rules about damaged packets share: the server's report of them, and what to do."""

import re

from tracelens.rules.base import Advice, client, network, vendor
from tracelens.sessions import Disconnect, Session

_ETM_BROKEN = ((1, 11, 0), (1, 11, 1))
_MAC_WORDS = r"(?i)\bMAC\b|corrupted mac|packet corrupt"
_LENGTH_WORDS = r"(?i)bad packet length|packet length|padding error"


def server_saw_bad_mac(session: Session) -> Disconnect | None:
    """The server's disconnect, if it says that a MAC did not verify (RFC 4253, 11.1, reason 5)."""
    message = session.server_disconnect()
    if message is None or not session.kex.done:
        return None
    is_mac = message.reason == 5 or (message.reason == 2 and re.search(_MAC_WORDS, message.description))
    return message if is_mac else None


def server_saw_bad_length(session: Session) -> Disconnect | None:
    """The server's disconnect, if it says that a packet had an impossible length."""
    message = session.server_disconnect()
    if message is None or message.reason != 2:
        return None
    return message if re.search(_LENGTH_WORDS, message.description) else None


def protection(session: Session) -> str:
    """Cipher and MAC that guard what the server sends, as far as known."""
    names = [session.kex.algorithm(name) for name in ("cipher_sc", "mac_sc")]
    known = [name for name in names if name and name not in ("INTEGRATED-AES-GCM", "INTEGRATED-MAC")]
    return " and ".join(known)


def advice(session: Session) -> tuple[Advice | None, ...]:
    """What to do about packets that were damaged on the way."""
    used = protection(session)
    now = f" instead of {used}" if used else ""
    is_etm_broken = session.client_version in _ETM_BROKEN and ("-etm" in used or not used)
    return (
        network(
            "look for what alters bytes on the way: a faulty network card or its offloading, a WAN optimizer, an "
            "inspecting firewall; try another path or machine"
        ),
        client(
            f"try another cipher and MAC{now}: libssh2_session_method_pref with LIBSSH2_METHOD_CRYPT_CS, _CRYPT_SC, "
            "_MAC_CS and _MAC_SC before the handshake; if only one pair fails, it is the software and not the line"
        ),
        vendor(
            "libssh2 1.11.0 and 1.11.1 mishandle a broken MAC with *-etm@openssh.com MACs (they dump 2^64 - 76 "
            "bytes and can crash): use a newer libssh2"
        )
        if is_etm_broken
        else None,
    )
