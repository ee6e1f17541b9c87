"""The parts of a rule: `Rule`, the decorators that create one, `Found` (what it returns) and `Finding`.

A rule is a function of one session (`@cause`, `@noise`, `@notice`) or of a whole trace (`@notice(scope="trace")`).
Its docstring is the page that `tracelens explain ID` shows.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

from msgspec import Struct

from tracelens.sessions import Quote, Session, Trace

Kind = Literal["cause", "noise", "notice"]
Who = Literal["client", "server", "network", "vendor"]
# What a finding is based on: packets in the dumps, libssh2's texts and error numbers, or order, time and absence.
Basis = Literal["packet", "text", "silence", "server-log"]
# Words to look for in a server's log and what they prove, by the server's name in its banner. {user}, {method} and
# {words} (of its disconnect) are replaced by those of the session.
ServerLog = Mapping[str, tuple[tuple[str, str], ...]]
_EMPTY: ServerLog = {}
NO_LINE = "no line at all of this client"
# The headings of a page, in this order; `tests/test_rules.py` checks each rule.
HEADINGS = ("What it means", "How it is seen", "What to do", "Not to be confused with", "Example")


class Advice(Struct, frozen=True):
    """What to do, and who should do it: the client's user, the server's or the network's admin, or the vendor."""

    who: Who
    action: str


class Rival(Struct, frozen=True):
    """Another cause that looks similar, and why it was ruled out or what would decide."""

    id: str
    because: str


class Found(Struct, frozen=True):
    """What a rule returns if it fires. The first evidence is the decisive event; entries that are None are left out.

    `count` is for noise: the number of events of this kind. `basis` is for rules that look at order, time or absence;
    otherwise it follows from the evidence.
    """

    summary: str
    evidence: tuple[Quote | None, ...] = ()
    advice: tuple[Advice | None, ...] = ()
    rivals: tuple[Rival | None, ...] = ()
    count: int = 1
    basis: Basis | None = None


class Finding(Struct, frozen=True):
    """What a rule found, with its id."""

    id: str
    kind: Kind
    phase: str | None
    summary: str
    evidence: tuple[Quote, ...]
    advice: tuple[Advice, ...]
    rivals: tuple[Rival, ...]
    basis: Basis
    count: int = 1


class Rule(Struct, frozen=True):
    """A rule, created by its decorator.

    Attributes:
        id: the finding's id; its meaning never changes after its first release.
        kind: "cause", "noise" or "notice".
        phase: the phase in which a cause occurs; None for noise and notices.
        needs: trace contexts that the rule needs; without them it is skipped.
        yields_to: causes that explain this one if both fire, including those that outrank it.
        outranks: causes that this one explains if both fire.
        server_log: what to look for in a server's log, by server: words and what they prove; None if the server has
            no part in the failure.
        login_refusal: the name, in `libssh2/error_texts.tsv`, of a refused login that may have this cause.
        scope: whether it looks at a session or at the whole trace.
    """

    id: str
    kind: Kind
    phase: str | None
    scope: Literal["session", "trace"]
    check: Callable[[Any], Found | None]
    module: str
    needs: frozenset[str] = frozenset()
    yields_to: frozenset[str] = frozenset()
    outranks: frozenset[str] = frozenset()
    server_log: ServerLog | None = None
    login_refusal: str = ""

    @property
    def summary(self) -> str:
        """The page's first line: one sentence on what the finding means."""
        return self.page.partition("\n")[0]

    @property
    def page(self) -> str:
        """The rule's docstring, Markdown."""
        import inspect

        return inspect.getdoc(self.check) or ""

    def ask(self, subject: Any) -> Finding | None:
        """The finding about a session (or a trace, by `scope`), or None if the rule does not fire."""
        found = self.check(subject)
        if found is None:
            return None
        evidence = tuple([quote for quote in found.evidence if quote is not None])
        advice = tuple([advice for advice in found.advice if advice is not None])
        rivals = tuple([rival for rival in found.rivals if rival is not None])
        basis = found.basis or _basis(evidence, subject)
        return Finding(self.id, self.kind, self.phase, found.summary, evidence, advice, rivals, basis, found.count)


def _basis(evidence: tuple[Quote, ...], subject: Session | Trace) -> Basis:
    """The strongest basis of the evidence: a packet, then a text, then a silence, or what may be another session's."""
    sessions = subject.sessions if isinstance(subject, Trace) else (subject,)
    if isinstance(subject, Session) and subject.guessed:
        return "silence"
    decisive = [quote for quote in evidence if not quote.aside]
    if any(quote.line in session.packet_lines for quote in decisive for session in sessions):
        return "packet"
    silent = {
        s.ending.failed.line for s in sessions if s.ending.failed is not None and s.ending.failed.kind == "silence"
    }
    return "silence" if any(quote.line in silent for quote in decisive) else "text"


Check = Callable[[Session], Found | None]


def _rule(kind: Kind, id: str, phase: str | None, scope: Any, **options: Any) -> Callable[[Any], Any]:
    def attach(check: Any) -> Any:
        check.rule = Rule(id, kind, phase, scope, check, check.__module__, **options)
        return check

    return attach


def cause(
    id: str,
    *,
    phase: str,
    needs: Iterable[str] = (),
    yields_to: Iterable[str] = (),
    outranks: Iterable[str] = (),
    server_log: ServerLog | None = _EMPTY,
    login_refusal: str = "",
) -> Callable[[Check], Check]:
    """Make a function of a session the rule for a cause; `Rule` explains the arguments."""
    sets = {"needs": frozenset(needs), "yields_to": frozenset(yields_to), "outranks": frozenset(outranks)}
    return _rule("cause", id, phase, "session", **sets, server_log=server_log, login_refusal=login_refusal)


def noise(id: str) -> Callable[[Check], Check]:
    """Make a function of a session the rule for a kind of noise."""
    return _rule("noise", id, None, "session")


def notice(id: str, *, scope: Literal["session", "trace"] = "session") -> Callable[[Any], Any]:
    """Make a function of a session, or of a whole trace, the rule for a notice."""
    return _rule("notice", id, None, scope)


def client(action: str) -> Advice:
    """Advice for the client's user."""
    return Advice("client", action)


def server(action: str) -> Advice:
    """Advice for the server's admin."""
    return Advice("server", action)


def network(action: str) -> Advice:
    """Advice for the network's admin."""
    return Advice("network", action)


def vendor(action: str) -> Advice:
    """Advice for the vendor of the client program."""
    return Advice("vendor", action)
