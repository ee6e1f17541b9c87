"""Arguments of the command line -> output and exit status; only this folder prints and exits.

Each command has a module, which is imported when the command runs.
"""

# ruff: noqa: E402  the setting below holds for the imports too
import gc

gc.set_threshold(100_000, 20, 20)  # start-up objects live for the whole run, so early GC passes are wasted

import os
import signal
import sys
from typing import NoReturn

from tracelens.cli.app import app
from tracelens.cli.output import open_streams, reason, warn
from tracelens.errors import TracelensError


def main() -> None:
    """Run the command line; turn an exception of tracelens into one line and its exit status."""
    open_streams()
    for name in ("SIGTERM", "SIGHUP"):  # Windows has no SIGHUP; who is to ignore one (nohup) goes on doing so
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _end)
    try:
        app()
    except TracelensError as error:
        warn(f"{getattr(error, 'name', '') + ': ' if hasattr(error, 'name') else ''}{reason(error)}")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        # Such as a full disk under the temporary folder.
        place = f"{error.filename}: " if error.filename else ""
        warn(f"{place}{os.strerror(error.errno) if error.errno else error}")
        sys.exit(2)


def _end(number: int, _: object) -> NoReturn:
    """End at a signal the way of an exception, so that unfinished files go; the same signal again changes nothing."""
    signal.signal(number, signal.SIG_IGN)
    sys.exit(128 + number)
