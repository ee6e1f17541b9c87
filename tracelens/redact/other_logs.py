"""Files beside a trace that are no trace: a server's log, its configuration. Each gets a copy of its own kind."""

from collections.abc import Callable, Iterable, Iterator

from tracelens import secrets
from tracelens.logs import sshd_config
from tracelens.redact.collect import Secrets
from tracelens.redact.config_copy import ConfigCopy
from tracelens.redact.pseudonyms import Pseudonyms

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
        kind: str,
        blocks: Callable[[], Iterator[bytes]],
        known: Secrets,
        names: Pseudonyms | None,
        users: set[str],
    ) -> None:
        self._blocks = blocks
        self._copy = ConfigCopy(known, names)
        self._copy.learn(self._text())

    @property
    def left_out(self) -> int:
        """How many lines are not in the copy."""
        return self._copy.left_out

    def write(self, needles: secrets.SecretSearcher, write: Callable[[bytes], object]) -> None:
        """Writes the copy."""
        lines = list(self._copy.lines(self._text(), needles))
        write(b"\n".join(lines))

    def _text(self) -> bytes:
        return _beginning(self._blocks())


def kind(head: bytes) -> str | None:
    """What a file is by its first bytes: `sshd_config`, or None where no copy of it is made."""
    return "sshd_config" if sshd_config.read("", [head]).is_sshd else None


def _beginning(blocks: Iterable[bytes]) -> bytes:
    data = bytearray()
    for block in blocks:
        data += block
        if len(data) >= _LONGEST_CONFIG:
            break
    return bytes(data[:_LONGEST_CONFIG])
