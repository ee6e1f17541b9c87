"""A file -> the streams that are packed in it: gzip, bzip2, xz, zstd, zip, 7z and tar, in any nesting.

    unfold("a.tar.gz", file, Limits())  ->  Content("a.tar.gz!b.log", ("gzip", "tar"), stream), ...

Nothing is unpacked to a path: archives are read as streams, and a zip or 7z inside of something else goes through
an anonymous temporary file, because its table of contents stands at its end.
"""

import os
import re
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from typing import IO, Any, NamedTuple, Self, cast

from msgspec import Struct

from tracelens.errors import UnreadableInput

_BLOCK = 1 << 20
_STEP = 1 << 16  # a decoder's output at a time: no more than this is lost in front of damage
_HEAD = 512  # enough for every magic number; a tar header is the longest
_BOMB = 64 << 20  # the compression ratio does not matter below this size
_TAR_METADATA = 1 << 20  # of a member's long name and attributes, which tarfile holds in memory
_LIMITS = "TRACELENS_LIMITS"
_NO_ZSTD = 'zstd needs the extra: pip install "libssh2-tracelens[zstd]"'


class Limits(Struct, frozen=True):
    """How far one input may unfold, and how much of one that never ends is read.

    The environment variable TRACELENS_LIMITS sets others: `TRACELENS_LIMITS=depth=12,ratio=50000`.

    Args:
        depth: layers (archives and compression) around a trace.
        members: entries in all the archives of one input.
        expanded_bytes: bytes that decompression may make out of one input, all layers together.
        ratio: decompressed to compressed size, looked at from 64 MiB on.
        kept_bytes: of an input that is to be read twice and is no plain file, kept in a temporary one.
        piped_bytes: of standard input or a FIFO.
        silent_bytes: at the begin of standard input or a FIFO, without a sign of a record.
        secrets: different ones in the inputs of one `redact`.
    """

    depth: int = 8
    members: int = 100_000
    expanded_bytes: int = 64 << 30
    ratio: int = 10_000
    kept_bytes: int = 16 << 30
    piped_bytes: int = 64 << 30
    silent_bytes: int = 64 << 20
    secrets: int = 100_000

    @classmethod
    def in_force(cls) -> Self:
        """The limits of this process.

        Raises:
            UnreadableInput: TRACELENS_LIMITS names none, or no number.
        """
        given = {}
        for part in filter(None, os.environ.get(_LIMITS, "").split(",")):
            name, _, value = part.strip().partition("=")
            if name not in cls.__struct_fields__ or not value.isascii() or not value.isdigit():
                known = ", ".join(cls.__struct_fields__)
                raise UnreadableInput(_LIMITS, f"{shown(part)}: say name=number; limits are {known}")
            given[name] = int(value)
        return cls(**given)


class Stream:
    """Bytes with a look ahead. Short reads mean the end; damage waits until what precedes it is read."""

    def __init__(
        self,
        read: Callable[[int], bytes],
        what: str,
        file: IO[bytes] | None = None,
        modified: float | None = None,
    ) -> None:
        self._read = read  # may give less or more than it was asked for, nothing at the end only
        self._what = what
        self._ahead = b""
        self._failure: UnreadableInput | None = None
        self.file = file
        self.modified = modified  # file time, seconds since 1970, where something says so
        self.position = 0

    def peek(self, size: int) -> bytes:
        """The next bytes, which stay where they are."""
        self._ahead = self._take(size)
        return self._ahead[:size]

    def read(self, size: int) -> bytes:
        """The next bytes; empty at the end.

        Raises:
            UnreadableInput: the next byte can't be had, now and ever after; it bears no name.
        """
        data = self._take(size)
        self._ahead, data = data[size:], data[:size]
        self.position += len(data)
        return data

    def _take(self, size: int) -> bytes:
        parts, count = [self._ahead] if self._ahead else [], len(self._ahead)
        while count < size and not self._failure:
            try:
                data = self._read(size - count)
            except UnreadableInput as error:
                self._failure = error
            except Exception as error:  # decoders raise anything they like on hostile bytes
                self._failure = UnreadableInput("", reason(error, self._what))
            else:
                if not data:
                    break
                parts.append(data)
                count += len(data)
        if self._failure and not count:
            raise self._failure
        return b"".join(parts)


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
        yield from _unfold(Content(name, (), Stream(file.read, "file", file, modified)), _Budget(limits))
    except _LimitReached as error:
        yield UnreadableInput(name, error.reason)


def shown(name: str) -> str:
    """The name, fit for any terminal and any file: control characters and undecodable bytes as escapes."""
    if name.isprintable():
        return name
    return re.sub(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]", lambda char: ascii(char[0])[1:-1], name)


def reason(error: Exception, what: str) -> str:
    """Why `what` could not be read, in one line."""
    if isinstance(error, UnreadableInput):
        return error.reason
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, EOFError):
        return f"the {what} is cut off"
    return f"damaged {what}: {shown(' '.join(str(error).split()) or type(error).__name__)}"


class _LimitReached(UnreadableInput):
    """The whole input is given up."""


def _capped(read: Callable[[int], bytes], most: int, size: int) -> bytes:
    return read(min(size, most))


class _Budget:
    """What one input has used of its limits."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._expanded = self._members = 0
        self._exceeded: _LimitReached | None = None

    def metered(self, read: Callable[[int], bytes], packed: Callable[[], int]) -> Callable[[int], bytes]:
        """`read` in small steps, counting what it makes out of as many bytes as `packed` says."""
        made = 0

        def metered(size: int) -> bytes:
            nonlocal made
            data = read(min(size, _STEP))
            made += len(data)
            self._expanded += len(data)
            self._check("expanded_bytes", self._expanded)
            if made > _BOMB:
                self._check("ratio", made // max(packed(), 1))
            return data

        return metered

    def enter(self) -> None:
        """Count one more member of an archive."""
        if self._exceeded:
            raise self._exceeded
        self._members += 1
        self._check("members", self._members)

    def _check(self, limit: str, value: int) -> None:
        most = getattr(self.limits, limit)
        if value > most:
            self._exceeded = _LimitReached("", f"unfolds beyond the limit: {limit} = {most:,}")
            raise self._exceeded


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


def _unfold(content: Content, budget: _Budget) -> Iterator[Content | UnreadableInput]:
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


def _inside(name: str, layer: str, stream: Stream, budget: _Budget) -> _Members:
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


def _zip(name: str, stream: Stream, budget: _Budget) -> _Members:
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

    copy = stack.enter_context(tempfile.SpooledTemporaryFile(max_size=_BOMB))  # noqa: SIM115  the stack closes it
    while block := stream.read(_BLOCK):
        copy.write(block)
    return cast(IO[bytes], copy)


def _7z(name: str, stream: Stream, budget: _Budget) -> _Members:
    from tracelens.source import sevenzip

    with ExitStack() as stack:
        try:
            file = _seekable(stream, stack)
            for member in sevenzip.members(file):
                budget.enter()
                read = budget.metered(member.read, file.tell)
                if not member.is_link:
                    yield f"{name}!{shown(member.name)}", Stream(read, "7z member", None, member.modified)
                while read(_BLOCK):
                    pass  # what nobody read counts too
        except _LimitReached:
            raise
        except Exception as error:
            yield name, UnreadableInput(name, reason(error, "7z archive"))


def _tar(name: str, stream: Stream, budget: _Budget) -> _Members:
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
