"""Whole lines of a transfer, read as numpy arrays: what each line says by its shape, and when.

A line without its digits is its shape; a transfer has some thirty shapes. Once the `Reader` has taught `Shapes` a line,
all lines of its shape are read without a look at each:

    [libssh2] 0.861779 Conn: channel_read() wants 9 bytes from channel 0/0 stream #0
    [libssh] . Conn: channel_read() wants  bytes from channel / stream #

A shape gives the characters between the digits. That the digits are in their places is checked eight bytes at a time:
each word below is eight bytes of the block as one integer, the first byte lowest, so that one operation of numpy works
on eight characters of every line.

numpy is imported here alone, and only when lines are read: small traces never need it.
"""

import re
from collections.abc import Container
from itertools import repeat
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from tracelens.libssh2.repeats import DATA_RECEIVED, EAGAIN, HANDSHAKE, POLLS, SFTP_DATA, SFTP_PACKET
from tracelens.reader.patterns import DIGITS, decoded
from tracelens.reader.repeats import MICROSECONDS, RESTART, Retry, Run

_KEPT = 4096
_TAG = b"[libssh2] "
_NEWLINE = 10
_BYTE = 8  # bits
_SHORTEST = 26  # a shape of at least so many characters is long enough for a clock, wherever it is
_WIDEST = 8  # digits of the seconds; with more, microseconds and seconds no longer fit a float
# The word ".000000 ". XOR with it turns the digits "0" to "9" into 0 to 9, and the dot and the blank into 0.
_MICROS = int.from_bytes(b".000000 ", "little")
# Added to that, a byte overflows into its highest bit unless it is a digit (0x76 + 9 = 0x7f), a dot or a blank.
_OVER_MICROS = int.from_bytes(b"\x7f\x76\x76\x76\x76\x76\x76\x7f", "little")
_HIGH = 0x8080808080808080
# An error -37 whose number is the only one in it.
_RETRIED = re.compile(rb"Failure Event: ?-(%d) - [^0-9]*\Z" % -EAGAIN)
_STDERR = b"1"  # the last digit of the number of its stream
_TYPED = re.compile(rb"[^0-9]*(?=%s)[^0-9]*(103)" % SFTP_DATA.pattern)


class TextShape(Struct, frozen=True):
    """What all lines of one shape say.

    `name` is the event's, `context` libssh2's. If a number decides what a line is, `number` are its digits, `at` is
    their place after the clock, and `digits` is how many digits may follow the clock in all, 0 for any. A line that
    ends with `not_last` is another one. `message` is the text of an error -37, `length` that of the whole shape.
    """

    name: str
    context: str
    head: int  # characters before the text: the context, and what ends it
    tail: int = 0  # carriage returns at the line's end
    number: bytes = b""
    at: int = 0
    digits: int = 0
    not_last: bytes = b""
    message: str | None = None
    length: int = 0


