"""The numbers in a pasted text: where they stand, whose they are, and their signs.

A number is whose the program's way of printing says. Else it is libssh2's where it is negative and one that libssh2
has, where it is such a number without a sign (of 16, 32 or 64 bits), or where the text says that it is libssh2's and
only the minus is lost. Names and words that stand for a number count as numbers.
"""

import re
from collections.abc import Iterator
from functools import cache

from msgspec import Struct

from tracelens.libssh2 import messages
from tracelens.reports.explain import tables
from tracelens.reports.explain.tables import Program
from tracelens.ssh import codes


class Number(Struct, frozen=True):
    """A number in the text.

    Attributes:
        whose: one of `tables.OWNERS`.
        value: the number, with its sign.
        written: how it stands in the text: a number, or the name or words that stand for it.
    """

    whose: str
    value: int
    written: str


Placed = tuple[tuple[int, int], Number]
"""A number, after the places of its first character and of the one behind it."""

LIBSSH2 = re.compile(r"libssh2_\w|LIBSSH2_[A-Z]|(?i:libssh2 err)")
"""What stands in no text of another library."""

_NAME = re.compile(r"(?<!\w)(?:LIBSSH2_|CURLE_|GIT_|SSH_|WSA)?[A-Z]{1,12}(?:_?[A-Z0-9]{1,20}){0,6}(?!\w)")
_EXCEPTION = re.compile(r"(?<!\w)([A-Z][A-Za-z0-9]{4,40})(?!\w)")
_ORDINARY = frozenset(  # names of exceptions that other programs have too
    [
        "AuthenticationError",
        "Timeout",
        "ProtocolError",
        "FileError",
        "DecryptError",
        "EncryptError",
        "ZlibError",
        "SocketTimeout",
        "CompressError",
        "AllocError",
        "ChannelFailure",
        "SocketDisconnectError",
    ]
)
_EVERYDAY = frozenset(  # words of Rust's crate that other programs say too
    ("timed out", "authentication failed", "file error", "request denied", "out of bounds", "protocol error")
)
_IN_WORDS = re.compile(
    r"(?i)\b(?:key exchange|socket|channel|host ?key|scp|sftp|agent|kex|password|publickey|banner) "
    r"(?:(?:request|protocol|packet|window|auth) )?(?:failure|disconnect|denied|send|recv|timeout|protocol|init|sign"
    r"|expired|unverified|closed|unknown|exceeded|full)\b"
)
_NEGATIVE = re.compile(
    r"(?<![\w.\-/])(?:([0-9]{1,3})/)?(-[0-9]{1,2})(?![0-9A-Za-z_]|\.[0-9]|-[0-9]| (?:seconds|minutes|degrees|bytes)\b)"
    r"(?: ([0-9]{1,3})$)?",
    re.MULTILINE,
)
_UNSIGNED = re.compile(r"(?<![\w.])(?:0x(f{2,14}[0-9a-f]{2})|([0-9]{5,20}))(?![\w.]\w|\w)", re.IGNORECASE)
_SFTP = re.compile(
    r"(?i)(?:\bsftp[_ ]?(?:protocol )?(?:error|errno|status|code)(?: code)?|sftp_last_error\D{0,20}?"
    r"|\bFX(?:P_STATUS)?|file with SFTP)[\s:=(\[#]{0,3}([0-9]{1,2})(?![0-9])"
)
_KNOWNHOST = re.compile(
    r"knownhost_check\w{0,2}(?:\(\))?[ :=]{1,3}(?:returned |returns |result |failed )?([0-3])(?![\w.])"
)
_ERRNO = re.compile(
    r"(?i)(?:\[Errno |\bos error |\bOs \{ code: |\bWinError |\bWSA error |\berrno[ :=]{1,3}"
    r"|\bWSAGetLastError\D{0,12}|\bsocket error[ :#]{1,3})([0-9]{1,5})(?![0-9])"
)
_NO_SIGN = re.compile(
    r"(?i)(?<!exit )\b(?:errors?|errno|err|code|rc|ret|return(?:s|ed|ing)?|reason|status|result|failed|failure)\b"
    r"(?:[\s:=(\[#]|\b(?:code|is|was|with|of|number|value|errno|error)\b){1,8}"
    r"([0-9]{1,2})(?![0-9]|[.:/%][0-9]|\s?(?:s|ms|seconds|times|bytes)\b)"
)
_ERROR_BEFORE = re.compile(r"(?i)(?:error|code|rc|returned|returns?|errno|status)[\s:=(\[#]{1,4}\Z")
_NUMBER_BEFORE = re.compile(r"(?i)(?:error|errno|code)[\s:=(\[#]{1,4}\Z")
_ERROR_WORD = re.compile(
    r"(?i)handshak|\bkex\b|auth|connect|session|channel|socket|sftp|err|fail|unable|return|\brc\b|\bcode|status|cannot|can.t"
    r"|could not|exception|ssh|reason"
)
_OF_LIBSSH2 = re.compile(r"(?i)libssh2|ssh2_|ssh session")
_OF_SSH = re.compile(r"(?i)handshake|userauth|\bssh\b|session|socket|sftp")


