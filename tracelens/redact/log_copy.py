"""A server's log -> a copy that is safe to send: lines of the SSH server that a grammar knows, written as syslog does.

What no grammar knows, what other programs wrote, and what says nothing of a connection is left out: it may hold
anything. An invalid user name that nothing else knows as a user's may be a password, typed at the wrong moment: it is
masked. Arguments of commands are left out, as in a trace.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone

from tracelens import secrets
from tracelens.logs import texts
from tracelens.logs.framing import Entries
from tracelens.logs.model import Entry, Stamp, Value
from tracelens.redact.collect import Secrets
from tracelens.redact.packets import is_transfer, program
from tracelens.redact.pseudonyms import Pseudonyms

# The program that wrote a line -> the server whose grammar reads it.
SERVERS: Mapping[str, str] = {
    **dict.fromkeys(("", "sshd", "sshd-session", "sshd-auth", "sftp-server", "internal-sftp"), "OpenSSH"),
    "dropbear": "dropbear",
    "proftpd": "ProFTPD",
    "sftpgo": "SFTPGo",
    "rclone": "rclone",
}
_SAYS_NOTHING = ("unknown", "noted")
# Texts whose words are algorithms and versions.
_TECHNICAL = ("kexinit", "agreed", "client_version", "server_version", "server_no_common_algorithm")
_PATHS = ("path", "target")
_FREE = ("message", "command", "reason", "line", "ident")
_INVALID = re.compile(r"\b(?:invalid|illegal|nonexistent|unknown) user\b", re.IGNORECASE)
_FINGERPRINT = re.compile(
    rb"\bSHA256:([A-Za-z0-9+/]{43})=?|(?<![0-9a-f:])((?:[0-9a-f]{2}:){15}[0-9a-f]{2})(?![0-9a-f:])"
)
_WORD = re.compile(r"[^\s'\":;,()\[\]=]+")
# A name is looked for at so many places of a text.
_PLACES = 16
_FIRST_TYPED = 100_000
_HIDDEN_WORDS = "hidden-arguments"


class LogCopy:
    """Writes the copy of one log.

    Args:
        known: the secrets of all inputs, with their masks.
        names: pseudonyms, or None if names are kept.
        users: the users of the run's traces, and of its logs that are no invalid ones; `learn` adds to them.
    """

    def __init__(self, known: Secrets, names: Pseudonyms | None, users: set[str]) -> None:
        self._known, self._names, self._users = known, names, users
        self._invalid: dict[str, str] = {}
        self.kept = 0
        self.left_out = 0

    def learn(self, entries: Iterable[Entry]) -> None:
        """The first pass: whose names are in the log."""
        for entry in entries:
            name, fields = _parsed(entry)
            user = fields.get("user")
            if not isinstance(user, str) or not user:
                continue
            if name == "server_user_unknown" or _INVALID.search(entry.text):
                self._invalid.setdefault(user, "")
            elif name in ("attempt_accepted", "attempt_partial", "session_opened", "sftp_started"):
                self._users.add(user)
            if self._names is not None and name in ("attempt_accepted", "session_opened", "sftp_started"):
                self._names.learn("user", user.encode())

    def lines(self, entries: Entries, needles: secrets.SecretSearcher) -> Iterator[bytes]:
        """The second pass: the lines of the copy."""
        typed = {name: self._typed(name, number) for number, name in enumerate(self._invalid) if self._is_unknown(name)}
        for entry in entries:
            name, fields = _parsed(entry)
            text = None if name in _SAYS_NOTHING else _without(typed, entry, name, fields)
            if text is not None:
                text = without_credentials(self._text(fields, text), fields, self._known)
                paths = [fields.get(field) for field in _PATHS]
                text = masked(text, self._known, needles, self._names, paths, technical=name in _TECHNICAL)
            if text is None or texts.parse(_server(entry), text)[0] != name:
                continue
            self.kept += 1
            yield self._framed(entry, text)
        self.left_out = max(entries.lines - self.kept, 0)

    def _is_unknown(self, name: str) -> bool:
        return name not in self._users and not secrets.is_mask(name.encode())

    def _typed(self, name: str, number: int) -> str:
        """The mask of an invalid user name: that of the secret that it is, or one of its own."""
        known = self._known.masks.get(name.encode("utf-8", "surrogateescape"))
        return (known or secrets.mask(_FIRST_TYPED + number)).decode()

    def _text(self, fields: Mapping[str, Value], text: str) -> str:
        """The text without arguments of commands; its user is known from here on."""
        text = without_arguments(text, fields.get("command"))
        user = fields.get("user")
        if self._names is not None and isinstance(user, str) and user not in self._invalid:
            self._names.learn("user", user.encode())
        return text

    def _framed(self, entry: Entry, text: str) -> bytes:
        """The line as syslog writes it, so far as the original has the parts."""
        host = entry.host
        if host and self._names is not None:
            host = self._names.host(host.encode()).decode("utf-8", "replace")
        number = f"[{entry.process}]" if entry.process is not None else ""
        tag = f"{entry.program}{number}:" if entry.program else ""
        text = f"{entry.level}: {text}" if entry.level else text
        parts = [_time(entry.stamp), host, tag, text] if entry.program else [text]
        return " ".join(part for part in parts if part).replace("\n", " ").encode("utf-8", "replace") + b"\n"


def without_arguments(text: str, command: Value | None) -> str:
    """The text without the arguments of a command in it, which may contain anything; those of scp are paths."""
    if not isinstance(command, str) or " " not in command or is_transfer(command.encode()):
        return text
    word = program(command.encode()).decode("utf-8", "replace")
    return text.replace(command, f"{word} {_HIDDEN_WORDS}" if word else _HIDDEN_WORDS, 1)


def without_credentials(text: str, fields: Mapping[str, Value], known: Secrets) -> str:
    """The text without credentials in those of its parts that anybody may write; the rest is the program's own."""
    for field in _FREE:
        value = fields.get(field)
        if isinstance(value, str) and value:
            new = secrets.mask_credentials(value.encode("utf-8", "surrogateescape"), known.mask)
            text = text.replace(value, new.decode("utf-8", "replace"), 1)
    return text


