"""`tracelens analyze`."""

import json
import os
import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from tracelens.cli.app import app
from tracelens.cli.terminal import complain, emit, reason, write
from tracelens.errors import TracelensError

_COLOURS = {"bad": "red", "good": "green", "dim": "yellow"}


class AnalysisFormat(str, Enum):  # noqa: UP042  typer shows the values of str enums
    """How `analyze` prints."""

    text = "text"
    json = "json"


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
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, help="How many processes may read a large file; by default one a core."),
    ] = None,
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
    for result in _each(inputs, jobs):
        if isinstance(result, analysis.Analysis):
            causes += len(result.root_causes)
            damage = result.document["source"]["damage"]
            if damage:
                unusable.append((result.name, f"damaged, only its readable part was analyzed: {damage}"))
                complain(f"{result.name}: damaged, only its readable part was analyzed: {damage}")
            if format is AnalysisFormat.json:
                analyses.append(result)
            else:
                text = _text(result.document, verbose, to_file=output is not None)
                if output is None:
                    emit(("\n" if parts else "") + text)
                    parts = [""]
                else:
                    parts.append(text)
        else:
            unusable.append(result)
    if format is AnalysisFormat.json:
        document = analysis.to_json(analyses, unusable)
        text = json.dumps(document, ensure_ascii=False, indent=1) + "\n"
        write(output, text) if output is not None else emit(text)
    elif output is not None:
        write(output, "\n".join(parts))
    if unusable:
        raise typer.Exit(2)
    if exit_code and causes:
        raise typer.Exit(1)


def _each(inputs: list[str], jobs: int | None) -> Iterator[Any]:
    """The analysis of each input, or (name, reason) where there is none; the reason is said on stderr at once."""
    from tracelens import analysis, source, spans

    for found in source.find(inputs):
        if isinstance(found, source.Source):
            try:
                yield analysis.analyze(found, jobs=jobs or spans.cores())
                continue
            except TracelensError as error:
                name, why = found.name, reason(error)
        else:
            name, why = found.name, found.reason
        complain(f"{name}: {why}")
        yield (name, why)


def _text(document: dict[str, Any], verbosity: int, *, to_file: bool) -> str:
    from tracelens.reports import text

    def paint(part: str, role: str) -> str:
        return typer.style(part, fg=_COLOURS.get(role), bold=True)

    coloured = not to_file and sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return text.render(document, verbosity, paint if coloured else text.plain)
