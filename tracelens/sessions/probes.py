"""Errors of a login that say nothing of its end: what a program tries, or notes down, before the login that counts."""

from tracelens.sessions.model import REFUSALS, Attempt, Failure
from tracelens.sessions.session import Session

# The errors of known_hosts and of files.
_KNOWN_HOSTS, _FILE = -46, -16


def is_probe(session: Session, failure: Failure) -> bool:
    """Whether an attempt could not lead to a login, and the program went on to log in by another method.

    A key of the client's own disk was of no use, or the server refused keyboard-interactive and had asked nothing.

    Programs look for a default key before they use a password: curl does at each login, with an empty name where there
    is none. Where somebody named the key, the other method counts only if something was given for it. Some programs
    set an error before they try anything (libssh2_session_set_last_error): Net::SSH2's "Authentication failed".
    """
    attempt = failure.attempt
    if failure.is_("auth.refused"):
        return attempt is None and _went_on(session, failure)
    if attempt is not None and attempt.method == "keyboard-interactive":
        return _is_without_question(session, attempt)
    if attempt is None:
        unseen = failure.error.name.startswith("key.")
        return unseen and any(later.blank is not True for later in _other_logins(session, failure))
    if attempt.outcome != "not-sent" or attempt.key_file is None:
        return False
    others = _other_logins(session, failure)
    return bool(others) if not attempt.key_file else any(later.blank is False for later in others)


def _is_without_question(session: Session, attempt: Attempt) -> bool:
    """Whether the server refused keyboard-interactive without a prompt, and then looked at a password."""
    asked = attempt.prompts or attempt.answered or not session.dumped
    if asked or attempt.outcome != "refused":
        return False
    later = (other for other in session.login.attempts if other.line > attempt.line and other.method == "password")
    return any(other.outcome == "refused" and other.blank is False for other in later)


def is_default_key(session: Session, failure: Failure) -> bool:
    """Whether it may be curl's look for a default key, with no error of the login after it.

    A trace of errors alone shows neither the name nor that a password was accepted afterwards.
    """
    is_look = failure.is_("key.public_not_extracted") and failure.is_("key.not_opened")
    return is_look and not any(f.line > failure.line and f.phase == "auth" for f in session.failures)


def is_about_known_hosts(session: Session, failure: Failure) -> bool:
    """Whether it is about the file known_hosts, or the program's own word on a host key that it took nevertheless.

    libssh2 reads the file only where a program asks for that, and never stops because of it.
    """
    if failure.code == _KNOWN_HOSTS and failure.is_by_program:
        return _went_on(session, failure)
    return failure.error.name == "knownhosts" and failure.code in (_FILE, _KNOWN_HOSTS)


def _went_on(session: Session, failure: Failure) -> bool:
    """Whether a login was tried after the failure."""
    tried = (a.line for a in session.login.attempts if a.method != "none")
    refused = (f.line for f in session.failures if f.is_(*REFUSALS))
    return any(line > failure.line for line in (*tried, *refused))


def _other_logins(session: Session, failure: Failure) -> list[Attempt]:
    """The logins by another method than a key after the failure, by errors where nothing else was traced."""
    later = [
        attempt
        for attempt in session.login.attempts
        if attempt.line > failure.line and attempt.method not in ("none", "publickey")
    ]
    if later or session.login.attempts:
        return later
    told = ((f.error.method, f.line) for f in session.failures if f.line > failure.line)
    return [Attempt(method, line) for method, line in told if method is not None and method != "publickey"]
