"""JSON whose strings hold a trace: lines of objects, arrays, exports of log collectors; also `key="string"` of logfmt.

The strings under one key are cut out wherever they are, without a parser: a document that is cut off or damaged is read
too, and none is ever in memory as a whole. What a string is: RFC 8259, section 7.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from tracelens.inputs.unwrap import process_fields
from tracelens.inputs.unwrap.trace_lines import SIGN, Undo

NAME, LOGFMT = "JSON", "logfmt"
_INSIDE = rb'(?:[^"\\\n]++|\\[^\n])*+'
_PAIR = re.compile(rb'"([^"\\\n]{1,200})"\s*:\s*(?:"(%s)|\[((?:\s*\d{1,3}\s*,){8,}))' % _INSIDE)
_ASSIGNED = re.compile(rb'(?<![\w"])([A-Za-z_][\w.@-]{0,60}(?:=|: ))"(%s)' % _INSIDE)
# A string under no key: an element of an array; numbers are the times of Loki.
_ALONE = rb'(?:^|(?<=[\[,]))[ \t]*+(?!"\d*"|"%s"\s*:)' % _INSIDE
_ARRAY = re.compile(rb'\s*[\[{]\s*["\[{\d]')
_ELEMENT_SOURCE = rb'(?:"%s"|[^\s"\[\]{},]++)' % _INSIDE
_ELEMENT = re.compile(_ELEMENT_SOURCE)
_ROW = re.compile(rb"\[\s*+(?:%s\s*+,\s*+){0,40}+%s\s*+\]" % (_ELEMENT_SOURCE, _ELEMENT_SOURCE))
_PLAIN = re.compile(rb"^[^\"'\n]{0,100}(?:%s)" % SIGN.pattern, re.MULTILINE | re.IGNORECASE)
# A line of JSON; a record begins with a bracket too.
_SYNTAX = re.compile(rb'\s*(?:[{}\]",]|\[(?!libssh2\]))')
_ESCAPE = re.compile(rb"\\(?:u([0-9A-Fa-f]{4})|(.))", re.DOTALL)
_CONTROLS = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}
# So much without a newline is not kept in memory; strings are then unescaped as they come.
_LONG = 1 << 20


def find(head: bytes) -> Undo | None:
    """The function that cuts out the strings if those under a key, or in an array, hold a trace."""
    strings = [(pair[1], pair[2] if pair[2] is not None else _joined(pair[3])) for pair in _PAIR.finditer(head)]
    opener = _ALONE
    texts = [text for _, text in strings]
    counts = Counter(key for key, text in strings if SIGN.search(text))
    if counts:
        key = counts.most_common(1)[0][0]
        keys = {key, *_other_keys(head, key, counts)}
        opener = rb'"(?:%s)"\s*+:\s*+' % b"|".join(map(re.escape, sorted(keys)))
        texts = [text for other, text in strings if other in keys]
    elif _ARRAY.match(head) is not None:
        opener = _in_rows(head) or _ALONE
        texts = re.findall(rb'%s"(%s)' % (opener, _INSIDE), head, re.MULTILINE)
    return _undo(head, opener, texts)


def _other_keys(head: bytes, key: bytes, keys: Iterable[bytes]) -> Iterator[bytes]:
    """The keys of lines of objects that never occur beside the key; others have its strings once more."""
    lines = [line for line in head.splitlines() if line.lstrip().startswith(b"{")]
    if len(lines) * 2 < head.count(b"\n"):
        return
    of_key = [line for line in lines if b'"%s"' % key in line]
    for other in keys:
        if other != key and not any(b'"%s"' % other in line for line in of_key):
            yield other


def find_logfmt(head: bytes) -> Undo | None:
    """The function that cuts out the strings of `key="string"`, and of YAML's `key: "string"`."""
    strings = _ASSIGNED.findall(head)
    counts = Counter(key for key, text in strings if SIGN.match(text))
    if not counts:
        return None
    key = counts.most_common(1)[0][0]
    return _undo(head, rb'(?<![\w"])' + re.escape(key), [text for other, text in strings if other == key])


