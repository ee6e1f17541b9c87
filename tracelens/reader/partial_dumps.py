"""Dumps whose rows do not stand in one piece: other lines come between them, or they do not fit the title."""

import re
from collections.abc import Iterator

from tracelens.reader.dumps import KEPT, ROW, Dump
from tracelens.reader.patterns import patterns
from tracelens.reader.stats import LIKE, Account, Seen


class _OpenDump:
    """A dump whose rows are read one by one, because something stands between them or they do not fit its title."""

    __slots__ = ("_broken", "_data", "line", "next", "size", "time", "title")

    def __init__(self, line: int, time: float | None, title: str, size: int) -> None:
        self.line, self.time, self.title, self.size = line, time, title, size
        self.next = 0  # the offset of the row that is due
        self._data = bytearray()
        self._broken = False

    def add(self, pairs: bytes) -> None:
        """Takes the hex digits of the row that is due; after a blank or short one, nothing more is kept."""
        if pairs and not self._broken and len(self._data) < KEPT:
            got = bytes.fromhex(pairs.decode("ascii"))[: self.size - self.next]
            self._data += got
            self._broken = len(got) < min(ROW, self.size - self.next)
        elif not pairs:
            self._broken = True
        self.next += ROW

    @property
    def shows_a_row(self) -> bool:
        """Whether a whole row was seen, or all of the dump."""
        return len(self._data) >= min(ROW, self.size)

    def close(self) -> Dump:
        """The dump, with the bytes that were seen."""
        return Dump(self.line, self.time, self.title, self.size, bytes(self._data), None)


class OpenDumps:
    """The dumps that wait for rows, in the order of their titles.

    Args:
        account: where those are counted that lack rows.
        seen: how often one without any row was told.
        fold: whether those without any row are told a few times only.
    """

    def __init__(self, account: Account, seen: Seen, *, fold: bool) -> None:
        self._account, self._seen, self._fold = account, seen, fold
        self._row = patterns().row
        self._waiting: list[_OpenDump] = []

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def open(self, line: int, time: float | None, title: str, size: int) -> Iterator[Dump]:
        """A title was read; a dump of no bytes is whole with it."""
        dump = _OpenDump(line, time, title, size)
        if size:
            self._waiting.append(dump)
        else:
            yield dump.close()

    def row_in(self, part: bytes) -> re.Match[bytes] | None:
        """The row that part of a line holds: at its beginning, or one that is due behind whatever prefix."""
        at = self._row.match(part)
        if at is not None:
            return at
        for dump in self._waiting:
            due = part.find(b"%04x:" % dump.next)
            if due >= 0 and (due == 0 or not part[due - 1 : due].isalnum()):
                return self._row.match(part, due)
        return None

    def take(self, found: re.Match[bytes]) -> Iterator[Dump]:
        """Gives a row to the dump that it is due in, and that dump when it is whole."""
        offset = int(found.group(1), 16)
        for dump in self._waiting:
            if dump.next == offset:
                dump.add(found.group(2) or b"")
                if dump.next >= dump.size:
                    self._waiting.remove(dump)
                    yield dump.close()
                return

    def interrupted(self, following: bytes) -> Iterator[Dump]:
        """A record stands where a row was due: a dump is over unless its next row is among what follows."""
        for dump in list(self._waiting):
            if b"%04x: " % dump.next not in following:
                self._waiting.remove(dump)
                yield from self._cut(dump)

    def give_up(self) -> Iterator[Dump]:
        """All of them, as far as they came."""
        waiting, self._waiting = self._waiting, []
        for dump in waiting:
            yield from self._cut(dump)

    def _cut(self, dump: _OpenDump) -> Iterator[Dump]:
        """A dump that lacks rows, or no more than its count where it shows not even one and too many do not."""
        self._account.cut_dumps += 1
        if self._fold and not dump.shows_a_row:
            like = self._seen.like[dump.title] = self._seen.like.get(dump.title, 0) + 1
            if like > LIKE:
                self._account.counted += 1
                return
        yield dump.close()


def row_length(part: bytes, row: re.Match[bytes]) -> int:
    """Where the row ends in its line: after a character a byte, if the column of characters is there."""
    shown = len(bytes.fromhex((row.group(2) or b"").decode("ascii")))
    column = re.match(rb" *: ?", part[row.end() :])
    return row.end() if column is None else min(len(part), row.end() + column.end() + shown)
