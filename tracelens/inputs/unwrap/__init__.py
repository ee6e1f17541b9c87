"""Text in which another program wrapped a trace -> the trace's own lines.

    unwrap(blocks)  ->  ("JSON", "HTML entities"), blocks

Each wrapping is a module with one function `find(head)`: it returns None, or the function that undoes the wrapping.
What was undone is looked at again, because wrappings contain each other. A plain trace passes untouched.
"""

import re
from collections.abc import Iterable, Iterator

from tracelens.errors import UnreadableInput

__all__ = ["unwrap"]

_HEAD_BYTES = 1 << 16
_MAX_HEAD_BYTES = 1 << 22  # a saved page may begin with as much of style and script
_BEGINNING_BYTES = 512
_SIGN_BYTES = 10
_MAX_DEPTH = 8
# In a plain trace each line begins like this, and none of the characters of `_ODD` is in it.
_OTHER_LINE = re.compile(
    rb"^(?!\[libssh2\] (?:\d+\.\d{6} )?[A-Z]|=> |[0-9a-f]{4,6}: (?:[0-9A-F]{2} )|\r?$)", re.MULTILINE
)
_ODD = re.compile(
    rb"[\x80-\xff]|&(?:[a-z]{2,6}|#\w{1,6});|<(?:br|/[a-z]{1,5}>)|\\n[^\n]{0,120}?\[libssh2\]|=3D|\t"
    rb"|: (?:[0-9A-F]{2} ){9}"
)
_CLOCK = re.compile(rb"\[libssh2\] (\d{1,9}\.\d{6}) ")
_SIGN = re.compile(rb"libssh2\]|ssh2_[a-z]")


def unwrap(blocks: Iterable[bytes], charset: str = "utf-8") -> tuple[tuple[str, ...], Iterator[bytes]]:
    """Undo the wrappings of a text; return the name of each, the outermost first, and the text without them.

    Args:
        blocks: the text in an ASCII-compatible encoding; an exception from it is raised after the bytes before it.
        charset: "latin-1" if the text is not UTF-8.
    """
    undone: list[str] = []
    blocks = iter(blocks)
    while len(undone) < _MAX_DEPTH:
        head, blocks = _peek(blocks)
        if not head or not _may_be_wrapped(head):
            break
        from tracelens.inputs.unwrap import wrappings

        wrapping = wrappings.find(head, charset, undone)
        if wrapping is None:
            break
        undone.append(wrapping[0])
        blocks = filter(None, wrapping[1](blocks))
    return tuple(undone), blocks


def _may_be_wrapped(head: bytes) -> bool:
    """Whether anything in the text is not as in a plain trace, or its clock falls from the first to the last record."""
    if _OTHER_LINE.search(head) is not None or _ODD.search(head) is not None:
        return True
    clocks = _CLOCK.findall(head)
    return len(clocks) > 1 and float(clocks[-1]) < float(clocks[0])


def _peek(blocks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """The first bytes, enough to tell how the text is wrapped, and all blocks."""
    read: list[bytes] = []
    count, sign, tail, failure = 0, -1, b"", None
    try:
        while count < (max(_HEAD_BYTES, sign + _HEAD_BYTES // 2) if sign >= 0 else _MAX_HEAD_BYTES):
            block = next(blocks, b"")
            if not block:
                break
            read.append(block)
            if sign < 0 and (found := _SIGN.search(tail + block)) is not None:
                sign = count - len(tail) + found.start()
            count += len(block)
            tail = block[-_SIGN_BYTES:]
    except UnreadableInput as error:
        failure = error

    def again() -> Iterator[bytes]:
        yield from read
        read.clear()
        if failure is not None:
            raise failure
        yield from blocks

    return _sample(b"".join(read)), again()


def _sample(text: bytes) -> bytes:
    """The text's first bytes and the part around the first sign of a trace, of whole lines where it has several."""
    sign = _SIGN.search(text)
    begin = max(0, sign.start() - _HEAD_BYTES // 2) if sign is not None else 0
    sample = text[begin : begin + _HEAD_BYTES]
    if len(sample) == _HEAD_BYTES and (stop := sample.rfind(b"\n") + 1) > _HEAD_BYTES // 2:
        sample = sample[:stop]
    return text[: min(begin, _BEGINNING_BYTES)] + sample
