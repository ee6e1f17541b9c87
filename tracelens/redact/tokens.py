"""A trace's bytes -> pieces that make up the trace again when they are put together.

`records.Reader` gives what a trace says and forgets how it was written; a redacted copy must keep prefixes, line ends,
lines in between and the places of a dump's rows. The frame is the same: the patterns come from `grammars/trace.lark`.
"""

import re
from collections.abc import Iterable, Iterator

from msgspec import Struct

from tracelens.libssh2 import events
from tracelens.reader.dumps import KEPT, ROW, Layout
from tracelens.reader.patterns import decoded, patterns
from tracelens.redact.hexdump import Hexdump, Row

_LINE_KEPT = 1 << 20
_AHEAD = _LINE_KEPT + (1 << 16)
_PREFIX_KEPT = 500
_ROW_MAY_FOLLOW = 4000
_ROWS_KEPT = KEPT // ROW  # more rows than this only a size that lies has; they are loose lines
_COLOUR = re.compile(rb"\x1b\[[0-9;:?]{0,40}[ -/]{0,4}[@-~]")
_BEGUN = re.compile(rb"\x1b(?:\[[0-9;:?]{0,40}[ -/]{0,4})?\Z")
_COLUMN = re.compile(rb" *: ?")
LINES = re.compile(rb"[^\n]*\n|[^\n]+")
_TAG = b"[libssh2]"
# So much text that is no part of a trace is handed on at once.
_LOOSE_KEPT = 1 << 16
_BLANK = re.compile(rb"[\r\n]+(?<=\n)")


class Loose(Struct, gc=False):
    """Bytes that are no record and no dump: a program's prefix, lines in between, a line's end."""

    text: bytes


class Told(Struct, gc=False):
    """A record: `head` is all before its text; `tail` its line's end; `read` what the text says, once it was asked."""

    head: bytes
    context: str
    text: bytes
    clock: float | None
    tail: bytes
    read: events.Parsed | None = None

    def parsed(self) -> events.Parsed:
        """What it says as it was written; a piece that is kept for the second pass is read once."""
        if self.read is None:
            self.read = events.parse(self.context, decoded(self.text))
        return self.read


class Begun(Struct):
    """A dump's title was read. Its rows follow, or are in it where they stand in one piece: then the dump is whole."""

    dump: Hexdump


class Closed(Struct):
    """A dump whose rows came one by one is whole, or was given up."""

    dump: Hexdump


Piece = Loose | Told | Begun | Row | Closed


