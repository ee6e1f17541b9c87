"""Traces that a log viewer exported with the newest line first -> the lines in the order in which they were written.

    found(head)  ->  True
    undo(lines)  ->  lines

Each line is a record, a dump's title or one of its rows. Some exports keep the rows behind their title and only put
the newest title first; then title and rows stay together.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from tracelens.errors import UnreadableInput
from tracelens.inputs.unwrap.trace_lines import Undo, by_lines

NAME = "newest line first"
MAX_BYTES = 32 << 20
_CLOCK = re.compile(rb"\[libssh2\] ([0-9]{1,9}\.[0-9]{6}) [A-Z]")
_TITLE = re.compile(rb"=> (?:lib)?ssh2_\w")
_ROW = re.compile(rb"(?:^|[^0-9a-zA-Z])0000: (?:[0-9A-F]{2} |$)")
_BEGIN = re.compile(rb"\[libssh2\] |=> (?:lib)?ssh2_\w")
# So many times the clock falls, and it rises at most once for so many falls: where another process wrote.
_FALLS, _FALLS_A_RISE = 8, 8
_TOO_LARGE = "its lines are sorted with the newest first: sort them by time, oldest first, and give that file"


def found(head: bytes) -> bool:
    """Whether the clock falls from record to record.

    Args:
        head: the first bytes of the trace.
    """
    times = [float(clock) for clock in _CLOCK.findall(head)]
    falls = sum(later < earlier for earlier, later in pairwise(times))
    rises = sum(later > earlier for earlier, later in pairwise(times))
    return falls >= _FALLS and rises * _FALLS_A_RISE <= falls


def find(head: bytes) -> Undo | None:
    """The function that puts the lines of blocks in order if the newest one comes first."""
    return _undo_blocks if found(head) else None


def _undo_blocks(blocks: Iterator[bytes]) -> Iterator[bytes]:
    lines = (line for block in by_lines(blocks) for line in block.removesuffix(b"\n").split(b"\n"))
    yield b"".join(line.rstrip(b"\r") + b"\n" for line in undo(lines))


def undo(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Return the lines, the oldest first.

    Args:
        lines: without their newlines.

    Raises:
        UnreadableInput: they have more than `MAX_BYTES`.
    """
    kept: list[bytes] = []
    size = 0
    for line in lines:
        kept.append(line)
        size += len(line)
        if size > MAX_BYTES:
            raise UnreadableInput("", _TOO_LARGE)
    return reversed(kept) if _rows_come_first(kept) else _blocks_reversed(kept)


def _rows_come_first(lines: Sequence[bytes]) -> bool:
    """Whether a dump's first row is the line before its title rather than the line behind it."""
    balance = 0
    for first, second in pairwise(lines):
        balance += bool(_TITLE.search(second) and _ROW.search(first))
        balance -= bool(_TITLE.search(first) and _ROW.search(second))
    return balance >= 0


def _blocks_reversed(lines: Sequence[bytes]) -> Iterator[bytes]:
    """The records and titles in reverse, each with the lines that follow it."""
    stop = len(lines)
    for start in range(len(lines) - 1, -1, -1):
        if start == 0 or _BEGIN.search(lines[start]):
            yield from lines[start:stop]
            stop = start
