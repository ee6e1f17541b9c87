"""Transfer encodings of mail (RFC 2045, 6) without the mail around them: quoted-printable and base64."""

import binascii
import re
from collections.abc import Iterator
from functools import partial

from tracelens.inputs import mail_text
from tracelens.inputs.unwrap.trace_lines import SIGN, Undo

QUOTED_PRINTABLE, BASE64 = "quoted-printable", "base64"
# A line is broken where it would be longer than 76 characters; a shorter one that ends like this is none.
_SOFT_BREAK = re.compile(rb"^[^\n]{60,76}=[ \t]*\r?$", re.MULTILINE)
_PLAIN = re.compile(rb"^=> (?:lib)?ssh2_|^[^\n]{0,59}=[ \t]*\r?$", re.MULTILINE)
_BASE64_LINES = re.compile(rb"\s*(?:[A-Za-z0-9+/]{40,}={0,2}\s+)*[A-Za-z0-9+/]*={0,2}\s*\Z")


def find_quoted_printable(head: bytes) -> Undo | None:
    """The function that undoes quoted-printable if arrows or long lines of a trace are written in it."""
    if SIGN.search(head) is None or _PLAIN.search(head) is not None:
        return None
    if re.search(rb"=3D> ?(?:=\r?\n)?(?:lib)?ssh2_", head) is None:
        soft = len(_SOFT_BREAK.findall(head))
        long = max((len(line) for line in head.splitlines()[:-1]), default=0)
        if not soft or long > 78 or re.search(rb"=(?![0-9A-F]{2}|[ \t]*\r?\n|\Z)", head):
            return None
    return partial(_undo, encoding=QUOTED_PRINTABLE)


def find_base64(head: bytes) -> Undo | None:
    """The function that undoes base64 if the text is nothing else, and a trace is in it."""
    if len(head) < 80 or _BASE64_LINES.match(head) is None:
        return None
    letters = re.sub(rb"\s+", b"", head)
    try:
        text = binascii.a2b_base64(letters[: len(letters) // 4 * 4])
    except binascii.Error:
        return None
    return partial(_undo, encoding=BASE64) if SIGN.search(text) else None


def _undo(blocks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    read = mail_text.decoded(lambda _: next(blocks, b""), encoding)
    while block := read(0):
        yield block
