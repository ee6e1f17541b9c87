"""How every command prints: results to stdout or into a whole file, messages to stderr."""

import errno
import io
import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NoReturn

import typer

from tracelens.errors import BadOutput, TracelensError

_REASONS = {errno.EPIPE: "its reader closed it before the end", errno.EBADF: "is closed"}


class _Stream(io.TextIOWrapper):
    """Standard output, whose failure is a BadOutput; or standard error, whose failure is nobody's."""

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError as error:
            self._failed(error)
        return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            self._failed(error)

    def _failed(self, error: OSError) -> None:
        if self is not sys.stderr:
            raise output_failed(error)
        _discard_rest(self)


def open_streams() -> None:
    """Make all that is printed UTF-8 and its failures known, also where the caller closed a stream."""
    for name in ("stdin", "stdout", "stderr"):
        stream: Any = getattr(sys, name)
        buffer: Any = getattr(stream, "buffer", None)
        if stream is None:
            # No file that is opened later may get its number. Writing to standard output still fails.
            number = os.open(os.devnull, os.O_RDONLY if name == "stdout" else os.O_RDWR)
            buffer = io.BufferedWriter(io.FileIO(number, "w", closefd=False))
        if buffer is not None and name != "stdin":  # a caller may have replaced the stream by an object of its own
            lines = stream is None or stream.line_buffering
            setattr(sys, name, _Stream(buffer, "utf-8", "backslashreplace", line_buffering=lines))


def output_failed(error: OSError) -> BadOutput:
    """The exception for a failure of standard output; the rest of it goes nowhere."""
    _discard_rest(sys.stdout)
    return BadOutput("standard output", _REASONS.get(error.errno or 0, error.strerror or str(error)))


def _discard_rest(stream: Any) -> None:
    """Let what is left in the buffer go nowhere: Python writes it at its end, and would fail again."""
    with suppress(AttributeError, OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def print_result(text: str) -> None:
    """Print a result to stdout."""
    sys.stdout.write(text)
    sys.stdout.flush()


def print_file(file: IO[bytes]) -> None:
    """Print a file to stdout, as it is."""
    try:
        shutil.copyfileobj(file, sys.stdout.buffer)
        sys.stdout.buffer.flush()
    except OSError as error:
        raise output_failed(error) from error


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
