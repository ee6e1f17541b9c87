"""Text of a record -> event: a name and typed fields.

    parse("Transport", "Packet type 94 received, length=41")
    -> ("transport.packet_received", {"type": 94, "length": 41})

The message grammars say what there is (`grammars/common.lark` tells how to read them); nothing here knows a
single message. A trace of a million records has a thousand distinct texts and a hundred shapes (texts with
their numbers masked), so that most texts are answered from a table and never meet a parser.
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
"""libssh2's names of its trace contexts, in the order of their mask bits, and the grammar of each."""

LONGEST = 64 * 1024  # characters of a text that are looked at; libssh2 itself stops at 1,535
KEPT = 16 * 1024  # distinct texts, and distinct shapes, that are remembered


class Event(Struct, frozen=True):
    """What one trace record says.

    Args:
        line: where it stands in the trace, counted from 1.
        time: seconds on the trace's own clock; None where the record has no stamp.
        context: libssh2's name of the part that speaks, such as "Key Ex".
        name: grammar and message, such as "transport.banner_received"; "transport.unknown" where the grammar
            does not know the text.
        fields: the message's values by name. Equal texts share one mapping: read it, never write to it.
        text: the record's text as it was printed.
    """

    line: int
    time: float | None
    context: str
    name: str
    fields: Mapping[str, Value]
    text: str


class _Shape(Struct, frozen=True):
    """How to read texts that are alike but for their digit runs.

    Args:
        name: the event's name.
        fields: the fields of one text of this shape; those without digits are the same in every text.
        numbers: per decimal field its name, the digit run that it is, and its sign.
        texts: per other field that holds digit runs its name, its terminal, what stands before each run, which run,
            and the digits at the run's begin that are the literal's before the field (`0%lo`); what follows.
        fixed: runs that are part of something else, such as a literal: another value is another shape.
    """

    name: str
    fields: Mapping[str, Value]
    numbers: tuple[tuple[str, int, int], ...]
    texts: tuple[tuple[str, str, tuple[tuple[str, int, str], ...], str], ...]
    fixed: tuple[tuple[int, str], ...]


# A run is at most as long as INT and HEX of the grammars allow, so that both cut a text alike.
_RUN = re.compile(r"([0-9]{1,20})")
_ANY_DIGITS = re.compile(r"\[(?:A-Za-z)?0-9-?\]|\{[0-9,]+\}")  # in a terminal's pattern
_split = _RUN.split  # what is between the runs and the runs, in turn

_texts: dict[tuple[str, str], Parsed] = {}
_shapes: dict[tuple[str, str], _Shape] = {}


def parse(context: str, text: str) -> Parsed:
    """Return the name and the fields of the event that `text` is; never raises.

    Args:
        context: as printed before the text, such as "Key Ex".
        text: what follows the context; damaged and cut texts are welcome.
    """
    key = (context, text)
    parsed = _texts.get(key)
    if parsed is None:
        text = text[:LONGEST]
        parts = _split(text)
        shape = _shapes.get((context, "0".join(parts[::2])))
        parsed = (_by_shape(shape, parts[1::2]) if shape is not None else None) or parse_afresh(context, text)
        if len(_texts) >= KEPT:
            _texts.clear()
        _texts[key] = parsed
    return parsed


