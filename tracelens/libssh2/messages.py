"""The texts that libssh2 can print, their meaning, and the releases that print them.

`messages.tsv` beside this module lists every message from libssh2 1.0 to its main branch ("head"): kind, context or
error name, code, printf format, first and last version, source files. It gives the numbers of an error text
(`error_texts`, `codes_for`) and the age of the library behind a trace (`versions`, `Dating`); `readings` adds what
experience says of errors. The list is read on first use; a format is compiled when a text begins like it.
"""

import re
from collections.abc import Iterable
from functools import cache, lru_cache
from pathlib import Path

from msgspec import Struct

Span = tuple[str, str]
"""The first and the last release of something, both as in `ORDER`."""

ORDER: tuple[str, ...] = (
    *("1.0", "1.1", "1.2", "1.2.1", "1.2.2", "1.2.3", "1.2.4", "1.2.5", "1.2.6", "1.2.7", "1.2.8", "1.2.9"),
    *("1.3.0", "1.4.0", "1.4.1", "1.4.2", "1.4.3", "1.5.0", "1.6.0", "1.7.0", "1.8.0", "1.8.1", "1.8.2"),
    *("1.9.0", "1.10.0", "1.11.0", "1.11.1", "head"),
)
"""The releases from oldest to newest; "head" is the main branch after the last of them."""

DUMP = "dump"
"""The context under which titles of hex dumps are listed, such as `libssh2_transport_write plain`."""

ERRORS = "Failure Event"

_RANK = {version: rank for rank, version in enumerate(ORDER)}
_CODED = re.compile(r"(-?[0-9]{1,9}) - (.*)", re.DOTALL)
_CONVERSION = re.compile(r"%[-+ #0]*(?:\d+|\*)?(?:\.(?:\d+|\*))?(?:hh|ll|[hlzjt])?([diuxXcsop%])|%")
_FITS = {
    "d": "-?[0-9]+",
    "i": "-?[0-9]+",
    "u": "[0-9]+",
    "o": "[0-7]+",
    "x": "[0-9a-f]+",
    "X": "[0-9A-F]+",
    "p": r"(?:0x[0-9a-f]+|\(nil\)|\(null\)|[0-9A-Fa-f]{8,16})",
    "c": ".",
    "s": ".*",
    "%": "%",
    None: "-?[0-9]+",  # a conversion spelled as a macro, of which the list keeps the percent sign only
}


class Row(Struct, frozen=True):
    """One message of libssh2's source."""

    kind: str  # `debug`, `error` or `dump`
    context: str  # the subsystem of a debug text, the name of an error (`any`: the number is a variable)
    code: int | None  # the error's number, None where any number may come with the text
    text: str  # the printf format
    first: str  # the first release that has it
    last: str  # the last one
    sources: str  # the C files that print it


@cache
def rows() -> tuple[Row, ...]:
    """Return all messages, in the order of the list."""
    lines = Path(__file__).with_name("messages.tsv").read_text(encoding="utf-8").splitlines()
    found = []
    for line in lines[1:]:
        kind, context, code, text, first, last, sources = line.split("\t")
        number = int(code) if code else 0 if context == "LIBSSH2_ERROR_NONE" else None
        text = text.replace('\\"', '"').replace("\\n", "").rstrip()
        found.append(Row(kind, context, number, text, first, last, sources))
    return tuple(found)


@cache
def _errors() -> dict[str, list[Row]]:
    """Error text in lower case -> its rows. No error text has a conversion in it."""
    found: dict[str, list[Row]] = {}
    for row in rows():
        if row.kind == "error":
            found.setdefault(row.text.casefold(), []).append(row)
    return found


def error_texts(text: str) -> list[Row]:
    """Return the messages with this error text; several if its number differs between releases."""
    return list(_errors().get(text.strip().casefold(), ()))


def error_text_in(text: str) -> str | None:
    """Return the longest error text of libssh2 within `text`, as libssh2 spells it.

    Error texts of less than a dozen characters ("Unknown", "Would block") must be all of it.
    """
    exact = error_texts(text)
    if exact:
        return exact[0].text
    folded = text.casefold()
    inside = [known for known in _errors() if len(known) >= 12 and known in folded]
    return _errors()[max(inside, key=len)][0].text if inside else None


