from tracelens.rules._shared.timeouts import NO_ANSWER, unseen_banner
from tracelens.rules.base import Advice, Found, Rival, cause, client, network, server
from tracelens.sessions import LISTS, Disconnect, Failure, Quote, Session

NO_COMMON = tuple(f"kex-no-common-{name}" for name in ("kex", "hostkey", "cipher", "mac", "compression"))
LOST = (-1, -7, -13, -43)
# libssh2 itself waits 60 s for a packet of the key exchange; an earlier end with these words was no timeout.
_PATIENCE = 50.0
_TIMEOUT_WORDS = ("kex.timeout", "would_block", "kex.not_exchanged", "kex.unrecoverable")


@cause(
    "kex-server-disconnect",
    phase="kex",
    yields_to=(*NO_COMMON, "kex-no-common-algorithm", "banner-version-unsupported"),
    outranks=NO_ANSWER,
    server_log={
        "OpenSSH": (
            ("[preauth]", "what sshd did with connections that had not logged in"),
            ("fatal:", "the process of this connection died"),
            ("penalty", "the address is barred for a while (PerSourcePenalties)"),
        )
    },
)
def server_disconnect(session: Session) -> Found | None:
    """The server left during key exchange, with or without an SSH disconnect.

    ## What it means
    Server and client greeted each other; then, before encryption was agreed on, the server ended the
    connection. It refused the client's address, disliked something in the offer, or broke down. User
    and password were not sent yet.

    ## How it is seen
    - A received disconnect (packet 1, RFC 4253 section 11.1) before NEWKEYS: `Disconnect(n): ...` in
      the trace, its reason and sentence in the dump. libssh2 1.4.3 and 1.9.0 print `(null)` instead.
    - Or the connection just ends: `-1`, `-13` or `-43 - Unable to exchange encryption keys`, or
      `-43 - Timeout waiting for ECDH_REPLY reply`. The number decides; "timeout" there is wrong.
    - Or `-9 - Timed out waiting for KEX reply` long before the 60 s that libssh2 waits: the server
      died in its half of the work. Compare the clock.
    - Or sending fails: `-7 - Unable to send KEXINIT packet to remote host` and the like.
    - How far it came says a lot: before the server's packet 20, a filter or a limit; after it, the
      offer or the host keys; after packet 30 or 34, the server's own computing (moduli file, memory).

    ## What to do
    - Server: read its log at this second. sshd says `Unable to negotiate`, `no hostkeys available`,
      `drop connection ... MaxStartups`, `Connection closed by ... [preauth]`, or reports a crash.
    - Network: a firewall or intrusion prevention that lets the banner pass and then cuts is common;
      try from another machine or network.
    - Client: if only this client is cut off, compare its age. Try a shorter offer with
      libssh2_session_method_pref() (IRIS: SetPreferredAlgorithms): some old servers choke on long lists.
    - Support: `SetTraceMask(134,"/tmp/ssh.log")` before Connect is enough to see all of it.

    ## Not to be confused with
    - `kex-no-common-kex` and its siblings: the two offers don't meet. They explain a server that leaves.
    - `banner-closed`: the server left before its banner.
    - `transport-timeout`: silence, and nothing that ended the connection.
    - `transport-connection-lost`: the same after key exchange.

    ## Example
    ```
    [libssh2] 0.410233 Transport: Sending Banner: SSH-2.0-libssh2_1.10.0
    [libssh2] 0.438120 Transport: Received Banner: SSH-2.0-OpenSSH_8.4
    [libssh2] 0.438500 Key Ex: Sent KEX: curve25519-sha256,ecdh-sha2-nistp256
    [libssh2] 0.438910 Transport: Looking for packet of type: 20
    [libssh2] 0.452204 Failure Event: -1 - Unable to exchange encryption keys
    [libssh2] 0.452310 Transport: Freeing session resource
    ```
    """
    failed = session.ending.failed
    if failed is None or failed.phase != "kex" or session.kex.done:
        return None
    if failed.is_("kex.strict_violation", "socket.invalid"):
        return None
    message = session.server_disconnect()
    if message is None and failed.code not in LOST and failed.kind != "closed" and not _is_end(session, failed):
        return None
    words = message.description.strip() if message is not None else ""
    words = "" if words == "(null)" else words
    if message is not None:
        reason = f"{f'{words!r}' if words else 'no reason in words'} (reason {message.reason})"
        summary = f"The server disconnected during key exchange, {_stage(session)}: {reason}."
    else:
        summary = f"The server ended the connection during key exchange, {_stage(session)}, without saying why."
    return Found(
        summary,
        _evidence(session, failed, message),
        _advice(session, message, words),
        _rivals(session, failed, message, words),
    )