def _undo(head: bytes, opener: bytes, texts: list[bytes]) -> Undo | None:
    """The function that cuts out the strings after the opener; None if none of these texts is of a trace."""
    texts = [text for text in texts if SIGN.search(text)]
    # A plain trace may quote a line of another one.
    if not texts or sum(len(SIGN.findall(text)) for text in texts) < len(_PLAIN.findall(head)):
        return None
    newline = b"" if sum(text.endswith(rb"\n") for text in texts) * 2 > len(texts) else rb"\n"
    lines = [line for line in head.splitlines() if line.strip()]
    a_line_each = sum(re.search(opener, line) is not None for line in lines) * 2 > len(lines) > 1
    objects = [line for line in lines if line.lstrip().startswith(b"{") and re.search(opener, line) is not None]
    process = process_fields.find(objects) if a_line_each and objects else None
    return _Strings(opener, newline, _decoder(lines, texts) if a_line_each else None, a_line_each, process).undo


def _in_rows(head: bytes) -> bytes:
    """What is before the strings if they are in one place of many arrays, as in a table; else nothing."""
    places: Counter[int] = Counter()
    for row in _ROW.finditer(head):
        elements = _ELEMENT.findall(row[0])
        places.update(number for number, element in enumerate(elements) if SIGN.search(element))
    if not places:
        return b""
    place, count = places.most_common(1)[0]
    return rb"\[\s*+(?:%s\s*+,\s*+){%d}" % (_ELEMENT_SOURCE, place) if count > 1 and count == places.total() else b""


def _decoder(lines: list[bytes], texts: list[bytes]) -> Any:
    """A decoder of lines that are objects with such a text in them: twice as fast as a pattern; None if none fits.

    It gives nested structs with one field each, named "text"; the innermost is a string.
    """
    for line in lines:
        try:
            path = _path(msgspec.json.decode(line), unescaped(texts[0]).decode("utf-8", "replace"))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        if path:
            kind: Any = str
            for key in reversed(path):
                kind = msgspec.defstruct("Line", [("text", kind)], rename={"text": key})
            return msgspec.json.Decoder(kind), len(path)
    return None


def _path(value: object, text: str) -> list[str]:
    """The keys that lead to the text."""
    for key, inner in value.items() if isinstance(value, dict) else ():
        if inner == text:
            return [key]
        if deeper := _path(inner, text):
            return [key, *deeper]
    return []


