"""sshd_config(5), or what `sshd -T` prints -> the lines in force for a connection.

    config = read("sshd_config", blocks)
    config.choices("AllowUsers", Peer(user="devi"))

A `Match` block whose criteria are about something that is not known, such as the user's groups, may apply or not: then
there are several choices, and none is certain.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, cached_property
from itertools import islice
from pathlib import Path
from posixpath import basename

from msgspec import Struct

from tracelens.logs.sshd_config.patterns import address_in_list, any_in_list, in_list, matches

# A configuration is small; what is longer is not read to its end.
_MAX_BYTES = 4 << 20
_MAX_LINES = 20_000
_MAX_DEPTH = 16
_MAX_INCLUDED = 256
# A dump of `sshd -T` has more options than any administrator writes down, each in lower case.
_DUMPED = 40

_OLD_NAMES = {
    "challengeresponseauthentication": "kbdinteractiveauthentication",
    "skeyauthentication": "kbdinteractiveauthentication",
    "pubkeyacceptedkeytypes": "pubkeyacceptedalgorithms",
    "hostbasedacceptedkeytypes": "hostbasedacceptedalgorithms",
    "authorizedkeysfile2": "authorizedkeysfile",
}
# Options of which all lines count. Of all others the first line does.
_GATHERED = frozenset(
    (
        *("allowusers", "denyusers", "allowgroups", "denygroups", "acceptenv"),
        *("hostkey", "hostcertificate", "listenaddress", "port"),
    )
)


@cache
def keywords() -> frozenset[str]:
    """All options of sshd, of any release, in lower case."""
    return frozenset(Path(__file__).with_name("keywords.txt").read_text(encoding="utf-8").split())


class Peer(Struct, frozen=True):
    """What is known of a connection; None where it is not known."""

    user: str | None = None
    groups: tuple[str, ...] | None = None
    host: str | None = None
    address: str | None = None
    local_address: str | None = None
    local_port: int | None = None
    invalid_user: bool | None = None


Criterion = tuple[str, str]


class Line(Struct, frozen=True):
    """An option as it is written.

    Attributes:
        file, number: where.
        keyword: in lower case, by its present name.
        arguments: without quotes.
        match: the criteria of the `Match` lines around it; empty outside of all.
    """

    file: str
    number: int
    keyword: str
    arguments: tuple[str, ...]
    match: tuple[Criterion, ...] = ()

    @property
    def value(self) -> str:
        """Its arguments as one text."""
        return " ".join(self.arguments)


class Choice(Struct, frozen=True):
    """What an option may be for a connection.

    Attributes:
        lines: the lines that say so; several only where all lines of the option count.
        certain: whether nothing unknown decides that these lines apply.
    """

    lines: tuple[Line, ...]
    certain: bool

    @property
    def arguments(self) -> tuple[str, ...]:
        """The arguments of all its lines."""
        return tuple(argument for line in self.lines for argument in line.arguments)


class Config(Struct, frozen=True, dict=True):
    """A configuration.

    Attributes:
        lines: its options, in the order in which sshd reads them.
        missing: `Include` lines whose files were not given.
        cut: whether it is longer than what was read.
    """

    lines: tuple[Line, ...]
    missing: tuple[Line, ...] = ()
    cut: bool = False

    @cached_property
    def _by_keyword(self) -> dict[str, list[Line]]:
        found: dict[str, list[Line]] = {}
        for line in self.lines:
            found.setdefault(line.keyword, []).append(line)
        return found

    @cached_property
    def is_dump(self) -> bool:
        """Whether it is the output of `sshd -T`, which has every option and no `Match` block."""
        names = {line.keyword for line in self.lines}
        return len(names) >= _DUMPED and not any(line.match for line in self.lines)

    @cached_property
    def is_sshd(self) -> bool:
        """Whether most of its lines are options of sshd, which no other text is."""
        lines = (*self.lines, *self.missing)
        return 2 * sum(line.keyword in keywords() for line in lines) > len(lines)

    def choices(self, option: str, peer: Peer) -> list[Choice]:
        """What the option may be, the most specific first; empty where no line sets it.

        The last choice is `certain` if it is the only one. Where the last one's lines are in a block that may not
        apply, the default is possible as well.
        """
        lines = self._by_keyword.get(option.lower(), [])
        if option.lower() in _GATHERED:
            return _gathered(lines, peer)
        found: list[Choice] = []
        blocks, others = [line for line in lines if line.match], [line for line in lines if not line.match]
        for line in (*blocks, *others[:1]):
            applies = applies_to(line.match, peer)
            if applies is False:
                continue
            found.append(Choice((line,), applies is True and not found))
            if applies:
                break
        values = {choice.arguments for choice in found}
        if len(values) == 1 and applies_to(found[-1].lines[0].match, peer):
            return [Choice(found[-1].lines, certain=True)]
        return found

    def value(self, option: str, peer: Peer) -> str | None:
        """The one value of an option; None where it is not set or not certain."""
        choices = self.choices(option, peer)
        return " ".join(choices[0].arguments) if choices and choices[0].certain else None

    def subsystems(self, peer: Peer) -> dict[str, Choice]:
        """The subsystems by name."""
        found: dict[str, Choice] = {}
        for line in self._by_keyword.get("subsystem", []):
            applies = applies_to(line.match, peer)
            if line.arguments and applies is not False:
                found.setdefault(line.arguments[0], Choice((line,), applies is True))
        return found


def _gathered(lines: list[Line], peer: Peer) -> list[Choice]:
    """The choices of an option of which all lines count: those of blocks that apply replace those outside."""
    found = []
    applying = {line: applies_to(line.match, peer) for line in lines if line.match}
    sure = tuple(line for line, applies in applying.items() if applies)
    if perhaps := tuple(line for line, applies in applying.items() if applies is not False):
        found.append(Choice(perhaps, certain=perhaps == sure))
    if perhaps != sure or not perhaps:
        rest = sure or tuple(line for line in lines if not line.match)
        found += [Choice(rest, certain=not perhaps)] if rest else []
    return found


def applies_to(match: Iterable[Criterion], peer: Peer) -> bool | None:
    """Whether `Match` criteria are all met; None where that depends on something unknown."""
    results = [_is_met(name, patterns, peer) for name, patterns in match]
    if False in results:
        return False
    return None if None in results else True


def _is_met(name: str, patterns: str, peer: Peer) -> bool | None:
    known: object = {
        "all": True,
        "user": peer.user,
        "group": peer.groups,
        "host": peer.host,
        "address": peer.address,
        "localaddress": peer.local_address,
        "localport": peer.local_port,
        "invalid-user": peer.invalid_user,
    }.get(name)
    if known is None or isinstance(known, bool):
        return known
    if isinstance(known, tuple):
        return any_in_list(patterns, known)
    if name in ("address", "localaddress"):
        return address_in_list(patterns, str(known)) is True
    if name == "host":
        return in_list(patterns.lower(), str(known).lower()) is True
    return patterns == str(known) if name == "localport" else in_list(patterns, str(known)) is True


def read(name: str, blocks: Iterable[bytes], others: Mapping[str, Iterable[bytes]] | None = None) -> Config:
    """Read a configuration.

    Args:
        name: the file, as messages name it.
        blocks: its bytes, ASCII-compatible.
        others: files that `Include` may name, by their names.
    """
    reader = _Reader({name: text(blocks) for name, blocks in (others or {}).items()})
    whole = text(blocks)
    lines = tuple(islice(reader.lines(name, whole, (), 0), _MAX_LINES))
    return Config(lines, tuple(reader.missing), len(whole) >= _MAX_BYTES or len(lines) >= _MAX_LINES)


def text(blocks: Iterable[bytes]) -> str:
    """The text of a file, as far as a configuration may be long."""
    data = bytearray()
    for block in blocks:
        data += block
        if len(data) >= _MAX_BYTES:
            break
    return bytes(data[:_MAX_BYTES]).decode("utf-8", "replace").removeprefix("\ufeff")


class _Reader:
    """Reads a file and those that it includes."""

    def __init__(self, others: Mapping[str, str]) -> None:
        self._others = others
        self._left = _MAX_INCLUDED
        self.missing: list[Line] = []

    def lines(self, file: str, content: str, around: tuple[Criterion, ...], depth: int) -> Iterator[Line]:
        match = around
        for number, written in enumerate(content.split("\n"), 1):
            keyword, arguments = split(written)
            if not keyword:
                continue
            keyword = _OLD_NAMES.get(keyword, keyword)
            if keyword == "match":
                match = (*around, *criteria(arguments))
                continue
            line = Line(file, number, keyword, arguments, match)
            if keyword == "include":
                yield from self._included(line, depth)
            else:
                yield line

    def _included(self, line: Line, depth: int) -> Iterator[Line]:
        for pattern in line.arguments:
            found = [name for name in sorted(self._others) if name != line.file and is_named(pattern, name)]
            self._left -= max(len(found), 1)
            if self._left < 0:
                return
            if not found or depth >= _MAX_DEPTH:
                self.missing.append(line)
            for name in found if depth < _MAX_DEPTH else ():
                yield from self.lines(name, self._others[name], line.match, depth + 1)


def is_named(pattern: str, name: str) -> bool:
    """Whether a file, known by a name of its own, may be one that `Include` names: the end of its path decides."""
    wanted, have = basename(pattern.replace("\\", "/")), basename(name.rpartition("!")[2].replace("\\", "/"))
    return bool(wanted) and matches(wanted, have)


def criteria(arguments: Iterable[str]) -> tuple[Criterion, ...]:
    """The criteria of a `Match` line; `user=devi` is the same as `user devi`."""
    words = [word for argument in arguments for word in _halves(argument)]
    found: list[Criterion] = []
    at = 0
    while at < len(words):
        name = words[at].lower()
        alone = name in ("all", "invalid-user")
        found.append((name, "" if alone or at + 1 >= len(words) else words[at + 1]))
        at += 1 if alone else 2
    return tuple(found)


_NAMED = re.compile(r"(?i)(user|group|host|address|localaddress|localport|rdomain|version)=(.+)", re.DOTALL)


def _halves(argument: str) -> tuple[str, ...]:
    found = _NAMED.fullmatch(argument)
    return (argument,) if found is None else (found[1], found[2])


def split(line: str) -> tuple[str, tuple[str, ...]]:
    """The keyword of a line, in lower case, and its arguments; an empty keyword where it has none."""
    line = line.strip(" \t\r\f")
    if not line or line.startswith("#"):
        return "", ()
    found = re.match(r'"?([^\s="]+)"?[ \t]*=?[ \t]*', line)
    if found is None:
        return "", ()
    return found[1].lower(), tuple(_arguments(line[found.end() :]))


def _arguments(rest: str) -> Iterator[str]:
    """The words of a line, up to a comment; quotes and backslashes as in a shell."""
    word, quote, begun = [], "", False
    at = 0
    while at < len(rest):
        c = rest[at]
        after = rest[at + 1 : at + 2]
        if c == "\\" and after and (after in "\"'\\" or (after == " " and not quote)):
            word.append(after)
            begun = True
            at += 1
        elif quote:
            if c == quote:
                quote = ""
            else:
                word.append(c)
        elif c in "\"'":
            quote, begun = c, True
        elif c in " \t":
            if begun:
                yield "".join(word)
            word, begun = [], False
        elif c == "#" and not begun:
            return
        else:
            word.append(c)
            begun = True
        at += 1
    if begun:
        yield "".join(word)
