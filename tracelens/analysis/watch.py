"""A trace that grows -> its analysis as it forms.

Each look is a whole analysis of what is there: it says what `analyze` would say. Looks get rarer where they take
longer: they cost about a sixth of a processor at most.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Literal

from msgspec import Struct

from tracelens.analysis import Analysis, analyze
from tracelens.errors import NotATrace, TracelensError, UnreadableInput
from tracelens.inputs import Source
from tracelens.inputs.streams import Stream

_PAUSE = 0.2
_SHARE = 5.0

Change = Literal["", "appeared", "grew", "truncated", "rotated", "vanished"]


class Look(Struct, frozen=True):
    """What was seen at one look.

    `analysis` is that of what the file holds now, None while no record is in it; `problem` says why then.
    `quiet` is for how many seconds nothing was added. `last` is the analysis of the file that this one took the place
    of, at the look where that was noticed.
    """

    change: Change
    analysis: Analysis | None
    problem: str
    quiet: float
    size: int
    last: Analysis | None = None

    @property
    def ended(self) -> bool:
        """Whether every session in it has come to its own end."""
        return self.analysis is not None and not any(session.open for session in self.analysis.sessions)


def follow(
    path: Path,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    known: set[bytes] | None = None,
) -> Iterator[Look]:
    """Looks at a file again and again, without end; the file need not be there yet.

    A file that got shorter, or that another took the place of, begins anew. Of one that was replaced, what was written
    to it last is still read. `known` takes the secrets that it shows.

    Raises:
        UnreadableInput: it may not be read.
    """
    _check(path)
    handle: IO[bytes] | None = None
    identity: tuple[int, int] | None = None
    size, since, due = 0, clock(), 0.0
    analysis: Analysis | None = None
    problem, looked = f"{path.name} is not there yet", False
    try:
        while True:
            change: Change = ""
            last: Analysis | None = None
            now = _identity(path)
            if handle is not None and now is not None and now != identity:
                last = _analyzed(handle, path, known)[0] or analysis
                handle.close()
                handle, analysis, problem, change = None, None, "", "rotated"
            if handle is None and now is not None:
                handle, identity, size = _opened(path), now, 0
                change = change or "appeared"
            if handle is not None:
                length = os.fstat(handle.fileno()).st_size
                if length < size:
                    change, analysis, size = "truncated", None, 0
                if length != size and clock() >= due:
                    begun = clock()
                    analysis, problem = _analyzed(handle, path, known)
                    # The first one also loads what the next ones have at hand.
                    due = clock() + _SHARE * looked * (clock() - begun)
                    looked = True
                    size, since = length, clock()
                    change = change or "grew"
            yield Look(change, analysis, problem, clock() - since, size, last)
            sleep(_PAUSE)
    finally:
        if handle is not None:
            handle.close()


def _check(path: Path) -> None:
    """Refuses a name that can never be a file's: one that is too long, or in a folder that may not be entered."""
    try:
        path.stat()
    except FileNotFoundError:
        pass
    except OSError as error:
        raise UnreadableInput(str(path), error.strerror or str(error)) from error


def _identity(path: Path) -> tuple[int, int] | None:
    with suppress(OSError):
        found = path.stat()
        return found.st_dev, found.st_ino
    return None


def _opened(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except OSError as error:
        raise UnreadableInput(str(path), error.strerror or str(error)) from error


def _analyzed(handle: IO[bytes], path: Path, known: set[bytes] | None) -> tuple[Analysis | None, str]:
    """The analysis of what the file holds, or why there is none yet."""
    handle.seek(0)
    try:
        return analyze(Source(str(path), None, Stream(handle.read, path.name)), known=known), ""
    except NotATrace as error:
        return None, f"no libssh2 record in it yet; {error.looks_like}"
    except TracelensError as error:
        return None, str(error)
