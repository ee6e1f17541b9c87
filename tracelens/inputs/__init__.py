"""Files, folders, globs, archives, URLs and standard input -> named streams of bytes, decompressed and decoded.

    find(["logs/", "old.tar.gz", "-"])  ->  Source, Source, UnreadableInput, ...
    read_text(source.chunks())          ->  Text("utf-16-le", ("HTML",), blocks of UTF-8)

Inputs are only read. Their first bytes decide what they are, not their names.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator
from typing import IO, Any, NamedTuple

from tracelens.errors import UnreadableInput
from tracelens.inputs.archives import unpack
from tracelens.inputs.encoding import decode
from tracelens.inputs.files import STDIN, display_name, is_pipe, list_files, list_paths, open_file
from tracelens.inputs.limits import Limits
from tracelens.inputs.streams import InputFile, Stream, reason
from tracelens.inputs.unwrap import unwrap as undo_wrappings  # `unwrap` stays the package

__all__ = [
    "STDIN", "InputFile", "Limits", "Source", "Text", "decode", "display_name", "find", "is_pipe", "list_files",
    "list_paths", "open_file", "read_text",
]  # fmt: skip

BLOCK_BYTES = 1 << 20
# An input is large from this size on: it is read in larger blocks, and hashed in a separate thread.
_LARGE_BYTES = 16 << 20
_LARGE_BLOCK_BYTES = 4 << 20
_MAX_QUEUED_BLOCKS = 4


class Source:
    """One candidate for a trace; it can be read once, and only before the next one is requested.

    Attributes:
        name: as the user named it; `archive.zip!folder/member.log` inside an archive, `a.tar!b.zip!c.log` if archives
            are nested; `mail.eml!body` or `mail.eml!trace.log` in a mail, `a.docx!text`. Control characters and
            undecodable bytes are escaped.
        compression: None, or the layers around it from the outside in: `gzip`, `zip`, `gzip+tar`, `tar+zip`,
            `mail+gzip`, `mbox+mail`, `xlsx`.
        sha256: of the decompressed bytes; None until `chunks()` has ended.
        bytes: number of decompressed bytes; None until then. After damage both describe the readable bytes.
        path: of the file that holds exactly these bytes; None if they are packed or come from a pipe.
        modified: file time in seconds since 1970, of the member in an archive; None if unknown.
    """

    __slots__ = ("_max_silent_bytes", "_stream", "bytes", "compression", "modified", "name", "path", "sha256")

    def __init__(
        self,
        name: str,
        compression: str | None,
        stream: Stream,
        path: str | None = None,
        max_silent_bytes: int | None = None,
    ) -> None:
        self._max_silent_bytes = max_silent_bytes
        self.path = path
        self.name = name
        self.compression = compression
        self.sha256: str | None = None
        self.bytes: int | None = None
        self.modified = stream.modified
        self._stream: Stream | None = stream

    def __repr__(self) -> str:
        return f"Source({self.name!r}, compression={self.compression!r})"

    def chunks(self, size: int = BLOCK_BYTES) -> Iterator[bytes]:
        """Read the decompressed bytes, not yet decoded, in blocks of `size`; the last one may be shorter.

        If the data is damaged, the bytes before the damage come first, then `UnreadableInput` is raised. These are all
        bytes of a gzip file that is cut off or has a wrong checksum; otherwise the last 64 KiB may be missing.

        Raises:
            UnreadableInput: at the damage, or if a limit is exceeded.
            RuntimeError: the source was read already, or the next one has been requested.
        """
        stream, self._stream = self._stream, None
        if stream is None:
            raise RuntimeError(f"{self.name} can be read once, before the next input is asked for")
        digest, count, damage = _Digest(), 0, None
        try:
            if self._max_silent_bytes is not None:
                stream = _with_record(stream, self._max_silent_bytes)
            while block := stream.read(size if count < _LARGE_BYTES else max(size, _LARGE_BLOCK_BYTES)):
                digest.update(block)
                count += len(block)
                yield block
        except UnreadableInput as error:
            damage = UnreadableInput(self.name, error.reason)
        finally:
            sha256 = digest.close()
        self.sha256, self.bytes = sha256, count
        if damage:
            raise damage

    def head(self, size: int = 1 << 16) -> bytes:
        """The first decompressed bytes, which `chunks()` gives again; fewer where the data is damaged.

        Raises:
            RuntimeError: the source was read already, or the next one has been requested.
        """
        if self._stream is None:
            raise RuntimeError(f"{self.name} can be read once, before the next input is asked for")
        try:
            return self._stream.peek(size)
        except UnreadableInput:
            return b""

    def expire(self) -> None:
        """Release the stream, because the next source uses the same file."""
        self._stream = None


class Text(NamedTuple):
    """The text of a source: its encoding, what was undone (`unwrap`), and ASCII-compatible blocks."""

    encoding: str
    undone: tuple[str, ...]
    blocks: Iterator[bytes]


def read_text(chunks: Iterable[bytes]) -> Text:
    """Decode a source's bytes, and undo what other programs wrapped them in."""
    encoding, blocks = decode(chunks)
    return Text(encoding, *undo_wrappings(blocks, encoding))


