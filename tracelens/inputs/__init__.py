"""Inputs -> named byte streams: files, folders, globs, standard input, and what is packed in them.

    find(["logs/", "old.tar.gz", "-"])  ->  Source, Source, UnreadableInput, ...
    decoded(source.chunks())            ->  "utf-16-le", blocks of UTF-8

An input is only read. What it is, its first bytes say, never its name.
"""

import codecs
import hashlib
import os
import re
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import IO, Any, NamedTuple

from tracelens.errors import UnreadableInput
from tracelens.inputs import remote
from tracelens.inputs.archives import unfold
from tracelens.inputs.limits import Limits
from tracelens.inputs.streams import Stream, reason, shown

__all__ = ["STDIN", "Limits", "Place", "Source", "decoded", "files", "find", "is_pipe", "name_of", "opened", "places"]

BLOCK = 1 << 20
# From so many bytes on an input is large: it is read in larger blocks, and digested by a thread of its own.
_LARGE = 16 << 20
_LARGE_BLOCK = 4 << 20
_WAITING = 4  # blocks
_SAMPLE = 1 << 16  # looked at for the encoding
STDIN = ("-", "/dev/stdin")


class Source:
    """One candidate for a trace, to be read once, before the next one is asked for.

    Attributes:
        name: as the user named it; `archive.zip!folder/member.log` inside an archive, `a.tar!b.zip!c.log`
            deeper down. Control characters and undecodable bytes are shown as escapes.
        compression: None, or the layers around it from the outside in: `gzip`, `zip`, `gzip+tar`, `tar+zip`.
        sha256: of the decompressed bytes; None until `chunks()` has ended.
        bytes: how many decompressed bytes; None until then. After damage both tell of what could be read.
        path: of the file that holds just these bytes, None where they are packed or come from a pipe.
        modified: file time, seconds since 1970: the member's own in an archive; None where nothing says so.
    """

    __slots__ = ("_silent", "_stream", "bytes", "compression", "modified", "name", "path", "sha256")

    def __init__(
        self, name: str, compression: str | None, stream: Stream, path: str | None = None, silent: int | None = None
    ) -> None:
        self._silent = silent
        self.path = path
        self.name = name
        self.compression = compression
        self.sha256: str | None = None
        self.bytes: int | None = None
        self.modified = stream.modified
        self._stream: Stream | None = stream

    def __repr__(self) -> str:
        return f"Source({self.name!r}, compression={self.compression!r})"

    def chunks(self, size: int = BLOCK) -> Iterator[bytes]:
        """Read the decompressed bytes, not yet decoded, in blocks of `size`; the last one may be shorter.

        Of damaged data the bytes in front of the damage come first (all of them where a gzip file was cut off
        or its checksum is wrong; else the last 64 KiB may be missing), then `UnreadableInput` is raised. The
        caller decides what they are worth.

        Raises:
            UnreadableInput: at the damage, or where a limit is exceeded.
            RuntimeError: the source was read already, or the next one has been asked for.
        """
        stream, self._stream = self._stream, None
        if stream is None:
            raise RuntimeError(f"{self.name} can be read once, before the next input is asked for")
        digest, count = _Digest(), 0
        try:
            if self._silent is not None:
                stream = _speaking(stream, size, self._silent)
            while block := stream.read(size if count < _LARGE else max(size, _LARGE_BLOCK)):
                digest.update(block)
                count += len(block)
                yield block
            damage = None
        except UnreadableInput as error:
            damage = UnreadableInput(self.name, error.reason)
        finally:
            seen = digest.close()
        self.sha256, self.bytes = seen, count
        if damage:
            raise damage

    def expire(self) -> None:
        """Let go of the stream: what stands behind it moves on."""
        self._stream = None


