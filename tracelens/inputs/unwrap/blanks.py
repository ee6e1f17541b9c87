"""Blanks that a program changed in records and dumps: tabs for blanks, several for one, one for several."""

import re
from collections.abc import Iterator

from tracelens.inputs.unwrap.trace_lines import Undo, by_lines

NAME = "changed blanks"
_HEAD = re.compile(rb"\[libssh2\][ \t]+(?:(\d{1,12}\.\d{1,6})[ \t]+)?([A-Z][A-Za-z]+(?:[ \t]+[A-Z][a-z]*)?):[ \t]*")
_ODD_HEAD = re.compile(rb"\[libssh2\](?:| \d+\.\d{1,6}| (?:\d+\.\d{1,6} )?(?:Key|Failure)|[^\n:]{0,40}:)(?:\t| [ \t])")
_TITLE = re.compile(
    rb"^(.{0,100}?)=>[ \t]*((?:lib)?ssh2_\w+(?:\(\))?)(?:[ \t]+([a-z]+2?(?:\(\))?))?[ \t]+\((\d+)[ \t]+bytes\)",
    re.MULTILINE,
)
_PAIRS = rb"(?:[0-9A-Fa-f]{2}[ \t]+){0,15}[0-9A-Fa-f]{2}(?=[ \t\r]|$)"
_ROW = re.compile(rb"^([^\n]{0,100}?)\b([0-9A-Fa-f]{4,8}):[ \t]*(%s)[ \t]*(?::[ \t]?([^\n]*))?$" % _PAIRS, re.MULTILINE)
_EXACT_ROW = re.compile(rb"[0-9a-f]{4,8}: (?:[0-9A-F]{2} ){1,8}(?: (?:[0-9A-F]{2} ){0,8}| {2,})[ ]*: ?")
_SHOWN = bytes(byte if 32 <= byte < 127 else ord(".") for byte in range(256))


def find(head: bytes) -> Undo | None:
    """The function that puts the blanks back if a trace's own lines have others."""
    if _ODD_HEAD.search(head) is None and not _has_odd_rows(head):
        return None
    return _undo


def _has_odd_rows(head: bytes) -> bool:
    if _TITLE.search(head) is None:
        return False
    return any(_EXACT_ROW.match(head, row.start(2)) is None for row in _ROW.finditer(head))


def _undo(blocks: Iterator[bytes]) -> Iterator[bytes]:
    for block in by_lines(blocks):
        block = _HEAD.sub(_head, block)
        block = _TITLE.sub(_title, block)
        yield _ROW.sub(_row, block)


def _head(found: re.Match[bytes]) -> bytes:
    clock = found[1] + b" " if found[1] else b""
    return b"[libssh2] %s%s: " % (clock, b" ".join(found[2].split()))


def _title(found: re.Match[bytes]) -> bytes:
    name = found[2] + (b" " + found[3] if found[3] else b"")
    return b"%s=> %s (%s bytes)" % (found[1], name, found[4])


def _row(found: re.Match[bytes]) -> bytes:
    """The row as libssh2 prints it (`debugdump`): pairs in two groups of eight, then the characters."""
    if _EXACT_ROW.match(found.string, found.start(2)) is not None:
        return found[0]
    octets = bytes.fromhex(found[3].decode("ascii"))
    if found[4] is not None and len(found[4].rstrip()) > len(octets):
        return found[0]  # it lacks pairs
    pairs = b"".join(b"%02X " % octet + (b" " if at == 7 else b"") for at, octet in enumerate(octets))
    row = b"%s%s: %s" % (found[1], found[2].lower(), pairs.ljust(49))
    if found[4] is None:
        return row  # Its characters may be on the next line, and only a row that lacks them takes those along.
    return b"%s: %s" % (row, octets.translate(_SHOWN))
