"""What is known of the lines that programs print: whose they are, whose their numbers are, and what to do.

The tables beside this module: `programs.toml` (how a program's line is known), `numbers.tsv` (numbers and names that
are not libssh2's own), `stages.toml` (the step that a line speaks of) and `advice.toml`.
"""

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from msgspec import Struct

from tracelens.ssh.codes import Code


class Program(Struct, frozen=True):
    """A program or library whose lines people paste."""

    name: str
    uses: str  # the SSH library below it
    about: str  # whose its numbers are
    bare: str  # whose a negative number is that none of `numbers` knows
    marks: tuple[re.Pattern[str], ...]
    numbers: tuple[re.Pattern[str], ...]
    decides: tuple[str, ...]

    @property
    def short(self) -> str:
        """The name without those of what uses it."""
        return self.name.split(" (")[0]

    @property
    def over_libssh2(self) -> bool:
        """Whether libssh2 is below it, so that a number may be libssh2's."""
        return self.uses.startswith("libssh2")


class Stage(Struct, frozen=True):
    """A step of a session, as a line names it."""

    name: str
    said: str
    pattern: re.Pattern[str]
    texts: Mapping[int, str]  # libssh2's text of a number in this step


class Advice(Struct, frozen=True):
    """What lines of one kind mean and what to do; see `advice.toml`."""

    program: str
    line: re.Pattern[str] | None
    text: re.Pattern[str] | None
    stage: str
    numbers: Mapping[str, tuple[int, ...]]
    likely: tuple[int, ...]
    means: str
    do: tuple[str, ...]
    decides: tuple[str, ...]
    see: tuple[str, ...]
    title: str
    alone: bool  # whether it is all that is to be said


OWNERS = ("libssh2", "sftp", "curl", "git", "gitclass", "knownhost", "errno", "libssh", "other")
"""Whose a number can be, as the tables say it."""


@cache
def programs() -> tuple[Program, ...]:
    """Return the programs, in the order in which they are to be tried."""
    return tuple(
        Program(
            row["name"],
            row["uses"],
            row["about"],
            row.get("bare", "libssh2"),
            _patterns(row["marks"]),
            _patterns(row.get("numbers", ())),
            tuple(row["decides"]),
        )
        for row in _toml("programs.toml")["program"]
    )


@cache
def stages() -> tuple[Stage, ...]:
    """Return the steps, the first one that fits counts."""
    return tuple(
        Stage(
            row["name"],
            row["said"],
            re.compile(row["pattern"]),
            {int(number): text for number, text in row.get("texts", {}).items()},
        )
        for row in _toml("stages.toml")["stage"]
    )


@cache
def advice() -> tuple[Advice, ...]:
    """Return the advice, the more particular first."""
    return tuple(
        Advice(
            row.get("program", ""),
            re.compile(row["line"]) if "line" in row else None,
            re.compile(row["text"], re.IGNORECASE) if "text" in row else None,
            row.get("stage", ""),
            {owner: tuple(row[owner]) for owner in OWNERS if owner in row},
            tuple(row.get("likely", ())),
            row.get("means", ""),
            tuple(row.get("do", ())),
            tuple(row.get("decides", ())),
            tuple(row.get("see", ())),
            row.get("title", ""),
            row.get("alone", False),
        )
        for row in _toml("advice.toml")["advice"]
    )


@cache
def numbers(owner: str) -> Mapping[int, Code]:
    """Return the numbers of one owner in `numbers.tsv` with their meanings."""
    return {code.number: code for whose, code in _rows() if whose == owner}


@cache
def names() -> Mapping[str, tuple[str, int]]:
    """Return each name in `numbers.tsv`: whose it is, and its number."""
    found: dict[str, tuple[str, int]] = {}
    for whose, code in _rows():
        for name in (code.name,) if whose == "ssh2-rs" else code.name.split(", "):
            found.setdefault(name, (whose, code.number))
    return found


@cache
def _rows() -> tuple[tuple[str, Code], ...]:
    lines = Path(__file__).with_name("numbers.tsv").read_text(encoding="utf-8").splitlines()
    rows = (line.split("\t") for line in lines if not line.startswith("#"))
    return tuple((whose, Code(int(number), name, meaning)) for whose, number, name, meaning in rows)


def _patterns(sources: list[str]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(source, re.MULTILINE) for source in sources)


def _toml(name: str) -> Any:
    return tomllib.loads(Path(__file__).with_name(name).read_text(encoding="utf-8"))
