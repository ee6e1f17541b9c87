"""Sessions of two to four threads of one process in one trace: which of them tracelens tells right.

    python -m tests.interleaved_pairs                    # 60 sets of each kind at each mask; the figures
    python -m tests.interleaved_pairs --sets 200 -v      # more sets; each session that is not right
    python -m tests.interleaved_pairs --folder TRACES    # of the traces that the TRUTH.tsv of this folder names
    python -m tests.interleaved_pairs --write FOLDER     # the sets themselves

A set is woven from recorded sessions on one clock, in the order of their times. Right is a session that the result has
with the verdict, root cause and user that it has alone at the same mask: where two begin alike, it does not matter
which of them has which first line. "Server" is how many of them have their server's banner too.
"""

import argparse
import csv
import random
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from tests.goldens import VALUES
from tracelens import analysis, inputs

HERE = Path(__file__).parent
MASKS = (511, 508, 142, 140)
LARGE = 300_000
FEW = 9  # fewer traces of a version make no sets
CLOCK = re.compile(rb"\[libssh2\] (\d+)\.(\d{6}) ")
DUMP = re.compile(rb"(?m)^(=> libssh2_transport_\w+(?:\(\))? plain2? \(\d+ bytes\)\n)((?:[0-9a-f]{4}: [^\n]*\n)+)")
USER, OTHER_USERS = b"devi", (b"olga", b"nina", b"raul")
HEAD = re.compile(rb"\[libssh2\] (?:\d+\.\d{6} )?([A-Z][\w ]*): ")
Timed = list[tuple[int, bytes]]
Judged = tuple[str | None, ...]


class Result(NamedTuple):
    """What became of the sessions of one set: how many are right, and the others in words, if any."""

    kind: str
    mask: int
    sessions: int
    right: int
    exact: int
    uncertain: bool
    wrong: str


