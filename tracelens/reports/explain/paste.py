"""What stands in a pasted text: whose lines they are, their numbers and names, and libssh2's own words.

    read("curl: (2) Failure establishing ssh session: -12, ")  ->  curl's 2, and libssh2's -12

A number counts as libssh2's where the program's way of printing says so, or else where it is negative and one that
libssh2 has. Unsigned numbers of 16, 32 and 64 bits get their sign back, and so does a number beside libssh2's name.
"""

import re
from collections.abc import Iterator
from functools import cache

from msgspec import Struct

from tracelens.libssh2 import messages
from tracelens.reports.explain import tables
from tracelens.reports.explain.tables import Program, Stage
from tracelens.ssh import codes


class Number(Struct, frozen=True):
    """A number in the text.

    Attributes:
        whose: one of `tables.OWNERS`.
        value: the number, with its sign.
        written: how it stands in the text: a number, or the name that stands for it.
    """

    whose: str
    value: int
    written: str


class Paste(Struct, frozen=True):
    """What was found in a text."""

    text: str
    programs: tuple[Program, ...]  # the likeliest first
    numbers: tuple[Number, ...]
    words: str  # libssh2's own text in it, empty if there is none
    leftover: str  # a text of -37 beside the words
    stage: Stage | None

    @property
    def program(self) -> Program | None:
        """The program that printed it, None if unknown."""
        return self.programs[0] if self.programs else None

    def values(self, whose: str) -> list[int]:
        """The distinct numbers of an owner, in their order."""
        return list(dict.fromkeys(number.value for number in self.numbers if number.whose == whose))

    def named(self) -> list[Number]:
        """The numbers of libssh2 that stand there by name."""
        return [one for one in self.numbers if one.whose == "libssh2" and one.written.startswith("LIBSSH2_")]

    @property
    def error(self) -> int | None:
        """The number of libssh2 that counts: the first that is not -37."""
        found = self.values("libssh2")
        return next((value for value in found if value != -37), found[0] if found else None)


_LIBSSH2 = re.compile(r"libssh2_\w|LIBSSH2_[A-Z]|(?i:libssh2 err)")
_NAMED = re.compile(r"(?<!\w)(?:LIBSSH2_|CURLE_|GIT_|SSH_|WSA)?[A-Z]{1,12}(?:_?[A-Z0-9]{1,20}){0,6}(?!\w)")
_EXCEPTION = re.compile(r"(?<!\w)([A-Z][A-Za-z0-9]{4,40})(?!\w)")
_ORDINARY = frozenset(
    ("AuthenticationError", "Timeout", "ProtocolError", "FileError", "DecryptError", "EncryptError", "ZlibError")
) | frozenset(("SocketTimeout", "CompressError", "AllocError", "ChannelFailure", "SocketDisconnectError"))
_COMMON = frozenset(
    ("authentication failed", "internal error", "out of memory", "out of memory error", "memory allocation failed")
) | frozenset(("write failed", "failed to open file", "failed to get memory"))

_WAITS = re.compile(r"(?:Operation w|W|w)ould block(?! \w)")
_NEGATIVE = re.compile(r"(?<![\w.\-/])(?:([0-9]{1,3})/)?(-[0-9]{1,2})(?![0-9A-Za-z_]|\.[0-9]|-[0-9])(?: ([0-9]{1,3})$)?", re.M)
_UNSIGNED = re.compile(r"(?<![\w.])(?:0x(f{2,14}[0-9a-f]{2})|([0-9]{5,20}))(?![\w.]\w|\w)", re.IGNORECASE)
_UNSIGNED_BITS = (16, 32, 64)
_SFTP = re.compile(
    r"(?i)(?:\bsftp[_ ]?(?:protocol )?(?:error|errno|status|code)(?: code)?|\bsftp_last_error\b\D{0,20}|sftp_last_error\D{0,20}?"
    r"|\bFX(?:P_STATUS)?|file with SFTP)[\s:=(\[#]{0,3}([0-9]{1,2})(?![0-9])"
)
_NO_SIGN = re.compile(
    r"(?i)(?<!exit )\b(?:errors?|errno|err|code|rc|ret|return(?:s|ed|ing)?|reason|status|result|failed|failure)\b"
    r"(?:[\s:=(\[#]|\b(?:code|is|was|with|of|number|value|errno|error)\b){1,8}([0-9]{1,2})(?![0-9]|[.:/%][0-9]|\s?(?:s|ms|seconds|times|bytes)\b)"
)
_ERRNO = re.compile(r"(?i)(?:\[Errno |\bos error |\bOs \{ code: |\bWinError |\bWSA error |\berrno[ :=]{1,3}|\bWSAGetLastError\D{0,12}|\bsocket error[ :#]{1,3})([0-9]{1,5})(?![0-9])")
_IN_SSH = re.compile(r"(?i)libssh2|ssh2_|ssh session")
_NEAR_SSH = re.compile(r"(?i)handshake|userauth|\bssh\b|session")
_CODE_BEFORE = re.compile(r"(?i)(?:error|code|rc|returned|returns?|errno|status)[\s:=(\[#]{1,4}\Z")
_PHRASE = re.compile(r"(?i)ssh|handshake|socket|session|sftp")
_EVERYDAY = frozenset(("timed out", "authentication failed", "file error", "request denied", "out of bounds", "protocol error"))
_SPACED = re.compile(r"(?i)\b(?:key exchange|socket|channel|host ?key|scp|sftp|agent|kex|password|publickey|banner) ?(?:request|protocol|packet|window|auth)? ?(?:failure|disconnect|denied|send|recv|timeout|protocol|init|sign|expired|unverified|closed|unknown|exceeded|outoforder|full)\b")
_ERROR_WORD = re.compile(r"(?i)handshak|auth|connect|session|channel|socket|sftp|err|fail|unable|return|\brc\b|\bcode|status|cannot|can.t|could not|exception|ssh|reason")


