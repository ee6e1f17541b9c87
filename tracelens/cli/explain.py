"""`tracelens explain`."""

import sys
from enum import StrEnum
from typing import Annotated

import typer

from tracelens.cli.options import AsJson
from tracelens.cli.output import exit_with_error, json_text, print_result

_LONGEST = 1 << 20
"""A paste; who has more has a log."""


class ExplainFormat(StrEnum):
    """How an explanation is printed."""

    text = "text"
    json = "json"


def explain(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="WHAT",
            help="A finding id, an error's name or number, a status, or what a program printed: one line or many. "
            "- or nothing: read it from standard input.",
        ),
    ] = None,
    format: Annotated[ExplainFormat, typer.Option("-f", "--format", help="How to print.")] = ExplainFormat.text,
    as_json: AsJson = False,
) -> None:
    """Explain an id, a number, a name or error lines as a program printed them. Works offline."""
    from tracelens.reports import explain as explaining

    query = " ".join(what) if what and what != ["-"] else _standard_input(asked=bool(what))
    page = explaining.explain(query)
    if page is None:
        exit_with_error(explaining.unknown(query))
    plain = as_json or format is ExplainFormat.json
    print_result(json_text(page.to_json()) if plain else page.to_text(80).rstrip() + "\n")


def _standard_input(asked: bool) -> str:
    if sys.stdin is None or (not asked and sys.stdin.isatty()):
        exit_with_error("nothing to explain: name it, or paste it into standard input: `tracelens explain -`")
    from tracelens.inputs.encoding import decode

    label, blocks = decode([sys.stdin.buffer.read(_LONGEST)])
    return b"".join(blocks).decode("latin-1" if label == "latin-1" else "utf-8", "replace")
