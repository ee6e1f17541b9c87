"""Traces of several processes, or threads, in one log: each session must be what it is alone."""

import csv
import random
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from msgspec import Struct

from tests.goldens import HEAD, HERE, _timed, with_mask
from tests.woven.styles import HEADS, PROCESSES, THREADS
from tracelens.analysis import analyze
from tracelens.inputs import Source
from tracelens.inputs.streams import Stream

MASKS = (511, 508, 140, 142)
_CLOCK = re.compile(r"^\[libssh2\] (\d+)\.(\d{6}) ")
LARGEST = 200_000


class Alone(Struct, frozen=True):
    """A trace of one session: its records and dumps, each with its time in microseconds, and what it is alone."""

    name: str
    units: tuple[tuple[int, tuple[str, ...]], ...]
    verdict: str


class Woven(Struct, frozen=True):
    """A log: its text, and of each session the first line and what it is alone."""

    text: str
    sessions: tuple[tuple[int, str, str], ...]


def said(data: bytes) -> list[tuple[int, str]]:
    """First line and verdict or cause of each session."""
    blocks = iter([data])
    result = analyze(Source("log", None, Stream(lambda size: next(blocks, b""), "log")))
    return [(session.first_line, session.root_cause or session.verdict) for session in result.sessions]


def folder_traces(folder: Path) -> list[Path]:
    """The traces of a folder that has a TRUTH.tsv."""
    with (folder / "TRUTH.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return sorted(folder / row["file"] for row in rows)


def own_traces() -> list[Path]:
    """The recordings of the repository."""
    with (HERE / "TRUTH.tsv").open(newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return sorted(HERE.parent / r["file"] for r in rows if (r["mask"], r["newline_policy"]) == ("511", "normal"))


@cache
def alone(path: Path, mask: int) -> Alone | None:
    """A trace as a mask leaves it; None where it is not one session on its first line."""
    data = path.read_bytes()
    if len(data) > LARGEST or not HEAD.match(data):
        return None
    data = data if mask == 511 else with_mask(data, mask)
    found = said(data) if data else []
    if [line for line, _ in found] != [1] or b"\r" in data:
        return None
    clock = _CLOCK.match(data.decode("latin-1"))
    begun = int(clock[1]) * 1_000_000 + int(clock[2]) if clock is not None else 0
    units = tuple((begun + time, tuple(unit.decode("latin-1").splitlines())) for time, unit in _timed(data))
    return Alone(path.name, units, found[0][1])


def weave(traces: Sequence[Alone], style: str, chance: random.Random, *, by_line: bool) -> Woven:
    """The traces in one log: by the wall's clock, or in turns of a few lines."""
    threads = style in THREADS
    write = (THREADS if threads else PROCESSES)[style]
    seconds = [0, *(chance.choice((0, 0, 1, 2)) for _ in traces[1:])]
    delays = [chance.randrange(0, 900_000) if threads and number else 0 for number in range(len(traces))]
    lines: list[list[tuple[int, str]]] = []
    for trace, second, delay in zip(traces, seconds, delays, strict=True):
        mine = []
        for time, unit in trace.units:
            wall = time + second * 1_000_000 + delay
            mine += [(wall, _at(line, wall) if threads else line) for line in unit]
        lines.append(mine)
    order = list(_in_turns(lines, chance) if by_line else _by_wall(lines))
    text, firsts = HEADS.get(style, ""), {}
    for number, (process, wall, line) in enumerate(order, 1 + bool(text)):
        firsts.setdefault(process, number)
        text += write(process, wall, line) + "\n"
    # What was undone before the reader has its own lines: a table's names are one of them.
    return Woven(text, tuple((firsts[p], trace.verdict, trace.name) for p, trace in enumerate(traces)))


def _at(line: str, wall: int) -> str:
    return _CLOCK.sub(f"[libssh2] {wall // 1_000_000}.{wall % 1_000_000:06} ", line, count=1)


def _by_wall(lines: Sequence[list[tuple[int, str]]]) -> Iterator[tuple[int, int, str]]:
    placed = []
    for process, mine in enumerate(lines):
        latest = 0
        for number, (wall, line) in enumerate(mine):
            latest = max(latest, wall)
            placed.append((latest, process, number, line))
    return ((process, wall, line) for wall, process, _, line in sorted(placed))


def _in_turns(lines: Sequence[list[tuple[int, str]]], chance: random.Random) -> Iterator[tuple[int, int, str]]:
    left = [list(reversed(mine)) for mine in lines]
    while going := [process for process, mine in enumerate(left) if mine]:
        process = chance.choice(going)
        for _ in range(chance.choice((1, 1, 2, 3, 5))):
            if left[process]:
                wall, line = left[process].pop()
                yield process, wall, line


def misses(log: Woven) -> list[str]:
    """The sessions that are not what they are alone: exactly one begins on the first line, with the same verdict."""
    found = said(log.text.encode("latin-1"))
    wrong = []
    for line, verdict, name in log.sessions:
        mine = [got for first, got in found if first == line]
        if mine != [verdict]:
            wrong.append(f"{name}: line {line}: {mine or 'none'}, alone {verdict}")
    if len(found) > len(log.sessions):
        wrong.append(f"{len(found)} sessions for {len(log.sessions)}")
    return wrong
