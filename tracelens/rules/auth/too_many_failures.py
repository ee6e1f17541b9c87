import re

from tracelens.rules._shared.login_attempts import refusals, who
from tracelens.rules._shared.timeouts import NO_ANSWER
from tracelens.rules.base import Found, Rival, cause, client, server
from tracelens.sessions import Failure, Quote, Session

# What servers say when their limit is reached: OpenSSH, Go, Twisted, MINA, ProFTPD and others agree on little more.
SAID = (
    r"(?is)^(?!.*time).*(?:(?:too many|max|exceed|number of).*(?:auth|log[io]n|attempt|fail|tries|password)"
    r"|(?:auth|log[io]n|attempt|tries).*(?:exceeded|limit reached))"
)
# How a connection that ended shows in an authentication step; -18, -19 and -9 only with these texts.
LOST = r"Waiting for .*response|Failed waiting|Would block waiting|transport read|Unable to send (?:userauth|keyboard)"
# Words that only say that it is over: ProFTPD's, whatever its reason.
WORDLESS = r"(?i)^(?:application disconnected)?$"
# A server that closes because of its limit does so at once; a longer pause before is LoginGraceTime or a lost line.
PROMPT_SECONDS = 10.0


@cause(
    "auth-too-many-failures",
    phase="auth",
    outranks=NO_ANSWER,
    server_log={
        "OpenSSH": (
            ("maximum authentication attempts exceeded for {user}", "MaxAuthTries ended the connection"),
            ("Too many authentication failures", "the same, as it was told to the client"),
        ),
        "dropbear": (("Max auth tries reached", "its limit ended the connection"),),
    },
)
def too_many(session: Session) -> Found | None:
    """The server disconnected after too many attempts.

    ## What it means
    Every server limits the failed attempts on one connection: sshd's MaxAuthTries (6), ProFTPD's
    MaxLoginAttempts (3), dropbear's 10, Cisco IOS's 3. At the limit it hangs up. Each key that an
    agent offers counts as an attempt, and so may the `none` request.

    ## How it is seen
    - A disconnect (packet 1; RFC 4253, 11.1) during the login whose text speaks of attempts, such as
      reason 2 "Too many authentication failures"; or whose reason is 14 (no more authentication
      methods available) after refusals.
    - ProFTPD says no more than "Application disconnected": two or more refusals, and that at once.
    - Without the text: a refusal and then `-13 - socket disconnect`, which libssh2 prints for a
      received disconnect only. The likeliest reading, no more.
    - Servers that say nothing (dropbear, Cisco): two or more refusals, then at once a connection
      that ended: `-43 - transport read`, `Waiting for password response`; with 1.4.3
      `-9 - Would block waiting`.

    ## What to do
    - Client: mend the reason of the first refusal; it is in the evidence. Try fewer things: give one
      key, not an agent with ten (`IdentitiesOnly yes` for ssh); no loop over passwords. Open a new
      connection for the next try.
    - IRIS/Caché: after a failed AuthenticateWithUsername or AuthenticateWithKeyPair call Connect
      anew; do not repeat it in a loop. Repeated tries can lock the account or ban the address.
    - Server: MaxAuthTries in sshd_config. The log says "maximum authentication attempts exceeded".

    ## Not to be confused with
    - auth-password-rejected, auth-publickey-rejected: the same refusals, but the server stayed.
    - transport-connection-lost: the end came after a long pause (LoginGraceTime, a firewall).
    - transport-server-disconnect: a disconnect for another reason, such as "Change of username or
      service not allowed".

    ## Example
    ```
    [libssh2] 0.655011 Userauth: Attempting to login using password authentication
    [libssh2] 0.700774 Userauth: Password authentication failed
    [libssh2] 0.700778 Failure Event: -18 - Authentication failed (username/password)
    [libssh2] 0.700907 Userauth: Attempting to login using password authentication
    [libssh2] 0.746637 Userauth: Password authentication failed
    [libssh2] 0.746641 Failure Event: -18 - Authentication failed (username/password)
    [libssh2] 0.746767 Userauth: Attempting to login using password authentication
    => libssh2_transport_read() plain (45 bytes)
    0000: 01 00 00 00 02 00 00 00  20 54 6F 6F 20 6D 61 6E : ........ Too man
    0010: 79 20 61 75 74 68 65 6E  74 69 63 61 74 69 6F 6E : y authentication
    0020: 20 66 61 69 6C 75 72 65  73 00 00 00 00          :  failures....
    [libssh2] 0.793241 Transport: Packet type 1 received, length=45
    [libssh2] 0.793249 Failure Event: -13 - socket disconnect
    [libssh2] 0.793252 Failure Event: -13 - Waiting for password response
    ```
    """
    failed = session.ending.failed
    if failed is None or failed.phase != "auth":
        return None
    refused = [r for r in refusals(session) if not r.attempt.partial]
    proof = _said(session, [r.failure for r in refused]) or cut(session, [r.failure for r in refused])
    if proof is None:
        return None
    tried = ",".join(dict.fromkeys(a.method for a in session.login.attempts if a.method != "none"))
    tried = tried or ",".join(dict.fromkeys(r.method for r in refused)) or "nothing"
    first = refused[0] if refused else None
    return Found(
        f"The server hung up after too many failed attempts of {who(session)} ({len(refused)} refused here: {tried}).",
        (proof, *(Quote(r.failure.line, f"{r.method} refused") for r in refused[:4])),
        (
            client(
                "mend the reason of the first refusal and try fewer things: an agent with many keys, or a loop "
                "over passwords, uses the "
                "attempts up; Connect anew for the next try"
            ),
            server(
                "MaxAuthTries in sshd_config sets the number (6 by default, each key counts); the log says "
                '"maximum authentication attempts '
                'exceeded"'
            ),
        ),
        (
            Rival(
                "auth-publickey-rejected"
                if first is not None and first.method == "publickey"
                else "auth-password-rejected",
                "it came first, attempt by attempt; what ended the session is the server that hung up",
            ),
            *(
                ()
                if session.server_disconnect()
                else (
                    Rival(
                        "transport-server-disconnect",
                        "the words of the disconnect (mask bit 2) or the server's log would decide",
                    ),
                )
            ),
        ),
    )


