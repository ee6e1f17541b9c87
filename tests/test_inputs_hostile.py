"""Inputs made to harm: each ends soon, in bounded memory, with a line that says why, and never with a traceback."""

import bz2
import gzip
import io
import lzma
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from support import LOGIN, READ, SAMPLES, SENT, dump, string

SECONDS, BYTES = 20, 500 << 20
WRONG = (SAMPLES / "wrong-password.log").read_bytes()
GOOD = b"[libssh2] 0.100000 Transport: Sending Banner: SSH-2.0-libssh2_1.11.1\n"


@dataclass(frozen=True)
class Ended:
    status: int
    out: bytes
    err: bytes
    seconds: float
    peak: int


# Starts a command and writes its wait status, its seconds of CPU and its peak of memory (KiB) to a descriptor. It is
# small: on Linux the peak that a process reports is at least that of the process that started it.
MEASURE = """
import os, sys
pid = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
_, status, used = os.wait4(pid, 0)
os.write(int(sys.argv[1]), f"{status} {used.ru_utime + used.ru_stime} {used.ru_maxrss}".encode())
"""


def run(*arguments: object, stdin: object = subprocess.DEVNULL, **env: str) -> Ended:
    """Runs the command in a process of its own; what it used is that of itself and of nobody else."""
    receiver, sender = os.pipe()
    ended = subprocess.run(
        [sys.executable, "-IS", "-c", MEASURE, str(sender), sys.executable, "-m", "tracelens", *map(str, arguments)],
        stdin=stdin, capture_output=True, check=True, env={**os.environ, **env}, pass_fds=[sender],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (SECONDS * 2, SECONDS * 2)),
    )  # fmt: skip
    os.close(sender)
    with os.fdopen(receiver) as file:
        status, seconds, peak = file.read().split()
    return Ended(os.waitstatus_to_exitcode(int(status)), ended.stdout, ended.stderr, float(seconds), int(peak) * 1024)


def zipped(members: dict[str, bytes], **options: int) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, **options) as archive:  # type: ignore[arg-type]
        for name, data in members.items():
            archive.writestr(name, data)
    return packed.getvalue()


