"""The members of a 7z archive, one after the other, without unpacking any to disk.

py7zr pushes what it decompresses into a writer; a thread of its own lets us pull it instead, a few blocks ahead.
"""

import queue
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import IO, Any, NamedTuple

from tracelens.errors import UnreadableInput

_ENCRYPTED = "is encrypted; unpack it with its password, then give the file"
_MISSING = '7z needs the extra: pip install "libssh2-tracelens[7z]"'
_BLOCK = 1 << 18
_WAITING = 4  # blocks


class Member(NamedTuple):
    """One file of the archive, to be read before the next one is asked for.

    Args:
        name: its path in the archive.
        modified: file time, seconds since 1970; None where the archive has none.
        is_link: whether it only points to another place.
        read: gives up to so many bytes, none at its end; raises what py7zr raises at damage.
    """

    name: str
    modified: float | None
    is_link: bool
    read: Any


class _Stop(Exception):  # noqa: N818  it is no error: nobody asks for the rest
    """Ends the decompression."""


def members(file: IO[bytes]) -> Iterator[Member]:
    """The files and links in an archive that is open and seekable, empty ones first.

    Raises:
        UnreadableInput: py7zr is not installed, or the archive is encrypted.
        Exception: whatever py7zr raises at damage; the members before it came.
    """
    try:
        import py7zr
        from py7zr.io import Py7zIO, WriterFactory
    except ImportError:
        raise UnreadableInput("", _MISSING) from None

    handed: queue.Queue[str | bytes | Exception | None] = queue.Queue(_WAITING)
    over = threading.Event()

    def hand(item: str | bytes | Exception | None) -> None:
        while not over.is_set():
            try:
                return handed.put(item, timeout=0.2)
            except queue.Full:
                continue
        raise _Stop

    class Writer(Py7zIO):
        def __init__(self, name: str) -> None:
            self._name: str | None = name
            self._size = 0

        def write(self, s: Any) -> int:
            if self._name is not None:
                hand(self._name)
                self._name = None
            self._size += len(s)
            for start in range(0, len(s), _BLOCK):  # py7zr gives up to 128 MB at once
                hand(bytes(s[start : start + _BLOCK]))
            return len(s)

        def read(self, size: int | None = None) -> bytes:
            return b""

        def seek(self, offset: int, whence: int = 0) -> int:
            return 0

        def flush(self) -> None:
            pass

        def size(self) -> int:
            return self._size

    class Factory(WriterFactory):
        def create(self, filename: str) -> Py7zIO:
            return Writer(filename)

    file.seek(0)
    try:
        archive = py7zr.SevenZipFile(file)
    except py7zr.exceptions.PasswordRequired:
        raise UnreadableInput("", _ENCRYPTED) from None
    with archive:
        if archive.needs_password():
            raise UnreadableInput("", _ENCRYPTED)
        about = {}
        for number, (one, entry) in enumerate(zip(archive.files, archive.files.files_list, strict=True)):
            about[str(number)] = (one.filename, _time(one), one.is_symlink or one.is_junction)
            if one.is_directory:
                continue
            if one.emptystream:
                yield Member(*about[str(number)], lambda _: b"")
            # py7zr holds names against the folder that it would write to, and changes some: numbers suit it.
            entry["filename"] = str(number)

        def work() -> None:
            try:
                archive.extractall(factory=Factory())
                hand(None)
            except _Stop:
                pass
            except py7zr.exceptions.CrcError:
                with suppress(_Stop):
                    hand(ValueError("wrong checksum"))
            except Exception as error:
                with suppress(_Stop):
                    hand(error)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        try:
            yield from _pulled(handed, about)
        finally:
            over.set()
            thread.join()


def _pulled(
    handed: "queue.Queue[str | bytes | Exception | None]", about: dict[str, tuple[str, float | None, bool]]
) -> Iterator[Member]:
    following: str | Exception | None = None  # what ended the member before
    rest = memoryview(b"")

    def read(size: int) -> bytes:
        nonlocal following, rest
        if not rest and following is None:
            item = handed.get()
            if isinstance(item, bytes):
                rest = memoryview(item)
            else:
                following = item if item is not None else ""
        if isinstance(following, Exception):
            raise following
        data, rest = rest[:size], rest[size:]
        return bytes(data)

    while read(_BLOCK):
        pass
    while following:
        name, following = following, None
        assert isinstance(name, str)
        yield Member(*about[name], read)
        while read(_BLOCK):
            pass


def _time(one: Any) -> float | None:
    written = getattr(one, "lastwritetime", None)
    return None if written is None else float(written.totimestamp())
