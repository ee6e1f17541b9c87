import re

from tracelens.rules._shared.login_attempts import Refusal, refusals, who
from tracelens.rules._shared.timeouts import LOST, NO_ANSWER
from tracelens.rules.base import Found, Rival, cause, client, server
from tracelens.sessions import Disconnect, Failure, Quote, Session

# What servers say when their limit is reached: OpenSSH, Go, Twisted, MINA, ProFTPD and others agree on little more.
_LIMIT_WORDS = (
    r"(?is)^(?!.*time).*(?:(?:too many|max|exceed|number of).*(?:auth|log[io]n|attempt|fail|tries|password)"
    r"|(?:auth|log[io]n|attempt|tries).*(?:exceeded|limit reached))"
)
# The errors -18, -19 and -9 of a login step that mean the end of the connection.
_CUT = r"Waiting for .*response|Failed waiting|Would block waiting|transport read|Unable to send (?:userauth|keyboard)"
# Words that give no reason: those of ProFTPD.
_WORDLESS = r"(?i)^(?:application disconnected)?$"
# A server that closes because of its limit does so at once; a longer pause (seconds) is LoginGraceTime or a lost line.
_PROMPT = 10.0


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
    failures = [r.failure for r in refused]
    proof = _limit_message(session, failures) or connection_cut(session, failures)
    if proof is None:
        return None
    count, methods = len(refused), _methods(session, refused)
    is_key = bool(refused) and refused[0].method == "publickey"
    return Found(
        f"The server hung up after too many failed attempts of {who(session)} ({count} refused here: {methods})."
        if count
        else f"The server hung up at the first attempt of {who(session)} ({methods}): it allows no other.",
        (proof, *(Quote(r.failure.line, f"{r.method} refused") for r in refused[:4])),
        (
            client(
                "mend the reason of the first refusal and try fewer things: an agent with many keys, or a loop over "
                "passwords, uses the attempts up; Connect anew for the next try"
            ),
            server(
                "MaxAuthTries in sshd_config sets the number (6 by default, each key counts); the log says "
                '"maximum authentication attempts exceeded"'
            ),
        ),
        (
            Rival(
                "auth-publickey-rejected" if is_key else "auth-password-rejected",
                "it came first, attempt by attempt; what ended the session is the server that hung up",
            ),
            None
            if session.server_disconnect()
            else Rival(
                "transport-server-disconnect",
                "the words of the disconnect (mask bit 2) or the server's log would decide",
            ),
        ),
    )


def _methods(session: Session, refused: list[Refusal]) -> str:
    """The methods that were tried."""
    end = session.ending.failed.line if session.ending.failed is not None else session.last_line
    tried = [a for a in session.login.attempts if a.line < end and a.method != "none" and a.outcome != "not-sent"]
    methods = [attempt.method for attempt in tried] or [refusal.method for refusal in refused]
    return ",".join(dict.fromkeys(methods)) or "nothing"


def _limit_message(session: Session, refused: list[Failure]) -> Quote | None:
    """The server's disconnect, if it is about the number of attempts."""
    message = session.server_disconnect()
    if message is None:
        # "socket disconnect" is printed for a received disconnect and nothing else.
        errors = (f for f in session.failures if f.code == -13 and f.is_("socket.closed"))
        return next((f.quote for f in errors if refused), None)
    words = message.description.replace("(null)", "").strip()
    if re.search(_LIMIT_WORDS, words) or _is_limit(session, message, words, refused):
        return Quote(message.line, f"the server disconnects (reason {message.reason}): {words}")
    return None


def _is_limit(session: Session, message: Disconnect, words: str, refused: list[Failure]) -> bool:
    """Whether a disconnect without words about a limit fits one."""
    if message.reason == 14:
        return bool(refused) and (len(refused) > 1 or not words or "no more" in words.lower())
    if message.reason not in (2, 11, None) or not re.match(_WORDLESS, words):
        return False
    return _is_prompt(session, refused) if words else bool(refused)


def _is_prompt(session: Session, refused: list[Failure]) -> bool:
    """Whether the received disconnect came at once with the attempt after two refusals or more."""
    if len(refused) < 2:
        return False
    last = refused[-1]
    end = next((f for f in session.failures if f.line > last.line and f.code == -13), None)
    return end is not None and _pause(last, end) <= _PROMPT


def _pause(last: Failure, end: Failure) -> float:
    """The time (seconds) between the last refusal and the end; 0 without a clock."""
    return end.time - last.time if end.time is not None and last.time is not None else 0.0


def connection_cut(session: Session, refused: list[Failure], *, least: int = 2) -> Quote | None:
    """The end of the connection that came at once with the next attempt, after at least so many refusals."""
    if len(refused) < least or session.server_disconnect() is not None:
        return None
    last = refused[-1]
    end = next((f for f in session.failures if f.line > last.line and _is_cut(f)), None)
    if end is None or _pause(last, end) > _PROMPT:
        return None
    return Quote(end.line, f"the connection ends: {end.code} - {end.message}")


def _is_cut(failure: Failure) -> bool:
    if failure.kind != "error" or failure.fate == "cleanup" or failure.phase != "auth" or failure.is_("agent"):
        return False
    return failure.code in LOST or bool(re.search(_CUT, failure.message))
