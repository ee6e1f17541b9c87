"""Appends sessions of real traces to each other and compares what the analysis says of each with what it says alone.

    python -m tests.appended                            # exit status 1 where a bar is missed
    python -m tests.appended --kind poll --mask 508 -v  # one kind at one mask; each session that is not right
    python -m tests.appended --count 20 --lab FOLDER    # 20 files of each kind; the traces of this folder too
    python -m tests.appended --write FOLDER             # the files themselves

A session is right if exactly one reported session begins in its lines, with the verdict and the root cause that it has
alone. A failed session in whose lines none begins, after one that is called healthy, is swallowed.
"""

import argparse
import gzip
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from multiprocessing import Pool
from pathlib import Path
from typing import NamedTuple

from tests.goldens import CLOCK, HEAD, HERE, with_mask
from tests.support import diagnose_bytes
from tracelens.errors import NotATrace

MASKS = (511, 508, 142, 140)
BAR = 0.98
LARGEST = 4_000_000  # bytes of a file
_LARGEST_PART = 200_000
_BEGINS = ("Setting blocking mode", "session_startup", "New session resource", "Setting local Banner")
_SECOND = 1_000_000

Verdict = tuple[str, str | None]
Clock = Callable[[random.Random, int], int]


class Part(NamedTuple):
    """A session of a file: its name, its bytes as they stand there, and what the analysis says of it alone."""

    name: str
    data: bytes
    alone: Verdict


class Result(NamedTuple):
    """What became of the sessions of one file."""

    kind: str
    mask: int
    number: int
    sessions: int
    reported: int
    swallowed: int
    misses: tuple[str, ...]


# -- clocks: the end of the session before, in microseconds -> the start of the next one ------------------------------


def continues(rng: random.Random, end: int) -> int:
    """One process: its sessions follow each other after a pause."""
    return end + int(rng.choice((0.05, 0.3, 1, 5, 30, 300)) * rng.uniform(0.5, 1.5) * _SECOND)


def restarts(rng: random.Random, end: int) -> int:
    """A process for each session: libssh2 counts the seconds from the first record of the process."""
    return rng.randrange(_SECOND)


