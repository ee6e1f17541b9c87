"""Which failures are the same one: a stable signature of root cause, server software, algorithms and error text."""

import hashlib
import json
import re

from tracelens.analysis import Session

# What differs from one occurrence to the next: quoted words, paths, addresses, numbers.
_PARTS = (
    (re.compile(r'"[^"]*"|\'[^\']*\'|`[^`]*`'), "'…'"),
    (re.compile(r"(?<![\w/])(?:[A-Za-z]:)?(?:[/\\][^\s/\\:;,()]+)+[/\\]?"), "PATH"),
    (re.compile(r"\b(?:[0-9A-Fa-f]{1,4}:){2,}[0-9A-Fa-f:.]+\b|\b\d{1,3}(?:\.\d{1,3}){3}\b"), "ADDRESS"),
    (re.compile(r"\b0x[0-9A-Fa-f]+\b|\b[0-9a-f]{16,}\b|\d+"), "N"),
)
_NUMBERED = re.compile(r"Failure Event: -?\d+ - |SFTP status \d+")
_GREETING = re.compile(r"SSH-[\d.]+-(\S+)")


def normalized(text: str) -> str:
    """An error's text without what differs from one occurrence to the next; its error number stays."""
    numbered = _NUMBERED.match(text)
    head = numbered[0] if numbered else ""
    rest = text[len(head) :]
    for pattern, mark in _PARTS:
        rest = pattern.sub(mark, rest)
    return " ".join((head + rest).split())


def software(banner: str | None) -> str | None:
    """The server's software as its banner names it (RFC 4253, 4.2), such as OpenSSH_9.2p1; None for what is no SSH."""
    match = _GREETING.match(banner or "")
    return match[1] if match else None


def error_of(session: Session) -> str | None:
    """The text of the error that ended a session: the first that nothing recovered from."""
    error = session.unexplained or session.final_error
    return error.text if error is not None else None


def signature(session: Session) -> str | None:
    """Sixteen hex digits, the same for the same failure everywhere; None for a session that did not fail."""
    if not session.failed:
        return None
    error = error_of(session)
    same = [
        session.root_cause,
        software(session.server_banner),
        list(session.algorithms.values()),
        normalized(error) if error is not None else None,
    ]
    return hashlib.sha256(json.dumps(same, ensure_ascii=False).encode()).hexdigest()[:16]