def tarred(*members: tuple[str, bytes, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, kind, data in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size = kind, "/etc/passwd", len(data)
            archive.addfile(info, io.BytesIO(data))
    return packed.getvalue()


def nested(depth: int) -> bytes:
    data = WRONG
    for level in range(depth):
        data = zipped({f"{level}.zip": data})
    return data


def seven_zipped(data: bytes) -> bytes:
    packed = io.BytesIO()
    with pytest.importorskip("py7zr", reason="7z needs the extra 7z").SevenZipFile(packed, "w") as archive:
        archive.writef(io.BytesIO(data), "a.log")
    return packed.getvalue()


def turned(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 8]) + data[at + 1 :]


def encrypted() -> bytes:
    packed = bytearray(zipped({"a.log": WRONG}))
    packed[packed.index(b"PK\x03\x04") + 6] |= 1
    packed[packed.index(b"PK\x01\x02") + 8] |= 1
    return bytes(packed)


def lying_zip() -> bytes:
    packed = bytearray(zipped({"a.log": WRONG}))
    at = packed.index(b"PK\x01\x02")
    packed[at + 24 : at + 28] = (7).to_bytes(4, "little")
    return bytes(packed)


def huge_tar_header() -> bytes:
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 1 << 40
    return info.tobuf(tarfile.GNU_FORMAT) + bytes(1 << 20)


MAIL = b"From: a@example.org\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n\n"


def document(body: bytes, before: bytes = b"") -> bytes:
    return zipped({"[Content_Types].xml": b"", "word/document.xml": before + b"<d>" + body + b"</d>"})


def workbook() -> bytes:
    rows = b'<row><c t="s"><v>0</v></c></row>' * 1_000_000
    return zipped({
        "[Content_Types].xml": b"", "xl/workbook.xml": b'<w><sheet id="1"/></w>',
        "xl/_rels/workbook.xml.rels": b'<R><Relationship Id="1" Target="sheet.xml"/></R>',
        "xl/sharedStrings.xml": b"<s><si><t>" + b"a" * 1_000_000 + b"</t></si></s>",
        "xl/sheet.xml": b"<s>" + rows + b"</s>",
    })  # fmt: skip


def told(text: bytes, clock: bytes = b"0.200000") -> bytes:
    return b"[libssh2] " + clock + b" " + text + b"\n"


ABSURD = b"\xff\xff\xff\xff"
HOSTILE_BANNER = b"SSH-2.0-\x1b]0;owned\x07\x1b[2J<script>alert(1)</script>=cmd|' /C calc'!A0"

# Name -> (bytes, exit statuses that are right, what stderr or stdout must say).
FILES: dict[str, tuple[Callable[[], bytes], tuple[int, ...], bytes]] = {
    # archives
    "a gzip bomb": (lambda: gzip.compress(bytes(100 << 20)), (2,), b"looks like nothing but NUL bytes"),
    "a 7z bomb": (lambda: seven_zipped(bytes(100 << 20)), (2,), b"looks like nothing but NUL bytes"),
    "a 7z cut off": (lambda: seven_zipped(WRONG)[:-20], (2,), b"damaged 7z archive"),
    "a 7z in which a bit is turned": (lambda: turned(seven_zipped(WRONG), 60), (2,), b"damaged 7z"),
    "a bzip2 bomb": (lambda: bz2.compress(bytes(100 << 20)), (2,), b"limit: ratio"),
    "an xz bomb": (lambda: lzma.compress(bytes(100 << 20), preset=1), (2,), b""),
    "a gzip bomb in a gzip bomb": (lambda: gzip.compress(gzip.compress(bytes(100 << 20))), (2,), b"NUL"),
    "a zip of many members": (lambda: zipped({f"{n}": b"" for n in range(20_000)}), (2,), b"the file is empty"),
    "zips twelve deep": (lambda: nested(12), (2,), b"limit: depth = 8"),
    "members with paths that lead outside": (lambda: zipped({"../../x.log": WRONG, "/etc/y.log": GOOD}), (0,), b""),
    "links and devices in a tar": (
        lambda: tarred(("l", tarfile.SYMTYPE, b""), ("h", tarfile.LNKTYPE, b""), ("c", tarfile.CHRTYPE, b"")),
        (0, 2), b"",
    ),
    "an encrypted member": (encrypted, (2,), b"is encrypted"),
    "a member that lies about its size": (lying_zip, (0, 2), b""),
    "a zip without its end": (lambda: zipped({"a.log": WRONG})[:-40], (2,), b"damaged zip"),
    "a cut gzip file": (lambda: gzip.compress(WRONG)[:3000], (2,), b"cut off"),
    "a gzip file with a wrong checksum": (lambda: gzip.compress(WRONG)[:-8] + bytes(8), (2,), b"damaged gzip"),
    "a cut xz file": (lambda: lzma.compress(WRONG)[:2000], (2,), b"cut off"),
    "a tar with a header of a terabyte": (huge_tar_header, (2,), b"too large a header"),
    "a cut tar": (lambda: tarred(("a.log", tarfile.REGTYPE, WRONG))[:9000], (2,), b"damaged tar"),
    # mails and documents
    "a mail of a million parts": (lambda: MAIL + b"--x\n\n" * 1_000_000, (2,), b"limit: members"),
    "an mbox of a million mails": (lambda: b"From a 09:00 2026\nA: b\n\n\n" * 1_000_000, (2,), b"limit: members"),
    "multiparts in one another without end": (
        lambda: MAIL + b"".join(b"--x%d\nContent-Type: multipart/mixed; boundary=x%d\n\n" % (n, n + 1)
                                for n in range(100_000)), (2,), b"",
    ),
    "mails in one another": (lambda: MAIL.replace(b"multipart/mixed", b"message/rfc822") * 100, (2,), b"limit"),
    "a mail with a header of 100 MB": (lambda: MAIL + b"--x\nA: " + b"a" * (100 << 20), (2,), b"too large a header"),
    "a mail with a line of 100 MB": (
        lambda: MAIL + b"--x\nContent-Transfer-Encoding: quoted-printable\n\n" + b"=41" * (33 << 20), (2,), b"cut off"
    ),
    "a boundary that nearly comes": (lambda: MAIL + b"--x\n\n" + b"\n--" * (1 << 20), (2,), b""),
    "a mail of parameters": (
        lambda: MAIL + b"--x\nContent-Disposition: a" + b"; filename*0*=utf-8''%ff" * 2_000 + b"\n\n", (2,), b""
    ),
    "a document of nested elements": (lambda: document(b"<a>" * (40 << 20)), (2,), b"too deep"),
    "a document of one tag": (lambda: document(b"<a b='" + b"c" * (100 << 20)), (2,), b"too long a tag"),
    "a document with entities": (
        lambda: document(b"", b"<!DOCTYPE a [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;'>]>"),
        (2,), b"declares a document type",
    ),
    "a workbook that says one text time and again": (workbook, (2,), b"too much text"),
    "a zip's magic and nothing else": (lambda: b"PK\x03\x04" + bytes(100), (2,), b"damaged zip"),
    # lines
    "nothing": (lambda: b"", (2,), b"the file is empty"),
    "a byte order mark and nothing else": (lambda: b"\xff\xfe", (2,), b""),
    "NUL bytes": (lambda: bytes(50 << 20), (2,), b"NUL"),
    "a line of 100 MB": (lambda: GOOD + b"A" * (100 << 20), (0, 2), b""),
    "a record of 100 MB": (lambda: GOOD.rstrip() + b"A" * (100 << 20), (0, 2), b""),
    "records without a newline": (lambda: GOOD.rstrip() * 20_000, (0, 2), b""),
    "half a character of UTF-16": (lambda: b"\xff\xfe" + WRONG.decode("latin-1").encode("utf-16-le")[:-1], (0, 2), b""),
    "surrogates": (lambda: b"\xff\xfe" + b"\x00\xd8" * 1000 + GOOD.decode().encode("utf-16-le"), (0, 2), b""),
    "bytes of no encoding": (lambda: GOOD + bytes(range(128, 256)) * 5000 + WRONG, (0,), b""),
    "tags and nothing else": (lambda: b"[libssh2] " * 200_000, (0, 2), b""),
    "arrows and nothing else": (lambda: GOOD + b"=> libssh2_" * 200_000, (0, 2), b""),
    "a megabyte of brackets": (lambda: b"[" * (1 << 20), (2,), b"no libssh2 record"),
    "blank lines": (lambda: GOOD + b"\n" * (20 << 20), (0, 2), b""),
    "escapes without an end": (lambda: GOOD + b"\x1b[" * 500_000, (0, 2), b""),
    # records
    "absurd clocks": (
        lambda: told(b"Conn: x", b"999999999999.999999") + GOOD + told(b"Conn: y", b"000000000000.000000"), (0, 2), b""
    ),
    "a clock that falls back time and again": (
        lambda: b"".join(told(b"Conn: x", b"%d.000000" % (n % 7)) for n in range(60_000)), (0, 2), b""
    ),
    "distinct texts": (lambda: b"".join(told(b"Userauth: Key comment: %x" % n) for n in range(40_000)), (0, 2), b""),
    "distinct unknown texts": (lambda: b"".join(told(b"SFTP: %x-odd %x" % (n, n)) for n in range(15_000)), (0, 2), b""),
    "sessions": (lambda: GOOD * 10_000, (0, 2), b""),
    "channels": (
        lambda: GOOD + b"".join(told(b"Conn: Allocated new channel ID#%d" % n) for n in range(20_000)), (0, 2), b""
    ),
    "a storm of error -37": (
        lambda: GOOD + told(b"Failure Event: -37 - Failed getting banner") * 200_000, (0, 2), b""
    ),
    "numbers of twenty digits": (
        lambda: GOOD + told(b"Transport: Packet type 99999999999999999999 received, length=99999999999999999999"),
        (0, 2), b"",
    ),
    # dumps
    "a dump of 2^64 bytes": (lambda: GOOD + dump(READ, b"\x14abc", 18446744073709551540) + GOOD, (0, 2), b""),
    "a dump of twenty nines": (lambda: GOOD + dump(READ, b"\x14abc", 99999999999999999999), (0, 2), b""),
    "a dump of 4 GB and rows that go on": (
        lambda: GOOD + dump(READ, b"\x5e" + bytes(2 << 20), 1 << 32), (0, 2), b""
    ),
    "a dump with more rows than its size": (lambda: GOOD + dump(READ, bytes(1 << 20), 17), (0, 2), b""),
    "rows that do not follow": (
        lambda: GOOD + b"=> " + READ.encode() + b" (64 bytes)\n0030: 00 01\n0000: 14 00\nffffffff: 00 : .\n",
        (0, 2), b"",
    ),
    "titles without rows": (lambda: GOOD + b"=> libssh2_transport_read() plain (35000 bytes)\n" * 60_000, (0, 2), b""),
    # packets
    "a string of 4 GB": (lambda: GOOD + dump(READ, b"\x01\0\0\0\x02" + ABSURD + b"bye"), (0, 2), b""),
    "four thousand million prompts": (
        lambda: GOOD + dump(SENT, LOGIN + string(b"secret-one")) + dump(READ, b"\x3c" + string(b"") * 3 + ABSURD),
        (0, 2), b"",
    ),
    "four thousand million answers": (lambda: GOOD + dump(SENT, b"\x3d" + ABSURD + b"\0\0\0\0" * 40), (0, 2), b""),
    "four thousand million extensions": (lambda: GOOD + dump(READ, b"\x07" + ABSURD + string(b"a") * 9), (0, 2), b""),
    "an SFTP packet of 4 GB": (
        lambda: WRONG + dump(READ, b"\x5e\0\0\0\0" + string(ABSURD + b"\x67" + bytes(100))), (0, 2), b""
    ),
    "a login after another": (
        lambda: GOOD + b"".join(dump(SENT, LOGIN + string(b"password-%06d" % n)) for n in range(1_500)), (0, 2), b""
    ),
    "names of algorithms without end": (
        lambda: GOOD + dump(READ, b"\x14" + bytes(16) + string(b"a," * 15_000) * 2), (0, 2), b""
    ),
    # shown to people and programs
    "a banner that steers terminals": (
        lambda: GOOD + told(b"Transport: Received Banner: " + HOSTILE_BANNER), (0, 2), b""
    ),
    "versions in figures that are no digits": (
        lambda: GOOD + told("Transport: Sending Banner: SSH-2.0-libssh2_1.\u00b9\u00b98.0".encode()), (0, 2), b""
    ),
    "versions without end": (
        lambda: told(b"Transport: Sending Banner: SSH-2.0-libssh2_" + b"1" * 9_000)
        + told(b"Transport: Received Banner: SSH-2.0-OpenSSH_" + b"8" * 9_000 + b"." + b"9" * 9_000),
        (0, 2),
        b"",
    ),
    "a password without end": (
        lambda: GOOD + dump(SENT, LOGIN + string(b"a" * 30_000 + b"zz")), (0, 2), b""
    ),
    "a text that ends in half a password": (
        lambda: GOOD + dump(SENT, LOGIN + string("Walnut\u00e6blet".encode()))
        + told("Failure Event: -18 - Walnut\u00e6".encode()), (0, 2), b""
    ),
    "a private key": (lambda: b"-----BEGIN RSA PRIVATE KEY-----\nMIIE\n", (2,), b"keep it secret"),
}  # fmt: skip


def check(ended: Ended, statuses: tuple[int, ...], says: bytes = b"", seconds: float = SECONDS) -> None:
    assert ended.status in statuses, ended.err[-500:]
    assert b"Traceback" not in ended.err
    assert ended.status == 0 or ended.err.strip(), "no reason was given"
    assert all(line.startswith(b"tracelens: ") for line in ended.err.splitlines())
    assert not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", ended.out + ended.err.replace(b"\r", b""))
    assert says in ended.err + ended.out
    assert ended.seconds < seconds
    assert ended.peak < BYTES


# Whether these are traces is left open, so that several are analyzed in one go.
OPEN = [
    kind
    for kind, (_, statuses, says) in FILES.items()
    if statuses == (0, 2) and not says and "MB" not in kind and "tar" not in kind
]


@pytest.mark.parametrize("part", range(5))
def test_several_files_at_once(part: int, tmp_path: Path) -> None:
    names = {kind: kind.replace(" ", "-") for kind in OPEN[part::5]}
    for kind, name in names.items():
        (tmp_path / name).write_bytes(FILES[kind][0]())
    ended = run("analyze", tmp_path, "--jobs", "1")
    check(ended, (0, 2))
    assert [name for name in names.values() if f"/{name}".encode() not in ended.out + ended.err] == []


@pytest.mark.parametrize("kind", [kind for kind in FILES if kind not in OPEN])
def test_files(kind: str, tmp_path: Path) -> None:
    make, statuses, says = FILES[kind]
    path = tmp_path / "hostile"
    path.write_bytes(make())
    check(run("analyze", path, "--jobs", "1"), statuses, says)


PACKED = r"bomb|zip|tar\b|gzip|xz|mail|mbox|multiparts|boundary|document|workbook"
TO_REDACT = [kind for kind in FILES if not re.search(rf"{PACKED}|nothing|NUL|key|mark|outside", kind)]


@pytest.mark.parametrize("part", range(4))
def test_redacting_files(part: int, tmp_path: Path) -> None:
    """Several in one go: each has its copy or a line that says why it has none."""
    kinds = TO_REDACT[part::4]
    (tmp_path / "in").mkdir()
    for kind in kinds:
        data = FILES[kind][0]()[: 4 << 20]  # a copy takes its time by the megabyte, whatever is in it
        (tmp_path / "in" / kind.replace(" ", "-")).write_bytes(data)
    ended = run("redact", tmp_path / "in", "-o", tmp_path / "out")
    check(ended, (0, 2), seconds=2 * SECONDS)
    copies = {path.name for path in (tmp_path / "out").iterdir()}
    notes = (b" left out", b" the copy holds only the trace within")  # these have their copy
    said = b"\n".join(line for line in ended.err.splitlines() if not any(note in line for note in notes))
    refused = {kind for kind in kinds if f"/{kind.replace(' ', '-')}".encode() in said}
    assert copies == {kind.replace(" ", "-") for kind in kinds if kind not in refused}
    assert all(2 in FILES[kind][1] for kind in refused)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


def test_a_copy_stays_in_its_folder(tmp_path: Path) -> None:
    (tmp_path / "in.zip").write_bytes(FILES["members with paths that lead outside"][0]())
    check(run("redact", tmp_path / "in.zip", "-o", tmp_path / "out"), (0,))
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.log")}
    assert written == {"out/x.log", "out/y.log"}


def test_a_line_longer_than_the_memory_it_may_take(tmp_path: Path) -> None:
    with (tmp_path / "x.log").open("wb") as file:
        file.write(GOOD)
        file.truncate(BYTES + (100 << 20))  # a hole: NUL bytes without a newline
    check(run("analyze", tmp_path / "x.log", "--jobs", "1"), (0, 2))


class TestPipes:
    def feed(self, block: bytes, *command: str, **env: str) -> Ended:
        """The command with a standard input that never ends."""
        here, there = os.pipe()

        def pump() -> None:
            with os.fdopen(there, "wb", buffering=0) as pipe:
                try:
                    while True:
                        pipe.write(block)
                except BrokenPipeError:
                    pass

        thread = threading.Thread(target=pump)
        thread.start()
        with os.fdopen(here, "rb") as stdin:
            ended = run(*command, stdin=stdin, **env)
        thread.join()
        return ended

    @pytest.mark.parametrize(
        "block", [b"y\n" * 30_000, bytes(1 << 16), b"x" * (1 << 16)], ids=["lines", "NUL", "no newline"]
    )
    @pytest.mark.parametrize("command", ["analyze", "redact"])
    def test_that_never_end(self, command: str, block: bytes) -> None:
        check(self.feed(block, command, "-"), (2,), b"limit: silent_bytes")

    @pytest.mark.parametrize("command", ["analyze", "redact"])
    def test_of_records_that_never_end(self, command: str) -> None:
        ended = self.feed(GOOD * 900, command, "-", TRACELENS_LIMITS="piped_bytes=1000000")
        check(ended, (2,), b"limit: piped_bytes")

    def test_what_must_be_kept_is_limited(self, tmp_path: Path) -> None:
        (tmp_path / "x.gz").write_bytes(gzip.compress(WRONG * 50))
        ended = run("redact", tmp_path / "x.gz", "-o", tmp_path / "y", TRACELENS_LIMITS="kept_bytes=1000000")
        check(ended, (2,), b"limit: kept_bytes")
        assert not (tmp_path / "y").exists()

    def test_more_secrets_than_can_be_looked_for_make_no_copy(self, tmp_path: Path) -> None:
        (tmp_path / "x.log").write_bytes(GOOD + b"".join(b"login password=w%07d now\n" % n for n in range(3000)))
        ended = run("redact", tmp_path / "x.log", "-o", tmp_path / "y", TRACELENS_LIMITS="secrets=2999")
        check(ended, (2,), b"limit: secrets")
        assert not (tmp_path / "y").exists()

    def test_that_secrets_are_too_many_for_all_their_forms_is_said(self, tmp_path: Path) -> None:
        (tmp_path / "x.log").write_bytes(GOOD + b"".join(b"login password=w%07d now\n" % n for n in range(2001)))
        check(run("redact", tmp_path / "x.log", "-o", tmp_path / "y"), (0,), b"base64 and UTF-16")
        assert b"w0001" not in (tmp_path / "y").read_bytes()


class TestPaths:
    def test_fifos_sockets_devices_and_loops_in_a_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        os.mkfifo(tmp_path / "fifo")
        monkeypatch.chdir(tmp_path)
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind("socket")
            (tmp_path / "null").symlink_to("/dev/null")
            (tmp_path / "loop").symlink_to(tmp_path)
            (tmp_path / "self").symlink_to(tmp_path / "self")
            (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
            (tmp_path / "good.log").write_bytes(WRONG)
            ended = run("analyze", tmp_path)
        check(ended, (2,), b"auth-password-rejected")
        assert len(ended.err.splitlines()) == 6

    def test_names_with_escapes_and_bytes_of_no_encoding(self, tmp_path: Path) -> None:
        for name in (b"a\x1b[2J\n.log", b"\xff\xfe.log", "\u202egol.txt".encode()):
            Path(os.fsdecode(bytes(tmp_path) + b"/" + name)).write_bytes(WRONG)
        check(run("analyze", tmp_path), (0,))
        check(run("redact", tmp_path, "-o", tmp_path.parent / f"{tmp_path.name}-copies"), (0,))

    def test_a_file_as_standard_input_is_read_from_its_begin(self, tmp_path: Path) -> None:
        for table in ("records", "events"):
            named, piped = tmp_path / f"{table}-named.csv", tmp_path / f"{table}-piped.csv"
            check(run("timeline", SAMPLES / "wrong-password.log", "-t", table, "-o", named), (0,))
            with (SAMPLES / "wrong-password.log").open("rb") as file:
                check(run("timeline", "-", "-t", table, "-o", piped, stdin=file), (0,))
            assert piped.read_bytes() == named.read_bytes()

    def test_devices(self) -> None:
        check(run("analyze", "/dev/zero"), (2,), b"is a device")
        check(run("analyze", "/dev/null"), (2,), b"is a device")

    def test_what_is_not_there_or_a_folder_without_anything(self, tmp_path: Path) -> None:
        check(run("analyze", tmp_path / "none.log"), (2,))
        check(run("analyze", tmp_path / "*.log"), (2,), b"no file matches")

    def test_what_may_not_be_read(self, tmp_path: Path) -> None:
        (tmp_path / "x.log").write_bytes(WRONG)
        (tmp_path / "x.log").chmod(0)
        without: list[str] = []
        if os.geteuid() == 0:  # may read everything unless it is kept from that
            without = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
            if shutil.which(without[0]) is None:
                pytest.skip("root may read everything, and setpriv is not installed")
        command = [*without, sys.executable, "-m", "tracelens", "analyze", str(tmp_path / "x.log")]
        done = subprocess.run(command, capture_output=True, check=False)
        assert done.returncode == 2
        assert done.stderr.decode().splitlines() == [f"tracelens: {tmp_path / 'x.log'}: Permission denied"]

    def test_limits_that_are_none(self) -> None:
        check(run("analyze", SAMPLES / "wrong-password.log", TRACELENS_LIMITS="depth=deep"), (2,), b"say name=number")


class TestOutputs:
    def test_on_a_full_disk_the_old_file_stays(self, tmp_path: Path) -> None:
        target = tmp_path / "out"
        target.write_bytes(b"old")
        for command in (["analyze", "-f", "json"], ["timeline", "-f", "csv"], ["redact"]):
            process = subprocess.run(
                [sys.executable, "-m", "tracelens", *command, SAMPLES / "wrong-password.log", "-o", target],
                capture_output=True, check=False,
                preexec_fn=lambda: (resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)), _ignore_xfsz()),
            )  # fmt: skip
            assert process.returncode == 2, command
            assert b"Traceback" not in process.stderr
            assert len(process.stderr.splitlines()) == 1
            assert target.read_bytes() == b"old"
            assert [p.name for p in tmp_path.iterdir()] == ["out"]

    @pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
    @pytest.mark.parametrize(
        "command",
        [["analyze", "-f", "json"], ["timeline", "-f", "csv", "-t", "records"], ["redact"]],
        ids=lambda c: c[0],
    )
    def test_whoever_is_interrupted_leaves_the_old_file(
        self, command: list[str], sent: signal.Signals, tmp_path: Path
    ) -> None:
        (tmp_path / "out").write_bytes(b"old")
        os.mkfifo(tmp_path / "in")
        process = subprocess.Popen(
            [sys.executable, "-m", "tracelens", *command, tmp_path / "in", "-o", tmp_path / "out"],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            # A shell's background job ignores Ctrl-C, and so would all that it starts.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip
        with open(tmp_path / "in", "wb") as pipe:  # opens when it is being read
            pipe.write(WRONG * 20)
            pipe.flush()
            time.sleep(0.5)
            process.send_signal(sent)
            _, told = process.communicate(timeout=20)
        assert process.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}[sent]
        assert b"Traceback" not in told
        assert (tmp_path / "out").read_bytes() == b"old"
        left = {path.name for path in tmp_path.iterdir()} - {"in", "out"}
        # Nobody tidies up after a kill; what is left is hidden, and nobody takes it for a result.
        assert not left if sent != signal.SIGKILL else all(name.startswith(".") for name in left)

    @pytest.mark.parametrize("command", ["analyze", "timeline", "redact", "report", "diff"])
    def test_an_input_is_no_output(self, command: str, tmp_path: Path) -> None:
        trace, link = tmp_path / "trace.csv", tmp_path / "link.csv"
        trace.write_bytes(WRONG)
        link.symlink_to("trace.csv")
        more = {"report": ["-f", "md"], "diff": [trace, "-f", "json"]}.get(command, [])
        check(run(command, trace, *more, "-o", link), (2,), b"is one of the inputs")
        assert trace.read_bytes() == WRONG

    @pytest.mark.parametrize("target", ["/dev/null", "/", "/nowhere/x.csv"])
    def test_places_that_are_no_file(self, target: str) -> None:
        check(run("timeline", SAMPLES / "wrong-password.log", "-f", "csv", "-o", target), (2,))
        assert Path("/dev/null").is_char_device()


