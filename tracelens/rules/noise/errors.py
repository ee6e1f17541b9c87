"""Events that look like failures and are not: counted, shown on request, never a cause."""

from tracelens.findings import Found, noise
from tracelens.sessions import Quote, Session


@noise("noise-retried")
def retried(session: Session) -> Found | None:
    """Error -37: the call would block and was tried again. Never a final cause."""
    waits = [w for w in session.waits.values() if w.count]
    if not waits:
        return None
    total = sum(w.seconds for w in waits)
    longest = max(waits, key=lambda w: w.seconds)
    evidence = tuple(
        Quote(w.line, f"Failure Event: -37 - {w.what} ({w.count} times, {w.seconds * 1000:.0f} ms)") for w in waits
    )
    return Found(
        f"error -37, tried again each time: {total * 1000:.0f} ms of waiting, most of it for {longest.what!r}",
        evidence,
        count=sum(w.count for w in waits),
    )


@noise("noise-partial-auth")
def partial_auth(session: Session) -> Found | None:
    """An authentication error on the way to a further method that the server asked for, or to success."""
    return _fated(session, "partial-auth", "login errors on the way to a further method or to success")


@noise("noise-auth-probe")
def auth_probe(session: Session) -> Found | None:
    """The `none` request that asks which methods the server offers was refused, as it should be."""
    probes = [a for a in session.attempts if a.method == "none" and a.outcome != "accepted"]
    if not probes:
        return None
    evidence = tuple(Quote(a.line, f"none refused, as it should be; methods: {','.join(a.remaining)}") for a in probes)
    return Found("the question which methods the server offers", evidence, count=len(probes))


@noise("noise-sftp-end")
def sftp_end(session: Session) -> Found | None:
    """SFTP status 1: end of file or directory."""
    if not session.sftp_ends:
        return None
    return Found("SFTP status 1, the end of a file or folder", count=session.sftp_ends)


@noise("noise-recovered")
def recovered(session: Session) -> Found | None:
    """Another error after which the same operation went through."""
    return _fated(session, "recovered", "errors that the session got over")


def _fated(session: Session, fate: str, summary: str) -> Found | None:
    own = [
        f
        for f in session.failures
        if f.fate == fate or (fate == "recovered" and f.fate == "cleanup" and session.failed is None)
    ]
    return Found(summary, tuple(f.quote for f in own), count=len(own)) if own else None
