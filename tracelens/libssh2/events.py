"""Text of a record -> event: a name and typed fields.

    parse("Transport", "Packet type 94 received, length=41")
    -> ("transport.packet_received", {"type": 94, "length": 41})

The grammars define the messages (`grammars/common.lark` explains how to read them); this module knows none of them. A
trace of a million records has a thousand distinct texts and a hundred shapes (texts with their numbers masked), so most
texts are looked up in a table and never reach a parser.
"""

import re
from collections.abc import Callable, Mapping
from functools import cache

from msgspec import Struct

from tracelens.libssh2.grammar import Token, Tree, UnexpectedInput, load

Value = int | str | tuple[str, ...]
Parsed = tuple[str, Mapping[str, Value]]

GRAMMARS: Mapping[str, str] = {
    "Transport": "transport",
    "Key Ex": "key_ex",
    "Userauth": "userauth",
    "Conn": "conn",
    "SCP": "scp",
    "SFTP": "sftp",
    "Failure Event": "failure_event",
    "Publickey": "publickey",
    "Socket": "socket",
}
"""Trace contexts, in the order of their mask bits -> grammars."""
LOGS: Mapping[str, str] = {
    "log of OpenSSH": "sshd",
    "log of dropbear": "dropbear",
    "log of ProFTPD": "proftpd",
    "log of SFTPGo": "sftpgo",
    "log of rclone": "rclone",
}
"""The same for the texts of servers' logs, which are read in the same way; no trace has such a context."""

LONGEST = 64 * 1024  # characters of a text that are parsed; libssh2 itself stops at 1,535
KEPT = 16 * 1024  # distinct texts, and distinct shapes, in the tables


class Event(Struct, frozen=True):
    """A trace record, parsed."""

    line: int  # its line in the trace, counted from 1
    time: float | None  # seconds on the trace's own clock; None where the record has no stamp
    context: str  # libssh2's name of the subsystem, such as "Key Ex"
    # Grammar and message, such as "transport.banner_received"; "transport.unknown" where the grammar does not know the
    # text.
    name: str
    # The message's values by name. Equal texts share one mapping: read it, never write to it.
    fields: Mapping[str, Value]
    text: str  # the record's text as it was printed


class _TextShape(Struct, frozen=True):
    """How to read texts that differ in their digit runs only."""

    name: str  # the event's name
    fields: Mapping[str, Value]  # the fields of one text of this shape; those without digits are the same in every text
    numbers: tuple[tuple[str, int, int], ...]  # per decimal field its name, the index of its run, and its sign
    # Per other field with digit runs its name, its terminal, its pieces and the text after the last run. A piece is
    # the text before a run, the run's index, and the digits at the run's start that belong to the literal before the
    # field (`0%lo`).
    texts: tuple[tuple[str, str, tuple[tuple[str, int, str], ...], str], ...]
    # Index and digits of the runs that are part of a literal: other digits make another shape.
    fixed: tuple[tuple[int, str], ...]


# A run is at most as long as INT and HEX of the grammars allow, so that both cut a text alike.
_RUN = re.compile(r"([0-9]{1,20})")
_ANY_DIGITS = re.compile(r"\[(?:A-Za-z)?0-9-?\]|\{[0-9,]+\}")  # in a terminal's pattern
_split = _RUN.split  # the texts between the runs and the runs, in turn

_texts: dict[tuple[str, str], Parsed] = {}
_shapes: dict[tuple[str, str], _TextShape] = {}


def parse(context: str, text: str) -> Parsed:
    """Return the name and the fields of the event that `text` is; never raises.

    Args:
        context: as printed before the text, such as "Key Ex".
        text: the text after the context; it may be damaged or cut.
    """
    key = (context, text)
    parsed = _texts.get(key)
    if parsed is None:
        text = text[:LONGEST]
        parts = _split(text)
        shape = _shapes.get((context, "0".join(parts[::2])))
        parsed = (shape and _event_by_shape(shape, parts[1::2])) or parse_afresh(context, text)
        if len(_texts) >= KEPT:
            _texts.clear()
        _texts[key] = parsed
    return parsed


def parse_afresh(context: str, text: str) -> Parsed:
    """Do what `parse` does with the grammar alone, remembering only the text's shape."""
    grammar = GRAMMARS.get(context) or LOGS.get(context)
    if grammar is None:
        return "unknown.unknown", {}
    text = text[:LONGEST]
    read, lists, alike = _reader(grammar)
    try:
        tree = read(text)
    except UnexpectedInput:
        return (grammar == "failure_event" and parse_bare_error(text)) or (f"{grammar}.unknown", {})
    fields: dict[str, Value] = {}
    tokens: list[tuple[str, Token]] = []
    for child in tree.children:
        assert isinstance(child, Tree)
        field = str(child.data)
        if not child.children:
            fields[field] = () if field in lists else ""
            continue
        token = child.children[0]
        assert isinstance(token, Token)
        fields[field] = _CONVERT.get(token.type, str.rstrip)(token)
        # The digits of a number that goes on behind its token, as in "12ab", do not vary.
        varies = token.type in alike and not (token.type in _DIGITS and text[token.end_pos :][:1].isalnum())
        if token.start_pos is not None and (token.type == "INT" or varies):
            tokens.append((field, token))
    name = f"{grammar}.{tree.data}"
    if len(_shapes) >= KEPT:
        _shapes.clear()
    _shapes[context, "0".join(_split(text)[::2])] = _shape_of(text, name, fields, tokens)
    return name, fields


