"""A line number of its own for each item, so that line numbers say which item came first."""

from tracelens.libssh2.events import Event
from tracelens.reader import Dump, Item, Run

# Where items share a line, a line and a number on it are kept as one integer: there may be millions.
_NUMBERS = 1 << 32


class Places:
    """Gives each item a place: its line, or the next free number where items share a line.

    The order of events decides which error was recovered from, and a trace without newlines between its records has
    many on one line. In most traces the places are the lines themselves.
    """

    def __init__(self) -> None:
        self.last = 0
        self._lines: dict[int, int] = {}  # place -> line and number on it, where the place is not the line
        self._alone: Item | None = None  # the last item, if it is at its own line
        self._line = self._on_line = 0  # else the line that it ends on, and how many records begin on it
        self._shared: set[int] = set()  # lines on which several records begin

    def line_of(self, place: int) -> int:
        """The line of the input at a place."""
        return self._lines.get(place, place * _NUMBERS) // _NUMBERS

    def record_of(self, place: int) -> int | None:
        """Which record of its line is at a place, counted from 1; None where a line has one record at most."""
        line, number = divmod(self._lines.get(place, place * _NUMBERS + 1), _NUMBERS)
        return number if line in self._shared else None

    @property
    def moved(self) -> int:
        """How many items begin on a line on which another one ends: no newline separates them."""
        return len(self._lines)

    def put(self, item: Item) -> Item:
        """The item at its place, after the items before it."""
        if isinstance(item, Run):
            line, last = item.first_line, max(item.first_line, item.last_line)
        else:
            line = last = item.line
        if line > self.last:
            self.last, self._alone = last, item
            return item
        number = self._count(item, line, last)
        place = self.last + 1
        self.last = max(place, last)
        if isinstance(item, Run):
            self._lines[self.last] = last * _NUMBERS + self._on_line
        self._lines[place] = line * _NUMBERS + number
        if isinstance(item, Event):
            return Event(place, item.time, item.context, item.name, item.fields, item.text)
        if isinstance(item, Dump):
            item.line = place
            return item
        item.first_line = place
        item.last_line = self.last
        for retry in item.retries.values():
            retry.first_line, retry.last_line = place, self.last
        return item

    def _count(self, item: Item, line: int, last: int) -> int:
        """The number of an item among the records that begin on its line."""
        before, self._alone = self._alone, None
        if isinstance(before, Run):
            self._line, self._on_line = max(before.first_line, before.last_line), before.on_last_line
        elif before is not None:
            self._line, self._on_line = before.line, 1
        if line == self._line:
            self._shared.add(line)
        else:
            self._line, self._on_line = line, 0
        number = self._on_line + 1
        if isinstance(item, Run):
            if last != line:
                self._line, self._on_line = last, 0
            self._on_line += item.on_last_line
            if item.on_last_line > 1:
                self._shared.add(last)
        else:
            self._on_line = number
        return number
