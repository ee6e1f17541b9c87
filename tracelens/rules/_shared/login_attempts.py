"""How a login ended: the refusal that decides, the lists of methods, and methods accepted without a message."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import pairwise
from operator import itemgetter
from typing import NamedTuple

from msgspec import Struct

from tracelens.sessions import REFUSALS, Attempt, Failure, Quote, Session

# The errors of libssh2's agent.c and agent_win.c; -42 is their own code.
_AGENT = ("agent", "pageant", "agent_variable", "agent_socket", "agent_request")


class Refusal(Struct, frozen=True):
    """An attempt that the server answered with USERAUTH_FAILURE; `attempt` may be built from the error alone."""

    failure: Failure
    attempt: Attempt

    @property
    def method(self) -> str:
        """The method that was tried."""
        return self.attempt.method

    @property
    def signed(self) -> bool:
        """Whether the key had been found acceptable, so that it was the signature that was refused."""
        return self.method == "publickey" and (self.attempt.signed or self.failure.is_("auth.signature_refused"))


class _Login(NamedTuple):
    """The refusals and lists of a session's login, computed once for all rules: there can be many attempts."""

    session: Session
    refusals: tuple[Refusal, ...]
    lists: list[tuple[int, tuple[str, ...]]]
    last_other: int  # the line of the last refusal of another method than publickey

    @classmethod
    def of(cls, session: Session) -> "_Login":
        """The login of a session; the latest one is kept."""
        for latest in _LATEST:
            if latest.session is session:
                return latest
        refusals = tuple(_refusals(session))
        last_other = max((r.failure.line for r in refusals if r.method != "publickey"), default=0)
        login = cls(session, refusals, _lists(session), last_other)
        _LATEST[:] = [login]
        return login


_LATEST: list[_Login] = []  # the engine judges one session after the other


def refusals(session: Session) -> tuple[Refusal, ...]:
    """All refusals of a session in order, those that it got over too."""
    return _Login.of(session).refusals


def _refusals(session: Session) -> Iterator[Refusal]:
    for failure in session.failures:
        attempt = failure.attempt
        if failure.kind == "refusal" and attempt is not None and attempt.method != "none":
            yield Refusal(failure, attempt)
        if failure.kind != "error" or failure.fate == "cleanup":
            continue
        method = failure.error.method if failure.is_(*REFUSALS) else None
        if method is None:
            continue
        if attempt is None or attempt.method not in (method, "hostbased"):
            signed = failure.is_("auth.signature_refused")
            attempt = Attempt(method, failure.line, failure.time, session.login.user, "refused", signed=signed)
            attempt.end_line = failure.line
        yield Refusal(failure, attempt)


def decisive_refusal(session: Session) -> Refusal | None:
    """The refusal that made the login fail; None if something else ended it.

    A later attempt counts more where its answer shows more: a missing agent is no failure of the login, a method that
    the server does not offer counts only if no other was tried, and after an accepted first factor the next decides.
    """
    failed = session.ending.failed
    if failed is None or failed.phase != "auth":
        return None
    candidates = [r for r in refusals(session) if r.failure.line >= failed.line and r.failure.fate != "partial-auth"]
    if not candidates or (candidates[0].failure is not failed and not is_agent_error(failed)):
        return None
    last = candidates[-1]
    for refusal, later in pairwise(candidates):
        other_way = listed(session, refusal.method) is False and listed(session, later.method)
        if not other_way and not (accepted(session, refusal) and later.method != refusal.method):
            last = refusal
            break
    return None if went_on(session, last.failure.line) else last


def went_on(session: Session, line: int) -> bool:
    """Whether the session waited for the server again after an error, without another error.

    In a trace of errors alone, an accepted fallback or second factor looks like this.
    """
    if session.uses("Userauth") or session.dumped:
        return False
    waited = max((w.last_line for w in session.waits.values() if "userauth list" not in w.what), default=0)
    return waited > line and all(f.line < waited for f in session.failures if f.kind == "error")


def is_agent_error(failure: Failure) -> bool:
    """Whether an error came from talking to the SSH agent."""
    if failure.kind != "error" or failure.is_("agent.forwarding"):
        return False
    return failure.code == -42 or failure.is_(*_AGENT)


