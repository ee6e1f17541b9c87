"""Errors of a login that say nothing of its end: what a program tries, or notes down, before the login that counts."""

from tracelens.sessions.model import KNOWN_HOSTS, REFUSALS, Attempt, Failure
from tracelens.sessions.session import Session

_FILE = -16  # LIBSSH2_ERROR_FILE


class Logins:
    """How late in a session a login was tried: the line of the last one of each kind, 0 where there is none.

    `tried` counts any login, `other` those by another method than a key, `other_filled` those of them whose password
    or answers may have been filled, `other_given` those where they were, `password_refused` such passwords.
    """

    def __init__(self, session: Session) -> None:
        attempts = [attempt for attempt in session.login.attempts if attempt.method != "none"]
        refused = max((f.line for f in session.failures if f.is_(*REFUSALS)), default=0)
        self.tried = max(_last(attempts), refused)
        others = [attempt for attempt in attempts if attempt.method != "publickey"]
        if not session.login.attempts:  # where nothing else was traced, errors name the method
            methods = ((f.error.method, f.line) for f in session.failures)
            others = [Attempt(method, line) for method, line in methods if method not in (None, "publickey")]
        self.other = _last(others)
        self.other_filled = _last([attempt for attempt in others if attempt.blank is not True])
        given = [attempt for attempt in others if attempt.blank is False]
        self.other_given = _last(given)
        self.password_refused = _last([a for a in given if a.method == "password" and a.outcome == "refused"])


def _last(attempts: list[Attempt]) -> int:
    return max((attempt.line for attempt in attempts), default=0)


def is_probe(session: Session, failure: Failure, logins: Logins) -> bool:
    """Whether an attempt could not lead to a login, and the program went on to log in by another method.

    A key of the client's own disk was of no use, or the server refused keyboard-interactive and had asked nothing.

    Programs look for a default key before they use a password: curl does at each login, with an empty name where there
    is none. Where somebody named the key, the other method counts only if something was given for it. Some programs
    set an error before they try anything (libssh2_session_set_last_error): Net::SSH2's "Authentication failed".
    """
    attempt, line = failure.attempt, failure.line
    if failure.is_("auth.refused"):
        return attempt is None and logins.tried > line
    if attempt is None:
        return failure.error.name.startswith("key.") and logins.other_filled > line
    if attempt.method == "keyboard-interactive":
        # The server refused it without a prompt, and then looked at a password.
        asked = attempt.prompts or attempt.answered or not session.dumped
        return not asked and attempt.outcome == "refused" and logins.password_refused > attempt.line
    if attempt.outcome != "not-sent" or attempt.key_file is None:
        return False
    return (logins.other_given if attempt.key_file else logins.other) > line


def is_default_key(session: Session, failure: Failure) -> bool:
    """Whether it may be curl's look for a default key, with no error of the login after it.

    A trace of errors alone shows neither the name nor that a password was accepted afterwards.
    """
    is_look = failure.is_("key.public_not_extracted") and failure.is_("key.not_opened")
    return is_look and not any(f.line > failure.line and f.phase == "auth" for f in reversed(session.failures))


def is_about_known_hosts(failure: Failure, logins: Logins) -> bool:
    """Whether it is about the file known_hosts, or the program's own word on a host key that it took nevertheless.

    libssh2 reads the file only where a program asks for that, and never stops because of it.
    """
    if failure.code == KNOWN_HOSTS and failure.is_by_program:
        return logins.tried > failure.line
    return failure.error.name == "knownhosts" and failure.code in (_FILE, KNOWN_HOSTS)
