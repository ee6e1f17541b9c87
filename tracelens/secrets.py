"""What a secret looks like wherever it stands, and how it is masked.

A secret is known where a packet or a text says that it is one (a password, an answer to a prompt, a variable's value),
or where a program's own words do (`password=...`, a private key). From then on it is masked wherever its octets turn
up: as they are, in hexadecimal digits, in base64, in UTF-16. The one exception are secrets that are ordinary words of
SSH or of libssh2, such as "password": to mask those words everywhere would tell the secret.
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
# A shorter secret cannot be told from ordinary text wherever its letters turn up.
MIN_SECRET_BYTES = 4
_DIGITS = tuple(b"%d" % digit for digit in range(10))
_FIGURES = (*_DIGITS, b".")
# Fewer characters of base64 than this say nothing.
_MIN_BASE64_CHARS = 5
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
# Of more secrets than this, which no program's trace holds, base64 and UTF-16 are not looked for; it is said.
MAX_ENCODED_SECRETS = 2000
# What stands between octets in hexadecimal.
_BETWEEN = b" :"
_LEFT_OUT = re.compile(b"[ :]")
_HEX_DIGITS = {b"%c" % digit for digit in b"0123456789abcdefABCDEF"}
_LOWER = bytes.maketrans(b"ABCDEF", b"abcdef")
# What `tracelens redact` puts in a secret's place: as long as any other, and numbered, so that two attempts with one
# password still look like one password.
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
# A program's own words before a secret on their line. The words around it stay.
_CREDENTIAL = re.compile(
    rb"(?ix) (?: \b(?:pass(?:word|wd|phrase|code)?|pwd|secret|token|api[_-]?key|access[_-]?key|auth(?:orization)?)"
    rb"[^\S\n]{0,3}[=:][^\S\n]{0,3} | --(?:password|passphrase|token|secret)[= ] | \bsshpass[^\S\n]+-p[^\S\n]{0,3}"
    rb"| \bBearer[^\S\n]+ | ://[^\s/@:]{0,64}: (?=[^\s/@]{1,200}@) | \bidentified[^\S\n]+by[^\S\n]+"
    rb"| (?:-u|--user)[= ][^\s:]{1,64}: )"
    rb"""(?: "([^"\n]{1,200})" | '([^'\n]{1,200})' | ([^\s"';,@&]{1,200}) )"""
)
KEY_BEGIN = re.compile(rb"-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY-----|PuTTY-User-Key-File-\d|Private-Lines: ")
KEY_END = re.compile(rb"-----END (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY-----|Private-MAC: ")


def mask(number: int) -> bytes:
    """What stands for the secret with this number in a redacted trace; all masks are equally long."""
    letters, rest = b"", (number * 60_000_049 + 123_456_789) % 26**6
    for _ in range(6):
        rest, letter = divmod(rest, 26)
        letters += b"%c" % (97 + letter)
    return b"hidden-" + letters


def is_mask(value: bytes) -> bool:
    """Whether the value is such a mask."""
    return _MASK.fullmatch(value) is not None


def is_searchable(value: bytes) -> bool:
    """Whether a secret can be looked for elsewhere: it is long enough, no mask, and no ordinary word of SSH."""
    return len(value) >= MIN_SECRET_BYTES and not is_mask(value) and not is_ordinary(value)


@lru_cache(1 << 16)
def is_ordinary(value: bytes) -> bool:
    """Whether the value is part of what any trace holds: libssh2's texts, names of algorithms, methods and messages."""
    return _is_in_ordinary_words(value) or not value.strip(b" .\0*-=_")


_calls = count()


def _is_in_ordinary_words(value: bytes) -> bool:
    # To know its beginnings is worth its while for many values only.
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
    """Texts of libssh2 and names of SSH, a line each."""
    texts = [row.text for row in messages.rows()]
    return "\n".join([*texts, *SINCE, _NAMES]).encode()