class Pieces:
    """Iterates over the pieces of a trace, once.

    Args:
        blocks: the trace, decompressed, in an ASCII-compatible encoding (`source.decoded`). Colours are left out.
    """

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = iter(blocks)
        self._buffer = b""
        self._pos = 0
        self._rest = b""
        self._ended = False
        self._newline = -1  # where the next one stands, as far as it was looked for
        self._line = b""  # what stands before `_pos` on its line, its first 500 bytes
        self._at = patterns()
        self._open: Hexdump | None = None
        self._dumps = 0

    def _fill(self, wanted: int = _AHEAD) -> None:
        """Sees to it that so many bytes are at hand, as far as there are as many."""
        if len(self._buffer) - self._pos >= wanted or self._ended:
            return
        parts = [self._buffer[self._pos :]]
        have = len(parts[0])
        while have < wanted:
            block = next(self._blocks, None)
            if block is None:
                self._ended = True
                block, self._rest = self._rest, b""
            elif b"\x1b" in block or self._rest:
                block = _COLOUR.sub(b"", self._rest + block)
                begun = _BEGUN.search(block, max(0, len(block) - 60))
                self._rest = block[begun.start() :] if begun else b""
                block = block[: begun.start()] if begun else block
            parts.append(block)
            have += len(block)
            if self._ended:
                break
        self._buffer, self._pos, self._newline = b"".join(parts), 0, -1

    def _step(self, stop: int) -> bytes:
        """The bytes up to `stop`, which are done."""
        part = self._buffer[self._pos : stop]
        newline = part.rfind(b"\n")
        if newline >= 0:
            self._line = part[newline + 1 : newline + 1 + _PREFIX_KEPT]
        elif len(self._line) < _PREFIX_KEPT:
            self._line += part[:_PREFIX_KEPT]
        self._pos = stop
        return part

    def __iter__(self) -> Iterator[Piece]:
        record_at, title_at = self._at.record.match, self._at.title.match
        while True:
            if len(self._buffer) - self._pos < _AHEAD and not self._ended:
                self._fill()
            buffer, pos = self._buffer, self._pos
            if pos >= len(buffer):
                break
            if (found := record_at(buffer, pos, pos + _LINE_KEPT)) is not None:
                if self._interrupted():
                    yield from self._close()
                yield self._told(found)
            elif (found := title_at(buffer, pos)) is not None:
                yield from self._close()
                yield from self._dump(found)
            else:
                yield from self._other()
        yield from self._close()

    def _close(self) -> Iterator[Closed]:
        dump, self._open = self._open, None
        if dump is not None:
            yield Closed(dump)

    def _interrupted(self) -> bool:
        """Whether a record ends the open dump: its next row does not follow soon."""
        dump = self._open
        if dump is None:
            return False
        return self._buffer.find(b"%04x: " % dump.next, self._pos, self._pos + _ROW_MAY_FOLLOW) < 0

    def _told(self, found: "re.Match[bytes]") -> Told:
        clock, context, text = found.group(1, 3, 4)
        begin, end = found.span(4) if text is not None else (found.end(), found.end())
        kept = text.rstrip(b"\r") if text else b""
        tail_end = end
        while self._buffer[tail_end : tail_end + 1] == b"\r":
            tail_end += 1
        if self._buffer[tail_end : tail_end + 1] == b"\n":
            tail_end += 1
        tail = self._buffer[begin + len(kept) : tail_end]
        head = self._buffer[self._pos : begin]
        self._step(tail_end)
        return Told(head, context.decode(), kept, None if clock is None else float(clock), tail)

    def _dump(self, found: "re.Match[bytes]") -> Iterator[Piece]:
        name, size = found.group(1).decode(), int(found.group(2))
        start, at = self._pos, found.end()
        title = self._buffer[start : found.start(2)]
        prefix = len(self._line)
        if prefix and (prefix >= _PREFIX_KEPT or self._at.begin.search(self._line)):
            prefix = 0
        dump = Hexdump(self._dumps, title, found.group(2), self._buffer[found.end(2) : at], name)
        self._dumps += 1
        following = self._buffer[at : at + 4]
        ending = len(following) - len(following.lstrip(b"\r\n"))
        end = at + ending
        layout = Layout(prefix, ending)
        if 0 < size <= KEPT and self._may_be_whole(end, layout, size):
            length = layout.length(size)
            self._fill(end - start + length + ending + 8)
            shift = self._pos - start  # the buffer may have moved
            at, end = at + shift, end + shift
            line_end = self._buffer[at:end]
            stop = end + length
            closed = self._buffer[stop : stop + ending] == line_end
            if (
                stop <= len(self._buffer)
                and layout.fits(self._buffer, end, size)
                and (closed or stop == len(self._buffer))
            ):
                dump.title_end += line_end
                dump.ending = line_end
                stop += ending if closed else 0
                dump.layout, dump.block = layout, self._buffer[end:stop]
                self._step(stop)
                yield Begun(dump)
                return
        newline = self._buffer.find(b"\n", at, at + 3)
        stop = newline + 1 if newline >= 0 else at
        dump.ending = self._buffer[at:stop]
        dump.title_end += self._buffer[at:stop]
        self._step(stop)
        yield Begun(dump)
        if size == 0:
            yield Closed(dump)
        else:
            self._open = dump

    def _may_be_whole(self, begin: int, layout: Layout, size: int) -> bool:
        """Whether the second row stands where the size puts it, so that looking for the last one is worth it."""
        second = begin + layout.start(1) + layout.prefix
        return size <= ROW or second + 6 > len(self._buffer) or self._buffer.startswith(b"0010: ", second)

    def _other(self) -> Iterator[Piece]:
        buffer, pos = self._buffer, self._pos
        if self._open is None and not self._line and (blank := _BLANK.match(buffer, pos, pos + _LINE_KEPT)) is not None:
            yield Loose(self._step(blank.end()))
            return
        newline = self._line_stop()
        stop = min(len(buffer), pos + _LINE_KEPT) if newline < 0 else newline
        begin = self._at.begin.search(buffer, pos, stop)
        if begin is not None and begin.start() == pos:
            many = self._at.damaged.match(buffer, pos)
            if many is not None and (end := buffer.rfind(_TAG, pos, many.end())) > pos:
                yield Told(b"", "Unknown", buffer[pos:end], None, b"")
                self._step(end)
                return
            found = self._at.rest.match(buffer, pos, stop)
            end = found.end() if found is not None else min(stop, pos + 3)
            tail = b"\n" if buffer[end : end + 1] == b"\n" else b""
            yield Told(b"", "Unknown", buffer[pos:end], None, tail)
            self._step(end + len(tail))
            return
        upto = stop if begin is None else begin.start()
        part = buffer[pos:upto]
        row = self._row_in(part)
        if row is None and not self._line and (untagged := self._at.untagged.match(buffer, pos, stop)) is not None:
            yield self._told(untagged)
            return
        line_end = newline >= 0 and upto == newline
        if row is None or self._open is None:
            upto += line_end
            if line_end and self._open is None and not self._line:
                upto = self._foreign_lines(upto)
            yield Loose(self._step(upto))
            return
        yield from self._take_row(part, row, newline if line_end else -1)

    def _foreign_lines(self, begin: int) -> int:
        """Where the whole lines end that follow and are no part of a trace."""
        buffer, starts_at, untagged_at = self._buffer, self._at.begin.search, self._at.untagged.match
        at, most = begin, min(len(buffer), begin + _LOOSE_KEPT)
        while (stop := buffer.find(b"\n", at, most)) >= 0:
            if starts_at(buffer, at, stop) is not None or untagged_at(buffer, at, stop) is not None:
                break
            at = stop + 1
        return at

    def _line_stop(self) -> int:
        """Where the next newline stands, -1 where the line is too long to be taken as one. Each is looked for once."""
        if self._newline < self._pos:
            found = self._buffer.find(b"\n", self._pos)
            self._newline = len(self._buffer) if found < 0 else found
        near = self._newline < min(len(self._buffer), self._pos + _LINE_KEPT)
        return self._newline if near else -1

    def _take_row(self, part: bytes, row: "re.Match[bytes]", newline: int) -> Iterator[Piece]:
        dump = self._open
        assert dump is not None
        pairs = row.group(2) or b""
        column = _COLUMN.match(part, row.end())
        shown = len(bytes.fromhex(pairs.decode("ascii")))
        taken = row.end() if column is None else min(len(part), column.end() + shown)
        end = b""
        if not part[taken:].strip():
            end = part[taken:] + (b"\n" if newline >= 0 else b"")
        label = part[row.start() : row.start(2) if row.group(2) else row.end()]
        due = int(row.group(1), 16) == dump.next
        whole = self._step(self._pos + taken + len(end))
        if not due:
            yield Loose(whole)
            return
        piece = Row(part[: row.start()], dump.next, label, pairs, part[row.end() : taken], end)
        dump.rows.append(piece)
        yield piece
        if dump.next >= dump.size or len(dump.rows) >= _ROWS_KEPT:
            yield from self._close()

    def _row_in(self, part: bytes) -> "re.Match[bytes] | None":
        """The row of the open dump that stands in `part`, behind whatever prefix."""
        dump = self._open
        if dump is None:
            return None
        found = self._at.row.match(part)
        if found is None:
            due = part.find(b"%04x:" % dump.next)
            if due >= 0 and (due == 0 or not part[due - 1 : due].isalnum()):
                found = self._at.row.match(part, due)
        return found
