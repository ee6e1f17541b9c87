"""`tracelens scan`."""

import sys
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tracelens.cli.output import exit_with_error, warn

if TYPE_CHECKING:
    from tracelens.batch import Progress, Scan


EngineName = StrEnum("EngineName", "local dask")
"""Where the work is done."""


_TIME = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"]


def scan(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT...", help="Folders (with all below), files, globs, archives, URLs, or -."),
    ],
    output: Annotated[Path, typer.Option("-o", metavar="FOLDER", help="A new folder, or that of an earlier scan.")],
    include: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="Only inputs whose name fits, such as '*.log'; can be repeated."),
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(metavar="PATTERN", help="No inputs whose name fits; can be repeated.")
    ] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=_TIME, metavar="TIME", help="Only files from then on (UTC).")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(formats=_TIME, metavar="TIME", help="Only files up to then (UTC).")
    ] = None,
    jobs: Annotated[int | None, typer.Option("-j", "--jobs", min=1, help="Workers; by default all cores.")] = None,
    engine: Annotated[EngineName, typer.Option(help="local: this machine; dask: a cluster.")] = EngineName.local,
    scheduler: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Dask's scheduler, tcp://HOST:PORT.")] = None,
    rehash: Annotated[
        bool, typer.Option("--rehash", help="Read all files again, also those of the same size and time as last time.")
    ] = False,
) -> None:
    """Diagnose an archive of traces and write tables of it; stopped, the same command takes up where it was."""
    import tracelens
    from tracelens.batch import Selection

    if scheduler is not None and engine is not EngineName.dask:
        exit_with_error("--scheduler is for --engine dask")
    selection = Selection(tuple(include or ()), tuple(exclude or ()), _epoch(since), _epoch(until))
    with _Bar() as bar:
        try:
            result = tracelens.scan(
                inputs,
                output,
                engine=engine.value,
                jobs=jobs,
                scheduler=scheduler,
                selection=selection,
                rehash=rehash,
                watch=bar.show,
            )
        except (KeyboardInterrupt, SystemExit):  # SystemExit: SIGTERM
            bar.end()
            warn(f"stopped; what was done is kept in {output}, and the same command takes it up")
            raise
    sys.stderr.write(_closing(result))
    if not result.complete:
        raise typer.Exit(2)


def _epoch(time: datetime | None) -> float | None:
    from datetime import UTC

    return None if time is None else time.replace(tzinfo=UTC).timestamp()


class _Bar:
    """A progress bar on a terminal; elsewhere only the notes are printed."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._printed_notes = 0

    def __enter__(self) -> "_Bar":
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            self._bar = Progress(
                BarColumn(20),
                TextColumn("{task.percentage:>3.0f} %"),
                TimeRemainingColumn(compact=True),
                TextColumn("{task.fields[summary]}", markup=False),
                console=Console(stderr=True),
                transient=True,
            )
            self._bar.start()
            self._task = self._bar.add_task("", total=None, summary="")
        return self

    def __exit__(self, *rest: object) -> None:
        self.end()

    def end(self) -> None:
        """Remove the bar from the screen."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def show(self, progress: "Progress") -> None:
        """Show the progress and its new notes."""
        for note in progress.notes[self._printed_notes :]:
            if self._bar is None:
                warn(note)
            else:
                self._bar.console.print(f"tracelens: {note}", markup=False, highlight=False)
        self._printed_notes = len(progress.notes)
        if self._bar is None:
            return
        rate = progress.files / progress.seconds if progress.seconds else 0.0
        causes = ", ".join(f"{count} {id}" for id, count in progress.causes.most_common(3))
        line = f"{progress.files:,} files  {_size(progress.bytes)}  {rate:,.0f}/s  {causes}"
        self._bar.update(self._task, total=progress.packed_total or None, completed=progress.packed, summary=line)


def _closing(result: "Scan") -> str:
    """The summary that is printed at the end of a scan."""
    from tracelens.reports.text import escaped

    summary, progress = result.summary, result.progress
    files, sessions = summary["files"], summary["sessions"]
    lines = [
        f"{files['total']:,} inputs: {files['ok']:,} traces, {files['not_a_trace']:,} not a trace, "
        f"{files['unreadable']:,} unreadable"
        + (f", {files['damaged']:,} of the traces damaged" if files["damaged"] else ""),
        f"{sessions['total']:,} sessions: {sessions['cause']:,} failed with a known cause, "
        f"{sessions['unexplained']:,} failed unexplained, {sessions['healthy']:,} healthy, "
        f"{sessions['insufficient']:,} show too little",
    ]
    if summary["first_seen"]:
        lines.append(f"file times from {summary['first_seen']} to {summary['last_seen']}")
    for cause in summary["causes"][:10]:
        span = f"  {cause['first_seen'][:10]} to {cause['last_seen'][:10]}" if cause["first_seen"] else ""
        lines.append(f"  {cause['sessions']:>7,}  {cause['root_cause']:<40}{span}")
    if len(summary["causes"]) > 10:
        lines.append(f"           and {len(summary['causes']) - 10} causes more, in summary.json")
    for entry in summary["not_read"][:10]:
        what = "damaged" if entry["status"] == "ok" else "unreadable"
        lines.append(f"  {what}: {escaped(entry['path'])}: {escaped(entry['error'])}")
    hidden = files["unreadable"] + files["damaged"] - len(summary["not_read"][:10])
    if hidden > 0:
        lines.append(f"  and {hidden:,} more, in files.parquet")
    rate = f", {progress.files / progress.seconds:,.0f} inputs/s" if progress.seconds and progress.files else ""
    lines.append(
        f"{progress.files:,} diagnosed now, {max(files['total'] - progress.files, 0):,} known before; "
        f"{progress.seconds:,.1f} s{rate}; tables in {escaped(str(result.folder))}"
    )
    return "\n".join(lines) + "\n"


def _size(count: int) -> str:
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:,.0f} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"
