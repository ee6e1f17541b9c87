"""Diagnoses traces of the lab alone and with their server's log, and compares both with what was set up.

    python -m tests.both_sides FOLDER             # exit status 1 where a bar is missed
    python -m tests.both_sides FOLDER -v          # and each trace that is not as it should be
    python -m tests.both_sides FOLDER --part own  # one part: own, crowd, reasons
    python -m tests.both_sides FOLDER --count 300 --others 1000

FOLDER is what `python -m tests.lab --server-log LEVEL --out FOLDER` recorded. `own`: each trace with its own log, as
recorded and as `sshd -E` writes it. `crowd`: its connection among others in one log, in several forms, and a log that
lacks it; with the time at which the trace file was written and without. `reasons`: the server's reason of each trace.
"""

import argparse
import fnmatch
import random
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tests import auth_logs
from tests.auth_logs import FORMS, Line
from tests.lab import truth
from tests.lab.check import Verdict
from tests.support import analyze_file
from tracelens import inputs
from tracelens.analysis import server_side
from tracelens.analysis.document import Analysis, Session

DECIDED, FOUND = 0.9, 0.99  # bars


class Trace(NamedTuple):
    """A recorded trace, what was set up, and what the analysis says of it alone."""

    path: Path
    row: Mapping[str, str]
    alone: Analysis

    @property
    def logs(self) -> list[Path]:
        names = self.row["server_log"]
        return [self.path.with_name(name) for name in names.split(";")] if names != "-" else []

    @property
    def is_ambiguous(self) -> bool:
        return self.row["note"].startswith("ALT ")

    @property
    def reasons(self) -> list[str]:
        return self.row["server_reason"].split(";")

    @property
    def is_decidable(self) -> bool:
        """Whether the server's log has a line on what the trace leaves open."""
        return self.is_ambiguous and len(self.alone.sessions) == 1 and self.reasons != ["-"]

    def right(self, sessions: Sequence[Session]) -> bool:
        """Whether the root causes are those that were set up, or others that the trace can't tell from them."""
        row = dict(self.row)
        if row["server_cause"] != "-":
            row["note"] = row["note"].replace("ALT ", f"ALT {row['server_cause']}, ", 1)
        return Verdict(self.path, row, causes(sessions)).right

    def settled(self, sessions: Sequence[Session]) -> bool:
        """Whether the cause is the one that was set up, with the server's reason for it."""
        cause = self.row["root_cause"] if self.row["server_cause"] == "-" else self.row["server_cause"]
        return causes(sessions) == [cause] and self.reasons[0] in said(sessions[0])


def causes(sessions: Iterable[Session]) -> list[str]:
    return [one.root_cause or ("none" if one.verdict == "healthy" else one.verdict) for one in sessions]


def said(session: Session) -> list[str]:
    """The ids of the server's reasons."""
    return [reason.id for reason in session.server.reasons] if session.server is not None else []


def traces(folder: Path) -> list[Trace]:
    rows = truth.read(folder / "TRUTH.tsv")
    found = [Trace(folder / row["file"], row, analyze_file(folder / row["file"])) for row in rows]
    return [one for one in found if one.logs]


def joined(trace: Trace, logs: Iterable[Path], written: float | None = None) -> tuple[Session, ...]:
    """The sessions with the server's side; `written`: when the trace file was written last."""
    times = {trace.alone.name: written}
    (both,), _ = server_side.with_server_logs([trace.alone], inputs.find(map(str, logs)), lambda s: s, times)
    return both.sessions


# -- each trace with its own log


class Own(NamedTuple):
    """A trace with its log: was it right alone, is it with the log, is it settled by it?"""

    trace: Trace
    right_alone: bool
    right: bool
    settled: bool
    sessions: tuple[Session, ...]


def own(all_traces: Sequence[Trace], form: str = "") -> Iterator[Own]:
    for trace in all_traces:
        with tempfile.TemporaryDirectory() as folder:
            logs = [log if form == "" else _plain(log, Path(folder)) for log in trace.logs]
            sessions = joined(trace, logs, trace.path.stat().st_mtime)
        yield Own(trace, trace.right(trace.alone.sessions), trace.right(sessions), trace.settled(sessions), sessions)


def _plain(log: Path, folder: Path) -> Path:
    """The log as `sshd -E` writes it, where it is sshd's."""
    lines = auth_logs.recorded(log)
    if not lines:
        return log
    path = folder / log.name
    path.write_text(auth_logs.by_itself(lines), newline="")
    return path


