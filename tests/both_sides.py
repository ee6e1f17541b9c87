"""Diagnoses traces of the lab alone and with their server's log, and compares both with what was set up.

    python -m tests.both_sides FOLDER             # exit status 1 where a bar is missed
    python -m tests.both_sides FOLDER -v          # and each trace that is not as it should be
    python -m tests.both_sides FOLDER --part own  # one part: own, crowd, reasons

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
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tests import auth_logs
from tests.auth_logs import FORMS
from tests.lab import truth
from tests.lab.check import Verdict
from tests.support import analyze_file
from tracelens import inputs
from tracelens.analysis import server_side
from tracelens.analysis.document import Analysis, Session
from tracelens.logs import reasons

DECIDED, FOUND = 0.9, 0.99  # bars
_OF_SFTP_SERVER = (  # a process with a log of its own, which is not in that of `sshd -E`
    *("server-path-missing", "server-path-permission", "server-no-space", "server-read-only", "server-home-missing"),
)


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

    @property
    def cause(self) -> str:
        """The root cause that trace and log together must give."""
        by_log = self.row["server_cause"]
        return by_log if by_log != "-" else self.row["root_cause"]

    def right(self, sessions: Sequence[Session]) -> bool:
        """Whether the root causes are those that were set up, or others that the trace can't tell from them."""
        row = dict(self.row)
        if row["server_cause"] != "-":
            row["note"] = row["note"].replace("ALT ", f"ALT {row['server_cause']}, ", 1)
        return Verdict(self.path, row, causes(sessions)).right


def causes(sessions: Iterable[Session]) -> list[str]:
    return [one.root_cause or ("none" if one.verdict == "healthy" else one.verdict) for one in sessions]


def said(session: Session) -> list[str]:
    """The ids of the server's reasons."""
    return [reason.id for reason in session.server.reasons] if session.server is not None else []


def traces(folder: Path) -> list[Trace]:
    rows = truth.read(folder / "TRUTH.tsv")
    found = [Trace(folder / row["file"], row, analyze_file(folder / row["file"])) for row in rows]
    return [one for one in found if one.logs]


def joined(
    some: Sequence[Trace], logs: Iterable[Path], written: Mapping[str, float | None]
) -> list[tuple[Session, ...]]:
    """The sessions of traces with the server's side; `written`: when the trace files were written last, by name."""
    alone = [trace.alone for trace in some]
    both, _ = server_side.with_server_logs(alone, inputs.find(map(str, logs)), lambda text: text, written)
    return [one.sessions for one in both]


class Own(NamedTuple):
    """A trace with its log."""

    trace: Trace
    sessions: tuple[Session, ...]
    is_whole: bool  # whether the log has all lines that were recorded

    @property
    def is_worse(self) -> bool:
        """Whether the trace alone is diagnosed right, or as it was set up, and with its log is not."""
        trace, alone = self.trace, causes(self.trace.alone.sessions)
        lost = alone == trace.cause.split(";") != causes(self.sessions)
        return lost or (trace.right(trace.alone.sessions) and not trace.right(self.sessions))

    @property
    def is_wrong(self) -> bool:
        """Whether the log decides for a cause that was not set up."""
        given = causes(self.sessions)
        return not self.trace.right(self.sessions) or given not in (
            self.trace.cause.split(";"),
            causes(self.trace.alone.sessions),
        )

    @property
    def is_settled(self) -> bool:
        """Whether the cause is the one that was set up, with the server's reason for it."""
        return causes(self.sessions) == [self.trace.cause] and self.trace.reasons[0] in said(self.sessions[0])

    @property
    def strangers(self) -> list[str]:
        """The certainties of the sessions that were taken for another connection than theirs."""
        lines = self.trace.row["server_line"].split(";")
        known = self.is_whole and truth.AT_ONCE not in self.trace.row["note"]
        if not known or len(lines) != len(self.sessions):
            return []
        return [
            session.server.certainty
            for line, session in zip(lines, self.sessions, strict=True)
            if line != "-" and session.server is not None and session.server.file.endswith((".server.log", "auth.log"))
            if int(line) not in [one.line for one in session.server.lines]
        ]


def own(all_traces: Sequence[Trace], form: str = "") -> Iterator[Own]:
    """Each trace with its log, as recorded or in the form `-E`."""
    by_logs: dict[tuple[Path, ...], list[Trace]] = defaultdict(list)
    for trace in all_traces:
        by_logs[tuple(trace.logs)].append(trace)
    for logs, some in by_logs.items():
        written: dict[str, float | None] = {trace.alone.name: trace.path.stat().st_mtime for trace in some}
        with tempfile.TemporaryDirectory() as folder:
            shown = [log if form == "" else _plain(log, Path(folder)) for log in logs]
            for trace, sessions in zip(some, joined(some, shown, written), strict=True):
                yield Own(trace, sessions, form == "")


