"""The command line: alone prints, alone picks exit codes. A module a command, imported when it is run."""

# ruff: noqa: E402  the first thing comes before what is imported
import gc

gc.set_threshold(100_000, 20, 20)  # what is imported and built at the start stays: looking for garbage is idle

import os
import sys
from contextlib import suppress

from tracelens.cli.app import app
from tracelens.cli.output import reason, warn
from tracelens.errors import TracelensError


def main() -> None:
    """The entry point: turns what tracelens raises on purpose into one line and its exit status."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):
            # Whoever calls it may have put another kind of stream there, which cannot do that.
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    try:
        app()
    except TracelensError as error:
        warn(f"{getattr(error, 'name', '') + ': ' if hasattr(error, 'name') else ''}{reason(error)}")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read us (head, less) has gone; nothing is left to say, and nobody to say it to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
