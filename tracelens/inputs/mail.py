"""A mail, or several in an mbox -> their parts, as streams.

    parts("mail", stream)  ->  ("body", stream), ("trace.log", stream), ("message", stream), ...

A web page saved as MHTML is a mail too. Parts are read as they come; none is kept. Other than Python's email package,
which keeps a whole mail in memory several times over.
"""

import re
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

from tracelens.inputs import mail_text
from tracelens.inputs.signs import search
from tracelens.inputs.streams import Read, Stream

_Parts = Iterator[tuple[str, Stream]]

HEAD_BYTES = 1 << 16  # at most, of a header; enough to recognize a mail
_STEP = 1 << 16
_MAX_FIELD = 4096  # characters of a field's value; the rest is not read
_MAX_BOUNDARY, _LONGEST_DELIMITER = 400, 1200  # RFC 2046 allows 70
_MAX_NAME = 200
_MAX_NESTED = 32  # multiparts in one another; what is deeper is not taken apart

_FIELD = rb"[!-9;-~]{1,80}:[^\n]*+(?:\n|\Z)"
_HEADER = re.compile(rb"(?:\xef\xbb\xbf)?((?:" + _FIELD + rb"(?:[ \t][^\n]*+(?:\n|\Z))*+)*+)(\r?\n)?")
_SEPARATOR = rb"From [^\s\x00]{1,300} [^\r\n]{0,100}\d\d:\d\d[^\r\n]{0,100}"
_MBOX = re.compile(_SEPARATOR + rb"\r?\n>?" + _FIELD)
# What may precede a header: a byte order mark, blank lines, the size of the mail (Apple Mail).
_BEFORE = re.compile(rb"(?:\xef\xbb\xbf)?+\s*+(?:\d{1,9}[ \t]*+\r?\n)?+")
_OPENING = rb"--([^\r\n]{1,400}?)[ \t]*\r?\nContent-[A-Za-z-]{1,40}:"
_FIRST_PART = re.compile(rb"(?:\A|\n)" + _OPENING)
# A mail whose header was not copied.
_HEADLESS = re.compile(rb"(?:This is a multi-?part message[^\n]{0,200}\n\s*+)?" + _OPENING)
# Fields of a mail that say how its body is encoded, and others that most mails have.
_ENCODING_FIELDS = {b"mime-version", b"content-type", b"content-transfer-encoding"}
_USUAL_FIELDS = _ENCODING_FIELDS | {
    b"from", b"to", b"cc", b"subject", b"date", b"received", b"message-id", b"return-path", b"delivered-to",
    b"reply-to", b"sender", b"x-mailer", b"content-disposition",
}  # fmt: skip


def format_of(head: bytes) -> str | None:
    """`mail` or `mbox` by the first 64 KiB.

    Header lines without one that says how the body is encoded are no mail: nothing is encoded, and whoever pasted them
    above a trace counts lines from there.
    """
    head = _BEFORE.sub(b"", head, 1)
    if _MBOX.match(head):
        return "mbox"
    header = _HEADER.match(head)
    fields = re.findall(rb"(?m)^([!-9;-~]{1,80}):", header[1]) if header else []
    names = {name.lower() for name in fields}
    is_mail = (names & _ENCODING_FIELDS and len(names & _USUAL_FIELDS) > 1) or _HEADLESS.match(head)
    return "mail" if is_mail else None


def parts(format: str, stream: Stream, search_limit: int) -> _Parts:
    """The parts of a mail with a file name or a name by their kind, or the mails of an mbox.

    Each stream is valid until the next part is requested. A text that another one repeats in another form is left out:
    of alternatives, HTML comes only where no plain text before it holds a record in its first `search_limit` bytes.
    """
    before = _BEFORE.match(stream.peek(HEAD_BYTES))
    stream.read(before.end() if before else 0)
    if format == "mbox":
        return _mails(stream)
    mail = _Mail(search_limit)
    return mail.multipart("", stream) if _HEADLESS.match(stream.peek(HEAD_BYTES)) else mail.parts(stream)


def _mails(stream: Stream) -> _Parts:
    sections = _Sections(stream.read, rb"\n\r?\n" + _SEPARATOR + rb"(?=\r?\n|\Z)", b"\n\n")
    number = 0
    while sections.next():
        number += 1
        yield f"message {number}", Stream(sections.read, "mail")