def _spellings(value: bytes, *, coded: bool) -> Iterator[bytes]:
    """The ways in which a value can stand in a text or in a dump, itself first; hexadecimal is looked for apart.

    Args:
        value: a secret.
        coded: whether base64 and UTF-16 count.
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
    """Values that a program's own words call secret: `password=...`, `--token ...`, `://user:...@`."""
    for found in _CREDENTIAL.finditer(text):
        value = found[1] or found[2] or found[3]
        if not is_mask(value):
            yield value


def mask_credentials(text: bytes, mask: Callable[[bytes], bytes]) -> bytes:
    """The text with `mask` of each such value where its own words call it secret."""

    def masked(found: "re.Match[bytes]") -> bytes:
        number = found.lastindex or 0
        start, stop = found.start(number) - found.start(), found.end(number) - found.start()
        value = found[number]
        return found[0] if is_mask(value) else found[0][:start] + mask(value) + found[0][stop:]

    return _CREDENTIAL.sub(masked, text)


class _Searched:
    """Looks for many words at once, each of which stands for a secret."""

    def __init__(self, found: dict[bytes, bytes]) -> None:
        self._values = list(found.values())
        self._words = list(found)

    def __bool__(self) -> bool:
        return bool(self._words)

    @cached_property
    def _automaton(self) -> "BytesAhoCorasick":
        from ahocorasick_rs import BytesAhoCorasick, Implementation, MatchKind

        # The other kind of automaton takes the square of a word's length to build.
        return BytesAhoCorasick(self._words, MatchKind.LeftmostLongest, Implementation.ContiguousNFA)

    def find(self, data: bytes) -> list[tuple[int, int, bytes]]:
        """Start, stop and secret, one behind the other."""
        if not self._words or not data:
            return []
        values = self._values
        return [(start, stop, values[n]) for n, start, stop in self._automaton.find_matches_as_indexes(data)]


class _Hexadecimal:
    """Looks for secrets in hexadecimal, in capitals or not, with blanks or colons between the octets or not."""

    def __init__(self, values: list[bytes]) -> None:
        self._searched = _Searched({value.hex().encode(): value for value in values})
        self._longest = max(map(len, values), default=0)

    def may_be_in(self, data: bytes) -> bool:
        """Whether the digits of a secret stand there, as octets or not."""
        return bool(self._searched.find(data.translate(_LOWER, _BETWEEN)))

    def find(self, data: bytes) -> list[tuple[int, int, bytes]]:
        """Start, stop and secret, one behind the other."""
        digits = data.translate(_LOWER, _BETWEEN)
        found = self._searched.find(digits)
        if not found:
            return []
        # Where in the digits a character between two of them was left out.
        left_out = [at.start() - n for n, at in enumerate(_LEFT_OUT.finditer(data))]
        placed = []
        for start, stop, value in found:
            at = self._placed(data, left_out, start, stop, value)
            if at is None:  # in another place among the same digits it may be octets
                others = self._searched.find(digits[start + 1 : stop + 2 * self._longest])
                more = ((start + 1 + a, start + 1 + b, v) for a, b, v in others)
                placed += [one for one in (self._placed(data, left_out, *other) for other in more) if one is not None]
            else:
                placed.append(at)
        return placed

    @staticmethod
    def _placed(data: bytes, left_out: list[int], start: int, stop: int, value: bytes) -> tuple[int, int, bytes] | None:
        """Where digits stand in the data; None where they are no octets: what parts them stands inside of one."""
        first, last = bisect_right(left_out, start), bisect_left(left_out, stop)
        if any((place - start) % 2 for place in left_out[first:last]):
            return None
        begin, end = start + first, stop + last
        parted = last > first
        if parted and (data[begin - 1 : begin] in _HEX_DIGITS or data[end : end + 1] in _HEX_DIGITS):
            return None
        return begin, end, value