def masked(
    text: str,
    known: Secrets,
    needles: secrets.SecretSearcher,
    names: Pseudonyms | None,
    paths: Iterable[Value | None] = (),
    *,
    technical: bool,
) -> str:
    """A text without secrets, and with pseudonyms.

    Args:
        text: the text.
        known: the secrets, with their masks.
        needles: searches for them.
        names: the pseudonyms, or None if names are kept.
        paths: the paths in it, in order.
        technical: whether its words are no names but algorithms and versions.
    """
    data = text.encode("utf-8", "surrogateescape")
    data = needles.replace(data, known.mask, numbers=False)
    if names is not None:
        data = _FINGERPRINT.sub(lambda found: _with_pseudonym(found, names), data)
        data = names.same_length(data) if technical else _with_names(data, paths, names)
    return data.decode("utf-8", "replace")


def _with_names(data: bytes, paths: Iterable[Value | None], names: Pseudonyms) -> bytes:
    """A text with pseudonyms: its paths by their parts, all else by its words. None is given twice."""
    out = []
    for path in paths:
        before, found, after = (
            data.partition(str(path).encode("utf-8", "surrogateescape")) if path else (data, b"", b"")
        )
        if found:
            out += [names.words(before), names.path(found)]
            data = after
    return b"".join((*out, names.words(data)))


def _with_pseudonym(found: "re.Match[bytes]", names: Pseudonyms) -> bytes:
    value = next(group for group in found.groups() if group)
    return found[0].replace(value, names.fingerprint(value), 1)


def _server(entry: Entry) -> str:
    name = entry.program.lower()
    return SERVERS.get("proftpd" if name.startswith("mod_sftp") else name, "")


def _parsed(entry: Entry) -> tuple[str, Mapping[str, Value]]:
    server = _server(entry)
    return texts.parse(server, entry.text) if server else ("unknown", {})


def _without(typed: Mapping[str, str], entry: Entry, name: str, fields: Mapping[str, Value]) -> str | None:
    """The text with masks for names that may be passwords; None where they can't be taken out."""
    text, user = entry.text, fields.get("user")
    mask = typed.get(user) if isinstance(user, str) else None
    if mask is not None:
        found = _exchanged(_server(entry), name, text, str(user), mask)
        if found is None:
            return None
        text = found
    # Elsewhere a name of letters alone may be any word of the log.
    return _WORD.sub(lambda found: typed.get(found[0], found[0]) if not found[0].islower() else found[0], text)


def _exchanged(server: str, name: str, text: str, user: str, mask: str) -> str | None:
    """The text with another user's name, at the place where the grammar sees it."""
    at = text.rfind(user)
    for _ in range(_PLACES):
        if at < 0:
            break
        changed = text[:at] + mask + text[at + len(user) :]
        event, fields = texts.parse(server, changed)
        if event == name and fields.get("user") == mask:
            return changed
        at = text.rfind(user, 0, at + len(user) - 1)
    return None


def _time(stamp: Stamp | None) -> str:
    """The time as RFC 5424 writes it; as RFC 3164 does where the log has no year."""
    if stamp is None:
        return ""
    if not stamp.has_year:
        return stamp.at(stamp.seconds)
    zone = timezone(timedelta(minutes=stamp.zone)) if stamp.zone is not None else UTC
    moment = datetime.fromtimestamp(0, UTC) + timedelta(seconds=stamp.seconds)
    text = moment.astimezone(zone).isoformat(timespec="microseconds" if stamp.step < 1 else "seconds")
    return text if stamp.zone is not None else text.removesuffix("+00:00")
