"""Sessions -> diagnoses: noise first, then at most one root cause, then notices."""

from collections.abc import Iterable
from functools import cache, partial
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from tracelens.rules.base import Finding, Rival, Rule
from tracelens.sessions import Session, went_well

Verdict = Literal["cause", "healthy", "unexplained", "insufficient"]
# Rules that were skipped, and the contexts that each lacks.
Skipped = tuple[tuple[str, tuple[str, ...]], ...]


class Diagnosis(Struct, frozen=True):
    """What was found about one session.

    `root` is set exactly if the verdict is "cause"; `skipped` are the rules that were skipped because the trace lacks a
    context they need, with those contexts.
    """

    verdict: Verdict
    root: Finding | None
    noise: tuple[Finding, ...]
    notices: tuple[Finding, ...]
    skipped: Skipped


def diagnose(sessions: Iterable[Session], rules: tuple[Rule, ...]) -> list[Diagnosis]:
    """Run all rules on each session of a trace.

    A cause that yields to another one that fires is dropped. Of the others, the one with the earliest evidence is the
    root cause, and the rest become its rivals.
    """
    noise, causes, notices = (
        [rule for rule in rules if rule.scope == "session" and rule.kind == kind]
        for kind in ("noise", "cause", "notice")
    )
    split = cache(partial(_applicable, causes))
    diagnoses = []
    for session in sessions:
        applicable, skipped = split(frozenset(session.traced)) if session.ending.failed is not None else ([], ())
        quiet = _findings(noise, session)
        root = _root(session, applicable, causes)
        diagnoses.append(Diagnosis(_verdict(session, root), root, quiet, _findings(notices, session), skipped))
    return diagnoses


def _applicable(rules: list[Rule], traced: frozenset[str]) -> tuple[list[Rule], Skipped]:
    """The rules whose contexts were traced, and the others."""
    skipped = tuple((rule.id, tuple(sorted(rule.needs - traced))) for rule in rules if not rule.needs <= traced)
    return [rule for rule in rules if rule.needs <= traced], skipped


def _findings(rules: list[Rule], session: Session) -> tuple[Finding, ...]:
    return tuple([finding for rule in rules if (finding := rule.ask(session)) is not None])


def _root(session: Session, applicable: list[Rule], causes: list[Rule]) -> Finding | None:
    """The root cause of a failure, with all its rivals."""
    fired = {rule.id: (rule, finding) for rule in applicable if (finding := rule.ask(session)) is not None}
    candidates = [finding for rule, finding in fired.values() if not rule.yields_to & fired.keys()]
    candidates.sort(key=lambda finding: (finding.evidence[0].line if finding.evidence else 0, finding.id))
    if not candidates:
        return None
    root, *others = candidates
    rivals = [Rival(finding.id, f"it fits too: {finding.summary}") for finding in others]
    open_ones = (*_doubt(session), *_hidden_words(session, root), *_earlier_refusals(session, causes))
    return replace(root, rivals=(*root.rivals, *rivals, *open_ones))


# Records of the step that failed: its packets, and its outcome in words.
_SAME_STEP = ("Looking for packet", "Packet type", "Password authentication failed", "Keyboard-interactive authen")


def _doubt(session: Session) -> tuple[Rival, ...]:
    """The rival of a failure at the very end of a trace that lacks the session's end: it may have recovered."""
    failed, last = session.ending.failed, session.last
    if not session.ending.cut or failed is None or last is None or failed.kind not in ("error", "refusal"):
        return ()
    login = session.login.last_attempt
    if failed.phase == "auth" and login is not None and login.pending and login.line > failed.line:
        because = "another login was under way when the trace ends: its answer would decide"
        return (Rival("noise-partial-auth", because),)
    if last.line > max(f.line for f in session.failures) and not last.text.startswith(_SAME_STEP):
        return ()
    return (Rival("noise-recovered", "the trace ends right after it; whether the program went on would decide"),)


# What a server tells in words alone.
_TOLD = ("auth-password-expired", "auth-password-rejected")


def _hidden_words(session: Session, root: Finding) -> tuple[Rival, ...]:
    """The causes that only the words of a message can show which the trace has in part."""
    line = session.login.hidden_words_line
    if not line:
        return ()
    because = f"the server's message in line {line} is not all shown; its words would decide"
    named = {root.id, *(rival.id for rival in root.rivals)}
    return tuple(Rival(rule_id, because) for rule_id in _TOLD if rule_id not in named)


def _earlier_refusals(session: Session, causes: list[Rule]) -> tuple[Rival, ...]:
    """The causes of a login refused before a failure without an open channel, if no later login is known to be good."""
    failed = session.ending.failed
    if failed is None or session.login.accepted_line or any(c.opened for c in session.channels):
        return ()
    earlier = [f for f in session.failures if f.line < failed.line and f.fate in ("partial-auth", "undecided")]
    if not earlier:
        return ()
    matches = [rule for rule in causes if rule.login_refusal and earlier[-1].is_(rule.login_refusal)]
    ids = {rule.id for rule in matches}
    because = "a login was refused, and the program may have gone on without one; packets (mask bit 2) would decide"
    return tuple(Rival(rule.id, because) for rule in sorted(matches, key=lambda rule: len(ids & rule.yields_to)))


def _verdict(session: Session, root: Finding | None) -> Verdict:
    if root is not None:
        return "cause"
    if session.ending.failed is not None:
        return "unexplained"
    return "healthy" if went_well(session) else "insufficient"
