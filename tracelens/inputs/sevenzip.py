"""A 7z archive -> its members, one after the other, as streams.

py7zr reads the table of contents and decompresses; its own extraction would hold or store whole members, so this module
asks py7zr's decompressors for a block at a time.
"""

from collections.abc import Callable, Iterator
from typing import IO, Any, NamedTuple
from zlib import crc32

from tracelens.errors import UnreadableInput

_ENCRYPTED = "is encrypted; unpack it with its password, then give the file"
_MISSING = '7z needs the extra: pip install "libssh2-tracelens[7z]"'
_BLOCK = 16 << 20  # decompressed bytes at a time; with few, py7zr reads far ahead in the compressed data


class PackedFile(NamedTuple):
    """A file of the archive, which must be read to its end before the next one is requested."""

    name: str  # its path in the archive
    modified: float | None  # file time, seconds since 1970; None if the archive has none
    is_link: bool  # whether it is a symbolic link or a junction
    # Returns up to that many bytes, none at the end; raises any exception if the data is damaged.
    read: Callable[[int], bytes]


def packed_files(file: IO[bytes]) -> Iterator[PackedFile]:
    """The files and links in an archive that is open and seekable, empty ones first.

    Raises:
        UnreadableInput: py7zr is not installed, or the archive is encrypted.
        Exception: any exception of py7zr if the archive is damaged.
    """
    try:
        import py7zr
    except ImportError:
        raise UnreadableInput("", _MISSING) from None
    file.seek(0)
    try:
        archive = py7zr.SevenZipFile(file)
    except py7zr.exceptions.PasswordRequired:
        raise UnreadableInput("", _ENCRYPTED) from None
    with archive:
        if archive.needs_password():
            raise UnreadableInput("", _ENCRYPTED)
        for entry in archive.files:
            if entry.emptystream and not entry.is_directory:
                yield _packed_file(entry, lambda _: b"")
        streams: Any = archive.header.main_streams
        for number, folder in enumerate(streams.unpackinfo.folders if streams else ()):
            file.seek(archive.afterheader + streams.packinfo.packpositions[number])
            for entry in folder.files or ():
                yield _packed_file(entry, _reader(entry, file))


def _packed_file(entry: Any, read: Callable[[int], bytes]) -> PackedFile:
    written = getattr(entry, "lastwritetime", None)
    modified = None if written is None else float(written.totimestamp())
    return PackedFile(entry.filename, modified, entry.is_symlink or entry.is_junction, read)


def _reader(entry: Any, file: IO[bytes]) -> Callable[[int], bytes]:
    """Reads the next file of a folder of the archive: all files of a folder share one decompressor."""
    decompressor = entry.folder.get_decompressor(entry.compressed)
    left, checksum = entry.uncompressed, 0
    buffer = memoryview(b"")

    def read(size: int) -> bytes:
        nonlocal left, checksum, buffer
        while left and not buffer:
            position = file.tell()
            buffer = memoryview(decompressor.decompress(file, min(left, _BLOCK)))
            if not buffer and file.tell() == position:
                raise ValueError("the data ends too early")
            left -= len(buffer)
            checksum = crc32(buffer, checksum)
        if not buffer and entry.crc32 not in (None, checksum):
            raise ValueError("wrong checksum")
        data, buffer = buffer[:size], buffer[size:]
        return bytes(data)

    return read