def parse_bare_error(text: str, nearby: str = "") -> Parsed | None:
    """Return the event of an error whose record lacks its number or its context; None if `text` is none.

    Args:
        text: the record.
        nearby: the program's own line before it, which may have the number.
    """
    from tracelens.libssh2.errors import bare_error  # reads the list of messages, which most traces do without

    found = bare_error(text, nearby)
    if found is None:
        return None
    fields: dict[str, Value] = {"message": found[1]}
    return "failure_event.failure", fields if found[0] is None else {"code": found[0], **fields}


@cache
def opening(*names: str) -> re.Pattern[str]:
    """Return a pattern that matches the beginning of each text of these events, to skip others without parsing."""
    literals = set()
    for name in names:
        grammar, _, alias = name.partition(".")
        parser = load(grammar, start="message")
        patterns = {terminal.name: terminal.pattern.to_regexp() for terminal in parser.terminals}
        literals |= {patterns[rule.expansion[0].name] for rule in parser.rules if rule.alias == alias}
    return re.compile(rf"\s*(?:{'|'.join(sorted(literals))})")


def _shape_of(text: str, name: str, fields: Mapping[str, Value], tokens: list[tuple[str, Token]]) -> _TextShape:
    """Return how texts like this one are read.

    Args:
        text: the text.
        name: the event's name.
        fields: the event's fields.
        tokens: the fields whose digits may vary, with their tokens.
    """
    signs = {}  # by the span of the digits
    spans = []  # of the other tokens
    for field, token in tokens:
        start, stop = token.start_pos or 0, token.end_pos or 0
        if token.type == "INT":
            minus = token.startswith("-")
            signs[start + minus, stop] = (field, -1 if minus else 1)
        else:
            spans.append((field, token.type, start, stop))
    numbers: list[tuple[str, int, int]] = []
    fixed: list[tuple[int, str]] = []
    pieces: dict[str, list[tuple[str, int, str]]] = {}
    done = {field: start for field, _, start, _ in spans}
    for run, digits in enumerate(_RUN.finditer(text)):
        start, stop = digits.span()
        if (start, stop) in signs:
            field, sign = signs[start, stop]
            numbers.append((field, run, sign))
            continue
        field, first = _field_of(start, stop, spans)
        if field:
            pieces.setdefault(field, []).append((text[done[field] : start], run, text[start:first]))
            done[field] = stop
        else:
            fixed.append((run, digits[0]))
    texts = [(f, kind, tuple(pieces[f]), text[done[f] : last]) for f, kind, _, last in spans if f in pieces]
    return _TextShape(name, fields, tuple(numbers), tuple(texts), tuple(fixed))


def _field_of(start: int, stop: int, spans: list[tuple[str, str, int, int]]) -> tuple[str, int]:
    """Return the field that a run of digits belongs to and where that begins; an empty name if it is in none."""
    for field, _, first, last in spans:
        if first < stop <= last and (first <= start or stop == last):
            return field, first
    return "", 0


def _event_by_shape(shape: _TextShape, runs: list[str]) -> Parsed | None:
    """Return the event of the text with these digit runs, None where the text is not of the shape after all."""
    for run, value in shape.fixed:
        if runs[run] != value:
            return None
    fields = dict(shape.fields)
    for field, run, sign in shape.numbers:
        fields[field] = sign * int(runs[run])
    for field, type, pieces, rest in shape.texts:
        if any(glued and not (runs[run].startswith(glued) and len(runs[run]) > len(glued)) for _, run, glued in pieces):
            return None
        text = "".join([before + runs[run][len(glued) :] for before, run, glued in pieces]) + rest
        if type in _DIGITS and not re.fullmatch(_DIGITS[type], text):
            return None
        fields[field] = _CONVERT.get(type, str.rstrip)(text)
    return shape.name, fields


@cache
def _reader(grammar: str) -> tuple[Callable[[str], Tree[Token]], frozenset[str], frozenset[str]]:
    """Return the parser of a grammar, the fields that are lists, and the terminals that accept any digits."""
    parser = load(grammar, start="message")
    lists = (
        rule.alias or rule.origin.name
        for rule in parser.rules
        if any(symbol.name == "NAMES" for symbol in rule.expansion)
    )
    alike = (
        terminal.name
        for terminal in parser.terminals
        if terminal.name in _DIGITS or not re.search("[0-9]", _ANY_DIGITS.sub("", terminal.pattern.to_regexp()))
    )
    return parser.parse, frozenset(lists), frozenset(alike)


# Terminal -> value; a terminal that is not named here is a string.
_CONVERT: Mapping[str, Callable[[str], Value]] = {
    "INT": int,
    "HEX": lambda token: int(token, 16),
    "OCT": lambda token: -1 if "8" in token or "9" in token else int(token, 8),
    "POINTER": lambda token: 0 if token.startswith("(") else int(token, 16),
    "NAMES": lambda token: tuple(name for name in token.rstrip().split(",") if name),
}
# Numbers of another base: as many digits as the terminal takes, in each of its alternatives.
_DIGITS: Mapping[str, str] = {
    "HEX": "[0-9A-Fa-f]{1,20}",
    "OCT": "[0-9]{1,22}",
    "POINTER": r"0[xX][0-9A-Fa-f]{1,16}|\(n(?:il|ull)\)|[0-9A-Fa-f]{1,16}",
}
