"""A password was tried and refused: what the server's lists of methods say about why."""

from tracelens.rules._shared.login_attempts import Refusal, decisive
from tracelens.sessions import Session

OUTRANKED = ("auth-too-many-failures", "auth-password-expired", "auth-second-factor-missing")


def refused(session: Session) -> Refusal | None:
    refusal = decisive(session)
    return refusal if refusal is not None and refusal.method == "password" else None
