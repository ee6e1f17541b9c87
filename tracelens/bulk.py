"""Whole lines of a transfer by the hundred thousand, as arrays: what each says by its shape, and when.

A line without its digits is its shape; a transfer has some thirty of them. What the plain reader (`records`) has
learned of one line, `Shapes` tells of all lines of that shape, so that a block of them is read without a look at each:

    [libssh2] 0.861779 Conn: channel_read() wants 9 bytes from channel 0/0 stream #0
    [libssh] . Conn: channel_read() wants  bytes from channel / stream #

Alone imports numpy, and only when asked for lines: small traces never need it.
"""

import re
from dataclasses import dataclass
from itertools import repeat
from typing import Any

from tracelens.framing import decoded
from tracelens.runs import DATA, EAGAIN, HANDSHAKE, POLLS, RESTART, TYPED, Retry, Run

DIGITS = b"0123456789"
WINDOW = 1 << 18  # what the processor's cache holds is read fastest
_KEPT = 4096
_TAG = b"[libssh2] "
_WIDEST = 8  # digits of the seconds; with more, microseconds and seconds no longer fit a float
# An error -37 whose number is the only one in it.
_RETRIED = re.compile(rb"Failure Event: ?-(%d) - [^0-9]*\Z" % -EAGAIN)
_TYPED = re.compile(rb"[^0-9]*(?=%s)[^0-9]*(103)" % DATA.pattern)


@dataclass(frozen=True, slots=True)
class Shape:
    """What all lines of one shape say.

    `name` is the event's, `context` libssh2's. Where a number decides what a line is, `number` are its digits and `at`
    is where they stand after the clock; `digits` is then the number of digits that may stand there, 0 for any.
    `message` is that of an error -37.
    """

    name: str
    context: str
    head: int  # characters before the text: the context, and what ends it
    number: bytes = b""
    at: int = 0
    digits: int = 0
    message: str | None = None


@dataclass(frozen=True)
class Lines:
    """Lines one after the other, each a record with a clock. All arrays have an entry a line.

    `codes` are indices into `Shapes.all`, `times` seconds, `texts` where "Context: text" begins in `block`, `ends`
    where its newline stands.
    """

    block: bytes
    codes: Any
    times: Any
    texts: Any
    ends: Any

    def __len__(self) -> int:
        return len(self.codes)

    def upto(self, count: int) -> "Lines":
        """The first lines."""
        if count == len(self):
            return self
        return Lines(self.block, self.codes[:count], self.times[:count], self.texts[:count], self.ends[:count])

    @property
    def length(self) -> int:
        """How many bytes they are."""
        return int(self.ends[-1]) + 1 if len(self) else 0

    def text(self, line: int) -> bytes:
        """One of them: "Context: text"."""
        return self.block[int(self.texts[line]) : int(self.ends[line])].rstrip(b"\r")

    def fold(self, shapes: "Shapes", run: Run, first: int) -> int:
        """Folds the lines into a run, as if they had come one by one; `first` is the number of the first one.

        Gives how many were taken: all up to where another session may begin, see `runs`.
        """
        import numpy as np

        before = np.empty_like(self.times)
        before[0], before[1:] = self.times[0] if run.ended is None else run.ended, self.times[:-1]
        anew = self.times < before - RESTART
        count = int(anew.argmax()) if anew.any() else len(self)
        present = {int(code): shapes.all[code] for code in np.flatnonzero(np.bincount(self.codes))}
        for code, shape in present.items():
            said = shape.message
            if said is not None and said not in run.retries and HANDSHAKE.search(said.encode()):
                count = min(count, int((self.codes == code).argmax()))
        if count:
            self.upto(count)._fold(present, run, first)
        return count

    def _fold(self, shapes: dict[int, Shape], run: Run, first: int) -> None:
        import numpy as np

        codes, times = self.codes, self.times
        run.pause(float(times[0]))
        tally = np.bincount(codes)
        places = {code: int((codes == code).argmax()) for code in shapes if code < len(tally) and tally[code]}
        messages: dict[str, list[int]] = {}
        for code in sorted(places, key=places.__getitem__):
            shape = shapes[code]
            run.counts[shape.name] = run.counts.get(shape.name, 0) + int(tally[code])
            if shape.message is not None:
                messages.setdefault(shape.message, []).append(code)
        pauses = np.maximum(np.diff(times), 0.0)
        for message, same in messages.items():
            said = np.flatnonzero(np.isin(codes, same))
            retry = run.retries.setdefault(message, Retry(0, 0.0, first + int(said[0]), 0))
            retry.count += len(said)
            retry.last_line = first + int(said[-1])
            # One after the other, so that the sum is to the last bit that of the plain reader.
            waited = np.concatenate(([retry.waited], pauses[said[: len(said) - (said[-1] == len(codes) - 1)]]))
            retry.waited = float(np.cumsum(waited)[-1])
        moving = np.isin(codes, [code for code in places if shapes[code].name not in POLLS])
        if moving.any():
            run.moved = float(times[len(codes) - 1 - int(moving[::-1].argmax())])
        last = shapes[int(codes[-1])]
        run.last_line, run.ended, run.waiting = first + len(codes) - 1, float(times[-1]), last.message
        run.last_text = decoded(self.text(len(codes) - 1)[last.head :])


