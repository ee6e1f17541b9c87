"""A scan's counts -> what a report about an archive says, in the order in which it says it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from tracelens import rules
from tracelens.reports.content import Limits, about, printable
from tracelens.reports.formats import Options

_WIDTH, _HEIGHT = 860, 220
# So many causes have a colour of their own; the others share one.
_COLOURS = 7
_OTHERS = "others"


class Cause(Struct, frozen=True):
    """A root cause: sessions and files that have it, times of the first and the last file, and some of the files."""

    root_cause: str
    sessions: int
    files: int
    first_seen: str | None
    last_seen: str | None
    examples: list[str]


class Signature(Struct, frozen=True):
    """Failures that are the same one, counted as a cause is."""

    signature: str
    root_cause: str | None
    server_software: str | None
    algorithms: dict[str, str | None]
    error: str | None
    sessions: int
    files: int
    first_seen: str | None
    last_seen: str | None
    examples: list[str]


class NotRead(Struct, frozen=True):
    """An input that could not be read, or not to its end."""

    path: str
    status: str
    error: str | None


class Summary(Struct, frozen=True):
    """A scan's `summary.json`: files by status, sessions by verdict; times are ISO dates with time."""

    schema: str
    tracelens: str
    files: dict[str, int]
    bytes: int
    sessions: dict[str, int]
    first_seen: str | None
    last_seen: str | None
    causes: list[Cause]
    signatures: list[Signature]
    not_read: list[NotRead]


class Period(Struct, frozen=True, rename={"start": "from"}):
    """Some days: the first of them, and cause -> sessions; a session without a cause counts under its verdict."""

    start: str
    causes: dict[str, int]


class Software(Struct, frozen=True):
    """A server's software or a client's banner: sessions, those that failed, and cause -> sessions."""

    name: str
    sessions: int
    failed: int
    causes: dict[str, int]


class Trend(Struct, frozen=True):
    """A cause before and after a day, the first day it was seen, and "new", "more", "as before", "fewer" or "gone"."""

    cause: str
    before: int
    after: int
    first: str
    trend: str


class Overview(Struct, frozen=True):
    """What happened in an archive; `since` is the ISO date from which a cause is new, None where no time is known."""

    summary: Summary
    since: str | None
    periods: list[Period]
    servers: list[Software]
    clients: list[Software]
    trends: list[Trend]


class Part(Struct, frozen=True):
    """A part of a bar; the colour is a number."""

    colour: int
    y: float
    height: float
    cause: str
    count: int


class Bars(Struct, frozen=True):
    """Stacked bars in units of the view box: the start of each period and its parts, the lowest first.

    The legend has the causes in the order of their colours, and how many sessions each has.
    """

    bars: list[tuple[str, list[Part]]]
    legend: list[tuple[str, int]]
    highest: int
    step: float
    bar_width: float
    width: int = _WIDTH
    height: int = _HEIGHT


def content(name: str, found: Overview, options: Options, limits: Limits) -> dict[str, Any]:
    """What the templates read of the archive of this name; `omitted` counts what the limits leave out of each list."""
    found = printable(found)
    summary, rows = found.summary, limits.rows
    lists: dict[str, Sequence[object]] = {
        **{name: getattr(summary, name) for name in ("causes", "signatures", "not_read")},
        **{name: getattr(found, name) for name in ("trends", "servers", "clients")},
    }
    return {
        "title": printable(name),
        "summary": summary,
        "since": found.since,
        "chart": _chart(found.periods),
        **{name: entries[:rows] for name, entries in lists.items()},
        "omitted": {name: max(len(entries) - rows, 0) for name, entries in lists.items()},
        "kept": 2 if limits.evidence > 8 else 1,
        **about(options),
    }


def day(time: str | None) -> str:
    """The day of an ISO time."""
    return (time or "")[:10]


def meaning(id: str) -> str:
    """A cause in a sentence: the first line of its page."""
    return (rules.page(id) or "").partition("\n")[0]


def listed(causes: Mapping[str, int]) -> str:
    """The causes of the sessions with a software, and how many each has."""
    named = [f"{name} {count}" for name, count in causes.items() if not name.startswith("(")]
    return ", ".join(named[:5]) + (f", {len(named) - 5} more" if len(named) > 5 else "")


def _chart(periods: Sequence[Period]) -> Bars | None:
    """The sessions of each period by cause; None where no time is known."""
    counted = [_failed(period.causes) for period in periods]
    totals = sum(counted, Counter[str]())
    if not totals:
        return None
    named = sorted(totals, key=lambda cause: (-totals[cause], cause))[:_COLOURS]
    highest = max(causes.total() for causes in counted) or 1
    bars = [(period.start, _parts(causes, named, highest)) for period, causes in zip(periods, counted, strict=True)]
    legend = [(cause, totals[cause]) for cause in named]
    if rest := totals.total() - sum(count for _, count in legend):
        legend.append((_OTHERS, rest))
    step = _WIDTH / len(periods)
    return Bars(bars, legend, highest, step, round(min(max(step - 2, 1), 60), 1))


def _failed(causes: Mapping[str, int]) -> Counter[str]:
    return Counter({cause: count for cause, count in causes.items() if not cause.startswith("(")})


def _parts(causes: Counter[str], named: Sequence[str], highest: int) -> list[Part]:
    counts = {cause: causes[cause] for cause in named}
    counts[_OTHERS] = causes.total() - sum(counts.values())
    y, parts = float(_HEIGHT), []
    for colour, (cause, count) in enumerate(counts.items()):
        if count:
            height = round(_HEIGHT * count / highest, 1)
            y = round(y - height, 1)
            parts.append(Part(colour, y, height, cause, count))
    return parts
