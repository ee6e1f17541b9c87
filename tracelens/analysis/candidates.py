"""Which connection of a server's log is a session? Connections are weighed; those of one trace are settled together.

Facts are weighed by how many other connections of the log share them: a user who is in all of them says nothing.
"""

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from statistics import median
from typing import Literal

from msgspec import Struct, field

from tracelens.analysis.document import Session
from tracelens.analysis.matching import WRITTEN, ZONES, Agreement, Fit, fit
from tracelens.logs.model import Connection

# Of the connections that fit, so many are kept: the best, and those that come close.
KEPT = 24
# The best connection must be ahead of the next by so many bits.
_AHEAD = 2.0
# How many connections of the log would fit as well by chance, at most, for a match to be certain, likely or possible.
_CERTAIN, _LIKELY, _POSSIBLE = 0.02, 0.1, 0.5
# That a log lacks the session counts as much as so many further connections.
_LACKING = 0.25
# What a fact is worth by itself counts as much as so many connections of the log.
_PRIOR = 4
# Only with one of these is a match certain: the others are the same in each session of a client.
_TELLING = (WRITTEN, "the gaps", "the key", "the paths", "the command", "one clock")
_TOGETHER = 0.2  # seconds by which offsets of one clock may differ, beside the clock's step
_COUNTED = 200  # different facts


class Candidates(Struct):
    """The connections that may be one session, and what the log's other ones have in common with it.

    Attributes:
        session: the session.
        written: see `fit`.
        fits: those that nothing rules out, the best first.
        count: how many connections there are; `fitting` of them are not ruled out.
        conflicts: what ruled others out -> how many.
        agreements: what connections have in common with the session -> how many.
        begins: the time of the log's first and last connection, on the log's clock.
    """

    session: Session
    written: float | None = None
    fits: list[Fit] = field(default_factory=list)
    count: int = 0
    fitting: int = 0
    conflicts: dict[str, int] = field(default_factory=dict)
    agreements: dict[str, int] = field(default_factory=dict)
    begins: list[float] = field(default_factory=list)

    def offer(self, connection: Connection) -> None:
        """Takes a connection into account."""
        found, conflicts = fit(self.session, connection, self.written)
        self.count += 1
        stamp = connection.events[0].stamp
        if stamp is not None:
            self.begins = [min([*self.begins, stamp.seconds]), max([*self.begins, stamp.seconds])]
        _count(self.agreements, (agreement.what for agreement in found.agreements))
        if conflicts:
            _count(self.conflicts, [conflicts[0].what])
            return
        self.fitting += 1
        self.fits.append(found)
        self.fits.sort(key=lambda one: -one.weight)
        del self.fits[KEPT:]

    def keep_timely(self) -> None:
        """Drops the connections of other times, if the log covers the time at which the trace file was written.

        Where a file was copied, its time is mostly that of the copy, which is later than the log's last line.
        """
        last = self.session.ended
        if self.written is None or last is None or not self.begins:
            return
        stamps = [found.connection.events[0].stamp for found in self.fits]
        is_exact = all(stamp is not None and stamp.zone is not None and stamp.has_year for stamp in stamps)
        slack = 60.0 if is_exact else ZONES
        at = self.written + last
        if any(stamp is not None and not stamp.has_year for stamp in stamps):
            at = _without_year(at)
        if self.fits and self.begins[0] - slack <= at <= self.begins[1] + slack:
            timely = [found for found in self.fits if any(one.what.startswith(WRITTEN) for one in found.agreements)]
            if len(timely) < len(self.fits):
                _count(self.conflicts, ["the trace file was written at another time"] * (len(self.fits) - len(timely)))
            self.fits, self.fitting = timely, len(timely)

    def weigh(self) -> None:
        """Weighs what is in common by how rare it is in this log, and sorts the connections again."""
        for found in self.fits:
            found.weight = sum(self._bits(agreement) for agreement in found.agreements)
        self.fits.sort(key=lambda one: -one.weight)

    def _bits(self, agreement: Agreement) -> float:
        others = self.agreements.get(agreement.what, 1) - 1
        share = (others + _PRIOR * 2**-agreement.weight) / (self.count - 1 + _PRIOR)
        # What no other one of many has may still be had by the next one.
        return -math.log2(max(share, 0.5 / self.count if self.count > 1 else share))


