r"""A whole log on one line, or a few: the repr of a Python string or list, a string of C, JavaScript or JSON.

The newlines are written as "\n". A list's elements are lines of their own.
"""

import re
from collections.abc import Iterator

from tracelens.inputs.unwrap.trace_lines import Undo, by_lines

NAME = "string escapes"
_NEXT = rb"(?:\[libssh2\] |(?:=|\\u003[dD])(?:>|\\x3[eE]|\\u003[eE]) (?:lib)?ssh2_|[0-9a-f]{4}: [0-9A-F]{2} )"
# A program's prefix may be before it.
_NEXT_LINE = rb"[^\\\n]{0,120}?" + _NEXT
_LINE = re.compile(_NEXT)
_ESCAPED_NEWLINE = re.compile(rb"\\n" + _NEXT_LINE)
_NEXT_ELEMENT = re.compile(rb"['\"], b?['\"]" + _NEXT)
_OPENING = re.compile(
    rb"\s*+(?:\w+\s*=\s*)?[\[(]*\s*(?P<octets>b?)['\"](?=[^'\"\n]{0,200}(?:\[libssh2\] |=> (?:lib)?ssh2_))"
)
# A line of its own in quotes.
_QUOTED_LINE = re.compile(
    rb"^[ \t]*(?:(- )?[bur]?['\"](?=\[libssh2\]|=|[0-9a-f]{4}:)([^\n]*)['\"],?)[ \t]*\r?$", re.MULTILINE
)
_CLOSING = re.compile(rb"(\\n|\n)?['\"][\])]*;?\s*\Z")
# What is between two elements of a list, then the escapes.
_BETWEEN = rb"(?:\\r)?(?:\\n)?['\"], ?b?['\"](?=\\n|\Z|%s)" % _NEXT
_HEX = rb"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|([0-7]{1,3})|(\r?\n)|(.))"
_ALL = re.compile(rb"(%s)|%s" % (_BETWEEN, _HEX), re.DOTALL)
_OF_LIST = re.compile(rb"((?:\\r)?(?:\\n)?['\"], b?['\"])|%s" % _HEX, re.DOTALL)
_NEWLINES = re.compile(rb"(%s)|\\n(?=%s|\Z|['\"])|\\(r)(?=\\n)" % (_BETWEEN, _NEXT_LINE))
_CONTROLS = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f", b"a": b"\a", b"v": b"\v", b"e": b"\x1b"}
# A backslash that begins no escape: the program escaped nothing but newlines.
_NO_ESCAPE = re.compile(rb"(?<!\\)\\[^\\nrtbfaveuUx0-7'\"\n/]")
_LONGEST = 128  # more than any of these, with what must follow it


def find(head: bytes) -> Undo | None:
    """The function that undoes the escapes if most newlines of the text are escaped."""
    quoted = [line for _, line in _QUOTED_LINE.findall(head)]
    if len(quoted) * 2 > head.count(b"\n") and len(quoted) > 1 and not _is_csv(head):
        octets = head.lstrip()[:1] == b"b"
        return lambda blocks: _undo_lines(blocks, octets)
    count = len(_ESCAPED_NEWLINE.findall(head)) + len(_NEXT_ELEMENT.findall(head))
    if count < head.count(b"\n") or count * 2 < len(_LINE.findall(head)) or not count:
        return None
    opening = _OPENING.match(head)
    octets = opening is not None and bool(opening["octets"])
    if _NO_ESCAPE.search(head) and rb"\\" not in head:
        escapes = _NEWLINES
    else:
        escapes = _OF_LIST if opening is not None and opening[0].lstrip()[:1] in b"[(" else _ALL
    return lambda blocks: _undo(blocks, escapes, octets)


def _is_csv(head: bytes) -> bool:
    """Whether the lines in quotes are fields of CSV."""
    return (
        head.count(b'\n"') * 2 > head.count(b"\n")
        and re.search(rb'^"[^\n]*(?:""|"[,;]")', head, re.MULTILINE) is not None
    )


def _undo_lines(blocks: Iterator[bytes], octets: bool) -> Iterator[bytes]:
    """The lines without their quotes and escapes; a newline at the end of one is no line of its own."""
    for block in by_lines(blocks):
        yield _QUOTED_LINE.sub(lambda line: _unquoted(line, octets), block)


def _unquoted(line: re.Match[bytes], octets: bool) -> bytes:
    item, text = line[1], line[2].removesuffix(rb"\n")
    if item and line[0].rstrip().endswith(b"'"):  # an item of a YAML list has no other escape
        return text.replace(b"''", b"'")
    return _unescaped(text, _ALL, octets, len(text))[0]


def _undo(blocks: Iterator[bytes], escapes: re.Pattern[bytes], octets: bool) -> Iterator[bytes]:
    rest, first = b"", True
    for block in blocks:
        rest += block
        if len(rest) < 1 << 13:
            continue
        if first:
            rest, first = _OPENING.sub(b"", rest, count=1) if _OPENING.match(rest) else rest, False
        text, end = _unescaped(rest, escapes, octets, len(rest) - _LONGEST)
        yield text
        rest = rest[end:]
    if first and _OPENING.match(rest):
        rest = _OPENING.sub(b"", rest, count=1)
    yield _unescaped(_CLOSING.sub(rb"\1", rest), escapes, octets, len(rest))[0]


def unescaped(text: bytes) -> bytes:
    """The bytes that the inside of a string of C stands for."""
    return _unescaped(text, _ALL, True, len(text))[0]


def _unescaped(text: bytes, escapes: re.Pattern[bytes], octets: bool, limit: int) -> tuple[bytes, int]:
    """The text up to an escape that goes beyond the limit, unescaped, and where that is."""
    parts: list[bytes] = []
    end = 0
    for escape in escapes.finditer(text):
        if escape.end() > limit:
            limit = min(limit, escape.start())
            break
        parts += text[end : escape.start()], _meaning(escape, octets)
        end = escape.end()
    limit = max(limit, end)
    return b"".join([*parts, text[end:limit]]), limit


def _meaning(escape: re.Match[bytes], octets: bool) -> bytes:
    if escape[1] is not None or escape.re is _NEWLINES:
        return b"\r" if escape.re is _NEWLINES and escape[2] else b"\n"
    two, four, eight, octal, line, char = escape.groups()[1:]
    if two or octal:
        number = int(two, 16) if two else int(octal, 8) & 255
        return bytes([number]) if octets or number < 128 else chr(number).encode()
    if four or eight:
        return chr(min(int(four or eight, 16), 0x10FFFF)).encode("utf-8", "replace")
    return b"" if line else _CONTROLS.get(char, char)