class _Sections:
    """Cuts a stream at its delimiters.

    Args:
        read: reads the stream.
        delimiter: the pattern of a delimiter, from the newline before it (a CR is not in it) to the end of its line.
        before: the newlines that a delimiter at the beginning of the stream lacks.
        must_close: whether the stream is cut off where no delimiter that closes (group 1) follows one that opens.

    Attributes:
        found: the delimiter before the section; None before the first one and at the end.
    """

    def __init__(self, read: Read, delimiter: bytes, before: bytes, *, must_close: bool = False) -> None:
        self.found: re.Match[bytes] | None = None
        self._pieces = self._cut(read, re.compile(delimiter), before, must_close)
        self._next: re.Match[bytes] | None = None

    def read(self, size: int) -> bytes:
        """Bytes of the section; none at its end."""
        if self._next is None:
            piece = next(self._pieces, b"")
            if isinstance(piece, bytes):
                return piece
            self._next = piece
        return b""

    def next(self) -> bool:
        """Skip to the section behind the next delimiter; False at the end of the stream."""
        while self.read(_STEP):
            pass
        self.found, self._next = self._next, None
        return self.found is not None

    def _cut(
        self, read: Read, delimiter: re.Pattern[bytes], buffer: bytes, must_close: bool
    ) -> Iterator[bytes | re.Match[bytes]]:
        """Bytes, none of them empty, and delimiters."""
        lead = len(buffer)  # newlines at the beginning of the buffer that are no part of a section
        last: re.Match[bytes] | None = None
        failure: Exception | None = None
        ended = False
        while not ended:
            try:
                block = read(_STEP)
            except Exception as error:  # what is in the buffer comes first
                block, failure = b"", error
            ended = not block
            buffer += block
            while (match := delimiter.search(buffer)) and (ended or match.end() < len(buffer)):
                end = match.start() - buffer.endswith(b"\r", 0, match.start())
                if end > lead:
                    yield buffer[lead:end]
                yield match
                last, buffer = match, buffer[match.end() :]
                lead = len(buffer) - len(buffer.removeprefix(b"\r").removeprefix(b"\n"))
            end = match.start() - 1 if match else len(buffer) if ended else len(buffer) - _LONGEST_DELIMITER
            if end > lead:
                yield buffer[lead:end]
                buffer, lead = buffer[end:], 0
        if failure:
            raise failure
        if must_close and last and not last[1]:
            raise EOFError


class _Header(NamedTuple):
    """What the header of a mail or a part says of its body."""

    kind: str
    encoding: str
    charset: str
    boundary: str
    file_name: str
    is_attached: bool
    is_flowed: bool
    delete_blank: bool

    @property
    def is_shown(self) -> bool:
        """Whether it is a text of the mail itself, and no attached file."""
        return self.kind.startswith("text/") and not self.is_attached and not self.file_name

    @property
    def name(self) -> str:
        """The part's file name, or what it is."""
        if self.file_name:
            return self.file_name
        return "message" if self.kind == "message/rfc822" else "body" if self.is_shown else "attachment"

    @classmethod
    def take(cls, stream: Stream) -> "_Header":
        """Read the header at the beginning of a stream, with the blank line behind it.

        Raises:
            ValueError: it is too large.
        """
        size = 1 << 12
        match = _HEADER.match(stream.peek(size))
        while match and match[2] is None and size < 2 * HEAD_BYTES and match.end() == len(stream.peek(size)) == size:
            size *= 2
            match = _HEADER.match(stream.peek(size))
        assert match
        if match.end() > HEAD_BYTES:
            raise ValueError("too large a header")
        stream.read(match.end())
        return cls._parsed(match[1])

    @classmethod
    def _parsed(cls, lines: bytes) -> "_Header":
        from email.message import Message

        message: Message[str, str] = Message()
        text = _text(lines)
        for field in re.split(r"\r?\n(?![ \t])", text):
            name, _, value = field.partition(":")
            if name.lower().startswith("content-") and name not in message:
                message[name] = " ".join(value[:_MAX_FIELD].split())
        get = partial(_parameter, message)
        return cls(
            kind=message.get_content_type(),
            encoding=str(message.get("Content-Transfer-Encoding", "")).partition(";")[0].strip().lower(),
            charset=get("charset"),
            boundary=get("boundary").rstrip()[:_MAX_BOUNDARY],
            file_name=_file_name(message),
            is_attached=message.get_content_disposition() == "attachment",
            is_flowed=get("format").lower() == "flowed",
            delete_blank=get("delsp").lower() == "yes",
        )


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _parameter(message: Any, name: str) -> str:
    from email.utils import collapse_rfc2231_value

    try:
        return collapse_rfc2231_value(message.get_param(name, ""))
    except (ValueError, LookupError, TypeError):
        return ""


