"""A trace's bytes -> its items in file order: events, dumps, and runs of repeated records.

Every byte is counted as record, dump, blank or foreign (`Account`).
"""

import re
from collections.abc import Container, Iterable, Iterator
from typing import TYPE_CHECKING, cast

from msgspec.structs import replace

from tracelens.libssh2 import events
from tracelens.libssh2.events import Event
from tracelens.libssh2.repeats import FAILURE, MULTILINE, is_repeated, is_singular
from tracelens.reader.dumps import Dump, Layout, PartialDump, is_cut
from tracelens.reader.framer import TAG, Framer
from tracelens.reader.patterns import DIGITS, TEXT_KEPT, decoded, is_cut_beginning, is_cut_record
from tracelens.reader.repeats import Run
from tracelens.reader.stats import COUNTED, MAX_REPEATS, UNKNOWN, UNREAD, Account, ShapeCache

if TYPE_CHECKING:
    from tracelens.reader.bulk import Lines, Shapes

# Items found in so many bytes are yielded together: fewer switches between reader and consumer keep the processor's
# caches warm.
_TOGETHER = 1 << 15
# Importing numpy takes longer than reading this many bytes without it.
_BULK_FROM = 1 << 20
# The smallest and the largest window of a bulk read, in bytes; the largest fits the processor's cache.
_SMALL, _WINDOW = 1 << 12, 1 << 17
# Records that are read one by one before the next bulk read; a bulk read of so many records was worth it.
_PATIENCE, _WORTH = 16, 64
_CONTINUED_LINES = 40
_NO_CONTEXT = "unknown.unknown"
Item = Event | Dump | Run


