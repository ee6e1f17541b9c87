"""A stream of blocks as one buffer to look ahead in."""

import re
from collections.abc import Iterable

from tracelens.errors import TracelensError
from tracelens.reader.stats import Account

# A program's prefix before a record or a dump's title is shorter than this.
PREFIX_KEPT = 500
COLOUR = re.compile(rb"\x1b\[[0-9;:?]{0,40}[ -/]{0,4}[@-~]")
_BEGUN_COLOUR = re.compile(rb"\x1b(?:\[[0-9;:?]{0,40}[ -/]{0,4})?\Z")
_NEWLINE = 10


class Buffer:
    """The bytes at hand and the place of the reader in them, without ANSI colour codes.

    Damage ends the input; the error is kept.
    """

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self.account = Account()
        self._chunks = iter(chunks)
        self._buffer = b""
        self._rest = b""  # the beginning of a colour code at the end of the last block
        self._newline = -1
        self._passed = 0  # bytes before the buffer, without colours
        self._ended = False
        self._damage: TracelensError | None = None
        self._pos = 0

    @property
    def offset(self) -> int:
        """Bytes consumed so far, not counting ANSI colour codes or unread buffer."""
        return self._passed + self._pos

    @property
    def _line_start(self) -> bool:
        return self._pos == 0 or self._buffer[self._pos - 1] == _NEWLINE

    def _more(self) -> bool:
        """Appends at least as many bytes as are unread, so that a token over many blocks is not scanned repeatedly."""
        if self._ended:
            return False
        keep = min(self._pos, PREFIX_KEPT)
        parts = [self._buffer[self._pos - keep :]]
        wanted = max(len(parts[0]) - keep, 1)
        got = 0
        while got < wanted and not self._ended:
            try:
                chunk = next(self._chunks, None)
            except TracelensError as error:
                chunk, self._damage = None, error
            if chunk is None:
                self._ended = True
                chunk, self._rest = self._rest, b""
            else:
                self.account.bytes += len(chunk)
                if self._rest or b"\x1b" in chunk:
                    chunk = self._without_colours(self._rest + chunk)
            got += len(chunk)
            parts.append(chunk)
        if got == 0:
            return False
        self._buffer = b"".join(parts)
        self._passed += self._pos - keep
        self._pos = keep
        self._newline = -1
        return True

    def _without_colours(self, chunk: bytes) -> bytes:
        clean = COLOUR.sub(b"", chunk)
        self.account.blank_bytes += len(chunk) - len(clean)
        begun = _BEGUN_COLOUR.search(clean, max(0, len(clean) - 60))
        self._rest = clean[begun.start() :] if begun else b""
        return clean[: len(clean) - len(self._rest)]

    def _line_stop(self) -> int:
        """The place of the next newline, -1 if none is in the buffer. Each is searched for once."""
        if self._newline < self._pos and self._newline != len(self._buffer):
            found = self._buffer.find(b"\n", self._pos)
            self._newline = len(self._buffer) if found < 0 else found
        return -1 if self._newline == len(self._buffer) else self._newline
