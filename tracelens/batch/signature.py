"""A failed session -> its signature, the same for equal root cause, server software, algorithms and error text."""

import hashlib
import json
import re

from tracelens.analysis import Session

# Parts that differ between occurrences of the same error: quoted words, paths, addresses, numbers.
_PARTS = (
    (re.compile(r'"[^"]*"|\'[^\']*\'|`[^`]*`'), "'…'"),
    (re.compile(r"(?<![\w/])(?:[A-Za-z]:)?(?:[/\\][^\s/\\:;,()]+)+[/\\]?"), "PATH"),
    (re.compile(r"\b(?:[0-9A-Fa-f]{1,4}:){2,}[0-9A-Fa-f:.]+\b|\b\d{1,3}(?:\.\d{1,3}){3}\b"), "ADDRESS"),
    (re.compile(r"\b0x[0-9A-Fa-f]+\b|\b[0-9a-f]{16,}\b|\d+"), "N"),
)
_NUMBERED = re.compile(r"Failure Event: -?\d+ - |SFTP status \d+")
_GREETING = re.compile(r"SSH-[\d.]+-(\S+)")


def normalized(text: str) -> str:
    """An error's text without the parts that differ between occurrences; its error number stays."""
    numbered = _NUMBERED.match(text)
    head = numbered[0] if numbered else ""
    rest = text[len(head) :]
    for pattern, mark in _PARTS:
        rest = pattern.sub(mark, rest)
    return " ".join((head + rest).split())


def software(banner: str | None) -> str | None:
    """The server's software named in its banner (RFC 4253, 4.2), such as OpenSSH_9.2p1; None if it is not SSH."""
    match = _GREETING.match(banner or "")
    return match[1] if match else None


def error_of(session: Session) -> str | None:
    """The text of the error that ended a session: the first that nothing recovered from."""
    error = session.unexplained or session.final_error
    return error.text if error is not None else None


def signature(session: Session) -> str | None:
    """Sixteen hex digits, equal for equal failures in all scans; None for a session that did not fail."""
    if not session.failed:
        return None
    error = error_of(session)
    parts = [
        session.root_cause,
        software(session.server_banner),
        list(session.algorithms.values()),
        normalized(error) if error is not None else None,
    ]
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()[:16]
