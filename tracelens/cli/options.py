"""Arguments and options that several commands have, each with its one help text."""

from pathlib import Path
from typing import Annotated

import typer

Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="INPUT...",
        help="Traces, or what curl -v prints: files, folders, globs, archives, - for standard input.",
    ),
]
OutputFile = Annotated[Path | None, typer.Option("-o", help="Write to this file instead of standard output.")]
ShowSecrets = Annotated[bool, typer.Option("--show-secrets", help="Show passwords and what else is masked otherwise.")]
ServerLog = Annotated[
    list[str] | None,
    typer.Option(
        "--server-log",
        metavar="FILE",
        help="The server's log of that time (sshd, dropbear, ProFTPD, SFTPGo, rclone); may be given more than once.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
PRINTED_AS = typer.Option("-f", "--format", help="How to print; by default as -o's ending says, else text.")
TABLE_FORMATS = "csv, tsv, json, jsonl, parquet, xlsx, md, html, sqlite or duckdb"
TableFormat = Annotated[str | None, typer.Option("-f", "--format", help=f"{TABLE_FORMATS}; overrules the ending.")]
