"""A session as a sequence chart: which marks to draw, and where. The template only draws them.

Units are those of the SVG's view box; the number of marks is bounded.
"""

from collections.abc import Sequence
from math import inf
from textwrap import wrap
from typing import Literal

from msgspec import Struct

from tracelens.analysis import Phase, Session, Step
from tracelens.analysis.document import ServerLine
from tracelens.analysis.places import Place, at, place
from tracelens.reports.labels import PHASE_NAMES, clock, cut_to, seconds
from tracelens.reports.server_lines import chosen, placed
from tracelens.reports.server_side import base

WIDTH = 860
_ROW, _HEAD, _PHASE = 26, 44, 24
_LABEL = 78
# The same with the server's log to the right: its width, where both sides stand, and how long texts are.
_WIDE, _CLIENT, _SERVER = 1040, 165, 560
_LABEL_WIDE, _LOG_LABEL, _LOG_ROW = 50, 50, 15
# Pauses shorter than this share of the session, and than this many seconds, are no row of their own.
_SHARE, _SHORTEST = 0.04, 0.05


class Row(Struct, frozen=True):
    """A row of the chart. A message points to the right where it goes from client to server.

    A wait is drawn `on` the line of the side that is waited for. A line of the server's log may be two lines long: its
    end is `more`. `y` and `height` are in units of the view box.
    """

    kind: Literal["phase", "message", "error", "wait", "cut", "log"]
    y: int
    height: int
    text: str
    phase: str = ""
    right: bool = False
    time: str = ""
    at: str = ""
    failing: bool = False
    on: Literal["client", "server"] = "client"
    more: str = ""


class Chart(Struct, frozen=True):
    """A sequence chart: `client` and `server` are the places of their lines.

    `log` names the server's log whose lines stand to the right of the server; it is empty without one.
    """

    rows: list[Row]
    height: int
    width: int = WIDTH
    client: int = 150
    server: int = 700
    log: str = ""
    left_out: int = 0


class Span(Struct, frozen=True):
    """A phase in the bar of phases, and the seconds that it took; `x` and the widths are for a bar `WIDTH` wide."""

    phase: Phase
    took: float
    share: str
    x: float
    width: float
    waited_width: float


def sequence(session: Session, marks: int) -> Chart | None:
    """The sequence chart of a session, with at most about `marks` steps; None without steps."""
    if not session.steps:
        return None
    failing = _failing_place(session)
    total = session.lasted or 0
    threshold = max(total * _SHARE, _SHORTEST)
    log = _Log(session, marks)
    label = _LABEL_WIDE if log.name else _LABEL
    rows: list[Row] = []
    y, phase = _HEAD, ""
    before: Step | None = None
    kept = _kept(session.steps, failing, marks)
    for number, following in zip(kept, [*kept[1:], 0], strict=True):
        step = session.steps[number]
        pause = _pause(before, step)
        if before is not None and pause >= threshold:
            y += log.draw(rows, y, number, (step.time or 0) - pause / 2)
            rows.append(_wait(before, pause, total, y))
            y += rows[-1].height + 4
        y += log.draw(rows, y, number)
        if step.phase != phase:
            phase = step.phase
            rows.append(Row("phase", y, _PHASE, PHASE_NAMES[phase], phase))
            y += _PHASE
        rows.append(_mark(step, y, failing, label - 7 if log.name and step.kind == "error" else label))
        y += _ROW
        before = step
        if skipped := max(following - number - 1, 0):
            rows.append(Row("cut", y, _ROW, f"{skipped} step{'' if skipped == 1 else 's'} not drawn"))
            y += _ROW
            before = None
    if silence := _silence(session, y, threshold):
        rows.append(silence)
        y += silence.height + 4
    y += log.draw(rows, y, inf)
    if not log.name:
        return Chart(rows, y + 10)
    return Chart(rows, y + 10, _WIDE, _CLIENT, _SERVER, log.name, log.left_out)


