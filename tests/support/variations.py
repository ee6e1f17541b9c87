"""What programs, mailers and people do to a trace: each variation gives the changed bytes, and where each line went.

data, where = vary("quoted", trace)      # where[5] is the line on which line 5 now stands
"""

import io
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from hypothesis import strategies as st

# One line of the original with what stands before and after it now; `after` holds its line end.
Piece = tuple[bytes, bytes, bytes]
Lines = Sequence[bytes]

TAG = b"[libssh2]"
CLOCK = re.compile(rb"(?<=\[libssh2\] )\d+\.\d{6} ")
ROW = re.compile(rb"[0-9a-f]{4,}: ")
FOREIGN = (b"(gdb) n\n", b"Waiting for channel to close\n", b"* Connection #0 to host left intact\n", b"\n",
           b"0000: not a row\n", b"[libssh2]\n", b"[libssh2] 0.5 Nothing: x\n", b"=> nothing\n", b"caf\xe9 \xff\x00\n",
           b"2024-11-22 08:00:00 INFO done", b" 61.400521 SFTP: Requiring packet 101 id 6047\n")  # fmt: skip
# Where the main branch has other titles.
RENAMED = ((b"=> libssh2_transport_write send()", b"=> ssh2_transport_send()"),
           (b"=> libssh2_transport_write", b"=> ssh2_transport_send()"),
           (b"=> libssh2_transport_read()", b"=> ssh2_transport_read()"))  # fmt: skip


def is_record(line: bytes) -> bool:
    return line.startswith(TAG)


def is_title(line: bytes) -> bool:
    return line.startswith(b"=> ")


def is_row(line: bytes) -> bool:
    return ROW.match(line) is not None


def prefixed(prefix: bytes, only: Callable[[bytes], bool] = lambda line: True) -> Callable[[Lines], Iterator[Piece]]:
    return lambda lines: ((prefix if only(line) else b"", line, b"\n") for line in lines)


def changed(change: Callable[[bytes], bytes]) -> Callable[[Lines], Iterator[Piece]]:
    return lambda lines: ((b"", change(line), b"\n") for line in lines)


def ended(end: bytes, only: Callable[[bytes], bool] = lambda line: True) -> Callable[[Lines], Iterator[Piece]]:
    return lambda lines: ((b"", line, end if only(line) else b"\n") for line in lines)


def every(number: int, foreign: bytes, only: Callable[[bytes], bool]) -> Callable[[Lines], Iterator[Piece]]:
    """A foreign line before every so many lines of a kind."""

    def vary(lines: Lines) -> Iterator[Piece]:
        count, before = 0, b""
        for line in lines:
            # After a banner: see `test_a_line_after_a_banner_is_no_part_of_it`.
            due = only(line) and b"Received Banner" not in before
            count += due
            yield (foreign + b"\n" if due and count % number == 0 else b"", line, b"\n")
            before = line

    return vary


def no_newline_before_title(lines: Lines) -> Iterator[Piece]:
    for line, following in pairwise([*lines, b""]):
        yield b"", line, b"" if is_title(following) and is_record(line) else b"\n"


def as_main_branch(line: bytes) -> bytes:
    for old, new in RENAMED:
        if line.startswith(old):
            return line.replace(old, new, 1)
    return line


def coloured(line: bytes) -> bytes:
    return line.replace(TAG, b"\x1b[1;33m" + TAG + b"\x1b[0m").replace(b"Failure", b"\x1b[31mFailure\x1b[39m")


def stamped(line: bytes) -> bytes:
    """The clock moves by 0.1 s only."""
    return CLOCK.sub(lambda m: b"%s00000 " % m[0][:-6], line)


