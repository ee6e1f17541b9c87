"""Lines that a mail program or a terminal wrapped at its width: each continuation is joined to the line it belongs to.

A line is joined only if it is as long as a wrapped one must be, and if libssh2 prints a text like the joined one: a
program's own line after a record is no continuation. After joined lines come as many empty ones as were joined, so that
all others keep their numbers.
"""

import re
from collections.abc import Iterator

from msgspec import Struct

from tracelens.inputs.unwrap.trace_lines import Undo, by_lines

NAME = "wrapped lines"
_NARROWEST, _WIDEST = 30, 200
_QUOTE = re.compile(rb"(?:> ?)*")
# What begins a record, a title or a row, behind a program's prefix or none.
_BEGIN = re.compile(rb"\[libssh2\] |=> (?:lib)?ssh2_\w|(?<![0-9A-Za-z.])[0-9a-fA-F]{4,8}: +[0-9A-Fa-f]{2}(?: |$)")
_PREFIX_KEPT = 100
_RECORD = re.compile(rb"\[libssh2\] ")
_TEXT = re.compile(rb"\[libssh2\] (?:\d{1,12}\.\d{1,6} )?([A-Z][A-Za-z]+(?: [A-Z][a-z]+)?): ?(.*)", re.DOTALL)
_TITLE = re.compile(rb"=> (?:lib)?ssh2_\w")
_WHOLE_TITLE = re.compile(rb"=> (?:lib)?ssh2_\w+(?:\(\))?(?: [a-z]+2?(?:\(\))?)? \(\d+ bytes\)")
_ROW = re.compile(rb"[0-9a-fA-F]{4,8}: +[0-9A-Fa-f]{2}(?: |$)")
_PAIRS = re.compile(rb"[0-9a-fA-F]{4,8}: +((?:[0-9A-Fa-f]{2} +){1,16})(: ?)?")
_LIST = re.compile(rb"[\w@.+-]*(?:,[\w@.+-]+)+,?")
# So many wrapped lines leave no doubt; with fewer, libssh2's own texts must say that two lines are one.
_ENOUGH = 4
_SHARE = 0.8
_LONGEST = 1 << 13
_DIGITS = b"0123456789"


class Width(Struct, frozen=True):
    """Where lines were wrapped: at which column, within words or between them; `sure` if many lines show it."""

    columns: int
    within_words: bool
    sure: bool

    def may_go_on(self, line: bytes, following: bytes) -> bool:
        """Whether the line is so long that the following one may belong to it."""
        if self.within_words:
            return self.columns - 1 <= _length(line) <= self.columns
        return _length(line) + 1 + _length(following.split(None, 1)[0]) > self.columns


def find(head: bytes) -> Undo | None:
    """The function that joins wrapped lines if the lines of a trace are as long as wrapped ones."""
    width = _width([line[_quote(line) :].rstrip(b"\r") for line in head.split(b"\n")])
    return None if width is None else lambda blocks: _undo(blocks, width)


def _start(line: bytes) -> int:
    """Where the record, title or row of a line begins, else what follows the marks of a quoted mail."""
    begin = _BEGIN.search(line, 0, _PREFIX_KEPT)
    return begin.start() if begin is not None else _quote(line)


def _quote(line: bytes) -> int:
    """The length of the marks before a quoted line of a mail."""
    found = _QUOTE.match(line)
    return found.end() if found is not None else 0


def _length(line: bytes) -> int:
    """In characters."""
    return len(line) if line.isascii() else len(line.decode("utf-8", "replace"))


def _begins(line: bytes) -> bool:
    """Whether a record, a title or a row begins in the line."""
    return _BEGIN.search(line, 0, _PREFIX_KEPT) is not None


def _width(lines: list[bytes]) -> Width | None:
    """The width at which the lines were wrapped; None if nothing shows that they were."""
    ends = []  # of lines that may go on: their length, that of the following word, and the line without its digits
    longest = longest_of_words = 0
    within = False
    for line, following in zip(lines, [*lines[1:], b""], strict=True):
        within = _begins(line) or (within and bool(line.strip()))
        if not within:
            continue
        longest = max(longest, _length(line))
        if len(line.split(None, 2)) > 1:
            longest_of_words = max(longest_of_words, _length(line))
        if following.strip() and not _begins(following):
            ends.append((_length(line), _length(following.split(None, 1)[0]), line.translate(None, _DIGITS)))
    # Lines of one text are of one length anyway.
    exact = [text for size, _, text in ends if longest - 1 <= size <= longest]
    if len(set(exact)) > 1 and _is_likely(longest, len(exact), len(ends)):
        return Width(longest, True, len(set(exact)) >= _ENOUGH)
    fitting = [text for size, word, text in ends if size + 1 + word > longest_of_words]
    if fitting and _is_likely(longest_of_words, len(fitting), len(ends)):
        return Width(longest_of_words, False, len(set(fitting)) >= _ENOUGH)
    return None


