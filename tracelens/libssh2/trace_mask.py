"""The trace mask: what each bit collects, and which bits a purpose needs.

libssh2 takes the mask in `libssh2_trace()`, IRIS and Caché in `%Net.SSH.Session.SetTraceMask`.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct


class Bit(Struct, frozen=True):
    """One bit of the mask."""

    value: int  # the number to add
    context: str  # the subsystem's name in the trace
    c_name: str  # libssh2's constant
    collects: str  # what it writes
    without: str  # what stays unknown if it is off
    secrets: str = ""  # the secrets in what it writes; empty if there are none


class Purpose(Struct, frozen=True):
    """A question, and the smallest mask whose trace can answer it."""

    name: str
    mask: int
    answers: str


class Description(Struct, frozen=True):
    """What a mask collects, what it misses, and how to set it."""

    mask: int
    collected: tuple[Bit, ...]
    missing: tuple[Bit, ...]
    dumps: bool
    unused: int  # the part of the mask that no libssh2 release gives a meaning; bit 1 among it
    enough_for: tuple[str, ...]  # the purposes that it covers
    objectscript: str
    c_call: str

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets that a trace with this mask can hold, a line per subsystem."""
        return tuple(f"{bit.context}: {bit.secrets}" for bit in self.collected if bit.secrets)

    def to_json(self) -> dict[str, object]:
        """The description as plain data."""
        return {
            "mask": self.mask,
            "collects": [_bit_json(bit) | {"collects": bit.collects} for bit in self.collected],
            "misses": [_bit_json(bit) | {"without": bit.without} for bit in self.missing],
            "dumps": self.dumps,
            "secrets": list(self.secrets),
            "unused": self.unused,
            "enough_for": list(self.enough_for),
            "objectscript": self.objectscript,
            "c": self.c_call,
        }


_ROWS = [
    line.split("\t")
    for line in Path(__file__).with_name("trace_mask.tsv").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]
_BIT_ROWS, _PURPOSE_ROWS = [row for row in _ROWS if len(row) > 4], [row for row in _ROWS if len(row) == 4]

BITS = tuple(Bit(int(value), context, f"LIBSSH2_TRACE_{name}", *texts) for value, context, name, _, *texts in _BIT_ROWS)
ALL = sum(bit.value for bit in BITS)
_UNUSED_LOW_BIT = 1  # part of 511, the usual mask for "all but Socket"

PURPOSES = {name: Purpose(name, int(mask), answers) for mask, name, _, answers in _PURPOSE_ROWS}
"""The smallest mask for each purpose, cheapest first."""

_BIT_NAMES = {
    word: int(value)
    for value, context, name, others, *_ in _BIT_ROWS
    for word in (context.casefold().replace(" ", ""), name.casefold(), *others.split())
}
_PURPOSE_NAMES = {word: int(mask) for mask, name, others, _ in _PURPOSE_ROWS for word in (name, *others.split())}
_FILLER = {
    "a", "an", "and", "bit", "bits", "for", "in", "mask", "of", "or", "problem", "problems", "the", "trace", "with",
}  # fmt: skip
_NUMBER = r"0x[0-9a-f]{1,8}|[0-9]{1,10}"
_SEPARATORS = r"[\s,;|+]+"
_TWO_WORDS = r"\b(key[\s_-]?ex(?:change)?|failure[\s_-]event(?:s)?|host[\s_-]key|no[\s_-]dumps)\b"


def parse(text: str) -> int | None:
    """Return the mask that a user means.

    A single word that names a purpose is the purpose (`auth`: 142), and so is anything with the word "problem" or
    "for"; names in a list (`auth,error`), as in a trace (`Userauth`) and as in C are bits.

    Args:
        text: a number (`511`, `0x1ff`), names of bits in any of their spellings with `, | +` or blanks
            between, or a purpose.

    Returns:
        The mask, None if a word is unknown or there is none.
    """
    folded = re.sub(_TWO_WORDS, lambda found: re.sub(r"[\s_-]", "", found[0]), text.casefold().strip())
    words = [word for word in re.split(_SEPARATORS, folded.strip("\"'.?!")) if word]
    purposeful = any(word in {"for", "problem", "problems"} for word in words)
    words = [word for word in words if word not in _FILLER]
    purposeful |= len(words) == 1 and words[0] not in {"userauth", "authentication"}
    mask = 0
    for word in words:
        value = _value_of(word, purposeful)
        if value is None:
            return None
        mask |= value
    return mask if words else None


def _value_of(word: str, purposeful: bool) -> int | None:
    if re.fullmatch(_NUMBER, word):
        value = int(word, 0) if word.startswith("0x") else int(word)
        return value if value < 1 << 31 else None
    if word.startswith("libssh2_trace_"):
        return _BIT_NAMES.get(word.removeprefix("libssh2_trace_"))
    tables = (_PURPOSE_NAMES, _BIT_NAMES) if purposeful else (_BIT_NAMES, _PURPOSE_NAMES)
    return next((table[word] for table in tables if word in table), None)


def names() -> list[str]:
    """Return what `parse` accepts besides numbers, for hints after a typing error."""
    return [*PURPOSES, *(bit.context for bit in BITS), *(bit.c_name for bit in BITS)]


def describe(mask: int) -> Description:
    """Return what a mask collects, what it misses and how to set it."""
    collected = tuple(bit for bit in BITS if mask & bit.value)
    return Description(
        mask=mask,
        collected=collected,
        missing=tuple(bit for bit in BITS if not mask & bit.value),
        dumps=bool(mask & 2),
        unused=mask & ~ALL,
        enough_for=tuple(p.name for p in PURPOSES.values() if covers(mask, p.mask) and p.name != "no-dumps"),
        objectscript=objectscript(mask),
        c_call=c_call(mask),
    )


def covers(mask: int, needed: int) -> bool:
    """Return whether a trace with `mask` has everything that one with `needed` has."""
    return not needed & ~mask & ALL


def objectscript(mask: int, path: str = "/tmp/ssh.log") -> str:  # noqa: S108  the example that the manuals use
    """Return the line of ObjectScript that switches the trace on; it must come before `Connect`."""
    quoted = path.replace('"', '""')
    return f'Do SSH.SetTraceMask({mask},"{quoted}")'


def c_call(mask: int) -> str:
    """Return the C call that switches the trace on; libssh2 must be built with tracing (`LIBSSH2DEBUG`)."""
    words = [bit.c_name for bit in BITS if mask & bit.value]
    others = mask & ~(ALL | _UNUSED_LOW_BIT)
    if others:
        words.append(hex(others))
    return f"libssh2_trace(session, {' | '.join(words) or 0});"


def bits_of(contexts: Iterable[str]) -> int:
    """Return the sum of the bits of these subsystems; unknown names count nothing."""
    values = {bit.context: bit.value for bit in BITS}
    return sum(values.get(context, 0) for context in set(contexts))


def _bit_json(bit: Bit) -> dict[str, object]:
    return {"bit": bit.value, "name": bit.context, "c": bit.c_name, "secrets": bit.secrets or None}
