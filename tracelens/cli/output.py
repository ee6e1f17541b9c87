"""What every command prints with: results on stdout, talk on stderr, files whole or not at all."""

import sys
from pathlib import Path
from typing import NoReturn

import typer

from tracelens.errors import TracelensError


def emit(text: str) -> None:
    """A result, on stdout."""
    sys.stdout.write(text)
    sys.stdout.flush()


def write(path: Path, text: str) -> None:
    """A result, in a file, in place of the one that was there."""
    from tracelens.export.formats import replace_with

    replace_with(path, lambda temporary: temporary.write_text(text, encoding="utf-8", newline="\n"))


def json_text(document: object) -> str:
    """A result as JSON. What writes it is loaded with all that analyzes: not before it is needed."""
    from tracelens.analysis import json_text as writer

    return writer.json_text(document)


def complain(text: str) -> None:
    """A line on stderr, its control characters shown."""
    from tracelens.reports.text import escaped

    sys.stderr.write(f"tracelens: {escaped(text)}\n")


def fail(text: str) -> NoReturn:
    """A line on stderr, and exit status 2."""
    complain(text)
    raise typer.Exit(2)


def reason(error: TracelensError) -> str:
    """Why an input could not be used, without its name."""
    looks_like = getattr(error, "looks_like", None)
    if looks_like is not None:
        return f"no libssh2 record in it; {looks_like}"
    return str(getattr(error, "reason", error))