def error_texts_in(text: str) -> list[str]:
    """Return the error texts of libssh2 within `text`, in their order, without those that are part of a longer one.

    Error texts of less than a dozen characters ("Unknown", "Would block") must be all of it.
    """
    exact = error_texts(text)
    if exact:
        return [exact[0].text]
    folded = text.casefold()
    spans = []
    for known in _errors():
        if len(known) >= 12 and known in folded:
            end = folded.rfind(known) + len(known)
            spans.append((end - len(known), end, known))
    whole = [one for one in spans if not any(a <= one[0] and one[1] <= b and (a, b) != one[:2] for a, b, _ in spans)]
    return [_errors()[known][0].text for _, _, known in sorted(whole)]


def codes_for(text: str) -> tuple[int | None, ...]:
    """Return the numbers that libssh2's source has for an error text; None among them: any number."""
    found = {row.code for row in error_texts(text)}
    return tuple(sorted(found, key=lambda code: (code is None, -(code or 0))))


def texts_for(code: int) -> list[str]:
    """Return the error texts that have this number in libssh2's source, each once."""
    return list(dict.fromkeys(row.text for row in rows() if row.kind == "error" and row.code == code))


class Reading(Struct, frozen=True):
    """What an error text means together with certain numbers."""

    codes: tuple[int, ...]  # the numbers; empty for any
    text: str  # a pattern that the whole text must match, in any case; empty for any text with these numbers
    means: tuple[str, ...]  # what it means
    iris: tuple[str, ...]  # what to do in IRIS or Caché, in ObjectScript's words
    c: tuple[str, ...]  # what to do in any other program, in libssh2's words
    see: tuple[str, ...]  # the findings that it leads to, the likeliest first


def readings(code: int | None, text: str) -> list[Reading]:
    """Return what is known about an error text and its number.

    A number alone explains little (one text comes with many numbers, one number with many texts), so the readings of
    the pair count, and those of the number only where there are none. Error -37 means the same with any text.

    Args:
        code: the number, None if only the text is known.
        text: the text, empty if only the number is known.
    """
    numbers = {code} if code is not None else set(codes_for(text))
    alone = [known for known in _readings() if not known.text and numbers.intersection(known.codes)]
    if code == -37 or not text:
        return alone
    pairs = [
        known
        for known in _readings()
        if known.text
        and (not known.codes or code is None or code in known.codes)
        and re.fullmatch(known.text, text.strip(), re.IGNORECASE)
    ]
    return pairs or alone


@cache
def _readings() -> tuple[Reading, ...]:
    import tomllib  # takes 7 ms, which only `explain` needs

    data = tomllib.loads(Path(__file__).with_name("error_readings.toml").read_text(encoding="utf-8"))

    def texts(*values: str | list[str]) -> tuple[str, ...]:
        lines = [line for value in values for line in ([value] if isinstance(value, str) else value)]
        return tuple(re.sub(r"\$([a-z0-9-]+)", lambda phrase: data["phrases"][phrase[1]], line) for line in lines)

    return tuple(
        Reading(
            tuple(entry.get("codes", ())),
            entry.get("text", ""),
            texts(entry["means"]),
            texts(entry.get("iris", []), entry.get("both", [])),
            texts(entry.get("c", []), entry.get("both", [])),
            tuple(entry["see"]),
        )
        for entry in data["reading"]
    )


def printed(code: int | None, text: str) -> list[str]:
    """Return in words which numbers and releases a text is printed with, or which texts have a number."""
    if text:
        fitting = [row for row in error_texts(text) if code is None or row.code in (None, code)]
        return [
            f"{'With whatever number came from further down,' if row.code is None else f'With {row.code}'} "
            f"{years(row.first, row.last)}, in {row.sources.replace(',', ', ')}"
            for row in fitting
        ]
    texts = texts_for(code) if code is not None else []
    more = [f"and {len(texts) - 6} more"] if len(texts) > 6 else []
    return [f"With its own texts: {'; '.join(texts[:6] + more)}"] if texts else []


