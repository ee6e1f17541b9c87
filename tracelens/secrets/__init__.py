"""Finds secrets in every encoding, and masks them.

A value is known to be a secret from a packet or a text (a password, an answer to a prompt, a variable's value) or from
a program's own output (`password=...`, a private key). It is then masked wherever its octets appear: as they are, in
hexadecimal digits, in base64, in UTF-16. The exception are secrets that are ordinary words of SSH or of libssh2, such
as "password": masking those words everywhere would reveal the secret.

`printed` finds credentials by the `words` and `forms` around them, `spellings` known secrets that are escaped, listed
as numbers or split. Both are loaded where they are needed.
"""

import re
from base64 import b64encode
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from functools import cache, cached_property, lru_cache
from itertools import count
from typing import TYPE_CHECKING

from tracelens.libssh2 import messages
from tracelens.ssh.algorithms import SINCE

if TYPE_CHECKING:
    from ahocorasick_rs import BytesAhoCorasick

MASKED = "[hidden]"
# A shorter secret cannot be distinguished from ordinary text.
MIN_SECRET_BYTES = 4
_DIGITS = tuple(b"%d" % digit for digit in range(10))
_FIGURES = (*_DIGITS, b".")
# Fewer characters of base64 match by chance.
_MIN_BASE64_CHARS = 5
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
# With more secrets than any program's trace contains, base64 and UTF-16 are not searched; a notice reports it.
MAX_ENCODED_SECRETS = 2000
# Separators between octets in hexadecimal.
_SEPARATORS = b" :"
_SEPARATOR = re.compile(b"[ :]")
_HEX_DIGITS = {b"%c" % digit for digit in b"0123456789abcdefABCDEF"}
_LOWER = bytes.maketrans(b"ABCDEF", b"abcdef")
# What `tracelens redact` puts in place of a secret. All masks have the same length; they are numbered, so that two
# attempts with one password still look like one password.
_MASK = re.compile(rb"hidden-[a-z]{6}")
_NAMES = (
    "ssh-connection ssh-userauth password publickey keyboard-interactive hostbased none gssapi-with-mic session sftp "
    "subsystem exec shell pty-req env x11-req exit-status exit-signal xterm vt100 server-sig-algs OpenSSH dropbear "
    "libssh2 SSH-2.0- direct-tcpip forwarded-tcpip tcpip-forward auth-agent@openssh.com hostkeys-00@openssh.com "
    "Password: password: publickey-hostbound@openssh.com ping@openssh.com posix-rename@openssh.com "
    "statvfs@openssh.com fstatvfs@openssh.com hardlink@openssh.com fsync@openssh.com lsetstat@openssh.com "
    "limits@openssh.com expand-path@openssh.com copy-data home-directory users-groups-by-id@openssh.com "
    "hidden-arguments (hidden) [hidden] "
    "No such file Permission denied Failure Success End of file Bad message Operation unsupported Connection lost"
)


def mask(number: int) -> bytes:
    """The mask of the secret with this number in a redacted trace; all masks have the same length."""
    letters, rest = b"", (number * 60_000_049 + 123_456_789) % 26**6
    for _ in range(6):
        rest, letter = divmod(rest, 26)
        letters += b"%c" % (97 + letter)
    return b"hidden-" + letters


def is_mask(value: bytes) -> bool:
    """Whether the value is a mask of a redacted trace."""
    return _MASK.fullmatch(value) is not None


def is_searchable(value: bytes) -> bool:
    """Whether a secret can be searched for: it is long enough, not a mask, and not an ordinary word of SSH."""
    return len(value) >= MIN_SECRET_BYTES and not is_mask(value) and not is_ordinary(value)


@lru_cache(1 << 16)
def is_ordinary(value: bytes) -> bool:
    """Whether the value may be in any trace: in libssh2's texts, or in names of algorithms, methods and messages."""
    return _is_in_ordinary_words(value) or not value.strip(b" .\0*-=_")


_calls = count()


def _is_in_ordinary_words(value: bytes) -> bool:
    # The prefix index pays off only for many values.
    if (
        next(_calls) > MAX_ENCODED_SECRETS
        and len(value) >= MIN_SECRET_BYTES
        and value[:MIN_SECRET_BYTES] not in _word_prefixes()
    ):
        return False
    return value in ordinary_words()


@cache
def _word_prefixes() -> frozenset[bytes]:
    words = ordinary_words()
    return frozenset(words[at : at + MIN_SECRET_BYTES] for at in range(len(words)))


@cache
def ordinary_words() -> bytes:
    """Texts of libssh2 and names of SSH, one per line."""
    texts = [row.text for row in messages.rows()]
    return "\n".join([*texts, *SINCE, _NAMES]).encode()


