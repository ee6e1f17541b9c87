"""Files beside a trace that are no trace: a server's log, its configuration, the words of ssh and curl.

Each gets a copy of its own kind.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Literal

from tracelens import secrets
from tracelens.logs import kinds
from tracelens.logs.framing import entries
from tracelens.redact.client_copy import ClientCopy
from tracelens.redact.collect import Secrets
from tracelens.redact.config_copy import ConfigCopy
from tracelens.redact.log_copy import LogCopy
from tracelens.redact.pseudonyms import Pseudonyms

Kind = Literal["sshd_config", "server log", "ssh -v", "curl -v"]
_KINDS: tuple[Kind, ...] = ("sshd_config", "server log", "ssh -v", "curl -v")
# A longer configuration is none.
_LONGEST_CONFIG = 4 << 20


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
    found = kinds.kind(head)
    return next((known for known in _KINDS if known == found), None)


def _beginning(blocks: Iterable[bytes]) -> bytes:
    data = bytearray()
    for block in blocks:
        data += block
        if len(data) >= _LONGEST_CONFIG:
            break
    return bytes(data[:_LONGEST_CONFIG])
