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
    columns: Annotated[
        bool, typer.Option("--columns", callback=_columns, is_eager=True, help="Print what can be asked, and exit.")
    ] = False,
) -> None:
    """Ask a scan's tables in SQL; it reads them and nothing else."""
    from tracelens.batch.query import query as run
    from tracelens.cli import text_table
    from tracelens.export import formats

    if format is not None and output is None:
        exit_with_error("-f says how to write a file: name it with -o")
    if output is not None:
        formats.refuse_inputs(output, map(str, folder.glob("*.parquet")))
        formats.export(run(sql, folder), output, format, "result")
    else:
        text_table.show(run(sql, folder))
