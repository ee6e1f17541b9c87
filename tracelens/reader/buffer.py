"""A stream of blocks as one buffer to look ahead in."""

import re
from collections.abc import Iterable

from tracelens.errors import TracelensError
from tracelens.reader.stats import Account

# A line longer than this is taken in pieces: a record's text has at most 1,535 bytes (libssh2's `_libssh2_debug_low`).
LINE_KEPT = 1 << 20
_COLOUR = re.compile(rb"\x1b\[[0-9;:?]{0,40}[ -/]{0,4}[@-~]")


class Blocks:
    """The bytes at hand and where the reader is in them; colours are taken out.

    Damage of the input is the end of it, and kept for later.
    """

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self.account = Account()
        self._chunks = iter(chunks)
        self._buffer = b""
        self._newline = -1
        self._passed = 0  # bytes before the buffer, colours left out
        self._ended = False
        self._damage: TracelensError | None = None
        self._pos = 0

    @property
    def offset(self) -> int:
        """How many bytes were read, colours left out; how many more are at hand does not count."""
        return self._passed + self._pos

    def _more(self) -> bool:
        """Appends at least as much as is pending, so that a token over many blocks is not scanned time and again."""
        if self._ended:
            return False
        parts = [self._buffer[self._pos :]]
        wanted = max(len(parts[0]), 1)
        got = 0
        while got < wanted:
            try:
                chunk = next(self._chunks, None)
            except TracelensError as error:
                chunk, self._damage = None, error
            if chunk is None:
                self._ended = True
                break
            self.account.bytes += len(chunk)
            got += len(chunk)
            parts.append(chunk)
        if got == 0:
            return False
        joined = b"".join(parts)
        if b"\x1b" in joined and b"\x1b[" in joined:  # one byte is found much faster
            clean = _COLOUR.sub(b"", joined)
            self.account.blank_bytes += len(joined) - len(clean)
            joined = clean
        self._buffer = joined
        self._passed += self._pos
        self._pos = 0
        self._newline = -1
        return True

    def _line_stop(self) -> int:
        """Where the newline of the line at hand stands, -1 if none is in the buffer. Each is looked for once."""
        if self._newline < self._pos and self._newline != len(self._buffer):
            found = self._buffer.find(b"\n", self._pos)
            self._newline = len(self._buffer) if found < 0 else found
        return -1 if self._newline == len(self._buffer) else self._newline

    def _line_at_hand(self) -> bool:
        return self._line_stop() >= 0 or len(self._buffer) - self._pos > LINE_KEPT
