"""A server's sshd_config -> a copy that is safe to send: its options, without comments, arguments of commands and
credentials; with pseudonyms for users, groups, hosts, addresses and paths if names get some.

Each line stays where it is, so that line numbers are those of the original.
"""

import re
from collections.abc import Iterator
from ipaddress import ip_network

from tracelens import secrets
from tracelens.logs.sshd_config import criteria, keywords, split
from tracelens.redact.collect import Secrets
from tracelens.redact.pseudonyms import Pseudonyms

_LEFT_OUT = b"# (left out)"
_USERS = frozenset(("allowusers", "denyusers", "authorizedkeyscommanduser", "authorizedprincipalscommanduser"))
_GROUPS = frozenset(("allowgroups", "denygroups"))
_HOSTS = frozenset(("listenaddress", "permitopen", "permitlisten", "persourcepenaltyexemptlist"))
_PATHS = frozenset(
    (
        *("authorizedkeysfile", "authorizedprincipalsfile", "banner", "chrootdirectory", "hostcertificate", "hostkey"),
        *("hostkeyagent", "include", "modulifile", "pidfile", "revokedkeys", "trustedusercakeys", "xauthlocation"),
        *("securitykeyprovider", "sshdauthpath", "sshdsessionpath"),
    )
)
_COMMANDS = frozenset(("forcecommand", "authorizedkeyscommand", "authorizedprincipalscommand", "subsystem"))
_TEXTS = frozenset(("versionaddendum", "rdomain"))
_OF_CRITERION = {"user": "user", "group": "group", "host": "host", "address": "host", "localaddress": "host"}
_NETWORK = re.compile(r"([0-9A-Fa-f.:]{2,45})/([0-9]{1,3})\b")
_WORD = re.compile(r"[^\s,!*?@]+")


class ConfigCopy:
    """Writes the copy of one configuration.

    Args:
        known: the secrets of all inputs, with their masks.
        names: pseudonyms, or None if names are kept.
    """

    def __init__(self, known: Secrets, names: Pseudonyms | None) -> None:
        self._known, self._names = known, names
        self.left_out = 0  # lines that are no option of sshd

    def learn(self, text: bytes) -> None:
        """Learns the users and groups of a configuration, which get their pseudonyms wherever they are."""
        for line in text.split(b"\n") if self._names is not None else ():
            keyword, arguments = split(line.decode("utf-8", "surrogateescape"))
            pairs = criteria(arguments) if keyword == "match" else [(_kind(keyword), word) for word in arguments]
            for kind, words in pairs:
                self._learn(_OF_CRITERION.get(kind, ""), words)

    def _learn(self, kind: str, words: str) -> None:
        for found in _WORD.finditer(words) if kind in ("user", "group") else ():
            if self._names is not None and not found[0].startswith("%"):
                self._names.learn(kind, _bytes(found[0]))

    def lines(self, text: bytes, needles: secrets.SecretSearcher) -> Iterator[bytes]:
        """The lines of the copy."""
        for line in text.split(b"\n"):
            copied = self._line(line.decode("utf-8", "surrogateescape"))
            yield needles.replace(secrets.mask_credentials(copied, self._known.mask), self._known.mask, numbers=False)

    def _line(self, line: str) -> bytes:
        keyword, arguments = split(line)
        if not keyword:
            return b"#" if line.strip() else b""
        if keyword not in keywords():
            self.left_out += 1
            return _LEFT_OUT
        indent = line[: len(line) - len(line.lstrip())]
        written = line.split("=")[0].split()[0].strip('"')
        if keyword == "match":
            words = [word for name, value in criteria(arguments) for word in self._criterion(name, value)]
        else:
            words = self._arguments(keyword, arguments)
        return _bytes(indent + " ".join((written, *map(_quoted, words))))

    def _criterion(self, name: str, value: str) -> list[str]:
        kind = _OF_CRITERION.get(name, "")
        return [name.title(), *([self._named(kind, value)] if value else [])]

    def _arguments(self, keyword: str, arguments: tuple[str, ...]) -> list[str]:
        if keyword == "setenv":
            return [f"{word.partition('=')[0]}={_text(secrets.mask(0))}" for word in arguments]
        if keyword in _COMMANDS:
            return self._command(keyword, arguments)
        return [self._named(_kind(keyword), word) for word in arguments]

    def _command(self, keyword: str, arguments: tuple[str, ...]) -> list[str]:
        """A command without its arguments, which may be anything; those of an SFTP server are options and a folder."""
        first = 1 if keyword == "subsystem" else 0
        words = [word for argument in arguments for word in argument.split()]
        name, program, rest = words[:first], words[first : first + 1], words[first + 1 :]
        is_sftp = program and program[0].rpartition("/")[2] in ("internal-sftp", "sftp-server")
        kept = [self._named("path", word) for word in rest] if is_sftp else ["hidden-arguments"] if rest else []
        return [*name, *(self._named("path", word) for word in program), *kept]

    def _named(self, kind: str, word: str) -> str:
        """A word with pseudonyms for what its kind of option names."""
        names, value = self._names, _bytes(word)
        if names is None or not kind:
            return word
        if kind == "user" and "@" in word:
            user, _, place = word.rpartition("@")
            return f"{self._named(kind, user)}@{self._named('host', place)}"
        if _NETWORK.search(word):
            return _NETWORK.sub(self._network, word)
        if kind == "path":
            return _text(names.path(value)) if "/" in word or "\\" in word else _text(names.same_length(value))
        return _text(names.words(value))

    def _network(self, found: "re.Match[str]") -> str:
        """A network of the same size, with a pseudonym for its address."""
        assert self._names is not None
        try:
            ip_network(found[0], strict=False)
            return str(ip_network(f"{_text(self._names.address(_bytes(found[1])))}/{found[2]}", strict=False))
        except ValueError:
            return _text(self._names.words(_bytes(found[0])))


def _kind(keyword: str) -> str:
    """What the words of an option name: `user`, `group`, `host`, `path`, `text`, or nothing."""
    kinds = (("user", _USERS), ("group", _GROUPS), ("host", _HOSTS), ("path", _PATHS), ("text", _TEXTS))
    return next((kind for kind, options in kinds if keyword in options), "")


def _quoted(word: str) -> str:
    return f'"{word}"' if not word or re.search(r"[\s#]", word) else word


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")