def years(first: str, last: str) -> str:
    """Return a span of releases in words."""
    if last == "head":
        return "on the main branch only" if first == "head" else f"since {first}"
    return f"in {first} only" if first == last else f"from {first} to {last}"


@cache
def _pattern(text: str) -> re.Pattern[str]:
    """Return the pattern of all texts that a printf format prints."""
    parts, end = [], 0
    for conversion in _CONVERSION.finditer(text):
        parts += [re.escape(text[end : conversion.start()]), _FITS[conversion[1]]]
        end = conversion.end()
    return re.compile("".join([*parts, re.escape(text[end:]), r"\s*"]), re.DOTALL)


class _Index(Struct):
    """The formats of one context: by whole text, and by the literal text before the first conversion."""

    exact: dict[str, Span]
    begins: dict[str, list[Row]]
    lengths: tuple[int, ...] = ()


@cache
def _indexes() -> dict[str, _Index]:
    found: dict[str, _Index] = {}
    for row in rows():
        if row.kind == "error":
            continue
        index = found.setdefault(DUMP if row.kind == "dump" else row.context, _Index({}, {}))
        conversion = _CONVERSION.search(row.text)
        if conversion is None:
            index.exact[row.text] = _join(index.exact.get(row.text), row)
        elif row.text != "%d - %s":
            index.begins.setdefault(row.text[: conversion.start()], []).append(row)
    for index in found.values():
        index.lengths = tuple(sorted({len(begin) for begin in index.begins}, reverse=True))
    return found


def _join(span: Span | None, row: Row) -> Span:
    """Return the span from the earlier first release to the later last one."""
    if span is None:
        return row.first, row.last
    return min(span[0], row.first, key=_RANK.__getitem__), max(span[1], row.last, key=_RANK.__getitem__)


@lru_cache(maxsize=4096)  # traces of an archive say the same
def versions(context: str, text: str) -> Span | None:
    """Return the first and the last libssh2 release that can have printed this text.

    Where several formats match, all their releases count, but a format that begins with `%s`, and so matches nearly
    anything, counts only if no other one matches.

    Args:
        context: `Transport`, `Key Ex`, ... as the trace names it, or `DUMP` for the title of a hex dump.
        text: a real text (no masked digits), for `Failure Event` with its number: `-37 - Would block`.

    Returns:
        The two releases as in `ORDER`, None where no release is known to print it.
    """
    text = text.rstrip()
    coded = _CODED.fullmatch(text) if context == ERRORS else None
    if coded:
        code, text = int(coded[1]), coded[2].strip()
        span = None
        for row in error_texts(text):
            if row.code in (None, code) and row.text == text:
                span = _join(span, row)
        return span
    index = _indexes().get(context)
    if index is None:
        return None
    span = index.exact.get(text)
    text += " "  # a format may end in an empty value
    for length in index.lengths:
        if length == 0 and span:
            break
        for row in index.begins.get(text[:length], ()):
            if _pattern(row.text).fullmatch(text):
                span = _join(span, row)
    return span


def narrow(spans: Iterable[Span]) -> tuple[str | None, str | None]:
    """Return the first and the last release that all spans have in common.

    (None, None) where there is no span, or none in common, as in a file that several libraries wrote to.
    """
    known = list(spans)
    if not known:
        return None, None
    first = max((span[0] for span in known), key=_RANK.__getitem__)
    last = min((span[1] for span in known), key=_RANK.__getitem__)
    return (first, last) if _RANK[first] <= _RANK[last] else (None, None)


class Dating:
    """Dates one trace by its wording: `see` its distinct texts, then read `versions`."""

    __slots__ = ("spans",)

    def __init__(self) -> None:
        self.spans: set[Span] = set()

    def see(self, context: str, text: str) -> None:
        """Take one text into account, as the function `versions` does; an unknown one changes nothing."""
        span = versions(context, text)
        if span:
            self.spans.add(span)

    @property
    def versions(self) -> tuple[str | None, str | None]:
        """The first and the last release that can have printed all texts so far."""
        return narrow(self.spans)
