"""How the lines of a trace look inside of a wrapping, and the type of the functions that undo one."""

import re
from collections.abc import Callable, Iterator

from tracelens.errors import UnreadableInput

Undo = Callable[[Iterator[bytes]], Iterator[bytes]]

_ARROW = rb"(?:=|=3D|\\u003[dD]|&#61;)(?:>|&gt;|\\u003[eE]|\\x3[eE]|&#62;)"
_BLANK = rb"(?: |\t|&nbsp;|&#160;|&#xa0;|\xc2\xa0|\xa0|\\u00a0|=20)"
# A record's tag with what follows it, or an arrow with a dump's title.
SIGN = re.compile(rb"\[libssh2\]%s|%s%s(?:lib)?ssh2_[a-z]" % (_BLANK, _ARROW, _BLANK), re.IGNORECASE)


def refusal(reason: str) -> Undo:
    """A function that refuses the text, where nothing can be undone."""

    def refuse(blocks: Iterator[bytes]) -> Iterator[bytes]:
        raise UnreadableInput("", reason)  # whoever reads knows the input's name
        yield from blocks

    return refuse


def by_lines(blocks: Iterator[bytes], longest: int = 1 << 20) -> Iterator[bytes]:
    """Join and cut blocks so that each ends with a newline, but for the last, and lines longer than `longest`."""
    rest = b""
    for block in blocks:
        stop = block.rfind(b"\n") + 1
        if stop:
            yield rest + block[:stop]
            rest = block[stop:]
        else:
            rest += block
            if len(rest) > longest:
                yield rest
                rest = b""
    if rest:
        yield rest
