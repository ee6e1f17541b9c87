"""`tracelens watch`."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from tracelens.cli.app import one_command
from tracelens.cli.output import exit_with_error, print_result, warn

# A session that ended may be followed by another one: so many seconds of silence end the watch.
_SETTLED = 1.0
_VERDICTS = {"cause": "FAILED", "unexplained": "FAILED", "insufficient": "under way", "healthy": "healthy"}

app = one_command()


@app.command()
def watch(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The trace file; it need not be there yet.")],
    until_done: Annotated[
        bool, typer.Option("--until-done", help="End when its sessions have ended, or nothing came for --idle seconds.")
    ] = False,
    idle: Annotated[float, typer.Option("--idle", min=0.5, help="Seconds without anything new.")] = 30.0,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="With --until-done: exit with 1 where a root cause was found.")
    ] = False,
) -> None:
    """Follow a growing trace: the phase it is in, what it waits for, and the diagnosis as it forms."""
    from tracelens.analysis import watch as watching

    if exit_code and not until_done:
        exit_with_error("--exit-code needs an end: give --until-done as well")
    if file.is_dir():
        exit_with_error(f"{file}: is a folder; watch follows one file")
    documents: list[dict[str, Any]] = []
    looks = _until(watching.follow(file), idle, until_done=until_done)
    final = (_live if sys.stdout.isatty() else _plain)(looks, file, documents)
    if final.document is not None:
        documents.append(final.document)
    if not documents:
        exit_with_error(f"{file}: {final.problem or 'nothing was written to it'}")
    from tracelens.reports import text

    print_result("\n" + "\n".join(text.render(document) for document in documents))
    if exit_code and any(s["root_cause"] for d in documents for s in d["sessions"]):
        raise typer.Exit(1)


def _until(looks: Iterator[Any], idle: float, *, until_done: bool) -> Iterator[Any]:
    for look in looks:
        yield look
        if until_done and (look.quiet >= idle or (look.ended and look.quiet >= _SETTLED)):
            return


def _plain(looks: Iterator[Any], file: Path, replaced: list[dict[str, Any]]) -> Any:
    """A line whenever something changes; the last look."""
    said: set[str] = set()
    look = None
    for look in looks:
        _talk(look, file)
        if look.last is not None:
            replaced.append(look.last)
        if look.change in ("truncated", "rotated"):
            said = set()
        for line in lines(look.document):
            if line not in said:
                said.add(line)
                print_result(line + "\n")
    return look


def _live(looks: Iterator[Any], file: Path, replaced: list[dict[str, Any]]) -> Any:
    """A view that is drawn anew in its place; the last look."""
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
            body = "\n".join(lines(look.document, waiting=look.quiet)) or look.problem or "waiting"
            footer = f"{look.size} bytes, {look.quiet:.0f} s without anything new; Ctrl-C ends"
            panel = Panel(Text(body), title=Text(escaped(file.name)), subtitle=Text(footer))
            view.update(panel, refresh=True)
    return look


def _talk(look: Any, file: Path) -> None:
    if look.change in ("truncated", "rotated"):
        warn(f"{file}: was {look.change}; it begins anew")


def lines(document: dict[str, Any] | None, waiting: float | None = None) -> list[str]:
    """What there is to say of each session, a line each: its phase, what it waits for, and what is found so far."""
    from tracelens.reports.labels import PHASE_NAMES
    from tracelens.reports.text import escaped

    said = []
    for session in document["sessions"] if document else ():
        name = f"session {session['number']}"
        # Of one that goes on, where it stands; its verdict is of what was seen so far.
        at = session["phases"][-1]["name"] if session.get("open") and session["phases"] else session["phase"]
        phase = PHASE_NAMES.get(at, at)
        steps = session.get("steps") or []
        asked = session.get("open") and steps and steps[-1]["from"] == "client" and steps[-1]["kind"] == "message"
        now = f"{name}: {phase}"
        if asked:
            since = f" ({waiting:.0f} s)" if waiting is not None and waiting >= 1 else ""
            now += f"; waits for the server's answer to {steps[-1]['what']}{since}"
        said.append(escaped(now))
        said += [escaped(f"{name}: {found['id']}: {found['summary']}") for found in session["findings"]]
        if session["verdict"] == "unexplained":
            said.append(escaped(f"{name}: {session['unexplained']['text']} (line {session['unexplained']['line']})"))
        if not session.get("open"):
            said.append(f"{name}: ended, {_VERDICTS.get(session['verdict'], session['verdict'])}")
    return said