class _Parts:
    """Looks for first parts of values."""

    def __init__(self, values: list[bytes]) -> None:
        self._sorted = sorted(values)
        self._begins = {value[:MIN_SECRET_BYTES] for value in values}
        self.longest = max(map(len, values), default=0)

    def at_end(self, data: bytes) -> int:
        """How many bytes at the end of the data a longer value begins with; none are fewer than SHORTEST."""
        ordered, begins = self._sorted, self._begins
        for at in range(max(0, len(data) - self.longest + 1), len(data) - MIN_SECRET_BYTES + 1):
            if data[at : at + MIN_SECRET_BYTES] in begins:
                part = data[at:]
                next_one = bisect_right(ordered, part)
                if next_one < len(ordered) and ordered[next_one].startswith(part):
                    return len(part)
        return 0


class SecretSearcher:
    """Looks for secrets in whatever form; the longest counts where several begin at one place.

    Args:
        values: secrets; those that cannot be told from ordinary words are left out.
    """

    def __init__(self, values: Iterable[bytes]) -> None:
        self.values = sorted({v for v in values if is_searchable(v)}, key=lambda v: (-len(v), v))
        coded = len(self.values) <= MAX_ENCODED_SECRETS
        found = {form: value for value in reversed(self.values) for form in _spellings(value, coded=coded)}
        figures = {form: value for form, value in found.items() if form == value and form.isdigit()}
        self._all, self._figures = _Searched(found), _Searched(figures)
        words = {form: value for form, value in found.items() if form not in figures}
        self._words = _Searched(words) if figures else self._all
        self._hexadecimal = _Hexadecimal(self.values)
        self._firsts, self._lasts = _Parts(self.values), _Parts([value[::-1] for value in self.values])

    def find(self, data: bytes, *, numbers: bool = True) -> list[tuple[int, int, bytes]]:
        """Where secrets stand: start, stop and the secret; none overlaps another.

        Args:
            data: where to look.
            numbers: whether a secret of digits counts wherever its digits stand; else only where they stand alone.
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
        """Whether `find` can find one in the data or in a part of it, whatever stands beside the part."""
        return bool(self.values) and bool(self._all.find(data) or self._hexadecimal.may_be_in(data))

    def begun(self, data: bytes) -> int:
        """How many bytes at the end of the data are the first part of a secret that is cut off there."""
        return self._firsts.at_end(data)

    def ended(self, data: bytes) -> int:
        """How many bytes at the beginning of the data are the last part of a secret that began before it."""
        return self._lasts.at_end(data[: self._lasts.longest][::-1])

    def replace(self, data: bytes, mask: Callable[[bytes], bytes], *, numbers: bool = True) -> bytes:
        """The data with each secret replaced by what `mask` makes of it."""
        found = self.find(data, numbers=numbers)
        if not found:
            return data
        out, done = [], 0
        for start, stop, value in found:
            out += [data[done:start], mask(value)]
            done = stop
        return b"".join([*out, data[done:]])


def _alone(data: bytes, start: int, stop: int) -> bool:
    return data[start - 1 : start] not in _FIGURES and data[stop : stop + 1] not in _DIGITS


def hider(values: Iterable[bytes]) -> Callable[[str], str]:
    """A function that masks secrets wherever a text holds one, or ends in the first part of one."""
    needles = SecretSearcher(values)

    def hide(text: str) -> str:
        plain = text.encode("utf-8", "surrogatepass")
        data = needles.replace(plain, lambda _: MASKED.encode(), numbers=False)
        if data is not plain:
            text = _decoded(data)
        body = text.rstrip(".\"'\u2026").encode("utf-8", "surrogatepass")  # what was cut off may end in half a secret
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
    """The text with the values masked that its own words call secret."""
    data = text.encode("utf-8", "surrogatepass")
    found = {value for value in credentials(data) if len(value) >= MIN_SECRET_BYTES and not is_ordinary(value)}
    if not found:
        return text
    for value in sorted(found, key=len, reverse=True):
        data = data.replace(value, MASKED.encode())
    return data.decode("utf-8", "surrogatepass")
