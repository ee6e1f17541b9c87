"""A file to read, its bytes with a look ahead, and how names and failures are printed."""

import re
from collections.abc import Callable
from typing import IO, NamedTuple

from tracelens.errors import UnreadableInput

Read = Callable[[int], bytes]  # returns up to about that many bytes, none at the end


class InputFile(NamedTuple):
    """A file or object behind the inputs, not opened yet."""

    path: str  # how to open it, also in another process
    name: str  # as it is printed
    size: int | None = None  # in bytes; None if unknown
    modified: float | None = None  # file time in seconds since 1970; None if unknown
    # Changes when the contents change, as far as can be known without reading them; None if unknown.
    fingerprint: str | None = None


class Stream:
    """Bytes with a look ahead. A short read means the end; damage is raised after the bytes before it were read.

    Args:
        read: may return fewer or more bytes than requested, none only at the end.
        what: the kind of data, for messages.
        file: the open file that holds exactly these bytes, if any.
        modified: file time in seconds since 1970; None if unknown.
        layer: what it was taken out of, where the first bytes do not say that; None elsewhere.
    """

    def __init__(
        self,
        read: Callable[[int], bytes],
        what: str,
        file: IO[bytes] | None = None,
        modified: float | None = None,
        layer: str | None = None,
    ) -> None:
        self._read = read
        self._what = what
        self._ahead = b""
        self._failure: UnreadableInput | None = None
        self.file = file
        self.modified = modified
        self.layer = layer
        self.position = 0

    def peek(self, size: int) -> bytes:
        """Return the next bytes without consuming them."""
        self._ahead = self._fill(size)
        return self._ahead[:size]

    def read(self, size: int) -> bytes:
        """Return the next bytes; empty at the end.

        Raises:
            UnreadableInput: the next byte is not available, now or later; it has no name.
        """
        data = self._fill(size)
        self._ahead, data = data[size:], data[:size]
        self.position += len(data)
        return data

    def _fill(self, size: int) -> bytes:
        parts, count = [self._ahead] if self._ahead else [], len(self._ahead)
        while count < size and not self._failure:
            try:
                data = self._read(size - count)
            except UnreadableInput as error:
                self._failure = error
            except Exception as error:  # on damaged bytes decoders raise any exception
                self._failure = UnreadableInput("", reason(error, self._what))
            else:
                if not data:
                    break
                parts.append(data)
                count += len(data)
        if self._failure and not count:
            raise self._failure
        return b"".join(parts)


def printable(name: str) -> str:
    """The name with control characters and undecodable bytes escaped, safe for any terminal and file."""
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
    return f"damaged {what}: {printable(' '.join(str(error).split()) or type(error).__name__)}"
