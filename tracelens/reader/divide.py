"""The lines of an input, divided among the processes that their prefixes name."""

import re
import tempfile
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from typing import IO

from tracelens.errors import TracelensError
from tracelens.reader.buffer import COLOUR
from tracelens.reader.patterns import decoded

# More processes than this are not told apart: the others share the last stream.
MOST = 1_000
_LONG_LINE = 1 << 20
# Kept lines are in memory up to so many bytes, and then go to the file.
_IN_MEMORY = 16 << 20
_BLOCK = 1 << 20
_KEPT = 16 << 30  # so many bytes; the processes that begin after them share a stream
_NAME_LENGTH = 100
Key = tuple[bytes, ...]  # what names a process


def key_of(found: re.Match[bytes]) -> Key:
    """What names the process in a line's prefix."""
    return tuple(filter(None, found.groups()))


class Part:
    """The lines of one process: how many, where they are in the input, and where they are kept."""

    def __init__(self, key: Key) -> None:
        self.key = key
        self.count = 0  # lines that are complete
        self.waiting: list[bytes] = []
        self.kept: list[tuple[int, int]] = []  # offset and length in the file
        self._next = 0  # the input's line that needs no new entry
        self._own, self._lines = array("Q"), array("Q")  # each line that does not follow the one before it

    @property
    def name(self) -> str:
        """The process as users know it: its name, and its number in brackets."""
        *names, last = map(decoded, self.key or (b"",))
        name = " ".join([*names[:-1], f"{names[-1]}[{last}]"]) if names and last.isdigit() else " ".join([*names, last])
        return name[:_NAME_LENGTH]

    def add(self, line: int, count: int) -> None:
        """Adds lines, from this line of the input on; `count` of them are complete."""
        if line != self._next:
            self._own.append(self.count + 1)
            self._lines.append(line)
        self.count += count
        self._next = line + count

    def line_of(self, own: int) -> int:
        """The line of the input."""
        at = bisect_right(self._own, own) - 1
        return own if at < 0 else self._lines[at] + own - self._own[at]


class Divider:
    """Divides the lines of an input among the processes that wrote them.

    A line whose prefix names none belongs to the process of the line before it.
    """

    def __init__(self, blocks: Iterator[bytes], pattern: re.Pattern[bytes], *, strip: bool = True) -> None:
        self._strip = strip  # whether lines lose what names their process
        self.damage: TracelensError | None = None
        self.lines = 0  # that are complete
        self.stripped = 0  # bytes that name processes
        self.coloured = 0  # bytes of colour codes
        self.beyond = 0
        self._blocks, self._pattern = blocks, pattern
        self._first = self._current = Part(())
        self._parts: dict[Key, Part] = {}
        self._others: Part | None = None  # those beyond a limit
        self._within = False  # whether a line's beginning was divided, and its end was not
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115  `close` closes it
        self._size = self._waiting = 0

    def parts(self) -> Iterator[tuple[Part, Iterator[bytes]]]:
        """Each process and its lines, in the order of their first lines; to be read to the end before the next."""
        yield self._first, self._read()
        for part in list(self._parts.values()):
            if part is not self._first:
                yield part, self._kept(part)

    def close(self) -> None:
        """Deletes what was kept."""
        self._file.close()

    def _read(self) -> Iterator[bytes]:
        """The first process's lines; keeps those of the others."""
        rest = b""
        try:
            for block in self._blocks:
                block = rest + block
                stop = len(block) if len(block) - (newline := block.rfind(b"\n") + 1) > _LONG_LINE else newline
                rest = block[stop:]
                if stop and (lines := self._divided(block[:stop])):
                    yield lines
        except TracelensError as error:
            self.damage = error
        if rest and (lines := self._divided(rest)):
            yield lines
        self._write()

    def _divided(self, text: bytes) -> bytes:
        if b"\x1b" in text:
            size = len(text)
            text = COLOUR.sub(b"", text)
            self.coloured += size - len(text)
        out: list[bytes] = []
        at = 0
        for found in self._pattern.finditer(text):
            begin = found.start()
            if not begin and self._within:
                continue
            if begin > at:
                self._put(text[at:begin], out)
            at = found.end() if self._strip else begin
            self.stripped += at - begin
            key = key_of(found)
            if key != self._current.key:
                self._current = self._parts.get(key) or self._new(key)
            self.beyond += self._current is self._others
        if at < len(text):
            self._put(text[at:], out)
        self._within = not text.endswith(b"\n")
        return b"".join(out)

    def _new(self, key: Key) -> Part:
        """The process of a new key; the first one has the lines before it, and the last one those of all others."""
        if not self._parts:
            part = self._first
            part.key = key
        elif len(self._parts) < MOST and self._size < _KEPT:
            part = Part(key)
        else:
            self._others = self._parts.setdefault((), Part(()))
            return self._others
        self._parts[key] = part
        return part

    def _put(self, lines: bytes, out: list[bytes]) -> None:
        part, count = self._current, lines.count(b"\n")
        part.add(self.lines + 1, count)
        self.lines += count
        if part is self._first:
            out.append(lines)
            return
        part.waiting.append(lines)
        self._waiting += len(lines)
        if self._waiting > _BLOCK:
            self._write()

    def _write(self) -> None:
        """Writes what waits into the file."""
        for part in self._parts.values():
            if part.waiting:
                lines = b"".join(part.waiting)
                part.waiting.clear()
                part.kept.append((self._size, len(lines)))
                self._file.write(lines)
                self._size += len(lines)
        self._waiting = 0

    def _kept(self, part: Part) -> Iterator[bytes]:
        for offset, length in part.kept:
            self._file.seek(offset)
            yield self._file.read(length)
