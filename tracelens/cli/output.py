"""How every command prints: results to stdout or into a whole file, messages to stderr."""

import sys
from pathlib import Path
from typing import NoReturn

import typer

from tracelens.errors import TracelensError


def print_result(text: str) -> None:
    """Print a result to stdout."""
    sys.stdout.write(text)
    sys.stdout.flush()


def write_result(text: str, output: Path | None) -> None:
    """Write a result to a file, which it replaces as a whole, or to stdout if no file is named."""
    if output is None:
        print_result(text)
        return
    from tracelens.export.formats import replace_with

    replace_with(output, lambda temporary: temporary.write_text(text, encoding="utf-8", newline="\n"))


def json_text(document: object) -> str:
    """Return a result as JSON; the writer is imported with all that analyzes, so only when it is needed."""
    from tracelens.analysis import json_text as writer

    return writer.json_text(document)


def warn(text: str) -> None:
    """Print a line to stderr, with control characters escaped."""
    from tracelens.reports.text import escaped

    sys.stderr.write(f"tracelens: {escaped(text)}\n")


def exit_with_error(text: str) -> NoReturn:
    """Print a line to stderr and exit with status 2."""
    warn(text)
    raise typer.Exit(2)


def reason(error: TracelensError) -> str:
    """Return why an input could not be used, without its name."""
    return str(getattr(error, "reason", error))
