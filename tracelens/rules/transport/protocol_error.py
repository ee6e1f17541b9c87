import re

from tracelens.rules._shared.timeouts import is_lost
from tracelens.rules.base import Advice, Found, Rival, cause, client, server, vendor
from tracelens.sessions import Failure, Session

CODES = (-14, -38, -24, -25, -23, -20, -29)
# Faults of the server among the texts of -41, which mostly mean that something local is too large.
_TOO_LARGE = (
    r"Unexpected (?:packet|userauth)|Too many replies|Unable to decode|Host key length|Invalid SFTP packet size"
)
# Causes that explain this one.
_NARROWER = (
    "kex-hostkey-unverified", "client-crypto-failed", "client-error", "sftp-start-failed", "scp-failed",
    "auth-key-format", "auth-key-passphrase", "auth-key-unreadable", "banner-version-unsupported",
    "kex-no-common-kex", "kex-no-common-hostkey",
)  # fmt: skip


@cause(
    "transport-protocol-error",
    phase="transport",
    yields_to=_NARROWER,
    server_log={"OpenSSH": (("fatal:", "the server's view of the same packet"),)},
)
def protocol_error(session: Session) -> Found | None:
    """The peer broke the protocol.

    ## What it means
    A packet came whole and undamaged, and its contents are not what the protocol allows at this
    point: too short, out of order, for a channel that does not exist, an SFTP answer to another
    question, or more data than was granted. One of the two programs has a fault; the trace shows
    which packet, not always whose.

    ## How it is seen
    - `-14` (PROTO): `Unexpected packet size`, `Invalid response received from server`, `Unexpected
      packet length`, strict key exchange broken (`-13 - strict KEX violation: ...`, since 1.11.1).
    - `-38` (BUFFER_TOO_SMALL, since 1.9.0) and `-31` with `... too short`, `Too small FXP_...`,
      `Response too small`: a field of the packet is missing.
    - `-31 - SFTP Protocol badness`, `Out of sync with the world` (since 1.4.1), `Read Packet At
      Unexpected Offset` (since 1.7.0): an SFTP answer that does not fit the request.
    - `-25 - SFTP packet too large` after SFTP was up: libssh2 takes packets up to a limit only
      (40,000 bytes in old versions, 256 KiB in current ones); some servers send long folder lists
      in one packet.
    - `-24`, `-23`, `-25 - Packet contains more data ...`: windows and channel numbers (RFC 4254,
      5.1, 5.2).
    - `-29`: what came does not decompress (RFC 4253, 6.2).

    ## What to do
    - Client: use a newer libssh2 (on IRIS/Caché a newer instance): several of these are old faults
      of the library that were mended. List a smaller folder if lists are the problem.
    - Server: note software and version from its banner, and whether a newer one behaves.
    - Vendor: send what tracelens says of the trace with this line to both sides; a packet capture does not help,
      it is encrypted.

    ## Not to be confused with
    - `sftp-start-failed`: text of a shell in place of the first SFTP packet (also -25).
    - `sftp-operation-failed`: a good SFTP status that says no (-31 too).
    - `transport-decrypt-failed`: the packet itself arrived damaged (-12, -41).
    - `client-error`: the caller's arguments were at fault.

    ## Example
    ```
    [libssh2] 0.200100 Transport: Received Banner: SSH-2.0-DepotSFTP_1.0
    [libssh2] 0.200200 Userauth: Password authentication successful
    [libssh2] 0.200300 SFTP: Sending FXP_INIT packet advertising version 3 support
    [libssh2] 0.202300 SFTP: Enabling SFTP version 3 compatibility
    [libssh2] 0.205300 SFTP: Sending file open request
    [libssh2] 0.207300 SFTP: Received packet type 102 (len 13)
    [libssh2] 0.207400 SFTP: Open command successful
    [libssh2] 0.207500 SFTP: read request id 1 sent (offset: 0, size: 2000)
    [libssh2] 0.209500 Failure Event: -31 - Read Packet At Unexpected Offset
    ```
    """
    failed = session.ending.failed
    if failed is None or failed.kind not in ("error", "left") or not _is_breach(session, failed):
        return None
    attempt = failed.attempt if failed.phase == "auth" else None
    if attempt is not None and attempt.method == "publickey" and attempt.outcome == "not-sent":
        return None
    by = f"error {failed.code}" if failed.code is not None else "libssh2 disconnects"
    banner = f", {session.banner.server}" if session.banner.server else ""
    return Found(
        f"The server sent what the protocol does not allow: {failed.message} ({by}{banner}).",
        (failed.quote, *session.banner.received[-1:]),
        _advice(session, failed),
        (Rival("transport-decrypt-failed", "ruled out: the packet was whole, its contents were not as they must be"),),
    )


def _is_breach(session: Session, failed: Failure) -> bool:
    if failed.is_("kex.strict_violation"):
        return True
    if failed.code == -31:
        return failed.is_("sftp.malformed", "too_short")
    if failed.code == -41:
        return re.search(_TOO_LARGE, failed.message) is not None
    if failed.code == -6:
        return failed.is_("sftp.packet_size")
    if failed.code == -36:
        return failed.is_("publickey_subsystem")
    if failed.code not in CODES or is_lost(session, failed):
        return False
    if failed.phase == "kex" and failed.code == -14:
        return failed.is_("malformed")
    return True


def _advice(session: Session, failed: Failure) -> tuple[Advice, ...]:
    version = session.client_version
    hint = f"this is libssh2 {'.'.join(map(str, version))}; " if version else ""
    if failed.is_("sftp.packet_too_large", "sftp.names_too_large"):
        hint += (
            "older versions take SFTP packets of 40,000 bytes at most, current ones 256 KiB; list smaller folders, or "
        )
    return (
        client(f"{hint}use a newer libssh2: several faults of this kind are the library's own, and mended"),
        server("find out whether a newer version of this server behaves: give its maker this line"),
        vendor("send what tracelens says of the trace with the server's banner: either side may be at fault"),
    )