def _plain(log: Path, folder: Path) -> Path:
    """The log as `sshd -E` writes it, where it is sshd's."""
    lines = auth_logs.recorded(log)
    if not lines:
        return log
    path = folder / log.name
    path.write_text(auth_logs.by_itself(lines), newline="")
    return path


class OwnTally:
    """What the logs changed. `beyond` are reasons that such logs do not have."""

    def __init__(self, results: Sequence[Own], beyond: Collection[str] = ()) -> None:
        self._results = results
        self._open = [one for one in results if one.trace.is_ambiguous]
        able = [one for one in self._open if one.trace.is_decidable and one.trace.reasons[0] not in beyond]
        self._able = len(able)
        self.misses = {
            "worse": [one for one in results if one.is_worse],
            "wrong": [one for one in self._open if one.is_wrong],
            "another connection": [one for one in results if set(one.strangers) - {"possible"}],
            "open": [one for one in able if not one.is_settled],
        }
        self._settled = len(able) - len(self.misses["open"])

    @property
    def _share(self) -> float:
        return self._settled / max(self._able, 1)

    @property
    def holds(self) -> bool:
        """Whether the bars hold."""
        bad = self.misses["worse"] or self.misses["wrong"] or self.misses["another connection"]
        return not bad and (self._share >= DECIDED or not self._able)

    def print(self, title: str) -> None:
        found = sum(session.server is not None for one in self._results for session in one.sessions)
        sessions = sum(len(one.sessions) for one in self._results)
        strangers = Counter(certainty for one in self._results for certainty in one.strangers)
        alone = sum(one.trace.right(one.trace.alone.sessions) for one in self._results)
        both = sum(one.trace.right(one.sessions) for one in self._results)
        print(f"{title}: {len(self._results)} traces with a log")
        print(
            f"  connection found for {found} of {sessions} sessions; {strangers.total()} of them taken for another one"
        )
        print(f"  right alone {alone}, with the log {both}, worse {len(self.misses['worse'])}")
        print(f"  fit another cause too: {len(self._open)}, of which the log has a line on {self._able}: "
              f"decided {self._settled} ({self._share:.1%}), wrongly {len(self.misses['wrong'])}")  # fmt: skip

    def print_misses(self) -> None:
        for kind, one in [(kind, one) for kind, some in self.misses.items() for one in some]:
            told = [(c, *said(s), s.no_server or "") for c, s in zip(causes(one.sessions), one.sessions, strict=True)]
            print(f"    {kind}: {one.trace.path.name}: {one.trace.cause}, {one.trace.reasons}: {told}"[:400])


class ReasonTally:
    """For each reason how often it was set up, and how often it was found."""

    def __init__(self, results: Sequence[Own]) -> None:
        self._wanted: Counter[str] = Counter()
        self._found: Counter[str] = Counter()
        self._extra: dict[str, list[str]] = defaultdict(list)
        self.misses: list[str] = []
        for one in results:
            if len(one.trace.reasons) == len(one.sessions):
                for session, reason in zip(one.sessions, one.trace.reasons, strict=True):
                    self._add(one.trace.path.name, session, reason)

    def _add(self, name: str, session: Session, reason: str) -> None:
        told = said(session)
        if reason == "-":
            for id in told:
                self._extra[id].append(name)
            return
        self._wanted[reason] += 1
        self._found[reason] += reason in told
        if reason not in told:
            self.misses.append(f"{name}: {reason}, told {told} {session.no_server or ''}")

    def print(self) -> None:
        print(f"{'reason':36}{'set up':>8}{'found':>7}")
        for reason, number in sorted(self._wanted.items()):
            found = self._found[reason]
            print(f"{reason:36}{number:>8}{found:>7}{'' if found == number else '  missed'}")
        print("  set up by no trace here:", ", ".join(id for id in reasons.pages() if id not in self._wanted))
        for id, names in sorted(self._extra.items()):
            print(f"  told where none was set up: {id} x {len(names)}: {', '.join(names[:4])}")

    def print_misses(self) -> None:
        for miss in self.misses:
            print(f"    missed: {miss}")


# -- one among others

_BATCH = 20  # traces whose connections are in the same log


