"""What happened to a session, and what a configuration says about an option of interest to it."""

import re
from collections.abc import Iterator, Mapping
from functools import cached_property

from msgspec import Struct

from tracelens.logs.sshd_config.lines import Config, Line, Peer, applies_to
from tracelens.ssh.openssh import Release


class Tried(Struct, frozen=True):
    """An attempt to log in: its method, its outcome as in the document, the algorithm of its key."""

    method: str
    outcome: str
    algorithm: str | None = None


class Outcome(Struct, frozen=True):
    """A session as the client saw it.

    Attributes:
        cause: the id of its root cause.
        peer: what is known of the connection.
        release: the server's release of OpenSSH.
        offers: the client's lists in key exchange, by their names in the document.
        offers_traced: whether the trace shows them; else they are those of the client's release.
        tried: its attempts to log in.
        words: what the trace says of the failure: summary, texts, the last messages.
        verb, path: the SFTP operation that failed.
        subsystem: the subsystem that was asked for.
        lasted: seconds from its beginning to its failure.
        quiet: the longest stretch of seconds without a message from the client, after the login.
    """

    cause: str
    peer: Peer = Peer()
    release: Release | None = None
    offers: Mapping[str, tuple[str, ...]] = {}
    offers_traced: bool = True
    tried: tuple[Tried, ...] = ()
    words: str = ""
    verb: str = ""
    path: str = ""
    subsystem: str = "sftp"
    lasted: float | None = None
    quiet: float | None = None

    @property
    def logged_in(self) -> bool:
        """Whether an attempt was accepted."""
        return any(one.outcome == "accepted" for one in self.tried)

    @property
    def may_be_logged_in(self) -> bool:
        """Whether an attempt was accepted, or the last one had no answer."""
        return self.logged_in or (bool(self.tried) and self.tried[-1].outcome == "unanswered")

    @property
    def passed(self) -> list[str]:
        """The methods that were accepted as a part of a login."""
        return [one.method for one in self.tried if one.outcome == "partial"]

    @property
    def refused(self) -> list[Tried]:
        """The attempts that the server refused, without the question for its methods."""
        return [one for one in self.tried if one.outcome == "refused" and one.method != "none"]


class Explanation(Struct, frozen=True):
    """An option of the server's configuration that explains an outcome.

    Attributes:
        option: as sshd_config(5) spells it.
        file, line: where it is set; an empty file and line 0 where it is not set.
        value: its value, or the default.
        sentence: what that does to the session.
        advice: what the server's administrator can do.
        certain: whether the configuration alone decides it.
    """

    option: str
    file: str
    line: int
    value: str
    sentence: str
    advice: str
    certain: bool


class Setting(Struct, frozen=True):
    """A value that an option has, or may have, for the session.

    Attributes:
        option: as sshd_config(5) spells it.
        values: its arguments.
        lines: where it is set; empty for the default.
        certain: whether it has this value for sure.
        missing: an `Include` line before it, or before its absence, whose file is not here.
    """

    option: str
    values: tuple[str, ...]
    lines: tuple[Line, ...]
    certain: bool
    missing: Line | None = None

    @property
    def value(self) -> str:
        """The values as one text."""
        return " ".join(self.values)

    def explains(
        self, sentence: str, advice: str, *, certain: bool = True, line: Line | None = None, value: str | None = None
    ) -> Explanation:
        """The explanation that this setting is. The place is that of `line`, or of its first line."""
        at = line or (self.lines[0] if self.lines else None)
        file, number = (at.file, at.number) if at is not None else ("", 0)
        if at is not None and at.match and not self.certain:
            sentence = f"where `Match {named(at.match)}` applies: {sentence}"
        if self.missing is not None:
            sentence += f", unless the files of `Include {self.missing.value}`, which are not here, say otherwise"
        shown = value if value is not None else self.value if line is None else line.value
        return Explanation(self.option, file, number, shown, sentence, advice, certain and self.certain)


# Defaults of sshd_config(5) that depend on no release.
DEFAULTS = {
    "PasswordAuthentication": "yes",
    "KbdInteractiveAuthentication": "yes",
    "PubkeyAuthentication": "yes",
    "MaxAuthTries": "6",
    "MaxSessions": "10",
    "LoginGraceTime": "120",
    "MaxStartups": "10:30:100",
    "ClientAliveInterval": "0",
    "ClientAliveCountMax": "3",
    "AllowTcpForwarding": "yes",
    "AllowAgentForwarding": "yes",
    "X11Forwarding": "no",
    "DisableForwarding": "no",
    "PermitTTY": "yes",
    "StrictModes": "yes",
}


class Asked:
    """A configuration, asked about one session."""

    def __init__(self, config: Config, outcome: Outcome) -> None:
        self.config, self.outcome = config, outcome

    @cached_property
    def not_given(self) -> Line | None:
        """The first `Include` that may apply to the session and whose file is not here."""
        peer = self.outcome.peer
        return next((line for line in self.config.missing if applies_to(line.match, peer) is not False), None)

    def settings(self, option: str, *, default: str | None = None) -> Iterator[Setting]:
        """The values of an option for the session: one that is certain, or those that are possible.

        Args:
            option: as sshd_config(5) spells it.
            default: what it is where it is not set; by default that of `DEFAULTS`; none is given where both lack it.
        """
        choices = self.config.choices(option, self.outcome.peer)
        for choice in choices:
            missing = self._missing_before(choice.lines[0])
            yield Setting(option, choice.arguments, choice.lines, choice.certain and missing is None, missing)
        default = default if default is not None else DEFAULTS.get(option)
        ends = bool(choices) and applies_to(choices[-1].lines[0].match, self.outcome.peer) is True
        if default is not None and not ends:
            yield self.not_set(option, default, certain=not choices)

    def not_set(self, option: str, value: str = "not set", *, certain: bool = True) -> Setting:
        """An option that no line sets."""
        return Setting(option, (value,), (), certain and self.not_given is None, self.not_given)

    def _missing_before(self, line: Line) -> Line | None:
        """The `Include` line whose file is not here and that comes before a line: the first value counts."""
        missing = self.not_given
        return missing if missing is not None and missing.file == line.file and missing.number < line.number else None


def named(match: tuple[tuple[str, str], ...]) -> str:
    """The criteria of `Match` as they are written."""
    return " ".join(f"{name.title()} {patterns}".strip() for name, patterns in match)


_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def seconds(text: str) -> int | None:
    """A time as sshd_config(5) writes it, such as `2m` or `1h30m`; None where it is none."""
    text = text.strip().lower()
    parts = re.findall(r"(\d{1,9})([smhdw]?)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return sum(int(number) * _UNITS[unit] for number, unit in parts)


def number(text: str) -> int | None:
    """A number of a configuration; None where it is none."""
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None
