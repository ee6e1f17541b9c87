"""How far an input may unfold, and what it has used of that."""

import os
from collections.abc import Callable
from typing import Self

from msgspec import Struct

from tracelens.errors import UnreadableInput
from tracelens.inputs.streams import shown

_STEP = 1 << 16  # a decoder's output at a time: no more than this is lost in front of damage
_BOMB = 64 << 20  # the compression ratio does not matter below this size
_LIMITS = "TRACELENS_LIMITS"


class Limits(Struct, frozen=True):
    """How far one input may unfold, and how much of one that never ends is read.

    The environment variable TRACELENS_LIMITS sets others: `TRACELENS_LIMITS=depth=12,ratio=50000`.

    Args:
        depth: layers (archives and compression) around a trace.
        members: entries in all the archives of one input.
        expanded_bytes: bytes that decompression may make out of one input, all layers together.
        ratio: decompressed to compressed size, looked at from 64 MiB on.
        kept_bytes: of an input that is to be read twice and is no plain file, kept in a temporary one.
        piped_bytes: of standard input or a FIFO.
        silent_bytes: at the begin of standard input or a FIFO, without a sign of a record.
        secrets: different ones in the inputs of one `redact`.
    """

    depth: int = 8
    members: int = 100_000
    expanded_bytes: int = 64 << 30
    ratio: int = 10_000
    kept_bytes: int = 16 << 30
    piped_bytes: int = 64 << 30
    silent_bytes: int = 64 << 20
    secrets: int = 100_000

    @classmethod
    def in_force(cls) -> Self:
        """The limits of this process.

        Raises:
            UnreadableInput: TRACELENS_LIMITS names none, or no number.
        """
        given = {}
        for part in filter(None, os.environ.get(_LIMITS, "").split(",")):
            name, _, value = part.strip().partition("=")
            if name not in cls.__struct_fields__ or not value.isascii() or not value.isdigit():
                known = ", ".join(cls.__struct_fields__)
                raise UnreadableInput(_LIMITS, f"{shown(part)}: say name=number; limits are {known}")
            given[name] = int(value)
        return cls(**given)


class LimitReached(UnreadableInput):
    """The whole input is given up."""


class Budget:
    """What one input has used of its limits."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._expanded = self._members = 0
        self._exceeded: LimitReached | None = None

    def metered(self, read: Callable[[int], bytes], packed: Callable[[], int]) -> Callable[[int], bytes]:
        """`read` in small steps, counting what it makes out of as many bytes as `packed` says."""
        made = 0

        def metered(size: int) -> bytes:
            nonlocal made
            data = read(min(size, _STEP))
            made += len(data)
            self._expanded += len(data)
            self._check("expanded_bytes", self._expanded)
            if made > _BOMB:
                self._check("ratio", made // max(packed(), 1))
            return data

        return metered

    def enter(self) -> None:
        """Count one more member of an archive."""
        if self._exceeded:
            raise self._exceeded
        self._members += 1
        self._check("members", self._members)

    def _check(self, limit: str, value: int) -> None:
        most = getattr(self.limits, limit)
        if value > most:
            self._exceeded = LimitReached("", f"unfolds beyond the limit: {limit} = {most:,}")
            raise self._exceeded
