"""Finds known secrets in other spellings: escaped, as lists of numbers, in hex with any separator, split, in base64.

A text is read as each scheme writes it: what the scheme escapes is undone, and where each byte came from is kept. The
result is searched once for all secrets, so that their number does not matter.
"""

import re
from binascii import a2b_base64
from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import cache
from html import unescape
from itertools import accumulate, islice

from tracelens.secrets import MAX_ENCODED_SECRETS, SecretSearcher, replaced

# What is looked for, in words, for those who read the result.
LOOKED_FOR = (
    "as it is, in hex with any separator, in base64 (also over lines), in UTF-16 and UTF-32, as HTML entities, "
    "percent-encoded, quoted-printable, with the escapes of C, JSON and Python, as lists of numbers, and split by "
    "tags, tabs, colour codes or line breaks"
)
_DEPTH = 2
# No spelling is shorter. A long text is searched part by part, so that its views stay small.
_SHORTEST = 4
_WINDOW, _OVERLAP = 1 << 16, 1 << 14
_HIGHEST = 0x10FFFF


class _View:
    """A text as one scheme writes it.

    Attributes:
        data: the text.
        undone: whether another scheme may have escaped it as well.
    """

    def __init__(self, pieces: list[tuple[bytes, int, int]], *, undone: bool) -> None:
        """Pieces are bytes and where they came from; a piece as long as its origin is the origin itself."""
        self.data = b"".join(piece for piece, _, _ in pieces)
        self.undone = undone
        self._pieces = pieces
        self._starts: list[int] = []
        at = 0
        for piece, _, _ in pieces:
            self._starts.append(at)
            at += len(piece)

    def origin(self, start: int, stop: int) -> tuple[int, int]:
        """Where bytes of the view came from."""
        first = self._pieces[n := bisect_right(self._starts, start) - 1]
        begin = first[1] + (start - self._starts[n] if len(first[0]) == first[2] - first[1] else 0)
        last = self._pieces[n := bisect_right(self._starts, stop - 1) - 1]
        end = last[1] + stop - self._starts[n] if len(last[0]) == last[2] - last[1] else last[2]
        return begin, end


