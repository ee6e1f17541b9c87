"""The text of a client's line -> event: a name and typed fields, by the grammar of that client.

parse("ssh_verbose", "Exit status 0")  ->  ("exited", {"status": 0})
"""

from collections.abc import Callable, Mapping
from functools import cache, lru_cache

from tracelens.libssh2.grammar import Token, Tree, UnexpectedInput, load
from tracelens.logs.model import Value

LONGEST = 16 * 1024  # characters of a text that are parsed
_KEPT = 4096


@lru_cache(_KEPT)
def parse(grammar: str, text: str) -> tuple[str, Mapping[str, Value]]:
    """Return the name and the fields of the event that a text is, `unknown` where the grammar has none; never raises.

    Equal texts share one mapping: read it, never write to it.

    Args:
        grammar: the grammar's file name without its suffix.
        text: the message, without what says how detailed it is.
    """
    try:
        tree = _reader(grammar)(text[:LONGEST].strip())
    except UnexpectedInput:
        return "unknown", {}
    fields: dict[str, Value] = {}
    for child in tree.children:
        if isinstance(child, Tree):
            fields[str(child.data)] = _value(str(child.data), child.children)
    return str(tree.data), fields


def _value(field: str, tokens: list[Token | Tree[Token]]) -> Value:
    text = str(tokens[0]).rstrip() if tokens else ""
    if field == "names":
        return tuple(name.strip() for name in text.split(",") if name.strip())
    return int(text) if tokens and isinstance(tokens[0], Token) and tokens[0].type == "INT" else text


@cache
def _reader(grammar: str) -> Callable[[str], Tree[Token]]:
    return load(grammar, start="message").parse
