"""A trace's bytes -> tokens with their exact bytes: joined, they are the trace again, without ANSI colour codes."""

import re
from collections.abc import Iterable, Iterator

from msgspec import Struct

from tracelens.libssh2 import events
from tracelens.reader.dumps import ROW, Layout
from tracelens.reader.framer import Framer
from tracelens.reader.patterns import decoded
from tracelens.redact import remnants
from tracelens.redact.hexdump import Hexdump, Row

LINES = re.compile(rb"[^\n]*\n|[^\n]+")
_TOGETHER = 64
_SECOND_MAY_FOLLOW = 16
_LOGINS = (b"2", b"=")  # messages 50 and 61
_NUMBER = re.compile(rb"[0-9]+")


class OtherBytes(Struct, gc=False):
    """Bytes that are no record and no dump: a program's prefix, lines in between, a line's end.

    `in_dump`: where they stand, they may be part of a dump.
    """

    text: bytes
    in_dump: bool = False


class RecordToken(Struct, gc=False):
    """A record: `head` is all before its text, `tail` its line's end, `event` what the text says once it was parsed."""

    head: bytes
    context: str
    text: bytes
    clock: float | None
    tail: bytes
    event: events.Parsed | None = None

    def parsed(self) -> events.Parsed:
        """Name and fields of the text as it was written. A token that is kept for the second pass is parsed once."""
        if self.event is None:
            self.event = events.parse(self.context, decoded(self.text))
        return self.event


class DumpStart(Struct):
    """A dump's title. A dump with a layout has all its rows and ends here; else rows and a `DumpEnd` follow."""

    dump: Hexdump


class DumpEnd(Struct):
    """The end of a dump whose rows came one by one."""

    dump: Hexdump


Token = OtherBytes | RecordToken | DumpStart | Row | DumpEnd


