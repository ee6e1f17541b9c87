"""Pieces of dumps that are not written as libssh2 writes them, which a copy leaves out.

A program, a mailer or an editor may change blanks, wrap lines, add markup, or lose a title. What such a line shows is
not known, so nothing of it is kept.
"""

import re

LEFT_OUT = b"(left out)"
_BLANK = rb"(?:[ \t\xa0]|\xc2\xa0|\xe2\x80[\x80-\xaf]|\xe3\x80\x80|&nbsp;|&#(?:160|xa0);|<[^<>\n]{0,60}>)"
_OFFSET = rb"(?<![0-9a-z])[0-9a-f]{4,8}" + _BLANK + rb"{0,4}:"
_PAIR = rb"[0-9a-f]{2}"
_PAIRS = rb"(?:" + _PAIR + _BLANK + rb"{1,4})"
_ROW_LIKE = re.compile(
    b"(?i)" + b"|".join((
        # An offset and two pairs or more.
        _OFFSET + rb"(?:(?:" + _BLANK + rb"|[-,;|_]){0,4}" + _PAIR + rb"(?![0-9a-z:.])){2}",
        # An offset that begins its line, and one pair.
        rb"(?m:^[ \t]{0,16}[0-9a-f]{3}0:[ \t]+" + _PAIR + rb"[ \t])",
        # An offset that lost digits and begins its line, and two pairs.
        rb"(?m:^[ \t]{0,16}[0-9a-f]{0,2}0:[ \t]+" + _PAIR + rb"[ \t]+" + _PAIR + rb"(?![0-9a-z:.]))",
        # An offset, and pairs with anything between them, or nothing.
        _OFFSET + _BLANK + rb"{1,4}(?:(?:0x|\\{1,2}x)?" + _PAIR + rb"(?:[-:,;.|_ ]{1,2}|(?=\\))){4}",
        _OFFSET + _BLANK + rb"{0,4}(?:" + _PAIR + rb"){6,16}(?![0-9a-z])",
        # Pairs without an offset: four in a row, of which the first may have more digits, or six with a gap.
        rb"(?<![0-9a-z])[0-9a-f]{2,6}" + _BLANK + rb"{1,4}" + _PAIRS + rb"{2}" + _PAIR + rb"(?![0-9a-z])",
        rb"(?<![0-9a-z])" + _PAIRS + rb"{3}(?:[^\n]{0,24}[^\n0-9a-z])??" + _PAIRS + rb"{2}" + _PAIR + rb"(?![0-9a-z])",
    ))
)  # fmt: skip
_ARROW = rb"=" + _BLANK + rb"?(?:>|&gt;|&#62;|&#x3e;)"
_FUNCTION = rb"(?:ssh2_(?:transport|packet)|(?:transport|packet)_(?:read|write))"
_BUFFER = rb"\b(?:plain2?|raw|send\(\))"
_SIZE = rb"[^\w\n]{0,12}\(" + _BLANK + rb"{0,3}[0-9]{1,20}"
_TITLE_LIKE = re.compile(
    rb"(?i)" + _ARROW + rb"(?:" + _BLANK + rb"{0,4}(?:lib)?ssh2_|[^\n]{0,60}(?:" + _BUFFER + rb"|bytes\)))"
    rb"|" + _FUNCTION + rb"[^\n]{0,20}(?:" + _BUFFER + rb"|" + _SIZE + rb")"
    rb"|" + _BUFFER + _SIZE
)  # fmt: skip
# A row as libssh2 writes it, alone on its line.
_ROW = re.compile(rb"([ \t]{0,16}[0-9a-f]{4,8}: ?)((?:[0-9A-Fa-f]{2} {1,2}){1,16})( *: ?)([ -~]{1,16})(\r*\n?)")
_LINE = re.compile(rb"[^\n]*\n|[^\n]+")
_DIGITS = bytes.maketrans(b"123456789abcdefABCDEF", b"0" * 21)
# Hex digits become 0, blanks a blank: three pairs in a row are then found fast.
_THREE_PAIRS = b"00 00 00"
_CLASSES = bytes(
    0x30 if chr(byte) in "0123456789abcdefABCDEF" else 0x20 if chr(byte) in " \t\xa0\xc2" else byte
    for byte in range(256)
)


def find(text: bytes) -> int:
    """The place of the first remnant of a dump in the text, -1 if there is none."""
    places = [found.start() for found in (_ROW_LIKE.search(text), _TITLE_LIKE.search(text)) if found is not None]
    return min(places, default=-1)


def may_have_row(text: bytes) -> bool:
    """Whether pairs of hex digits follow each other in the text: only then may a row be in it."""
    return _THREE_PAIRS in text.translate(_CLASSES)


def find_row(text: bytes) -> int:
    """The place of a row, or of a part of one, behind the text of a record; -1 if there is none."""
    found = _ROW_LIKE.search(text)
    return -1 if found is None else found.start()


def _is_row(line: bytes) -> "re.Match[bytes] | None":
    """A row that is whole: it shows as many characters as pairs."""
    row = _ROW.fullmatch(line)
    return row if row is not None and len(row[2].split()) == len(row[4]) else None


def without(text: bytes) -> tuple[bytes, int]:
    """The text without its lines, and how many of them are left out; whole rows only become zeros."""
    out, count = [], 0
    for line in _LINE.findall(text):
        bare = line.rstrip(b"\r\n")
        row = _is_row(line)
        if row is not None:
            out.append(row[1] + row[2].translate(_DIGITS) + row[3] + b"." * len(row[4]) + row[5])
        elif bare.strip() and bare.strip() != LEFT_OUT:
            out.append(LEFT_OUT + line[len(bare) :])
            count += 1
        else:
            out.append(line)
    return b"".join(out), count
