"""The words of all reports: names of phases, sides, outcomes and fates, and what a quoted line shows.

Where a terminal and a page say the same in different words, both are here, one below the other.
"""

import re

from tracelens.analysis import Attempt, Quote, Session
from tracelens.analysis.places import place
from tracelens.ssh.codes import libssh2_error

PHASES = {
    "banner": "before the SSH greeting",
    "kex": "in key exchange",
    "auth": "in authentication",
    "channel": "on a channel",
    "sftp": "in SFTP",
    "scp": "in SCP",
    "done": "at its end",
}
PHASE_NAMES = {
    "banner": "Greeting",
    "kex": "Key exchange",
    "auth": "Authentication",
    "channel": "Channel",
    "sftp": "SFTP",
    "scp": "SCP",
    "done": "Done",
}
SIDES = {
    "client": "Client side (who runs the program, IRIS or Caché)",
    "server": "Server's admin",
    "network": "Network (firewall, proxy, address filter)",
    "vendor": "Vendor of the client program",
}
SIDES_IN_TEXT = {"client": "you", "server": "server", "network": "network", "vendor": "vendor"}
OUTCOMES = {
    "accepted": "accepted",
    "partial": "accepted, more is wanted",
    "refused": "refused",
    "unanswered": "no answer",
    "not-sent": "never sent",
}
_EITHER = "refused, or a first factor that was taken: not traced"
FATES = {
    "partial-auth": "on the way to a further method or to success",
    "cleanup": "while tidying up",
    "recovered": "got over",
    "final": "what the session failed by",
    "consequence": "followed from it",
    "undecided": "the end, or on the way to a further method: this trace does not show which",
}
FATES_IN_TEXT = {**FATES, "undecided": "the end, or got over: this trace does not show which"}
LISTS = {
    "kex": "Key exchange",
    "hostkey": "Host key",
    "cipher_cs": "Cipher, client to server",
    "cipher_sc": "Cipher, server to client",
    "mac_cs": "MAC, client to server",
    "mac_sc": "MAC, server to client",
    "comp_cs": "Compression, client to server",
    "comp_sc": "Compression, server to client",
}
BASES = {
    "packet": "read in a decoded packet",
    "text": "read in libssh2's own text",
    "silence": "concluded from what did not come",
    "server-log": "read in the server's log",
}
BASES_IN_TEXT = {
    "packet": "packets, as the dumps show them",
    "text": "libssh2's texts and error numbers",
    "silence": "order and silence: what did not come, or came too late",
    "server-log": "the server's log",
}
VERDICTS = {
    "cause": "failed",
    "unexplained": "failed, unexplained",
    "insufficient": "not enough to tell",
    "healthy": "healthy",
}
BADGES = {
    "cause": "FAILED",
    "unexplained": "FAILED",
    "insufficient": "NOT ENOUGH TO TELL",
    "healthy": "HEALTHY",
}
NOISE = {
    "noise-retried": "error -37, retried: never a cause",
    "noise-partial-auth": "login error on the way to a further method or to success",
    "noise-auth-probe": "question for the login methods, refused as it should be",
    "noise-sftp-end": "SFTP status 1: end of file or folder",
    "noise-recovered": "error that the session got over",
}

# What a session left unfinished where nothing failed -> how that reads, and what it means.
_BY_CLIENT, _UNKNOWN = "ended by the client", "not enough to tell"
_STOPPED = "the program was stopped, or the trace was copied too early"
_LEFT = {
    "transfer": (
        f"{_BY_CLIENT} in mid-transfer",
        "stopped by Ctrl-C or a time limit, or the program wanted no more; the trace shows no fault",
    ),
    "request": (
        f"{_BY_CLIENT} before the server had answered",
        "the client did not wait long enough for this to be a timeout",
    ),
    "host key": (
        f"{_BY_CLIENT} at the host key",
        "the program left right after it saw the host key; it probably refused the key (known_hosts, fingerprint)",
    ),
    "login": (
        f"{_BY_CLIENT} before any login",
        "the program asked which login methods the server takes and tried none; perhaps it has none that fits",
    ),
    "open transfer": (
        f"{_UNKNOWN}: the trace ends in mid-transfer",
        _STOPPED,
    ),
    "open command": (f"{_UNKNOWN}: a command was running", _STOPPED),
    "open session": (
        f"{_UNKNOWN}: the trace does not show its end",
        _STOPPED,
    ),
}

