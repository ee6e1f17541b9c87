"""`tracelens timeline`."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tracelens.cli.options import ServerLog, ShowSecrets, TableFormat
from tracelens.cli.output import exit_with_error, print_result, warn

if TYPE_CHECKING:
    from tracelens.analysis.document import Clock

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
    server_log: ServerLog = None,
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
    formats.refuse_inputs(output, [input, *(server_log or [])])
    if show_secrets:
        warn("--show-secrets: what follows holds passwords and other secrets; do not send it")
    unusable: list[tuple[str, str]] = []
    clocks = _clocks(input, server_log, unusable) if server_log else None
    for found in inputs.find([input]):
        if not isinstance(found, inputs.Source):
            raise found
        content = export.Timeline(found, table.value, show_secrets=show_secrets, clocks=clocks)
        if output is not None:
            formats.export(content.frames, output, format, table.value)
        else:
            text_table.show(content.frames, _DISPENSABLE, _PROSE)
        if content.damage is not None:
            exit_with_error(f"{input}: damaged, the table has its readable part only: {content.damage}")
    if unusable:
        raise typer.Exit(2)


def _clocks(input: str, server_log: list[str], unusable: list[tuple[str, str]]) -> "dict[int, Clock]":
    """The clocks of the server's log by the numbers of the sessions."""
    from tracelens.analysis.time_of_day import clocks
    from tracelens.cli.analyze import analyses
    from tracelens.inputs import STDIN, is_pipe

    if input in STDIN or is_pipe(input):
        exit_with_error("--server-log reads the trace twice: give a file in place of standard input")
    known: dict[int, Clock] = {}
    for analysis in analyses([input], unusable, server_logs=server_log):
        known = clocks(analysis)
    if not known and not unusable:
        warn("no session is surely in the server's log: wall_time stays empty")
    return known


# Columns that a narrow terminal can omit, the least informative first.
_DISPENSABLE = (
    "last_line", "count", "source", "number", "delta", "context", "direction", "channel", "partial", "fingerprint",
    "comp_sc", "comp_cs", "mac_sc", "cipher_sc", "mac_cs", "cipher_cs", "hostkey", "kex", "client_banner", "phase",
    "kind", "ended", "started", "request_id", "target", "size", "problem", "remaining",
)  # fmt: skip
_PROSE = ("text", "summary", "server_banner", "remote_path")
