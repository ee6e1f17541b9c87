"""What an input without a libssh2 record looks like instead, and what to do about it.

    describe(b"debug1: Connecting to ...")  ->  "looks like the output of OpenSSH's `ssh -v`; ..."

The answer consists of the words of `looks.toml` and of numbers that have a name: an input may hold secrets, so no text
of it is quoted.
"""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

_EMPTY = (
    "the file is empty: libssh2 built without tracing (LIBSSH2DEBUG); mask 0, set after Connect failed "
    "or on another object; or the program may not write there"
)
_STATUS_BASE = 0x80101000  # an InterSystems status for SSH is this number plus libssh2's without its sign
_TEXT_BYTES = bytes([*b"\t\n\v\f\r\b\a\x1b", *range(0x20, 0x7F), *range(0x80, 0x100)])


class Look(NamedTuple):
    """A kind of input: its name, the pattern of its bytes, what to do about it, and patterns of its numbers by kind."""

    name: str
    pattern: re.Pattern[bytes]
    advice: str
    numbers: tuple[tuple[str, re.Pattern[bytes]], ...]


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
            return "; ".join([f"looks like {look.name}", look.advice, *_meanings(look, head)])
    odd = len(head.translate(None, _TEXT_BYTES))
    name = "binary data" if b"\0" in head or odd * 20 > len(head) else "plain text, no log that is known here"
    return f"looks like {name}; {advice['trace']}"


def _insert(text: str, advice: dict[str, str]) -> str:
    """The text with the advice that it names."""
    return re.sub(r"\$(" + "|".join(advice) + r")\b", lambda name: advice[name[1]], text)


def _meanings(look: Look, head: bytes) -> Iterator[str]:
    """Say what the last number of each kind means, for those that have a name."""
    for kind, pattern in look.numbers:
        numbers = [found[found.lastindex or 0].decode() for found in pattern.finditer(head)]
        if numbers and (meaning := _meaning(kind, numbers[-1])):
            yield meaning


def _meaning(kind: str, digits: str) -> str | None:
    """Say what a number means; None if it has no name."""
    from tracelens.ssh import codes, messages

    if kind == "packet":
        form = messages.FORMATS.get(int(digits))
        return f"its last packet, type {digits}, is SSH_MSG_{form.name.upper()}" if form else None
    if kind == "status":
        number = _STATUS_BASE - int(digits, 16)
        code = codes.libssh2_error(number)
        return f"its {digits} is libssh2's {number}, {code.name}: `tracelens explain {number}`" if code else None
    number = int(digits)
    if kind == "sftp":
        code, what = codes.sftp_status(number), f"SFTP status {number}"
    elif kind == "disconnect":
        code, what = codes.disconnect_reason(number), f"disconnect {number}"
    else:
        code, what = codes.libssh2_error(number), f"{number}"
    return f"its {what} is {code.name}: `tracelens explain {what}`" if code else None


@cache
def _table() -> tuple[dict[str, str], tuple[Look, ...]]:
    """Return the general advice by name, and the looks in their order."""
    import tomllib  # takes 7 ms, which no trace needs

    data = tomllib.loads(Path(__file__).with_name("looks.toml").read_text(encoding="utf-8"))
    advice = {name: _insert(text, data["advice"]) for name, text in data["advice"].items()}
    looks = []
    for look in data["look"]:
        pattern = re.sub(r"(?:\A|\n) +", "", look["pattern"]).encode()
        text = _insert(look["advice"], advice)
        numbers = [(kind, re.compile(p.encode(), re.MULTILINE)) for kind, p in look.get("numbers", {}).items()]
        looks.append(Look(look["name"], re.compile(pattern, re.MULTILINE), text, tuple(numbers)))
    return advice, tuple(looks)
