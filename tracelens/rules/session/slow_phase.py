from tracelens.rules._shared.timeouts import LOST, TIMED_OUT, pause
from tracelens.rules.base import Advice, Found, client, network, notice, server
from tracelens.sessions import Phase, Quote, Session

# A phase is slow if it takes this long (seconds) and this share of the session.
SLOW_SECONDS = 2.0
SLOW_SHARE = 0.6
# A transfer whose requests each take less than this (seconds) is long, not slow.
SLOW_REQUEST = 0.25
# If less than this share of a phase was waiting for the server, the time was spent in the client.
WAITED_SHARE = 0.2
_DELAYS = {
    "banner": "what delays the greeting: look-ups of the client's name (UseDNS), sshd short of slots",
    "kex": "what delays key exchange: a loaded machine, or large group-exchange primes (/etc/ssh/moduli)",
    "auth": "what delays the login: PAM modules, LDAP or RADIUS, GSSAPIAuthentication, UseDNS",
    "channel": "what delays the command or its start: the user's start-up files, a home on a network drive",
    "sftp": "what delays SFTP's answers: slow storage, a virus scanner, a loaded machine",
    "scp": "what delays scp: slow storage, a virus scanner, the user's start-up files",
}


@notice("slow-phase")
def slow_phase(session: Session) -> Found | None:
    """One step took most of the session's time; says which and how long.

    ## What it means
    At least two seconds, and at least 60 % of the session, went into one of its phases: waiting for the greeting
    (banner), key exchange, login, opening a channel, or SFTP and SCP. Nothing failed by that, yet
    users feel it, and a timeout that is set tighter turns it into a failure.

    ## How it is seen
    - From the clock in front of each line, by the phase that the line belongs to. libssh2 1.0 prints no
      clock.
    - Of that time, the waiting for the server: the pauses after each -37 (blocking mode), or between repeated
      `Looking for packet of type` (non-blocking). The rest is the client's own time: signing, a person who
      types an answer, a program that does other things.
    - A long transfer is not a slow one: with many reads or writes, the time of each counts.
    - Time in which nothing was requested does not count: keepalives were sent, or a channel was polled.

    ## What to do
    - Server, banner: sshd looks up the client's name before it greets (UseDNS, TCP wrappers), or is out of slots.
    - Server, login: PAM modules, LDAP or RADIUS; GSSAPIAuthentication; about two seconds after a refused
      password are on purpose (pam_unix, pam_faildelay).
    - Server, channel: the user's start-up files, a home directory on a network drive.
    - Client: a time limit must be longer than this step (`libssh2_session_set_timeout()`, since 1.2.9; in
      IRIS/Caché the adapter's timeouts). `Connect` covers banner and key exchange, the
      `AuthenticateWith...` methods the login.
    - Network: measure the round trip; lost packets show as pauses of 1, 3 or 7 seconds.

    ## Not to be confused with
    - `transport-timeout`, `banner-timeout`: the same waiting, until somebody gave up. Where that wait is all
      that was slow, it is not told twice.
    - `retry-storm`: time goes by because the client does not wait at all.
    - `noise-retried`: -37 after -37 is the ordinary way to wait.

    ## Example
    ```
    [libssh2] 0.135888 Transport: Sending Banner: SSH-2.0-libssh2_1.11.1
    [libssh2] 0.164602 Transport: Received Banner: SSH-2.0-OpenSSH_9.2p1
    [libssh2] 0.180210 Key Ex: Agreed on KEX method: curve25519-sha256
    [libssh2] 0.210400 Key Ex: Received NEWKEYS message curve25519
    [libssh2] 0.252100 Userauth: Attempting to login using password authentication
    [libssh2] 0.252290 Failure Event: -37 - Waiting for password response
    [libssh2] 10.301455 Userauth: Password authentication successful
    [libssh2] 10.302010 Conn: Allocated new channel ID#0
    ```
    """
    if session.started is None or session.ended is None:
        return None
    if session.ending.left in ("host key", "login"):
        return None  # the program, or a person, took the time
    total = session.ended - session.started - sum(p.idle for p in session.phases)
    durations = [
        (p, p.ended - p.started - p.idle) for p in session.phases if p.started is not None and p.ended is not None
    ]
    steps = len(durations) + (not session.shows_banner_phase())  # the trace may begin after the first one
    if total < SLOW_SECONDS or steps < 2:
        return None
    slowest, duration = max(durations, key=lambda pair: pair[1])
    if duration < SLOW_SHARE * total or _is_long_transfer(session, slowest, duration):
        return None
    if duration - _last_wait(session, slowest) < SLOW_SECONDS:
        return None
    waiting = min(slowest.waited, duration)
    of_it = f"; at least {waiting:.1f} s of it went by waiting for the server" if waiting >= SLOW_SECONDS / 10 else ""
    return Found(
        f"The phase {slowest.name} took {duration:.1f} of {total:.1f} s{of_it}.",
        (
            Quote(slowest.first_line, f"{slowest.name} begins"),
            Quote(slowest.last_line, f"{slowest.name} ends, {duration:.1f} s later"),
        ),
        _advice(session, slowest, waiting / duration),
        basis="silence",
    )


def _last_wait(session: Session, phase: Phase) -> float:
    """How long (seconds) the client waited in a phase until it failed; the failure itself reports that."""
    failed = session.ending.failed
    if failed is None or not phase.first_line <= failed.line <= phase.last_line:
        return 0.0
    is_wait = failed.kind in ("silence", "closed") or failed.code in (*LOST, *TIMED_OUT)
    return (pause(session, failed) or 0.0) if is_wait else 0.0


def _is_long_transfer(session: Session, phase: Phase, duration: float) -> bool:
    count = sum(session.sftp.transfers.values())
    return phase.name in ("channel", "sftp", "scp", "done") and count > 0 and duration / count < SLOW_REQUEST


def _advice(session: Session, phase: Phase, waiting: float) -> tuple[Advice | None, ...]:
    """What to do about a slow phase; `waiting` is the share of it that was waiting for the server."""
    methods = {a.method for a in session.login.attempts} if phase.name == "auth" else set()
    if waiting < WAITED_SHARE and _shows_waiting(session):
        reason = "what does the program do between its calls?"
        if "publickey" in methods:
            reason = "reading a private key with a passphrase takes its time (bcrypt), and so do key agents"
        return (client(f"little of it was waiting for the server: {reason}"),)
    is_refused = bool(methods) and any(a.outcome == "refused" and a.method != "none" for a in session.login.attempts)
    return (
        server(_DELAYS[phase.name]) if phase.name in _DELAYS else None,
        server("about two seconds after each refused attempt are on purpose (pam_unix, pam_faildelay)")
        if is_refused
        else None,
        client("part of it may be the person or program that answered the server's prompts")
        if "keyboard-interactive" in methods
        else network("measure the round-trip time to the server, and lost packets"),
    )


def _shows_waiting(session: Session) -> bool:
    """Whether the trace shows waiting: a blocking client prints -37 each time, except where it gave up."""
    failed = session.ending.failed
    is_given_up = failed is not None and (failed.kind == "silence" or failed.code in (-9, -30))
    return bool(session.blocking) and session.uses("Failure Event") and not is_given_up
