"""The command line: alone prints, alone picks exit codes. Everything else is imported by the command that needs it."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from tracelens import __version__
from tracelens.errors import TracelensError

app = typer.Typer(
    name="tracelens",
    help="Reads libssh2 trace files and says what failed, where the proof stands, and who must do what.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_COLOURS = {"bad": "red", "good": "green", "dim": "yellow"}


class AnalysisFormat(str, Enum):  # noqa: UP042  typer shows the values of str enums
    """How `analyze` prints."""

    text = "text"
    json = "json"


class Table(str, Enum):  # noqa: UP042
    """The tables of `timeline`."""

    events = "events"
    records = "records"
    sessions = "sessions"
    findings = "findings"


def _version(value: bool) -> None:
    if value:
        print(f"tracelens {__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Reads libssh2 trace files and says what failed, where the proof stands, and who must do what."""


@app.command()
def analyze(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT...", help="Trace files, folders, globs, archives, or - for standard input."),
    ],
    format: Annotated[
        AnalysisFormat | None,
        typer.Option("-f", "--format", help="How to print; by default as -o's ending says, else text."),
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", help="Write to this file instead of standard output.")] = None,
    verbose: Annotated[
        int,
        typer.Option("-v", count=True, help="-v all evidence; -vv also every noise event and the rivals."),
    ] = 0,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 1 where a root cause was found.")] = False,
) -> None:
    """Say what failed in each trace, what proves it, and who must do what."""
    from tracelens import analysis

    if format is None:
        format = AnalysisFormat.json if output is not None and output.suffix.lower() == ".json" else AnalysisFormat.text
    analyses: list[analysis.Analysis] = []
    unusable: list[tuple[str, str]] = []
    causes = 0
    parts: list[str] = []
    for result in _each(inputs):
        if isinstance(result, analysis.Analysis):
            causes += len(result.root_causes)
            damage = result.document["source"]["damage"]
            if damage:
                unusable.append((result.name, f"damaged, only its readable part was analyzed: {damage}"))
                _complain(f"{result.name}: damaged, only its readable part was analyzed: {damage}")
            if format is AnalysisFormat.json:
                analyses.append(result)
            else:
                text = _text(result.document, verbose, to_file=output is not None)
                if output is None:
                    _print(("\n" if parts else "") + text)
                    parts = [""]
                else:
                    parts.append(text)
        else:
            unusable.append(result)
    if format is AnalysisFormat.json:
        document = analysis.to_json(analyses, unusable)
        text = json.dumps(document, ensure_ascii=False, indent=1) + "\n"
        _write(output, text) if output is not None else _print(text)
    elif output is not None:
        _write(output, "\n".join(parts))
    if unusable:
        raise typer.Exit(2)
    if exit_code and causes:
        raise typer.Exit(1)


def _each(inputs: list[str]) -> Iterator[Any]:
    """The analysis of each input, or (name, reason) where there is none; the reason is said on stderr at once."""
    from tracelens import analysis, source

    for found in source.find(inputs):
        if isinstance(found, source.Source):
            try:
                yield analysis.analyze(found)
                continue
            except TracelensError as error:
                name, reason = found.name, _reason(error)
        else:
            name, reason = found.name, found.reason
        _complain(f"{name}: {reason}")
        yield (name, reason)


def _reason(error: TracelensError) -> str:
    looks_like = getattr(error, "looks_like", None)
    if looks_like is not None:
        return f"no libssh2 record in it; {looks_like}"
    return str(getattr(error, "reason", error))


def _text(document: dict[str, Any], verbosity: int, *, to_file: bool) -> str:
    from tracelens.reports import text

    def paint(part: str, role: str) -> str:
        return typer.style(part, fg=_COLOURS.get(role), bold=True)

    coloured = not to_file and sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return text.render(document, verbosity, paint if coloured else text.plain)


@app.command()
def timeline(
    input: Annotated[str, typer.Argument(metavar="INPUT", help="A trace file, or - for standard input.")],
    table: Annotated[Table, typer.Option("--table", "-t", help="Which table.")] = Table.events,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", help="Write to this file; its ending names the format. Without it, a table on the terminal."
        ),
    ] = None,
    format: Annotated[
        str | None,
        typer.Option("-f", "--format", help="csv, tsv, json, jsonl or parquet; overrules the ending."),
    ] = None,
) -> None:
    """Write one table of a trace: its events, records, sessions or findings."""
    from tracelens import exporters, source, tables

    if format is not None and output is None:
        _fail("-f says how to write a file: name it with -o")
    count = sum(1 for _ in source.find([input])) if input != "-" else 1
    if count != 1:
        _fail(f"{input}: timeline takes one trace, this is {count}: name one of them")
    for found in source.find([input]):
        if not isinstance(found, source.Source):
            raise found
        made = tables.Timeline(found, table.value)
        if output is not None:
            exporters.export(made.frames, output, format)
        else:
            _show(made.frames)
        if made.damage is not None:
            _fail(f"{input}: damaged, the table has its readable part only: {made.damage}")


# Columns that a narrow terminal can do without, the least telling first.
_DISPENSABLE = (
    "last_line", "count", "source", "delta", "context", "direction", "comp_sc", "comp_cs", "mac_sc", "cipher_sc",
    "mac_cs", "cipher_cs", "hostkey", "kex", "client_banner", "phase", "kind", "ended", "started",
)  # fmt: skip
_PROSE = ("text", "summary", "server_banner")