class _Log:
    """The lines of the server's log that are drawn between the steps.

    `name` is that of the log, empty where nothing of it is drawn; `left_out` lines of the connection are not drawn.
    """

    def __init__(self, session: Session, marks: int) -> None:
        side = session.server
        lines = chosen(side, max(marks // 2, 8)) if side is not None else []
        self.name, self.left_out = "", 0
        self._pending = list(placed(session, lines))
        self._proofs: set[int] = set()
        if side is not None and lines:
            self.name, self.left_out = base(side.file), len(side.lines) + side.lines_omitted - len(lines)
            self._proofs = {quote.line for reason in side.reasons for quote in reason.evidence}

    def draw(self, rows: list[Row], y: int, until: float, before: float = inf) -> int:
        """Draws the lines that come before a step and before a moment, from `y` on; how much room they take."""
        height = 0
        while self._pending and self._pending[0][0] <= until and (self._pending[0][1].trace_time or -inf) < before:
            line = self._pending.pop(0)[1]
            rows.append(_log_row(line, y + height, proves=line.line in self._proofs))
            height += rows[-1].height
        return height


def _pause(before: Step | None, step: Step) -> float:
    """Seconds between two steps; 0 where the trace does not say."""
    if before is None or before.last_time is None or step.time is None:
        return 0.0
    return step.time - before.last_time


def _log_row(line: ServerLine, y: int, *, proves: bool) -> Row:
    """A line of the server's log, on one line or two."""
    parts = wrap(line.text, _LOG_LABEL, break_on_hyphens=False) or [""]
    more = cut_to(" ".join(parts[1:]), _LOG_LABEL)
    time = (line.time or "").rpartition(" ")[2][:8]
    height = _LOG_ROW * (2 if more else 1) + 9
    return Row("log", y, height, parts[0], time=time, at=str(line.line), failing=proves, on="server", more=more)


def _mark(step: Step, y: int, failing: Place | None, label: int) -> Row:
    text = step.what if step.count == 1 else f"{step.count} x {step.what}"
    text = cut_to(text, label)
    right, fails = step.sender == "client", place(step) == failing
    return Row(step.kind, y, _ROW, text, step.phase, right, clock(step.time), at(step), fails)


def _asks(step: Step) -> bool:
    """Whether the server's answer is waited for after a step."""
    return step.sender == "client" and step.kind == "message"


def _wait(before: Step, pause: float, total: float, y: int) -> Row:
    height = min(18 + int(60 * pause / total), 70) if total else 20
    what = "waiting for the server" if _asks(before) else "until the client goes on"
    return Row("wait", y, height, f"{seconds(pause)} {what}", on="server" if _asks(before) else "client")


def _silence(session: Session, y: int, threshold: float) -> Row | None:
    """The time after the last step, where it was long."""
    last = session.steps[-1]
    if session.ended is None or last.last_time is None or session.ended - last.last_time < max(threshold, 0.5):
        return None
    what = "no answer came" if _asks(last) else "nothing more happened"
    text = f"{seconds(session.ended - last.last_time)}: {what} until the trace's end"
    return Row("wait", y, 44, text, on="server" if _asks(last) else "client")


def _kept(steps: Sequence[Step], failing: Place | None, marks: int) -> list[int]:
    """The numbers of the steps that are drawn: the first, the last, and those around the failing one."""
    count, part = len(steps), marks // 3
    if count <= marks:
        return list(range(count))
    kept = {*range(part), *range(count - part, count)}
    middle = next((n for n, step in enumerate(steps) if place(step) == failing), None)
    if middle is None or middle in kept:
        middle = part + part // 2
    kept.update(n for n in range(middle - part * 2 // 3, middle + part // 3) if 0 <= n < count)
    return sorted(kept)


def spans(session: Session) -> list[Span]:
    """The time of each phase; empty where the trace has no clock."""
    phases = [(phase, phase.started, phase.lasted) for phase in session.phases]
    timed = [(phase, started, took) for phase, started, took in phases if started is not None and took is not None]
    if not timed:
        return []
    begin = timed[0][1]
    total = max((timed[-1][0].ended or 0) - begin, 1e-9)
    rows = []
    for phase, started, took in timed:
        took = max(took, 0.0)
        x, width = WIDTH * (started - begin) / total, WIDTH * took / total
        waited = round(width * min(phase.waited / took, 1.0), 1) if took else 0
        rows.append(Span(phase, took, f"{100 * took / total:.0f} %", round(x, 1), round(max(width, 1.0), 1), waited))
    return rows


def failing_x(session: Session) -> float | None:
    """Where the bar of phases is marked: at the step by which the session failed."""
    failing = _failing_place(session)
    step = next((s for s in session.steps if place(s) == failing), None)
    timed = [(p.started, p.ended) for p in session.phases if p.started is not None and p.ended is not None]
    if step is None or step.time is None or not timed:
        return None
    begin, end = timed[0][0], timed[-1][1]
    share = (step.time - begin) / (end - begin) if end > begin else 0.0
    return round(WIDTH * min(max(share, 0.0), 1.0), 1)


def _failing_place(session: Session) -> Place | None:
    """The place of the step by which the session failed: an error's where there is one, else the first proof's."""
    final = place(session.final_error) if session.final_error else None
    steps = set(map(place, session.steps))
    proofs = [place(quote) for quote in session.root.evidence if not quote.file] if session.root else []
    return next((found for found in (final, *proofs) if found in steps), final)
