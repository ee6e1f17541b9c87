"""Arguments of the command line -> output and exit status; only this folder prints and exits.

Each command has a module, which is imported when the command runs.
"""

# ruff: noqa: E402  the first thing comes before what is imported
import gc

gc.set_threshold(100_000, 20, 20)  # start-up objects live for the whole run, so early GC passes are wasted

import os
import sys
from contextlib import suppress

from tracelens.cli.app import app
from tracelens.cli.output import reason, warn
from tracelens.errors import TracelensError


def main() -> None:
    """Run the command line; turn an exception of tracelens into one line and its exit status."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):
            # A caller may have replaced the streams by objects without this method.
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    try:
        app()
    except TracelensError as error:
        warn(f"{getattr(error, 'name', '') + ': ' if hasattr(error, 'name') else ''}{reason(error)}")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output (head, less) has exited.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