class _Strings:
    """Cuts out strings.

    Args:
        opener: what is before the quote, a pattern.
        newline: what a string lacks at its end, escaped.
        decoder: of lines that are objects, and how many keys lead to the string; None if they are not.
        a_line_each: whether lines keep their numbers.
        process: the fields that name a line's process, if any do.
    """

    def __init__(
        self,
        opener: bytes,
        newline: bytes,
        decoder: Any,
        a_line_each: bool,
        process: re.Pattern[bytes] | None = None,
    ) -> None:
        self._process = process
        self._decoder = decoder
        self._whole = re.compile(rb'%s"(%s)(?:"|$)' % (opener, _INSIDE), re.MULTILINE)
        self._open = re.compile(opener + b'"', re.MULTILINE)
        self._octets = re.compile(rb"(%s)\[([\d\s,]{8,100000}+)\]" % opener, re.MULTILINE)
        self._newline = newline
        self._a_line_each = a_line_each

    def undo(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        """The strings, each on its line or lines."""
        rest, inside = b"", False
        for block in blocks:
            rest += block
            if inside:
                text, rest, inside = _until_quote(rest)
                yield unescaped(text if inside else text + self._newline)
            stop = rest.rfind(b"\n") + 1
            if stop:
                yield self._of_lines(rest[:stop])
                rest = rest[stop:]
            if len(rest) > _LONG:
                text, rest, inside = self._of_long_line(rest)
                yield unescaped(text)
        yield unescaped(rest) if inside else self._of_lines(rest)

    def _of_lines(self, lines: bytes) -> bytes:
        """The strings of whole lines, with prefixes that name their processes."""
        if self._process is None:
            return self._strings_of(lines)
        return process_fields.with_prefixes(lines, self._process, self._strings_of)

    def _strings_of(self, lines: bytes) -> bytes:
        """The strings of whole lines."""
        if self._decoder is not None and lines:
            decoder, depth = self._decoder
            try:
                values = decoder.decode_lines(lines)
                for _ in range(depth):
                    values = [value.text for value in values]
                if len(values) == lines.count(b"\n"):
                    newline = "\n" if self._newline else ""
                    return (newline.join(values) + newline).encode("utf-8", "replace")
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                pass  # lines with octets, without the key, cut off, of another program
        if self._octets.search(lines):
            lines = self._octets.sub(lambda m: m[1] + b'"' + _joined(m[2]) + b'"', lines)
        texts = self._whole.findall(lines)
        is_all = len(texts) == lines.count(b"\n") if self._a_line_each else not SIGN.search(self._whole.sub(b"", lines))
        if is_all:
            return unescaped(b"".join([text + self._newline for text in texts]))
        return b"".join(map(self._of_line, lines.splitlines(keepends=True)))

    def _of_line(self, line: bytes) -> bytes:
        """The strings of a line; the line itself if it is no JSON."""
        texts = self._whole.findall(line)
        if texts:
            return unescaped(b"".join([text + self._newline for text in texts]))
        if _SYNTAX.match(line) is not None:
            return b"\n" if self._a_line_each else b""
        return line

    def _of_long_line(self, line: bytes) -> tuple[bytes, bytes, bool]:
        """The strings of a line's beginning, what is left of it, and whether that is the rest of a string."""
        texts, end = [], 0
        for found in self._whole.finditer(line):
            if line[found.end() - 1] != ord('"') or found.end() == len(line):
                break
            texts.append(found[1] + self._newline)
            end = found.end()
        opened = self._open.search(line, end)
        if opened is None:
            return b"".join(texts), line[-1024:] if end < len(line) - 1024 else line[end:], False
        if len(line) - opened.end() < _LONG // 2:
            return b"".join(texts), line[opened.start() :], False
        text, rest, inside = _until_quote(line[opened.end() :])
        return b"".join([*texts, text]), rest, inside


def _until_quote(text: bytes) -> tuple[bytes, bytes, bool]:
    """The text up to the quote that ends a string, what follows, and whether the string goes on."""
    found = re.match(_INSIDE, text)
    stop = found.end() if found is not None else 0
    if stop == len(text) or text[stop:] == b"\\":
        # An escape of a character beyond 16 bits has twelve characters.
        cut = max(0, stop - 12)
        at = text.find(b"\\", cut, stop)
        safe = stop if at < 0 else at
        return text[:safe], text[safe:], True
    return text[:stop], text[stop + 1 :], False


def _joined(numbers: bytes) -> bytes:
    """The inside of a string that is given as a list of octets, as journald does for what is not printable."""
    octets = bytes(int(number) & 255 for number in re.findall(rb"\d+", numbers))
    return octets.replace(b"\\", b"\\\\").replace(b'"', rb"\"").replace(b"\n", rb"\n")


def unescaped(text: bytes) -> bytes:
    """The text that the inside of a string stands for, in UTF-8."""
    if b"\\" not in text:
        return text
    try:
        return msgspec.json.decode(b'"%s"' % text, type=str).encode("utf-8", "replace")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _ESCAPE.sub(_unescaped_one, text)


def _unescaped_one(escape: re.Match[bytes]) -> bytes:
    if escape[1]:
        return chr(int(escape[1], 16)).encode("utf-8", "replace")
    return _CONTROLS.get(escape[2], escape[2])
