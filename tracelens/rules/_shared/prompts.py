"""keyboard-interactive (RFC 4256) that the server refused."""

from tracelens.rules._shared.login_attempts import Refusal, decisive_refusal
from tracelens.sessions import Session

OUTRANKED = ("auth-too-many-failures", "auth-password-expired", "auth-second-factor-missing")


def refused_answers(session: Session) -> Refusal | None:
    """The refusal of keyboard-interactive, if it made the login fail."""
    refusal = decisive_refusal(session)
    return refusal if refusal is not None and refusal.method == "keyboard-interactive" else None
