r"""What strace shows of a program that writes its trace: `[pid 811] write(2, "[libssh2] 0.1 ...\n", 50) = 50`."""

import re
from collections.abc import Iterator

from tracelens.inputs.unwrap.escapes import unescaped
from tracelens.inputs.unwrap.trace_lines import SIGN, Undo, by_lines

NAME = "strace"
# What is before a call names its process; the string may be cut.
_WRITE = re.compile(
    rb'^([^"\n(]{0,80}?)(?:write|send|sendto)\(\d+(?:<[^>\n]{0,200}>)?, "((?:[^"\\\n]|\\.)*+)"(?:\.{3})?, [^\n]*$',
    re.MULTILINE,
)


def find(head: bytes) -> Undo | None:
    """The function that takes the strings out if nearly all lines of a trace are in such calls."""
    calls = [found[2] for found in _WRITE.finditer(head) if SIGN.search(found[2])]
    if not calls or len(calls) * 10 < len(SIGN.findall(head)) * 9:
        return None
    return _undo


def _undo(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The strings, each line of them with what was before the call; lines of other calls stay."""
    for block in by_lines(blocks):
        yield _WRITE.sub(_written, block)


def _written(call: re.Match[bytes]) -> bytes:
    lines = unescaped(call[2].removesuffix(rb"\n")).split(b"\n")
    return b"\n".join([call[1] + line for line in lines])