def find(text: str, programs: tuple[Program, ...], words: str) -> tuple[Number, ...]:
    """Find the numbers of a text, in their order.

    Args:
        text: the text.
        programs: those whose it may be, the likeliest first.
        words: libssh2's own text in it, empty if there is none.
    """
    found: dict[tuple[int, int], Number] = {}
    for place, number in _all(text, programs, words):
        if not any(start < place[1] and place[0] < end for start, end in found):
            found[place] = number
    if not words and not any(number.whose == "libssh2" for number in found.values()):
        found |= {place: number for place, number in _phrases(text, programs) if place not in found}
    return tuple(found[place] for place in sorted(found))


def _all(text: str, programs: tuple[Program, ...], words: str) -> Iterator[Placed]:
    """Find everything that may be a number; of two at one place the first counts."""
    yield from _of_programs(text, programs)
    yield from _names(text)
    yield from _exceptions(text, programs)
    yield from _words(text, programs)
    for match in _SFTP.finditer(text):
        yield match.span(1), Number("sftp", int(match[1]), match[1])
    for match in _KNOWNHOST.finditer(text):
        yield match.span(1), Number("knownhost", int(match[1]), match[1])
    for match in _ERRNO.finditer(text):
        if int(match[1]) in tables.numbers("errno"):
            yield match.span(1), Number("errno", int(match[1]), match[1])
    if not programs or programs[0].over_libssh2:
        yield from _unsigned(text)
        yield from _negative(text, programs, words)
        if not programs or programs[0].bare == "libssh2":
            yield from _without_sign(text, words)


def _of_programs(text: str, programs: tuple[Program, ...]) -> Iterator[Placed]:
    for pattern in (pattern for program in programs for pattern in program.numbers):
        for match in pattern.finditer(text):
            for whose, digits in match.groupdict().items():
                if digits is not None:
                    value = int(digits)
                    lost = whose == "libssh2" and -value in codes.LIBSSH2_ERRORS
                    yield match.span(whose), Number(whose, -value if lost and value > 0 else value, digits)


def _names(text: str) -> Iterator[Placed]:
    for match in _NAME.finditer(text):
        if whose_value := _all_names().get(match[0]):
            yield match.span(), Number(*whose_value, match[0])


@cache
def _all_names() -> dict[str, tuple[str, int]]:
    """Each name that is written as a constant: whose it is, and its number."""
    found = {name: known for name, known in tables.names().items() if known[0] in tables.OWNERS}
    found |= {status.name: ("sftp", status.number) for status in codes.SFTP_STATUSES.values()}
    found |= {
        status.name.replace("SSH", "LIBSSH2", 1): ("sftp", status.number) for status in codes.SFTP_STATUSES.values()
    }
    return found | {name: ("libssh2", number) for name, number in libssh2_names().items()}


def _exceptions(text: str, programs: tuple[Program, ...]) -> Iterator[Placed]:
    """The last exception of ssh2-python, which is what a traceback ends with."""
    python = any(program.name.startswith("ssh2-python") for program in programs)
    for match in reversed([*_EXCEPTION.finditer(text)]):
        whose, value = tables.names().get(match[1], ("", 0))
        if whose == "ssh2-python" and (python or match[1] == text.strip() or match[1] not in _ORDINARY):
            yield match.span(), Number("libssh2", value, match[1])
            return


def is_exception(number: Number) -> bool:
    """Whether it stands there as an exception of ssh2-python."""
    return tables.names().get(number.written, ("", 0))[0] == "ssh2-python"


