"""What a scenario is: who talks to whom, how, and what a diagnosis must say."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.lab import libssh2
from tests.lab.plain import Server

Step = Mapping[str, Any]
Newline = Literal["normal", "none", "double", "stderr"]


def step(do: str, **arguments: Any) -> Step:
    """One call that the client makes. In text, {keys}, {control} and {tag} are filled in when it runs.

    {tag} is the version: where several write at once, each has a file of its own.
    """
    return {"do": do, **arguments}


def trying(one: Step) -> Step:
    """The same step; the client goes on if it fails."""
    return {**one, "may_fail": True}


@dataclass(frozen=True)
class Talk:
    """One session with one server, and the id that its diagnosis must name (`none`: it went well).

    `alternatives` are ids that this trace can't tell from the expected one; `because` says why.
    """

    server: Server
    steps: tuple[Step, ...]
    expected: str
    alternatives: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scenario:
    """One trace to be made. Several `talks` share a process: one after the other, or at once with `threads`."""

    id: str
    talks: tuple[Talk, ...]
    because: str = ""
    note: str = ""
    mask: int = 511
    newline: Newline = "normal"
    blocking: bool = True
    patience: float = 6.0
    leave: Literal["clean", "abrupt"] = "clean"
    threads: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""  # why, by the server's log: an id with `@DEBUG1` if only that level says it; "-": it does not say
    by_log: str = ""  # the cause that the server's log decides for, where the trace alone has another one
    versions: tuple[str, ...] = ()  # none named: all regular builds
    otherwise: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # version: (expected, why)

    def fits(self, version: str) -> bool:
        return version in (self.versions or libssh2.VERSIONS)

    def expected(self, version: str) -> list[str]:
        if version in self.otherwise:
            return [self.otherwise[version][0]]
        return [talk.expected for talk in self.talks]

    def alternatives(self, version: str) -> tuple[str, ...]:
        if version in self.otherwise:
            return ()
        return tuple(dict.fromkeys(other for talk in self.talks for other in talk.alternatives))


def scenario(
    id: str,
    server: Server,
    *steps: Step,
    expect: str,
    or_else: tuple[str, ...] = (),
    **more: Any,
) -> Scenario:
    """The usual scenario: one session."""
    return Scenario(id, (Talk(server, steps, expect, or_else),), **more)