def traces(folder: Path | None) -> list[list[Path]]:
    """Recorded traces of one whole session with all records, by libssh2's version: a process has one."""
    with ((folder or HERE) / "TRUTH.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    by_version: dict[str, list[Path]] = {}
    for row in rows:
        version = row.get("libssh2_version") or row["origin"].rpartition(" ")[2]
        path = (folder or HERE.parent) / row["file"]
        whole = row.get("origin", "lab: ").startswith("lab: ") and row.get("damage", "none") == "none"
        plain = (row["mask"], row["newline_policy"]) == ("511", "normal") and ";" not in row["root_cause"]
        if whole and plain and path.suffix == ".log" and path.stat().st_size < LARGE:
            by_version.setdefault(version, []).append(path)
    return [paths for paths in by_version.values() if len(paths) > FEW]


def renamed(data: bytes, name: bytes, other: bytes) -> bytes:
    """A trace in which a user has another name of the same length, also in its dumps."""

    def dump(match: re.Match[bytes]) -> bytes:
        rows = [bytes.fromhex(row[6:55].decode()) for row in match[2].splitlines()]
        shown = b"".join(rows).replace(name, other)
        lines = (shown[at : at + 16] for at in range(0, len(shown), 16))
        return match[1] + b"".join(
            b"%04x: %-49s: %s\n" % (16 * i, _hex(line), bytes(c if 32 <= c < 127 else 46 for c in line))
            for i, line in enumerate(lines)
        )

    texts = re.sub(rb"(?m)^\[libssh2\].*$", lambda line: line[0].replace(name, other), data)
    return DUMP.sub(dump, texts)


def _hex(line: bytes) -> bytes:
    pairs = [b"%02X " % byte for byte in line]
    return b"".join(pairs[:8]) + (b" " + b"".join(pairs[8:]) if len(line) > 8 else b"")


def timed(path: Path, chance: random.Random, data: bytes | None = None) -> Timed:
    """Records and dumps of a trace, in microseconds since its first; a dump has the time of the record that it is of.

    Kept traces have all answers after 20 ms, to the microsecond: here they take half as long to half as long again.
    """
    data = path.read_bytes() if data is None else data
    units = re.split(rb"^(?=\[libssh2\] |=> )", data, flags=re.MULTILINE)[1:]
    clocks = [int(m[1]) * 1_000_000 + int(m[2]) if (m := CLOCK.match(unit)) else None for unit in units]
    times: list[int | None] = []
    later = None
    for clock in reversed(clocks):
        later = clock if clock is not None else later
        times.append(later)
    begun = next(clock for clock in clocks if clock is not None)
    now, late, placed = begun, 0, []
    for unit, clock, following in zip(units, clocks, reversed(times), strict=True):
        # What was read is told of after its dump, what is written before it.
        read = b"_read() " in unit[:30] and following is not None
        told = clock if clock is not None else following if read else now
        assert told is not None
        if told - now > 1_000:
            late += int((told - now) * chance.uniform(-0.5, 0.5))
        now = max(now, told)
        placed.append((now + late - begun, unit))
    return placed


def masked(trace: Timed, mask: int) -> Timed:
    """What a mask leaves of a trace."""
    kept, keep = [], False
    for time, unit in trace:
        head = HEAD.match(unit)
        if head is not None:
            keep = bool(VALUES.get(head[1], 0) & mask)
        elif unit.startswith(b"=> "):
            keep = bool(mask & 2)
        if keep:
            kept.append((time, unit))
    return kept


def weave(parts: list[Timed], starts: list[int]) -> Iterator[tuple[int, bytes]]:
    """The parts on one clock: of each record or dump, which part it is of, and its text."""
    placed = [
        (time + start, number, text)
        for number, (trace, start) in enumerate(zip(parts, starts, strict=True))
        for time, text in trace
    ]
    for time, number, text in sorted(placed, key=lambda one: one[:2]):  # in each trace's own order
        yield number, CLOCK.sub(b"[libssh2] %d.%06d " % divmod(time + 200_000, 1_000_000), text, count=1)


def judged(data: bytes) -> tuple[list[Judged], bool]:
    """What is said of each session of a trace; and whether the result says that it is uncertain."""
    with tempfile.NamedTemporaryFile(suffix=".log") as file:
        file.write(data)
        file.flush()
        (document,) = (
            analysis.analyze(source).document
            for source in inputs.find([file.name])
            if isinstance(source, inputs.Source)
        )
    found = [(s["verdict"], s["root_cause"], s["user"], s["server_banner"]) for s in document["sessions"]]
    return found, any("uncertain" in notice["summary"] for notice in document["notices"])


def compare(parts: list[Timed], starts: list[int]) -> tuple[int, int, list[Judged], list[Judged], bool]:
    """How many sessions are right, also in their server; those missing, those instead; whether it is uncertain."""
    got, uncertain = judged(b"".join(text for _, text in weave(parts, starts)))
    want = [what for part in parts for what in judged(b"".join(text for _, text in weave([part], [0])))[0]]
    right = (Counter(what[:-1] for what in want) & Counter(what[:-1] for what in got)).total()
    missing, others = Counter(want) - Counter(got), Counter(got) - Counter(want)
    return right, len(want) - missing.total(), [*missing.elements()], [*others.elements()], uncertain


def sets(paths: list[list[Path]], count: int) -> Iterator[tuple[str, list[Path], list[Timed], list[int]]]:
    """The sets: a kind, its traces, their parts and when each begins."""
    for kind, choose in KINDS.items():
        for number in range(count):
            chance = random.Random(f"{kind} {number}")
            group = chance.choice(paths)
            chosen = [chance.choice(group) for _ in range(chance.choice((2, 2, 3, 4)))]
            users = (USER, *OTHER_USERS) if kind == "users" else (USER,) * 4
            data = [renamed(path.read_bytes(), USER, user) for path, user in zip(chosen, users, strict=False)]
            parts = [timed(path, chance, each) for path, each in zip(chosen, data, strict=True)]
            yield kind, chosen, parts, choose(parts, chance)


def _spread(parts: list[Timed], chance: random.Random) -> list[int]:
    """Each begins at some time within the one before."""
    starts = [0]
    for part in parts[:-1]:
        starts.append(starts[-1] + int(part[-1][0] * chance.random()))
    return starts


def _together(parts: list[Timed], chance: random.Random) -> list[int]:
    """All begin within a few milliseconds: their logins meet."""
    return [0, *(chance.randrange(3_000) for _ in parts[1:])]


KINDS: dict[str, Callable[[list[Timed], random.Random], list[int]]] = {
    "spread": _spread,
    "together": _together,
    "users": _together,  # each session of a user of its own
}


def results(paths: list[list[Path]], count: int, masks: tuple[int, ...]) -> Iterator[Result]:
    """What becomes of the sets."""
    for place, (kind, chosen, whole, starts) in enumerate(sets(paths, count)):
        for mask in masks:
            parts = [masked(trace, mask) for trace in whole]
            right, exact, missing, others, uncertain = compare([part for part in parts if part], starts)
            names = " + ".join(path.stem for path in chosen)
            wrong = f"{place:04} {kind} {mask} {names}: {missing} are {others}" if missing or others else ""
            yield Result(kind, mask, exact + len(missing), right, exact, uncertain, wrong)


def _write(folder: Path, paths: list[list[Path]], count: int, masks: tuple[int, ...]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for place, (_, _, parts, starts) in enumerate(sets(paths, count)):
        for mask in masks:
            woven = weave([masked(trace, mask) for trace in parts], starts)
            (folder / f"{place:04}-{mask}.log").write_bytes(b"".join(text for _, text in woven))


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=60, help="of each kind")
    parser.add_argument("--mask", type=int, action="append", help="only this one")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--write", type=Path, metavar="FOLDER")
    parser.add_argument("-v", action="store_true", help="name the sessions that are not right")
    options = parser.parse_args()
    paths, masks = traces(options.folder), tuple(options.mask or MASKS)
    if options.write is not None:
        _write(options.write, paths, options.sets, masks)
        return
    sessions: Counter[tuple[str, int]] = Counter()
    right: Counter[tuple[str, int]] = Counter()
    exact: Counter[tuple[str, int]] = Counter()
    unsaid: Counter[tuple[str, int]] = Counter()  # wrong, and not said to be uncertain
    doubted: Counter[tuple[str, int]] = Counter()  # right, and said to be uncertain
    for result in results(paths, options.sets, masks):
        key = (result.kind, result.mask)
        sessions[key] += result.sessions
        right[key] += result.right
        exact[key] += result.exact
        unsaid[key] += 0 if result.uncertain else result.sessions - result.right
        doubted[key] += result.right if result.uncertain else 0
        if options.v and result.wrong:
            print(result.wrong)
    print(f"{'kind':12}{'mask':>6}{'sessions':>10}{'right':>8}{'server':>8}{'wrong unsaid':>14}{'right doubted':>15}")
    for key, count in sessions.items():
        shares = f"{right[key] / count:>8.1%}{exact[key] / count:>8.1%}{unsaid[key] / count:>14.1%}"
        print(f"{key[0]:12}{key[1]:>6}{count:>10}{shares}{doubted[key] / count:>15.1%}")


if __name__ == "__main__":
    main()