def _file_name(message: Any) -> str:
    """The name of an attached file, also an encoded one."""
    from email.errors import HeaderParseError
    from email.header import decode_header, make_header

    try:
        name = str(message.get_filename("") or "")
        name = str(make_header(decode_header(name))) if "=?" in name else name
    except (ValueError, LookupError, TypeError, HeaderParseError):
        return "attachment"
    return name.strip()[-_MAX_NAME:]


def _decoded(header: _Header, read: Read) -> Read:
    """The data of a part; a text that the mail shows in UTF-8, an attached one as it is."""
    read = mail_text.decoded(read, header.encoding)
    if header.is_shown:
        read = mail_text.in_utf8(read, header.charset)
        if header.kind == "text/plain" and header.is_flowed:
            read = mail_text.unflowed(read, delete_blank=header.delete_blank)
    return read


class _Mail:
    """Takes one mail apart."""

    def __init__(self, search_limit: int) -> None:
        self._search_limit = search_limit
        self._names: Counter[str] = Counter()

    def parts(self, stream: Stream, depth: int = 0, plain: "_PlainText | None" = None) -> _Parts:
        """The parts behind the header at the beginning of a stream.

        Args:
            stream: a mail, or a part of it.
            depth: the number of multiparts around it.
            plain: what the alternatives that it belongs to hold as plain text.
        """
        header = _Header.take(stream)
        if header.kind.startswith("multipart/") and header.boundary and depth < _MAX_NESTED:
            if header.kind == "multipart/alternative":
                plain = plain or _PlainText()
            yield from self.multipart(header.boundary, stream, depth, plain)
            return
        if header.is_shown and header.kind == "text/html" and plain and plain.has_record:
            return
        part = Stream(_decoded(header, stream.read), "mail")
        if header.is_shown and header.kind == "text/plain" and plain:
            searched = search(part, self._search_limit)
            plain.has_record |= searched.has_record
            part = searched.stream
        yield self._named(header.name), part

    def multipart(self, boundary: str, stream: Stream, depth: int = 0, plain: "_PlainText | None" = None) -> _Parts:
        """The parts between lines with this boundary, or the one that the first part has if the header is wrong."""
        line = re.escape(boundary.encode("utf-8", "replace"))
        head = stream.peek(HEAD_BYTES)
        if not (line and re.search(rb"(?:\A|\n)--" + line, head)) and (first := _FIRST_PART.search(head)):
            line = re.escape(first[1])
        line = rb"\n--" + line + rb"(--)?[ \t]{0,99}(?=\r?\n|\Z)"
        sections = _Sections(stream.read, line, b"\n", must_close=not depth)
        yield from self._between(sections, "preamble")
        while sections.next():
            if sections.found and sections.found[1]:
                yield from self._between(sections, "epilogue")
            else:
                yield from self.parts(Stream(sections.read, "mail"), depth + 1, plain)

    def _between(self, sections: _Sections, name: str) -> _Parts:
        """Text before the first part or after the last one, where no mail program puts what its user wrote."""
        stream = Stream(sections.read, "mail")
        if stream.peek(_STEP).strip():
            yield self._named(name), stream

    def _named(self, name: str) -> str:
        """The name, with a number where it is not the first one."""
        self._names[name] += 1
        stem, dot, suffix = name.rpartition(".")
        number = f" {self._names[name]}" if self._names[name] > 1 else ""
        return f"{stem}{number}{dot}{suffix}" if stem else f"{name}{number}"


class _PlainText:
    """Whether the plain text among alternatives holds a record."""

    has_record = False
