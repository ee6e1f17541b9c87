"""A file -> the streams packed in it: gzip, bzip2, xz, zstd, zip, 7z and tar, in any nesting.

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
from typing import IO, Any, NamedTuple, Self, cast

from tracelens.errors import UnreadableInput
from tracelens.inputs.limits import Budget, LimitReached, Limits
from tracelens.inputs.streams import Stream, printable, reason

_BLOCK_BYTES = 1 << 20
_HEAD_BYTES = 512  # enough to recognize every format; a tar header is the longest
_MEMORY_BYTES = 64 << 20  # of a nested archive; a larger one is copied to disk
_MAX_TAR_METADATA_BYTES = 1 << 20  # long name and attributes of a member, which tarfile keeps in memory
_NO_ZSTD = 'zstd needs the extra: pip install "libssh2-tracelens[zstd]"'


class Member(NamedTuple):
    """A file inside all layers, or a plain file; the stream is valid until the next member is requested."""

    name: str
    layers: tuple[str, ...]
    stream: Stream


def unpack(
    name: str, file: IO[bytes], limits: Limits, modified: float | None = None
) -> Iterator[Member | UnreadableInput]:
    """Unpack an open file, whose time is `modified`; an unreadable member becomes an item too.

    Too many layers end that member; any other exceeded limit ends the whole input.
    """
    try:
        yield from _unpack(Member(name, (), Stream(file.read, "file", file, modified)), Budget(limits))
    except LimitReached as error:
        yield UnreadableInput(name, error.reason)


def _read_at_most(read: Callable[[int], bytes], limit: int, size: int) -> bytes:
    return read(min(size, limit))


_MAGIC = re.compile(
    rb"(?s:(?P<gzip>\x1f\x8b\x08)|(?P<bzip2>BZh[1-9](?:1AY&SY|\x17rE8P\x90))|(?P<xz>\xfd7zXZ\x00)"
    rb"|(?P<zstd>\x28\xb5\x2f\xfd)|(?P<sevenzip>7z\xbc\xaf\x27\x1c)"
    rb"|(?P<zip>PK(?:\x03\x04|\x05\x06|\x07\x08PK))|(?P<tar>.{257}ustar))"
)


def format_of(head: bytes) -> str | None:
    """The format of an archive or compressed file by its first 512 bytes; None for other files."""
    if match := _MAGIC.match(head):
        return "7z" if match.lastgroup == "sevenzip" else match.lastgroup
    # A tar older than POSIX has no magic, but its header has a checksum.
    field = re.fullmatch(rb" *([0-7]{1,6})[ \x00]+", head[148:156]) if len(head) == _HEAD_BYTES else None
    return "tar" if field and int(field[1], 8) == sum(head[:148] + b" " * 8 + head[156:]) else None


def _unpack(member: Member, budget: Budget) -> Iterator[Member | UnreadableInput]:
    name, layers, stream = member
    try:
        format = format_of(stream.peek(_HEAD_BYTES))
        if format and len(layers) >= budget.limits.depth:
            raise UnreadableInput(name, f"unfolds beyond the limit: depth = {budget.limits.depth}")
        members = _members(name, format, stream, budget) if format else iter(())
    except UnreadableInput as error:
        yield UnreadableInput(name, error.reason)
        return
    if not format:
        yield member
    for member_name, packed in members:
        if isinstance(packed, UnreadableInput):
            yield UnreadableInput(member_name, packed.reason)
        else:
            packed.modified = stream.modified if packed.modified is None else packed.modified
            yield from _unpack(Member(member_name, (*layers, format or ""), packed), budget)


_MemberStreams = Iterator[tuple[str, Stream | UnreadableInput]]


def _members(name: str, format: str, stream: Stream, budget: Budget) -> _MemberStreams:
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
        except Exception as error:
            yield name, UnreadableInput(name, reason(error, "zip archive"))
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
    import tarfile

    class Header(tarfile.TarInfo):
        """Raises an error for a damaged header, which tarfile would take for the end of the archive."""

        @classmethod
        def frombuf(cls, buf: Any, encoding: str, errors: str) -> Self:
            try:
                header = super().frombuf(buf, encoding, errors)
            except tarfile.HeaderError as error:
                if any(buf):
                    raise UnreadableInput(name, reason(error, "tar archive")) from error
                raise
            if header.type in (b"L", b"K", b"x", b"g", b"X") and header.size > _MAX_TAR_METADATA_BYTES:
                raise UnreadableInput(name, "damaged tar archive: too large a header")
            return header

    archive: Any = None
    read: Callable[[int], bytes]
    while True:
        try:
            # Nothing needs closing. The stubs want a file that can seek, which the mode `r|` never does.
            archive = archive or tarfile.open(fileobj=stream, mode="r|", tarinfo=Header)  # type: ignore[call-overload]  # noqa: SIM115
            info = archive.next()
            packed = archive.extractfile(info) if info and info.isreg() else None
            while not info and stream.read(_BLOCK_BYTES):
                pass  # up to the end of the data, where a surrounding compression has its checksum
        except Exception as error:
            yield name, UnreadableInput(name, reason(error, "tar archive"))
            return
        if not info:
            return
        archive.members.clear()  # otherwise tarfile keeps all of them
        budget.count_member()
        if packed:
            # tarfile drops the block in which it finds damage, so blocks are small.
            read = partial(_read_at_most, packed.read1, tarfile.RECORDSIZE)
            if info.issparse():  # a sparse member is larger than its data
                read = budget.count_bytes(read, lambda: stream.position)
            yield f"{name}!{printable(info.name)}", Stream(read, "tar member", None, float(info.mtime))