class Reader(Framer):
    """Iterates over the items of a trace, once.

    Args:
        chunks: the input's bytes, decompressed, in an ASCII-compatible encoding (`inputs.read_text`).
        fold: whether repeated records are counted in runs.
        bulk_from: after how many bytes whole lines are read in bulk (`bulk`).
        cache: what is known from earlier parts of the same input.

    `account` is complete when the iteration is. Damage of the input is raised after all items before it.
    """

    def __init__(
        self,
        chunks: Iterable[bytes],
        *,
        fold: bool = True,
        bulk_from: int = _BULK_FROM,
        cache: ShapeCache | None = None,
    ) -> None:
        super().__init__(chunks)
        self.cache = cache or ShapeCache()
        self._fold = fold
        self._line = 1
        self._time: float | None = None
        self._run: Run | None = None
        self._dump: PartialDump | None = None
        self._out: list[Item] = []
        self._but: Container[str] | None = None  # events that bulk reads leave out; None: bulk lines are not yielded
        self._shapes: Shapes | None = None
        self._taught: set[bytes] = set()
        self._bulk_from = bulk_from
        self._window = _SMALL
        self._streak, self._due = 0, _PATIENCE  # records since the last bulk read, and how many lead to the next

    def __iter__(self) -> Iterator[Item]:
        return cast(Iterator[Item], self._items())

    def with_lines(self, but: Container[str]) -> "Iterator[Item | Lines]":
        """Iterates with records in bulk where possible; those of the events named in `but` come one by one."""
        self._but = but
        return self._items()

    def _items(self) -> "Iterator[Item | Lines]":
        out, due, token = self._out, 0, self._token
        while token():
            if out and self.offset > due:
                yield from out
                out.clear()
                due = self.offset + _TOGETHER
            while self._streak >= self._due and self._may_read_in_bulk():
                yield from out
                out.clear()
                yield from self._bulk()
        self._flush_run()
        self.account.cut_at_end |= self._row_due >= 0
        self._end_dump(cut=True)
        yield from out
        account = self.account
        account.last_line_open = bool(account.bytes) and not self._line_start
        account.lines = self._line if account.last_line_open else self._line - 1
        account.add(Account(last_line_open=account.last_line_open))
        if self._damage is not None:
            raise self._damage

    # -- records ---------------------------------------------------------------------------------------------------

    def _record(self, found: re.Match[bytes]) -> None:
        clock, whole, context, text = found.group(1, 2, 3, 4)
        line, alone, size = self._line, self._line_start, found.end() - self._pos
        if whole.endswith(b"\r"):
            whole, text = whole.rstrip(b"\r"), (text or b"").rstrip(b"\r")
        if whole.startswith(MULTILINE):
            more = self._continued(size)
            size += more
            text = (text or b"") + self._buffer[self._pos + size - more : self._pos + size]
        buffer, begin = self._buffer, self._pos
        stop = begin + size
        while buffer[stop : stop + 1] == b"\r":
            stop += 1
        alone &= buffer[stop : stop + 1] == b"\n"
        if buffer[stop : stop + 1] == b"\n":
            self._line += 1
            stop += 1
        self._pos = stop
        self.account.record_bytes += stop - begin
        self.account.records += 1
        time = None if clock is None else float(clock)
        if time is not None:
            self._time = time
        begin = begin if alone and time is not None else -1
        self._add_record(line, time, context.decode(), decoded(text), whole, begin)

    def _add_record(self, line: int, time: float | None, context: str, text: str, whole: bytes, begin: int) -> None:
        """Makes an event of a record, or adds it to the run; `begin` is where its line begins if it has one alone."""
        # The number of a Failure Event decides what it is; in all other texts the numbers do not.
        shape = whole if context == "Failure Event" else whole.translate(None, DIGITS)
        known, parsed = self.cache.kinds.get(shape), None
        if known is None:
            known, parsed = self._new_shape(shape, context, text)
        name, repeated = known
        if repeated and self._fold and not is_singular(name, whole):
            self._streak += 1
            if begin >= 0:
                self._learn(shape, begin, whole, context, name)
            self._add_to_run(name, line, time, text)
            return
        if begin >= 0 and self._but is not None and name not in self._but:
            self._streak += 1
            if not whole.startswith(MULTILINE):
                self._learn(shape, begin, whole, context, name)
        counted = self._name_beyond_limits(name, whole, text)
        if counted:
            self._add_to_run(counted, line, time, text)
            return
        name, fields = parsed or events.parse(context, text)
        if self._run is not None:
            self._flush_run()
        self._out.append(Event(line, time, context, name, fields, text))

    def _continued(self, size: int) -> int:
        """How many bytes after the record's first `size` belong to it: the peer's text may contain newlines."""
        end = size
        if self._buffer[self._pos + size : self._pos + size + 1] not in (b"\n", b"\r"):
            return 0  # another record follows on the same line
        at = self._at
        for _ in range(_CONTINUED_LINES):
            while self._pos + end + TEXT_KEPT >= len(self._buffer) and self._more():
                pass
            newline = self._buffer.find(b"\n", self._pos + end)
            after = newline + 1
            if newline < 0 or after >= len(self._buffer):
                break
            stop = self._buffer.find(b"\n", after, after + TEXT_KEPT)
            following = self._buffer[after : len(self._buffer) if stop < 0 else stop]
            if not following.strip() or any(p.search(following) for p in (at.begin, at.untagged, at.row)):
                break
            end = after + len(following) - self._pos
            self._line += 1
        return end - size

    def _new_shape(self, shape: bytes, context: str, text: str) -> tuple[tuple[str, bool], events.Parsed | None]:
        """Parses the first text of a shape: the event's name, whether it is repeated, and the parsed text."""
        if self._fold and not self.cache.allows_texts(self.offset):
            return (UNREAD, False), None
        name, fields = parsed = events.parse(context, text)
        self.cache.texts += 1
        self.account.contexts.add(context)
        self.account.add_shape((context, shape), text)
        repeated = is_repeated(name, fields)
        self.cache.remember(shape, name, repeated)
        return (name, repeated), parsed

    def _name_beyond_limits(self, name: str, whole: bytes, text: str) -> str:
        """The name by which a record is counted if it is beyond the limits, else "".

        Args:
            name: the event's.
            whole: its context and text; empty where no grammar is to read it.
            text: its text.
        """
        if not self._fold:
            return ""
        if whole and name != UNREAD and not self.cache.allows(whole, name, self.offset):
            name = UNREAD
        if self.cache.count(name, text if name == FAILURE else name, self.offset):
            return ""
        self.account.counted += not name.endswith(UNKNOWN)
        return COUNTED if name == FAILURE else name

    def _add_to_run(self, name: str, line: int, time: float | None, text: str) -> None:
        run = self._run
        anew = run is not None and run.ends_before(name, time, text.partition(" - ")[2] if name == FAILURE else "")
        if anew:
            self._flush_run()
        if run is None or anew:
            run = self._run = Run(line, time, anew=anew)
        run.add(name, line, time, text)

    def _flush_run(self) -> None:
        self._streak = 0
        if self._run is not None:
            self._out.append(self._run)
            self._run = None

    # -- records in bulk -------------------------------------------------------------------------------------------

    def _may_read_in_bulk(self) -> bool:
        wanted = self._run is not None or self._but is not None
        return wanted and self._bulk_from <= self.account.bytes and self._line_start and self._row_due < 0

    def _bulk(self) -> "Iterator[Lines]":
        """Reads whole lines of known shapes in bulk, with the same result as `_record` for each of them."""
        buffer, begin = self._buffer, self._pos
        self._streak, self._due = 0, 1
        stop = buffer.rfind(b"\n", begin, begin + self._window) + 1
        if not stop:
            return
        block = buffer[begin:stop]
        if self._but is not None and not block.isascii():  # the encoding of a text is found one by one
            self._window, self._due = _SMALL, _PATIENCE
            return
        lines = self._shapes.read(block) if self._shapes is not None else None
        count = 0
        if lines is not None:
            count = len(lines) if self._run is None else lines.fold(self._run, self._line)
        if lines is not None and count:
            lines = lines.upto(count)
            if self._but is not None:
                yield replace(lines, first=self._line)
            self.account.records += count
            self.account.record_bytes += lines.length
            self._pos, self._line, self._time = begin + lines.length, self._line + count, float(lines.times[-1])
        # The next window is as large as what this read was good for.
        if self._pos == stop:
            self._window = min(2 * self._window, _WINDOW)
            self._due = 0
        else:
            self._window = min(max(2 * (self._pos - begin), _SMALL), _WINDOW)
            self._due = 1 if count >= _WORTH else _PATIENCE

    def _learn(self, shape: bytes, begin: int, whole: bytes, context: str, name: str) -> None:
        """Teaches the bulk reader the line that was read last; small traces do without numpy."""
        if self.account.bytes < self._bulk_from or shape in self._taught:
            return
        if self._shapes is None:
            from tracelens.reader.bulk import Shapes

            self._shapes = Shapes()
        self._taught.add(shape)
        line = self._buffer[begin : self._pos - 1]
        self._shapes.learn(line, whole, context, name, numbers=self._but is None)

    # -- dumps -----------------------------------------------------------------------------------------------------

    def _whole_dump(self, title: re.Match[bytes], rows: int, stop: int, end: bytes, layout: Layout) -> None:
        self._flush_run()
        self._end_dump(cut=True)
        name, size = self._title_of(title), int(title[2])
        self._out.append(Dump(self._line, self._time, name, size, self._buffer[rows:stop], layout))
        closed = self._buffer.startswith(end, stop)
        stop += len(end) if closed else 0
        self._line += self._buffer.count(b"\n", self._pos, stop)
        self.account.dump_bytes += stop - self._pos
        self._pos = stop

    def _open_dump(self, title: re.Match[bytes], stop: int) -> None:
        self._flush_run()
        self._end_dump(cut=True)
        self._dump = PartialDump(self._line, self._time, self._title_of(title), int(title[2]))
        self.account.dump_bytes += stop - self._pos
        self._pos = stop
        self._line += self._line_start

    def _title_of(self, title: re.Match[bytes]) -> str:
        name = title[1].decode()
        self.account.dumps += 1
        self.account.add_title(name)
        return name

    def _row(self, row: re.Match[bytes], column: int, stop: int, *, is_due: bool) -> None:
        if self._dump is not None:
            self._dump.add(int(row[1], 16), row[2] or b"", cut=is_cut(row, column))
        newline = self._buffer[stop - 1 : stop] == b"\n"
        self.account.dump_bytes += stop - newline - self._pos
        self.account.blank_bytes += newline
        self._line += newline
        self._pos = stop

    def _row_after(self, offset: int) -> int:
        return super()._row_after(offset) if self._dump is None else self._dump.due(offset)

    def _close_dump(self, *, cut: bool) -> None:
        """Yields the dump that is open; beyond `MAX_REPEATS`, those without any row are counted."""
        dump, self._dump = self._dump, None
        assert dump is not None
        if cut and self._fold and not dump.shows_a_row:
            repeats = self.cache.counts[dump.title] = self.cache.counts.get(dump.title, 0) + 1
            if repeats > MAX_REPEATS:
                self.account.counted += 1
                return
        self._out.append(dump)

    # -- all other bytes -------------------------------------------------------------------------------------------

    def _other_bytes(self, stop: int, *, prefix: bool) -> None:
        account, starts = self.account, self._line_start
        lines = self._buffer[self._pos : stop].split(b"\n")
        is_end, last = self._ended and stop == len(self._buffer), len(lines) - 1 - (lines[-1] == b"")
        for number, text in enumerate(lines):
            if not text.strip():
                account.blank_bytes += len(text)
                account.blank_lines += (starts or number > 0) and number < len(lines) - 1
            elif (starts or number) and self._row_due < 0 and self._is_row(text):
                account.dump_bytes += len(text)  # of a dump whose title was cut off
            elif prefix:
                account.record_bytes += len(text)
            else:
                account.foreign_bytes += len(text)
                if is_end and number >= last and is_cut_beginning(text):
                    account.cut_at_end = True
                elif starts or number:
                    account.add_foreign_line(self._line + number, decoded(text[:200]))
        account.blank_bytes += len(lines) - 1
        self._line += len(lines) - 1
        self._pos = stop

    def _is_row(self, line: bytes) -> bool:
        row = self._at.row.match(line)
        return row is not None and bool(row[2]) and line[row.end() : row.end() + 51].lstrip().startswith(b":")

    def _damaged(self, stop: int) -> None:
        while self._pos < stop:
            buffer, pos = self._buffer, self._pos
            if (
                self._run is not None
                and self.cache.counts.get(_NO_CONTEXT, 0) > MAX_REPEATS
                and buffer.count(TAG, pos, stop) > 1
            ):
                self._count_damaged(self._run, buffer[pos:stop])
                return
            found = self._at.rest.match(buffer, pos, stop)
            end = found.end() if found is not None else stop
            text = decoded(buffer[pos:end].rstrip(b"\r"))
            self.account.records += 1
            if self._ended and not buffer[end:].strip():
                self.account.cut_at_end |= end == len(buffer) or is_cut_record(text)
            if counted := self._name_beyond_limits(_NO_CONTEXT, b"", text):
                self._add_to_run(counted, self._line, None, text)
            else:
                self._flush_run()
                self._out.append(self._bare_event(text))
            newline = buffer[end : end + 1] == b"\n"
            self._line += newline
            self.account.record_bytes += end + newline - pos
            self._pos = end + newline

    def _bare_event(self, text: str) -> Event:
        """The event of a record without a context: an error if its text is one, else unknown."""
        line, before = self.account.foreign[-1] if self.account.foreign else (0, "")
        error = events.parse_bare_error(text, before if line == self._line - 1 else "")
        if error is None:
            return Event(self._line, None, "Unknown", _NO_CONTEXT, {}, text)
        self.account.contexts.add("Failure Event")
        return Event(self._line, None, "Failure Event", *error, text)

    def _count_damaged(self, run: Run, text: bytes) -> None:
        """Counts a series of tags without a context; hostile input can contain any number of them."""
        count, lines, last = text.count(TAG), text.count(b"\n"), text[text.rfind(TAG) :]
        run.counts[_NO_CONTEXT] = run.counts.get(_NO_CONTEXT, 0) + count
        run.last_line = self._line + lines - last.endswith(b"\n")
        run.last_text, run.waiting, run.on_last_line = decoded(last.rstrip(b"\r\n")), None, 1
        self.cache.counts[_NO_CONTEXT] += count
        self.account.records += count
        self.account.record_bytes += len(text)
        self._line += lines
        self._pos += len(text)


def read(chunks: Iterable[bytes], *, fold: bool = True) -> Reader:
    """The items of a trace; see `Reader`."""
    return Reader(chunks, fold=fold)
