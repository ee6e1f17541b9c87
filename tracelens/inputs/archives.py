"""A file -> the streams that are packed in it: gzip, bzip2, xz, zstd, zip, 7z and tar, in any nesting.

    unfold("a.tar.gz", file, Limits())  ->  Content("a.tar.gz!b.log", ("gzip", "tar"), stream), ...

Nothing is unpacked to a path: archives are read as streams, and a zip or 7z inside of something else goes through
an anonymous temporary file, because its table of contents stands at its end.
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
from tracelens.inputs.streams import Stream, reason, shown

_BLOCK = 1 << 20
_HEAD = 512  # enough for every magic number; a tar header is the longest
_IN_MEMORY = 64 << 20  # of an archive whose table of contents stands at its end
_TAR_METADATA = 1 << 20  # of a member's long name and attributes, which tarfile holds in memory
_NO_ZSTD = 'zstd needs the extra: pip install "libssh2-tracelens[zstd]"'


class Content(NamedTuple):
    """What is left when every layer is off; the stream is good until the next content is asked for."""

    name: str
    layers: tuple[str, ...]
    stream: Stream


def unfold(
    name: str, file: IO[bytes], limits: Limits, modified: float | None = None
) -> Iterator[Content | UnreadableInput]:
    """Take the layers off an open file, whose time is `modified`; what can't be read is an item too.

    Too many layers end that member, any other exceeded limit the whole input.
    """
    try:
        yield from _unfold(Content(name, (), Stream(file.read, "file", file, modified)), Budget(limits))
    except LimitReached as error:
        yield UnreadableInput(name, error.reason)


def _capped(read: Callable[[int], bytes], most: int, size: int) -> bytes:
    return read(min(size, most))


_MAGIC = re.compile(
    rb"(?s:(?P<gzip>\x1f\x8b\x08)|(?P<bzip2>BZh[1-9](?:1AY&SY|\x17rE8P\x90))|(?P<xz>\xfd7zXZ\x00)"
    rb"|(?P<zstd>\x28\xb5\x2f\xfd)|(?P<sevenzip>7z\xbc\xaf\x27\x1c)"
    rb"|(?P<zip>PK(?:\x03\x04|\x05\x06|\x07\x08PK))|(?P<tar>.{257}ustar))"
)


def layer(head: bytes) -> str | None:
    """What a file that begins like this is packed with; None where it is not. 512 bytes tell."""
    if match := _MAGIC.match(head):
        return "7z" if match.lastgroup == "sevenzip" else match.lastgroup
    # A tar older than POSIX has no magic, but its header has a checksum.
    field = re.fullmatch(rb" *([0-7]{1,6})[ \x00]+", head[148:156]) if len(head) == _HEAD else None
    return "tar" if field and int(field[1], 8) == sum(head[:148] + b" " * 8 + head[156:]) else None


def _unfold(content: Content, budget: Budget) -> Iterator[Content | UnreadableInput]:
    name, layers, stream = content
    try:
        packing = layer(stream.peek(_HEAD))
        if packing and len(layers) >= budget.limits.depth:
            raise UnreadableInput(name, f"unfolds beyond the limit: depth = {budget.limits.depth}")
        inside = _inside(name, packing, stream, budget) if packing else iter(())
    except UnreadableInput as error:
        yield UnreadableInput(name, error.reason)
        return
    if not packing:
        yield content
    for member, packed in inside:
        if isinstance(packed, UnreadableInput):
            yield UnreadableInput(member, packed.reason)
        else:
            packed.modified = stream.modified if packed.modified is None else packed.modified
            yield from _unfold(Content(member, (*layers, packing or ""), packed), budget)


_Members = Iterator[tuple[str, Stream | UnreadableInput]]


def _inside(name: str, layer: str, stream: Stream, budget: Budget) -> _Members:
    if layer == "zip":
        return _zip(name, stream, budget)
    if layer == "tar":
        return _tar(name, stream, budget)
    if layer == "7z":
        return _7z(name, stream, budget)
    read = budget.metered(_decoder(layer, stream), lambda: stream.position)
    return iter([(name, Stream(read, f"{layer} data"))])


def _decoder(layer: str, stream: Any) -> Callable[[int], bytes]:
    if layer == "gzip":
        import gzip

        return gzip.GzipFile(fileobj=stream, mode="rb").read1
    if layer == "bzip2":
        import bz2

        return bz2.BZ2File(stream).read1
    if layer == "xz":
        import lzma

        return lzma.LZMAFile(stream).read1
    if sys.version_info >= (3, 14):
        from compression import zstd

        return zstd.ZstdFile(stream).read1
    try:
        import zstandard
    except ImportError:
        raise UnreadableInput("", _NO_ZSTD) from None

    def blocks() -> Iterator[bytes]:  # zstandard's own stream reader is silent about a cut file
        frame = None
        while data := stream.read(1024):  # little in, so that a bomb is little out
            while data:
                frame = frame or zstandard.ZstdDecompressor().decompressobj()
                yield frame.decompress(data)
                data = frame.unused_data
                frame = None if frame.eof else frame
        if frame:
            raise EOFError

    made = filter(None, blocks())
    return lambda _: next(made, b"")


def _zip(name: str, stream: Stream, budget: Budget) -> _Members:
    import zipfile

    with ExitStack() as stack:
        try:
            archive = stack.enter_context(zipfile.ZipFile(_seekable(stream, stack)))
        except Exception as error:
            yield name, UnreadableInput(name, reason(error, "zip archive"))
            return
        for info in archive.infolist():
            budget.enter()
            if info.filename.endswith("/") or stat.S_ISLNK(info.external_attr >> 16):
                continue
            member, packed = f"{name}!{shown(info.filename)}", partial(getattr, info, "compress_size")
            try:
                if info.flag_bits & 1:
                    raise UnreadableInput(member, "is encrypted; unpack it with its password, then give the file")
                opened: Any = archive.open(info)
            except Exception as error:
                yield member, UnreadableInput(member, reason(error, "zip member"))
                continue
            with opened:
                yield member, Stream(budget.metered(opened.read1, packed), "zip member", None, _time_of(info.date_time))


def _time_of(date: tuple[int, int, int, int, int, int]) -> float | None:
    """The time of a zip's member. It bears no time zone: it is taken for UTC."""
    try:
        return datetime(*date, tzinfo=UTC).timestamp()
    except (ValueError, OverflowError):
        return None


