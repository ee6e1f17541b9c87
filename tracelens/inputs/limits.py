"""Limits for one input, and how much of them it has used."""

import os
from collections.abc import Callable
from typing import Self

from msgspec import Struct

from tracelens.errors import UnreadableInput
from tracelens.inputs.streams import printable

_STEP_BYTES = 1 << 16  # output of a decoder at a time; at most this much is lost before damage
_RATIO_FROM_BYTES = 64 << 20  # the ratio is not checked below this size
_LIMITS = "TRACELENS_LIMITS"


class Limits(Struct, frozen=True):
    """How far one input may unpack, how much of an endless one is read, and what one query may take.

    The environment variable TRACELENS_LIMITS overrides them: `TRACELENS_LIMITS=depth=12,ratio=50000`.
    """

    depth: int = 8  # layers (archives and compression) around a trace
    members: int = 100_000  # entries in all archives of one input
    expanded_bytes: int = 64 << 30  # bytes decompressed from one input, all layers together
    ratio: int = 10_000  # decompressed to compressed size, checked from 64 MiB on
    kept_bytes: int = 16 << 30  # size of the temporary copy of an input that must be read twice and is not a plain file
    piped_bytes: int = 64 << 30  # bytes of standard input or a FIFO
    silent_bytes: int = 64 << 20  # bytes at the start of standard input or a FIFO without a sign of a record
    secrets: int = 100_000  # different secrets in the inputs of one `redact`
    query_seconds: int = 60  # time of one `query`
    query_bytes: int = 2 << 30  # memory of one `query`

    @classmethod
    def in_force(cls) -> Self:
        """The limits of this process.

        Raises:
            UnreadableInput: TRACELENS_LIMITS has an unknown limit or a value that is not a number.
        """
        limits = {}
        for part in filter(None, os.environ.get(_LIMITS, "").split(",")):
            name, _, value = part.strip().partition("=")
            if name not in cls.__struct_fields__ or not value.isascii() or not value.isdigit():
                known = ", ".join(cls.__struct_fields__)
                raise UnreadableInput(_LIMITS, f"{printable(part)}: say name=number; limits are {known}")
            limits[name] = int(value)
        return cls(**limits)


class LimitReached(UnreadableInput):
    """The input exceeds a limit; the rest of it is not read."""


class Budget:
    """Counts how much of its limits one input has used."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._expanded = self._members = 0
        self._exceeded: LimitReached | None = None

    def count_bytes(self, read: Callable[[int], bytes], packed: Callable[[], int]) -> Callable[[int], bytes]:
        """Return `read` in small steps that count its output; `packed` returns the compressed bytes so far."""
        count = 0

        def read_counted(size: int) -> bytes:
            nonlocal count
            data = read(min(size, _STEP_BYTES))
            count += len(data)
            self._expanded += len(data)
            self._check("expanded_bytes", self._expanded)
            if count > _RATIO_FROM_BYTES:
                self._check("ratio", count // max(packed(), 1))
            return data

        return read_counted

    def count_member(self) -> None:
        """Count a member of an archive."""
        if self._exceeded:
            raise self._exceeded
        self._members += 1
        self._check("members", self._members)

    def _check(self, limit: str, value: int) -> None:
        allowed = getattr(self.limits, limit)
        if value > allowed:
            self._exceeded = LimitReached("", f"unfolds beyond the limit: {limit} = {allowed:,}")
            raise self._exceeded