def read(text: str) -> Paste:
    """Find what is known in a text."""
    text = re.sub("[\u2212\u2010-\u2013\ufe63\uff0d](?=[0-9])", "-", text)
    programs = tuple(_programs(text))
    words, leftover = _words(text, programs)
    found: dict[tuple[int, int], Number] = {}
    for place, number in _numbers(text, programs, words):
        if not any(start < place[1] and place[0] < end for start, end in found):
            found[place] = number
    if not words and not any(number.whose == "libssh2" for number in found.values()):
        found |= {place: number for place, number in _phrases(text, programs) if place not in found}
    numbers = tuple(found[place] for place in sorted(found))
    if not programs and any(_is_exception(number) for number in numbers):
        programs = tuple(program for program in tables.programs() if program.name.startswith("ssh2-python"))
    stage = next((stage for stage in tables.stages() if stage.pattern.search(text)), None)
    return Paste(text, programs, numbers, words, leftover, stage)


def _is_exception(number: Number) -> bool:
    return tables.names().get(number.written, ("", 0))[0] == "ssh2-python"


def _programs(text: str) -> Iterator[Program]:
    """Find whose the text may be; a text that names libssh2's functions is of no other library."""
    surely = _LIBSSH2.search(text)
    for program in tables.programs():
        if surely and not program.over_libssh2:
            continue
        if any(mark.search(text) for mark in program.marks):
            yield program


def _words(text: str, programs: tuple[Program, ...]) -> tuple[str, str]:
    """Find libssh2's text, the last one counts, and a text of -37 beside it."""
    certain = any(program.over_libssh2 for program in programs)
    found = [
        words
        for words in messages.error_texts_in(text)
        if certain or words.casefold() not in _COMMON or len(words) * 3 > len(text.strip()) * 2
    ]
    if not found and (waits := _WAITS.search(text)):
        found = [waits[0]]
    waited = [words for words in found if "would block" in words.casefold()[:21]]
    others = [words for words in found if words not in waited and words.casefold() not in _COMMON]
    last = (others or waited or found or [""])[-1]
    return last, waited[-1] if waited and last not in waited else ""


Placed = tuple[tuple[int, int], Number]


def _numbers(text: str, programs: tuple[Program, ...], words: str) -> Iterator[Placed]:
    """Find all numbers and where they stand; of two at one place the first counts."""
    for program in programs:
        for pattern in program.numbers:
            for match in pattern.finditer(text):
                for whose, digits in match.groupdict().items():
                    if digits is not None:
                        value = int(digits)
                        if whose == "libssh2" and 0 < value <= 54:
                            value = -value
                        yield match.span(whose), Number(whose, value, digits)
    yield from _names(text, programs)
    for match in _SFTP.finditer(text):
        yield match.span(1), Number("sftp", int(match[1]), match[1])
    for match in _ERRNO.finditer(text):
        if int(match[1]) in tables.numbers("errno"):
            yield match.span(1), Number("errno", int(match[1]), match[1])
    over_libssh2 = not programs or any(program.over_libssh2 for program in programs)
    if over_libssh2:
        yield from _libssh2_numbers(text, programs[0].bare if programs else "libssh2", words, bool(programs))


