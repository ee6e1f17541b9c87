"""Traces whose packets lack rows, or have them in another order, twice, or with damaged digits.

    python -m tests.damage [--count N] [--only NAME]    # what each damage changes that it must not change

What is lost may leave a cause open, and never makes another cause, nor a failed session healthy; where nothing is lost,
nothing changes. Facts that the packet shows before its hole stay as they are. The choice hangs on the trace's name.
"""

import argparse
import random
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.edits import named, traces

DUMP = re.compile(rb"(?m)^(=> (?:lib)?ssh2_\w+(?:\(\))? plain2? \((\d+) bytes\)\n)((?:[0-9a-f]{4,}: [^\n]*\n)+)")
PAIR = re.compile(rb"[0-9A-F]{2}")
# Messages that decide something; others are damaged one time in so many.
TELLING = (1, 6, 7, 20, 31, 33, 50, 51, 52, 53, 60, 61, 90, 91, 92, 98, 99, 100)
SELDOM = 8
COUNT = 6  # damages of each kind in a trace
FACTS = ("client_banner", "server_banner", "user")

Rows = list[bytes]
Damage = Callable[[Rows, random.Random], Rows]


def _drop(rows: Rows, chance: random.Random) -> Rows:
    at = chance.randrange(len(rows))
    return rows[:at] + rows[at + 1 :]


def _drop_the_rest(rows: Rows, chance: random.Random) -> Rows:
    return rows[: chance.randrange(len(rows))]


def _dots(rows: Rows, chance: random.Random) -> Rows:
    a = chance.randrange(len(rows))
    return [*rows[:a], b"...\n", *rows[a + chance.choice((1, 1, 2, 4)) :]]


def _bad_digits(rows: Rows, chance: random.Random) -> Rows:
    at = chance.randrange(len(rows))
    pair = chance.choice([*PAIR.finditer(rows[at], 6, 6 + 49)])
    new = chance.choice((b"", b"??", b"Z" + pair[0][1:], pair[0][:1]))
    return [*rows[:at], rows[at][: pair.start()] + new + rows[at][pair.end() :], *rows[at + 1 :]]


def _swap(rows: Rows, chance: random.Random) -> Rows:
    rows = list(rows)
    if len(rows) > 1:
        a, b = chance.sample(range(len(rows)), 2)
        rows[a], rows[b] = rows[b], rows[a]
    return rows


def _reverse(rows: Rows, chance: random.Random) -> Rows:
    return rows[::-1]


def _duplicate(rows: Rows, chance: random.Random) -> Rows:
    at, to = chance.randrange(len(rows)), chance.randrange(len(rows) + 1)
    return [*rows[:to], rows[at], *rows[to:]]


WHOLE: tuple[Damage, ...] = (_swap, _reverse, _duplicate)
LOSSES: tuple[Damage, ...] = (_drop, _drop_the_rest, _dots, _bad_digits)


def _first_byte(dump: re.Match[bytes]) -> int:
    return int(dump[3][6:8], 16)


def damages(data: bytes, name: str, count: int = COUNT) -> Iterator[tuple[str, bool, bytes]]:
    """The damages of a trace: a name, whether bytes are lost, and the trace."""
    chance = random.Random(name)
    dumps = [d for d in DUMP.finditer(data) if _first_byte(d) in TELLING or not chance.randrange(SELDOM)]
    for damage in WHOLE + LOSSES if dumps else ():
        for number in range(count):
            changed, chosen = data, chance.sample(dumps, min(1 + number // 3, len(dumps)))
            for dump in sorted(chosen, key=lambda d: -d.start()):
                rows = damage(dump[3].splitlines(keepends=True), chance)
                changed = changed[: dump.end(1)] + b"".join(rows) + changed[dump.end() :]
            where = ", ".join(str(data.count(b"\n", 0, dump.start()) + 1) for dump in chosen)
            yield f"{damage.__name__.strip('_')} {number}, line {where}", damage in LOSSES, changed


def document(data: bytes) -> dict[str, Any]:
    """The JSON document of a trace."""
    from tracelens import analysis, inputs

    with tempfile.NamedTemporaryFile(suffix=".log") as file:
        file.write(data)
        file.flush()
        return next(analysis.analyze(found).document for found in inputs.find([file.name]))  # type: ignore[arg-type]


def faults(whole: dict[str, Any], damaged: dict[str, Any], lost: bool) -> Iterator[str]:
    """What the damage changed that it must not change."""
    if len(whole["sessions"]) != len(damaged["sessions"]):
        yield f"{len(damaged['sessions'])} sessions, not {len(whole['sessions'])}"
        return
    for right, found in zip(whole["sessions"], damaged["sessions"], strict=True):
        yield from _verdict_faults(right, found, lost)
        for name in FACTS:
            if found[name] != right[name] and not (lost and found[name] is None):
                yield f"{name} {found[name]}, not {right[name]}"
        yield from _list_faults("algorithms", right["algorithms"], found["algorithms"], lost)
        for side in ("client", "server"):
            yield from _list_faults(side, right["offers"][side] or {}, found["offers"][side] or {}, lost)
        if not lost and _logins(right) != _logins(found):
            yield f"logins {_logins(found)}, not {_logins(right)}"


def _verdict_faults(right: dict[str, Any], found: dict[str, Any], lost: bool) -> Iterator[str]:
    old, new = (session["root_cause"] or session["verdict"] for session in (right, found))
    if old == new:
        return
    is_open = lost and (new in ("insufficient", "unexplained") or old in _open_rivals(found))
    if not is_open:
        yield f"{old} became {new}"


def _open_rivals(session: dict[str, Any]) -> set[str]:
    """The causes that the session's own cause leaves open."""
    found = (f for f in session["findings"] if f["id"] == session["root_cause"])
    return {r["id"] for f in found for r in f["rivals"] if not r["because"].startswith("ruled out")}


def _list_faults(what: str, right: dict[str, Any], found: dict[str, Any], lost: bool) -> Iterator[str]:
    for name in right.keys() | found.keys():
        if found.get(name) != right.get(name) and not (lost and found.get(name) is None):
            yield f"{what} {name} {found.get(name)}, not {right.get(name)}"


def _logins(session: dict[str, Any]) -> list[tuple[object, ...]]:
    return [(a["method"], a["outcome"], tuple(a["remaining"])) for a in session["auth"]]


def faults_of(path: Path, count: int = COUNT) -> Iterator[str]:
    """The faults of all damages of a trace."""
    data = path.read_bytes()
    whole = None
    for damage, lost, changed in damages(data, path.name, count):
        whole = whole or document(data)
        for fault in faults(whole, document(changed), lost):
            yield f"{named(path)}: {damage}: {fault}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.damage", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--count", type=int, default=COUNT, help="damages of each kind in a trace")
    parser.add_argument("--only", default="", help="a part of the traces' names")
    parser.add_argument("--every", type=int, default=1, help="each which trace")
    options = parser.parse_args()
    kinds: Counter[str] = Counter()
    for path in [p for p in traces() if options.only in named(p)][:: options.every]:
        for fault in faults_of(path, options.count):
            print(fault)
            kinds[fault.split(": ")[1].split(" ")[0] + ": " + fault.split(": ", 2)[2].split(",")[0][:60]] += 1
    for kind, number in kinds.most_common():
        print(f"{number:6} {kind}", file=sys.stderr)
    return bool(kinds)


if __name__ == "__main__":
    sys.exit(main())
