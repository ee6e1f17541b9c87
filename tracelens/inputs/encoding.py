"""Bytes in any text encoding -> the encoding's label, and the text in an encoding that contains ASCII."""

import codecs
import re
from collections.abc import Iterable, Iterator

from tracelens.errors import UnreadableInput

_SAMPLE_BYTES = 1 << 16  # examined to find the encoding


def decode(chunks: Iterable[bytes]) -> tuple[str, Iterator[bytes]]:
    """Detect the text encoding; return its label, and the text in an encoding that contains ASCII.

    A byte order mark decides, and is dropped. Without one it is UTF-16 if many of the even bytes are NUL and almost
    none of the odd ones, or the reverse. UTF-16 and UTF-32 become UTF-8, with U+FFFD for undecodable parts. Everything
    else passes unchanged: the label is `latin-1` if most non-ASCII sequences are not UTF-8 and are accented letters of
    words, otherwise `utf-8` despite stray bytes, because libssh2 prints unterminated memory.

    An exception from `chunks` is raised only after the bytes before it were returned.
    """
    blocks = iter(chunks)
    head, failure = b"", None
    try:
        while len(head) < _SAMPLE_BYTES and (block := next(blocks, b"")):
            head += block
    except UnreadableInput as error:
        failure = error
    label, mark_length = _detect(head)

    def text() -> Iterator[bytes]:
        yield head[mark_length:]
        if failure:
            raise failure
        yield from blocks

    return label, _transcode(text(), label) if label.startswith(("utf-16", "utf-32")) else filter(None, text())


_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins with the mark of utf-16-le
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_UTF8_SEQUENCE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_ACCENTED = re.compile(rb"[A-Za-z][\xc0-\xff]|[\xc0-\xff][a-z]")


def _detect(head: bytes) -> tuple[str, int]:
    """The label of the encoding, and the length of the byte order mark."""
    for mark, label in _MARKS:
        if head.startswith(mark):
            return label, len(mark)
    head = head[:_SAMPLE_BYTES]
    even, odd = head[0::2].count(0), head[1::2].count(0)
    # Most characters of a trace are ASCII; a NUL as the low byte (U+3000) is rare.
    if max(even, odd) * 6 >= len(head) > 1 and min(even, odd) * 8 <= max(even, odd):
        return ("utf-16-le" if odd > even else "utf-16-be"), 0
    if head.isascii():
        return "utf-8", 0
    others, valid = _UTF8_SEQUENCE.subn(b"", head)
    invalid = len(re.findall(rb"[\x80-\xff]", others))
    return ("latin-1" if invalid > valid and len(_ACCENTED.findall(others)) * 2 >= invalid else "utf-8"), 0


def _transcode(blocks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    for block in blocks:
        if text := decoder.decode(block):
            yield text.encode("utf-8", "replace")
    if text := decoder.decode(b"", final=True):
        yield text.encode("utf-8", "replace")