def method_lists(session: Session) -> list[tuple[int, tuple[str, ...]]]:
    """Every list of methods that the server sent, with its line."""
    return _Login.of(session).lists


def _lists(session: Session) -> list[tuple[int, tuple[str, ...]]]:
    by_line = {a.end_line or a.line: a.remaining for a in session.login.attempts if a.remaining}
    if session.login.offered is not None:
        by_line.setdefault(session.login.offered_line, session.login.offered)
    return sorted(by_line.items())


def listed(session: Session, method: str) -> bool | None:
    """Whether a list of the session names the method; None if the lists were not traced."""
    known = method_lists(session)
    if any(method in methods for _, methods in known):
        return True
    if session.login.hidden_list:
        return None
    # A method is gone from the list in its own answer if it was accepted, which the answer's last byte would say.
    open_answers = {a.end_line for a in session.login.attempts if a.method == method and a.partial is None}
    known = [(line, methods) for line, methods in known if line not in open_answers]
    # After a first factor that was accepted without a list, the server's next list was not traced.
    unseen = (r for r in refusals(session) if r.attempt.partial is None and accepted(session, r))
    if not known or any(known[-1][0] < r.failure.line for r in unseen):
        return None
    return False


def accepted(session: Session, refusal: Refusal) -> bool | None:
    """Whether the refusal is a partial success, so that the server only wants another method as well.

    The flag in packet 51 decides (RFC 4252, 5.1). Without it the lists do: a method that is offered before its attempt
    and not after it was accepted. A refused signature counts as accepted if the server offers only keys, if another
    method is tried next, or if the two files are named as a pair: a mismatch needs two different keys. The last does
    not hold for OpenSSH with a longer list: it names only methods that may come first. None if nothing shows it.
    """
    attempt = refusal.attempt
    if attempt.partial is not None:
        return attempt.partial
    before, after = _lists_around(session, refusal)
    if before and after and attempt.method in before and attempt.method not in after:
        return refusal.signed or bool(set(after) - set(before)) or None
    return (refusal.signed and _is_key_first(session, refusal, before)) or None


def _lists_around(session: Session, refusal: Refusal) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    """The last list of methods before a refused attempt, and the first one after it."""
    known, attempt = method_lists(session), refusal.attempt
    start = bisect_left(known, attempt.line, key=itemgetter(0))
    if attempt.partial is None and attempt.remaining:
        return known[start - 1][1] if start else None, attempt.remaining
    end = bisect_right(known, max(attempt.end_line, refusal.failure.line), key=itemgetter(0))
    return known[start - 1][1] if start else None, known[end][1] if end < len(known) else None


def _is_key_first(session: Session, refusal: Refusal, before: tuple[str, ...] | None) -> bool:
    """Whether a refused signature looks like the first factor of a server that wants a key first."""
    is_pair = refusal.attempt.named_as_pair
    if before == ("publickey",):
        return is_pair is not False
    is_right = bool(is_pair) and not accepts_any_key(session)
    if before is not None:
        return is_right and session.banner.server_openssh is None
    # No list at all: a later refusal of another method means that this one was accepted, or two mistakes.
    return is_right or _Login.of(session).last_other > refusal.failure.line


def accepts_any_key(session: Session) -> bool:
    """Whether the server calls every key acceptable, so that only the signed request is a real answer."""
    return any(name in (session.banner.server or "") for name in ("mod_sftp", "Twisted"))


def list_quote(session: Session, attempt: Attempt) -> Quote | None:
    """The list of methods to compare an attempt with."""
    if attempt.remaining:
        return Quote(attempt.end_line, f"the server offers: {','.join(attempt.remaining)}")
    if session.login.offered is None:
        return None
    return Quote(session.login.offered_line, f"the server offers: {','.join(session.login.offered) or 'nothing'}")


def methods_left(session: Session, attempt: Attempt) -> str:
    """The methods that the server offers after an attempt, for a sentence."""
    return ",".join(attempt.remaining or session.login.offered or ()) or "nothing"


def who(session: Session, attempt: Attempt | None = None) -> str:
    """The user's name for a sentence."""
    name = (attempt.user if attempt else None) or session.login.user
    return f"user {name!r}" if name else "the user"
