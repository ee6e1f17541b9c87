"""Encodings of a mail's parts: the encoded bytes of a part -> its data, or its text as UTF-8, block by block.

Each function takes a function that reads, and returns one.
"""

import binascii
import codecs
import re
from collections.abc import Iterator

from tracelens.inputs.streams import Read

_STEP = 1 << 16
_MAX_LINE = 1 << 16  # a longer line is decoded in pieces
_BLANKS = b" \t\r\n\v\f"
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=" + _BLANKS
_BASE64_LINE = re.compile(rb"\s*+(?:[A-Za-z0-9+/=]{40,}+|(?:[A-Za-z0-9+/=]{4})++)[ \t]*+(?:\r?\n|\Z)")
_NO_BASE64_LINE = re.compile(rb"(?m)^[A-Za-z0-9+/= \t\r\v\f]*+[^A-Za-z0-9+/= \t\r\v\f\n]")
_ESCAPE = re.compile(rb"=(?:[0-9A-Fa-f]{2}|[ \t]*+\r?\n)")
_NO_ESCAPE = re.compile(rb"=(?![0-9A-Fa-f]{2}|[ \t]*+\r?\n|=)")
_BLANKS_AFTER_ESCAPE = re.compile(rb"=[ \t]++(?=\r?\n)")
# Encodings that a mail may name and that need decoding; others contain ASCII, or are none of text.
_CHARSETS = re.compile(r"(?:iso|cp|koi|gb|big5|euc|shift|utf-(?:7|16|32)|mac|hz|johab|kz|tis|ptcp)")
_BEGINS_ROW = re.compile(rb"(?i:\[libssh2\])|=> (?:lib)?ssh2_|[0-9a-f]{4,8}: ")


def decoded(read: Read, transfer_encoding: str) -> Read:
    """The bytes of a part, whose header names this Content-Transfer-Encoding."""
    decode = {"base64": _base64, "quoted-printable": _quoted_printable}.get(transfer_encoding)
    return _reader(decode(read)) if decode else read


def in_utf8(read: Read, charset: str) -> Read:
    """A text in UTF-8; in an unknown encoding, or one that contains ASCII and is common, it stays as it is."""
    try:
        name = codecs.lookup(charset).name
    except (LookupError, ValueError):
        return read
    return _reader(_transcoded(read, name)) if _CHARSETS.match(name) else read


def unflowed(read: Read, *, delete_blank: bool) -> Read:
    """A text of format=flowed (RFC 3676), with its paragraphs on one line again.

    Args:
        read: reads the text in an encoding that contains ASCII.
        delete_blank: whether the blank before a soft line end was added by the mail program (DelSp).
    """
    return _reader(_unflowed(read, delete_blank))


def _reader(blocks: Iterator[bytes]) -> Read:
    output = filter(None, blocks)
    return lambda _: next(output, b"")


def _base64(read: Read) -> Iterator[bytes]:
    """After the padding, or a line that is no base64, comes nothing but the notice of a mailing list or a provider."""
    left, block = b"", read(_STEP)
    if not _BASE64_LINE.match(block):  # whoever kept the header saved the decoded text
        yield from _rest(block, read)
        return
    while block:
        other = _NO_BASE64_LINE.search(block) if block.translate(None, _BASE64) else None
        data, padding, _ = (left + block[: other and other.start()].translate(None, _BLANKS)).partition(b"=")
        whole = len(data) & ~3
        yield binascii.a2b_base64(data[:whole])
        left = data[whole:]
        block = b"" if padding or other else read(_STEP)
    yield binascii.a2b_base64(left.ljust(4, b"=")) if len(left) > 1 else b""


def _rest(block: bytes, read: Read) -> Iterator[bytes]:
    while block:
        yield block
        block = read(_STEP)


def _quoted_printable(read: Read) -> Iterator[bytes]:
    is_encoded = None
    for lines in _lines(read):
        if is_encoded is None:  # else the header was kept, and the decoded text saved
            is_encoded = len(_ESCAPE.findall(lines)) >= len(_NO_ESCAPE.findall(lines))
        yield binascii.a2b_qp(_BLANKS_AFTER_ESCAPE.sub(b"=", lines)) if is_encoded else lines


def _lines(read: Read) -> Iterator[bytes]:
    """Blocks that end at the end of a line, unless it is a very long one."""
    left = b""
    while block := read(_STEP):
        data = left + block
        end = data.rfind(b"\n") + 1
        if not end and len(data) > _MAX_LINE:
            end = len(data) - 3 + data[-3:].find(b"=") if b"=" in data[-3:] else len(data)  # not within an escape
        left = data[end:]
        if end:
            yield data[:end]
    yield left


def _transcoded(read: Read, charset: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(charset)(errors="replace")
    while block := read(_STEP):
        yield decoder.decode(block).encode("utf-8", "replace")
    yield decoder.decode(b"", final=True).encode("utf-8", "replace")


def _unflowed(read: Read, delete_blank: bool) -> Iterator[bytes]:
    paragraph, depth = b"", -1  # the lines so far, if they go on; the number of marks of a quotation before them
    for block in _lines(read):
        out = []
        for line in block.splitlines():
            text = line.lstrip(b">")
            quoted = len(line) - len(text)
            text = text.removeprefix(b" ")
            if paragraph and (quoted != depth or _BEGINS_ROW.match(text) or len(paragraph) > _MAX_LINE):
                out.append(paragraph)
                paragraph = b""
            if quoted and not paragraph:
                text = b">" * quoted + b" " + text
            if text.endswith(b" ") and text != b"-- ":
                paragraph, depth = paragraph + (text[:-1] if delete_blank else text), quoted
            else:
                out.append(paragraph + text)
                paragraph = b""
        yield b"".join(line + b"\n" for line in out)
    if paragraph:
        yield paragraph + b"\n"
