"""Bytes of an input with a look ahead, and what is said where they can't be had."""

import re
from collections.abc import Callable
from typing import IO

from tracelens.errors import UnreadableInput


class Stream:
    """Bytes with a look ahead. Short reads mean the end; damage waits until what precedes it is read."""

    def __init__(
        self,
        read: Callable[[int], bytes],
        what: str,
        file: IO[bytes] | None = None,
        modified: float | None = None,
    ) -> None:
        self._read = read  # may give less or more than it was asked for, nothing at the end only
        self._what = what
        self._ahead = b""
        self._failure: UnreadableInput | None = None
        self.file = file
        self.modified = modified  # file time, seconds since 1970, where something says so
        self.position = 0

    def peek(self, size: int) -> bytes:
        """The next bytes, which stay where they are."""
        self._ahead = self._take(size)
        return self._ahead[:size]

    def read(self, size: int) -> bytes:
        """The next bytes; empty at the end.

        Raises:
            UnreadableInput: the next byte can't be had, now and ever after; it bears no name.
        """
        data = self._take(size)
        self._ahead, data = data[size:], data[:size]
        self.position += len(data)
        return data

    def _take(self, size: int) -> bytes:
        parts, count = [self._ahead] if self._ahead else [], len(self._ahead)
        while count < size and not self._failure:
            try:
                data = self._read(size - count)
            except UnreadableInput as error:
                self._failure = error
            except Exception as error:  # decoders raise anything they like on hostile bytes
                self._failure = UnreadableInput("", reason(error, self._what))
            else:
                if not data:
                    break
                parts.append(data)
                count += len(data)
        if self._failure and not count:
            raise self._failure
        return b"".join(parts)


def shown(name: str) -> str:
    """The name, fit for any terminal and any file: control characters and undecodable bytes as escapes."""
    if name.isprintable():
        return name
    return re.sub(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]", lambda char: ascii(char[0])[1:-1], name)


def reason(error: Exception, what: str) -> str:
    """Why `what` could not be read, in one line."""
    if isinstance(error, UnreadableInput):
        return error.reason
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, EOFError):
        return f"the {what} is cut off"
    return f"damaged {what}: {shown(' '.join(str(error).split()) or type(error).__name__)}"