def _without_year(seconds: float) -> float:
    """The time on the clock of a log that names no year: see `Stamp`."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.replace(year=1972).timestamp()


def _count(counts: dict[str, int], names: Iterable[str]) -> None:
    for name in names:
        if name in counts or len(counts) < _COUNTED:
            counts[name] = counts.get(name, 0) + 1


def _keep_one_clock(candidates: Sequence[Candidates]) -> float | None:
    """Of the sessions of one trace, whose clock did not restart, keeps the connections that fit at one offset.

    That is the offset at which most sessions have a connection; it is returned, None where there is none for several.
    A session without a connection at that offset keeps all.
    """
    offsets = sorted(
        (found.middle, number) for number, one in enumerate(candidates) for found in one.fits if found.offset
    )
    firsts = [found.connection.events[0].stamp for one in candidates for found in one.fits[:1]]
    width = max((stamp.step for stamp in firsts if stamp is not None), default=0.0) + _TOGETHER
    best, at, begin, within = 1, 0.0, 0, dict[int, int]()
    for end, (middle, number) in enumerate(offsets):
        within[number] = within.get(number, 0) + 1
        while middle - offsets[begin][0] > width:
            left = offsets[begin][1]
            within[left] -= 1
            if not within[left]:
                del within[left]
            begin += 1
        if len(within) > best:
            best, at = len(within), median(offset for offset, _ in offsets[begin : end + 1])
    if best < 2:
        return None
    agreement = Agreement(f"{best} sessions of the trace fit on one clock", min(3.0 * (best - 1), 9.0))
    for one in candidates:
        fits = [found for found in one.fits if found.offset is not None and found.offset[0] <= at <= found.offset[1]]
        if fits:
            one.fits = fits
            one.fitting = len(fits)
            for found in fits:
                found.agreements = (*found.agreements, agreement)
    return at


def settle(candidates: Sequence[Candidates], one_clock: bool) -> None:
    """Weighs the connections of the sessions of one trace; a connection is one session's at most.

    Args:
        candidates: those of each session, in the order of the trace.
        one_clock: whether the sessions have the same clock.
    """
    at = _keep_one_clock(candidates) if one_clock else None
    for one in candidates:
        one.keep_timely()
        one.weigh()
    ranked = sorted(
        (
            (-round(found.weight), found.apart(at), number, found.connection.first_line)
            for number, one in enumerate(candidates)
            for found in one.fits
        )
    )
    owners: dict[int, int] = {}  # of a connection, by its first line, the session
    settled: set[int] = set()
    for *_, number, line in ranked:
        if number not in settled and line not in owners:
            owners[line] = number
            settled.add(number)
    for number, one in enumerate(candidates):
        fits = [found for found in one.fits if owners.get(found.connection.first_line, number) == number]
        one.fitting -= len(one.fits) - len(fits)
        one.fits = fits


class Match(Struct, frozen=True):
    """The connection that is the session, how sure it is, those that are close, and how many more fit."""

    fit: Fit
    certainty: Literal["certain", "likely", "possible"]
    close: tuple[Fit, ...] = ()
    others: int = 0


def choose(candidates: Candidates) -> Match | str:
    """The best of the connections, which are settled; in words why none is the session."""
    fits = candidates.fits
    if not fits:
        return _no_match(candidates.conflicts)
    best = fits[0]
    by_chance = (candidates.count - 1 + _LACKING) * 2**-best.weight
    if by_chance > _POSSIBLE:
        return "what the trace and the log both show is too little to tell which of its connections it is"
    close = tuple(other for other in fits[1:] if best.weight - other.weight < _AHEAD)
    if close or by_chance > _LIKELY:
        return Match(best, "possible", close, candidates.fitting - len(fits) if len(close) == len(fits) - 1 else 0)
    is_sure = by_chance <= _CERTAIN and any(telling in one.what for one in best.agreements for telling in _TELLING)
    return Match(best, "certain" if is_sure else "likely")


def _no_match(conflicts: dict[str, int]) -> str:
    if not conflicts:
        return "the log has no connection"
    most = sorted(conflicts.items(), key=lambda entry: (-entry[1], entry[0]))[:3]
    count = sum(conflicts.values())
    reasons = "; ".join(f"{what} (rules out {number})" for what, number in most)
    return (
        f"none of its {count} connections fits: {reasons}"
        if count > 1
        else f"its one connection does not fit: {most[0][0]}"
    )
