"""A line number of its own for each item, so that line numbers say which item came first."""

from tracelens.libssh2.events import Event
from tracelens.reader import Dump, Item, Run


class Places:
    """Gives each item a place: its line, or the next free number where items share a line.

    The order of events decides which error was recovered from, and a trace without newlines between its records has
    many on one line. In most traces the places are the lines themselves.
    """

    def __init__(self) -> None:
        self.last = 0
        self._lines: dict[int, int] = {}  # place -> line, where they differ

    def line_of(self, place: int) -> int:
        """The line of the input at a place."""
        return self._lines.get(place, place)

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
            self.last = last
            return item
        place = self.last + 1
        self.last = max(place, last)
        self._lines[place] = line
        if isinstance(item, Event):
            return Event(place, item.time, item.context, item.name, item.fields, item.text)
        if isinstance(item, Dump):
            item.line = place
            return item
        item.first_line = place
        item.last_line = self.last
        self._lines[self.last] = line
        for retry in item.retries.values():
            retry.first_line, retry.last_line = place, self.last
        return item
