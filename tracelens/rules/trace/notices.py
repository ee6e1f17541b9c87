"""Notices about a trace as a whole: what it does not show, where it ends, what else is in it."""

from tracelens.findings import Found, client, notice
from tracelens.masks import covers, objectscript
from tracelens.sessions import Quote, Session, Trace, pending

# Contexts without which a failure in a phase can't be told from its rivals.
NEEDED = {
    "banner": ("Failure Event", "Transport"),
    "kex": ("Failure Event", "Transport", "Key Ex"),
    "auth": ("Failure Event", "Transport", "Userauth"),
    "channel": ("Failure Event", "Transport", "Conn"),
    "sftp": ("Failure Event", "Transport", "Conn", "SFTP"),
    "scp": ("Failure Event", "Transport", "Conn", "SCP"),
}
MASK = {"banner": 134, "kex": 134, "auth": 142, "channel": 158, "sftp": 222, "scp": 190}


@notice("trace-empty", scope="trace")
def empty(trace: Trace) -> Found | None:
    """No libssh2 record in this input; says what it looks like instead and why a trace can be empty."""
    if trace.account.records or trace.account.dumps:
        return None
    return Found(
        "No libssh2 record in this input.",
        (),
        (
            client(
                "set the mask before Connect and on the same object; libssh2 must have been built with tracing (LIBSSH2DEBUG)"
            ),
        ),
    )


@notice("trace-mask-incomplete", scope="trace")
def mask_incomplete(trace: Trace) -> Found | None:
    """A subsystem that the diagnosis needs was not traced; says which mask to set."""
    missing: dict[str, None] = {}
    phases = []
    for session, verdict in zip(trace.sessions, trace.verdicts, strict=False):
        if verdict == "healthy":
            continue
        phase = session.failed.phase if session.failed else session.reached
        lacking = [
            c
            for c in NEEDED.get(phase, ())
            if c not in trace.account.contexts and not (c == "Failure Event" and _silent(session))
        ]
        if lacking:
            phases.append(phase)
        missing.update(dict.fromkeys(lacking))
    if not missing:
        return None
    mask = 0
    for phase in phases:
        mask |= MASK[phase]
    enough = mask if covers(511, mask) else 511
    return Found(
        f"Not traced, though it would help: {', '.join(missing)}.",
        (),
        (
            client(
                f"trace once more with {objectscript(enough)} (511 collects all of it); in C, libssh2_trace() with the same bits"
            ),
        ),
        count=len(missing),
    )


def _silent(session: Session) -> bool:
    """A failure without any Failure Event: there may have been none to trace."""
    return session.failed is None or session.failed.kind in ("silence", "disconnect", "closed")


@notice("trace-truncated", scope="trace")
def truncated(trace: Trace) -> Found | None:
    """The trace ends in the middle of a record or of an operation."""
    account = trace.account
    last = trace.sessions[-1] if trace.sessions else None
    if last is None:
        return None
    if account.cut_at_end or (account.open_end and last.cut and not last.ended_by_client):
        return Found("The trace ends in the middle of a record: it was cut off.", (last.last,) if last.last else ())
    cut = [s for s in trace.sessions if s.cut and s.failed is None and pending(s) is not None]
    if not cut:
        return None
    session = cut[-1]
    what = pending(session)
    assert what is not None
    phase, line = what
    waited = f", after {session.waited_last:.1f} s of waiting" if session.waited_last >= 0.1 else ""
    waits = [w for w in session.waits.values() if w.last_line >= line]
    on = f" for {max(waits, key=lambda w: w.last_line).what!r}" if waits else ""
    return Found(
        f"The trace ends in the middle of an operation ({phase}{on}){waited}: copied too early, stopped, or still waiting.",
        ((Quote(line, "what was asked and not answered begins here"), session.last) if session.last else ()),
        (client("let the program run until it gives up by itself, then copy the trace"),),
    )


@notice("trace-interleaved", scope="trace")
def interleaved(trace: Trace) -> Found | None:
    """Several sessions share this trace at the same time."""
    if not trace.interleaved:
        return None
    return Found(
        "Several sessions take turns in this trace; libssh2 prints no session id, so they were told apart by their steps.",
        tuple(Quote(s.first_line, f"session {s.number} begins") for s in trace.sessions[:6]),
        count=len(trace.sessions),
    )


@notice("trace-secrets", scope="trace")
def secrets(trace: Trace) -> Found | None:
    """The trace holds credentials in clear text."""
    count = sum(s.secrets for s in trace.sessions)
    content = sum(s.content_bytes for s in trace.sessions)
    if not count and not content:
        return None
    held = [f"{count} password{'s' if count > 1 else ''} or answer{'s' if count > 1 else ''}"] if count else []
    if content:
        held.append(f"{_size(content)} of content")
    return Found(
        f"The trace holds {' and '.join(held)} in clear text (in its hex dumps): redact it before you send it.",
        tuple(Quote(s.secret_line, "credentials in a dump (not shown)") for s in trace.sessions if s.secret_line),
        (client("change the password if this file went to anybody"),),
        count=count,
    )


def _size(count: int) -> str:
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count //= 1000
    return f"{count} GB"


@notice("trace-unrecognized", scope="trace")
def unrecognized(trace: Trace) -> Found | None:
    """Lines that are no part of a libssh2 trace; counted."""
    account = trace.account
    if not account.foreign_lines and not trace.unknown:
        return None
    parts = []
    if account.foreign_lines:
        parts.append(
            f"{account.foreign_lines} line{'s are' if account.foreign_lines > 1 else ' is'} no part of a libssh2 trace"
        )
    if trace.unknown:
        parts.append(
            f"{trace.unknown} record{'s have' if trace.unknown > 1 else ' has'} a text that no known libssh2 prints"
        )
    quotes = [Quote(line, text) for line, text in account.foreign[:3]] + list(trace.unknown_quotes[:3])
    return Found("; ".join(parts) + ".", tuple(quotes), count=account.foreign_lines + trace.unknown)
