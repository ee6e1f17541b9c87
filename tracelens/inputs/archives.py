"""A file -> the streams packed in it: gzip, bzip2, xz, zstd, zip, 7z, tar and mails, in any nesting.

    unpack("a.tar.gz", file, Limits())  ->  Member("a.tar.gz!b.log", ("gzip", "tar"), stream), ...

Nothing is unpacked to a path: archives are read as streams. A nested zip or 7z is copied to an anonymous temporary
file, because its table of contents is at its end.
"""

import re
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from typing import IO, Any, NamedTuple, cast

from tracelens.errors import UnreadableInput
from tracelens.inputs.limits import Budget, LimitReached, Limits
from tracelens.inputs.streams import Stream, printable, reason

_BLOCK_BYTES = 1 << 20
_HEAD_BYTES = 512  # enough to recognize every format; a tar header is the longest
_MEMORY_BYTES = 64 << 20  # of a nested archive; a larger one is copied to disk
_MAILS = {"mail", "mbox"}
_NO_ZSTD = 'zstd needs the extra: pip install "libssh2-tracelens[zstd]"'


class Member(NamedTuple):
    """A file inside all layers, or a plain file; the stream is valid until the next member is requested."""

    name: str
    layers: tuple[str, ...]
    stream: Stream


_Members = Iterator[Member | UnreadableInput]


def unpack(name: str, file: IO[bytes], limits: Limits, modified: float | None = None) -> _Members:
    """Unpack an open file, whose time is `modified`; an unreadable member becomes an item too.

    Too many layers end that member; any other exceeded limit ends the whole input.
    """
    try:
        yield from _unpack(Member(name, (), Stream(file.read, "file", file, modified)), Budget(limits))
    except LimitReached as error:
        yield UnreadableInput(name, error.reason)


_MAGIC = re.compile(
    rb"(?s:(?P<gzip>\x1f\x8b\x08)|(?P<bzip2>BZh[1-9](?:1AY&SY|\x17rE8P\x90))|(?P<xz>\xfd7zXZ\x00)"
    rb"|(?P<zstd>\x28\xb5\x2f\xfd)|(?P<sevenzip>7z\xbc\xaf\x27\x1c)"
    rb"|(?P<zip>PK(?:\x03\x04|\x05\x06|\x07\x08PK))|(?P<tar>.{257}ustar))"
)


# The first line of a mail, of one without a header or of an mbox, or a line before it that is blank or has its size.
_MAYBE_MAIL = re.compile(
    rb"(?:\xef\xbb\xbf)?+\s*+(?:\d{1,9}[ \t]*+\r?\n)?+(?:[A-Za-z][A-Za-z0-9-]{1,60}:\s|From |--\S|This is a multi|\Z)"
)


def format_of(stream: Stream) -> str | None:
    """The format of an archive, a compressed file or a mail by its first bytes; None for other files."""
    head = stream.peek(_HEAD_BYTES)
    if match := _MAGIC.match(head):
        return "7z" if match.lastgroup == "sevenzip" else match.lastgroup
    if _MAYBE_MAIL.match(head):
        from tracelens.inputs import mail

        return mail.format_of(stream.peek(mail.HEAD_BYTES))
    # A tar older than POSIX has no magic, but its header has a checksum.
    field = re.fullmatch(rb" *([0-7]{1,6})[ \x00]+", head[148:156]) if len(head) == _HEAD_BYTES else None
    return "tar" if field and int(field[1], 8) == sum(head[:148] + b" " * 8 + head[156:]) else None


def _unpack(member: Member, budget: Budget) -> _Members:
    name, layers, stream = member
    try:
        format = format_of(stream)
        if format and len(layers) >= budget.limits.depth:
            raise UnreadableInput(name, f"unfolds beyond the limit: depth = {budget.limits.depth}")
        members = _members(name, format, stream, budget) if format else iter(())
    except UnreadableInput as error:
        yield UnreadableInput(name, error.reason)
        return
    if not format:
        yield member
        return
    found = _unpack_all(members, layers, format, stream.modified, budget)
    yield from _with_records(found, budget) if format in _MAILS and not _MAILS & set(layers) else found


def _unpack_all(
    members: "_MemberStreams", layers: tuple[str, ...], format: str, modified: float | None, budget: Budget
) -> _Members:
    for name, packed in members:
        if isinstance(packed, UnreadableInput):
            yield UnreadableInput(name, packed.reason)
        else:
            packed.modified = modified if packed.modified is None else packed.modified
            yield from _unpack(Member(name, (*layers, packed.layer or format), packed), budget)


def _with_records(members: _Members, budget: Budget) -> _Members:
    """The members of a mail that hold records of a trace; if none does, the one that says most: a text, the largest."""
    from tracelens.inputs.signs import search

    best: tuple[bool, int] | None = None
    found = False
    for member in members:
        if isinstance(member, UnreadableInput):
            found = True
            yield member
            continue
        searched = search(member.stream, budget.limits.silent_bytes)
        member = member._replace(stream=searched.stream)
        if searched.has_record or searched.damage:
            found = True
            yield member
        elif not found and (best is None or best < (searched.is_text, searched.size)):
            best, other = (searched.is_text, searched.size), member
    if best and not found:
        yield other


_MemberStreams = Iterator[tuple[str, Stream | UnreadableInput]]


def _members(name: str, format: str, stream: Stream, budget: Budget) -> _MemberStreams:
    if format in _MAILS:
        return _mail(name, format, stream, budget)
    if archive := {"zip": _zip, "tar": _tar, "7z": _7z}.get(format):
        return archive(name, stream, budget)
    read = budget.count_bytes(_decoder(format, stream), lambda: stream.position)
    return iter([(name, Stream(read, f"{format} data"))])


