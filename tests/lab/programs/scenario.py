"""What a program's scenario is: commands, servers, and what a diagnosis must say of each session."""

from dataclasses import dataclass, replace
from signal import SIGINT, Signals
from typing import Any, Literal

from tests.lab.plain import Server
from tests.lab.programs.program import Program
from tests.lab.scenario import Newline

VERSIONS = ("1.10.0", "1.11.1")  # what packaged programs of today link with


@dataclass(frozen=True)
class Stop:
    """A signal to the program as soon as its part of the trace, or the file that it downloads, is that long.

    `silent`: and nothing was added to the trace for so many seconds.
    """

    size: int
    signal: Signals = SIGINT
    of: Literal["trace", "download"] = "download"
    silent: float = 0.0


@dataclass(frozen=True)
class Start:
    """One start of a program, and the ids that the diagnoses of its sessions must name, in order.

    Servers that are equal are one server. In arguments, %(port)s, %(keys)s, %(home)s, %(site)s and %(tag)s are
    filled in. `known` are the lab's keys that known_hosts has for the server; `password` is what goes out, if any does.
    """

    program: Program
    server: Server
    arguments: tuple[str, ...]
    expected: tuple[str, ...]
    user: str = "-"
    password: str = ""
    known: tuple[str, ...] = ()
    stop: Stop | None = None


@dataclass(frozen=True)
class ProgramScenario:
    """One trace: programs one after the other, or at once. `or_else` are ids that the trace can't tell from the
    expected one.
    """

    id: str
    starts: tuple[Start, ...]
    or_else: tuple[str, ...] = ()
    because: str = ""
    note: str = ""
    mask: int = 511
    newline: Newline = "normal"
    prefix: str = ""
    at_once: bool = False
    slow: bool = False  # left out of a quick run
    reason: str = ""  # why, by the server's log: an id with `@DEBUG1` if only that level says it; "-": it does not say
    by_log: str = ""  # the cause that the server's log decides for, where the trace alone has another one
    missed: str = ""  # what tracelens does not see yet: the test that fails for it is expected to
    versions: tuple[str, ...] = VERSIONS

    def fits(self, version: str) -> bool:
        return version in self.versions

    def expected(self, version: str) -> list[str]:
        return [one for start in self.starts for one in start.expected]

    def alternatives(self, version: str) -> tuple[str, ...]:
        return self.or_else

    @property
    def programs(self) -> list[Program]:
        """All that must be installed, servers that are packages of their own among them."""
        found = [start.program for start in self.starts]
        found += [own for start in self.starts if (own := getattr(start.server, "program", None))]
        return list(dict.fromkeys(found))


def one(
    id: str,
    program: Program,
    server: Server,
    *arguments: str,
    expect: str,
    times: int = 1,
    user: str = "-",
    password: str = "",
    known: tuple[str, ...] = (),
    stop: Stop | None = None,
    **more: Any,
) -> ProgramScenario:
    """The usual scenario: one program; `expect` has an id for each of its sessions. It is started `times` times."""
    start = Start(program, server, arguments, tuple(expect.split(";")), user, password, known, stop)
    return ProgramScenario(id, (start,) * times, **more)


def in_turn(id: str, *parts: ProgramScenario, **more: Any) -> ProgramScenario:
    """What these scenarios do, one after the other, in one trace; `at_once`: side by side."""
    return ProgramScenario(id, tuple(start for part in parts for start in part.starts), **more)


def masked(one: ProgramScenario, mask: int, **more: Any) -> ProgramScenario:
    """The same with that trace mask, which its name tells."""
    return replace(one, id=f"{one.id}-mask-{mask}", mask=mask, **more)
