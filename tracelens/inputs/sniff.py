"""What an input without a libssh2 record looks like instead, and what to do about it.

    describe(b"debug1: Connecting to ...")  ->  "looks like the output of OpenSSH's `ssh -v`; ..."

The answer consists of the words of `looks.toml` alone: an input may hold secrets, so nothing of it is quoted.
"""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

_EMPTY = (
    "the file is empty: libssh2 built without tracing (LIBSSH2DEBUG); mask 0, set after Connect failed "
    "or on another object; or the program may not write there"
)
_TEXT_BYTES = bytes([*b"\t\n\v\f\r\b\a\x1b", *range(0x20, 0x7F), *range(0x80, 0x100)])


class Look(NamedTuple):
    """A kind of input: its name, the pattern of its bytes, and what to do about it."""

    name: str
    pattern: re.Pattern[bytes]
    advice: str


def describe(head: bytes) -> str:
    """Say in one line what it looks like and what to do.

    Args:
        head: the first 64 KiB or so, in an encoding that contains ASCII.
    """
    if not head:
        return _EMPTY
    advice, looks = _table()
    for look in looks:
        if look.pattern.search(head):
            return f"looks like {look.name}; {look.advice}"
    odd = len(head.translate(None, _TEXT_BYTES))
    name = "binary data" if b"\0" in head or odd * 20 > len(head) else "plain text, no log that is known here"
    return f"looks like {name}; {advice['trace']}"


@cache
def _table() -> tuple[dict[str, str], tuple[Look, ...]]:
    """Return the general advice by name, and the looks in their order."""
    import tomllib  # takes 7 ms, which no trace needs

    data = tomllib.loads(Path(__file__).with_name("looks.toml").read_text(encoding="utf-8"))
    advice = data["advice"]
    looks = []
    for look in data["look"]:
        pattern = re.sub(r"(?:\A|\n) +", "", look["pattern"]).encode()
        text = re.sub(r"\$(\w+)", lambda name: str(advice[name[1]]), look["advice"])
        looks.append(Look(look["name"], re.compile(pattern, re.MULTILINE), text))
    return advice, tuple(looks)
