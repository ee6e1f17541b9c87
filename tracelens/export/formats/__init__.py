"""Frames -> a file in the format of its extension.

Each module is a format with a function `write(frames, path, table)`.
"""

import importlib
import os
import pkgutil
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from tracelens.errors import BadOutput, TracelensError
from tracelens.inputs import STDIN, list_paths

if TYPE_CHECKING:
    import pandas as pd

Frames: TypeAlias = "Iterator[pd.DataFrame]"

_TEMPORARY = ".tracelens-"  # what the names of temporary folders begin with


def formats() -> list[str]:
    """The names of all formats."""
    return sorted(info.name for info in pkgutil.iter_modules(__path__))


def export(frames: Frames, path: Path, format: str | None, table: str) -> None:
    """Write a table to a file, completely or not at all.

    The frames have the same columns and types. The path's extension names the format, unless `format` does; some
    formats store the table's name.

    Raises:
        BadOutput: the format is unknown, or the file could not be written.
    """
    name = format or path.suffix.lstrip(".").lower()
    if name not in formats():
        raise BadOutput(str(path), f"no format {name!r}; known are {', '.join(formats())} (give -f)")
    module = importlib.import_module(f"{__name__}.{name}")
    replace_with(path, lambda temporary: module.write(frames, temporary, table))


def rows(frame: "pd.DataFrame", absent: str | None = None) -> Iterator[tuple[Any, ...]]:
    """The rows of a frame as plain values, with `absent` in empty cells."""
    cells = frame.astype(object).where(frame.notna(), absent)
    return zip(*(cells[name] for name in cells.columns), strict=True)


def needed(module: str, extra: str) -> Any:
    """Import a library that belongs to an extra.

    Raises:
        BadOutput: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise BadOutput(extra, f'needs the extra: pip install "libssh2-tracelens[{extra}]"') from None


def replace_with(path: Path, write: Callable[[Path], object], *, mode: int = 0o666) -> None:
    """Write a file completely or not at all: `write` fills a temporary file, which then replaces it.

    The umask restricts `mode`.

    Raises:
        BadOutput: it could not be written, or is a folder, a device or a FIFO.
    """
    with replacing(path, mode=mode) as (temporary,):
        write(temporary)


@contextmanager
def replacing(*paths: Path, mode: int = 0o666) -> Iterator[list[Path]]:
    """Write the files of one folder completely, all or none: the caller fills the temporary files, which replace them.

    The temporary files have a hidden folder of their own beside the first file, so that nothing stays of what a library
    writes beside its file.

    Raises:
        BadOutput: one could not be written, or is a folder, a device or a FIFO.
    """
    for path in paths:
        _check_place(path)
    with _reason(paths[0]), tempfile.TemporaryDirectory(prefix=_TEMPORARY, dir=paths[0].parent) as folder:
        temporaries = [Path(folder, str(number)) for number in range(len(paths))]
        for temporary in temporaries:
            temporary.touch()
        yield temporaries
        mask = os.umask(0)
        os.umask(mask)
        for temporary in temporaries:
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.chmod(mode & ~mask)
        for temporary, path in zip(temporaries, paths, strict=True):
            temporary.replace(path)


@contextmanager
def new_folder(path: Path) -> Iterator[None]:
    """Make a folder if there is none, and remove it if what should be in it fails and left nothing in it.

    Raises:
        BadOutput: it could not be made.
    """
    made = []
    try:
        with _reason(path):
            for folder in reversed((path, *path.parents)):
                if not os.path.isdir(folder):
                    folder.mkdir()
                    made.append(folder)
        yield
    except BaseException:
        for folder in reversed(made):
            with suppress(OSError):
                folder.rmdir()
        raise


@contextmanager
def _reason(path: Path) -> Iterator[None]:
    """Turn an error of the system into BadOutput."""
    try:
        yield
    except TracelensError:
        raise
    except OSError as error:
        raise BadOutput(str(path), os.strerror(error.errno) if error.errno else str(error)) from error


def _check_place(path: Path) -> None:
    """Check that a file can stand there: a name that is too long is not found out after the work."""
    try:
        kind = os.stat(path).st_mode
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise BadOutput(str(path), getattr(error, "strerror", None) or str(error)) from error
    if not stat.S_ISREG(kind):
        raise BadOutput(str(path), "is a folder" if stat.S_ISDIR(kind) else "is no regular file")


def refuse_inputs(path: Path | None, inputs: Iterable[str]) -> None:
    """Check that an output is not one of the inputs (files, folders, globs, `-`), also through links.

    Raises:
        BadOutput: it is one of them.
    """
    if path is None or not os.path.exists(path):  # Path.exists raises where a name is too long
        return
    for name in inputs:
        if name in STDIN:
            continue
        given = Path(name)
        if os.path.isdir(given):
            same = path.resolve().is_relative_to(given.resolve())
        elif os.path.exists(given):
            same = path.samefile(given)
        else:
            same = any(path.samefile(found) for found in list_paths([name]) if isinstance(found, str))
        if same:
            raise BadOutput(str(path), f"is one of the inputs ({given}): write to another file")