def _ignore_xfsz() -> None:
    import signal

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def test_what_a_banner_says_is_text_to_everybody(tmp_path: Path) -> None:
    import csv
    import sqlite3

    name = "'); DROP TABLE sessions; --"
    trace = tmp_path / "trace.log"
    trace.write_bytes(
        told(b"Transport: Sending Banner: SSH-2.0-libssh2_1.11.1")
        + told(b"Transport: Received Banner: " + HOSTILE_BANNER)
        + dump(SENT, b"\x32" + string(name.encode()) + string(b"ssh-connection") + string(b"none"))
    )
    for format in ("csv", "html", "md", "sqlite"):
        ended = run("timeline", trace, "-t", "sessions", "-o", tmp_path / f"out.{format}")
        check(ended, (0,))
    with (tmp_path / "out.csv").open(newline="") as file:
        for row in csv.reader(file):
            assert not any(cell[:1] in ("=", "+", "-", "@", "\t") for cell in row)
    assert "<script" not in (tmp_path / "out.html").read_text()
    assert not re.search(r"(?<!\\)<script", (tmp_path / "out.md").read_text())
    with sqlite3.connect(tmp_path / "out.sqlite") as database:
        assert database.execute("SELECT user FROM sessions").fetchall() == [(name,)]
    check(run("analyze", trace, "-vv"), (0,))