def _seekable(stream: Stream, stack: ExitStack) -> IO[bytes]:
    """The stream's own file, or an anonymous copy that the stack closes."""
    if stream.file and stream.file.seekable():
        return stream.file
    import tempfile

    copy = stack.enter_context(tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY))  # noqa: SIM115  the stack closes it
    while block := stream.read(_BLOCK):
        copy.write(block)
    return cast(IO[bytes], copy)


def _7z(name: str, stream: Stream, budget: Budget) -> _Members:
    from tracelens.inputs import sevenzip

    with ExitStack() as stack:
        try:
            file = _seekable(stream, stack)
            for member in sevenzip.packed_files(file):
                budget.enter()
                read = budget.metered(member.read, file.tell)
                if not member.is_link:
                    yield f"{name}!{shown(member.name)}", Stream(read, "7z member", None, member.modified)
                while read(_BLOCK):
                    pass  # what nobody read counts too
        except LimitReached:
            raise
        except Exception as error:
            yield name, UnreadableInput(name, reason(error, "7z archive"))


def _tar(name: str, stream: Stream, budget: Budget) -> _Members:
    import tarfile

    class Header(tarfile.TarInfo):
        """Says what is wrong where tarfile takes a damaged header for the archive's end."""

        @classmethod
        def frombuf(cls, buf: Any, encoding: str, errors: str) -> Self:
            try:
                header = super().frombuf(buf, encoding, errors)
            except tarfile.HeaderError as error:
                if any(buf):
                    raise UnreadableInput(name, reason(error, "tar archive")) from error
                raise
            if header.type in (b"L", b"K", b"x", b"g", b"X") and header.size > _TAR_METADATA:
                raise UnreadableInput(name, "damaged tar archive: too large a header")
            return header

    archive: Any = None
    read: Callable[[int], bytes]
    while True:
        try:
            # Types know no reader of ours as a file; nothing is open that would have to be closed.
            archive = archive or tarfile.open(fileobj=stream, mode="r|", tarinfo=Header)  # type: ignore[call-overload]  # noqa: SIM115
            info = archive.next()
            packed = archive.extractfile(info) if info and info.isreg() else None
            while not info and stream.read(_BLOCK):
                pass  # to the very end, where the compression around it keeps its checksum
        except Exception as error:
            yield name, UnreadableInput(name, reason(error, "tar archive"))
            return
        if not info:
            return
        archive.members.clear()  # else it remembers them all
        budget.enter()
        if packed:
            # tarfile drops the piece that damage is found in: small pieces.
            read = partial(_capped, packed.read1, tarfile.RECORDSIZE)
            if info.issparse():  # it makes bytes out of nothing
                read = budget.metered(read, lambda: stream.position)
            yield f"{name}!{shown(info.name)}", Stream(read, "tar member", None, float(info.mtime))
