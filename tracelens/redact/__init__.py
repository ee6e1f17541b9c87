"""A trace -> a copy that is safe to share and has the same diagnosis.

    with Redaction() as redaction:
        redaction.survey(origin)            # each input; the first pass
        redaction.write(origin.name, file)  # each input; the second

The first pass collects secrets, the second writes the copy, and then the copy is searched for every secret in every
form that it can take. What is not proven to be free of them is not given out.
"""

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from typing import IO, Self

from tracelens import inputs
from tracelens.errors import NotATrace, UnreadableInput, UnsafeCopy
from tracelens.inputs import sniff
from tracelens.reader import Streams
from tracelens.redact.collect import SecretCollector, Secrets
from tracelens.redact.config_copy import ConfigCopy
from tracelens.redact.other_logs import OtherLog, kind
from tracelens.redact.pseudonyms import Pseudonyms
from tracelens.redact.rewrite import Choices, Rewrite
from tracelens.redact.tokens import Token, Tokens
from tracelens.redact.verify import LOOKED_FOR, leaks

__all__ = ["Choices", "Pseudonyms", "Redaction"]

_BLOCK = 1 << 20
_IN_MEMORY = 32 << 20
_HEAD = 1 << 16
# Tokens are kept up to so many bytes of the inputs, a token counted as so many more; in memory they take twice that.
_ROOM, _TOKEN = 64 << 20, 100


