"""A public key was offered: not accepted for this user, or not welcome at all."""

from tracelens.rules._shared.login_attempts import Refusal, decisive
from tracelens.sessions import Attempt, Quote, Session

METHODS = ("publickey", "hostbased")


def key_refused(session: Session) -> Refusal | None:
    """The refusal of a key, if that is what the login failed by."""
    refusal = decisive(session)
    return refusal if refusal is not None and refusal.method in METHODS else None


def shown_key(attempt: Attempt) -> tuple[Quote, ...]:
    """Which key it was: its fingerprint where a dump has it, else the file."""
    if attempt.fingerprint:
        line = attempt.request_line or attempt.line
        return (Quote(line, f"key offered: {attempt.algorithm or 'unknown type'} {attempt.fingerprint}"),)
    return (Quote(attempt.line, f"key file {attempt.key_file}", aside=True),) if attempt.key_file else ()


def key_files(attempt: Attempt) -> tuple[Quote, ...]:
    """The names of the two key files, where both were traced."""
    if not attempt.private_file or attempt.private_file == attempt.key_file:
        return ()
    return (Quote(attempt.line, f"public key file {attempt.key_file}, private key file {attempt.private_file}"),)
