"""What a reader keeps of a trace beside its items: what its bytes were, and what was seen of its kinds of records."""

import re

from msgspec import Struct, field

_TITLES_KEPT = 64
FOREIGN_KEPT = 20
SHAPES_DATED = 2_000  # a real trace has a few hundred
# Limits, which no trace of a program at work comes near. Beyond them records are counted and no longer told one by one:
# where there are more than so many, and one more for so many bytes, those whose like has come so often before;
_TOLD, _BYTES_TOLD, LIKE = 50_000, 128, 1_000
# and where there are more wordings than so many, and one more for so many bytes, those of further wordings.
_READ, _BYTES_READ = 8_000, 2_048
# Limits grow by so many bytes at once: what is told and what is counted come in stretches, not in turns.
_STEP = 1 << 20
UNREAD, COUNTED = "unread", "failure_event.counted"
UNKNOWN = ".unknown"  # ends the names of events whose text no grammar knows
_SHAPES_KEPT = 20_000
_ZEROS = bytes.maketrans(b"123456789", b"0" * 9)
_DIGIT_RUN = re.compile(rb"[0-9]+")

Shape = bytes  # of a text: the text without its digits, but for a Failure Event, where its number counts


class Account(Struct):
    """What the bytes of a trace were: record, dump, blank and foreign bytes add up to `bytes`.

    `counted` counts records and empty dumps that were beyond the limits: they are in no item but a `Run`.
    `cut_at_end` and `open_end` say that the last record or dump is incomplete,
    or that the last line is. `shapes` has one text of each shape (text with its numbers masked), for dating the
    library.
    """

    bytes: int = 0
    record_bytes: int = 0
    dump_bytes: int = 0
    blank_bytes: int = 0
    foreign_bytes: int = 0
    lines: int = 0
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
    last_line_open: bool = False

    def add_title(self, title: str) -> None:
        """Keeps a dump's title."""
        if len(self.titles) < _TITLES_KEPT:
            self.titles[title] = None

    def add(self, more: "Account") -> None:
        """Takes the account of what comes right after the lines of this one."""
        self.foreign += [(line + self.lines, text) for line, text in more.foreign][: FOREIGN_KEPT - len(self.foreign)]
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(more, name))
        self.contexts |= more.contexts
        for title in more.titles:
            self.add_title(title)
        for shape, text in more.shapes.items():
            if len(self.shapes) < SHAPES_DATED:
                self.shapes.setdefault(shape, text)
        self.cut_at_end |= more.cut_at_end
        self.last_line_open = more.last_line_open
        # A trace without any newline ends like that by nature; one with lines was cut, or lost its last newline.
        self.open_end = self.last_line_open and self.lines * 4 > self.records


_SUMS = (
    "bytes", "record_bytes", "dump_bytes", "blank_bytes", "foreign_bytes", "lines", "records", "dumps",
    "foreign_lines", "counted",
)  # fmt: skip


class Seen(Struct):
    """What a reader remembers of the records that it has read: how many of which kind, for its limits.

    `kinds` has for each shape the event's name and whether it is folded, `like` the records by event name, errors by
    text, `told` their sum, `read` how many wordings were new; `bytes` is the size of earlier parts of the input.
    `alike` has texts with zeros for digits, whose like was read: where the numbers have as many digits there is no
    need to look closer.
    """

    kinds: dict[Shape, tuple[str, bool]] = field(default_factory=dict)
    like: dict[str, int] = field(default_factory=dict)
    told: int = 0
    read: int = 0
    bytes: int = 0
    alike: set[Shape] = field(default_factory=set)

    def tells(self, more: int) -> bool:
        """Whether no more was told than an input of so many more bytes has to tell."""
        return self.told <= _TOLD + (self.bytes + more) // _STEP * _STEP // _BYTES_TOLD

    def reads(self, more: int) -> bool:
        """Whether there were no more shapes than an input of so many more bytes has."""
        return self.read <= _READ + (self.bytes + more) // _STEP * _STEP // _BYTES_READ

    def remember(self, shape: Shape, name: str, folded: bool) -> None:
        """Takes the event's name of a shape that was read."""
        if len(self.kinds) > _SHAPES_KEPT:
            self.kinds.clear()
            self.alike.clear()
        self.kinds[shape] = name, folded

    def affords(self, text: Shape, name: str, more: int) -> bool:
        """Whether a text is like one before but for the values of its numbers, or may be read by its grammar."""
        zeros = text.translate(_ZEROS)
        if zeros in self.alike:
            return True
        layout = _DIGIT_RUN.sub(b"0", text)
        if layout not in self.kinds:
            if not self.reads(more):
                return False
            self.read += 1
            self.kinds[layout] = name, False
        if len(self.alike) > _SHAPES_KEPT:
            self.alike.clear()
        self.alike.add(zeros)
        return True

    def takes(self, name: str, what: str, more: int) -> bool:
        """Counts one more record of an event; whether it is told, or there are too many.

        Args:
            name: the event's.
            what: by what it is counted: an error by its text.
            more: as for `tells`.
        """
        like = self.like[what] = self.like.get(what, 0) + 1
        # One that nothing knows tells no more than that it is there.
        if name == UNREAD or (like > LIKE and (name.endswith(UNKNOWN) or not self.tells(more))):
            return False
        self.told += 1
        return True

    def add(self, part: "Seen") -> None:
        """Takes what was seen in the part that follows; its `bytes` are its own."""
        self.read += sum(shape not in self.kinds for shape in part.kinds)
        self.kinds |= part.kinds
        for name, count in part.like.items():
            self.like[name] = self.like.get(name, 0) + count
        self.told += part.told
        self.bytes += part.bytes