class Tokens(Framer):
    """Iterates over the tokens of a trace, once.

    What follows a dump's title and does not end it is part of the dump, whatever it looks like. A record ends it, and
    so do all its rows. The exception are a program's words before or behind a record, a title or a row if they were
    around the one before it as well.
    """

    def __init__(self, chunks: Iterable[bytes]) -> None:
        super().__init__(chunks)
        self._out: list[Token] = []
        self._open: Hexdump | None = None
        self._dumps = 0
        self._has_pairs = True  # whether pairs of hex digits are in the buffer
        self._within = False  # whether other bytes here may be part of a dump
        self._owed = 0  # so many records do not end a packet whose rest is expected
        self._whole = True  # whether all rows of the open dump were whole
        self._prefix = self._tail = b""  # shapes of a program's words before a record or a title, and behind a title
        self._behind = ""  # what stands before on the same line: a title or a row, if any

    def __iter__(self) -> Iterator[Token]:
        out = self._out
        while self._token():
            if len(out) >= _TOGETHER:
                yield from out
                out.clear()
        self._end_dump(cut=True)
        yield from out
        if self._damage is not None:
            raise self._damage

    def _more(self) -> bool:
        more = super()._more()
        if more:
            self._has_pairs = remnants.may_have_row(self._buffer)
        return more

    def _bytes(self, stop: int) -> bytes:
        """The bytes up to `stop`, consumed."""
        begin, self._pos = self._pos, stop
        return self._buffer[begin:stop]

    def _record(self, found: re.Match[bytes]) -> None:
        if self._within or self._behind:
            self._record_begins()
        clock, context, text = found.group(1, 3, 4)
        begin, stop = found.span(4) if text is not None else (found.end(), found.end())
        text = text.rstrip(b"\r") if text else b""
        while self._buffer[stop : stop + 1] == b"\r":
            stop += 1
        stop += self._buffer[stop : stop + 1] == b"\n"
        head, tail = self._buffer[self._pos : begin], self._buffer[begin + len(text) : stop]
        self._pos = stop
        token = RecordToken(head, context.decode(), text, None if clock is None else float(clock), tail)
        if self._has_pairs and remnants.may_have_row(text):
            self._add_joined(token)
        else:
            self._out.append(token)

    def _damaged(self, stop: int) -> None:
        self._record_begins()
        text = self._bytes(stop)
        tail = b"\n" if self._buffer[stop : stop + 1] == b"\n" else b""
        self._pos += len(tail)
        self._add_joined(RecordToken(b"", "Unknown", text, None, tail))

    def _record_begins(self) -> None:
        """A record begins: a dump is not continued, except the one whose next row follows."""
        self._owed = max(self._owed - 1, 0)
        self._within, self._behind = self._row_due >= 0 or self._owed > 0, ""

    def _add_joined(self, token: RecordToken) -> None:
        """Adds a record; a row that stands behind its text is no part of it."""
        self._out.append(token)
        row = remnants.find_row(token.text)
        if row >= 0:
            self._out.append(OtherBytes(token.text[row:] + token.tail, in_dump=True))
            token.text, token.tail = token.text[:row], b""
            self._within = True

    def _other_bytes(self, stop: int, *, prefix: bool) -> None:
        text = self._bytes(stop)
        behind, self._behind = self._behind, ""
        if prefix and self._is_prefix(text):
            self._out.append(OtherBytes(text))
        elif behind and text.strip():
            self._out.append(OtherBytes(text, in_dump=not self._is_tail(text, behind)))
        elif self._within or self._row_due >= 0 or remnants.find(text) >= 0:
            self._add_lines(text)
        else:
            self._out.append(OtherBytes(text))

    def _is_prefix(self, text: bytes) -> bool:
        """Whether these are the words of a program before a record or a title."""
        shape = _NUMBER.sub(b"0", text)
        if not self._within and self._row_due < 0 and remnants.find(text) < 0:
            self._prefix = shape
        return shape == self._prefix

    def _is_tail(self, text: bytes, behind: str) -> bool:
        """Whether these are the words of a program behind a title, or behind a row."""
        shape, known = _NUMBER.sub(b"0", text), self._tail
        if behind == "title":
            self._tail = shape
        return shape == known and remnants.find(text) < 0

    def _add_lines(self, text: bytes) -> None:
        """Adds lines of which some or all are in a dump."""
        for line in LINES.findall(text):
            if not line.strip():
                self._out.append(OtherBytes(line))
                continue
            row = remnants.find(line)
            if row < 0 and not self._within and self._row_due < 0:
                self._out.append(OtherBytes(line))
                continue
            if row > 0 and _NUMBER.sub(b"0", line[:row]) == self._prefix:
                self._out.append(OtherBytes(line[:row]))
                line = line[row:]
            self._out.append(OtherBytes(line, in_dump=True))
            self._within = True
            if row >= 0:  # the packet that it is part of isn't known
                self._owed = _SECOND_MAY_FOLLOW

    def _whole_dump(self, title: re.Match[bytes], rows: int, stop: int, end: bytes, layout: Layout) -> None:
        dump = self._started(title, rows)
        dump.ending, dump.layout = end, layout
        dump.block = self._bytes(stop + len(end) if self._buffer.startswith(end, stop) else stop)
        self._leave(dump, whole=True)

    def _fits(self, begin: int, layout: Layout, size: int) -> bool:
        """As for all readers, but the second row must be in place as well: damaged lines are masked one by one."""
        second = begin + layout.start(1) + layout.prefix
        return super()._fits(begin, layout, size) and (size <= ROW or self._buffer.startswith(b"0010: ", second))

    def _leave(self, dump: Hexdump, *, whole: bool) -> None:
        """A dump is over. Another one follows an outgoing packet: that of its rest, or of what was sent."""
        is_outgoing = dump.direction == "out" and dump.kind in ("plain", "plain2")
        self._within = is_outgoing or not whole
        if is_outgoing and (not whole or dump.data(0, 1) in _LOGINS):
            self._owed = _SECOND_MAY_FOLLOW

    def _open_dump(self, title: re.Match[bytes], stop: int) -> None:
        dump = self._started(title, stop)
        dump.ending = self._buffer[title.end() : stop]
        self._open, self._within, self._whole = dump, True, True
        self._behind = "" if dump.ending else "title"

    def _started(self, title: re.Match[bytes], stop: int) -> Hexdump:
        self._end_dump(cut=True)
        head, end = self._buffer[self._pos : title.start(2)], self._buffer[title.end(2) : stop]
        dump = Hexdump(self._dumps, title[1].decode(), head, title[2], end)
        self._dumps += 1
        self._out.append(DumpStart(dump))
        self._pos = stop
        self._owed, self._behind = 0, ""
        return dump

    def _row(self, row: re.Match[bytes], column: int, stop: int, *, is_due: bool) -> None:
        if not is_due or self._open is None:
            self._other_bytes(stop, prefix=False)
            return
        text = self._bytes(stop)
        before, label = text[: row.start()], text[row.start() : row.start(2) if row[2] else row.end()]
        if before.strip() and _NUMBER.sub(b"0", before) != self._prefix:
            self._out.append(OtherBytes(before, in_dump=True))
            before = b""
        token = Row(before, self._row_due, label, row[2] or b"", text[row.end() : column], text[column:])
        self._whole &= token.is_whole(self._dump_size)
        self._behind = "" if token.end else "row"
        self._open.rows.append(token)
        self._out.append(token)

    def _close_dump(self, *, cut: bool) -> None:
        dump, self._open = self._open, None
        assert dump is not None
        self._leave(dump, whole=self._whole and not cut)
        self._out.append(DumpEnd(dump))
