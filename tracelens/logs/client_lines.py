"""Blocks of a client's output -> its lines, numbered; bounded whatever the blocks hold."""

from collections.abc import Iterable, Iterator

LONGEST = 64 * 1024  # bytes of a line that are kept; no program prints longer ones


def lines(blocks: Iterable[bytes]) -> Iterator[tuple[int, str]]:
    """The number and the text of each line, from 1."""
    number, rest = 1, b""
    for block in blocks:
        *whole, rest = (rest + block).split(b"\n")
        for line in whole:
            yield number, _text(line)
            number += 1
        rest = rest[:LONGEST]
    if rest:
        yield number, _text(rest)


def _text(line: bytes) -> str:
    return line[:LONGEST].rstrip(b"\r").decode("utf-8", "replace")
