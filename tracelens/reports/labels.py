"""The words that all reports share: names of phases, sides, outcomes and fates, and what a quoted line shows."""

import re
from typing import Any

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
}

_ERROR = re.compile(r"(?:Failure Event: |the connection ends: |error )?(-\d{1,2}) - ")


def seconds(value: float | None) -> str:
    """A duration as a reader wants it: milliseconds below a second, whole seconds above a minute."""
    if value is None:
        return ""
    if value < 0.001:
        return "under 1 ms" if value > 0 else "0 ms"
    if value < 1:
        return f"{value * 1000:.0f} ms"
    return f"{value:.1f} s" if value < 60 else f"{int(value // 60)} min {int(value % 60)} s"


def clock(value: float | None) -> str:
    """A moment on the trace's own clock."""
    return "" if value is None else f"{value:.6f}"


def shows(quote: dict[str, Any], session: dict[str, Any]) -> str:
    """What a quoted line of the trace is, and what became of it."""
    text, line = quote["text"], quote["line"]
    error = _ERROR.match(text)
    if error is not None:
        known = libssh2_error(int(error[1]))
        final = any(e["line"] == line and e["fate"] == "final" for e in session.get("errors", ()))
        fate = FATES["final"] if final else ""
        meaning = f"libssh2's error {known.name}: {known.meaning}" if known else "an error that libssh2 raised"
        return f"{meaning.rstrip('.')}{f' ({fate})' if fate else ''}."
    if re.match(r"(?:subsystem )?request|starting request|\S+ for user ", text):
        return "What the client asked for."
    if text.startswith("no answer until"):
        return "Silence: the client waited up to here, and nothing came."
    if re.match(r"(?:key file|Loading|Computing)", text):
        return "What the client read before it asked the server."
    if re.match(r"(?:key offered|client offers|client:)", text) or text.startswith(("asked here", "request")):
        return "What the client sent."
    if re.match(
        r"the server|server |USERAUTH_FAILURE|CHANNEL_OPEN_FAILURE|SFTP status|.*\b(?:refused|disconnects)\b", text
    ):
        return "The server's answer."
    step = next((s for s in session.get("steps", ()) if s["line"] == line), None)
    if step is not None:
        return "What the server sent." if step["from"] == "server" else "What the client did."
    return "A step of the session."


def outcome(attempt: dict[str, Any], session: dict[str, Any]) -> str:
    """How a login attempt ended; without packet 51 a first factor that was taken looks refused (RFC 4252, 5.1)."""
    unknown = attempt["outcome"] == "refused" and attempt["partial"] is None and attempt["method"] != "none"
    if unknown and (session["root_cause"] == "auth-second-factor-missing" or "noise-partial-auth" in session["noise"]):
        return _EITHER
    return OUTCOMES.get(attempt["outcome"], str(attempt["outcome"]))
