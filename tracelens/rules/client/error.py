import re

from tracelens.rules.base import Advice, Found, Rival, cause, client, vendor
from tracelens.sessions import Failure, Quote, Session

# Numbers that mean misuse, unless the text is about something that the peer sent or about a local file.
NUMBERS = (-6, -33, -34, -35, -39, -40, -45)
NOT_MISUSE = (
    r"(?i)^unexpected |SFTP packet|modulus|private key|crypto backend|base ?64|partial octet|in libgcrypt|Windows CNG"
)
# Texts that mean misuse under a number that has other meanings too.
MISUSE = (
    r"Bad socket provided|blocking state|No method negotiated|^compression failure|Session is required|Input too large"
    r"|Input parameter length|(?:Username|Password)\b.*(?:too l|length)|or (?:password|public key length) too large"
    r"|already closed this channel|EOF has already been"
    r"|response packet too large|[Pp]ublic ?key \w+.*too large|publickey (?:packet|attributes)|exchange_state"
)
_LOG_IN = client(
    "log in first, and go on only when that was good: check the Status of AuthenticateWithUsername, "
    "AuthenticateWithKeyPair or AuthenticateWithKeyboardInteractive before SFTP is opened; in C, "
    "libssh2_userauth_authenticated() must be 1 before libssh2_sftp_init() or libssh2_channel_open_session()"
)
# Causes that explain this one.
_NARROWER = (
    "auth-agent-failed", "auth-key-unreadable", "auth-key-format", "auth-key-passphrase", "transport-decrypt-failed",
    "client-crypto-failed", "sftp-start-failed",
)  # fmt: skip


@cause("client-error", phase="client", yields_to=_NARROWER, server_log=None)
def misuse(session: Session) -> Found | None:
    """The calling program misused the library, or memory ran out.

    ## What it means
    The failure was made on this side, before or without any answer of the server: a call in the wrong
    order, an argument that libssh2 can't work with, a socket that is not connected, or no memory.

    ## How it is seen
    - `-34 - session not authenticated yet` (since 1.2.6): SFTP was asked for before the login was
      complete. Often a failed or half-done login went unnoticed (RFC 4252 section 5.1: partial success).
    - `-45 - Bad socket provided` (-1 up to 1.2.7), `Failed changing socket's blocking state`: the socket
      was closed or never connected.
    - `-33 - The requested method(s) are not currently supported`: libssh2_session_method_pref() was given
      a name that this build does not know.
    - `-26 - We've already closed this channel`, `-27 - EOF has already been received`: the program writes
      to a channel that it has itself closed or ended.
    - `-39` (bad use), `-34` (invalid argument), `-35`, `-41` with `... too large` or `... too long`.
    - A channel is opened (packet 90) and the dumps show no login (packet 50) before: the server answers
      with packet 3 (unimplemented) or nothing, and the program waits in vain.
    - `-6`: memory. If the server had just sent something, its claimed size may be absurd.

    ## What to do
    - Client (IRIS, Caché): check the Status of Connect and of each Authenticate... call before the next
      one; open SFTP (OpenSFTP) only after a login that was good. Where the server wants two methods, call
      the second one on the same connection (Caché 2018.1 or later, IRIS).
    - Client (C): the order is connect(), libssh2_session_handshake(), libssh2_userauth_...() until
      libssh2_userauth_authenticated() is 1, then libssh2_sftp_init(). One session per thread at a time.
    - Memory: look at the limits of the process, and whether sessions are freed.
    - Server, network: nothing to do.

    ## Not to be confused with
    - `auth-second-factor-missing`: the login stopped half-way; then that is the cause, not the SFTP call.
    - `client-crypto-failed`: the crypto library failed, not the program.
    - `transport-protocol-error`: the server sent something with impossible sizes.
    - `auth-agent-failed`: -39 and -45 of the SSH agent.

    ## Example
    ```
    [libssh2] 0.410233 Transport: Sending Banner: SSH-2.0-libssh2_1.11.0
    [libssh2] 0.438120 Transport: Received Banner: SSH-2.0-OpenSSH_9.6
    [libssh2] 0.481910 Key Ex: Received NEWKEYS message curve25519
    [libssh2] 0.482071 Transport: Requesting userauth service
    [libssh2] 0.491205 Transport: Packet type 6 received, length=17
    [libssh2] 0.491300 Failure Event: -34 - session not authenticated yet
    [libssh2] 0.491412 Transport: Freeing session resource
    ```
    """
    failed = session.ending.failed
    if failed is None:
        return None
    if session.login.skipped_line and failed.phase == "channel":
        return _not_logged_in(session, failed)
    is_number = failed.code in NUMBERS and not re.search(NOT_MISUSE, failed.message)
    if failed.kind != "error" or not (is_number or re.search(MISUSE, failed.message)):
        return None
    is_memory = failed.code == -6
    may_be_partial = failed.is_("session.not_authenticated") and not session.uses("Userauth")
    return Found(
        f"Memory ran out in the client: {failed.message}."
        if is_memory
        else f"The calling program misused the library: {failed.message} (error {failed.code}).",
        (failed.quote,),
        (
            _advice(failed),
            vendor("if the program is not yours, send its vendor this line and what tracelens says of it"),
        ),
        (
            Rival(
                "transport-protocol-error",
                "a server that claims an absurd size looks the same; the packet before this line would decide"
                if is_memory
                else "ruled out: the library refused its own caller, not a packet",
            ),
            Rival(
                "auth-second-factor-missing",
                "a first method that was accepted in part leaves the session so; the login lines (mask bit 8) would "
                "decide",
            )
            if may_be_partial
            else None,
        ),
    )


def _not_logged_in(session: Session, failed: Failure) -> Found:
    return Found(
        "The calling program asked for a channel without logging in; servers leave that without a proper answer.",
        (Quote(session.login.skipped_line, "a channel is asked for; no login was tried before"), failed.quote),
        (_LOG_IN, vendor("if the program is not yours, send its vendor what tracelens says of it")),
        (Rival("transport-timeout", "ruled out: the server need not answer a channel request before a login"),),
    )


def _advice(failed: Failure) -> Advice:
    if failed.code == -6:
        return client("look at the memory limits of the process, and whether it frees its sessions")
    if failed.is_("session.not_authenticated"):
        return _LOG_IN
    if failed.is_("socket"):
        return client("connect the socket first, and keep it open: check the Status of Connect, in C of connect()")
    if failed.is_("session.method_unsupported"):
        return client(
            "take names that this build does not know out of libssh2_session_method_pref() (IRIS: "
            "SetPreferredAlgorithms); libssh2_session_supported_algs() lists what it knows"
        )
    return client(
        "call in the order that libssh2 needs: connect, authenticate, then SFTP or channels; on IRIS check that each "
        "Status is good before the next call"
    )
