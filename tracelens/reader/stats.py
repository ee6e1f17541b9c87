"""What a reader keeps of a trace beside its items: counts of its bytes, and the shapes of its records."""

import re

from msgspec import Struct, field

FOREIGN_KEPT = 20
SAID_KEPT = 60
# What the lines have in which programs report an error of SSH, or what curl says of itself.
_SAYS = ("ssh", "SSH", "* ", "curl: (", "== Info: ", "[Session(", "[SFTP(")
_SHAPES_DATED = 2_000  # a real trace has a few hundred
_TITLES_KEPT = 64
# Limits that no real trace reaches; records beyond them are only counted. An input may have so many events, and one
# more for each so many bytes. Beyond that, only the first `MAX_REPEATS` of each name become events.
_EVENTS, _BYTES_AN_EVENT, MAX_REPEATS = 50_000, 128, 1_000
# It may have so many different texts, and one more for each so many bytes. Beyond that, new texts are not parsed.
_TEXTS, _BYTES_A_TEXT = 8_000, 2_048
_STEP = 1 << 20  # limits grow each time that so many bytes were read, so that events and counts do not alternate
UNREAD, COUNTED = "unread", "failure_event.counted"
UNKNOWN = ".unknown"  # ends the names of events whose text no grammar knows
_SHAPES_KEPT = 20_000
_ZEROS = bytes.maketrans(b"123456789", b"0" * 9)
_DIGIT_RUN = re.compile(rb"[0-9]+")

Shape = bytes  # a text without its digits; a Failure Event keeps them, because its number counts


class Account(Struct):
    """What the bytes of a trace were: record, dump, blank and foreign bytes add up to `bytes`.

    `counted` counts records and dumps without rows that were beyond the limits: only a `Run` has them. `cut_at_end`:
    the last record or dump is incomplete; `open_end`: the last line is. `shapes` has one text of each shape, for
    dating the library.
    """

    bytes: int = 0
    record_bytes: int = 0
    dump_bytes: int = 0
    blank_bytes: int = 0
    foreign_bytes: int = 0
    lines: int = 0
    blank_lines: int = 0
    records: int = 0
    dumps: int = 0
    foreign_lines: int = 0
    counted: int = 0
    cut_at_end: bool = False
    open_end: bool = False
    contexts: set[str] = field(default_factory=set)
    titles: dict[str, None] = field(default_factory=dict)
    shapes: dict[tuple[str, Shape], str] = field(default_factory=dict)
    foreign: list[tuple[int, str]] = field(default_factory=list)  # the first few, with their lines
    said: list[tuple[int, str]] = field(default_factory=list)  # of those in which a program may report an error
    last_line_open: bool = False

    def add_title(self, title: str) -> None:
        """Keeps a dump's title."""
        if len(self.titles) < _TITLES_KEPT:
            self.titles[title] = None

    def add_shape(self, shape: tuple[str, Shape], text: str) -> None:
        """Keeps a text of this context and shape, unless there is one."""
        if len(self.shapes) < _SHAPES_DATED:
            self.shapes.setdefault(shape, text)

    def add_foreign_line(self, line: int, text: str) -> None:
        """Counts a line that is no part of a trace; keeps the first few."""
        self.foreign_lines += 1
        if len(self.foreign) < FOREIGN_KEPT:
            self.foreign.append((line, text))
        if any(word in text for word in _SAYS):
            self.add_said(line, text)

    def add_said(self, line: int, text: str) -> None:
        """Keeps a line in which a program may report an error: the first of many, and the last one."""
        if len(self.said) < SAID_KEPT:
            self.said.append((line, text))
        else:
            self.said[-1] = (line, text)

    def add(self, more: "Account") -> None:
        """Adds the account of the part that follows."""
        self.foreign += [(line + self.lines, text) for line, text in more.foreign][: FOREIGN_KEPT - len(self.foreign)]
        for line, text in more.said:
            self.add_said(line + self.lines, text)
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(more, name))
        self.contexts |= more.contexts
        for title in more.titles:
            self.add_title(title)
        for shape, text in more.shapes.items():
            self.add_shape(shape, text)
        self.cut_at_end |= more.cut_at_end
        self.last_line_open = more.last_line_open
        # An unterminated last line means truncation, unless the whole trace has no newlines.
        self.open_end = self.last_line_open and self.lines * 4 > self.records


_SUMS = (
    "bytes", "record_bytes", "dump_bytes", "blank_bytes", "foreign_bytes", "lines", "blank_lines", "records",
    "dumps", "foreign_lines", "counted",
)  # fmt: skip


class ShapeCache(Struct):
    """What a reader remembers of the records that it has read, so that each shape is parsed once, and for its limits.

    `kinds` has for each shape the event's name and whether it is repeated. `similar` has texts within the limits, with
    zeros for digits. `counts` counts records by event name, errors by text; `events` is how many became events, `texts`
    how many texts were new; `bytes` is the size of earlier parts of the input.
    """

    kinds: dict[Shape, tuple[str, bool]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    events: int = 0
    texts: int = 0
    bytes: int = 0
    similar: set[Shape] = field(default_factory=set)

    def allows_events(self, offset: int) -> bool:
        """Whether there may be more events at this offset of the part that is read."""
        return self.events <= _EVENTS + (self.bytes + offset) // _STEP * _STEP // _BYTES_AN_EVENT

    def allows_texts(self, offset: int) -> bool:
        """Whether there may be more different texts at this offset."""
        return self.texts <= _TEXTS + (self.bytes + offset) // _STEP * _STEP // _BYTES_A_TEXT

    def remember(self, shape: Shape, name: str, repeated: bool) -> None:
        """Keeps the event's name of a shape that was parsed."""
        if len(self.kinds) > _SHAPES_KEPT:
            self.kinds.clear()
            self.similar.clear()
        self.kinds[shape] = name, repeated

    def allows(self, text: Shape, name: str, offset: int) -> bool:
        """Whether a text differs from an earlier one in the values of its numbers only, or may be parsed anew."""
        zeros = text.translate(_ZEROS)
        if zeros in self.similar:
            return True
        layout = _DIGIT_RUN.sub(b"0", text)
        if layout not in self.kinds:
            if not self.allows_texts(offset):
                return False
            self.texts += 1
            self.kinds[layout] = name, False
        if len(self.similar) > _SHAPES_KEPT:
            self.similar.clear()
        self.similar.add(zeros)
        return True

    def count(self, name: str, key: str, offset: int) -> bool:
        """Counts one more record; returns whether it becomes an event.

        Args:
            name: the event's name.
            key: what it is counted by: an error by its text.
            offset: where it is in the part that is read.
        """
        repeats = self.counts[key] = self.counts.get(key, 0) + 1
        if name == UNREAD or (repeats > MAX_REPEATS and (name.endswith(UNKNOWN) or not self.allows_events(offset))):
            return False
        self.events += 1
        return True

    def add(self, part: "ShapeCache") -> None:
        """Adds what was seen in the part that follows; its `bytes` are its own."""
        self.texts += sum(shape not in self.kinds for shape in part.kinds)
        self.kinds |= part.kinds
        for name, count in part.counts.items():
            self.counts[name] = self.counts.get(name, 0) + count
        self.events += part.events
        self.bytes += part.bytes