def _show(frames: Any) -> None:
    """A table on the terminal, as wide as it is; its prose column is cut to what is left, the rest is whole."""
    import shutil

    from tracelens.reports.text import escaped

    width = shutil.get_terminal_size((80, 24)).columns
    for frame in frames:
        names = [name for name in frame.columns if name != "fields" and not frame[name].isna().all()]
        cells = frame[names].astype(object).where(frame[names].notna(), "")
        columns = {name: [name, *(escaped(str(value)) for value in cells[name])] for name in names}
        widths = {name: max(map(len, column)) for name, column in columns.items()}
        prose = next((name for name in _PROSE if name in columns), None)
        for name in _DISPENSABLE:
            fixed = sum(widths[n] + 2 for n in columns if n != prose)
            if fixed + (24 if prose else 0) > width and name in columns:
                del columns[name]
        if prose is not None:
            widths[prose] = max(12, width - sum(widths[n] + 2 for n in columns if n != prose))
        for row in zip(*columns.values(), strict=True):
            shown = (_cut(cell, widths[name]).ljust(widths[name]) for name, cell in zip(columns, row, strict=True))
            _print("  ".join(shown).rstrip() + "\n")


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


@app.command(context_settings={"ignore_unknown_options": True})
def explain(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="WHAT",
            help="A finding id, a libssh2 error name or number, an InterSystems status, an error line.",
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Explain a finding id, a number, a name or a whole error line. Works offline."""
    from tracelens import explain as explaining

    query = " ".join(what)
    page = explaining.explain(query)
    if page is None:
        near = explaining.suggest(query)
        _fail(
            f"nothing is known about {query!r}"
            + (f"; perhaps: {', '.join(near)}" if near else "; try `tracelens rules` for the ids")
        )
    _print(
        json.dumps(page.to_json(), ensure_ascii=False, indent=1) + "\n" if as_json else page.to_text(80).rstrip() + "\n"
    )


@app.command(context_settings={"ignore_unknown_options": True})
def mask(
    what: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NUMBER or NAMES]", help="A mask (511), names (auth,error), or a purpose (sftp)."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what a trace mask collects, and which one to set for a purpose, in ObjectScript and in C."""
    from tracelens import masks

    if not what:
        if as_json:
            _print(
                json.dumps(
                    {p.name: {"mask": p.mask, "answers": p.answers} for p in masks.PURPOSES.values()},
                    indent=1,
                )
                + "\n"
            )
            return
        lines = [f"{p.name:<10}{p.mask:>5}  {p.answers}" for p in masks.PURPOSES.values()]
        _print(
            "For what   mask  it answers\n"
            + "\n".join(lines)
            + "\n\nIRIS/Caché  "
            + masks.objectscript(511)
            + "\nC           "
            + masks.c_call(511)
            + "\n"
        )
        return
    query = " ".join(what)
    value = masks.parse(query)
    if value is None:
        _fail(f"{query!r} is no mask; known names: {', '.join(masks.names())}")
    told = masks.describe(value)
    if as_json:
        _print(json.dumps(told.to_json(), ensure_ascii=False, indent=1) + "\n")
        return
    lines = [f"Mask {told.mask}", ""]
    for bit in told.collected:
        lines.append(f"  on   {bit.value:>4}  {bit.context:<14}{bit.collects}")
    for bit in told.missing:
        lines.append(f"  off  {bit.value:>4}  {bit.context:<14}without it: {bit.without}")
    if told.unused:
        lines.append(f"  (bits without a meaning: {told.unused})")
    lines += ["", "Enough for  " + (", ".join(told.enough_for) or "no question that a trace usually answers")]
    lines += [f"Holds       {secret}" for secret in told.secrets]
    lines += ["IRIS/Caché  " + told.objectscript, "C           " + told.c_call]
    _print("\n".join(lines) + "\n")


@app.command()
def rules(
    show: Annotated[str | None, typer.Option("--show", metavar="ID", help="Show the whole page of one rule.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the rules: what each finds, its phase, and what it needs from the trace."""
    from tracelens import rules as registry

    if show is not None:
        explain([show], as_json)
        return
    found = registry.load()
    if as_json:
        rows = [
            {
                "id": r.id,
                "kind": r.kind,
                "phase": r.phase,
                "needs": sorted(r.needs),
                "yields_to": sorted(r.yields_to),
                "summary": r.page.partition("\n")[0],
            }
            for r in found
        ]
        _print(json.dumps(rows, ensure_ascii=False, indent=1) + "\n")
        return
    lines = []
    for kind in ("cause", "noise", "notice"):
        lines.append(f"{kind.capitalize()}s" if kind != "noise" else "Noise")
        for rule in (r for r in found if r.kind == kind):
            needs = f" [needs {', '.join(sorted(rule.needs))}]" if rule.needs else ""
            lines.append(f"  {rule.id}{needs}\n      {rule.page.partition(chr(10))[0]}")
        lines.append("")
    _print("\n".join(lines))


def _print(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _write(path: Path, text: str) -> None:
    from tracelens.exporters import replace_with

    replace_with(path, lambda temporary: temporary.write_text(text, encoding="utf-8", newline="\n"))


def _complain(text: str) -> None:
    from tracelens.reports.text import escaped

    sys.stderr.write(f"tracelens: {escaped(text)}\n")


def _fail(text: str) -> NoReturn:
    _complain(text)
    raise typer.Exit(2)


def main() -> None:
    """The entry point: turns what tracelens raises on purpose into one line and its exit status."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    try:
        app()
    except TracelensError as error:
        _complain(f"{getattr(error, 'name', '') + ': ' if hasattr(error, 'name') else ''}{_reason(error)}")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read us (head, less) has gone; nothing is left to say, and nobody to say it to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
