"""Notices about one session: time, retries, algorithms."""

from tracelens.findings import Found, client, network, notice, server
from tracelens.sessions import LISTS, Quote, Session
from tracelens.ssh.algorithms import SINCE, WEAK, newer_for, release

SLOW_SECONDS = 2.0
SLOW_SHARE = 0.6
STORM = 500
STORM_RATE = 1000.0


@notice("slow-phase")
def slow_phase(session: Session) -> Found | None:
    """One step took most of the session's time; says which and how long."""
    if session.started is None or session.ended is None:
        return None
    total = session.ended - session.started
    timed = [p for p in session.phases if p.started is not None and p.ended is not None]
    if total < SLOW_SECONDS or not timed:
        return None
    slowest = max(timed, key=lambda p: (p.ended or 0) - (p.started or 0))
    took = (slowest.ended or 0) - (slowest.started or 0)
    if took < SLOW_SECONDS or took < SLOW_SHARE * total or len(timed) < 2:
        return None
    return Found(
        f"The phase {slowest.name} took {took:.1f} of {total:.1f} s; {min(slowest.waited, took):.1f} s of it was waiting for the server.",
        (
            Quote(slowest.first_line, f"{slowest.name} begins"),
            Quote(slowest.last_line, f"{slowest.name} ends, {took:.1f} s later"),
        ),
        (
            server("slow name look-ups (UseDNS, GSSAPI), PAM modules and load delay logins"),
            network("measure the round-trip time to the server"),
        ),
    )


@notice("retry-storm")
def retry_storm(session: Session) -> Found | None:
    """So many -37 in so little time that the client is busy-looping."""
    count = sum(w.count for w in session.waits.values())
    seconds = (session.ended or 0.0) - (session.started or 0.0)
    if count < STORM or count < STORM_RATE * max(seconds, 0.1):
        return None
    worst = max(session.waits.values(), key=lambda w: w.count)
    return Found(
        f"{count} times error -37 in {seconds:.1f} s: the client asks again at once instead of waiting for its socket.",
        (Quote(worst.line, f"Failure Event: -37 - {worst.what} ({worst.count} times)"),),
        (client("wait with select() or poll() for what libssh2_session_block_directions() says before calling again"),),
        count=count,
    )


@notice("weak-algorithm")
def weak_algorithm(session: Session) -> Found | None:
    """The negotiated algorithms include a deprecated one."""
    if not session.kex_done and not session.agreed:
        return None
    weak = {}
    for name in LISTS:
        algorithm = session.algorithm(name)
        if algorithm in WEAK and not (name.startswith("comp") or (algorithm == "none" and name.startswith("mac"))):
            weak.setdefault(algorithm, WEAK[algorithm])
    if not weak:
        return None
    line = session.quote("key_ex.agreed_kex")
    where = line.line if line else session.offer_lines.get("client", session.first_line)
    return Found(
        f"Deprecated algorithms were agreed on: {', '.join(weak)}.",
        tuple(Quote(where, f"{name}: {why}") for name, why in weak.items()),
        (
            client(
                "upgrade whichever side is older; these work today and will be switched off by one side or the other"
            ),
        ),
        count=len(weak),
    )


@notice("client-outdated")
def client_outdated(session: Session) -> Found | None:
    """The client's libssh2 version is known to lack what this server wants."""
    version = session.client_version
    failed = session.failed
    if version is None or failed is None:
        return None
    wanted: tuple[str, ...] = ()
    missing = session.mismatches()
    attempt = failed.attempt
    if missing and not session.kex_done:
        wanted = session.offers["server"][missing[0]]
    elif attempt is not None and attempt.algorithm == "ssh-rsa" and attempt.outcome == "refused":
        openssh = session.server_openssh
        if openssh is not None and openssh >= (8, 8):
            wanted = ("rsa-sha2-512", "rsa-sha2-256")
    newer = newer_for([name for name in wanted if release(SINCE.get(name, "1.0")) > version], version)
    if newer is None:
        return None
    first, algorithm = newer
    when = "libssh2's main branch" if first == "head" else f"libssh2 {first}"
    return Found(
        f"This client (libssh2 {'.'.join(map(str, version))}) is older than what the server wants: {when} would agree on {algorithm}.",
        (Quote(session.client_banner_line, f"client: {session.client_banner}"),),
        (client(f"use {when} or later; on IRIS/Caché it comes with the instance, so upgrade that"),),
    )