def _words(text: str, programs: tuple[Program, ...]) -> Iterator[Placed]:
    """Names of libgit2 without their prefix, and what libcurl and the system say for a number."""
    names = {program.name.split()[0] for program in programs}
    if "libgit2" in names:
        for match in _NAME.finditer(text):
            if (known := tables.names().get("GIT_" + match[0])) and known[0] == "git":
                yield match.span(), Number("git", known[1], match[0])
    if "curl" in names:
        for words, (whose, value) in tables.names().items():
            if whose == "curl-text" and (at := text.find(words)) >= 0:
                yield (at, at + len(words)), Number("curl", value, words)
    for words, (whose, value) in tables.names().items():
        if whose in ("errno-text", "knownhost-text") and (at := text.find(words)) >= 0:
            yield (at, at + len(words)), Number(whose.removesuffix("-text"), value, words)


def _unsigned(text: str) -> Iterator[Placed]:
    for match in _UNSIGNED.finditer(text):
        number = int(match[1], 16) if match[1] else int(match[2])
        signed = next((number - (1 << bits) for bits in (16, 32, 64) if -54 <= number - (1 << bits) < 0), 0)
        error = _ERROR_BEFORE.search(text, max(0, match.start() - 12), match.start())
        if signed and (number > 0xFFFF or (error and signed < -1)):
            yield match.span(), Number("libssh2", signed, match[0])


def _negative(text: str, programs: tuple[Program, ...], words: str) -> Iterator[Placed]:
    """Numbers with a minus, alone or as `3/-31` and `-21 11`."""
    if not (programs or words or _ERROR_WORD.search(text)):
        return
    bare = programs[0].bare if programs else "libssh2"
    for match in _NEGATIVE.finditer(text):
        value, first, last = int(match[2]), match[1], match[3]
        if first and value == -31:
            yield match.span(1), Number("sftp", int(first), first)
            yield match.span(2), Number("libssh2", value, match[2])
        elif value in codes.LIBSSH2_ERRORS or bare != "libssh2":
            yield match.span(2), Number("git" if first else bare, value, match[2])
        if last and int(last) in tables.numbers("errno"):
            yield match.span(3), Number("errno", int(last), last)


def _without_sign(text: str, words: str) -> Iterator[Placed]:
    if "LIBSSH2_KNOWNHOST_" in text:
        return  # the number is that of the check
    possible = messages.codes_for(words) if words else ()
    surely, likely = _OF_LIBSSH2.search(text) is not None, _OF_SSH.search(text) is not None
    for match in _NO_SIGN.finditer(text):
        value = -int(match[1])
        before = max(0, match.start(1) - 24), match.start(1)
        if value == 0:
            known = surely and _NUMBER_BEFORE.search(text, *before) is not None
        else:
            known = (surely or likely or value in possible) and (
                value < -2 or _ERROR_BEFORE.search(text, *before) is not None
            )
        if known and value in codes.LIBSSH2_ERRORS and text.casefold().find("exit", *before) < 0:
            yield match.span(1), Number("libssh2", value, match[1])


def _phrases(text: str, programs: tuple[Program, ...]) -> Iterator[Placed]:
    """Find what stands for a number where nothing else does: words of Rust's crate, names of libssh2 in words."""
    rust = any("crate for Rust" in program.name for program in programs)
    if rust or _OF_SSH.search(text):
        for words, (whose, value) in tables.names().items():
            if whose == "ssh2-rs" and (rust or words not in _EVERYDAY) and (at := text.find(words)) >= 0:
                yield (at, at + len(words)), Number("libssh2", value, words)
    for match in _IN_WORDS.finditer(text):
        name = "LIBSSH2_ERROR_" + match[0].upper().replace(" ", "_").replace("HOST_KEY", "HOSTKEY")
        if name in libssh2_names():
            yield match.span(), Number("libssh2", libssh2_names()[name], match[0])


@cache
def libssh2_names() -> dict[str, int]:
    """Return each name that libssh2 has or had for an error number."""
    found = {code.name: number for number, code in codes.LIBSSH2_ERRORS.items()}
    for row in messages.rows():
        if row.kind == "error" and row.code is not None:
            found.setdefault(row.context, row.code)
    return found
