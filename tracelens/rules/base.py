"""What rules are made of and what they give: `Rule`, the decorators that make one, `Found` and `Finding`.

A rule is a function of one session (`@cause`, `@noise`, `@notice`) or of a whole trace (`@notice(scope="trace")`).
Its docstring is the page that `tracelens explain ID` shows.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

from msgspec import Struct

from tracelens.sessions import Quote, Session, Trace

Kind = Literal["cause", "noise", "notice"]
Who = Literal["client", "server", "network", "vendor"]
# What a finding rests on: packets as the dumps hold them, libssh2's texts and error numbers, or what did not come, or
# came in an order or at a time that says it.
Basis = Literal["packet", "text", "silence"]
# Words to look for in a server's log and what they prove, by the server's name in its banner. {user}, {method} and
# {words} (of its disconnect) are the session's own.
ServerLog = Mapping[str, tuple[tuple[str, str], ...]]
_EMPTY: ServerLog = {}
NO_LINE = "no line at all of this client"
# What a page must have, in this order; `tests/test_rules.py` holds every rule to it.
HEADINGS = ("What it means", "How it is seen", "What to do", "Not to be confused with", "Example")


class Advice(Struct, frozen=True):
    """What somebody should do: `who` is the client's side, the server's admin, the network's, or the vendor."""

    who: Who
    action: str


class Rival(Struct, frozen=True):
    """Another cause that looks alike: why it was ruled out, or what would decide where it was not."""

    id: str
    because: str


class Found(Struct, frozen=True):
    """What a rule gives where it fires. The first evidence is the event that the rule stands on.

    `count` is for noise: how many events were of this kind. `basis` is for rules that look at order, time or absence;
    else it follows from the evidence.
    """

    summary: str
    evidence: tuple[Quote, ...] = ()
    advice: tuple[Advice, ...] = ()
    rivals: tuple[Rival, ...] = ()
    count: int = 1
    basis: Basis | None = None


class Finding(Struct, frozen=True):
    """What a rule found, under its id."""

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
    """A rule, as its decorator says it.

    Attributes:
        id: the finding's id, which never changes its meaning once it was shipped.
        kind: "cause", "noise" or "notice".
        phase: where a cause strikes; None for noise and notices.
        needs: trace contexts without which the rule can't be asked.
        yields_to: causes that, where they fire too, explain this one; those that outrank it included.
        outranks: causes that this one explains where both fire.
        server_log: what to look for in a server's log, by server: words and what they prove; None where the server has
            no part in the failure.
        login_refusal: the name, in `libssh2/error_texts.tsv`, of a refused login that may have this cause.
        scope: whether it is asked about a session or about the whole trace.
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
        """The page's first line: what the finding means, in a sentence."""
        return self.page.partition("\n")[0]

    @property
    def page(self) -> str:
        """What the rule's docstring says, in Markdown."""
        import inspect

        return inspect.getdoc(self.check) or ""

    def ask(self, subject: Any) -> Finding | None:
        """The finding about a session (or a trace, by `scope`), None where the rule does not fire."""
        found = self.check(subject)
        if found is None:
            return None
        return Finding(
            self.id,
            self.kind,
            self.phase,
            found.summary,
            found.evidence,
            found.advice,
            found.rivals,
            found.basis or _basis(found, subject),
            found.count,
        )


def _basis(found: Found, subject: Session | Trace) -> Basis:
    """What the evidence is made of: a packet that decides outweighs a text, and a text a silence."""
    sessions = subject.sessions if isinstance(subject, Trace) else (subject,)
    decisive = [quote for quote in found.evidence if not quote.aside]
    if any(quote.line in session.packet_lines for quote in decisive for session in sessions):
        return "packet"
    silent = {s.failed.line for s in sessions if s.failed is not None and s.failed.kind == "silence"}
    return "silence" if any(quote.line in silent for quote in decisive) else "text"


Check = Callable[[Session], Found | None]


def _rule(kind: Kind, id: str, phase: str | None, scope: Any, **more: Any) -> Callable[[Any], Any]:
    def mark(check: Any) -> Any:
        check.rule = Rule(id, kind, phase, scope, check, check.__module__, **more)
        return check

    return mark


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
    """Makes a function of a session the rule for a cause; `Rule` says what the arguments mean."""
    return _rule(
        "cause",
        id,
        phase,
        "session",
        needs=frozenset(needs),
        yields_to=frozenset(yields_to),
        outranks=frozenset(outranks),
        server_log=server_log,
        login_refusal=login_refusal,
    )


def noise(id: str) -> Callable[[Check], Check]:
    """Makes a function of a session the rule for a kind of noise."""
    return _rule("noise", id, None, "session")


def notice(id: str, *, scope: Literal["session", "trace"] = "session") -> Callable[[Any], Any]:
    """Makes a function of a session, or of a whole trace, the rule for a notice."""
    return _rule("notice", id, None, scope)


def client(action: str) -> Advice:
    """Advice for whoever runs the client."""
    return Advice("client", action)


def server(action: str) -> Advice:
    """Advice for the server's admin."""
    return Advice("server", action)


def network(action: str) -> Advice:
    """Advice for whoever runs what lies between."""
    return Advice("network", action)


def vendor(action: str) -> Advice:
    """Advice for the vendor of the client program."""
    return Advice("vendor", action)