class _Digest:
    """SHA-256 of the blocks; those of a large input are digested beside the reading of the next ones."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._count = 0
        self._queue: Any = None
        self._thread: Any = None

    def update(self, block: bytes) -> None:
        self._count += len(block)
        if self._count <= _LARGE:
            self._digest.update(block)
            return
        if self._thread is None:
            import queue
            import threading

            self._queue = queue.Queue(_WAITING)
            self._thread = threading.Thread(target=self._work, daemon=True)
            self._thread.start()
        self._queue.put(block)

    def _work(self) -> None:
        while block := self._queue.get():
            self._digest.update(block)

    def close(self) -> str:
        """The digest in hex."""
        if self._thread is not None:
            self._queue.put(b"")
            self._thread.join()
        return self._digest.hexdigest()


# Something that only a trace has, in ASCII or UTF-16.
_SIGN = re.compile(rb"ssh2_|libssh2|[0-9]\.[0-9]{6} [A-Z]|s\0s\0h\0002")


def _speaking(stream: Stream, size: int, most: int) -> Stream:
    """A stream that shows a sign of a trace soon.

    Raises:
        UnreadableInput: it does not, in so many bytes.
    """
    blocks: list[bytes] = []
    count, tail = 0, b""
    while block := stream.read(size):
        blocks.append(block)
        count += len(block)
        if _SIGN.search(tail + block):
            break
        tail = block[-16:]
        if count > most:
            raise UnreadableInput("", f"no libssh2 record before the limit: silent_bytes = {most:,}")
    kept = iter(blocks)
    return Stream(lambda wanted: next(kept, None) or stream.read(wanted), "input")


def is_pipe(path: str) -> bool:
    """Whether what is read may never end: a FIFO, or a standard input that is no file."""
    try:
        mode = os.fstat(0).st_mode if path in STDIN else os.stat(path).st_mode
    except (OSError, ValueError):
        return path in STDIN
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


class _Piped:
    """Standard input or a FIFO, up to a limit."""

    def __init__(self, file: IO[bytes], most: int) -> None:
        self._file, self._most, self._count = file, most, 0

    def read(self, size: int) -> bytes:
        data = self._file.read(size) or b""
        self._count += len(data)
        if self._count > self._most:
            raise UnreadableInput("", f"goes on beyond the limit: piped_bytes = {self._most:,}")
        return data

    def seekable(self) -> bool:
        return False


def find(inputs: Iterable[str], limits: Limits | None = None) -> Iterator[Source | UnreadableInput]:
    """Open every input and look into its archives; what can't be read is an item too, and the rest goes on.

    A source must be read, if at all, before the next item is asked for: an archive is one stream.

    Args:
        inputs: files, folders, glob patterns, `-` for standard input.
        limits: where an input that unfolds too far, or never ends, is given up; by default those of the environment.
    """
    limits = limits or Limits.in_force()
    for place in places(inputs):
        if isinstance(place, UnreadableInput):
            yield place
            continue
        name = place.name
        try:
            stream = opened(place.path)
        except (OSError, ValueError) as error:
            yield UnreadableInput(name, reason(error, "file"))
            continue
        with stream as file:
            piped = is_pipe(place.path)
            given: Any = _Piped(file, limits.piped_bytes) if piped else file
            for content in unfold(name, given, limits, place.modified):
                if isinstance(content, UnreadableInput):
                    yield content
                else:
                    plain = not content.layers and place.path not in STDIN and os.path.isfile(place.path)
                    packed = "+".join(content.layers) or None
                    silent = limits.silent_bytes if piped else None
                    source = Source(content.name, packed, content.stream, place.path if plain else None, silent)
                    yield source
                    source.expire()


class Place(NamedTuple):
    """A file or object behind the inputs, not opened yet.

    Args:
        path: what `find` and `opened` take, in another process for one.
        size: in bytes; None where nothing says so.
        modified: file time, seconds since 1970; None where nothing says so.
        mark: is another when the file is another, as far as can be told without reading it; None: nobody can tell.
    """

    path: str
    size: int | None = None
    modified: float | None = None
    mark: str | None = None

    @property
    def name(self) -> str:
        """As it is shown."""
        return name_of(self.path)


def name_of(path: str) -> str:
    """How a path or URL is shown: without control characters, and without a password."""
    return shown(remote.shown(path))


def files(inputs: Iterable[str]) -> Iterator[str | UnreadableInput]:
    """Name every file behind the inputs, without opening any; those of a folder or glob are sorted by path.

    Each name that is given can be passed to `find` alone, in another process for one.
    """
    return (place.path if isinstance(place, Place) else place for place in places(inputs))


def places(inputs: Iterable[str]) -> Iterator[Place | UnreadableInput]:
    """Every file behind the inputs with its size and time, without opening any; as `files` has them."""
    for path in inputs:
        if path in STDIN:
            yield Place(path)
        elif remote.is_url(path):
            yield from (p if isinstance(p, UnreadableInput) else Place(*p) for p in remote.found(path))
        elif os.path.lexists(path) or not re.search(r"[*?\[]", path):
            yield from _walk(path, explicit=True)
        else:
            import glob

            matches = sorted(glob.glob(path, recursive=True, include_hidden=True))
            for match in matches:
                yield from _walk(match, explicit=False)
            if not matches:
                yield UnreadableInput(shown(path), "no file matches this pattern")


def _walk(top: str, *, explicit: bool) -> Iterator[Place | UnreadableInput]:
    """The files at and below `top`; a FIFO only where the user named it."""
    stack, seen = [top], set()
    while stack:
        path = stack.pop()
        try:
            status = os.stat(path)
            mode, identity = status.st_mode, (status.st_dev, status.st_ino)
            if stat.S_ISREG(mode):
                mark = f"{status.st_size} {status.st_mtime_ns}"
                yield Place(path, status.st_size, status.st_mtime_ns // 1000 / 1e6, mark)
            elif stat.S_ISFIFO(mode) and explicit and path is top:
                yield Place(path)
            elif not stat.S_ISDIR(mode):
                kind = "FIFO" if stat.S_ISFIFO(mode) else "socket" if stat.S_ISSOCK(mode) else "device"
                yield UnreadableInput(shown(path), f"is a {kind}, not a file")
            elif identity in seen:
                yield UnreadableInput(shown(path), "directory loop: this folder is read already, by another name")
            else:
                seen.add(identity)
                with os.scandir(path) as entries:
                    below = sorted((entry.name + "/" * os.path.isdir(entry), entry.path) for entry in entries)
                stack.extend(entry for _, entry in reversed(below))
        except (OSError, ValueError) as error:
            yield UnreadableInput(shown(path), reason(error, "path"))


def opened(path: str) -> AbstractContextManager[IO[bytes]]:
    """A file, object or standard input, to be read.

    Raises:
        OSError, ValueError: it can't be opened.
    """
    if remote.is_url(path):
        return remote.opened(path)
    if path not in STDIN:
        return open(path, "rb", buffering=0)
    if sys.stdin is None:
        raise UnreadableInput(path, "there is no standard input")
    return nullcontext(sys.stdin.buffer)


def decoded(chunks: Iterable[bytes]) -> tuple[str, Iterator[bytes]]:
    """Find the text encoding; give its label, and the text in an encoding that contains ASCII.

    A byte order mark decides, and is dropped. Without one it is UTF-16 where many of the even bytes are NUL
    and next to none of the odd ones, or the other way round. UTF-16 and UTF-32 become UTF-8, with U+FFFD for
    what can't be decoded. All else passes unchanged: the label is `latin-1` where most non-ASCII sequences
    are no UTF-8 and stand in words as accented letters do, else `utf-8`, whatever stray bytes there are:
    libssh2 prints unterminated memory.

    Only what `chunks` raises is raised, and not before the bytes in front of it are through.
    """
    blocks = iter(chunks)
    head, failure = b"", None
    try:
        while len(head) < _SAMPLE and (block := next(blocks, b"")):
            head += block
    except UnreadableInput as error:
        failure = error
    label, mark = _encoding(head)

    def text() -> Iterator[bytes]:
        yield head[mark:]
        if failure:
            raise failure
        yield from blocks

    return label, _transcoded(text(), label) if label.startswith(("utf-16", "utf-32")) else filter(None, text())


_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins with the mark of utf-16-le
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_UTF8_SEQUENCE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_ACCENTED = re.compile(rb"[A-Za-z][\xc0-\xff]|[\xc0-\xff][a-z]")


def _encoding(head: bytes) -> tuple[str, int]:
    """The label of the encoding, and the length of the byte order mark."""
    for mark, label in _MARKS:
        if head.startswith(mark):
            return label, len(mark)
    head = head[:_SAMPLE]
    even, odd = head[0::2].count(0), head[1::2].count(0)
    # In a trace most characters are ASCII, whatever it begins with; a NUL as the low byte (U+3000) is rare.
    if max(even, odd) * 6 >= len(head) > 1 and min(even, odd) * 8 <= max(even, odd):
        return ("utf-16-le" if odd > even else "utf-16-be"), 0
    if head.isascii():
        return "utf-8", 0
    others, valid = _UTF8_SEQUENCE.subn(b"", head)
    invalid = len(re.findall(rb"[\x80-\xff]", others))
    return ("latin-1" if invalid > valid and len(_ACCENTED.findall(others)) * 2 >= invalid else "utf-8"), 0


def _transcoded(blocks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    for block in blocks:
        if text := decoder.decode(block):
            yield text.encode("utf-8", "replace")
    if text := decoder.decode(b"", final=True):
        yield text.encode("utf-8", "replace")
