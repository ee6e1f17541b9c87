"""A trace's bytes -> tokens with their exact bytes: joined, they are the trace again, without ANSI colour codes."""

import re
from collections.abc import Iterable, Iterator

from msgspec import Struct

from tracelens.libssh2 import events
from tracelens.reader.dumps import ROW, Layout
from tracelens.reader.framer import Framer
from tracelens.reader.patterns import decoded
from tracelens.redact.hexdump import Hexdump, Row

LINES = re.compile(rb"[^\n]*\n|[^\n]+")
_TOGETHER = 64


class OtherBytes(Struct, gc=False):
    """Bytes that are no record and no dump: a program's prefix, lines in between, a line's end."""

    text: bytes


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
    """Iterates over the tokens of a trace, once."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        super().__init__(chunks)
        self._out: list[Token] = []
        self._open: Hexdump | None = None
        self._dumps = 0

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

    def _bytes(self, stop: int) -> bytes:
        """The bytes up to `stop`, consumed."""
        begin, self._pos = self._pos, stop
        return self._buffer[begin:stop]

    def _record(self, found: re.Match[bytes]) -> None:
        clock, context, text = found.group(1, 3, 4)
        begin, stop = found.span(4) if text is not None else (found.end(), found.end())
        text = text.rstrip(b"\r") if text else b""
        while self._buffer[stop : stop + 1] == b"\r":
            stop += 1
        stop += self._buffer[stop : stop + 1] == b"\n"
        head, tail = self._buffer[self._pos : begin], self._buffer[begin + len(text) : stop]
        self._out.append(RecordToken(head, context.decode(), text, None if clock is None else float(clock), tail))
        self._pos = stop

    def _damaged(self, stop: int) -> None:
        text = self._bytes(stop)
        tail = b"\n" if self._buffer[stop : stop + 1] == b"\n" else b""
        self._pos += len(tail)
        self._out.append(RecordToken(b"", "Unknown", text, None, tail))

    def _other_bytes(self, stop: int, *, prefix: bool) -> None:
        self._out.append(OtherBytes(self._bytes(stop)))

    def _whole_dump(self, title: re.Match[bytes], rows: int, stop: int, end: bytes, layout: Layout) -> None:
        dump = self._started(title, rows)
        dump.ending, dump.layout = end, layout
        dump.block = self._bytes(stop + len(end) if self._buffer.startswith(end, stop) else stop)

    def _fits(self, begin: int, layout: Layout, size: int) -> bool:
        """As for all readers, but the second row must be in place as well: damaged lines are masked one by one."""
        second = begin + layout.start(1) + layout.prefix
        return super()._fits(begin, layout, size) and (size <= ROW or self._buffer.startswith(b"0010: ", second))

    def _open_dump(self, title: re.Match[bytes], stop: int) -> None:
        dump = self._started(title, stop)
        dump.ending = self._buffer[title.end() : stop]
        self._open = dump

    def _started(self, title: re.Match[bytes], stop: int) -> Hexdump:
        self._end_dump(cut=True)
        head, end = self._buffer[self._pos : title.start(2)], self._buffer[title.end(2) : stop]
        dump = Hexdump(self._dumps, title[1].decode(), head, title[2], end)
        self._dumps += 1
        self._out.append(DumpStart(dump))
        self._pos = stop
        return dump

    def _row(self, row: re.Match[bytes], column: int, stop: int, *, is_due: bool) -> None:
        text = self._bytes(stop)
        if not is_due or self._open is None:
            self._out.append(OtherBytes(text))
            return
        before, label = text[: row.start()], text[row.start() : row.start(2) if row[2] else row.end()]
        token = Row(before, self._row_due, label, row[2] or b"", text[row.end() : column], text[column:])
        self._open.rows.append(token)
        self._out.append(token)

    def _close_dump(self, *, cut: bool) -> None:
        dump, self._open = self._open, None
        assert dump is not None
        self._out.append(DumpEnd(dump))