def parse_afresh(context: str, text: str) -> Parsed:
    """Do what `parse` does with the grammar alone, remembering only the text's shape."""
    grammar = GRAMMARS.get(context)
    if grammar is None:
        return "unknown.unknown", {}
    text = text[:LONGEST]
    read, lists, alike = _reader(grammar)
    try:
        tree = read(text)
    except UnexpectedInput:
        return f"{grammar}.unknown", {}
    name = f"{grammar}.{tree.data}"
    fields: dict[str, Value] = {}
    numbers: dict[tuple[int, int], tuple[str, int]] = {}
    texts: list[tuple[str, str, int, int]] = []
    for child in tree.children:
        assert isinstance(child, Tree)
        field = str(child.data)
        if not child.children:
            fields[field] = () if field in lists else ""
            continue
        token = child.children[0]
        assert isinstance(token, Token)
        fields[field] = _CONVERT.get(token.type, str.rstrip)(token)
        if token.start_pos is None or token.end_pos is None:
            continue
        if token.type == "INT":
            minus = token.startswith("-")
            numbers[token.start_pos + minus, token.end_pos] = (field, -1 if minus else 1)
        elif token.type in alike and not (token.type in _DIGITS and text[token.end_pos : token.end_pos + 1].isalnum()):
            texts.append((field, token.type, token.start_pos, token.end_pos))
    if len(_shapes) >= KEPT:
        _shapes.clear()
    _shapes[context, "0".join(_split(text)[::2])] = _shape(text, name, fields, numbers, texts)
    return name, fields


@cache
def opening(*names: str) -> re.Pattern[str]:
    """Return a pattern with which all texts of these events begin, for passing over others without reading them."""
    literals = set()
    for name in names:
        grammar, _, alias = name.partition(".")
        parser = load(grammar, start="message")
        patterns = {terminal.name: terminal.pattern.to_regexp() for terminal in parser.terminals}
        literals |= {patterns[rule.expansion[0].name] for rule in parser.rules if rule.alias == alias}
    return re.compile(rf"\s*(?:{'|'.join(sorted(literals))})")


def _shape(
    text: str,
    name: str,
    fields: Mapping[str, Value],
    numbers: Mapping[tuple[int, int], tuple[str, int]],
    texts: list[tuple[str, str, int, int]],
) -> _Shape:
    """How texts of this layout are read."""
    plan: list[tuple[str, int, int]] = []
    fixed: list[tuple[int, str]] = []
    held: dict[str, list[tuple[str, int, str]]] = {}
    done = {field: start for field, _, start, _ in texts}
    for run, found in enumerate(_RUN.finditer(text)):
        start, stop = found.span()
        if (start, stop) in numbers:
            field, sign = numbers[start, stop]
            plan.append((field, run, sign))
            continue
        field, first = next(
            (
                (field, first)
                for field, _, first, last in texts
                if first < stop <= last and (first <= start or stop == last)
            ),
            ("", 0),
        )
        if not field:
            fixed.append((run, found[0]))
            continue
        held.setdefault(field, []).append((text[done[field] : start], run, text[start:first]))
        done[field] = stop
    found_texts = (
        (field, type, tuple(held[field]), text[done[field] : last]) for field, type, _, last in texts if field in held
    )
    return _Shape(name, fields, tuple(plan), tuple(found_texts), tuple(fixed))


def _by_shape(shape: _Shape, runs: list[str]) -> Parsed | None:
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
    """Return the parser of a grammar, the fields that are lists, and the terminals of which any digits are part."""
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


# -- terminals to values; a terminal that is not named here is a string


def _pointer(token: str) -> int:
    return 0 if token.startswith("(") else int(token, 16)


def _octal(token: str) -> int:
    return -1 if "8" in token or "9" in token else int(token, 8)


def _names(token: str) -> tuple[str, ...]:
    return tuple(name for name in token.rstrip().split(",") if name)


_CONVERT: Mapping[str, Callable[[str], Value]] = {
    "INT": int,
    "HEX": lambda token: int(token, 16),
    "OCT": _octal,
    "POINTER": _pointer,
    "NAMES": _names,
}
# What is a number of another base, for certain: no more digits than its terminal takes, in each of its alternatives.
_DIGITS: Mapping[str, str] = {
    "HEX": "[0-9A-Fa-f]{1,20}",
    "OCT": "[0-9]{1,22}",
    "POINTER": r"0[xX][0-9A-Fa-f]{1,16}|\(n(?:il|ull)\)|[0-9A-Fa-f]{1,16}",
}