@cache
def _connections(folder: Path) -> auth_logs.Kinds:
    """The recorded connections of sshd that are alone in their log, by what became of them."""
    found: auth_logs.Kinds = {kind: [] for kind in auth_logs.MIX}
    for row in truth.read(folder / "TRUTH.tsv"):
        if row["sessions"] == "1" and row["server_log"] != "-":
            lines = auth_logs.recorded(folder / row["server_log"].split(";")[0])
            kind = row["root_cause"].partition("-")[0]
            if lines:
                found[kind if kind in found else "other"].append(lines)
    return found


class Found(NamedTuple):
    """What became of a trace's session among others: right, taken for another (wrong), or missing."""

    trace: Trace
    form: str
    outcome: str
    false: str  # the certainty with which it was found in the log that lacks it
    notes: tuple[str, ...]


def among(batch: Sequence[Trace], number: int, others: int, timed: bool) -> list[Found]:
    """What becomes of these traces, whose connections are among others in one log; and of a log that lacks them all."""
    form, (write, zone) = list(FORMS.items())[number % len(FORMS)]
    chance = random.Random(f"places {number}")
    rest = auth_logs.crowd(_connections(batch[0].path.parent), number, others)
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
            results.append(([one[0] for one in joined(batch, [path], written)], [owner for owner, _ in lines]))
    (found, owners), (strays, _) = results
    return [
        _found(trace, form, session, _outcome(session, owners, place), stray)
        for place, (trace, session, stray) in enumerate(zip(batch, found, strays, strict=True))
    ]


def _found(trace: Trace, form: str, session: Session, outcome: str, stray: Session) -> Found:
    notes = []
    if outcome == "wrong" and session.server is not None:
        notes.append(f"taken for another ({session.server.certainty}): {session.server.because}")
    elif outcome == "missing":
        notes.append(f"not found: {session.no_server}")
    if stray.server is not None:
        notes.append(f"found where it is not ({stray.server.certainty}): {stray.server.because}")
    return Found(trace, form, outcome, stray.server.certainty if stray.server else "", tuple(notes))


def _outcome(session: Session, owners: Sequence[int], own: int) -> str:
    """Whether the connection is the trace's own: all its lines are."""
    if session.server is None:
        return "missing"
    return "right" if {owners[one.line - 1] for one in session.server.lines} == {own} else "wrong"


def print_crowd(results: Sequence[Found], title: str, verbose: bool) -> bool:
    """Print how many were found; whether the bars hold."""
    outcomes = Counter(one.outcome for one in results)
    false = Counter(one.false for one in results if one.false)
    right = outcomes["right"]
    print(f"{title}: {len(results)} traces: right {right} ({right / max(len(results), 1):.1%}), "
          f"taken for another {outcomes['wrong']}, not found {outcomes['missing']}; "
          f"found in a log that lacks it {sum(false.values())} {dict(false) or ''}")  # fmt: skip
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
    if "own" in parts:
        held += [measure_own(every, options.verbose)]
    if "reasons" in parts:
        held += [measure_reasons(every, options.verbose)]
    if "crowd" in parts:
        held += [measure_crowd(every, options.count, options.others, options.verbose)]
    return 0 if all(held) else 1


def measure_own(every: Sequence[Trace], verbose: bool) -> bool:
    held = True
    for form, title, beyond in (("", "log as recorded", ()), ("-E", "log of sshd -E", _OF_SFTP_SERVER)):
        tally = OwnTally(list(own(every, form)), beyond)
        tally.print(title)
        if verbose:
            tally.print_misses()
        held &= tally.holds
    return held


def measure_reasons(every: Sequence[Trace], verbose: bool) -> bool:
    tally = ReasonTally(list(own(every)))
    tally.print()
    if verbose:
        tally.print_misses()
    return not tally.misses


def measure_crowd(every: Sequence[Trace], count: int, others: int, verbose: bool) -> bool:
    able = [one for one in every if len(one.alone.sessions) == 1 and auth_logs.recorded(one.logs[0])]
    chosen = random.Random("chosen").sample(able, min(count, len(able)))
    batches = [chosen[at : at + _BATCH] for at in range(0, len(chosen), _BATCH)]
    held = True
    for timed, title in ((True, "with the time of the trace file"), (False, "without it")):
        found = [one for number, some in enumerate(batches) for one in among(some, number, others, timed)]
        held &= print_crowd(found, f"among {others} others, {title}", verbose) or not timed
    return held


if __name__ == "__main__":
    sys.exit(main())