def _decoder(format: str, stream: Any) -> Callable[[int], bytes]:
    if format == "gzip":
        import gzip

        return gzip.GzipFile(fileobj=stream, mode="rb").read1
    if format == "bzip2":
        import bz2

        return bz2.BZ2File(stream).read1
    if format == "xz":
        import lzma

        return lzma.LZMAFile(stream).read1
    if sys.version_info >= (3, 14):
        from compression import zstd

        return zstd.ZstdFile(stream).read1
    try:
        import zstandard
    except ImportError:
        raise UnreadableInput("", _NO_ZSTD) from None

    def blocks() -> Iterator[bytes]:  # zstandard's own stream reader does not report a truncated file
        frame = None
        while data := stream.read(1024):  # small input, so that the output of a bomb is small
            while data:
                frame = frame or zstandard.ZstdDecompressor().decompressobj()
                yield frame.decompress(data)
                data = frame.unused_data
                frame = None if frame.eof else frame
        if frame:
            raise EOFError

    output = filter(None, blocks())
    return lambda _: next(output, b"")


def _zip(name: str, stream: Stream, budget: Budget) -> _MemberStreams:
    import zipfile

    with ExitStack() as stack:
        try:
            archive = stack.enter_context(zipfile.ZipFile(_seekable(stream, stack)))
            format = _office_format(archive)
        except Exception as error:
            yield name, UnreadableInput(name, reason(error, "zip archive"))
            return
        if format:
            yield f"{name}!text", _office_text(archive, format, budget)
            return
        for info in archive.infolist():
            budget.count_member()
            if info.filename.endswith("/") or stat.S_ISLNK(info.external_attr >> 16):
                continue
            member, packed = f"{name}!{printable(info.filename)}", partial(getattr, info, "compress_size")
            try:
                if info.flag_bits & 1:
                    raise UnreadableInput(member, "is encrypted; unpack it with its password, then give the file")
                opened: Any = archive.open(info)
            except Exception as error:
                yield member, UnreadableInput(member, reason(error, "zip member"))
                continue
            with opened:
                yield (
                    member,
                    Stream(budget.count_bytes(opened.read1, packed), "zip member", None, _zip_time(info.date_time)),
                )


def _office_format(archive: Any) -> str | None:
    if not {"[Content_Types].xml", "mimetype"} & archive.NameToInfo.keys():
        return None
    from tracelens.inputs import office

    return office.format_of(archive)


def _office_text(archive: Any, format: str, budget: Budget) -> Stream:
    from tracelens.inputs import office

    packed = sum(info.compress_size for info in archive.infolist())

    def open_part(name: str) -> Callable[[int], bytes]:
        return budget.count_bytes(archive.open(name).read1, lambda: packed)

    blocks = filter(None, office.text(format, archive, open_part, budget.limits.kept_bytes))
    read = budget.count_bytes(lambda _: next(blocks, b""), lambda: packed)
    return Stream(read, f"{format} file", layer=format)


def _zip_time(date: tuple[int, int, int, int, int, int]) -> float | None:
    """The time of a zip's member; it has no time zone and is read as UTC."""
    try:
        return datetime(*date, tzinfo=UTC).timestamp()
    except (ValueError, OverflowError):
        return None


def _seekable(stream: Stream, stack: ExitStack) -> IO[bytes]:
    """The stream's own file, or an anonymous copy that the stack closes."""
    if stream.file and stream.file.seekable():
        return stream.file
    import tempfile

    copy = stack.enter_context(tempfile.SpooledTemporaryFile(max_size=_MEMORY_BYTES))  # noqa: SIM115  the stack closes it
    while block := stream.read(_BLOCK_BYTES):
        copy.write(block)
    return cast(IO[bytes], copy)


def _7z(name: str, stream: Stream, budget: Budget) -> _MemberStreams:
    from tracelens.inputs import sevenzip

    with ExitStack() as stack:
        try:
            file = _seekable(stream, stack)
            for member in sevenzip.packed_files(file):
                budget.count_member()
                read = budget.count_bytes(member.read, file.tell)
                if not member.is_link:
                    yield f"{name}!{printable(member.name)}", Stream(read, "7z member", None, member.modified)
                while read(_BLOCK_BYTES):
                    pass  # unread bytes count too
        except LimitReached:
            raise
        except Exception as error:
            yield name, UnreadableInput(name, reason(error, "7z archive"))


def _tar(name: str, stream: Stream, budget: Budget) -> _MemberStreams:
    from tracelens.inputs import tar

    try:
        for member in tar.packed_files(stream):
            budget.count_member()
            read = member.read
            if member.is_sparse:  # it is larger than its data
                read = budget.count_bytes(read, lambda: stream.position)
            yield f"{name}!{printable(member.name)}", Stream(read, "tar member", None, member.modified)
        while stream.read(_BLOCK_BYTES):
            pass  # up to the end of the data, where a surrounding compression has its checksum
    except LimitReached:
        raise
    except Exception as error:
        yield name, UnreadableInput(name, reason(error, "tar archive"))


def _mail(name: str, format: str, stream: Stream, budget: Budget) -> _MemberStreams:
    from tracelens.inputs import mail

    try:
        for part, data in mail.parts(format, stream, budget.limits.silent_bytes):
            budget.count_member()
            yield f"{name}!{printable(part)}", data
    except LimitReached:
        raise
    except Exception as error:
        yield name, UnreadableInput(name, reason(error, format))
