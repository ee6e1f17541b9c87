"""Frames -> a file in the format of its extension.

Each module is a format with a function `write(frames, path, table)`.
"""

import importlib
import os
import pkgutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from tracelens.errors import BadOutput, TracelensError
from tracelens.inputs import STDIN, list_paths

if TYPE_CHECKING:
    import pandas as pd

Frames: TypeAlias = "Iterator[pd.DataFrame]"


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
    """Write a file completely or not at all: `write` fills a temporary file beside it, which then replaces it.

    The umask restricts `mode`.

    Raises:
        BadOutput: it could not be written, or is a folder, a device or a FIFO.
    """
    if path.exists() and not path.is_file():
        raise BadOutput(str(path), "is a folder" if path.is_dir() else "is no regular file")
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", dir=path.parent)
    except (OSError, ValueError) as error:
        raise BadOutput(str(path), getattr(error, "strerror", None) or str(error)) from error
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(mode & ~mask)
        temporary.replace(path)
    except TracelensError:
        raise
    except OSError as error:
        raise BadOutput(str(path), error.strerror or str(error)) from error
    finally:
        temporary.unlink(missing_ok=True)


def refuse_inputs(path: Path | None, inputs: Iterable[str]) -> None:
    """Check that an output is not one of the inputs (files, folders, globs, `-`), also through links.

    Raises:
        BadOutput: it is one of them.
    """
    if path is None or not path.exists():
        return
    for name in inputs:
        if name in STDIN:
            continue
        given = Path(name)
        if given.is_dir():
            same = path.resolve().is_relative_to(given.resolve())
        elif given.exists():
            same = path.samefile(given)
        else:
            same = any(path.samefile(found) for found in list_paths([name]) if isinstance(found, str))
        if same:
            raise BadOutput(str(path), f"is one of the inputs ({given}): write to another file")
