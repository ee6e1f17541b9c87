"""A trace and the logs of other clients beside it -> one analysis, with a sentence on what each client achieved."""

from collections.abc import Iterable
from itertools import chain

from msgspec.structs import replace

from tracelens.analysis.document import Analysis, Attempt, ClientRun, Session

_KEPT = 20


def beside(trace: Analysis, logs: Iterable[Analysis]) -> Analysis:
    """The analysis of a trace with the runs of clients, those that work first.

    Args:
        trace: the trace's.
        logs: those of clients' logs, as `analyze` makes them.
    """
    runs = list(chain.from_iterable(_runs(trace, log) for log in logs))
    runs.sort(key=lambda run: run.session.verdict != "healthy")
    return replace(trace, clients=tuple(runs[:_KEPT]))


def _runs(trace: Analysis, log: Analysis) -> Iterable[ClientRun]:
    for session in log.sessions:
        same = _is_same(trace.sessions, session)
        yield ClientRun(log.name, log.source.kind, _sentence(log.source.kind, session, same), same, session)


def _is_same(sessions: Iterable[Session], other: Session) -> bool | None:
    """Whether one of the sessions was with the same server: by the host keys of both, else by the banners."""
    found = None
    for session in sessions:
        mine, its = session.host_key_fingerprints, other.host_key_fingerprints
        if shared := mine.keys() & its.keys():
            same = any(mine[kind] == its[kind] for kind in shared)
            # A server has several host keys, one a type.
            if same or session.algorithms["hostkey"] == other.algorithms["hostkey"]:
                found = found or same
                continue
        if session.server_banner and other.server_banner:
            found = found or session.server_banner == other.server_banner
    return found


def _sentence(program: str, session: Session, same: bool | None) -> str:
    name = program.partition(" ")[0]
    where = "" if same is None else " with this server" if same else " with another server"
    if session.verdict == "healthy":
        return f"{name} works{where}: {_how(session)}."
    if session.verdict == "cause" and session.root is not None:
        return f"{name} fails too{where} ({session.root_cause}): {session.root.summary}"
    return (
        f"{name} fails too{where}." if session.verdict == "unexplained" else f"Its log does not show how {name} ended."
    )


def _how(session: Session) -> str:
    """By which algorithms and login."""
    accepted = [attempt for attempt in session.auth if attempt.outcome in ("accepted", "partial")]
    login = ", then ".join(map(_login, accepted)) or "no login shown"
    user = f"user {session.user} by " if session.user else ""
    names = ("kex", "hostkey", "cipher_cs")
    agreed = ", ".join(filter(None, (session.algorithms[name] for name in names)))
    return f"{user}{login}" + (f"; agreed on {agreed}" if agreed else "")


def _login(attempt: Attempt) -> str:
    """A login's method, with the key's algorithm and fingerprint."""
    key = " ".join(filter(None, (attempt.algorithm, attempt.fingerprint)))
    return f"{attempt.method} ({key})" if key else attempt.method
