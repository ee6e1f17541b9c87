"""How a login ended: which refusal decides, what the lists of methods say, and what was accepted in silence."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import pairwise
from operator import itemgetter
from typing import NamedTuple

from msgspec import Struct

from tracelens.sessions import Attempt, Failure, Quote, Session

# The errors that mean a refusal by the server (packet 51). "Waiting for USERAUTH response" and similar texts have the
# same codes, -18 and -19, and mean that no answer came.
_REFUSED = ("auth.password_refused", "auth.keyboard_refused", "auth.key_refused", "auth.signature_refused")
# The errors of libssh2's agent.c and agent_win.c; -42 is their own code.
_AGENT = ("agent", "pageant", "agent_variable", "agent_socket", "agent_request")


class Refusal(Struct, frozen=True):
    """An attempt that the server answered with USERAUTH_FAILURE; `attempt` is made up where only errors were traced."""

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
    """What all rules ask about a session's login, worked out once: there can be many attempts."""

    session: Session
    refusals: tuple[Refusal, ...]
    lists: list[tuple[int, tuple[str, ...]]]
    last_other: int  # the line of the last refusal of another method than publickey

    @classmethod
    def of(cls, session: Session) -> "_Login":
        """That of a session that is judged."""
        for latest in _LATEST:
            if latest.session is session:
                return latest
        found = tuple(_refusals(session))
        other = max((r.failure.line for r in found if r.method != "publickey"), default=0)
        made = cls(session, found, _lists(session), other)
        _LATEST[:] = [made]
        return made


_LATEST: list[_Login] = []  # rules are asked about one session after the other


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
        method = failure.error.method if failure.is_(*_REFUSED) else None
        if method is None:
            continue
        if attempt is None or attempt.method not in (method, "hostbased"):
            signed = failure.is_("auth.signature_refused")
            attempt = Attempt(method, failure.line, failure.time, session.login.user, "refused", signed=signed)
            attempt.end_line = failure.line
        yield Refusal(failure, attempt)


def decisive(session: Session) -> Refusal | None:
    """The refusal that the login failed by; None where something else than a refusal ended it.

    Agents and keys are stepped over where a later attempt got an answer that says more: a missing agent is nobody's
    failure, a method that the server does not offer counts only if nothing else was tried, and an accepted first factor
    leaves the decision to the next one.
    """
    failed = session.ending.failed
    if failed is None or failed.phase != "auth":
        return None
    found = [r for r in refusals(session) if r.failure.line >= failed.line and r.failure.fate != "partial-auth"]
    if not found:
        return None
    if found[0].failure is not failed and not about_agent(failed):
        return None
    last = found[-1]
    for refusal, later in pairwise(found):
        other_way = listed(session, refusal.method) is False and listed(session, later.method)
        if not other_way and not (accepted(session, refusal) and later.method != refusal.method):
            last = refusal
            break
    return None if went_on(session, last.failure.line) else last


def went_on(session: Session, line: int) -> bool:
    """Whether the session waited for the server again after an error and met no other.

    Where errors are all that was traced, that is how a fallback or a second factor looks that was right.
    """
    if session.uses("Userauth") or session.dumped:
        return False
    waited = max((w.last_line for w in session.waits.values() if "userauth list" not in w.what), default=0)
    return waited > line and all(f.line < waited for f in session.failures if f.kind == "error")


def about_agent(failure: Failure) -> bool:
    """Whether an error came from talking to the SSH agent."""
    if failure.kind != "error" or failure.is_("agent.forwarding"):
        return False
    return failure.code == -42 or failure.is_(*_AGENT)


def lists(session: Session) -> list[tuple[int, tuple[str, ...]]]:
    """Every list of methods that the server sent, with its line."""
    return _Login.of(session).lists


def _lists(session: Session) -> list[tuple[int, tuple[str, ...]]]:
    found = {a.end_line or a.line: a.remaining for a in session.login.attempts if a.remaining}
    if session.login.offered is not None:
        found.setdefault(session.login.offered_line, session.login.offered)
    return sorted(found.items())


def listed(session: Session, method: str) -> bool | None:
    """Whether any list of the session named the method; None where no list was traced."""
    known = lists(session)
    if any(method in methods for _, methods in known):
        return True
    # A first factor that went through in silence: what the server wanted then was not traced.
    unseen = (r for r in refusals(session) if r.attempt.partial is None and accepted(session, r))
    if not known or any(known[-1][0] < r.failure.line for r in unseen):
        return None
    return False


def accepted(session: Session, refusal: Refusal) -> bool | None:
    """Whether the refusal is a partial success, so that the server only wants another method as well.

    The flag in packet 51 says it (RFC 4252, 5.1). Without it the lists do: a method that was offered before and is gone
    after its own attempt went through; and a server that offers nothing but keys and then refuses a signed request is
    taken for one that asks for a key first, as where another method was tried next. So is one that refuses the
    signature of two files that are named as a pair: a mismatch needs two different keys. OpenSSH is not, where its list
    has more than keys: it names only methods that may come first. None where nothing says so.
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
    known, attempt = lists(session), refusal.attempt
    start = bisect_left(known, attempt.line, key=itemgetter(0))
    end = bisect_right(known, max(attempt.end_line, refusal.failure.line), key=itemgetter(0))
    return known[start - 1][1] if start else None, known[end][1] if end < len(known) else None


def _is_key_first(session: Session, refusal: Refusal, before: tuple[str, ...] | None) -> bool:
    """Whether a refused signature looks like the first factor of a server that wants a key first."""
    is_pair = refusal.attempt.named_as_pair
    if before == ("publickey",):
        return is_pair is not False
    is_right = bool(is_pair) and not vouches_for_any_key(session)
    if before is not None:
        return is_right and session.banner.server_openssh is None
    # No list at all: who goes on with another method, and is refused there, had one accepted before or two mistakes.
    return is_right or _Login.of(session).last_other > refusal.failure.line


def vouches_for_any_key(session: Session) -> bool:
    """Whether the server calls every key acceptable, so that only the signed request is a real answer."""
    return any(name in (session.banner.server or "") for name in ("mod_sftp", "Twisted"))


def the_list(session: Session, attempt: Attempt) -> tuple[Quote, ...]:
    """Where the list of methods stands that an attempt is to be held against."""
    if attempt.remaining:
        return (Quote(attempt.end_line, f"the server offers: {','.join(attempt.remaining)}"),)
    if session.login.offered is None:
        return ()
    return (Quote(session.login.offered_line, f"the server offers: {','.join(session.login.offered) or 'nothing'}"),)


def offers(session: Session, attempt: Attempt) -> str:
    """The methods that can go on, as a text."""
    return ",".join(attempt.remaining or session.login.offered or ()) or "nothing"


def who(session: Session, attempt: Attempt | None = None) -> str:
    """The user's name for a sentence."""
    name = (attempt.user if attempt else None) or session.login.user
    return f"user {name!r}" if name else "the user"
