from tracelens.rules._shared.timeouts import LOST, TIMED_OUT, pause
from tracelens.rules.base import Advice, Found, client, network, notice, server
from tracelens.sessions import Phase, Quote, Session

# A step is slow that takes this long (seconds) and this share of the session.
SLOW_SECONDS = 2.0
SLOW_SHARE = 0.6
# A transfer whose requests take less than this each (seconds) is long, not slow.
SLOW_REQUEST = 0.25
# Where the server was waited for less than this share of a phase, the time was spent elsewhere.
WAITED_SHARE = 0.2


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
    total = session.ended - session.started
    timed = [(p, p.ended - p.started) for p in session.phases if p.started is not None and p.ended is not None]
    if total < SLOW_SECONDS or len(timed) < 2:
        return None
    slowest, took = max(timed, key=lambda pair: pair[1])
    if took < SLOW_SECONDS or took < SLOW_SHARE * total or _is_long_transfer(session, slowest, took):
        return None
    if took - _last_wait(session, slowest) < SLOW_SECONDS:
        return None
    waited = min(slowest.waited, took)
    of_it = f"; at least {waited:.1f} s of it went by waiting for the server" if waited >= SLOW_SECONDS / 10 else ""
    return Found(
        f"The phase {slowest.name} took {took:.1f} of {total:.1f} s{of_it}.",
        (
            Quote(slowest.first_line, f"{slowest.name} begins"),
            Quote(slowest.last_line, f"{slowest.name} ends, {took:.1f} s later"),
        ),
        _hurry(session, slowest, waited / took),
        basis="silence",
    )


def _last_wait(session: Session, phase: Phase) -> float:
    """How long (seconds) of a phase the answer was awaited that never came: that is the failure, and told as such."""
    failed = session.ending.failed
    if failed is None or not phase.first_line <= failed.line <= phase.last_line:
        return 0.0
    given_up = failed.kind in ("silence", "closed") or failed.code in (*LOST, *TIMED_OUT)
    return (pause(session, failed) or 0.0) if given_up else 0.0


def _is_long_transfer(session: Session, phase: Phase, took: float) -> bool:
    moved = sum(session.sftp.transfers.values())
    return phase.name in ("channel", "sftp", "scp", "done") and moved > 0 and took / moved < SLOW_REQUEST


def _hurry(session: Session, phase: Phase, waited: float) -> tuple[Advice, ...]:
    """Who can do what about a slow phase, of which this share was seen to be waiting."""
    refused = any(a.outcome == "refused" and a.method != "none" for a in session.login.attempts)
    asked = any(a.method == "keyboard-interactive" for a in session.login.attempts)
    with_key = any(a.method == "publickey" for a in session.login.attempts)
    if waited < WAITED_SHARE and _shows_waiting(session):
        spent = "what does the program do between its calls?"
        if phase.name == "auth" and with_key:
            spent = "reading a private key with a passphrase takes its time (bcrypt), and so do key agents"
        return (client(f"little of it was waiting for the server: {spent}"),)
    by_phase = {
        "banner": "what delays the greeting: look-ups of the client's name (UseDNS), sshd short of slots",
        "kex": "what delays key exchange: a loaded machine, or large group-exchange primes (/etc/ssh/moduli)",
        "auth": "what delays the login: PAM modules, LDAP or RADIUS, GSSAPIAuthentication, UseDNS",
        "channel": "what delays the command or its start: the user's start-up files, a home on a network drive",
        "sftp": "what delays SFTP's answers: slow storage, a virus scanner, a loaded machine",
        "scp": "what delays scp: slow storage, a virus scanner, the user's start-up files",
    }
    advice = [server(by_phase[phase.name])] if phase.name in by_phase else []
    if phase.name == "auth" and refused:
        advice.append(server("about two seconds after each refused attempt are on purpose (pam_unix, pam_faildelay)"))
    if phase.name == "auth" and asked:
        advice.append(client("part of it may be the person or program that answered the server's prompts"))
    else:
        advice.append(network("measure the round-trip time to the server, and lost packets"))
    return tuple(advice)


def _shows_waiting(session: Session) -> bool:
    """Whether waiting would be seen: each -37 of a blocking client, unless it ended by giving up without one."""
    failed = session.ending.failed
    gave_up = failed is not None and (failed.kind == "silence" or failed.code in (-9, -30))
    return bool(session.blocking) and session.uses("Failure Event") and not gave_up
