"""Finds the credentials that a program prints, by the words and signs around them.

A name that has a word for a secret in it is followed by a sign and a value (`SFTP_PASSWORD=x`, `"apiKey": "x"`,
`Kennwort: x`, `with password 'x'`); the rest are forms of their own (`--user u:x`, `://u:x@`).
"""

import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Iterator
from functools import cache
from urllib.parse import unquote_to_bytes

from tracelens.secrets import no_secrets, replaced, words
from tracelens.secrets.forms import FORMS, LazyPattern

# A value of the text: where it is, and whether it is certainly a secret, not perhaps a word of a sentence.
Place = tuple[int, int, bool]

_B = rb"(?:[ \t\r]|\xc2\xa0|\xe2\x80[\x80-\x8b\xaf]|\xe3\x80\x80)"
_OF_NAMES = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.$-"
_NAME_AFTER = LazyPattern(rb"[A-Za-z0-9_$-]{0,40}(?:\.[A-Za-z0-9_$-]{1,40}){0,3}")
_PART = LazyPattern(rb"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
# What closes a name: quotes, also escaped ones, and brackets.
_CLOSED = rb"""(?:\\{0,4}["'`]|&quot;|&#34;|&#39;|[\])}*]|\xe2\x80[\x98-\x9f]){0,3}"""
# What a prompt tells between its word and its colon.
_ABOUT = (
    rb"(?>(?:" + _B + rb"{1,3}(?:for|of|to|again|pour|de|del|para|f\xc3\xbcr|voor|f\xc3\xb6r|till|per|di|do|dla|pro|za|"
    rb"\xd0\xb4\xd0\xbb\xd1\x8f|on|at|from|entered|received|used|given|sent|read|value|string|eingeben|ingeben|invoeren)\b"
    rb"(?:" + _B + rb"""{1,2}(?:"[^"\n]{0,120}"|'[^'\n]{0,120}'|`[^`'\n]{0,120}'|"""
    rb"""(?!is\b|was\b)[^\s:=?>]{1,80})){0,6}|"""
    + _B + rb"?\([^)\n]{0,60}\)){1,2})"
)  # fmt: skip
# The rest of a sentence that has no blanks.
_TRAIL = rb"(?:(?!\xef\xbc\x9a|\xc2\xa0|\xe3\x80\x80|\xe2\x80)[\x80-\xff]){0,90}"
_SIGN = (
    rb"\.{0,40}"
    + _B
    + rb"{0,40}(?:={1,2}>|:=|%3[Dd]|==?|::|:(?!//)|\xef\xbc\x9a|\xef\xbc\x9d|-{1,2}>|>{1,3}(?!<)|\xe2\x86\x92"
    rb"|\xe2\x87\x92|\|)"
    rb"(?:" + _B + rb"|\\\n){0,40}"
)
_ASSIGNED = LazyPattern(_TRAIL + _CLOSED + _SIGN)
_LOOSELY = LazyPattern(_B + rb"{1,3}[^\s:=](?:[^:=\n]{0,60}[^\s:=])?" + _B + rb"{0,4}[:=](?!//)" + _B + rb"{0,20}")
_PROMPTED = LazyPattern(rb"(?:" + _ABOUT + rb")?" + _B + rb"{0,4}(?::(?!//)|\xef\xbc\x9a|=|\?|>)" + _B + rb"{0,20}")
_PAIRED = LazyPattern(rb"""\\?["']""" + _B + rb"?,?" + _B + rb"""{0,8}(?=\\?["'])""")
_SAID = LazyPattern(
    _CLOSED + rb"(?:" + _ABOUT + rb")?" + _B
    + rb"{1,4}(?:is|was|set to|changed to|reset to|to|ist|lautet|est|es|\xc3\xa8|-)" + _B + rb"{1,4}(?::" + _B + rb"*)?"
)  # fmt: skip
_SPACED = LazyPattern(_CLOSED + _B + rb"{1,20}")
_OPTION = LazyPattern(rb"(?:" + _B + rb"|\\\n){1,8}|=|:")
_NEXT_LINE = LazyPattern(
    _CLOSED
    + _B
    + rb"{0,4}(?:[:=]"
    + _B
    + rb"{0,4}([|>][+-]?)?)?\r?\n[ \t]{0,40}(?![\w.-]{1,60}[:=](?:\s|\Z))(?=\S{6,200}\r?(?:\n|\Z))"
)
_ELEMENT = LazyPattern(rb"""[^<>\n]{0,200}(?<!/)>(?:<!\[CDATA\[)?([^<>\n]{1,400})(?=\]\]>|</)""")
_KEYED = (
    LazyPattern(  # <add key="password" value="x">, {"name": "password", "value": "x"}, <key>password</key><string>x
        rb"""["']?[^\n"'<>]{0,3}(?:,|\s|/>|</\w{1,20}>)\s{0,40}(?:[{<]?\w{0,20}[ >]?)"""
        rb"""["']?(?:value|val|content|text|string|Value)"""
        rb"""["']?\s{0,4}(?:[:=>]|=>)\s{0,4}(?:"([^"\n]{1,400})"|'([^'\n]{1,400})'|([^"'<>\n]{1,400}?)(?=["'<]|\s*$))"""
    )
)

_CELL = LazyPattern(  # <td>Password</td><td>x</td>, <setting name="Password"><value>x</value>
    rb"""["']?\s{0,3}(?:/?>\s{0,20})?(?:</\w{1,20}>\s{0,20})?<\w{1,20}[^<>\n]{0,80}>([^<>\n]{1,200})(?=</)"""
)

# -- values ------------------------------------------------------------------------------------------------------------

_MARK = rb"""(?:[uUbBrRfF@$]{0,2}|N|string\(\d{1,4}\)\s)(?P<mark>\\{1,4}["'`]|["'`]|&quot;|&\#0?3[49];|&apos;)"""
# The end is a mark that a blank or a sign follows; if there is none, the first mark.
_QUOTED = LazyPattern(
    _MARK + rb"""(?P<in>(?:\\.|[^\\\n]){1,400}?)(?P=mark)(?=[\s,;:)\]}>.|&/?!<%]|\\|\Z)"""
    rb"""|(?:\xe2\x80[\x98\x9a\x9b\x9c\x9e\x9f]|\xc2\xab)(?P<typed>[^\n]{1,400}?)(?:\xe2\x80[\x98\x99\x9c\x9d]|\xc2\xbb)"""
)
_QUOTED_ANYHOW = LazyPattern(_MARK + rb"(?P<in>(?:\\.|[^\\\n]){1,400}?)(?P=mark)(?P<typed>)")
_BRACKETED = LazyPattern(
    rb"(?:\[([^\n]{1,400}?)\]|\(([^\n]{1,400}?)\)|\{([^\n]{1,400}?)\}|<([^\n]{1,400}?)>)(?=[\s.,;:!\"')\]}]|\Z)"
)
# A value without quotes ends at a blank, or where a sign shows that another field begins or a bracket closes.
_END = (
    rb"""[&;,|]+(?:[A-Za-z_][\w.$-]{0,40}"?[=:]|\s|\Z|["'}\])<])|\\?["'`}\])>]+[,;.]*(?:\s|\Z)|</|\\[nrt"]|"""
    rb"""["'][,}\]):]|&quot;|&amp;|%26|\xc2\xa0|\xe2\x80\xaf|,["'{\[]"""
)
_BARE = LazyPattern(rb"(?:(?!" + _END + rb")[^\s\"'`])(?:(?!" + _END + rb")[^\s]){0,399}")
_UNCLOSED = LazyPattern(rb"""\\{0,4}["'`]([^\n"'`]{1,400})(?=\n|\Z)""")
_REST = LazyPattern(rb"[^\n\r]{1,200}")
_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PATH = LazyPattern(rb"(?:/|~|\.{1,2}/|[A-Za-z]:[\\/])[^\n]*")
_SENTENCE = LazyPattern(rb"[A-Z]?[a-z]+|[A-Z]+|[0-9]{1,3}|[a-z]+(?:[-/_][a-z]+)+")


def _value(text: bytes, at: int) -> tuple[int, int, bool] | None:
    """Where the value is that begins here, and whether quotes or brackets delimit it."""
    found = _QUOTED.match(text, at) or _QUOTED_ANYHOW.match(text, at)
    if found is not None:
        group = "in" if found["in"] is not None else "typed"
        return *found.span(group), True
    found = _BRACKETED.match(text, at)
    if found is not None and found.lastindex:
        start, stop = found.span(found.lastindex)
        inner = _QUOTED.fullmatch(text, start, stop)
        return (*inner.span("in"), True) if inner is not None and inner["in"] else (start, stop, True)
    found = _BARE.match(text, at)
    if found is not None:
        return *found.span(), False
    found = _UNCLOSED.match(text, at)
    return (*found.span(1), True) if found is not None else None


_KINDS = (re.compile(rb"[a-z\x80-\xff]"), re.compile(rb"[A-Z]"), re.compile(rb"[0-9]"))
_SIGNS = LazyPattern(rb"[^A-Za-z0-9\x80-\xff\s.,:;()\\/-]")


def _is_strong(value: bytes, unusual: LazyPattern | None = None) -> bool:
    """Whether a value looks invented: characters of three kinds, and no path, number, address or date.

    Args:
        value: the value.
        unusual: characters that count as a kind; all but those of sentences, unless they are given.
    """
    if len(value) < 6 or _PATH.fullmatch(value) or not value.strip(b"0123456789abcdefABCDEF.:-/xX"):
        return False
    return sum(kind.search(value) is not None for kind in (*_KINDS, unusual or _SIGNS)) >= 3


# -- names -------------------------------------------------------------------------------------------------------------


class _Name:
    """A name that has a word for a secret in it: `--db-password`, `SFTP_PASS`, `Kennwort`.

    Attributes:
        begin, end: where it is.
        is_full: whether the word ends it.
        is_about: whether it names something about a secret.
        is_option: whether it is an option of a command.
        is_loose: whether it may be a word of a list: a cell of a table, or `auth`.
    """

    def __init__(self, text: bytes, start: int, stop: int) -> None:
        first = max(start - 60, 0)
        self.begin = first + len(text[first:start].rstrip(_OF_NAMES))
        after = _NAME_AFTER.match(text, stop)
        self.end = after.end() if after is not None else stop
        self.text = text[self.begin : self.end]
        word, before = text[start:stop].lower(), text[max(self.begin - 2, 0) : self.begin]
        self.is_full = self.end == stop
        self.is_about = _is_about(word, text[stop : self.end])
        self.is_option = self.text[:1] == b"-" or (before[-1:] == b"/" and not before[:-1].strip())
        self.is_loose = before.strip()[-1:] not in (b"|", b"") or word == b"auth"
        self.is_element = before.endswith((b"<", b"</"))


def _named(text: bytes, start: int, stop: int) -> Iterator[Place]:
    """The value that follows a word for a secret."""
    name = _Name(text, start, stop)
    found = _ELEMENT.match(text, name.end) if name.is_element and not name.is_about else None
    if found is not None:
        yield *found.span(1), True
    for place in _after_name(text, name):
        value = text[place[0] : place[1]]
        is_path = _PATH.fullmatch(value) is not None and name.text.lower() in (b"pwd", b"oldpwd")
        if not is_path and (not name.is_about or _is_strong(value)):
            if no_secrets.PLACEHOLDER.fullmatch(value.strip(b".,!?;:)")) is None:
                is_weak = text[name.end : name.end + 4].strip()[:1] in _WEAK_SIGNS and _SENTENCE.fullmatch(value)
                yield *place[:2], place[2] and not is_weak
            return


# With these signs a word may be the next cell of a table or the next of a list.
_WEAK_SIGNS = (b"|", b">", b",", b'"', b"'")


def _is_about(word: bytes, after: bytes) -> bool:
    """Whether a name is not that of a secret itself: of its file, its type, its age."""
    parts = _PART.findall(after)
    return after[:1] in (b"s", b"S") or (
        bool(parts) and (word == b"auth" or no_secrets.ABOUT.fullmatch(parts[-1]) is not None)
    )


def _after_name(text: bytes, name: _Name) -> Iterator[Place]:
    """The values that may follow a name, the likeliest first."""
    end = name.end
    if (found := _KEYED.match(text, end) or _CELL.match(text, end)) is not None:
        yield *found.span(found.lastindex or 0), True
    if _NEXT_LINE.match(text, end) is not None:
        yield from _on_next_line(text, end)
    elif (found := _ASSIGNED.match(text, end) or _PAIRED.match(text, end)) is not None:
        if not (name.is_loose and (b"|" in found[0] or b")" in found[0])):
            yield from _certain(_value(text, found.end()))
        return
    if (
        name.is_option
        and (found := _OPTION.match(text, end)) is not None
        and text[found.end() : found.end() + 1] != b"-"
    ):
        yield from _certain(_value(text, found.end()))
    if name.is_full:
        yield from _in_sentence(text, end)


def _on_next_line(text: bytes, end: int) -> Iterator[Place]:
    found = _NEXT_LINE.match(text, end)
    place = _value(text, found.end()) if found is not None else None
    if found is not None and place is not None and (found[1] or _is_strong(text[place[0] : place[1]])):
        yield *place[:2], True


def _certain(place: Place | None) -> Iterator[Place]:
    if place is not None:
        yield *place[:2], True


_BRACKETS = (b"(", b"<", b"{")


def _in_sentence(text: bytes, end: int) -> Iterator[Place]:
    """The values that a sentence or a prompt gives behind a word that ends here."""
    for pattern in (_SAID, _PROMPTED, _SPACED, _LOOSELY):
        found = pattern.match(text, end)
        place = _value(text, found.end()) if found is not None else None
        if place is None:
            continue
        start, stop, is_delimited = place
        value = text[start:stop].rstrip(b".,!?;:)")
        is_word = _SENTENCE.fullmatch(value) is not None
        if pattern is _PROMPTED or _is_strong(value):
            yield start, stop, is_delimited or not is_word
        elif no_secrets.NO_SECRET.fullmatch(value) is None:
            # In brackets may be an explanation.
            is_explained = text[start - 1 : start] in _BRACKETS and (is_word or b" " in value)
            if (is_delimited and not is_explained) or (not is_delimited and _is_meant(pattern, text, end, value)):
                yield start, stop, is_delimited or not is_word


def _is_meant(pattern: LazyPattern, text: bytes, end: int, value: bytes) -> bool:
    """Whether a plain word is a value: the sentence says so."""
    return (pattern is _SAID and len(value) > 3) or (pattern is _SPACED and _is_told(text, end, value))


# What stands before a word for a secret where its value is told: `with password x`, `login orla password x`.
_TELLS = LazyPattern(
    rb"(?i)(?:\b(?:with|using|use|setx|env|arg)\s+(?:the\s+|new\s+)?[\w$]{0,40}|"
    rb"\b(?:machine|login|user|account)\s[^\n]{0,80}(?:\n[^\n]{0,80})?\s)\Z"
)


_TELLING = b"with us setx env arg machine login account".split()


def _is_told(text: bytes, end: int, value: bytes) -> bool:
    """Whether the words before make a value of what follows a word for a secret."""
    start = len(text[max(end - 40, 0) : end].rstrip(_LETTERS)) + max(end - 40, 0)
    if len(value) < 4 or text[start:end] in (b"requirepass", b"masterauth"):
        return len(value) > 3
    before = text[max(start - 200, 0) : start]
    lower = before.lower()
    return any(word in lower for word in _TELLING) and _TELLS.search(before) is not None


# -- all ---------------------------------------------------------------------------------------------------------------


def places(text: bytes) -> list[Place]:
    """Where credentials are in a text, in order; none overlaps another."""
    named, signs = words.find(text)
    found: list[Place] = []
    searched = 0  # what looks invented was looked for up to here
    for start, stop in named:
        if found and start < found[-1][1]:
            continue
        values = list(_named(text, start, stop))
        if not values and start >= searched:
            values, searched = list(_beside(text, start, stop)), stop + _BESIDES
        found += values
    if signs:
        found += _formed(text, signs)
        searched = 0
        for start, sign in signs:
            if sign in words.HINTS and start >= searched:
                found += _beside(text, start, start + len(sign))
                searched = start + len(sign) + _BESIDES
    kept: list[Place] = []
    for place in sorted(found, key=lambda place: (place[0], -place[1])):
        if kept and place[0] < kept[-1][1]:
            if place[1] > kept[-1][1]:
                kept[-1] = kept[-1][0], place[1], kept[-1][2]
        else:
            kept.append(place)
    return kept


# What a value that looks invented is not: a fingerprint, a public key, a name of a class, a version.
_BESIDE = LazyPattern(
    rb"""(?<![^\s"'`<>,;()\[\]{}=|])(?!(?:SHA\d*|MD5|AAAA)[:A-Za-z0-9]|\w{1,40}\.\w{1,40}\.\w|[\w-]{1,40}[_/-]v?\d+\.\d|[/~]|\w:\\|\w+://)"""
    rb"""[^\s"'`<>,;()\[\]{}=|]{6,80}"""
)
_NAME_LIKE = LazyPattern(rb"[A-Za-z]?[a-z]+(?:[A-Z][a-z]+)*\d{0,4}[a-z]?|[A-Z][A-Za-z]*\d{0,4}|[\w.+-]+@[\w.-]+")
_BESIDES = 120
_UNUSUAL = LazyPattern(rb"[#!$%&*+?^~]")


def _beside(text: bytes, start: int, stop: int) -> Iterator[Place]:
    """What looks invented on the line of a word for a secret, if nothing shows which is its value."""
    begin = max(text.rfind(b"\n", 0, start) + 1, start - 60)
    end = text.find(b"\n", stop)
    for found in _BESIDE.finditer(text, begin, min(stop + _BESIDES, len(text) if end < 0 else end)):
        value = found[0].rstrip(b".:!?")
        is_other = found.start() < stop and found.end() > start  # the word itself
        if is_other or not _is_strong(value, _UNUSUAL) or _NAME_LIKE.fullmatch(value):
            continue
        yield found.start(), found.start() + len(value), True


def _formed(text: bytes, signs: list[tuple[int, bytes]]) -> Iterator[Place]:
    """The values of all forms on the lines that have a sign of them."""
    for (start, stop), shown in _by_line(text, signs):
        for number in sorted({number for sign in shown for number in _forms_of().get(sign, ())}):
            pattern = FORMS[number].pattern
            for match in pattern.finditer(text, start, stop):
                spans = (match.span(group) for group in range(1, pattern.groups + 1))
                placeholder = no_secrets.PLACEHOLDER.fullmatch
                yield from ((a, b, True) for a, b in spans if a >= 0 and not placeholder(text[a:b]))


@cache
def _forms_of() -> dict[bytes, list[int]]:
    """The numbers of the forms that have a sign."""
    numbers: dict[bytes, list[int]] = {}
    for number, form in enumerate(FORMS):
        for sign in form.signs:
            numbers.setdefault(sign, []).append(number)
    return numbers


def _by_line(text: bytes, signs: list[tuple[int, bytes]]) -> Iterator[tuple[tuple[int, int], set[bytes]]]:
    """Each line with a sign: where it is, and which signs are on it."""
    start, stop, shown = 0, -1, set[bytes]()
    for at, sign in signs:
        if at < stop:
            shown.add(sign)
            continue
        if shown:
            yield (start, stop), shown
        start, stop, shown = text.rfind(b"\n", 0, at) + 1, text.find(b"\n", at), {sign}
        stop = len(text) if stop < 0 else stop
    if shown:
        yield (start, stop), shown


def values(text: bytes) -> Iterator[bytes]:
    """The values that a program's output marks as secret, and what they say if they are encoded."""
    for start, stop, is_certain in places(text):
        if is_certain:
            yield from _meanings(text[start:stop])


def _meanings(value: bytes) -> Iterator[bytes]:
    """A value as it is, and without the escapes of URLs, strings and HTML; of `Basic` its password."""
    yield value
    plain = value.rstrip(b".,;")
    if plain != value:
        yield plain
    if b"%" in value:
        yield unquote_to_bytes(value)
    if b"\\" in value:
        yield re.sub(rb"\\(.)", rb"\1", value)
    if b"&" in value:
        from html import unescape

        yield unescape(value.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
    try:
        user, colon, password = b64decode(value, validate=True).partition(b":")
    except (NotBase64, ValueError):
        return
    if colon and len(password) > 3 and user.isascii() and user.decode().isprintable():
        yield password


def masked(text: bytes, mask: Callable[[bytes], bytes]) -> bytes:
    """Replace each value that the text marks as secret by `mask` of it."""
    return replaced(text, [(start, stop, text[start:stop]) for start, stop, _ in places(text)], mask)