def _is_end(session: Session, failed: Failure) -> bool:
    """Whether an error worded as a timeout was the end of the connection."""
    # A -8 without an error before it is the server's doing only if one of its packets was still due.
    is_due = failed.code == -9 or (failed.code == -8 and _is_packet_due(session))
    return is_due and failed.is_(*_TIMEOUT_WORDS) and _waited(session) < _PATIENCE


def _is_packet_due(session: Session) -> bool:
    """Whether the client still waited for a packet; libssh2 looks again for one that has just arrived."""
    latest = session.quote("transport.packet_received")
    return any(latest is None or f"type {number} received" not in latest.text for number in session.waiting_for)


def _waited(session: Session) -> float:
    phase = next((p for p in reversed(session.phases) if p.name == "kex"), None)
    return phase.waited if phase is not None else 0.0


def _stage(session: Session) -> str:
    if session.kex.agreed or session.saw("key_ex.kex_initiated") or _computing(session):
        return "while both sides were computing the key"
    if "server" in session.kex.offers:
        return "after both sides had made their offers"
    if "client" in session.kex.offers:
        return "before it had made its offer"
    return "at a step that was not traced"


def _computing(session: Session) -> bool:
    return any(f"kex_{number}" in session.packets for number in (30, 32, 34))


def _evidence(session: Session, failed: Failure, message: Disconnect | None) -> tuple[Quote | None, ...]:
    disconnect = None
    if message is not None and message.line != failed.line:
        text = f"disconnect from the server, reason {message.reason}: {message.description.strip()}"
        disconnect = Quote(message.line, text)
    last = session.last if failed.kind in ("silence", "closed") else None
    return disconnect, failed.quote, last if last is not None and last.line != failed.line else None


def _advice(session: Session, message: Disconnect | None, words: str) -> tuple[Advice, ...]:
    is_limit = message is not None and (message.reason == 12 or "too many" in words.lower())
    suspects = (
        "the address refused or too many connections (sshd: MaxStartups, PerSourcePenalties), or a crash"
        if "server" not in session.kex.offers
        else "missing host keys, a moduli file without the size asked for, a crash of the child process"
    )
    return (
        server(f"look in the server's log at this moment{f' for {words!r}' if words else ''}: {suspects}"),
        network("check whether a firewall or intrusion prevention cuts SSH sessions after the banner"),
        client(
            "connect less often, and not many times at once"
            if is_limit
            else "try from another machine, and with a shorter offer (libssh2_session_method_pref; IRIS: "
            "SetPreferredAlgorithms), to see whether it is the address or the offer"
        ),
    )


def _rivals(session: Session, failed: Failure, message: Disconnect | None, words: str) -> tuple[Rival | None, ...]:
    if all(session.kex.common(name) is not None for name in LISTS) and not session.kex.mismatches():
        because = "ruled out: every list of the two offers has a common member"
    elif words:
        because = "ruled out: the server gave another reason"
    else:
        because = 'the server\'s log would decide: it says "no matching ... found" if it left because nothing matched'
    version = session.client_version
    may_send_empty = message is None and (version is None or version < (1, 10)) and _may_be_empty(session)
    return (
        Rival("kex-no-common-algorithm", because),
        Rival("transport-timeout", "ruled out: the connection ended, nobody gave up waiting"),
        Rival(
            "client-crypto-failed",
            "up to libssh2 1.9 a client whose crypto library fails (FIPS mode) sends an empty value, and the server "
            "leaves over it: a packet 30 of 5 bytes in the dumps would decide",
        )
        if may_send_empty
        else None,
        *unseen_banner(session, failed),
    )


def _may_be_empty(session: Session) -> bool:
    """Whether the client's public value was due and may have been empty."""
    return _computing(session) if session.dumped else bool(session.kex.agreed) or not session.uses("Key Ex")