def restarts_late(rng: random.Random, end: int) -> int:
    """The same, where the first records were not kept."""
    return rng.randrange(max(end, 2) // 2) + rng.randrange(_SECOND) if end > 3 * _SECOND else rng.randrange(_SECOND)


def wall(rng: random.Random, end: int) -> int:
    """The seconds since 1970."""
    return continues(rng, end if end > 10**15 else 1_764_300_000_000_000 + rng.randrange(10**11))


class Kind(NamedTuple):
    """How files are put together: their clocks, how many sessions they have, which traces, and whether they are cut."""

    clocks: Sequence[Clock]
    counts: Sequence[int]
    choose: Callable[[random.Random, int], list[Path]]
    killed: bool = False


# -- traces -----------------------------------------------------------------------------------------------------------


@cache
def traces(lab: Path | None) -> tuple[Path, ...]:
    """Traces with one session, from its first record on, of all contexts."""
    found = [*HERE.glob("cases/*/*"), *HERE.parent.glob("sample_logs/*"), *(lab.iterdir() if lab else ())]
    return tuple(path for path in sorted(found) if path.suffix in (".log", ".gz") and _is_whole(path))


@cache
def _content(path: Path) -> bytes:
    data = path.read_bytes()
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def _is_whole(path: Path) -> bool:
    data = _content(path)
    if len(data) > _LARGEST_PART or not CLOCK.match(data) or b"\r" in data or not data.endswith(b"\n"):
        return False
    if len(CLOCK.findall(data)) > data.count(b"\n[libssh2] ") + 1:
        return False  # records share a line
    first = data.split(b"\n", 1)[0].decode("latin-1")
    contexts = {m[1] for m in HEAD.finditer(data)}
    if b"Userauth" in contexts and b"Key Ex" not in contexts:
        return False
    return any(b in first for b in _BEGINS) and {b"Transport", b"Conn"} <= contexts and alone(path, 511) is not None


@cache
def alone(path: Path, mask: int) -> Verdict | None:
    """What the analysis says of a trace's only session; None if it has not exactly one."""
    return verdict_of(with_mask(_content(path), mask))


def verdict_of(data: bytes) -> Verdict | None:
    """What the analysis says of the only session; None if there is not exactly one."""
    found = reported(data)
    return found[0][1] if len(found) == 1 else None


def reported(data: bytes) -> list[tuple[int, Verdict]]:
    """The first line of each session that the analysis reports, and what it says of it."""
    try:
        sessions = diagnose_bytes(data)["sessions"]
    except NotATrace:
        return []
    return [(s["first_line"], (s["verdict"], s["root_cause"])) for s in sessions]


def shifted(data: bytes, start: int) -> tuple[bytes, int]:
    """A trace whose clock starts at this microsecond, and its last microsecond."""
    first = CLOCK.search(data)
    begun = _micros(first) if first else 0
    last = start

    def move(match: re.Match[bytes]) -> bytes:
        nonlocal last
        last = max(start + _micros(match) - begun, 0)
        return b"[libssh2] %d.%06d " % divmod(last, _SECOND)

    return re.sub(rb"^" + CLOCK.pattern, move, data, flags=re.MULTILINE), last


def _micros(clock: re.Match[bytes]) -> int:
    return int(clock[1]) * _SECOND + int(clock[2])


# -- kinds ------------------------------------------------------------------------------------------------------------

LAB: Path | None = None


@cache
def _good(good: bool) -> list[Path]:
    return [path for path in traces(LAB) if (alone(path, 511) == ("healthy", None)) == good]


def _any(rng: random.Random, count: int) -> list[Path]:
    return [rng.choice(_good(rng.random() < 0.4)) for _ in range(count)]


def _one(rng: random.Random, count: int) -> list[Path]:
    return [rng.choice(traces(LAB))] * count


def _alternating(rng: random.Random, count: int) -> list[Path]:
    two = [rng.choice(_good(good)) for good in (True, False)]
    rng.shuffle(two)
    return [two[n % 2] for n in range(count)]


_FEW, _MANY = (2, 3, 4, 6, 10, 20), (30, 60, 100, 200)
KINDS = {
    "mix-continue": Kind([continues], _FEW, _any),
    "mix-restart": Kind([restarts], _FEW, _any),
    "mix-late": Kind([restarts_late], _FEW, _any),
    "mix-wall": Kind([wall], _FEW, _any),
    "long": Kind([continues, restarts, wall], _MANY, _any),
    "poll": Kind([continues, restarts, wall], (2, 3, 10, 50, 200), _one),
    "alternate": Kind([continues, restarts, wall], (4, 10, 30), _alternating),
    "killed-continue": Kind([continues, wall], _FEW, _any, killed=True),
    "killed-restart": Kind([restarts], _FEW, _any, killed=True),
}


def parts(kind: str, mask: int, number: int) -> Iterator[Part]:
    """The sessions of a file; the same ones whenever it is made."""
    how = KINDS[kind]
    rng = random.Random(f"{kind} {mask} {number}")
    rounds, turn = divmod(number, len(how.counts))
    clock = how.clocks[(number + rounds) % len(how.clocks)]
    end = size = 0
    for path in how.choose(rng, how.counts[turn]):
        whole = _content(path)
        starts = [m.start() for m in re.finditer(rb"^(?=\[libssh2\] |=> )", whole, re.MULTILINE)]
        cut = rng.choice(starts[1:]) if how.killed else len(whole)
        data = with_mask(whole[:cut], mask)
        verdict = verdict_of(data) if how.killed else alone(path, mask)
        if verdict is None:
            continue
        data, end = shifted(data, clock(rng, end))
        size += len(data)
        if size > LARGEST:
            return
        yield Part(f"{path.parent.name}/{path.name}" + f" to byte {cut}" * how.killed, data, verdict)


def judged(kind: str, mask: int, number: int) -> Result:
    """What became of the sessions of one file."""
    made = list(parts(kind, mask, number))
    found = reported(b"".join(part.data for part in made))
    line, swallowed = 1, 0
    misses = []
    before: Verdict = ("", None)
    for place, part in enumerate(made, 1):
        end = line + part.data.count(b"\n")
        mine = [(first, verdict) for first, verdict in found if line <= first < end]
        if [verdict for _, verdict in mine] != [part.alone]:
            lost = not mine and part.alone[1] is not None and before[0] == "healthy"
            swallowed += lost
            told = [f"{first}: {cause or verdict}" for first, (verdict, cause) in mine]
            where = f"{place}. of {len(made)}, lines {line}-{end - 1}"
            misses.append(f"{part.name}: {part.alone[1] or part.alone[0]} ({where}): {told}{' swallowed' * lost}")
        before = mine[-1][1] if mine else before
        line = end
    return Result(kind, mask, number, len(made), len(found), swallowed, tuple(misses))


def _work(job: tuple[str, int, int]) -> Result:
    return judged(*job)


def _print(results: list[Result], verbose: bool) -> bool:
    """Print a row for each kind and mask; whether the bars hold."""
    if verbose:
        for each in results:
            for miss in each.misses:
                print(f"{each.kind} {each.mask} {each.number}: {miss}")
    held = True
    print(f"{'kind':18}{'mask':>6}{'sessions':>10}{'reported':>10}{'right':>8}{'':>9}{'swallowed':>11}")
    for kind, mask in Counter((each.kind, each.mask) for each in results):
        mine = [each for each in results if (each.kind, each.mask) == (kind, mask)]
        sessions, swallowed = sum(each.sessions for each in mine), sum(each.swallowed for each in mine)
        right = sessions - sum(len(each.misses) for each in mine)
        good = right >= BAR * sessions and not swallowed
        held &= good
        told = sum(each.reported for each in mine)
        row = f"{kind:18}{mask:>6}{sessions:>10}{told:>10}{right:>8}{right / max(sessions, 1):>9.1%}"
        print(f"{row}{swallowed or '-':>11}{'' if good else '  missed'}")
    return held


def _write(folder: Path, jobs: list[tuple[str, int, int]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for kind, mask, number in jobs:
        (folder / f"{kind}-{mask}-{number}.log").write_bytes(b"".join(p.data for p in parts(kind, mask, number)))


def main() -> int:
    lines = (__doc__ or "").split("\n", 1)
    parser = argparse.ArgumentParser(
        "python -m tests.appended", description=lines[0], epilog=lines[1],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--kind", action="append", choices=sorted(KINDS))
    parser.add_argument("--mask", action="append", type=int)
    parser.add_argument("--count", type=int, default=6, help="files of each kind and mask")
    parser.add_argument("--only", type=int, help="the file of this number alone")
    parser.add_argument("--lab", type=Path, help="the traces of this folder too")
    parser.add_argument("--write", type=Path, help="write the files, compare nothing")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("-v", "--verbose", action="store_true", help="name each session that is not right")
    options = parser.parse_args()
    global LAB
    LAB = options.lab
    numbers = [options.only] if options.only is not None else range(options.count)
    jobs = [(k, m, n) for k in options.kind or KINDS for m in options.mask or MASKS for n in numbers]
    if options.write:
        _write(options.write, jobs)
        return 0
    traces(LAB)  # once, for all workers
    with Pool(options.jobs) as pool:
        results = pool.map(_work, jobs, 1)
    return 0 if _print(results, options.verbose) else 1


if __name__ == "__main__":
    sys.exit(main())