VARIATIONS: dict[str, Callable[[Lines], Iterator[Piece]]] = {
    "level before the tag": prefixed(b"LOG ", is_record),
    "level and stamp before the tag": prefixed(b"2024-11-22 08:15:00,123 [main] DEBUG ", is_record),
    "no timestamp": changed(lambda line: CLOCK.sub(b"", line)),
    "quoted in mail": prefixed(b"   > "),
    "quoted twice": prefixed(b">> "),
    "handler's prefix": prefixed(b"libssh2_trace_handle: "),
    "curl's prefix": prefixed(b"== Info: "),
    "blank line after each": ended(b"\n\n"),
    "blank line after each title": ended(b"\n\n", is_title),
    "no newline before a title": no_newline_before_title,
    "records run on": ended(b"", is_record),
    "all runs on, as on the main branch": lambda lines: ((b"", as_main_branch(line), b"") for line in lines),
    "main branch's titles": changed(as_main_branch),
    "tag missing": changed(lambda line: line.removeprefix(TAG)),
    "debugger in between": every(5, b"(gdb) n", is_record),
    "program's words in between": every(3, b"Waiting for channel to close", is_record),
    "curl's lines within dumps": every(3, b"* Connection #0 to host sftp.example.org left intact", is_row),
    "CRLF": ended(b"\r\n"),
    "colours": changed(coloured),
    "syslog": prefixed(b"Nov 22 08:15:00 depot sftpd-client[4711]: "),
    "journald": prefixed(b"Fri 2024-11-22 08:15:00.123456 CET depot client[4711]: "),
    "docker": prefixed(b"2024-11-22T08:15:00.123456789Z "),
    "Latin-1 in between": every(4, "Übertragung läuft, größe".encode("latin-1"), is_record),
    "Latin-1 before each record": prefixed("Größe: ".encode("latin-1"), is_record),
    "coarse clock": changed(stamped),
}


def vary(name: str, data: bytes) -> tuple[bytes, list[int]]:
    """The changed trace, and for each of its lines (from 1; 0 is no line) the line on which it stands now."""
    lines = data.decode("latin-1").encode("latin-1").split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    out, where, number = [], [0], 1
    for before, line, after in VARIATIONS[name](lines):
        where.append(number + before.count(b"\n"))
        piece = before + line + after
        number += piece.count(b"\n")
        out.append(piece)
    return b"".join(out), where


@st.composite
def damaged_lines(draw: st.DrawFn, data: bytes) -> bytes:
    """A stretch of a trace, with lines deleted or doubled, cut, joined, and others put in between."""
    lines = data.splitlines(keepends=True)
    start = draw(st.integers(0, len(lines) - 1))
    lines = lines[start : start + draw(st.integers(1, 120))]
    # Not both: a row deleted and another doubled in one dump make a dump that looks whole.
    either = draw(st.sampled_from(("delete", "double")))
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(lines) - 1))
        how = draw(st.sampled_from((either, "cut", "join", "put")))
        if how == "delete" and len(lines) > 1:
            del lines[at]
        elif how == "double":
            lines.insert(at, lines[at])
        elif how == "cut":
            lines[at] = lines[at][: draw(st.integers(0, len(lines[at])))] + b"\n"
        elif how == "join":
            lines[at] = lines[at].rstrip(b"\r\n")
        else:
            lines.insert(at, draw(st.sampled_from(FOREIGN)))
    return b"".join(lines)[: draw(st.integers(1, 20_000))]


def gzipped(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=31)
    return packer.compress(data) + packer.flush()


def zipped_in_tar(data: bytes) -> bytes:
    inner, outer = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("logs/ssh.log", data)
    with tarfile.open(fileobj=outer, mode="w") as tar:
        member = tarfile.TarInfo("case-4711.zip")
        member.size = len(inner.getvalue())
        tar.addfile(member, io.BytesIO(inner.getvalue()))
    return outer.getvalue()


WRAPPED: dict[str, Callable[[bytes], bytes]] = {
    "UTF-8 with BOM": lambda data: b"\xef\xbb\xbf" + data,
    "UTF-16 LE with BOM": lambda data: b"\xff\xfe" + data.decode("latin-1").encode("utf-16-le"),
    "UTF-16 BE with BOM": lambda data: b"\xfe\xff" + data.decode("latin-1").encode("utf-16-be"),
    "UTF-16 LE without BOM": lambda data: data.decode("latin-1").encode("utf-16-le"),
    "UTF-16 BE without BOM": lambda data: data.decode("latin-1").encode("utf-16-be"),
    "gzip": gzipped,
    "in a zip in a tar": zipped_in_tar,
    "UTF-16, CRLF and gzip": lambda data: gzipped(
        b"\xff\xfe" + data.replace(b"\n", b"\r\n").decode("latin-1").encode("utf-16-le")
    ),
}
