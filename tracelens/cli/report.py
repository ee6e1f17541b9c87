"""`tracelens report`."""

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from tracelens.cli.analyze import MASKED, analyses, give
from tracelens.cli.app import app
from tracelens.cli.terminal import fail


class ReportFormat(str, Enum):  # noqa: UP042
    """What `report` writes."""

    html = "html"
    md = "md"
    json = "json"


@app.command()
def report(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT...", help="Trace files, folders, globs, archives, or - for standard input."),
    ],
    output: Annotated[
        Path | None, typer.Option("-o", help="Write to this file; its ending names the format: html, md, json.")
    ] = None,
    format: Annotated[
        ReportFormat | None, typer.Option("-f", "--format", help="Overrules the ending; without -o, md is printed.")
    ] = None,
    brief: Annotated[bool, typer.Option("--brief", help="Markdown of at most a page.")] = False,
) -> None:
    """Write a report that the vendor's support or the other side's admin can act on, safe to send."""
    from tracelens.reports import formats

    name = {"md": "markdown", None: None}.get(format, format.value if format else None) or formats.of_path(output)
    if name is None and output is None:
        name = "markdown"
    if name not in ("html", "markdown", "json"):
        fail(f"{output}: a report is html, md or json: name the file so, or give -f")
    if brief and name != "markdown":
        fail("--brief is for Markdown: name the file .md, or give -f md")
    unusable: list[tuple[str, str]] = []
    documents = list(analyses(inputs, unusable))
    if documents:
        options = {
            "masking": MASKED,
            "command": f"tracelens report{' --brief' if brief else ''} -f {'md' if name == 'markdown' else name}",
            "unusable": unusable,
            "brief": brief,
            "report": True,
        }
        give(formats.render(name, documents, options), output)
    if unusable or not documents:
        raise typer.Exit(2)
