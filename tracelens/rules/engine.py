"""A session -> its diagnosis: noise first, then causes, then notices; at most one root cause."""

from collections.abc import Iterable
from functools import cache, partial
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from tracelens.rules.base import Finding, Rival, Rule
from tracelens.sessions import Session

Verdict = Literal["cause", "healthy", "unexplained", "insufficient"]
# Rules that could not be asked, and the contexts that each lacks.
Skipped = tuple[tuple[str, tuple[str, ...]], ...]


class Diagnosis(Struct, frozen=True):
    """What was found about one session.

    `root` is set exactly where the verdict is "cause"; `skipped` are the rules that could not be asked because the
    trace lacks a context they need, with those contexts.
    """

    verdict: Verdict
    root: Finding | None
    noise: tuple[Finding, ...]
    notices: tuple[Finding, ...]
    skipped: Skipped


def diagnose(sessions: Iterable[Session], rules: tuple[Rule, ...]) -> list[Diagnosis]:
    """Asks every rule about each session of a trace.

    Of several causes that fire, those step back that yield to another; of what is left the one with the earliest
    evidence stands, and the others become its rivals.
    """
    by_kind = {
        kind: [rule for rule in rules if rule.scope == "session" and rule.kind == kind]
        for kind in ("noise", "cause", "notice")
    }
    can_be_asked = cache(partial(_can_be_asked, by_kind["cause"]))
    return [_diagnose(session, by_kind, *can_be_asked(session.traced)) for session in sessions]


def _can_be_asked(rules: list[Rule], traced: frozenset[str]) -> tuple[list[Rule], Skipped]:
    """The rules that have the contexts they need, and the others."""
    skipped = tuple((rule.id, tuple(sorted(rule.needs - traced))) for rule in rules if not rule.needs <= traced)
    return [rule for rule in rules if rule.needs <= traced], skipped


def _diagnose(session: Session, by_kind: dict[str, list[Rule]], causes: list[Rule], skipped: Skipped) -> Diagnosis:
    noise = tuple([found for rule in by_kind["noise"] if (found := rule.ask(session)) is not None])
    fired: dict[str, tuple[Rule, Finding]] = {}
    if session.failed is None:
        causes, skipped = [], ()
    for rule in causes:
        found = rule.ask(session)
        if found is not None:
            fired[rule.id] = (rule, found)
    standing = [(rule, found) for rule, found in fired.values() if not rule.yields_to & fired.keys()]
    standing.sort(key=lambda pair: (pair[1].evidence[0].line if pair[1].evidence else 0, pair[0].id))
    root = standing[0][1] if standing else None
    if root is not None and len(standing) > 1:
        also = tuple(Rival(found.id, f"it fits too: {found.summary}") for _, found in standing[1:])
        root = replace(root, rivals=root.rivals + also)
    doubt = _doubt(session) if root is not None else None
    if root is not None and doubt is not None:
        root = replace(root, rivals=(*root.rivals, doubt))
    if root is not None:
        root = replace(root, rivals=(*root.rivals, *_passed_over(session, by_kind["cause"])))
    notices = tuple([found for rule in by_kind["notice"] if (found := rule.ask(session)) is not None])
    return Diagnosis(_verdict(session, root), root, noise, notices, skipped)


# Records that belong to the step that failed: its packets, and its outcome in words.
_SAME_STEP = ("Looking for packet", "Packet type", "Password authentication failed", "Keyboard-interactive authen")


def _doubt(session: Session) -> Rival | None:
    """The rival of a failure on which the trace ends, without the session's own end: it may have gone on."""
    failed, last = session.failed, session.last
    if not session.cut or failed is None or last is None or failed.kind not in ("error", "refusal"):
        return None
    login = session.last_attempt
    if failed.phase == "auth" and login is not None and login.pending and login.line > failed.line:
        return Rival("noise-partial-auth", "another login was under way when the trace ends: its answer would decide")
    told = max(f.line for f in session.failures)
    if last.line > told and not last.text.startswith(_SAME_STEP):
        return None
    return Rival("noise-recovered", "the trace ends right after it; whether the program went on would decide")


def _passed_over(session: Session, causes: list[Rule]) -> tuple[Rival, ...]:
    """Refused logins before a failure on a channel that never opened, where nothing shows that a later one was good."""
    failed = session.failed
    if failed is None or session.auth_line or any(c.opened for c in session.channels):
        return ()
    before = [f for f in session.failures if f.line < failed.line and f.fate in ("partial-auth", "undecided")]
    fitting = [rule for rule in causes if rule.login_refusal and before and before[-1].is_(rule.login_refusal)]
    because = "a login was refused, and the program may have gone on without one; packets (mask bit 2) would decide"
    first = sorted(fitting, key=lambda rule: sum(other.id in rule.yields_to for other in fitting))
    return tuple(Rival(rule.id, because) for rule in first)


def _verdict(session: Session, root: Finding | None) -> Verdict:
    if root is not None:
        return "cause"
    if session.failed is not None:
        return "unexplained"
    finished = session.pending() is None and session.undecided is None
    return "healthy" if finished and session.shows_outcomes else "insufficient"
