"""`tracelens analyze`."""

import os
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from tracelens.cli.app import one_command
from tracelens.cli.output import print_result, reason, warn, write_result
from tracelens.errors import TracelensError

MASKED = (
    "Secrets (passwords, answers to prompts, key material) are masked; users, hosts and paths are shown as they are."
)
_COLOURS = {"bad": "red", "good": "green", "dim": "yellow"}


class AnalysisFormat(StrEnum):
    """How `analyze` prints."""

    text = "text"
    json = "json"
    markdown = "markdown"
    html = "html"
    sarif = "sarif"
    junit = "junit"
    ecs = "ecs"


app = one_command()


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
    show_secrets: Annotated[
        bool, typer.Option("--show-secrets", help="Show passwords and what else is masked otherwise.")
    ] = False,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 1 where a root cause was found.")] = False,
) -> None:
    """Say what failed in each trace, what proves it, and who must do what."""
    from tracelens.export.formats import refuse_inputs
    from tracelens.reports import formats

    name = format.value if format is not None else formats.of_path(output) or "text"
    documents: list[dict[str, Any]] = []
    unusable: list[tuple[str, str]] = []
    causes = 0
    parts: list[str] = []
    refuse_inputs(output, inputs)
    if show_secrets:
        warn("--show-secrets: what follows holds passwords and other secrets; do not send it")
    for document in analyses(inputs, unusable, jobs, show_secrets=show_secrets):
        causes += sum(session["root_cause"] is not None for session in document["sessions"])
        if name != "text":
            documents.append(document)
            continue
        text = _text(document, verbose, to_file=output is not None)
        if output is None:
            print_result(("\n" if parts else "") + text)
            parts = [""]
        else:
            parts.append(text)
    if name != "text":
        options = {"masking": MASKED, "command": f"tracelens analyze -f {name}", "unusable": unusable}
        write_result(formats.render(name, documents, options), output)
    elif output is not None:
        write_result("\n".join(parts), output)
    if unusable:
        raise typer.Exit(2)
    if exit_code and causes:
        raise typer.Exit(1)


def analyses(
    inputs: list[str], unusable: list[tuple[str, str]], jobs: int | None = None, *, show_secrets: bool = False
) -> Iterator[dict[str, Any]]:
    """The analysis of each input as its JSON document.

    What could not be used, or not as a whole, is said on stderr at once, and added to `unusable` as (name, reason).
    """
    from tracelens import analysis, rules
    from tracelens.inputs import Source, find
    from tracelens.reader import parallel

    rules.load()  # a plugin that does not load is no input's fault: without its rules no diagnosis is whole
    for found in find(inputs):
        if isinstance(found, Source):
            try:
                document = analysis.analyze(found, jobs=jobs or parallel.cores(), show_secrets=show_secrets).document
            except TracelensError as error:
                name, why = found.name, reason(error)
            else:
                damage = document["source"]["damage"]
                if damage:
                    why = f"damaged, only its readable part was analyzed: {damage}"
                    unusable.append((found.name, why))
                    warn(f"{found.name}: {why}")
                yield document
                continue
        else:
            name, why = found.name, found.reason
        warn(f"{name}: {why}")
        unusable.append((name, why))


def _text(document: dict[str, Any], verbosity: int, *, to_file: bool) -> str:
    from tracelens.reports import text

    def paint(part: str, role: str) -> str:
        return typer.style(part, fg=_COLOURS.get(role), bold=True)

    coloured = not to_file and sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return text.render(document, verbosity, paint if coloured else text.plain)
