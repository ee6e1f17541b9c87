"""Blocks of a client's output -> its lines, numbered, and its runs; bounded whatever the blocks hold."""

from collections.abc import Callable, Iterable, Iterator

from tracelens.logs.model import Event, Run

RUNS_KEPT = 200
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


def runs_of(program: str, events: Iterable[Event], begins: Callable[[Run, Event], bool]) -> list[Run]:
    """The runs that events make up, the first of many; of a long one the first events and the last.

    Args:
        program: as `Run.program`.
        events: in the order of the log.
        begins: whether an event begins another run than the one so far.
    """
    found: list[Run] = []
    for event in events:
        if not found or begins(found[-1], event):
            if len(found) == RUNS_KEPT:
                break
            found.append(Run(program))
        found[-1].add(event)
    return found
