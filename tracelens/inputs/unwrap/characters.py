"""Characters that word processors, web pages and mail programs put in place of those of a trace.

No-break and other blanks, dashes, quotes, arrows, and marks without width become what libssh2 printed. Only a text in
which they damage a trace's own lines is changed: names and passwords may hold them as well.
"""

import re
from collections.abc import Iterator

from tracelens.inputs.unwrap.trace_lines import Undo, by_lines

NAME = "no-break blanks, typographic dashes and quotes"
# The octets of Windows-1252 that are no UTF-8 are surrogates here.
_BLANKS = "\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000\udca0"
_MARKS = "\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\ufffc"
_DASHES = "\u2010-\u2015\u2043\u2212\ufe58\ufe63\uff0d\udc96\udc97"
_ARROWS = "\u21d2\u2192\u2794\u279c\u27a1\u27f9\u27f6\uf0e0\uf0e8\uf0f0\u00e8"
_IN_TRACE = re.compile(
    rf"\[libssh2\][{_BLANKS}{_MARKS}]|[{_MARKS}]\[libssh2\]|\[libssh2\] [0-9.]*[{_BLANKS}{_MARKS}]"
    rf"|\[libssh2\][^\n]{{0,40}}(?:[a-z]:[{_BLANKS}{_MARKS}]|[A-Z][A-Za-z]+[{_BLANKS}][A-Z])"
    rf"|Failure Event:[^\n]?(?:[{_DASHES}]\d|.?\d+.[{_DASHES}])|(?:[{_ARROWS}]|[{_DASHES}]>)[ {_BLANKS}]?(?:lib)?ssh2_"
    rf"|=[>{_MARKS}]+[{_BLANKS}{_MARKS}](?:lib)?ssh2_|ssh2_\w+(?:\(\))?[{_BLANKS}]|\[libssh2\][^\n]*n[\u2019\udc92]t "
    rf"|[0-9a-f]{{4}}:[ {_BLANKS}]*(?:[0-9A-F]{{2}}[ {_BLANKS}{_MARKS}]+)*?[0-9A-F]{{2}} ?[{_BLANKS}{_MARKS}]"
    rf"|^[{_MARKS}{_BLANKS}]+(?:=>|[0-9a-f]{{4}}:)|\[libssh2\][^\n]*[{_MARKS}]\r?$",
    re.MULTILINE,
)
_TITLE_ARROW = re.compile(rf"(?:[{_ARROWS}]|[-=]>|[{_DASHES}]>)(?=[ ]?(?:lib)?ssh2_)")
_ASCII_ARROW = re.compile(rb"->( ?(?:lib)?ssh2_)")
_REPLACEMENTS = {
    "\u2018": "'", "\u2019": "'", "\u201a": "'", "\u201b": "'", "\u2032": "'",
    "\u201c": '"', "\u201d": '"', "\u201e": '"', "\u2033": '"',
    "\u2026": "...", "\u21d2": "=>", "\u2192": "->", "\u2028": "\n", "\u2029": "\n", "\u0085": "\n",
}  # fmt: skip
# The octets of Windows-1252 for an ellipsis and quotes, where they are no UTF-8.
_OCTETS = {
    chr(0xDC00 + octet): text for octet, text in zip(b"\x85\x91\x92\x93\x94", ["...", *"''", *'""'], strict=True)
}


def _all_of(ranges: str) -> Iterator[str]:
    for first, last in re.findall(r"(.)(?:-(.))?", ranges, re.DOTALL):
        yield from map(chr, range(ord(first), ord(last or first) + 1))


def find(head: bytes, charset: str = "utf-8") -> Undo | None:
    """The function that replaces such characters if a record, a title or a row of the text is written with them."""
    if head.isascii():
        return None
    codec = "cp1252" if charset == "latin-1" else "utf-8"
    if _IN_TRACE.search(head.decode(codec, "surrogateescape")) is None:
        return None
    table = str.maketrans(
        dict.fromkeys(_all_of(_BLANKS), " ")
        | dict.fromkeys(_all_of(_MARKS), "")
        | dict.fromkeys(_all_of(_DASHES), "-")
        | _REPLACEMENTS
        | _OCTETS
    )

    def undo(blocks: Iterator[bytes]) -> Iterator[bytes]:
        for block in by_lines(blocks):
            if block.isascii():
                yield _ASCII_ARROW.sub(rb"=>\1", block)
                continue
            text = block.decode(codec, "surrogateescape").translate(table)
            yield _TITLE_ARROW.sub("=>", text).encode(codec, "surrogateescape")

    return undo
