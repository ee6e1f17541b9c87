r"""Rich Text Format (RTF 1.9.1): a log pasted into WordPad or Word and saved.

Paragraphs and line breaks become newlines; fonts, colours, pictures and other groups that show no text are left out.
"""

import re
from collections.abc import Iterator

from tracelens.inputs.unwrap.trace_lines import Undo

NAME = "RTF"
_TOKEN = re.compile(
    rb"\\([a-zA-Z]{1,32})(-?\d{1,10})? ?|\\'([0-9a-fA-F]{2})|\\(\r?\n|.)|([{}])|[\r\n]+|([^\\{}\r\n]+)", re.DOTALL
)
_LONGEST = 64
_NOT_SHOWN = frozenset(
    b"fonttbl colortbl stylesheet info pict object header footer listtable listoverridetable generator".split()
)
_TEXTS = {
    b"par": "\n", b"line": "\n", b"row": "\n", b"sect": "\n", b"page": "\n", b"cell": "\t", b"tab": "\t",
    b"emdash": "\u2014", b"endash": "\u2013", b"lquote": "\u2018", b"rquote": "\u2019", b"ldblquote": "\u201c",
    b"rdblquote": "\u201d", b"bullet": "\u2022", b"emspace": "\u2003", b"enspace": "\u2002",
}  # fmt: skip
_SYMBOLS = {b"~": "\xa0", b"_": "\u2011", b"-": "", b"\n": "\n", b"\r\n": "\n", b"*": ""}


def find(head: bytes) -> Undo | None:
    """The function that undoes RTF if the text begins with it."""
    return _undo if re.match(rb"\s*\{\\rtf\d", head) else None


def _undo(blocks: Iterator[bytes]) -> Iterator[bytes]:
    document, rest = _Document(), b""
    for block in blocks:
        rest += block
        if len(rest) > _LONGEST:
            text, end = document.text(rest, len(rest) - _LONGEST)
            yield text
            rest = rest[end:]
    yield document.text(rest, len(rest))[0]


class _Document:
    """Takes control words and groups out of a document, part by part."""

    def __init__(self) -> None:
        self._hidden = [False]  # a group each
        self._skip = [1]  # how many characters stand after a \u for readers without Unicode, a group each
        self._left = 0  # of those, to be skipped now
        self._codepage = "cp1252"

    def text(self, source: bytes, limit: int) -> tuple[bytes, int]:
        """The text up to a token that goes beyond the limit, and where that is."""
        parts: list[str] = []
        end = 0
        for token in _TOKEN.finditer(source):
            if token.end() > limit and token[6] is None:
                break
            end = token.end()
            word, number, octet, symbol, brace, text = token.groups()
            if brace:
                self._brace(brace)
            elif word:
                self._word(word, number, parts)
            elif symbol and symbol not in b"\\{}":
                self._hidden[-1] |= symbol == b"*"
                self._add(_SYMBOLS.get(symbol, ""), parts)
            elif octet or symbol or text:
                data = bytes([int(octet, 16)]) if octet else symbol or text
                skipped = min(self._left, len(data))
                self._left -= skipped
                self._add(data[skipped:].decode(self._codepage, "replace"), parts)
        return "".join(parts).encode("utf-8", "replace"), end

    def _add(self, text: str, parts: list[str]) -> None:
        if not self._hidden[-1]:
            parts.append(text)

    def _brace(self, brace: bytes) -> None:
        self._left = 0
        if brace == b"{":
            if len(self._hidden) < 10_000:
                self._hidden.append(self._hidden[-1])
                self._skip.append(self._skip[-1])
        elif len(self._hidden) > 1:
            self._hidden.pop()
            self._skip.pop()

    def _word(self, word: bytes, number: bytes | None, parts: list[str]) -> None:
        if word in _NOT_SHOWN:
            self._hidden[-1] = True
        elif word == b"u" and number:
            self._add(chr(int(number) % 0x10000), parts)
            self._left = self._skip[-1]
        elif word == b"uc" and number:
            self._skip[-1] = min(max(int(number), 0), 8)
        elif word == b"ansicpg" and number:
            self._codepage = _codec(number)
        else:
            self._add(_TEXTS.get(word, ""), parts)


def _codec(number: bytes) -> str:
    """The name of a code page; 1252 for one that Python does not know."""
    name = "cp" + number.decode("ascii")
    try:
        b"".decode(name)
    except LookupError:
        return "cp1252"
    return name