class Lines(Struct, frozen=True):
    """Consecutive lines, each a record with a clock. All arrays have one entry for each line.

    `codes` are indices into `Shapes.all`, `times` seconds, `texts` the places in `block` where "Context: text" begins,
    `ends` those of the newlines; `first` is the line number of the first one.
    """

    block: bytes
    codes: Any
    times: Any
    texts: Any
    ends: Any
    shapes: "Shapes"
    first: int = 0

    def __len__(self) -> int:
        return len(self.codes)

    def upto(self, count: int) -> "Lines":
        """The first lines."""
        if count == len(self):
            return self
        arrays = (self.codes[:count], self.times[:count], self.texts[:count], self.ends[:count])
        return Lines(self.block, *arrays, self.shapes, self.first)

    @property
    def length(self) -> int:
        """Their length in bytes."""
        return int(self.ends[-1]) + 1 if len(self) else 0

    def text(self, line: int) -> bytes:
        """The "Context: text" of one line."""
        return self.block[int(self.texts[line]) : int(self.ends[line])].rstrip(b"\r")

    def fold(self, run: Run, first: int) -> int:
        """Adds the lines to a run, up to where another session may begin; returns how many.

        Args:
            run: the open run.
            first: the number of the first line.
        """
        times, shapes = self.times, self.shapes
        if run.ended is not None and times[0] < run.ended - RESTART:
            return 0
        fallen = times[1:] < times[:-1] - RESTART
        count = int(fallen.argmax()) + 1 if fallen.any() else len(self)
        for code in shapes.handshakes:
            if shapes.all[code].message not in run.retries and (found := self.codes == code).any():
                count = min(count, int(found.argmax()))
        if count:
            run.join(self.upto(count)._run(first, run.counts))
        return count

    def _run(self, first: int, known_names: Container[str]) -> Run:
        """The lines as a run of their own; only names that are not known are counted in order of appearance."""
        import numpy as np

        codes, times, known = self.codes, self.times, self.shapes.all
        count = len(codes)
        run = Run(first, float(times[0]), first + count - 1, float(times[-1]), on_last_line=1)
        tally = np.bincount(codes)
        present = tally.nonzero()[0].tolist()
        if any(known[code].name not in known_names for code in present):
            firsts = np.empty(len(tally), np.intp)
            firsts[codes[::-1]] = np.arange(count - 1, -1, -1)
            present.sort(key=firsts.__getitem__)
        for code in present:
            name = known[code].name
            run.counts[name] = run.counts.get(name, 0) + int(tally[code])
        self._add_retries({code: known[code] for code in present}, run, first)
        moving = self.shapes.moving()[codes]
        if moving.any():
            run.moved = float(times[count - 1 - int(moving[::-1].argmax())])
        last = known[int(codes[-1])]
        run.waiting, run.last_text = last.message, decoded(self.text(count - 1)[last.head :])
        return run

    def _add_retries(self, shapes: dict[int, TextShape], run: Run, first: int) -> None:
        """Counts the errors -37 by text, and the pauses after them."""
        import numpy as np

        times = self.times
        places: dict[str, Any] = {}
        for code, shape in shapes.items():
            if (message := shape.message) is None:
                continue
            found = (self.codes == code).nonzero()[0]
            places[message] = np.union1d(places[message], found) if message in places else found
        for message in sorted(places, key=lambda message: int(places[message][0])):
            found = places[message]
            paused = found[:-1] if found[-1] == len(times) - 1 else found
            pauses = np.rint((times[paused + 1] - times[paused]) * MICROSECONDS).astype(np.int64)
            total = int(np.maximum(pauses, 0).sum())
            run.retries[message] = Retry(len(found), total, first + int(found[0]), first + int(found[-1]))