def _is_likely(columns: int, count: int, total: int) -> bool:
    """Whether lines are wrapped at such a width, and most that go on are as long as that."""
    return _NARROWEST <= columns <= _WIDEST and count >= _SHARE * total


def _undo(blocks: Iterator[bytes], width: Width) -> Iterator[bytes]:
    joiner = _Joiner(width)
    for block in by_lines(blocks):
        yield b"".join(map(joiner.add, block.removesuffix(b"\n").split(b"\n")))
    yield joiner.end()


class _Joiner:
    """Joins lines as they come."""

    def __init__(self, width: Width) -> None:
        self._width = width
        self._line: bytes | None = None  # which may go on
        self._last = b""  # its last part
        self._missing = 0  # empty lines to come

    def add(self, line: bytes) -> bytes:
        """What is complete when this line comes."""
        line = line.rstrip(b"\r")
        part = line[_quote(line) :]
        whole = self._joined(part)
        if whole is not None:
            self._line, self._last = whole, part
            self._missing += 1
            return b""
        out = b"" if self._line is None else self._line + b"\n"
        if self._missing and _ROW.match(part[_start(part) :]) is None:
            out, self._missing = out + b"\n" * self._missing, 0
        self._line, self._last = line, part
        return out

    def end(self) -> bytes:
        """The last line."""
        return b"" if self._line is None else self._line + b"\n" * (1 + self._missing)

    def _joined(self, part: bytes) -> bytes | None:
        """The line with this part, None if it does not belong to it."""
        if self._line is None or not part.strip() or _begins(part) or len(self._line) > _LONGEST:
            return None
        line = self._line[_start(self._line) :]
        if not self._width.may_go_on(self._last, part) and not _ends_before_characters(line):
            return None
        if _ROW.match(line) is not None:
            belongs = _lacks_characters(line)
        elif _TITLE.match(line) is not None:
            belongs = _WHOLE_TITLE.match(line) is None
        else:
            belongs = _RECORD.match(line) is not None
        if not belongs:
            return None
        blank = b"" if self._width.within_words and _length(self._last) == self._width.columns else b" "
        for between in dict.fromkeys((blank, b" ", b"")):
            if _RECORD.match(line) is None or _is_text(line, part, between, self._width.sure):
                return self._line + between + part
        return None


def _lacks_characters(row: bytes) -> bool:
    """Whether the column of characters of a row is not there as a whole."""
    found = _PAIRS.match(row + b" ")
    return found is None or found[2] is None or len(row) - found.end() < len(found[1].split())


def _ends_before_characters(line: bytes) -> bool:
    """Whether a row ends where its column of characters begins."""
    found = _PAIRS.match(line + b" ")
    return found is not None and found[2] is not None and found.end() >= len(line)


def _is_text(line: bytes, part: bytes, between: bytes, sure: bool) -> bool:
    """Whether libssh2 prints a text like the joined one, rather than the line alone."""
    from tracelens.libssh2 import events, messages

    whole, alone = _TEXT.match(line + between + part), _TEXT.match(line)
    if whole is None or alone is None:
        return whole is not None or sure
    context, text, start = whole[1].decode(), whole[2].decode("latin-1"), alone[2].decode("latin-1")
    if context == messages.ERRORS:
        text, start = text.partition(" - ")[2], start.partition(" - ")[2]
        if messages.error_texts(text):
            return True
        begins = any(row.text.casefold().startswith(text.casefold()) for row in messages.rows() if row.kind == "error")
        return begins or (sure and not messages.error_texts(start))
    name, _ = events.parse(context, text)
    name_alone, _ = events.parse(context, start)
    if name.endswith(".unknown"):
        return sure and name_alone.endswith(".unknown")
    return name != name_alone or sure or start.endswith((":", ": ")) or _LIST.fullmatch(part) is not None
