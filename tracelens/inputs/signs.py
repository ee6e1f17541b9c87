"""Whether a stream holds records of a trace: what tells the parts of a mail apart."""

import re
from typing import NamedTuple

from tracelens.errors import UnreadableInput
from tracelens.inputs.streams import Stream

_STEP = 1 << 16
_OVERLAP = 256
# The tag, a title of a dump, or the beginning of a record that lost its tag; also as a web page has them.
_RECORD = re.compile(
    rb"(?i:(?:\[|%5b|[\\&][#xu0]{0,3}(?:91;|5b;?))libssh2(?:\]|%5d|[\\&][#xu0]{0,3}(?:93;|5d;?)))|=(?:>|&gt;)(?:[\s\xc2\xa0]|&nbsp;){1,3}(?:lib)?ssh2_|\d\.\d{6}(?:[\s\xc2\xa0]|&nbsp;){1,3}"
    rb"(?:Transport|Key Ex|Userauth|Conn|SCP|SFTP|Failure Event|Publickey|Socket):"
)
_TAG = re.compile(rb"<[^<>]{1,400}>")


class Searched(NamedTuple):
    """A stream that was searched.

    Attributes:
        has_record: whether a record, or its beginning, was found.
        stream: the same bytes from the beginning.
        size: how many bytes were searched.
        is_text: whether there is no NUL byte at its beginning.
        damage: what ended the search, if not the end.
    """

    has_record: bool
    stream: Stream
    size: int
    is_text: bool
    damage: UnreadableInput | None


def search(stream: Stream, limit: int) -> Searched:
    """Search the first bytes of a stream, up to a limit, for a record."""
    blocks: list[bytes] = []
    size, found, damage = 0, False, None
    try:
        while size < limit and not found and (block := stream.read(_STEP)):
            found = has_record((blocks[-1][-_OVERLAP:] if blocks else b"") + block)
            blocks.append(block)
            size += len(block)
    except UnreadableInput as error:
        damage = error
    head = iter(blocks)
    is_text = not blocks or b"\0" not in blocks[0][:1024]
    again = Stream(lambda wanted: next(head, None) or stream.read(wanted), "data", modified=stream.modified)
    return Searched(found, again, size, is_text, damage)


def has_record(data: bytes) -> bool:
    """Whether a record of a trace, or its beginning, is in these bytes."""
    if _RECORD.search(data):
        return True
    if b"\0" in data:  # UTF-16
        data = data.replace(b"\0", b"")
    elif b"<" in data and b"ssh2" in data.lower():  # Word marks a part of a word as misspelt
        data = _TAG.sub(b"", data)
    else:
        return False
    return _RECORD.search(data) is not None