# What the client's side can do then.
LEFT_ADVICE = {
    "host key": "see what the program knows of this host (known_hosts, a fingerprint in its settings), and compare it "
    "with the fingerprint that the server's admin gives",
    "login": "give the program a login that the server takes: a key, a password, or answers to its prompts",
}

_LONGEST = 400
_ERROR = re.compile(r"(?:Failure Event: |the connection ends: |error )?(-\d{1,2}) - ")


def reached(session: Session) -> str:
    """How far a session came, in words; a trace that begins later may show no phase at all."""
    known = session.phases or (session.root is not None and session.root.phase == session.phase)
    return PHASES[session.phase] if known else "at a step that the trace does not show"


def unfinished(session: Session) -> tuple[str, str] | None:
    """What an insufficient session left unfinished: a verdict in words, and what it means; None if nothing shows it."""
    if session.verdict != "insufficient" or (session.left == "request" and session.open):
        return None
    return _LEFT.get(session.left)


def seconds(value: float | None) -> str:
    """A duration as a reader wants it: milliseconds below a second, whole seconds above a minute."""
    if value is None:
        return ""
    if value < 0.001:
        return "under 1 ms" if value > 0 else "0 ms"
    if value < 0.9995:
        return f"{value * 1000:.0f} ms"
    return f"{value:.1f} s" if value < 59.95 else "{} min {} s".format(*divmod(round(value), 60))


def clock(value: float | None) -> str:
    """A moment on the trace's own clock."""
    return "" if value is None else f"{value:.6f}"


def cut(text: str) -> str:
    """A long text's beginning."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."


def cut_to(text: str, longest: int) -> str:
    """The beginning of a text that is longer."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


# The beginning of a quoted text -> what such a line is; the first that fits.
_SHOWS = {
    re.compile(r"(?:subsystem )?request|starting request|\S+ for user "): "What the client asked for.",
    re.compile(r"no answer until"): "Silence: the client waited up to here, and nothing came.",
    re.compile(r"key file|Loading|Computing"): "What the client read before it asked the server.",
    re.compile(r"key offered|client offers|client:|asked here"): "What the client sent.",
    re.compile(
        r"the server|server |USERAUTH_FAILURE|CHANNEL_OPEN_FAILURE|SFTP status|.*\b(?:refused|disconnects)\b"
    ): "The server's answer.",
}


def shows(quote: Quote, session: Session | None) -> str:
    """What a quoted line of the trace is, and what became of it."""
    if quote.file:
        return "What the server's log says."
    error = _ERROR.match(quote.text)
    if error is not None:
        known = libssh2_error(int(error[1]))
        final = session and any(place(e) == place(quote) and e.fate == "final" for e in session.errors)
        meaning = f"libssh2's error {known.name}: {known.meaning}" if known else "an error that libssh2 raised"
        fate = f" ({FATES['final']})" if final else ""
        return f"{meaning.rstrip('.')}{fate}."
    for pattern, meaning in _SHOWS.items():
        if pattern.match(quote.text):
            return meaning
    step = next((s for s in session.steps if place(s) == place(quote)), None) if session else None
    if step is not None:
        return "What the server sent." if step.sender == "server" else "What the client did."
    return "A step of the session."


def outcome(attempt: Attempt, session: Session) -> str:
    """How a login attempt ended; without packet 51 a first factor that was taken looks refused (RFC 4252, 5.1)."""
    unknown = attempt.outcome == "refused" and attempt.partial is None and attempt.method != "none"
    if unknown and (session.root_cause == "auth-second-factor-missing" or "noise-partial-auth" in session.noise):
        return _EITHER
    return OUTCOMES[attempt.outcome]