def _names(text: str, programs: tuple[Program, ...]) -> Iterator[Placed]:
    known = tables.names()
    for match in _NAMED.finditer(text):
        name = match[0]
        if (whose_value := known.get(name)) and whose_value[0] in tables.OWNERS:
            yield match.span(), Number(*whose_value, name)
        elif name.startswith("LIBSSH2_FX_"):
            status = next((s for s in codes.SFTP_STATUSES.values() if s.name == name.replace("LIBSSH2_FX", "SSH_FX")), None)
            if status:
                yield match.span(), Number("sftp", status.number, name)
        elif name.startswith("LIBSSH2_ERROR_") and name in libssh2_names():
            yield match.span(), Number("libssh2", libssh2_names()[name], name)
    python = any("ssh2-python" in program.name for program in programs)
    for match in reversed([*_EXCEPTION.finditer(text)]):  # the last one of a traceback counts
        whose, value = known.get(match[1], ("", 0))
        alone = match[1] == text.strip()
        if whose == "ssh2-python" and (python or alone or match[1] not in _ORDINARY):
            yield match.span(), Number("libssh2", value, match[1])
            break
    if any(program.name.startswith("libgit2") for program in programs):
        for match in _NAMED.finditer(text):
            if "GIT_" + match[0] in known:
                yield match.span(), Number("git", known["GIT_" + match[0]][1], match[0])
    if any(program.name.startswith("curl") for program in programs):
        for words, (whose, value) in known.items():
            if whose == "curl-text" and words in text:
                place = text.index(words)
                yield (place, place + len(words)), Number("curl", value, words)


def _phrases(text: str, programs: tuple[Program, ...]) -> Iterator[Placed]:
    """Find what stands for a number where nothing else does: words of Rust's crate, names of libssh2 in words."""
    rust = any("crate for Rust" in program.name for program in programs)
    if rust or _PHRASE.search(text):
        for words, (whose, value) in tables.names().items():
            at = text.find(words) if whose == "ssh2-rs" else -1
            if at >= 0 and (rust or words not in _EVERYDAY):
                yield (at, at + len(words)), Number("libssh2", value, words)
    for match in _SPACED.finditer(text):
        name = "LIBSSH2_ERROR_" + match[0].upper().replace(" ", "_").replace("HOST_KEY", "HOSTKEY")
        if name in libssh2_names():
            yield match.span(), Number("libssh2", libssh2_names()[name], match[0])


def _libssh2_numbers(text: str, bare: str, words: str, known_program: bool) -> Iterator[Placed]:
    certain = known_program or bool(words) or _LIBSSH2.search(text) is not None
    for match in _UNSIGNED.finditer(text):
        number = int(match[1], 16) if match[1] else int(match[2])
        signed = next((number - (1 << bits) for bits in _UNSIGNED_BITS if -54 <= number - (1 << bits) < -1), None)
        if number in (0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF):
            signed = -1
        if signed is not None and (number > 0xFFFF or _CODE_BEFORE.search(text, match.start() - 12, match.start())):
            yield match.span(), Number("libssh2", signed, match[0])
    if certain or _ERROR_WORD.search(text):
        for match in _NEGATIVE.finditer(text):
            value = int(match[2])
            pair = match[1] is not None
            if pair and value == -31:
                yield match.span(1), Number("sftp", int(match[1]), match[1])
                yield match.span(2), Number("libssh2", value, match[2])
            elif value in codes.LIBSSH2_ERRORS or bare != "libssh2":
                yield match.span(2), Number("git" if pair else bare, value, match[2])
            if match[3] and int(match[3]) in tables.numbers("errno"):
                yield match.span(3), Number("errno", int(match[3]), match[3])
    possible = messages.codes_for(words) if words else ()
    for match in _NO_SIGN.finditer(text):
        value = -int(match[1])
        surely = value in possible or _IN_SSH.search(text) or (value < -2 and _NEAR_SSH.search(text))
        if surely and value in codes.LIBSSH2_ERRORS and value and bare == "libssh2":
            yield match.span(1), Number("libssh2", value, match[1])


@cache
def libssh2_names() -> dict[str, int]:
    """Return each name that libssh2 has or had for an error number."""
    found = {code.name: number for number, code in codes.LIBSSH2_ERRORS.items()}
    for row in messages.rows():
        if row.kind == "error" and row.code is not None:
            found.setdefault(row.context, row.code)
    return found
