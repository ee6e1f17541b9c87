"""A trace's bytes -> its records and dumps, in file order: the bulk path.

`Reader` reads blocks, frames them with patterns made from the terminals of `grammars/trace.lark`, and never looks at
the rows of a dump that stands in one piece: their place follows from its title's size (16 bytes a row, libssh2's
`debugdump`). A dump's bytes are decoded when somebody asks for them. Records that come by the hundred thousand
and tell nothing one by one (reads, window sizes, error -37) are folded into a `Run`.

Nothing about text raises. Every byte is counted as record, dump, blank or foreign (`Reader.account`).
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tracelens import events, grammar

Pattern = re.Pattern[bytes]

# Events that come by the hundred thousand in a transfer, and tell nothing one by one. A received SFTP packet is one
# of them only as DATA (type 103).
FOLDED = frozenset(
    {
        "conn.channel_read_wanted", "conn.channel_read_got", "conn.channel_read_filled", "conn.data_received", "conn.read_avail_increased",
        "conn.window_adjusted", "conn.window_adjusting", "conn.window_adjustment_queued", "conn.window_shrunk", "conn.data_writing",
        "conn.data_sending", "conn.write_split_by_packet", "conn.write_split_by_window", "conn.write_blocked",
        "sftp.read_sent", "sftp.packet_awaited", "sftp.data_begun", "sftp.packet_type_received", "sftp.packet_id_received",
        "sftp.partial_read", "sftp.partial_read_received", "sftp.request_abandoned", "sftp.request_forgotten",
    }
)  # fmt: skip
_DATA = re.compile(rb"packet(?: type)? 103\b")

# A dump with more bytes than this is read row by row, and not kept beyond it: no SSH packet is that large
# (RFC 4253, 6.1: 35,000 bytes must be supported), only a size that lies is.
_DUMP_KEPT = 1 << 20
# A line longer than this is cut: a record's text has at most 1,535 bytes (libssh2's `_libssh2_debug_low`).
_LINE_KEPT = 1 << 20
_TEXT_KEPT = 1 << 16
_ROW = 16
# Texts that end in what the peer sent, newlines and all: lines after them that are no record belong to them.
_CONTINUES = re.compile(
    rb"(?:Userauth: Banner: |Transport: (?:Disconnect|Debug Packet|Received Banner)|SCP: (?:got|Sent) |Conn: starting request)"
)
_CONTINUED_LINES = 40


@dataclass(frozen=True, slots=True)
class Record:
    """One line of text from libssh2.

    `time` is in seconds on the trace's own clock, None where the line has none; `line` is 1-based in the decompressed
    input; `text` is what follows "Context: ". `context` is "Unknown" where the line was cut before its context ended.
    """

    line: int
    time: float | None
    context: str
    text: str


@dataclass(slots=True)
class Retry:
    """Error -37 with one text, within one `Run`: how often, and how long the pauses after it were (seconds)."""

    count: int
    waited: float
    first_line: int
    last_line: int


@dataclass(slots=True)
class Run:
    """Records that tell nothing one by one, next to each other: counted by event name, not stored.

    `retries` has the texts of error -37. `waiting` is the text of the -37 that the run ends on, None if it ends on
    something else: the pause until the next record belongs to it. `gap` is the longest pause inside, before `gap_line`.
    """

    first_line: int
    started: float | None
    last_line: int = 0
    ended: float | None = None
    counts: dict[str, int] = field(default_factory=dict)
    retries: dict[str, Retry] = field(default_factory=dict)
    waiting: str | None = None
    last_text: str = ""
    gap: float = 0.0
    gap_line: int = 0


class Dump:
    """One hex dump.

    `line` is that of its title, `time` that of the record before it, `size` the bytes its title claims (which can be
    absurd: 1.11.x prints 18446744073709551540 with a broken MAC), `title` as printed.
    """

    __slots__ = ("_layout", "_rows", "line", "size", "time", "title")

    def __init__(
        self,
        line: int,
        time: float | None,
        title: str,
        size: int,
        rows: bytes,
        layout: "tuple[int, int] | None",
    ) -> None:
        self.line = line
        self.time = time
        self.title = title
        self.size = size
        self._rows = rows
        self._layout = (
            layout  # (bytes before each row's offset, bytes of its line end), or None: rows are decoded
        )

    @property
    def direction(self) -> str:
        """ "in" for what was received, "out" for what was sent."""
        return "in" if "_read" in self.title else "out"

    @property
    def kind(self) -> str:
        """Which buffer: "plain", "plain2", "raw" or "send"."""
        last = self.title.rpartition(" ")[2]
        return last if last in {"plain", "plain2", "raw"} else "send"

    def data(self, start: int = 0, stop: int | None = None) -> bytes:
        """The dumped bytes from `start` up to `stop`, as far as the rows show them without a hole."""
        stop = self.size if stop is None else min(stop, self.size)
        if self._layout is None:
            return self._rows[start:stop]
        if stop <= start:
            return b""
        prefix, end = self._layout
        first, last = start // _ROW, (stop - 1) // _ROW
        out = bytearray()
        for row in range(first, last + 1):
            at = _row_start(row, prefix, end) + prefix + _digits(row) + 2
            shown = min(_ROW, self.size - row * _ROW)
            pairs = self._rows[at : at + 3 * shown + (shown > 7)]
            try:
                out += bytes.fromhex(pairs.decode("ascii"))
            except ValueError:
                break
            if len(out) != min((row + 1) * _ROW, self.size) - first * _ROW:
                break
        return bytes(out[start - first * _ROW : stop - first * _ROW])


Item = Record | Dump | Run


@dataclass(slots=True)
class Account:
    """What the bytes of a trace were: the parts of `bytes` add up to it."""

    bytes: int = 0
    record_bytes: int = 0
    dump_bytes: int = 0
    blank_bytes: int = 0
    foreign_bytes: int = 0
    lines: int = 0
    records: int = 0
    dumps: int = 0
    foreign_lines: int = 0
    cut_dumps: int = 0
    cut_at_end: bool = False
    open_end: bool = False
    contexts: set[str] = field(default_factory=set)
    titles: set[str] = field(default_factory=set)
    shapes: dict[tuple[str, str], str] = field(
        default_factory=dict
    )  # (context, shape of text) -> one text of it
    foreign: list[tuple[int, str]] = field(default_factory=list)  # the first few, with their lines


def _digits(row: int) -> int:
    return 4 if row < 0x1000 else len(f"{row * _ROW:x}")


def _row_start(row: int, prefix: int, end: int) -> int:
    """Where row `row` begins, counted from the first: 73 characters and its prefix and line end, wider offsets later."""
    wider = 0 if row <= 0x1000 else (row - 0x1000) + max(0, row - 0x10000) + max(0, row - 0x100000)
    return row * (73 + prefix + end) + wider


def _patterns() -> dict[str, Pattern]:
    """The bulk patterns, made from the terminals of `grammars/trace.lark`."""
    terminal = {
        t.name: t.pattern.to_regexp()
        for t in grammar.load("trace", start=["start", "record", "title", "row"]).terminals
    }
    tag, clock, context, text = (terminal[name] for name in ("TAG", "CLOCK", "CONTEXT", "TEXT"))
    size = terminal["SIZE"].replace(r"\d{1,20}", r"(\d{1,20})")
    title = f"{terminal['ARROW']}({terminal['NAME']}){size}"
    rows = terminal["OFFSET"].replace("[0-9a-f]{4,8}", "([0-9a-f]{4,8})", 1) + f"({terminal['HEX']})?"
    source = {
        "record": f"{tag} (?:({clock}) )?(({context}):(?: )?({text})?)",
        "untagged": f"[ \\t]*({clock}) (({context}):(?: )?({text})?)",
        "title": title,
        "row": rows,
        "begin": f"{tag}|{terminal['ARROW']}(?={terminal['NAME']}{terminal['SIZE']})",
        "rest": f"{tag}({text})?",
    }
    return {name: re.compile(s.encode("latin-1")) for name, s in source.items()}


class _Open:
    """A dump whose rows are read one by one, because something stands between them or they do not fit its title."""

    __slots__ = ("broken", "data", "line", "next", "size", "time", "title")

    def __init__(self, line: int, time: float | None, title: str, size: int) -> None:
        self.line, self.time, self.title, self.size = line, time, title, size
        self.data = bytearray()
        self.next = 0
        self.broken = False

    def add(self, pairs: bytes) -> None:
        if pairs and not self.broken and len(self.data) < _DUMP_KEPT:
            got = bytes.fromhex(pairs.decode("ascii"))[: self.size - self.next]
            self.data += got
            self.broken = len(got) < min(_ROW, self.size - self.next)
        elif not pairs:
            self.broken = True
        self.next += _ROW

    def close(self) -> Dump:
        return Dump(self.line, self.time, self.title, self.size, bytes(self.data), None)


class Reader:
    """Iterates over the items of a trace, once.

    Args:
        chunks: the input's bytes, decompressed, in an ASCII-compatible encoding (`source.decoded`).
        fold: whether records that tell nothing one by one are folded into runs.

    `account` is complete when the iteration is.
    """

    def __init__(self, chunks: Iterable[bytes], *, fold: bool = True) -> None:
        self.account = Account()
        self._chunks = iter(chunks)
        self._fold = fold
        self._buffer = b""
        self._ended = False
        self._pos = 0
        self._line = 1
        self._line_start = True
        self._time: float | None = None
        self._open: list[_Open] = []
        self._run: Run | None = None
        self._kinds: dict[bytes, str] = {}
        self._patterns = _patterns()

    # -- blocks ----------------------------------------------------------------------------------------------------

    def _more(self) -> bool:
        """Appends at least as much as is pending, so that a token over many blocks is not scanned time and again."""
        if self._ended:
            return False
        parts = [self._buffer[self._pos :]]
        wanted = max(len(parts[0]), 1)
        got = 0
        while got < wanted:
            chunk = next(self._chunks, None)
            if chunk is None:
                self._ended = True
                break
            self.account.bytes += len(chunk)
            got += len(chunk)
            parts.append(chunk)
        if got == 0:
            return False
        joined = b"".join(parts)
        if b"\x1b[" in joined:
            joined = _without_colours(joined, self)
        self._buffer = joined
        self._pos = 0
        return True

    def __iter__(self) -> Iterator[Item]:
        record_at, title_at = self._patterns["record"].match, self._patterns["title"].match
        account = self.account
        while True:
            buffer, pos = self._buffer, self._pos
            if pos >= len(buffer):
                if self._more():
                    continue
                break
            found = record_at(buffer, pos)
            if found is not None:
                if found.end() + 2 >= len(buffer) and found.end() - pos < _LINE_KEPT and self._more():
                    continue
                if self._open:
                    yield from self._interrupted()
                yield from self._record(found)
                continue
            found = title_at(buffer, pos)
            if found is not None:
                if found.end() + 4 >= len(buffer) and self._more():
                    continue
                yield from self._dump(found)
                continue
            if not self._line_at_hand() and self._more():
                continue
            yield from self._other()
        yield from self._flush_run()
        for dump in self._open:
            account.cut_dumps += 1
            account.cut_at_end = True
            yield dump.close()
        self._open.clear()
        if account.bytes and not self._line_start:
            account.lines = self._line
            # A trace without any newline ends like that by nature; one with lines was cut, or lost its last newline.
            account.open_end = account.lines * 4 > account.records
        else:
            account.lines = self._line - 1

    # -- records ---------------------------------------------------------------------------------------------------

    def _record(self, found: re.Match[bytes]) -> Iterator[Item]:
        clock, whole, context, text = found.group(1, 2, 3, 4)
        pos, line = found.end(), self._line
        if _CONTINUES.match(whole):
            size = pos - self._pos
            more = self._continued(size)
            pos = self._pos + size + more
            text = (text or b"") + self._buffer[pos - more : pos]
        begin = self._pos
        buffer = self._buffer
        while buffer[pos : pos + 1] == b"\r":
            pos += 1
        if buffer[pos : pos + 1] == b"\n":
            pos += 1
            self._line += 1
            self._line_start = True
        else:
            self._line_start = False
        self._pos = pos
        account = self.account
        account.record_bytes += pos - begin
        account.records += 1
        time = self._time
        if clock is not None:
            time = self._time = float(clock)
        # The number of a Failure Event decides what it is; in all other texts the numbers do not.
        shape = whole if context == b"Failure Event" else whole.translate(None, b"0123456789")
        kind = self._kinds.get(shape)
        if kind is None:
            kind = self._kinds[shape] = self._kind(context.decode(), _decode(text))
        if kind and self._fold and not (kind == "sftp.packet_type_received" and not _DATA.search(whole)):
            self._add_to_run(kind, line, time if clock is not None else None, text)
            return
        yield from self._flush_run()
        yield Record(line, time if clock is not None else None, context.decode(), _decode(text))

    def _continued(self, size: int) -> int:
        """How many bytes after the first `size` ones of the record belong to it: its text is the peer's, newlines and all."""
        end = size
        for _ in range(_CONTINUED_LINES):
            while self._pos + end + _LINE_KEPT // 64 >= len(self._buffer) and self._more():
                pass
            newline = self._buffer.find(b"\n", self._pos + end)
            after = newline + 1
            if newline < 0 or after >= len(self._buffer):
                break
            stop = self._buffer.find(b"\n", after, after + _TEXT_KEPT)
            following = self._buffer[after : len(self._buffer) if stop < 0 else stop]
            if not following.strip() or any(
                self._patterns[name].search(following) for name in ("begin", "untagged", "row")
            ):
                break
            end = after + len(following) - self._pos
            self._line += 1
        return end - size

    def _kind(self, context: str, text: str) -> str:
        """The event name if records of this shape are folded, else ""."""
        name, fields = events.parse(context, text)
        folded = name in FOLDED or (name == "failure_event.failure" and fields["code"] == -37)
        self.account.contexts.add(context)
        if len(self.account.shapes) < 4096:
            self.account.shapes.setdefault((context, re.sub(r"\d+", "0", text)), text)
        if len(self._kinds) > 20_000:
            self._kinds.clear()
        return name if folded else ""

    # -- runs ------------------------------------------------------------------------------------------------------

    def _add_to_run(self, kind: str, line: int, time: float | None, text: bytes | None) -> None:
        run = self._run
        if run is None:
            run = self._run = Run(line, time, line, time)
        elif time is not None and run.ended is not None:
            pause = time - run.ended
            if run.waiting is not None:
                run.retries[run.waiting].waited += max(pause, 0.0)
            if pause > run.gap:
                run.gap, run.gap_line = pause, line
        run.counts[kind] = run.counts.get(kind, 0) + 1
        run.last_line = line
        if time is not None:
            run.ended = time
        run.last_text = _decode(text)
        if kind == "failure_event.failure":
            message = run.last_text.partition(" - ")[2]
            retry = run.retries.get(message)
            if retry is None:
                run.retries[message] = Retry(1, 0.0, line, line)
            else:
                retry.count += 1
                retry.last_line = line
            run.waiting = message
        else:
            run.waiting = None

    def _flush_run(self) -> Iterator[Run]:
        run = self._run
        if run is not None:
            self._run = None
            yield run

    # -- dumps -----------------------------------------------------------------------------------------------------

    def _dump(self, found: re.Match[bytes]) -> Iterator[Item]:
        size = int(found.group(2))
        title = found.group(1).decode()
        if len(self.account.titles) < 64:
            self.account.titles.add(title)
        at = found.end()
        buffer = self._buffer
        end = at
        while end < at + 4 and buffer[end : end + 1] in (b"\r", b"\n"):
            end += 1
        line_end = buffer[at:end]
        prefix = self._prefix_length()
        if 0 < size <= _DUMP_KEPT:
            last = (size - 1) // _ROW
            length = (
                _row_start(last, prefix, len(line_end)) + prefix + _digits(last) + 2 + 51 + size - last * _ROW
            )
            stop = end + length + len(line_end)
            if stop > len(buffer) and self._looks_whole(end, prefix, len(line_end), size) and self._more():
                return  # again, with the whole dump in the buffer
            tail = end + _row_start(last, prefix, len(line_end)) + prefix
            text_end = end + length
            label = b"%04x: " % (last * _ROW)
            closes = buffer[text_end : text_end + len(line_end)] == line_end or text_end == len(buffer)
            if (
                closes
                and buffer.startswith(label, tail)
                and buffer[tail + len(label) + 49 : tail + len(label) + 51] == b": "
            ):
                stop = min(stop, len(buffer))
                yield from self._flush_run()
                for waiting in self._open:
                    self.account.cut_dumps += 1
                    yield waiting.close()
                self._open.clear()
                yield Dump(self._line, self._time, title, size, buffer[end:stop], (prefix, len(line_end)))
                newlines = line_end.count(b"\n")
                self._line += (
                    newlines * (last + 2) if stop == text_end + len(line_end) else newlines * (last + 1)
                )
                self._line_start = newlines > 0 and stop == text_end + len(line_end)
                self.account.dumps += 1
                self.account.dump_bytes += stop - self._pos
                self._pos = stop
                return
        yield from self._flush_run()
        for waiting in self._open:
            self.account.cut_dumps += 1
            yield waiting.close()
        self._open.clear()
        dump = _Open(self._line, self._time, title, size)
        self.account.dumps += 1
        newline = buffer.find(b"\n", at, at + 3)
        stop = newline + 1 if newline >= 0 else at
        self.account.dump_bytes += stop - self._pos
        self._line += newline >= 0
        self._line_start = newline >= 0
        self._pos = stop
        if size == 0:
            yield dump.close()
        else:
            self._open.append(dump)

    def _looks_whole(self, end: int, prefix: int, line_end: int, size: int) -> bool:
        """Whether the rows at hand stand where the size puts them, so that waiting for the rest is worth it."""
        second = end + _row_start(1, prefix, line_end) + prefix
        if size <= _ROW or second + 6 > len(self._buffer):
            return not self._ended
        return self._buffer.startswith(b"0010: ", second)

    def _prefix_length(self) -> int:
        """How many characters a program put before this title on its line; its rows have as many."""
        start = self._buffer.rfind(b"\n", 0, self._pos) + 1
        before = self._buffer[start : self._pos]
        return 0 if self._patterns["begin"].search(before) else len(before)

    def _interrupted(self) -> Iterator[Dump]:
        """A record stands where a row was due: the dump is over unless its next row follows soon."""
        for dump in list(self._open):
            due = b"%04x: " % dump.next
            if self._buffer.find(due, self._pos, self._pos + 4000) < 0:
                self._open.remove(dump)
                self.account.cut_dumps += 1
                yield dump.close()

    def _row(self, found: re.Match[bytes]) -> Iterator[Dump]:
        offset = int(found.group(1), 16)
        pairs = found.group(2) or b""
        for dump in self._open:
            if dump.next == offset:
                dump.add(pairs)
                if dump.next >= dump.size:
                    self._open.remove(dump)
                    yield dump.close()
                return

    # -- all else --------------------------------------------------------------------------------------------------

    def _line_at_hand(self) -> bool:
        end = self._buffer.find(b"\n", self._pos)
        return end >= 0 or len(self._buffer) - self._pos > _LINE_KEPT

    def _other(self) -> Iterator[Item]:
        """One line, or the part of it before a record or a title: a row, a blank, a prefix, a foreign line."""
        buffer, pos = self._buffer, self._pos
        newline = buffer.find(b"\n", pos)
        stop = len(buffer) if newline < 0 else newline
        if stop - pos > _LINE_KEPT:
            stop = pos + _LINE_KEPT
            newline = -1
        account = self.account
        begin = self._patterns["begin"].search(buffer, pos, stop)
        if begin is not None and begin.start() == pos:
            yield from self._damaged(pos, stop)
            return
        upto = stop if begin is None else begin.start()
        part = buffer[pos:upto]
        row = self._row_in(part) if self._open or self._line_start else None
        whole_line = self._line_start and begin is None
        if row is not None and self._open:
            taken = row.end()
            shown = len(bytes.fromhex((row.group(2) or b"").decode("ascii")))
            ascii_column = re.match(rb" *: ?", part[taken:])
            if ascii_column is not None:
                taken = min(len(part), taken + ascii_column.end() + shown)
            yield from self._row(row)
            rest = part[taken:].strip()
            upto = pos + taken if rest else upto
            account.dump_bytes += upto - pos
        elif not part.strip():
            account.blank_bytes += len(part)
        elif whole_line and (untagged := self._patterns["untagged"].match(part)) is not None:
            found = self._patterns["untagged"].match(buffer, pos)
            assert found is not None and untagged is not None
            yield from self._record(found)
            return
        elif row is not None and row.group(2) and part[row.end() : row.end() + 51].lstrip().startswith(b":"):
            account.dump_bytes += len(part)  # a dump's row whose title was cut off
        elif begin is not None:
            account.record_bytes += len(
                part
            )  # a program's prefix, or the end of what it printed without a newline
        else:
            account.foreign_bytes += len(part)
            account.foreign_lines += self._line_start
            if self._line_start and len(account.foreign) < 20:
                account.foreign.append((self._line, _decode(part[:200])))
        self._pos = upto
        self._line_start = False
        if upto == stop and newline >= 0 and stop == newline:
            account.blank_bytes += 1
            self._line += 1
            self._line_start = True
            self._pos += 1

    def _row_in(self, part: bytes) -> re.Match[bytes] | None:
        """The row that the line holds, behind whatever prefix."""
        at = self._patterns["row"].match(part)
        if at is not None or not self._open:
            return at
        for dump in self._open:
            due = part.find(b"%04x:" % dump.next)
            if due >= 0 and (due == 0 or not part[due - 1 : due].isalnum()):
                return self._patterns["row"].match(part, due)
        return None

    def _damaged(self, pos: int, stop: int) -> Iterator[Item]:
        """A tag that no known context follows: cut off, or printed by somebody else. Or an arrow that is no title."""
        found = self._patterns["rest"].match(self._buffer, pos)
        end = min(stop, found.end()) if found is not None else pos + 3
        text = self._buffer[pos:end].rstrip(b"\r")
        self.account.records += 1
        self.account.record_bytes += end - pos
        if end == len(self._buffer) and self._ended:
            self.account.cut_at_end = True
        yield from self._flush_run()
        yield Record(self._line, None, "Unknown", _decode(text))
        self._pos = end
        self._line_start = False
        if self._buffer[end : end + 1] == b"\n":
            self.account.record_bytes += 1
            self._line += 1
            self._line_start = True
            self._pos += 1


_COLOUR = re.compile(rb"\x1b\[[0-9;:?]{0,40}[ -/]{0,4}[@-~]")


def _without_colours(block: bytes, reader: Reader) -> bytes:
    clean = _COLOUR.sub(b"", block)
    reader.account.blank_bytes += len(block) - len(clean)
    return clean


def _decode(text: bytes | None) -> str:
    if not text:
        return ""
    text = text[:_TEXT_KEPT]
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("latin-1")


def read(chunks: Iterable[bytes], *, fold: bool = True) -> Reader:
    """The items of a trace; see `Reader`."""
    return Reader(chunks, fold=fold)


__all__: list[Any] = ["Account", "Dump", "Item", "Reader", "Record", "Retry", "Run", "read"]
