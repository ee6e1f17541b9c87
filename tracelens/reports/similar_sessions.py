"""Which sessions of an analysis went alike: a program that tries again for hours makes thousands of them."""

import re
from collections.abc import Sequence

from tracelens.analysis import Session

_DIGITS = re.compile("[0-9]+")


def story(session: Session) -> tuple[object, ...]:
    """What a report says of a session, without its lines, times and noise."""
    findings = [(f.id, f.summary if f.kind == "cause" else "") for f in session.findings]
    ends = (session.client_banner, session.server_banner, session.user)
    errors = [_DIGITS.sub("0", e.text) for e in session.errors if e.fate in ("final", "undecided")]
    unexplained = session.unexplained and session.unexplained.text
    commands = [(c.command, c.exit_status, c.exit_signal) for c in session.commands if c.failed]
    reasons = [reason.id for reason in session.server.reasons] if session.server is not None else []
    return (session.verdict, session.phase, *ends, unexplained, *errors, *findings, *commands, *reasons)


def groups(sessions: Sequence[Session]) -> list[list[Session]]:
    """The sessions by their story, in the order in which each first occurs."""
    found: dict[tuple[object, ...], list[Session]] = {}
    for session in sessions:
        found.setdefault(story(session), []).append(session)
    return list(found.values())
