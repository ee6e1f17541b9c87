"""The check of a finished copy before its release: is any secret in it?

It shares no code with the writing of the copy: it reads rows of dumps wherever they are, and joins their bytes across
rows and dumps.
"""

import re
from collections.abc import Iterable
from itertools import chain

from tracelens.libssh2 import events
from tracelens.secrets import SecretSearcher
from tracelens.secrets.spellings import LOOKED_FOR, Spellings

__all__ = ["LOOKED_FOR", "leaks"]

_ROW = re.compile(rb"[0-9a-f]{4,8}: ?((?:[0-9A-Fa-f]{2} {1,2}){1,16})(?: *: ?([^\n]{0,16}))?")
_OVERLAP = 1 << 14
_LONGEST_LINE = 1 << 24
_LINE_OF_RECORD = re.compile(rb"^\[libssh2\] [^\n]*\n|^=> [^\n]*\n", re.M)
_RECORD = re.compile(
    rb"(?:\[libssh2\] (?:[0-9]{1,12}\.[0-9]{6} )?|[0-9]{1,12}\.[0-9]{6} )([A-Z][A-Za-z ]{2,14}): ?(.*)"
)


def leaks(blocks: Iterable[bytes], needles: SecretSearcher) -> bool:
    """Whether one of the secrets is in a trace, in any form.

    Args:
        blocks: the trace.
        needles: searches for the secrets.
    """
    if not needles.values:
        return False
    rest, before, data, column, between = b"", b"", b"", b"", b""
    spellings = Spellings(needles)
    for block in chain(blocks, (b"",)):
        text = rest + block
        cut = text.rfind(b"\n") + 1 if block and len(text) < _LONGEST_LINE else len(text)
        whole, rest = text[:cut], text[cut:]
        if any(not value.isdigit() for _, _, value in needles.find(before + whole)) or _in_words(whole, needles):
            return True
        before = whole[-_OVERLAP:]
        parts = _ROW.split(whole)
        data = data[-_OVERLAP:] + bytes.fromhex(b"".join(parts[1::3]).decode())
        column = column[-_OVERLAP:] + b"".join(filter(None, parts[2::3]))
        between = between[-_OVERLAP:] + _LINE_OF_RECORD.sub(b"", b"".join(parts[::3]))
        spelled = spellings.find(between.strip(b"\n"))
        if needles.find(data) or needles.find(column) or any(not value.isdigit() for _, _, value in spelled):
            return True
    return False


def _in_words(text: bytes, needles: SecretSearcher) -> bool:
    """Whether a secret of digits is among words, not among the numbers of the trace itself."""
    if not any(value.isdigit() for value in needles.values) or not needles.find(text, numbers=False):
        return False
    for line in text.split(b"\n"):
        record = _RECORD.search(line)
        if record is not None:
            _, fields = events.parse(record[1].decode(), record[2].decode("utf-8", "replace"))
            if any(isinstance(v, str) and needles.find(v.encode(), numbers=False) for v in fields.values()):
                return True
        elif b"=> " not in line and needles.find(_ROW.sub(b"", line), numbers=False):
            return True
    return False