class Shapes:
    """The shapes that the reader has taught so far."""

    def __init__(self) -> None:
        self.all: list[TextShape] = [TextShape("", "", 0)]  # 0: not known
        self.handshakes: list[int] = []
        self._codes: dict[bytes, int] = {}
        self._moving: Any = None

    def learn(self, line: bytes, whole: bytes, context: str, name: str, *, numbers: bool = True) -> None:
        """Learns a line that is one record with a clock and nothing else.

        Args:
            line: the line.
            whole: its "Context: text".
            context: its context.
            name: its event's name.
            numbers: whether lines with another number in the place that decides are excluded.
        """
        # Removing digits could make a tag or an arrow out of something else.
        if len(self.all) >= _KEPT or b"[libssh" in whole or b"=> " in whole:
            return
        head = len(context) + 2 if whole[len(context) + 1 : len(context) + 2] == b" " else len(context) + 1
        tail = len(line) - len(line.rstrip(b"\r"))
        shape = TextShape(name, context, head, tail)
        if not numbers:
            pass
        elif context == "Failure Event":
            found = _RETRIED.match(whole)
            if found is None:
                return
            message = decoded(whole.partition(b" - ")[2])
            shape = TextShape(name, context, head, tail, found[1], found.start(1), 2, message=message)
        elif name == SFTP_PACKET:
            found = _TYPED.match(whole)
            if found is None:
                return
            shape = TextShape(name, context, head, tail, found[1], found.start(1))
        elif name == DATA_RECEIVED:
            shape = TextShape(name, context, head, tail, not_last=_STDERR)
        key = line.translate(None, DIGITS)
        if key not in self._codes and len(key) >= _SHORTEST:
            self._codes[key] = len(self.all)
            if shape.message is not None and HANDSHAKE.search(shape.message):
                self.handshakes.append(len(self.all))
            self.all.append(replace(shape, length=len(key)))
            self._moving = None

    def moving(self) -> Any:
        """For each code, whether its lines are something other than polling."""
        import numpy as np

        if self._moving is None:
            self._moving = np.array([shape.name not in POLLS for shape in self.all])
        return self._moving

    def read(self, block: bytes) -> Lines | None:
        """The lines at the beginning of the block, up to the first one whose shape is not known."""
        import numpy as np

        shapes = block.translate(None, DIGITS).split(b"\n")
        count = len(shapes) - 1
        codes = np.fromiter(map(self._codes.get, shapes, repeat(0)), np.intp, count)
        if count and not codes.min():
            count = int(codes.argmin())
            codes = codes[:count]
        width = block.find(b".", len(_TAG), len(_TAG) + _WIDEST + 1) - len(_TAG)
        if not count or width <= 0:
            return None
        ends = (np.frombuffer(block, np.uint8) == _NEWLINE).nonzero()[0][:count]
        dots = np.empty_like(ends)
        dots[0], dots[1:] = 0, ends[:-1]
        dots += len(_TAG) + width + 1
        dots[0] -= 1
        words = np.ndarray((len(block) - 7,), "<u8", block, 0, (1,))  # the word at each place of the block
        seconds, right = self._seconds(block, words[dots - 8], width)
        micros = words[dots]
        micros ^= _MICROS
        right &= (((micros + _OVER_MICROS) | micros) & _HIGH) == 0
        micros >>= _BYTE
        micros <<= 2 * _BYTE
        seconds += _number(micros)
        lines = Lines(block, codes, seconds / 1_000_000, dots + 8, ends, self)
        for code in np.bincount(codes).nonzero()[0].tolist():
            if self.all[code].number:
                right &= self._has_number(lines, code, width, words)
            if end := self.all[code].not_last:
                last = np.frombuffer(block, np.uint8)[ends - 1 - self.all[code].tail]
                right &= (codes != code) | (last != end[0])
        if right.all():
            return lines
        count = int(right.argmin())
        return lines.upto(count) if count else None

    @staticmethod
    def _seconds(block: bytes, before: Any, width: int) -> tuple[Any, Any]:
        """The seconds of each clock in microseconds, and whether a tag and digits are before its dot.

        `before` is the word before each dot. It changes so seldom that only the first of equal ones is parsed.
        """
        import numpy as np

        change = (before[1:] != before[:-1]).nonzero()[0] + 1
        firsts = np.concatenate((np.zeros(1, np.intp), change))
        tag = _TAG[width - 8 :] if width < 8 else b""
        values, good = [], []
        for word in before[firsts].tolist():
            text = word.to_bytes(8, "little")
            good.append(text.startswith(tag) and text[len(tag) :].isdigit())
            values.append(int(text[len(tag) :]) * 1_000_000 if good[-1] else 0)
        lengths = np.diff(firsts, append=len(before))
        return np.repeat(np.array(values, "<u8"), lengths), np.repeat(np.array(good), lengths)

    def _has_number(self, lines: Lines, code: int, width: int, words: Any) -> Any:
        """Which lines have the number of this shape, or another shape."""
        import numpy as np

        shape = self.all[code]
        right = lines.codes != code
        of_it = (~right).nonzero()[0]
        places = lines.texts[of_it] + shape.at
        size = len(shape.number)
        found = words[np.minimum(places + size - 7, len(words) - 1)]  # the number, and one byte after it
        good = found >> np.uint64(8 * (7 - size)) & ((1 << 8 * size) - 1) == _word(shape.number)
        after = found >> np.uint64(56)
        good &= (after < 48) | (after > 57)
        if shape.digits:  # no other digits
            whole = shape.length + 1 + width + 6 + shape.digits
            good &= lines.ends[of_it] - lines.texts[of_it] == whole - len(_TAG) - width - 8
        right[of_it] = good
        return right


def _word(text: bytes) -> int:
    return int.from_bytes(text, "little")


def _number(words: Any) -> Any:
    """The number in each word of eight digits (0 to 9, not their characters), the first one lowest.

    Each step joins neighbours: the lower half times its base plus the upper half ends up in the upper one's place.
    """
    words *= 10 * (1 << 8) + 1
    words >>= 8
    words &= 0x00FF00FF00FF00FF  # four numbers of two digits
    words *= 100 * (1 << 16) + 1
    words >>= 16
    words &= 0x0000FFFF0000FFFF  # two numbers of four digits
    words *= 10_000 * (1 << 32) + 1
    words >>= 32
    return words