def _spellings(value: bytes, *, coded: bool) -> Iterator[bytes]:
    """The encodings of a value in a text or a dump, itself first; hexadecimal is searched separately.

    Args:
        value: a secret.
        coded: whether base64 and UTF-16 are included.
    """
    yield value
    text = value.decode("utf-8", "replace")
    if not value.isascii():
        yield value.decode("latin-1").encode()
        yield value.decode("utf-8", "backslashreplace").encode()
        yield text.encode("unicode_escape")
        if "\ufffd" not in text:
            yield text.encode("latin-1", "replace")
    if not coded:
        return
    yield text.encode("utf-16-le")
    yield text.encode("utf-16-be")
    for shift in range(3):
        base64 = b64encode(b"\0" * shift + value)
        inner = base64[(0, 2, 3)[shift] : (shift + len(value)) * 8 // 6]
        if len(inner) >= _MIN_BASE64_CHARS:
            yield inner
            yield inner.translate(_URL_SAFE)


def credentials(text: bytes) -> Iterator[bytes]:
    """Find values that a program's output marks as secret: `password=...`, `--token ...`, `://user:...@`."""
    from tracelens.secrets import printed

    return printed.values(text)


def mask_credentials(text: bytes, mask: Callable[[bytes], bytes]) -> bytes:
    """Replace each value that the text marks as secret by `mask` of it."""
    from tracelens.secrets import printed

    return printed.masked(text, mask)


class _WordSearch:
    """Searches for many words at a time; each is the encoding of a secret."""

    def __init__(self, found: dict[bytes, bytes]) -> None:
        self._values = list(found.values())
        self._words = list(found)

    def __bool__(self) -> bool:
        return bool(self._words)

    @cached_property
    def _automaton(self) -> "BytesAhoCorasick":
        from ahocorasick_rs import BytesAhoCorasick, Implementation, MatchKind

        # Building the other kind of automaton takes quadratic time in the length of a word.
        return BytesAhoCorasick(self._words, MatchKind.LeftmostLongest, Implementation.ContiguousNFA)

    def find(self, data: bytes) -> list[tuple[int, int, bytes]]:
        """Find start, stop and secret of each match, in order."""
        if not self._words or not data:
            return []
        values = self._values
        return [(start, stop, values[n]) for n, start, stop in self._automaton.find_matches_as_indexes(data)]


class _Hexadecimal:
    """Searches for secrets in hexadecimal, in either case, with or without blanks or colons between the octets."""

    def __init__(self, values: list[bytes]) -> None:
        self._search = _WordSearch({value.hex().encode(): value for value in values})
        self._longest = max(map(len, values), default=0)

    def may_be_in(self, data: bytes) -> bool:
        """Whether the data contains the digits of a secret, aligned to octets or not."""
        return bool(self._search.find(data.translate(_LOWER, _SEPARATORS)))

    def find(self, data: bytes) -> list[tuple[int, int, bytes]]:
        """Find start, stop and secret of each match, in order."""
        digits = data.translate(_LOWER, _SEPARATORS)
        found = self._search.find(digits)
        if not found:
            return []
        # Offsets in the digits at which separators were removed.
        removed = [at.start() - n for n, at in enumerate(_SEPARATOR.finditer(data))]
        placed = []
        for start, stop, value in found:
            at = self._placed(data, removed, start, stop, value)
            if at is None:  # a later match in the same digits may be aligned to octets
                others = self._search.find(digits[start + 1 : stop + 2 * self._longest])
                more = ((start + 1 + a, start + 1 + b, v) for a, b, v in others)
                placed += [one for one in (self._placed(data, removed, *other) for other in more) if one is not None]
            else:
                placed.append(at)
        return placed

    @staticmethod
    def _placed(data: bytes, removed: list[int], start: int, stop: int, value: bytes) -> tuple[int, int, bytes] | None:
        """The position of digits in the data; None if they are not octets, because a separator splits one."""
        first, last = bisect_right(removed, start), bisect_left(removed, stop)
        if any((place - start) % 2 for place in removed[first:last]):
            return None
        begin, end = start + first, stop + last
        parted = last > first
        if parted and (data[begin - 1 : begin] in _HEX_DIGITS or data[end : end + 1] in _HEX_DIGITS):
            return None
        return begin, end, value


class _PrefixSearch:
    """Searches for truncated values."""

    def __init__(self, values: list[bytes]) -> None:
        self._sorted = sorted(values)
        self._begins = {value[:MIN_SECRET_BYTES] for value in values}
        self.longest = max(map(len, values), default=0)

    def at_end(self, data: bytes) -> int:
        """The length of a value's beginning at the end of the data; 0 if it is shorter than MIN_SECRET_BYTES."""
        ordered, begins = self._sorted, self._begins
        for at in range(max(0, len(data) - self.longest + 1), len(data) - MIN_SECRET_BYTES + 1):
            if data[at : at + MIN_SECRET_BYTES] in begins:
                part = data[at:]
                next_one = bisect_right(ordered, part)
                if next_one < len(ordered) and ordered[next_one].startswith(part):
                    return len(part)
        return 0


def replaced(text: bytes, found: list[tuple[int, int, bytes]], mask: Callable[[bytes], bytes]) -> bytes:
    """The text with `mask` of each value in its place; `found` are start, stop and value, in order."""
    if not found:
        return text
    out, done = [], 0
    for start, stop, value in found:
        out += [text[done:start], mask(value)]
        done = stop
    return b"".join([*out, text[done:]])


class SecretSearcher:
    """Searches for secrets in any encoding; if several begin at the same offset, the longest counts.

    Args:
        values: secrets; those that are not searchable are ignored.
    """

    def __init__(self, values: Iterable[bytes]) -> None:
        self.values = sorted({v for v in values if is_searchable(v)}, key=lambda v: (-len(v), v))
        coded = len(self.values) <= MAX_ENCODED_SECRETS
        found = {form: value for value in reversed(self.values) for form in _spellings(value, coded=coded)}
        figures = {form: value for form, value in found.items() if form == value and form.isdigit()}
        self._all, self._figures = _WordSearch(found), _WordSearch(figures)
        words = {form: value for form, value in found.items() if form not in figures}
        self._words = _WordSearch(words) if figures else self._all
        self._hexadecimal = _Hexadecimal(self.values)
        self._firsts, self._lasts = _PrefixSearch(self.values), _PrefixSearch([value[::-1] for value in self.values])

    def find(self, data: bytes, *, numbers: bool = True) -> list[tuple[int, int, bytes]]:
        """Find start, stop and value of each secret; none overlaps another.

        Args:
            data: the bytes to search.
            numbers: whether a secret of digits also counts inside a longer number.
        """
        if not self.values:
            return []
        found = self._hexadecimal.find(data)
        if numbers or not self._figures:
            found += self._all.find(data)
        else:
            found += self._words.find(data)
            found += [one for one in self._figures.find(data) if _alone(data, one[0], one[1])]
        if len(found) < 2:
            return found
        found.sort(key=lambda one: (one[0], -one[1]))
        kept, end = [], 0
        for one in found:
            if one[0] >= end:
                kept.append(one)
                end = one[1]
        return kept

    def may_be_in(self, data: bytes) -> bool:
        """Whether `find` may find a secret in the data or in any part of it."""
        return bool(self.values) and bool(self._all.find(data) or self._hexadecimal.may_be_in(data))

    def begun(self, data: bytes) -> int:
        """The number of bytes at the end of the data that begin a secret."""
        return self._firsts.at_end(data)

    def ended(self, data: bytes) -> int:
        """The number of bytes at the start of the data that end a secret."""
        return self._lasts.at_end(data[: self._lasts.longest][::-1])

    def replace(self, data: bytes, mask: Callable[[bytes], bytes], *, numbers: bool = True) -> bytes:
        """Replace each secret by `mask` of it."""
        return replaced(data, self.find(data, numbers=numbers), mask)


def _alone(data: bytes, start: int, stop: int) -> bool:
    return data[start - 1 : start] not in _FIGURES and data[stop : stop + 1] not in _DIGITS


def hider(values: Iterable[bytes]) -> Callable[[str], str]:
    """Return a function that masks secrets in a text, also one that is truncated at its end."""
    needles = SecretSearcher(values)

    def hide(text: str) -> str:
        plain = text.encode("utf-8", "surrogatepass")
        data = needles.replace(plain, lambda _: MASKED.encode(), numbers=False)
        if data is not plain:
            text = _decoded(data)
        body = text.rstrip(".\"'\u2026").encode("utf-8", "surrogatepass")  # a truncated text may end in half a secret
        half = needles.begun(body)
        if half and not is_ordinary(body[-half:]):
            rest = text.encode("utf-8", "surrogatepass")[len(body) :]
            text = _decoded(body[:-half] + MASKED.encode() + rest)
        return text

    return hide if needles.values else lambda text: text


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:  # a secret in Latin-1 was part of a character
        return data.decode("utf-8", "replace")


def without_credentials(text: str) -> str:
    """Mask the values that the text marks as secret."""
    from tracelens.secrets import words

    data = text.encode("utf-8", "surrogatepass")
    if words.find(data) == ([], []):  # no need to load what takes a tenth of a small trace's time
        return text
    found = {value for value in credentials(data) if len(value) >= MIN_SECRET_BYTES and not is_ordinary(value)}
    if not found:
        return text
    for value in sorted(found, key=len, reverse=True):
        data = data.replace(value, MASKED.encode())
    return data.decode("utf-8", "surrogatepass")
