"""What stands in a pasted text: whose lines they are, their numbers and names, and libssh2's own words.

read("curl: (2) Failure establishing ssh session: -12, ")  ->  a line of curl; curl's 2, and libssh2's -12
"""

import re
from collections.abc import Iterator

from msgspec import Struct

from tracelens.libssh2 import messages
from tracelens.reports.explain import numbers, tables
from tracelens.reports.explain.numbers import Number
from tracelens.reports.explain.tables import Program, Stage


class Paste(Struct, frozen=True):
    """What was found in a text."""

    text: str
    programs: tuple[Program, ...]  # the likeliest first
    numbers: tuple[Number, ...]
    words: str  # libssh2's own text in it, empty if there is none
    leftover: str  # a text of -37 beside the words
    stage: Stage | None

    @property
    def program(self) -> Program | None:
        """The program that printed it, None if unknown."""
        return self.programs[0] if self.programs else None

    def values(self, whose: str) -> list[int]:
        """The distinct numbers of an owner, in their order."""
        return list(dict.fromkeys(number.value for number in self.numbers if number.whose == whose))

    def named(self) -> dict[int, str]:
        """The numbers of libssh2 that stand there by their names."""
        return {one.value: one.written for one in self.numbers if one.written in numbers.libssh2_names()}

    @property
    def error(self) -> int | None:
        """The number of libssh2 that counts: the first that is neither -37 nor 0."""
        found = self.values("libssh2")
        return next((value for value in found if value not in (-37, 0)), found[0] if found else None)


_COMMON = frozenset(  # texts of libssh2 that other programs say too
    ("authentication failed", "internal error", "out of memory", "out of memory error", "memory allocation failed")
) | frozenset(("write failed", "failed to open file", "failed to get memory"))
_WAITS = re.compile(r"(?:Operation w|W|w)ould block(?! \w)")
_MINUS = re.compile("[\u2212\u2010-\u2013\ufe63\uff0d](?=[0-9])")


def read(text: str) -> Paste:
    """Find what is known in a text."""
    text = _MINUS.sub("-", text)
    programs = tuple(_programs(text))
    words, leftover = _words(text, any(program.over_libssh2 for program in programs))
    found = numbers.find(text, programs, words)
    if not programs and any(numbers.is_exception(number) for number in found):
        programs = tuple(program for program in tables.programs() if program.name.startswith("ssh2-python"))
    stage = next((stage for stage in tables.stages() if stage.pattern.search(text)), None)
    return Paste(text, programs, found, words, leftover, stage)


def waited(words: str) -> bool:
    """Whether this is a text of -37."""
    return words.casefold().startswith(("would block", "operation would block"))


def _programs(text: str) -> Iterator[Program]:
    """Find whose the text may be; a text that names libssh2's functions is of no other library."""
    surely = numbers.LIBSSH2.search(text)
    for program in tables.programs():
        if (program.over_libssh2 or not surely) and any(mark.search(text) for mark in program.marks):
            yield program


def _words(text: str, over_libssh2: bool) -> tuple[str, str]:
    """Find libssh2's text, the last one counts, and a text of -37 beside it."""
    found = [words for words in messages.error_texts_in(text) if over_libssh2 or _is_telling(words, text)]
    if not found and (waits := _WAITS.search(text)):
        found = [waits[0]]
    waiting = [words for words in found if waited(words)]
    telling = [words for words in found if not (waited(words) or _is_common(words))]
    last = (telling or waiting or found or [""])[-1]
    return last, "".join(waiting[-1:]) if last not in waiting else ""


def _is_telling(words: str, text: str) -> bool:
    """Whether it is a text of libssh2 alone, or nearly all of the paste."""
    return not _is_common(words) or len(words) * 3 > len(text.strip()) * 2


def _is_common(words: str) -> bool:
    return words.casefold() in _COMMON