def _said(session: Session, refusals: list[Failure]) -> Quote | None:
    """The server's disconnect, where it is about attempts."""
    refused = len(refusals)
    said = session.server_disconnect()
    if said is None:
        # "socket disconnect" is printed for a received disconnect and nothing else.
        told = (f for f in session.failures if f.code == -13 and f.is_("socket.closed"))
        return next((f.quote for f in told if refused), None)
    words = said.description.replace("(null)", "").strip()
    silent_limit = re.match(WORDLESS, words) and (_promptly(session, refusals) if words else refused)
    silent_limit = silent_limit and said.reason in (2, 11, None)
    no_more = said.reason == 14 and refused and (refused > 1 or not words or "no more" in words.lower())
    if re.search(SAID, words) or no_more or silent_limit:
        return Quote(said.line, f"the server disconnects (reason {said.reason}): {words}")
    return None


def _promptly(session: Session, refusals: list[Failure]) -> bool:
    """Whether the received disconnect came at once with the attempt after two refusals or more."""
    if len(refusals) < 2:
        return False
    last = refusals[-1]
    end = next((f for f in session.failures if f.line > last.line and f.code == -13), None)
    if end is None:
        return False
    return end.time is None or last.time is None or end.time - last.time <= PROMPT_SECONDS


def cut(session: Session, refused: list[Failure], *, least: int = 2) -> Quote | None:
    """The end of the connection that came at once with the next attempt, after at least so many refusals."""
    if len(refused) < least or session.server_disconnect() is not None:
        return None
    last = refused[-1]
    for failure in session.failures:
        if failure.line <= last.line or failure.kind != "error" or failure.fate == "cleanup":
            continue
        ended = failure.code in (-43, -13, -7, -1) or re.search(LOST, failure.message)
        if not ended or failure.phase != "auth" or failure.is_("agent"):
            continue
        known = failure.time is not None and last.time is not None
        if known and (failure.time or 0.0) - (last.time or 0.0) > PROMPT_SECONDS:
            return None
        return Quote(failure.line, f"the connection ends: {failure.code} - {failure.message}")
    return None
