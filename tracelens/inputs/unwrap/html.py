"""HTML in which a trace is shown: a saved page, a mail's HTML part, a copy out of a browser; and text with entities.

Tags that end a line in a browser become newlines, other tags, scripts and styles are left out, entities are replaced
(HTML Living Standard, 13.5). Line breaks of the source count where it is preformatted, or has no tags for them.
"""

import html
import re
from collections.abc import Iterator

from tracelens.inputs.unwrap.trace_lines import SIGN, Undo

NAME = "HTML"
ENTITIES = "HTML entities"
_BEGINNING = re.compile(
    rb"\s*(?:<!--.{0,2000}?-->\s*)?<(?:!doctype|\?xml|log4j:event|html|head|body|meta|pre|table|tr|div|p|span|code|font|br)\b",
    re.I | re.S,
)
_LINE_TAG = rb"</?(?:br|p|div|li|tr|dt|dd|h[1-6]|blockquote|table|ul|ol|pre|title|section|article)\b[^<>]{0,4096}>"
_BREAK = re.compile(rb"<(?:br|/p|/div|/li|/tr|/pre)\b", re.I)
_TAG_AT_SIGN = re.compile(
    rb"(?:%s|</?(?:td|span|code|font|b|a)\b[^<>\n]{0,300}>)\s*(?:%s)" % (_LINE_TAG, SIGN.pattern), re.I
)
_SIGN_THEN_BREAK = re.compile(rb"(?:%s)[^\n]{0,1600}?<(?:br|/p|/div|/li|/td|/tr)\b" % SIGN.pattern, re.I)
_NOT_SHOWN = re.compile(rb"<(script|style|title)\b[^>]{0,4096}>(?:[^<]++|<(?!/\1))*+", re.I)
_PREFORMATTED = re.compile(rb"<(?:pre|textarea|xmp)\b", re.I)
_TAG = re.compile(
    rb"<(/?)([a-zA-Z][a-zA-Z0-9:]*)\b(?:[^<>\"']|\"[^\"]{0,4096}\"|'[^']{0,4096}')*?/?>"
    rb"|<!\[CDATA\[|\]\]>|<!--|-->|<![a-zA-Z][^>]{0,1000}>|<\?[^>]{0,1000}>"
)
_BLOCKS = frozenset(b"p div li tr dt dd h1 h2 h3 h4 h5 h6 blockquote table ul ol pre section article".split())
# What begins something that is no markup or is not shown, and what ends it.
_ENDS = {b"<![cdata[": b"]]>", b"<!--": b"-->", b"script": b"/script", b"style": b"/style", b"title": b"/title"}
_CELLS = frozenset((b"td", b"th"))
_ENTITY = re.compile(rb"&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_NBSP = re.compile(rb"&(?:nbsp|#160|#[xX][aA]0);")
_TITLE = re.compile(rb"=&(?:amp;)*gt; (?:lib)?ssh2_")
_LONG = 1 << 20


def find(head: bytes) -> Undo | None:
    """The function that undoes HTML if the text begins with it, or has its tags around a trace's lines."""
    signs = len(SIGN.findall(head))
    tags = len(_TAG_AT_SIGN.findall(head)) + len(_SIGN_THEN_BREAK.findall(head))
    if _BEGINNING.match(head) is None and tags * 2 < max(signs, 1):
        return None
    shown = _NOT_SHOWN.sub(b"", head)
    breaks = len(_BREAK.findall(shown))
    preformatted = _PREFORMATTED.search(shown) is not None
    # Without tags that end lines, or where a style keeps them, the lines of the source are those of the trace.
    keeps = not preformatted and (breaks * 4 < signs or re.search(rb"white-space:\s*pre", head, re.I) is not None)
    return lambda blocks: _undo(blocks, keeps)


def find_entities(head: bytes) -> Undo | None:
    """The function that replaces entities in plain text if a trace's lines are written with them."""
    if _NBSP.search(head) is not None:
        return _replace_entities
    lines = [line for line in head.splitlines() if SIGN.search(line) or b"&" in line]
    if not any(SIGN.search(line) and _ENTITY.search(line) for line in lines) and not _TITLE.search(head):
        return None
    text = b"\n".join(lines)
    raw = re.search(rb"=> (?:lib)?ssh2_", text) is not None or b"&" in _ENTITY.sub(b"", text)
    return None if raw else _replace_entities


def _replace_entities(blocks: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for block in blocks:
        rest += block
        at = rest.rfind(b"&", max(0, len(rest) - 34))
        stop = at if at >= 0 else len(rest)
        yield _ENTITY.sub(_character, rest[:stop])
        rest = rest[stop:]
    yield _ENTITY.sub(_character, rest)


def _character(entity: re.Match[bytes]) -> bytes:
    text = html.unescape(entity[0].decode("ascii"))
    return b" " if text == "\xa0" else text.encode("utf-8", "replace")


def _undo(blocks: Iterator[bytes], keeps: bool) -> Iterator[bytes]:
    """The text as a browser shows it, with all blanks."""
    page = _Page(keeps)
    rest = b""
    for block in blocks:
        rest += block
        stop = rest.rfind(b">") + 1
        if not stop and len(rest) > _LONG:
            stop = len(rest)
        if stop:
            yield _ENTITY.sub(_character, page.text(rest[:stop]))
            rest = rest[stop:]
    yield _ENTITY.sub(_character, page.text(rest)) + page.end()


class _Page:
    """Takes the tags out of a page, part by part."""

    def __init__(self, keeps: bool) -> None:
        self._keeps = keeps
        self._preformatted = 0
        self._at_start = True  # of a line
        self._in_row = False  # of a table: the cells are on one line
        self._ended = False
        self._until = b""  # the tag up to which nothing is shown, or no other tag is one

    def text(self, source: bytes) -> bytes:
        """The text of the next part."""
        if self._ended:
            return source
        parts: list[bytes] = []
        end = 0
        for tag in _TAG.finditer(source):
            name = (tag[1] + tag[2] if tag[2] else tag[0]).lower()
            if (self._until and name != self._until) or SIGN.search(tag[0]) is not None:
                continue
            self._add_shown(parts, source[end : tag.start()])
            end = tag.end()
            self._until = b"" if self._until else _ENDS.get(name, b"")
            self._add_tag(parts, tag[1] == b"/", (tag[2] or b"").lower())
            if name == b"/html":  # a trace may follow a page
                self._ended = True
                return b"".join(parts) + source[end:]
        self._add_shown(parts, source[end:])
        return b"".join(parts)

    def end(self) -> bytes:
        """What the last line lacks."""
        return b"" if self._at_start else b"\n"

    def _add_shown(self, parts: list[bytes], text: bytes) -> None:
        """Text between tags; of what a browser does not show, as in a comment without an end, a trace's lines."""
        if self._until in (b"", b"]]>") or SIGN.search(text) is not None:
            self._add(parts, text)

    def _add(self, parts: list[bytes], text: bytes) -> None:
        if not self._preformatted and not self._keeps:
            # A line break of the source is a blank, and none at all beside a tag.
            text = re.sub(rb"[ \t]*\r?\n[ \t\r\n]*", b"\n", text).strip(b"\n").replace(b"\n", b" ")
            if self._at_start and not text.strip():
                return
        if text:
            parts.append(text)
            self._at_start = text.endswith(b"\n")

    def _add_tag(self, parts: list[bytes], closes: bool, name: bytes) -> None:
        if name == b"br":
            parts.append(b"" if self._keeps else b"\n")
            self._at_start = True
        elif name in (b"pre", b"textarea", b"xmp"):
            self._preformatted = max(0, self._preformatted + (-1 if closes else 1))
            self._end_line(parts)
        elif name in _BLOCKS and not self._keeps:
            self._in_row = not closes if name == b"tr" else self._in_row
            self._end_line(parts)
        elif name in _CELLS and closes:
            parts.append(b"\t")

    def _end_line(self, parts: list[bytes]) -> None:
        if not self._at_start and not self._in_row:
            parts.append(b"\n")
            self._at_start = True
