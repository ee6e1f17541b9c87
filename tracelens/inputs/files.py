"""Files, folders, globs, URLs and standard input -> the files to read, none of them opened yet."""

import os
import re
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import IO

from tracelens.errors import UnreadableInput
from tracelens.inputs import remote
from tracelens.inputs.streams import InputFile, printable, reason

STDIN = ("-", "/dev/stdin")


def list_files(inputs: Iterable[str]) -> Iterator[InputFile | UnreadableInput]:
    """List every file behind the inputs with its size and time; those of a folder or glob are sorted by path."""
    for path in inputs:
        if path in STDIN:
            yield InputFile(path, path)
        elif remote.is_url(path):
            yield from remote.list_objects(path)
        elif os.path.lexists(path) or not re.search(r"[*?\[]", path):
            yield from _walk(path, explicit=True)
        else:
            import glob

            matches = sorted(glob.glob(path, recursive=True, include_hidden=True))
            for match in matches:
                yield from _walk(match, explicit=False)
            if not matches:
                yield UnreadableInput(printable(path), "no file matches this pattern")


def list_paths(inputs: Iterable[str]) -> Iterator[str | UnreadableInput]:
    """List the paths of the files behind the inputs; each can be passed to `find`, also in another process."""
    return (file.path if isinstance(file, InputFile) else file for file in list_files(inputs))


def _walk(top: str, *, explicit: bool) -> Iterator[InputFile | UnreadableInput]:
    """List the files at and below `top`; a FIFO only if the user named it."""
    stack, folders = [top], set()
    while stack:
        path = stack.pop()
        try:
            status = os.stat(path)
            mode, identity = status.st_mode, (status.st_dev, status.st_ino)
            if stat.S_ISREG(mode):
                fingerprint = f"{status.st_size} {status.st_mtime_ns}"
                modified = status.st_mtime_ns // 1000 / 1e6
                yield InputFile(path, printable(path), status.st_size, modified, fingerprint)
            elif stat.S_ISFIFO(mode) and explicit and path is top:
                yield InputFile(path, printable(path))
            elif not stat.S_ISDIR(mode):
                kind = "FIFO" if stat.S_ISFIFO(mode) else "socket" if stat.S_ISSOCK(mode) else "device"
                yield UnreadableInput(printable(path), f"is a {kind}, not a file")
            elif identity in folders:
                yield UnreadableInput(printable(path), "directory loop: this folder is read already, by another name")
            else:
                folders.add(identity)
                with os.scandir(path) as entries:
                    below = sorted((entry.name + "/" * os.path.isdir(entry), entry.path) for entry in entries)
                stack.extend(entry for _, entry in reversed(below))
        except (OSError, ValueError) as error:
            yield UnreadableInput(printable(path), reason(error, "path"))


def display_name(path: str) -> str:
    """A path or URL as it is printed: without control characters and without a password."""
    return printable(remote.without_password(path))


def is_pipe(path: str) -> bool:
    """Whether reading may never end: a FIFO, or a standard input that is not a file."""
    try:
        mode = os.fstat(0).st_mode if path in STDIN else os.stat(path).st_mode
    except (OSError, ValueError):
        return path in STDIN
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def open_file(path: str) -> AbstractContextManager[IO[bytes]]:
    """Open a file, object or standard input for reading.

    Raises:
        OSError, ValueError: it cannot be opened.
    """
    if remote.is_url(path):
        return remote.open_object(path)
    if path not in STDIN:
        return open(path, "rb", buffering=0)
    if sys.stdin is None:
        raise UnreadableInput(path, "there is no standard input")
    return nullcontext(sys.stdin.buffer)
