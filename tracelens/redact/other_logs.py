"""Files beside a trace that are no trace: a server's log, its configuration, the words of ssh and curl.

Each gets a copy of its own kind.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Literal

from tracelens import secrets
from tracelens.logs import curl, ssh_verbose, sshd_config, texts
from tracelens.logs.model import Entry, Stamp
from tracelens.redact.client_copy import ClientCopy
from tracelens.redact.collect import Secrets
from tracelens.redact.config_copy import ConfigCopy
from tracelens.redact.log_copy import LogCopy
from tracelens.redact.pseudonyms import Pseudonyms

Kind = Literal["sshd_config", "server log", "ssh -v", "curl -v"]
# A longer configuration is none, and a longer line is cut.
_LONGEST_CONFIG, _LONGEST_LINE = 4 << 20, 1 << 16
_LOOKED_AT = 2000
# Events that nothing but a server writes.
_TELLING = frozenset(
    (
        *("connected", "client_version", "attempt_accepted", "attempt_failed", "attempt_partial", "client_closed"),
        *("client_disconnected", "server_disconnected", "server_user_unknown", "server_user_not_allowed"),
        *("sftp_started", "sftp_request", "server_no_common_algorithm", "server_chroot", "server_file_modes"),
    )
)
_TAG = r"(\S{1,255}) ([^\s:\[]{1,64})(?:\[(\d{1,10})\])?: ?(.*)"
_SYSLOG = re.compile(r"(?:<\d{1,3}>)?([A-Z][a-z]{2} {1,2}\d{1,2} \d\d:\d\d:\d\d) " + _TAG, re.DOTALL)
_ISO = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?) " + _TAG, re.DOTALL)


class OtherLog:
    """A file beside a trace, read twice as the trace is.

    Args:
        kind: what `kind` says it is.
        blocks: reads it, each time from its beginning.
        known: the secrets of all inputs, with their masks.
        names: pseudonyms, or None if names are kept.
        users: users that are known not to be secrets.
    """

    def __init__(
        self,
        kind: Kind,
        blocks: Callable[[], Iterator[bytes]],
        known: Secrets,
        names: Pseudonyms | None,
        users: set[str],
    ) -> None:
        self._blocks = blocks
        self._copy: ConfigCopy | LogCopy | ClientCopy
        if kind == "sshd_config":
            self._copy = ConfigCopy(known, names)
            self._copy.learn(_beginning(blocks()))
        elif kind in ("ssh -v", "curl -v"):
            self._copy = ClientCopy(kind, known, names)
            self._copy.learn(blocks())
        else:
            self._copy = LogCopy(known, names, users)
            self._copy.learn(entries(blocks()))

    @property
    def left_out(self) -> int:
        """How many lines are not in the copy."""
        return self._copy.left_out

    def write(self, needles: secrets.SecretSearcher, write: Callable[[bytes], object]) -> None:
        """Writes the copy."""
        if isinstance(self._copy, ConfigCopy):
            write(b"\n".join(self._copy.lines(_beginning(self._blocks()), needles)))
            return
        if isinstance(self._copy, ClientCopy):
            lines = self._copy.lines(self._blocks(), needles)
        else:
            lines = self._copy.lines(entries(self._blocks()), needles)
        for line in lines:
            write(line)


def kind(head: bytes) -> Kind | None:
    """What a file is by its first bytes; None where no copy of it is made."""
    if ssh_verbose.looks_like(head) and ssh_verbose.runs([head]):
        return "ssh -v"
    for entry in islice(entries([head]), _LOOKED_AT):
        if texts.parse("OpenSSH", entry.text)[0] in _TELLING:
            return "server log"
    if sshd_config.read("", [head]).is_sshd:
        return "sshd_config"
    return "curl -v" if curl.looks_like(head) and curl.runs([head]) else None


def entries(blocks: Iterable[bytes]) -> Iterator[Entry]:
    """The lines of a log as syslog writes it, with the time of RFC 3164 or of ISO 8601, or as `sshd -E` does."""
    for number, line in enumerate(_lines(blocks), 1):
        text = line.decode("utf-8", "surrogateescape")
        found = _SYSLOG.fullmatch(text) or _ISO.fullmatch(text)
        if found is None:
            yield Entry(number, None, "", "", None, "", text)
            continue
        when, host, program, process, message = found.groups()
        yield Entry(number, _stamp(when), host, program, int(process) if process else None, "", message)


def _lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for block in blocks:
        *whole, rest = (rest + block).split(b"\n")
        yield from (line[:_LONGEST_LINE].rstrip(b"\r") for line in whole)
        rest = rest[:_LONGEST_LINE]
    if rest:
        yield rest.rstrip(b"\r")


def _stamp(text: str) -> Stamp | None:
    """The time of a line; None where it is none."""
    try:
        if text[:1].isalpha():
            moment = datetime.strptime(f"1972 {text}", "%Y %b %d %H:%M:%S").replace(tzinfo=UTC)
            return Stamp(moment.timestamp(), None, False)
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    step = 0.000001 if "." in text else 1.0
    if moment.tzinfo is None:
        return Stamp(moment.replace(tzinfo=UTC).timestamp(), None, step=step)
    offset = moment.utcoffset()
    return Stamp(moment.timestamp(), int(offset.total_seconds() // 60) if offset is not None else 0, step=step)


def _beginning(blocks: Iterable[bytes]) -> bytes:
    data = bytearray()
    for block in blocks:
        data += block
        if len(data) >= _LONGEST_CONFIG:
            break
    return bytes(data[:_LONGEST_CONFIG])
