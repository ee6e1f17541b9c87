"""The look at a finished copy, before anybody gets it: is any secret in it?

It shares nothing with the code that wrote the copy: it takes the rows of dumps for rows wherever they stand, and puts
their bytes together across rows and dumps.
"""

import re
from collections.abc import Iterable
from itertools import chain

from tracelens.libssh2 import events
from tracelens.secrets import SecretSearcher

_ROW = re.compile(rb"[0-9a-f]{4,8}: ?((?:[0-9A-Fa-f]{2} {1,2}){1,16})(?: *: ?([^\n]{0,16}))?")
_OVERLAP = 1 << 14
_LONGEST_LINE = 1 << 24
_RECORD = re.compile(
    rb"(?:\[libssh2\] (?:[0-9]{1,12}\.[0-9]{6} )?|[0-9]{1,12}\.[0-9]{6} )([A-Z][A-Za-z ]{2,14}): ?(.*)"
)


def leaks(blocks: Iterable[bytes], needles: SecretSearcher) -> bool:
    """Whether one of the secrets stands in a trace, in whatever form.

    Args:
        blocks: the trace.
        needles: looks for the secrets.
    """
    if not needles.values:
        return False
    rest, before, shown, column = b"", b"", b"", b""
    for block in chain(blocks, (b"",)):
        text = rest + block
        cut = text.rfind(b"\n") + 1 if block and len(text) < _LONGEST_LINE else len(text)
        whole, rest = text[:cut], text[cut:]
        if any(not value.isdigit() for _, _, value in needles.find(before + whole)) or _spoken(whole, needles):
            return True
        before = whole[-_OVERLAP:]
        found = _ROW.findall(whole)
        shown = shown[-_OVERLAP:] + bytes.fromhex(b"".join(pairs for pairs, _ in found).decode())
        column = column[-_OVERLAP:] + b"".join(chars for _, chars in found)
        if needles.find(shown) or needles.find(column):
            return True
    return False


def _spoken(text: bytes, needles: SecretSearcher) -> bool:
    """Whether a secret of digits stands among words, not among a trace's own figures."""
    if not any(value.isdigit() for value in needles.values) or not needles.find(text, numbers=False):
        return False
    for line in text.split(b"\n"):
        told = _RECORD.search(line)
        if told is not None:
            _, fields = events.parse(told[1].decode(), told[2].decode("utf-8", "replace"))
            if any(isinstance(v, str) and needles.find(v.encode(), numbers=False) for v in fields.values()):
                return True
        elif b"=> " not in line and needles.find(_ROW.sub(b"", line), numbers=False):
            return True
    return False