class _Digest:
    """SHA-256 of the blocks; a separate thread hashes those of a large input while the next ones are read."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._count = 0
        self._queue: Any = None
        self._thread: Any = None

    def update(self, block: bytes) -> None:
        self._count += len(block)
        if self._count <= _LARGE_BYTES:
            self._digest.update(block)
            return
        if self._thread is None:
            import queue
            import threading

            self._queue = queue.Queue(_MAX_QUEUED_BLOCKS)
            self._thread = threading.Thread(target=self._work, daemon=True)
            self._thread.start()
        self._queue.put(block)

    def _work(self) -> None:
        while block := self._queue.get():
            self._digest.update(block)

    def close(self) -> str:
        """Return the digest in hex."""
        if self._thread is not None:
            self._queue.put(b"")
            self._thread.join()
        return self._digest.hexdigest()


def _with_record(stream: Stream, limit: int) -> Stream:
    """The stream, after checking that a record, or its beginning, is in its first `limit` bytes.

    Raises:
        UnreadableInput: none is.
    """
    from tracelens.inputs.signs import search

    searched = search(stream, limit)
    if not searched.has_record and searched.size >= limit:
        raise UnreadableInput("", f"no libssh2 record before the limit: silent_bytes = {limit:,}")
    return searched.stream


class _LimitedPipe:
    """Standard input or a FIFO, up to a limit."""

    def __init__(self, file: IO[bytes], limit: int) -> None:
        self._file, self._limit, self._count = file, limit, 0

    def read(self, size: int) -> bytes:
        data = self._file.read(size) or b""
        self._count += len(data)
        if self._count > self._limit:
            raise UnreadableInput("", f"goes on beyond the limit: piped_bytes = {self._limit:,}")
        return data

    def seekable(self) -> bool:
        return False


def find(inputs: Iterable[str], limits: Limits | None = None) -> Iterator[Source | UnreadableInput]:
    """Open every input and unpack its archives; an unreadable one becomes an item too, and the others follow.

    A source must be read before the next item is requested, because an archive is one stream.

    Args:
        inputs: files, folders, glob patterns, URLs, `-` for standard input.
        limits: how far an input may unpack, and how much of an endless one is read; by default from the environment.
    """
    limits = limits or Limits.in_force()
    for file in list_files(inputs):
        if isinstance(file, UnreadableInput):
            yield file
            continue
        try:
            handle = open_file(file.path)
        except (OSError, ValueError) as error:
            yield UnreadableInput(file.name, reason(error, "file"))
            continue
        with handle as opened:
            yield from _sources(file, opened, limits)


def _sources(file: InputFile, opened: IO[bytes], limits: Limits) -> Iterator[Source | UnreadableInput]:
    pipe = is_pipe(file.path)
    data: Any = _LimitedPipe(opened, limits.piped_bytes) if pipe else opened
    is_local = file.path not in STDIN and os.path.isfile(file.path)
    for member in unpack(file.name, data, limits, file.modified):
        if isinstance(member, UnreadableInput):
            yield member
            continue
        compression = "+".join(member.layers) or None
        path = file.path if is_local and compression is None else None
        source = Source(member.name, compression, member.stream, path, limits.silent_bytes if pipe else None)
        yield source
        source.expire()
