"""`tracelens timeline`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tracelens.cli.options import ShowSecrets, TableFormat
from tracelens.cli.output import exit_with_error, print_result, warn

Table = StrEnum("Table", "events records packets requests attempts operations phases sessions findings")
"""The tables of `timeline`."""


def _columns(value: bool) -> None:
    if value:
        from tracelens.export.columns import page

        print_result(page())
        raise typer.Exit


def timeline(
    input: Annotated[str, typer.Argument(metavar="INPUT", help="A trace file, or - for standard input.")],
    table: Annotated[Table, typer.Option("--table", "-t", help="Which table.")] = Table.events,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", help="Write to this file; its ending names the format. Without it, a table on the terminal."
        ),
    ] = None,
    format: TableFormat = None,
    show_secrets: ShowSecrets = False,
    columns: Annotated[
        bool,
        typer.Option(
            "--columns", callback=_columns, is_eager=True, help="Print what tables and columns there are, and exit."
        ),
    ] = False,
) -> None:
    """Write one table of a trace: its steps, packets, requests with their latency, sessions, findings."""
    from tracelens import export, inputs
    from tracelens.cli import text_table
    from tracelens.export import formats

    if format is not None and output is None:
        exit_with_error("-f says how to write a file: name it with -o")
    count = 1 if input in inputs.STDIN or inputs.is_pipe(input) else sum(1 for _ in inputs.find([input]))
    if count != 1:
        exit_with_error(f"{input}: timeline takes one trace, this is {count}: name one of them")
    formats.refuse_inputs(output, [input])
    if show_secrets:
        warn("--show-secrets: what follows holds passwords and other secrets; do not send it")
    for found in inputs.find([input]):
        if not isinstance(found, inputs.Source):
            raise found
        content = export.Timeline(found, table.value, show_secrets=show_secrets)
        if output is not None:
            formats.export(content.frames, output, format, table.value)
        else:
            text_table.show(content.frames, _DISPENSABLE, _PROSE)
        if content.damage is not None:
            exit_with_error(f"{input}: damaged, the table has its readable part only: {content.damage}")


# Columns that a narrow terminal can omit, the least informative first.
_DISPENSABLE = (
    "last_line", "count", "source", "number", "delta", "context", "direction", "channel", "partial", "fingerprint",
    "comp_sc", "comp_cs", "mac_sc", "cipher_sc", "mac_cs", "cipher_cs", "hostkey", "kex", "client_banner", "phase",
    "kind", "ended", "started", "request_id", "target", "size", "problem", "remaining",
)  # fmt: skip
_PROSE = ("text", "summary", "server_banner", "remote_path")
