"""`tracelens watch`."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tracelens.cli.options import ServerLog
from tracelens.cli.output import exit_with_error, print_result, warn

if TYPE_CHECKING:
    from tracelens.analysis import Analysis, Session
    from tracelens.analysis.watch import Look

_SETTLED = 1.0  # seconds of silence that end the watch after a session ended; another session may follow
_VERDICTS = {"cause": "FAILED", "unexplained": "FAILED", "insufficient": "under way", "healthy": "healthy"}


def watch(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The trace file; it need not be there yet.")],
    until_done: Annotated[
        bool, typer.Option("--until-done", help="End when its sessions have ended, or nothing came for --idle seconds.")
    ] = False,
    idle: Annotated[float, typer.Option("--idle", min=0.5, help="Seconds without anything new.")] = 30.0,
    server_log: ServerLog = None,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="With --until-done: exit with 1 where a root cause was found.")
    ] = False,
) -> None:
    """Follow a growing trace: the phase it is in, what it waits for, and the diagnosis as it forms."""
    from tracelens.analysis import watch as watching

    if exit_code and not until_done:
        exit_with_error("--exit-code needs an end: give --until-done as well")
    if os.path.isdir(file):
        exit_with_error(f"{file}: is a folder; watch follows one file")
    traces: list[Analysis] = []
    known: set[bytes] = set()
    looks = _until(watching.follow(file, known=known), idle, until_done=until_done)
    final = (_live if sys.stdout.isatty() else _plain)(looks, file, traces)
    if final is not None and final.analysis is not None:
        traces.append(final.analysis)
    if not traces:
        exit_with_error(f"{file}: {(final and final.problem) or 'nothing was written to it'}")
    unusable: list[tuple[str, str]] = []
    if server_log:
        from tracelens.cli.analyze import joined
        from tracelens.inputs import find

        traces = joined(traces, find(server_log), unusable, known, {})
    from tracelens.reports import text

    print_result("\n" + "\n".join(text.render(analysis) for analysis in traces))
    if unusable:
        raise typer.Exit(2)
    if exit_code and any(analysis.root_causes for analysis in traces):
        raise typer.Exit(1)


def _until(looks: "Iterator[Look]", idle: float, *, until_done: bool) -> "Iterator[Look]":
    for look in looks:
        yield look
        if until_done and (look.quiet >= idle or (look.ended and look.quiet >= _SETTLED)):
            return


def _plain(looks: "Iterator[Look]", file: Path, replaced: "list[Analysis]") -> "Look | None":
    """Print a line for each change; return the last look."""
    shown: set[str] = set()
    look = None
    for look in looks:
        _warn_of_change(look, file)
        if look.last is not None:
            replaced.append(look.last)
        if look.change in ("truncated", "rotated"):
            shown = set()
        for line in lines(look.analysis):
            if line not in shown:
                shown.add(line)
                print_result(line + "\n")
    return look


def _live(looks: "Iterator[Look]", file: Path, replaced: "list[Analysis]") -> "Look | None":
    """Redraw one panel with each look; return the last look."""
    from rich.console import Console
    from rich.live import Live
    from rich.panel import Panel
    from rich.text import Text

    from tracelens.reports.text import escaped

    console = Console(no_color=bool(os.environ.get("NO_COLOR")), highlight=False)
    look = None
    with Live(console=console, auto_refresh=False, transient=True) as view:
        for look in looks:
            if look.last is not None:
                replaced.append(look.last)
            body = "\n".join(lines(look.analysis, waiting=look.quiet)) or look.problem or "waiting"
            footer = f"{look.size} bytes, {look.quiet:.0f} s without anything new; Ctrl-C ends"
            panel = Panel(Text(body), title=Text(escaped(file.name)), subtitle=Text(footer))
            view.update(panel, refresh=True)
    return look


def _warn_of_change(look: "Look", file: Path) -> None:
    if look.change in ("truncated", "rotated"):
        warn(f"{file}: was {look.change}; it begins anew")


def lines(analysis: "Analysis | None", waiting: float | None = None) -> list[str]:
    """The lines of each session: its phase, what it waits for, and its findings so far."""
    from tracelens.reports.text import escaped

    return [escaped(line) for session in (analysis.sessions if analysis else ()) for line in _lines(session, waiting)]


def _lines(session: "Session", waiting: float | None) -> Iterator[str]:
    from tracelens.analysis.places import at
    from tracelens.reports.labels import PHASE_NAMES
    from tracelens.reports.remote_commands import verdict_note

    name = f"session {session.number}"
    # An open session is in its last phase; its verdict covers only the records so far.
    now = f"{name}: {PHASE_NAMES[session.phases[-1].name if session.open and session.phases else session.phase]}"
    last = session.steps[-1] if session.open and session.steps else None
    if last is not None and last.sender == "client" and last.kind == "message":
        since = f" ({waiting:.0f} s)" if waiting is not None and waiting >= 1 else ""
        now += f"; waits for the server's answer to {last.what}{since}"
    yield now
    for finding in session.findings:
        yield f"{name}: {finding.id}: {finding.summary}"
    if session.unexplained is not None:
        yield f"{name}: {session.unexplained.text} (line {at(session.unexplained)})"
    if not session.open:
        note = verdict_note(session)
        yield f"{name}: ended, {_VERDICTS[session.verdict]}{', but ' + note if note else ''}"