class _Input:
    """One input, to be read twice: the tokens of a short one are kept; else a file is opened again, and any other
    input is kept in an unnamed temporary file.

    Args:
        origin: the input.
        limits: how much of it is kept in that file.
        room: how many bytes may be kept as tokens.
    """

    def __init__(self, origin: inputs.Source, limits: inputs.Limits, room: int) -> None:
        self.name = origin.name
        self.encoding = ""
        self.undone: tuple[str, ...] = ()
        self.damage: str | None = None
        self.head = b""  # its first bytes
        self._origin, self._limits = origin, limits
        self._again = origin.path is not None
        self._kept: IO[bytes] | None = None
        self._room = self._left = room
        self._tokens: list[Token] = []

    def first(self) -> Iterator[Token]:
        """The tokens of the text, in an ASCII-compatible encoding."""
        self.encoding, self.undone, blocks = inputs.read_text(self._origin.chunks())
        streams = Streams(blocks)
        unmixed = streams.unmixed()
        blocks = unmixed or streams.blocks
        self._again &= not self.undone and unmixed is None  # what was undone need not be undone again
        blocks = self._until_damage(blocks)
        for token in Tokens(self._first(blocks)):
            if self._left > 0:
                self._tokens.append(token)
                self._left -= _TOKEN
            yield token
        if self._left <= 0:
            self._forget()

    def again(self) -> Iterator[Token]:
        """The same tokens again."""
        if self._tokens:
            tokens, self._tokens = self._tokens, []  # the second pass changes them
            return iter(tokens)
        return iter(Tokens(self.blocks()))

    @property
    def size(self) -> int:
        """How much of the room it uses."""
        return self._room - self._left if self._tokens else 0

    def _forget(self) -> None:
        self._left, self._tokens = 0, []

    def _first(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        if not self._again:
            self._kept = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115  `close` closes it
        count = 0
        for block in blocks:
            count += len(block)
            self._left -= len(block)
            if self._left <= 0:
                self._forget()
            if len(self.head) < _HEAD:
                self.head += block[:_HEAD]
            if self._kept is not None:
                if count > self._limits.kept_bytes:
                    raise UnreadableInput(self.name, f"is beyond the limit: kept_bytes = {self._limits.kept_bytes:,}")
                self._kept.write(block)
            yield block

    def blocks(self) -> Iterator[bytes]:
        """Its text again."""
        if self._kept is not None:
            self._kept.seek(0)
            while block := self._kept.read(_BLOCK):
                yield block
            return
        digest, left = hashlib.sha256(), self._origin.bytes or 0
        assert self._origin.path is not None
        with open(self._origin.path, "rb") as file:

            def stored() -> Iterator[bytes]:
                nonlocal left
                while left and (block := file.read(min(_BLOCK, left))):
                    digest.update(block)
                    left -= len(block)
                    yield block

            yield from inputs.read_text(stored()).blocks
        if digest.hexdigest() != self._origin.sha256:
            raise UnreadableInput(self.name, "changed while it was read; try again when nothing writes to it")

    def close(self) -> None:
        """Deletes what was kept."""
        if self._kept is not None:
            self._kept.close()

    def _until_damage(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        try:
            yield from blocks
        except UnreadableInput as error:
            self.damage = error.reason


class Redaction:
    """One run: all its inputs share their secrets' masks and their pseudonyms.

    Args:
        choices: what stays in the copies.
        anonymize: whether names get pseudonyms.
        limits: how much of standard input, or of a compressed one, is kept for the second pass; how many secrets
            there may be.
        room: how many bytes of the inputs may be kept as tokens, which saves reading them again.
    """

    def __init__(
        self,
        choices: Choices | None = None,
        *,
        anonymize: bool = False,
        limits: inputs.Limits | None = None,
        room: int = _ROOM,
    ) -> None:
        self.known = Secrets()
        self.names = Pseudonyms() if anonymize else None
        self.left_out: dict[str, int] = {}  # name of an input -> how many of its lines are not in its copy
        self._choices, self._limits = choices or Choices(), limits or inputs.Limits.in_force()
        self._room = room
        self._inputs: dict[str, tuple[_Input, SecretCollector]] = {}
        self._logs: dict[str, OtherLog] = {}
        self._users: set[str] = set()

    def unwrapped(self, name: str) -> tuple[str, ...]:
        """What was undone before an input was read; its copy is the trace within."""
        return self._inputs[name][0].undone

    def is_log(self, name: str) -> bool:
        """Whether an input is no trace, but a log or a configuration of which a copy is made."""
        return name in self._logs

    def survey(self, origin: inputs.Source) -> str | None:
        """Reads an input for the first time and collects its secrets.

        Returns:
            what damages it, or None; only its readable part gets into the copy.

        Raises:
            NotATrace: no libssh2 record is in it, and it is no log of which a copy is made.
            UnreadableInput: nothing of it can be read, or it exceeds a limit.
        """
        original, collector = _Input(origin, self._limits, self._room), SecretCollector(self.known, self.names)
        before = len(self.known.masks)
        self._inputs[origin.name] = original, collector
        collector.go(self._bounded(original))
        self._limit(original)
        self._room -= original.size
        if not collector.found:
            self.known.forget(before)  # of a log only known lines are copied
            self._other_log(original)
            return original.damage
        self._users |= collector.users
        collector.finish()
        return original.damage

    def _other_log(self, original: _Input) -> None:
        """Notes a file that is no trace, and learns its names."""
        what = kind(original.head)
        if what is not None:
            read_again = OtherLog(what, original.blocks, self.known, self.names, self._users)
            self._logs[original.name] = read_again
        elif original.damage is not None:
            raise UnreadableInput(original.name, original.damage)
        else:
            raise NotATrace(original.name, sniff.describe(original.head))

    def _bounded(self, original: _Input) -> Iterator[Token]:
        for number, token in enumerate(original.first()):
            if not number % 1024:
                self._limit(original)
            yield token

    def _limit(self, original: _Input) -> None:
        if len(self.known.masks) > self._limits.secrets:
            raise UnreadableInput(original.name, f"is beyond the limit: secrets = {self._limits.secrets:,}")

    def write(self, name: str, file: IO[bytes]) -> None:
        """Writes the copy of an input after `survey`, and searches it for secrets.

        Args:
            name: the input's name.
            file: the target; it must be readable as well.

        Raises:
            UnsafeCopy: a secret is in it.
        """
        original, collector = self._inputs[name]
        needles = self.known.needles()
        if self.names is not None:
            self.names.avoided = needles.values
        log = self._logs.get(name)
        if log is not None:
            log.write(needles, file.write)
            self.left_out[name] = log.left_out
        else:
            rewrite = Rewrite(collector, self.known, needles, self.names, self._choices, file.write)
            rewrite.go(original.again())
            self.left_out[name] = rewrite.left_out
        file.flush()
        file.seek(0)
        if leaks(iter(lambda: file.read(_BLOCK), b""), needles):
            why = f"a secret was found in the finished copy (each was looked for {LOOKED_FOR}): nothing is given out"
            raise UnsafeCopy(name, why)

    def configurations(self, texts: Mapping[str, list[bytes]]) -> dict[str, list[bytes]]:
        """Server's configurations as their copies would be, by their names in them."""
        found = {}
        for name, blocks in texts.items():
            copy = ConfigCopy(self.known, self.names)
            copy.learn(b"".join(blocks))
            lines = copy.lines(b"".join(blocks), self.known.needles())
            new = self.names.path(name.encode()).decode() if self.names is not None else name
            found[new] = [b"\n".join(lines)]
        return found

    def close(self) -> None:
        """Deletes what was kept of the inputs."""
        for original, _ in self._inputs.values():
            original.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
