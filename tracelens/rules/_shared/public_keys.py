"""Public keys that the server refused, and quotes that name them."""

from tracelens.rules._shared.login_attempts import Refusal, decisive_refusal
from tracelens.sessions import Attempt, Quote, Session

_METHODS = ("publickey", "hostbased")


def refused_key(session: Session) -> Refusal | None:
    """The refusal of a key, if it made the login fail."""
    refusal = decisive_refusal(session)
    return refusal if refusal is not None and refusal.method in _METHODS else None


def key_quote(attempt: Attempt) -> Quote | None:
    """The key that was tried: its fingerprint if it is in the dumps, else its file."""
    if attempt.fingerprint:
        line = attempt.request_line or attempt.line
        return Quote(line, f"key offered: {attempt.algorithm or 'unknown type'} {attempt.fingerprint}")
    return Quote(attempt.line, f"key file {attempt.key_file}", aside=True) if attempt.key_file else None


def pair_quote(attempt: Attempt) -> Quote | None:
    """The names of the two key files, if both were traced."""
    if not attempt.private_file or attempt.private_file == attempt.key_file:
        return None
    return Quote(attempt.line, f"public key file {attempt.key_file}, private key file {attempt.private_file}")