def print_own(title: str, results: Sequence[Own], verbose: bool) -> bool:
    """Print what the logs changed; whether the bars hold."""
    worse = [one for one in results if one.right_alone and not one.right]
    open_ones = [one for one in results if one.trace.is_ambiguous]
    able = [one for one in open_ones if one.trace.is_decidable]
    settled = [one for one in able if one.settled]
    wrong = [one for one in able if not one.right]
    good = not worse and not wrong and len(settled) >= DECIDED * len(able)
    print(f"{title}: {len(results)} traces with a log")
    matched = Counter("found" if s.server else "not found" for one in results for s in one.sessions)
    print(f"  sessions: connection found {matched['found']}, not found {matched['not found']}")
    print(f"  right alone {sum(o.right_alone for o in results)}, with the log {sum(o.right for o in results)}, "
          f"worse {len(worse)}")  # fmt: skip
    print(f"  fit another cause too: {len(open_ones)}; of them the log can decide {len(able)}: "
          f"decided {len(settled)} ({len(settled) / max(len(able), 1):.1%}), wrongly {len(wrong)}")  # fmt: skip
    if verbose:
        for kind, some in (("worse", worse), ("wrong", wrong), ("open", [o for o in able if not o.settled])):
            for one in some:
                told = [
                    (c, *said(s), s.no_server or "") for c, s in zip(causes(one.sessions), one.sessions, strict=True)
                ]
                print(f"    {kind}: {one.trace.path.name}: {one.trace.row['root_cause']}, {one.trace.reasons}: {told}")
    return good


# -- the server's reason


def print_reasons(results: Sequence[Own], verbose: bool) -> bool:
    """Print for each reason how often it was found; whether all were."""
    wanted: Counter[str] = Counter()
    found: Counter[str] = Counter()
    misses = []
    extra: dict[str, list[str]] = defaultdict(list)
    for one in results:
        reasons = one.trace.reasons
        if len(reasons) != len(one.sessions):
            continue
        for session, reason in zip(one.sessions, reasons, strict=True):
            told = said(session)
            if reason == "-":
                for id in told:
                    extra[id].append(one.trace.path.name)
                continue
            wanted[reason] += 1
            if reason in told:
                found[reason] += 1
            else:
                misses.append(f"{one.trace.path.name}: {reason}, told {told} {session.no_server or ''}")
    print(f"{'reason':36}{'set up':>8}{'found':>7}")
    for reason, number in sorted(wanted.items()):
        print(f"{reason:36}{number:>8}{found[reason]:>7}{'' if found[reason] == number else '  missed'}")
    for id, names in sorted(extra.items()):
        print(f"  told where none was set up: {id} x {len(names)}: {', '.join(names[:4])}")
    if verbose:
        print(*(f"    missed: {miss}" for miss in misses), sep="\n")
    return not misses


# -- one among others

_PAUSE = 3.6  # seconds between two connections, on average: a thousand an hour
_MIX = {"none": 0.6, "auth": 0.3, "other": 0.1}  # of the others
_BATCH = 20  # traces whose connections are in the same log


@cache
def _connections(folder: Path) -> dict[str, list[list[Line]]]:
    """The recorded connections of sshd that are alone in their log: those that went well, refused logins, others."""
    found: dict[str, list[list[Line]]] = {"none": [], "auth": [], "other": []}
    for row in truth.read(folder / "TRUTH.tsv"):
        if row["sessions"] == "1" and row["server_log"] != "-":
            lines = auth_logs.recorded(folder / row["server_log"].split(";")[0])
            kind = row["root_cause"].partition("-")[0]
            if lines:
                found[kind if kind in found else "other"].append(lines)
    return found


def crowd(folder: Path, number: int, others: int) -> list[list[Line]]:
    """Other people's connections, with their times, in one log."""
    chance = random.Random(f"crowd {number}")
    at, made = 1_795_000_000.0 + 90_000 * number, []
    while len(made) < others:
        at += chance.expovariate(1 / _PAUSE)
        kind = chance.choices(list(_MIX), list(_MIX.values()))[0]
        made.append(auth_logs.moved(chance.choice(_connections(folder)[kind]), at, chance))
    return made


class Found(NamedTuple):
    """What became of a trace's session among others: right, taken for another (wrong), or missing."""

    trace: Trace
    form: str
    outcome: str
    false: bool  # found in the log that lacks it
    notes: tuple[str, ...]