class _Base64View(_View):
    """What runs of base64 say, all decoded in one go: three octets come from four characters."""

    def __init__(self, digits: bytes, spans: list[tuple[int, int]]) -> None:
        self.undone = True
        self._spans = spans
        self.data = a2b_base64(b"".join([digits[a:b] + _PADDING[(a - b) % 4] for a, b in spans]))
        self._starts = list(accumulate([(b - a + 3) // 4 * 3 for a, b in spans[:-1]], initial=0))

    def origin(self, start: int, stop: int) -> tuple[int, int]:
        n = bisect_right(self._starts, start) - 1
        begin = self._spans[n][0] + (start - self._starts[n]) // 3 * 4
        n = bisect_right(self._starts, stop - 1) - 1
        return begin, min(self._spans[n][0] + (stop - self._starts[n] + 2) // 3 * 4, self._spans[n][1])


def _undo(
    text: bytes, pattern: re.Pattern[bytes], meaning: Callable[[re.Match[bytes]], bytes], *, undone: bool
) -> _View | None:
    pieces, done = [], 0
    for found in pattern.finditer(text):
        start, stop = found.span()
        pieces += [(text[done:start], done, start), (meaning(found), start, stop)]
        done = stop
    return (
        _View([piece for piece in [*pieces, (text[done:], done, len(text))] if piece[0]], undone=undone)
        if pieces
        else None
    )


def _character(number: int) -> bytes:
    return chr(number).encode("utf-8", "replace") if number <= _HIGHEST else b""


# -- escapes -----------------------------------------------------------------------------------------------------------

_ENTITY = re.compile(rb"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});?")
_PERCENT = re.compile(rb"(?:%[0-9A-Fa-f]{2})|%u[0-9A-Fa-f]{4}|\+")
_SOFT = re.compile(rb"=([0-9A-Fa-f]{2})|=[ \t]*\r?\n")
_BACKSLASH = re.compile(
    rb"\\{1,8}(?:x\{?([0-9A-Fa-f]{1,2})\}?|u(?:\{([0-9A-Fa-f]{1,6})\}|([0-9A-Fa-f]{4}))|U([0-9A-Fa-f]{8})|([0-7]{2,3})|([abefnrtv0])(?![a-z]))"
    rb"|\\([^A-Za-z0-9])"
)
_SIMPLE = dict(zip(b"abefnrtv0", b"\a\b\x1b\f\n\r\t\v\0", strict=True))
_DOUBLED = re.compile(rb"""'"'"'|'\\''|''|""|\^(?=[&<>|^"%!])|`(?=[$"'`])""")
_TAG = re.compile(rb"<[/!A-Za-z][^<>\n]{0,200}>")
_SPLITTING = re.compile(
    rb"\x1b\[[0-9;:?]{0,40}[ -/]{0,4}[@-~]|[\t\0\x08\x0b\x0c]+|\xe2\x80[\x8b-\x8f]|\xe2\x81\xa0"
    rb"|\xef\xbb\xbf|\xc2\xad|\\?\r?\n[ \t]*(?:[>|*#] )?|[\"']\s{0,4}[+.&,]?\s{0,20}[\"']"
)
_BREAK = re.compile(rb"\r?\n[ \t]*")
_NULS = re.compile(rb"\0+")
_SPACED = re.compile(rb"(?<![^\s])(?:\S ){4,4000}\S(?![^\s])")


def _entity(found: re.Match[bytes]) -> bytes:
    return unescape(found[0].decode("ascii")).encode("utf-8", "replace")


def _percent(found: re.Match[bytes]) -> bytes:
    code = found[0]
    if code == b"+":
        return code
    return bytes.fromhex(code[1:].decode()) if code[1:2] != b"u" else _character(int(code[2:], 16))


def _form(found: re.Match[bytes]) -> bytes:
    return b" " if found[0] == b"+" else _percent(found)


def _soft(found: re.Match[bytes]) -> bytes:
    return bytes.fromhex(found[1].decode()) if found[1] else b""


def _backslash(found: re.Match[bytes]) -> bytes:
    octet, braced, short, long, octal, letter, sign = found.groups()
    if octet or octal:
        return bytes([int(octet or octal, 16 if octet else 8) & 0xFF])
    if braced or short or long:
        return _character(int(braced or short or long, 16))
    return bytes([_SIMPLE[letter[0]]]) if letter else sign


def _doubled(found: re.Match[bytes]) -> bytes:
    code = found[0]
    return b"" if code in (b"^", b"`") else code[:1]


def _nothing(_: re.Match[bytes]) -> bytes:
    return b""


def _blank(_: re.Match[bytes]) -> bytes:
    return b" "


def _unspaced(found: re.Match[bytes]) -> bytes:
    return found[0][::2]


# Signs one of which is in a text of the scheme, the pattern of an escape, its meaning, and whether another scheme may
# have been used as well.
_Meaning = Callable[[re.Match[bytes]], bytes]
_SCHEMES: tuple[tuple[bytes, re.Pattern[bytes], _Meaning, bool], ...] = (
    (b"&", _ENTITY, _entity, True),
    (b"%", _PERCENT, _percent, True),
    (b"+", _PERCENT, _form, False),
    (b"=", _SOFT, _soft, True),
    (b"\\", _BACKSLASH, _backslash, True),
    (b"<", _TAG, _nothing, True),
    (b"\n\t\0\x1b\xe2\xef\xc2\"'", _SPLITTING, _nothing, True),
    (b"\n", _BREAK, _blank, False),
    (b"'\"^`", _DOUBLED, _doubled, False),
    (b" ", _SPACED, _unspaced, False),
)

# -- numbers -----------------------------------------------------------------------------------------------------------

_BETWEEN = rb"(?:[^0-9A-Za-z\n]{1,4}|[^0-9A-Za-z]{0,3}\n[^0-9A-Za-z\n]{0,40})(?:0x|[xXuU])?"
_NUMBER = re.compile(rb"(?:0x|[xXuU])?([0-9A-Fa-f]{1,3})[hH]?")
_OCTETS = [bytes([n]) for n in range(256)]
_GROUPS = re.compile(
    rb"(?<![0-9A-Za-z])(?:0x)?(?:[0-9A-Fa-f]{2}){1,32}(?:" + _BETWEEN + rb"(?:[0-9A-Fa-f]{2}){1,32}(?![0-9A-Za-z])){1,}"
)
_PAIRS = re.compile(rb"(?<![0-9A-Fa-f])(?:0x)?((?:[0-9A-Fa-f]{2}){1,64})")
_ROW = re.compile(
    rb"(?:^|(?<=[\s|>:]))(?:[0-9A-Fa-f]{4,16}[:h]?[ \t]++)?"
    rb"((?:(?:[0-9A-Fa-f]{2}){1,4}[ \t-]{1,3}){2,40}+(?:[0-9A-Fa-f]{2}){0,4}+)"
    rb"[ \t]*+[|:>]?+[ \t]?+([^\n|]{0,20}+)[^\n]*+",
    re.M,
)


@cache
def _numbers(least: int) -> re.Pattern[bytes]:
    """Lists of so many numbers."""
    first, another = rb"(?<![0-9A-Za-z])(?:0x|[xXuU])?[0-9A-Fa-f]{1,3}[hH]?", rb"[0-9A-Fa-f]{1,3}[hH]?(?![0-9A-Za-z])"
    return re.compile(first + rb"(?:" + _BETWEEN + another + rb"){%d,}" % (least - 1))


def _of_numbers(text: bytes, least: int) -> Iterator[_View]:
    """Lists of at least so many numbers, read in each base in which all of a list are octets."""
    bases: dict[int, list[tuple[bytes, int, int]]] = {16: [], 10: [], 8: []}
    for run in _numbers(least).finditer(text):
        numbers = [(found[1], *found.span()) for found in _NUMBER.finditer(text, *run.span())]
        for base, pieces in bases.items():
            try:
                values = [(int(digits, base), start, stop) for digits, start, stop in numbers]
            except ValueError:
                continue
            pieces += [(_OCTETS[n], start, stop) for n, start, stop in values if n < 256]
            pieces.append((b"\n", run.end(), run.end()))
    groups: list[tuple[bytes, int, int]] = []
    for run in _GROUPS.finditer(text):
        if run.end() - run.start() < 2 * least:
            continue
        groups += _octets(_PAIRS, text, *run.span())
        groups.append((b"\n", run.end(), run.end()))
    yield from (_View(pieces, undone=False) for pieces in (*bases.values(), groups) if pieces)


def _octets(pattern: re.Pattern[bytes], text: bytes, start: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    for found in pattern.finditer(text, start, stop):
        for n, octet in enumerate(bytes.fromhex(found[1].decode())):
            yield _OCTETS[octet], found.start(1) + 2 * n, found.start(1) + 2 * n + 2


def _of_rows(text: bytes) -> Iterator[_View]:
    """Rows of a dump of any program: their octets, and their last columns."""
    octets: list[tuple[bytes, int, int]] = []
    columns: list[tuple[bytes, int, int]] = []
    for row in _ROW.finditer(text):
        octets += islice(_octets(_PAIRS, text, *row.span(1)), 16 if row.start(1) > row.start() else None)
        columns.append((row[2], *row.span(2)))
    if octets:
        yield _View(octets, undone=False)
        yield _View([column for column in columns if column[0]] or octets, undone=False)


# -- base64 ------------------------------------------------------------------------------------------------------------

_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{6,}")
_LONG_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{16,}")
_PADDING = (b"", b"A", b"AA", b"AAA")
_STANDARD = bytes.maketrans(b"-_", b"+/")


def _of_base64(text: bytes, *, wide: bool) -> Iterator[_View]:
    """What base64 says, from each of its four places on.

    Args:
        text: the text.
        wide: whether only what may be UTF-16 is decoded: every second octet of it is zero, so that it is full of A.
    """
    found = _LONG_BASE64.finditer(text) if wide else _BASE64.finditer(text)
    runs = [run for run in found if not wide or run[0].count(b"A") * 8 > len(run[0])]
    if not runs:
        return
    spans, digits = [run.span() for run in runs], text.translate(_STANDARD)
    for shift in range(4):
        yield _Base64View(digits, [(start + shift, stop) for start, stop in spans])


# -- all ---------------------------------------------------------------------------------------------------------------


class Spellings:
    """Searches for secrets in other spellings than `SecretSearcher`.

    Args:
        needles: the secrets.
    """

    def __init__(self, needles: SecretSearcher) -> None:
        self._needles = needles
        self._least = min(map(len, needles.values), default=_SHORTEST)
        # Up to here `needles` knows the base64 of each.
        self._decodes = len(needles.values) > MAX_ENCODED_SECRETS

    def find(self, text: bytes) -> list[tuple[int, int, bytes]]:
        """Find start, stop and value of each secret; none overlaps another."""
        if not self._needles.values:
            return []
        found: list[tuple[int, int, bytes]] = []
        for at in range(0, max(len(text) - _OVERLAP, 1), _WINDOW - _OVERLAP):
            part = text[at : at + _WINDOW]
            if len(part) > _SHORTEST:
                found += ((at + start, at + stop, value) for start, stop, value in self._found(part, _DEPTH))
        kept: list[tuple[int, int, bytes]] = []
        for one in sorted(found, key=lambda one: (one[0], -one[1])):
            if not kept or one[0] >= kept[-1][1]:
                kept.append(one)
        return kept

    def _found(self, text: bytes, depth: int) -> Iterator[tuple[int, int, bytes]]:
        for view in self._views(text, depth):
            for start, stop, value in self._needles.find(view.data, numbers=False):
                yield *view.origin(start, stop), value
            if depth > 1:
                inner = self._found(view.data, depth - 1) if view.undone else self._narrow(view.data)
                for start, stop, value in inner:
                    yield *view.origin(start, stop), value

    def _narrow(self, text: bytes) -> Iterator[tuple[int, int, bytes]]:
        """Secrets in UTF-16 or UTF-32."""
        view = _undo(text, _NULS, _nothing, undone=False) if b"\0" in text else None
        if view is not None:
            for start, stop, value in self._needles.find(view.data, numbers=False):
                yield *view.origin(start, stop), value

    def _views(self, text: bytes, depth: int) -> Iterator[_View]:
        for signs, pattern, meaning, undone in _SCHEMES:
            if any(sign in text for sign in signs) and (undone or depth == _DEPTH):
                view = _undo(text, pattern, meaning, undone=undone)
                if view is not None and len(view.data) >= _SHORTEST:
                    yield view
        yield from _of_base64(text, wide=not self._decodes)
        if depth == _DEPTH:
            yield from _of_numbers(text, self._least)
            yield from _of_rows(text)

    def replace(self, text: bytes, mask: Callable[[bytes], bytes]) -> bytes:
        """Replace each secret by `mask` of it."""
        return replaced(text, self.find(text), mask)
