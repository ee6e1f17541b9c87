"""Frames -> files: one module a format, found by its name.

A module has `write(frames, path, table)`; another format is one more file.
"""

import importlib
import os
import pkgutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracelens.errors import BadOutput, TracelensError
from tracelens.inputs import STDIN, list_paths

if TYPE_CHECKING:
    import pandas as pd


def formats() -> list[str]:
    """The names of all formats."""
    return sorted(info.name for info in pkgutil.iter_modules(__path__))


def export(frames: "Iterator[pd.DataFrame]", path: Path, format: str | None, table: str) -> None:
    """Writes a table to a file, whole or not at all: it is written beside its place and then moved there.

    Args:
        frames: the table's parts; all have the same columns and types.
        path: where to; its ending names the format.
        format: a name in `formats()`, which overrules the ending.
        table: the table's name, for formats that hold one.

    Raises:
        BadOutput: the format is unknown, or the file could not be written.
    """
    name = format or path.suffix.lstrip(".").lower()
    if name not in formats():
        raise BadOutput(str(path), f"no format {name!r}; known are {', '.join(formats())} (give -f)")
    # What a format needs besides pandas is said before the input is read.
    module = importlib.import_module(f"{__name__}.{name}")
    replace_with(path, lambda temporary: module.write(frames, temporary, table))


def needed(module: str, extra: str) -> Any:
    """A library that comes with an extra.

    Raises:
        BadOutput: it is not installed; says what to install.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise BadOutput(extra, f'needs the extra: pip install "libssh2-tracelens[{extra}]"') from None


def replace_with(path: Path, write: Callable[[Path], object], *, mode: int = 0o666) -> None:
    """Writes a file whole or not at all: `write` fills a temporary one beside it, which then takes its place.

    Args:
        path: the file; what stands there is replaced, a link is replaced by a file.
        write: gets the temporary file's path.
        mode: its permissions, which the umask narrows.

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
    """Sees to it that an output is none of the inputs, also through links: inputs are only read.

    Args:
        path: the output, None for standard output.
        inputs: as the user named them: files, folders, globs, `-`.

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
