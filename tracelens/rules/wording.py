"""The words that rules write themselves, told apart from what they quote of a trace.

A sentence about a failure may say "give the right passphrase: ..."; only what it quotes can hold a secret.
"""

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from types import CodeType, FunctionType, ModuleType

from msgspec import Struct
from msgspec.structs import astuple

from tracelens import rules

# A shorter part may as well stand in a trace, beside a secret that it announces.
_SHORTEST = 20
_BLANKS = 2
_FIELD = re.compile(r"\{[^{}]*\}")


def outside_own_words(sentence: str, hide: Callable[[str], str]) -> str:
    """A rule's sentence with the secrets masked in what it quotes."""
    hidden = hide(sentence)
    if hidden == sentence:
        return sentence
    quoted, done = [], 0
    for start, stop in _own(sentence):
        quoted += [hide(sentence[done:start]), sentence[start:stop]]
        done = stop
    return "".join([*quoted, hide(sentence[done:])]) if done else hidden


def _own(sentence: str) -> list[tuple[int, int]]:
    """Where the rules' own words are in a sentence, in order; none overlaps another."""
    found: list[tuple[int, int]] = []
    for part in _parts():
        start = sentence.find(part)
        while start >= 0:
            stop = start + len(part)
            if all(stop <= a or start >= b for a, b in found):
                found.append((start, stop))
            start = sentence.find(part, stop)
    return sorted(found)


@cache
def _parts() -> tuple[str, ...]:
    """The fixed parts of all sentences of all rules that are loaded, the longest first."""
    names = {rule.module for rule in rules.load()}
    names |= {name for name in sys.modules if name.startswith(f"{rules.__name__}.")}
    texts = {text for name in names for text in _texts_of(sys.modules[name])}
    parts = {part for text in texts for part in _FIELD.split(text)}
    return tuple(
        sorted((p for p in parts if len(p) >= _SHORTEST and p.count(" ") > _BLANKS), key=lambda p: (-len(p), p))
    )


def _texts_of(module: ModuleType) -> Iterator[str]:
    for value in vars(module).values():
        if isinstance(value, FunctionType):
            yield from _texts(value.__code__)
        else:
            yield from _texts(value)


def _texts(value: object) -> Iterator[str]:
    """The texts in a constant: of a function, or what a module keeps in tables."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, CodeType):
        yield from _of_all(value.co_consts)
    elif isinstance(value, dict):
        yield from _of_all(value.values())
    elif isinstance(value, tuple | list | set | frozenset):
        yield from _of_all(value)
    elif isinstance(value, Struct):
        yield from _of_all(astuple(value))


def _of_all(values: Iterable[object]) -> Iterator[str]:
    for value in values:
        yield from _texts(value)
