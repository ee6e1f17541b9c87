"""`tracelens query`."""

from pathlib import Path
from typing import Annotated

import typer

from tracelens.cli.options import TableFormat
from tracelens.cli.output import exit_with_error, print_result


def _columns(value: bool) -> None:
    if value:
        from tracelens.batch.query import page

        print_result(page())
        raise typer.Exit


def query(
    sql: Annotated[str, typer.Argument(metavar="SQL", help="One SELECT; --columns says over what.")],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="What `tracelens scan -o` wrote.")],
    output: Annotated[Path | None, typer.Option("-o", help="Write to this file; its ending names the format.")] = None,
    format: TableFormat = None,
    seconds: Annotated[int | None, typer.Option(min=1, help="Stop after so many seconds; by default 60.")] = None,
    megabytes: Annotated[
        int | None, typer.Option(min=64, help="Stop where it takes more memory than that; by default 2048.")
    ] = None,
    columns: Annotated[
        bool, typer.Option("--columns", callback=_columns, is_eager=True, help="Print what can be asked, and exit.")
    ] = False,
) -> None:
    """Ask a scan's tables in SQL; it reads them and nothing else."""
    from msgspec.structs import replace

    from tracelens.batch.query import query as run
    from tracelens.cli import text_table
    from tracelens.export import formats
    from tracelens.inputs.limits import Limits

    limits = Limits.in_force()
    if seconds is not None:
        limits = replace(limits, query_seconds=seconds)
    if megabytes is not None:
        limits = replace(limits, query_bytes=megabytes << 20)
    if format is not None and output is None:
        exit_with_error("-f says how to write a file: name it with -o")
    if output is not None:
        formats.refuse_inputs(output, map(str, folder.glob("*.parquet")))
        formats.export(run(sql, folder, limits), output, format, "result")
    else:
        text_table.show(run(sql, folder, limits))
