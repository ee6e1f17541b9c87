"""The frame of a trace as patterns over bytes, made from the terminals of `grammars/trace.lark`."""

import re
from functools import cache

from msgspec import Struct

from tracelens.libssh2 import grammar
from tracelens.libssh2.events import GRAMMARS

DIGITS = b"0123456789"
TEXT_KEPT = 1 << 16
_CUT_BEGINNING = re.compile(rb"\[[libsh2\]]{0,8} ?|=>? ?|=> (?:li?b?s?s?h?2?\w{0,40}|ss?h?2?\w{0,40})[^:]{0,40}")
_CUT_RECORD = re.compile(r"\[libssh2\] ?[0-9]*\.?[0-9]* ?([A-Z][A-Za-z ]*)?")


class Patterns(Struct, frozen=True):
    """The patterns of a trace's tokens, with their groups.

    `record`: clock, "Context: text", context, text. `untagged`: the same for lines that lost their tag. `title`: name,
    size. `row`: offset, hex digits. `begin`: where a record or a title begins. `rest`: a tag without a context, and
    the text after it. `damaged`: a run of consecutive `rest` matches.
    """

    record: re.Pattern[bytes]
    untagged: re.Pattern[bytes]
    title: re.Pattern[bytes]
    row: re.Pattern[bytes]
    begin: re.Pattern[bytes]
    rest: re.Pattern[bytes]
    damaged: re.Pattern[bytes]


@cache
def patterns() -> Patterns:
    """The patterns, compiled once per process."""
    starts = ["start", "record", "title", "row"]
    terminal = {t.name: t.pattern.to_regexp() for t in grammar.load("trace", start=starts).terminals}
    tag, clock, context, text = (terminal[name] for name in ("TAG", "CLOCK", "CONTEXT", "TEXT"))
    any_clock = f"{clock}|{terminal['SHORT_CLOCK']}"
    size = terminal["SIZE"].replace(r"\d{1,20}", r"(\d{1,20})")
    offset = terminal["OFFSET"].replace("[0-9a-f]{4,8}", "([0-9a-f]{4,8})")
    name, arrow = terminal["NAME"], terminal["ARROW"]
    sources = (
        f"{tag} (?:({any_clock}) )?(({context}):(?: )?({text})?)",
        f"[ \\t]*({clock}) (({context}):(?: )?({text})?)",
        f"{arrow}({name}){size}",
        f"{offset}({terminal['HEX']})?",
        f"{tag}|{arrow}(?={name}{terminal['SIZE']})",
        f"{tag}({text})?",
        f"(?:(?!{tag} (?:(?:{any_clock}) )?{context}:){tag}(?:{text})?\\n?)+",
    )
    return Patterns(*(re.compile(source.encode("latin-1")) for source in sources))


def is_cut_beginning(line: bytes) -> bool:
    """Whether the last line of a trace, which is no record, is the beginning of a record or of a title."""
    return _CUT_BEGINNING.fullmatch(line) is not None


def is_cut_record(record: str) -> bool:
    """Whether a record ends before its text begins."""
    found = _CUT_RECORD.fullmatch(record)
    return found is not None and any(context.startswith(found[1] or "") for context in GRAMMARS)


def decoded(text: bytes | None) -> str:
    """A text as UTF-8 if it is valid, else as Latin-1; longer than any text of libssh2 it is cut."""
    if not text:
        return ""
    text = text[:TEXT_KEPT]
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("latin-1")