class Shapes:
    """The shapes that are known so far: what the plain reader taught."""

    def __init__(self) -> None:
        self.all: list[Shape] = [Shape("", "", 0)]  # 0: not known
        self._codes: dict[bytes, int] = {}

    def learn(self, line: bytes, whole: bytes, context: str, name: str) -> None:
        """Takes a line that is one record and nothing else, with a clock; `whole` is its "Context: text"."""
        # A tag or an arrow that only a digit makes one would end the text.
        if len(self.all) >= _KEPT or b"[libssh" in whole or b"=> " in whole:
            return
        head = len(context) + 2 if whole[len(context) + 1 : len(context) + 2] == b" " else len(context) + 1
        shape = Shape(name, context, head)
        if context == "Failure Event":
            found = _RETRIED.match(whole)
            if found is None:
                return
            message = decoded(whole.partition(b" - ")[2])
            shape = Shape(name, context, head, found[1], found.start(1), 2, message)
        elif name == TYPED:
            found = _TYPED.match(whole)
            if found is None:
                return
            shape = Shape(name, context, head, found[1], found.start(1))
        key = line.translate(None, DIGITS)
        if key not in self._codes:
            self._codes[key] = len(self.all)
            self.all.append(shape)

    def read(self, block: bytes) -> Lines | None:
        """The lines at the block's begin that are of known shapes, as far as they go without a break."""
        import numpy as np

        shapes = block.translate(None, DIGITS).split(b"\n")
        count = len(shapes) - 1
        codes = np.fromiter(map(self._codes.get, shapes, repeat(0)), np.int32, count)
        if count and not codes.min():
            count = int(codes.argmin())
            codes = codes[:count]
        width = block.find(b".", len(_TAG), len(_TAG) + _WIDEST + 1) - len(_TAG)
        if not count or width <= 0:
            return None
        ends = np.flatnonzero(np.frombuffer(block, np.uint8) == 10)[:count]
        starts = np.empty_like(ends)
        starts[0], starts[1:] = 0, ends[:-1] + 1
        dots = starts + (len(_TAG) + width)
        words = np.ndarray((len(block) - 7,), "<u8", block, 0, (1,))  # the eight bytes at each place
        seconds, micros = words[dots - 8], words[dots]
        # A shape says what stands between the digits; that they stand where they should has to be seen.
        right = words[starts + 2] == _word(_TAG[2:])
        right &= (micros & 0xFF000000000000FF) == _word(b".\0\0\0\0\0\0 ")
        shift = np.uint64(8 * (8 - width))
        seconds = (seconds >> shift) << shift
        micros = (micros >> np.uint64(8)) << np.uint64(16)
        right &= _all_digits(seconds, 8 * (8 - width)) & _all_digits(micros, 16)
        times = (_number(seconds) * 1_000_000 + _number(micros)) / 1_000_000
        lines = Lines(block, codes, times, dots + 8, ends)
        for code in np.flatnonzero(np.bincount(codes)):
            if self.all[code].number:
                right &= self._has_number(lines, int(code), starts)
        if right.all():
            return lines
        count = int(right.argmin())
        return lines.upto(count) if count else None

    def _has_number(self, lines: Lines, code: int, starts: Any) -> Any:
        """Which lines are not of this shape, or have its number."""
        import numpy as np

        shape = self.all[code]
        chars = np.frombuffer(lines.block, np.uint8)
        right = np.ones(len(lines), bool)
        of_it = np.flatnonzero(lines.codes == code)
        places = lines.texts[of_it] + shape.at
        good = np.ones(len(of_it), bool)
        for offset, digit in enumerate(shape.number):
            good &= chars[np.minimum(places + offset, len(chars) - 1)] == digit
        after = chars[np.minimum(places + len(shape.number), len(chars) - 1)]
        good &= (after < 48) | (after > 57)
        if shape.digits:  # no other digits
            key = next(key for key, known in self._codes.items() if known == code)
            width = lines.texts[of_it] - starts[of_it] - len(_TAG) - 8
            good &= lines.ends[of_it] - starts[of_it] - len(key) == 1 + width + 6 + shape.digits
        right[of_it] = good
        return right


def _word(text: bytes) -> int:
    return int.from_bytes(text, "little")


def _all_digits(words: Any, unused: int) -> Any:
    """Whether all bytes of each word but the lowest `unused` bits are ASCII digits."""
    mask = (1 << 64) - (1 << unused)
    import numpy as np

    high = words & np.uint64(0xF0F0F0F0F0F0F0F0 & mask) == np.uint64(0x3030303030303030 & mask)
    low = (words + np.uint64(0x0606060606060606 & mask)) & np.uint64(0xF0F0F0F0F0F0F0F0 & mask)
    return high & (low == np.uint64(0x3030303030303030 & mask))


def _number(words: Any) -> Any:
    """The numbers that eight ASCII digits each are; what stands before the first digit is zero."""
    import numpy as np

    pairs = ((words & np.uint64(0x0F0F0F0F0F0F0F0F)) * np.uint64(2561)) >> np.uint64(8)
    fours = ((pairs & np.uint64(0x00FF00FF00FF00FF)) * np.uint64(6553601)) >> np.uint64(16)
    return ((fours & np.uint64(0x0000FFFF0000FFFF)) * np.uint64(42949672960001)) >> np.uint64(32)