def among(batch: Sequence[Trace], number: int, others: int, timed: bool) -> list[Found]:
    """What becomes of these traces, whose connections are among others in one log; and of a log that lacks them all."""
    form, (write, zone) = list(FORMS.items())[number % len(FORMS)]
    chance = random.Random(f"places {number}")
    rest = crowd(batch[0].path.parent, number, others)
    own_lines = [auth_logs.recorded(trace.logs[0]) for trace in batch]
    places = [chance.uniform(rest[0][0].seconds, rest[-1][0].seconds) for _ in batch]
    placed = [auth_logs.moved(lines, at) for lines, at in zip(own_lines, places, strict=True)]
    written = {
        trace.alone.name: trace.path.stat().st_mtime - lines[0].seconds + at if timed else None
        for trace, lines, at in zip(batch, own_lines, places, strict=True)
    }
    results = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "auth.log")
        for connections in ([*placed, *rest], rest):
            lines = auth_logs.mixed(connections, random.Random(f"numbers {number}"))
            path.write_text("".join(f"{write(line, zone)}\n" for _, line in lines))
            alone = [trace.alone for trace in batch]
            both, _ = server_side.with_server_logs(alone, inputs.find([str(path)]), lambda text: text, written)
            results.append(([one.sessions[0] for one in both], [owner for owner, _ in lines]))
    (found, owners), (strays, _) = results
    out = []
    for place, (trace, session, stray) in enumerate(zip(batch, found, strays, strict=True)):
        outcome = _outcome(session, owners, place)
        notes = []
        if outcome == "wrong" and session.server is not None:
            notes.append(f"taken for another ({session.server.certainty}): {session.server.because}")
        elif outcome == "missing":
            notes.append(f"not found: {session.no_server}")
        if stray.server is not None:
            notes.append(f"found where it is not ({stray.server.certainty}): {stray.server.because}")
        out.append(Found(trace, form, outcome, stray.server is not None, tuple(notes)))
    return out


def _outcome(session: Session, owners: Sequence[int], own: int) -> str:
    """Whether the connection is the trace's own: all its lines are."""
    if session.server is None:
        return "missing"
    return "right" if {owners[one.line - 1] for one in session.server.lines} == {own} else "wrong"


def print_crowd(results: Sequence[Found], title: str, verbose: bool) -> bool:
    """Print how many were found; whether the bars hold."""
    outcomes = Counter(one.outcome for one in results)
    false = sum(one.false for one in results)
    right = outcomes["right"]
    print(f"{title}: {len(results)} traces: right {right} ({right / max(len(results), 1):.1%}), "
          f"taken for another {outcomes['wrong']}, not found {outcomes['missing']}; "
          f"found in a log that lacks it {false}")  # fmt: skip
    for form in FORMS:
        mine = Counter(one.outcome for one in results if one.form == form)
        print(f"  {form:16} right {mine['right']}, wrong {mine['wrong']}, not found {mine['missing']}")
    if verbose:
        for one in results:
            for note in one.notes:
                print(f"    {one.trace.path.name} ({one.form}): {note}"[:400])
    return right >= FOUND * len(results) and not false


def main() -> int:
    lines = (__doc__ or "").split("\n", 1)
    parser = argparse.ArgumentParser(
        "python -m tests.both_sides", description=lines[0], epilog=lines[1],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("folder", type=Path)
    parser.add_argument("--part", action="append", choices=("own", "crowd", "reasons"))
    parser.add_argument("--count", type=int, default=60, help="traces to look for among others")
    parser.add_argument("--others", type=int, default=999)
    parser.add_argument("--only", default="*", help="traces whose name fits this pattern")
    parser.add_argument("-v", "--verbose", action="store_true", help="name each trace that is not as it should be")
    options = parser.parse_args()
    parts = options.part or ["own", "crowd", "reasons"]
    every = [one for one in traces(options.folder) if fnmatch.fnmatch(one.path.name, options.only)]
    held = []
    if "own" in parts or "reasons" in parts:
        results = list(own(every))
        if "own" in parts:
            held.append(print_own("with the log as recorded", results, options.verbose))
            held.append(print_own("with the log of sshd -E", list(own(every, "-E")), options.verbose))
        if "reasons" in parts:
            held.append(print_reasons(results, options.verbose))
    if "crowd" in parts:
        able = [one for one in every if len(one.alone.sessions) == 1 and auth_logs.recorded(one.logs[0])]
        chosen = random.Random("chosen").sample(able, min(options.count, len(able)))
        batches = [chosen[at : at + _BATCH] for at in range(0, len(chosen), _BATCH)]
        for timed, title in ((True, "with the time of the trace file"), (False, "without it")):
            found = [f for number, some in enumerate(batches) for f in among(some, number, options.others, timed)]
            good = print_crowd(found, f"among {options.others} others, {title}", options.verbose)
            held += [good] if timed else []
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
