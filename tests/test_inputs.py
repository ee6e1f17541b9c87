import bz2
import gzip
import hashlib
import io
import lzma
import os
import socket
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tracelens
from tracelens.errors import UnreadableInput
from tracelens.inputs import Limits, Source, decode, find, list_paths

TRACE = b"[libssh2] 0.369332 Failure Event: -37 - Failed getting banner\r\n" * 40


def read(inputs: list[str], limits: Limits | None = None) -> list[tuple[str, str | None, bytes | str]]:
    """What each input holds: its bytes, or the reason why not."""
    found: list[tuple[str, str | None, bytes | str]] = []
    for item in find(inputs, limits or Limits()):
        if isinstance(item, UnreadableInput):
            found.append((item.name, None, item.reason))
            continue
        try:
            found.append((item.name, item.compression, b"".join(item.chunks())))
        except UnreadableInput as error:
            found.append((error.name, item.compression, error.reason))
    return found


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return packed.getvalue()


def tarred(members: dict[str, bytes], mode: str = "w", **options: int) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode, **options) as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return packed.getvalue()


@pytest.fixture
def put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, bytes], str]:
    """Write a file into the empty folder that is the current one."""
    monkeypatch.chdir(tmp_path)

    def put(name: str, data: bytes) -> str:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return name

    return put


Put = Callable[[str, bytes], str]


# --- one file


def test_a_plain_file_is_read_in_blocks_and_hashed(put: Put) -> None:
    put("a.log", TRACE)
    [source] = (item for item in find(["a.log"]) if isinstance(item, Source))
    assert (source.name, source.compression, source.sha256, source.bytes) == ("a.log", None, None, None)
    for item in find(["a.log"]):
        assert isinstance(item, Source)
        blocks = list(item.chunks(1000))
        assert {len(block) for block in blocks[:-1]} == {1000}
        assert b"".join(blocks) == TRACE
        assert (item.sha256, item.bytes) == (hashlib.sha256(TRACE).hexdigest(), len(TRACE))


def test_a_half_read_source_has_no_hash(put: Put) -> None:
    for item in find([put("a.log", TRACE)]):
        assert isinstance(item, Source)
        blocks = item.chunks(10)
        next(blocks)
        blocks.close()  # type: ignore[attr-defined]
        assert item.sha256 is None


def test_an_empty_file_is_a_source(put: Put) -> None:
    assert read([put("a.log", b"")]) == [("a.log", None, b"")]


def test_a_source_can_be_read_once_and_in_its_turn(put: Put) -> None:
    first, _ = find([put("a.log", TRACE), put("b.log", TRACE)])
    assert isinstance(first, Source)
    with pytest.raises(RuntimeError, match=r"a\.log can be read once"):
        list(first.chunks())
    for item in find(["a.log"]):
        assert isinstance(item, Source)
        list(item.chunks())
        with pytest.raises(RuntimeError):
            list(item.chunks())


@pytest.mark.parametrize(("label", "pack"), [("gzip", gzip.compress), ("bzip2", bz2.compress), ("xz", lzma.compress)])
def test_compression_is_known_by_content(put: Put, label: str, pack: Callable[[bytes], bytes]) -> None:
    assert read([put("a.log", pack(TRACE))]) == [("a.log", label, TRACE)]
    assert read([put("a.log", pack(TRACE) + pack(b"more"))]) == [("a.log", label, TRACE + b"more")]
    assert read([put("a.log", pack(b""))]) == [("a.log", label, b"")]
    assert read([put("a.log", pack(gzip.compress(TRACE)))]) == [("a.log", f"{label}+gzip", TRACE)]


@pytest.mark.parametrize(("label", "pack"), [("gzip", gzip.compress), ("bzip2", bz2.compress), ("xz", lzma.compress)])
def test_of_a_cut_file_comes_what_can_be_read(put: Put, label: str, pack: Callable[[bytes], bytes]) -> None:
    data = os.urandom(3 << 20)
    packed = pack(data)
    for item in find([put("a.log.gz", packed[: len(packed) // 2])]):
        assert isinstance(item, Source)
        got: list[bytes] = []
        with pytest.raises(UnreadableInput, match=rf"^a\.log\.gz: the {label} data is cut off$"):
            got.extend(item.chunks())
        whole = b"".join(got)
        assert data.startswith(whole)
        assert len(whole) > 500_000
        assert (item.sha256, item.bytes) == (hashlib.sha256(whole).hexdigest(), len(whole))


def test_a_wrong_checksum_costs_no_byte(put: Put) -> None:
    packed = bytearray(gzip.compress(TRACE))
    packed[-5] ^= 0xFF
    for item in find([put("a.gz", bytes(packed))]):
        assert isinstance(item, Source)
        got: list[bytes] = []
        with pytest.raises(UnreadableInput, match="damaged gzip data"):
            got.extend(item.chunks())
        assert b"".join(got) == TRACE


def test_damage_in_the_first_bytes_is_an_item(put: Put) -> None:
    assert read([put("a.gz", gzip.compress(TRACE)[:5])]) == [("a.gz", None, "the gzip data is cut off")]
    [(_, _, why)] = read([put("a.bz2", b"BZh91AY&SY" + bytes(99))])
    assert str(why).startswith("damaged bzip2 data")


def test_zstd(put: Put) -> None:
    if sys.version_info >= (3, 14):
        from compression.zstd import compress
    else:
        compress = pytest.importorskip("zstandard").compress
    data = os.urandom(300_000)
    packed = compress(data)
    assert read([put("a", packed)]) == [("a", "zstd", data)]
    assert read([put("a", packed + compress(b"more"))]) == [("a", "zstd", data + b"more")]
    assert read([put("a", packed[:200_000])]) == [("a", "zstd", "the zstd data is cut off")]
    assert "damaged zstd data" in str(read([put("a", packed[:9] + b"\xff" * 99)]))


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="zstd is in the standard library")
def test_without_the_extra_zstd_says_what_to_install(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    path = put("a.zst", b"\x28\xb5\x2f\xfd" + bytes(20))
    assert read([path, put("b", TRACE)]) == [
        ("a.zst", None, 'zstd needs the extra: pip install "libssh2-tracelens[zstd]"'),
        ("b", None, TRACE),
    ]


# --- archives


def test_members_of_a_zip(put: Put) -> None:
    put("a.zip", zipped({"dir/": b"", "dir/b.log": TRACE, "a.log": b"a"}))
    assert read(["a.zip"]) == [("a.zip!dir/b.log", "zip", TRACE), ("a.zip!a.log", "zip", b"a")]


@pytest.mark.parametrize(
    ("mode", "label"), [("w", "tar"), ("w:gz", "gzip+tar"), ("w:bz2", "bzip2+tar"), ("w:xz", "xz+tar")]
)
def test_members_of_a_tar(put: Put, mode: str, label: str) -> None:
    put("a", tarred({"b.log": TRACE, "d/a.log": b"a", "e": b""}, mode))
    assert read(["a"]) == [("a!b.log", label, TRACE), ("a!d/a.log", label, b"a"), ("a!e", label, b"")]


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_tar_formats_and_long_names(put: Put, form: int) -> None:
    long = "/".join(["folder"] * (20 if form == tarfile.USTAR_FORMAT else 60)) + "/é.log"
    assert read([put("a", tarred({long: TRACE}, format=form))]) == [(f"a!{long}", "tar", TRACE)]


def test_a_tar_without_magic_is_known_by_its_checksum(put: Put) -> None:
    header = bytearray(tarfile.TarInfo("a").tobuf(tarfile.USTAR_FORMAT))
    header[124:136] = b"%011o\0" % len(TRACE)
    header[257:265] = bytes(8)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    put("a", bytes(header) + TRACE.ljust(5120, b"\0") + bytes(1024))
    assert read(["a"]) == [("a!a", "tar", TRACE)]


def test_archives_nest(put: Put) -> None:
    inner = zipped({"c.log.gz": gzip.compress(TRACE), "d.log": b"d"})
    put("a.tar.gz", tarred({"b.zip": inner, "e.log": b"e"}, "w:gz"))
    put("z.zip", zipped({"y.zip": inner}))
    assert read(["a.tar.gz", "z.zip"]) == [
        ("a.tar.gz!b.zip!c.log.gz", "gzip+tar+zip+gzip", TRACE),
        ("a.tar.gz!b.zip!d.log", "gzip+tar+zip", b"d"),
        ("a.tar.gz!e.log", "gzip+tar", b"e"),
        ("z.zip!y.zip!c.log.gz", "zip+zip+gzip", TRACE),
        ("z.zip!y.zip!d.log", "zip+zip", b"d"),
    ]


def seven_zipped(members: dict[str, bytes], **options: str | bool) -> bytes:
    py7zr = pytest.importorskip("py7zr", reason="7z needs the extra 7z")
    packed = io.BytesIO()
    with py7zr.SevenZipFile(packed, "w", **options) as archive:
        for name, data in members.items():
            archive.writef(io.BytesIO(data), name)
    return packed.getvalue()


def test_members_of_a_7z(put: Put) -> None:
    inner = seven_zipped({"d/c.log.gz": gzip.compress(TRACE), "d.log": b"d" * 300_000, "e.log": TRACE})
    put("a.7z", inner)
    put("z.zip", zipped({"y": inner}))
    assert read(["a.7z", "z.zip"]) == [
        ("a.7z!d/c.log.gz", "7z+gzip", TRACE),
        ("a.7z!d.log", "7z", b"d" * 300_000),
        ("a.7z!e.log", "7z", TRACE),
        ("z.zip!y!d/c.log.gz", "zip+7z+gzip", TRACE),
        ("z.zip!y!d.log", "zip+7z", b"d" * 300_000),
        ("z.zip!y!e.log", "zip+7z", TRACE),
    ]
    assert [item.name for item in find(["a.7z"])] == ["a.7z!d/c.log.gz", "a.7z!d.log", "a.7z!e.log"]
    before = set(threading.enumerate())
    next(find(["a.7z"]))  # whoever stops in between leaves no thread behind
    assert set(threading.enumerate()) <= before
    assert sorted(os.listdir()) == ["a.7z", "z.zip"]


def test_names_in_a_7z_are_names_only(put: Put) -> None:
    os.symlink("/tmp", "logs")
    put("a.7z", seven_zipped({"logs/a.log": TRACE, "x/b": b"b", "c": b"c"}))
    assert [(name, data) for name, _, data in read(["a.7z"])] == [
        ("a.7z!logs/a.log", TRACE), ("a.7z!x/b", b"b"), ("a.7z!c", b"c"),
    ]  # fmt: skip
    assert sorted(os.listdir()) == ["a.7z", "logs"]


def test_what_nobody_reads_of_a_7z_counts_too(put: Put) -> None:
    put("a.7z", seven_zipped({"zeros": bytes(30_000_000), "b": b"b"}))
    items = list(find(["a.7z"], Limits(expanded_bytes=1_000_000)))
    assert [item.name for item in items] == ["a.7z!zeros", "a.7z"]
    assert "limit: expanded_bytes" in str(items[-1])


def test_a_7z_that_cannot_be_read(put: Put) -> None:
    whole = seven_zipped({"a": TRACE, "b": os.urandom(5000), "c": TRACE})
    [(name, _, why)] = read([put("cut.7z", whole[:-30])])
    assert (name, str(why)[:18]) == ("cut.7z", "damaged 7z archive")
    bad = bytearray(whole)
    bad[3000] ^= 0xFF
    found = read([put("bad.7z", bytes(bad))])
    assert str(found[-2][2]).startswith("damaged 7z member")
    assert found[-1][0] == "bad.7z"  # what follows is lost with it
    put("e.7z", seven_zipped({"a": TRACE}, password="walnut-Harbour-9"))
    assert read(["e.7z"]) == [("e.7z", None, "is encrypted; unpack it with its password, then give the file")]
    put("h.7z", seven_zipped({"a": TRACE}, password="walnut-Harbour-9", header_encryption=True))
    assert read(["h.7z"]) == [("h.7z", None, "is encrypted; unpack it with its password, then give the file")]
    put("many.7z", seven_zipped({str(n): b"x" for n in range(20)}))
    found = read(["many.7z"], Limits(members=10))
    assert len(found) == 11
    assert "limit: members" in str(found[-1][2])


def test_without_py7zr_the_extra_is_named(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    put("a.7z", b"7z\xbc\xaf\x27\x1c" + bytes(100))
    monkeypatch.setitem(sys.modules, "py7zr", None)
    assert read(["a.7z"]) == [("a.7z", None, '7z needs the extra: pip install "libssh2-tracelens[7z]"')]


def test_members_need_not_be_read(put: Put) -> None:
    put("a.tgz", tarred({"a": TRACE * 999, "b": tarred({"c": TRACE, "d": b"d"}), "e": b"e"}, "w:gz"))
    names = [item.name for item in find(["a.tgz"])]
    assert names == ["a.tgz!a", "a.tgz!b!c", "a.tgz!b!d", "a.tgz!e"]


def test_links_and_devices_in_archives_are_passed_over(put: Put) -> None:
    with tarfile.open("a.tar", "w") as archive:
        for name, kind in [
            ("l", tarfile.SYMTYPE), ("h", tarfile.LNKTYPE), ("c", tarfile.CHRTYPE), ("f", tarfile.FIFOTYPE)
        ]:  # fmt: skip
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    with zipfile.ZipFile("a.zip", "w") as packed:
        link = zipfile.ZipInfo("l")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        packed.writestr(link, "/etc/passwd")
        packed.writestr("z", TRACE)
    assert read(["a.tar", "a.zip"]) == [("a.zip!z", "zip", TRACE)]


def test_hostile_member_names_are_names_only(put: Put) -> None:
    put("a.zip", zipped({"../../x": b"1", "/etc/y": b"2", "a\x1b[2J\n": b"3"}))
    put("a.tar", tarred({"../x": b"4"}))
    assert [name for name, *_ in read(["a.zip", "a.tar"])] == [
        "a.zip!../../x", "a.zip!/etc/y", r"a.zip!a\x1b[2J\n", "a.tar!../x"
    ]  # fmt: skip
    assert sorted(os.listdir()) == ["a.tar", "a.zip"]


def test_an_encrypted_member_is_named_and_the_rest_goes_on(put: Put) -> None:
    packed = bytearray(zipped({"a": TRACE, "b": b"b"}))
    packed[packed.index(b"PK\x03\x04") + 6] |= 1
    packed[packed.index(b"PK\x01\x02") + 8] |= 1
    assert read([put("e.zip", bytes(packed))]) == [
        ("e.zip!a", None, "is encrypted; unpack it with its password, then give the file"),
        ("e.zip!b", "zip", b"b"),
    ]


def test_damaged_archives(put: Put) -> None:
    whole = zipped({"a": TRACE, "b": b"b" * 99}, zipfile.ZIP_STORED)
    [(_, _, why)] = read([put("a.zip", whole[:-30])])
    assert str(why).startswith("damaged zip archive")
    bad = whole.replace(TRACE[:9], b"x" * 9, 1)
    found = read([put("a.zip", bad)])
    assert str(found[0][2]).startswith("damaged zip member")
    assert found[1] == ("a.zip!b", "zip", b"b" * 99)
    method = bytearray(whole)
    method[method.index(b"PK\x01\x02") + 10] = 77
    assert "damaged zip member" in str(read([put("a.zip", bytes(method))])[0][2])

    tar = bytearray(tarred({"a": TRACE, "b": b"b"}))
    cut = "damaged tar archive: unexpected end of data"
    assert read([put("a.tar", bytes(tar[:1000]))]) == [
        ("a.tar!a", "tar", "damaged tar member: unexpected end of data"),
        ("a.tar", None, cut),
    ]
    second = tar.index(b"b\0\0")
    tar[second + 150] ^= 1
    assert read([put("a.tar", bytes(tar))]) == [
        ("a.tar!a", "tar", TRACE),
        ("a.tar", None, "damaged tar archive: bad checksum"),
    ]


def test_a_cut_tar_gives_what_it_has(put: Put) -> None:
    data = os.urandom(100_000)
    for item in find([put("a.tgz", tarred({"a": data}, "w:gz")[:60_000])]):
        if isinstance(item, Source):
            got: list[bytes] = []
            with pytest.raises(UnreadableInput, match="the gzip data is cut off"):
                got.extend(item.chunks())
            assert data.startswith(b"".join(got))
            assert sum(map(len, got)) >= 40_000


def test_damage_of_the_compression_around_a_tar_is_said(put: Put) -> None:
    packed = tarred({"a": TRACE, "b": os.urandom(99999)}, "w:gz")
    assert read([put("a.tgz", packed[:50_000])]) == [
        ("a.tgz!a", "gzip+tar", TRACE),
        ("a.tgz!b", "gzip+tar", "the gzip data is cut off"),
        ("a.tgz", None, "the gzip data is cut off"),
    ]
    found = read([put("a.tgz", packed[:-8] + bytes(8))])
    assert [name for name, *_ in found] == ["a.tgz!a", "a.tgz!b", "a.tgz"]
    assert "CRC" in str(found[-1][2])


# --- limits


def test_depth_ends_a_member(put: Put) -> None:
    data = TRACE
    for _ in range(4):
        data = zipped({"x": data})
    put("a.zip", zipped({"a": data, "b": b"b"}))
    assert read(["a.zip"], Limits(depth=4)) == [
        ("a.zip!a!x!x!x", None, "unfolds beyond the limit: depth = 4"),
        ("a.zip!b", "zip", b"b"),
    ]
    assert read(["a.zip"], Limits(depth=5))[0] == ("a.zip!a!x!x!x!x", "zip+zip+zip+zip+zip", TRACE)


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_members_end_the_input(put: Put, pack: Callable[[dict[str, bytes]], bytes]) -> None:
    put("a", pack({"1": b"1", "n": pack({"2": b"2", "3": b"3"}), "4": b"4"}))
    assert read(["a", put("b", b"b")], Limits(members=3)) == [
        ("a!1", "zip" if pack is zipped else "tar", b"1"),
        ("a!n!2", "zip+zip" if pack is zipped else "tar+tar", b"2"),
        ("a", None, "unfolds beyond the limit: members = 3"),
        ("b", None, b"b"),
    ]


def test_expanded_bytes_end_the_input(put: Put) -> None:
    why = "unfolds beyond the limit: expanded_bytes = 100,000"
    put("a.gz", gzip.compress(bytes(200_000)))
    put("a.zip", zipped({"a": bytes(200_000), "b": b"b"}))
    put("a.tgz", tarred({"a": bytes(200_000), "b": b"b"}, "w:gz"))
    assert read(["a.gz", "a.zip", "a.tgz"], Limits(expanded_bytes=100_000)) == [
        ("a.gz", "gzip", why),
        ("a.zip!a", "zip", why),
        ("a.zip", None, why),
        ("a.tgz!a", "gzip+tar", why),
        ("a.tgz", None, why),
    ]


def test_a_bomb_is_refused(put: Put) -> None:
    bomb = bz2.compress(bytes(80 << 20))
    assert len(bomb) < 8000
    assert read([put("a", bomb)]) == [("a", "bzip2", "unfolds beyond the limit: ratio = 10,000")]
    half = bz2.compress(bytes(60 << 20))
    assert len(read([put("a", half)])[0][2]) == 60 << 20


def test_a_sparse_tar_member_is_a_bomb_too(put: Put) -> None:
    info = tarfile.TarInfo("s")
    info.size, info.pax_headers = 512, {
        "GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.name": "s",
        "GNU.sparse.size": str(1 << 40), "GNU.sparse.numblocks": "1", "GNU.sparse.map": "0,512",
    }  # fmt: skip
    with tarfile.open("s.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(info, io.BytesIO(bytes(512)))
    [first, *_] = find(["s.tar"])
    assert first.name == "s.tar!s"
    assert read(["s.tar"], Limits(expanded_bytes=1 << 20))[0][2] == (
        "unfolds beyond the limit: expanded_bytes = 1,048,576"
    )


def test_a_huge_tar_header_is_refused(put: Put) -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 1 << 30
    put("a", info.tobuf(tarfile.GNU_FORMAT) + bytes(1 << 20))
    assert read(["a"]) == [("a", None, "damaged tar archive: too large a header")]


# --- folders, globs, what is no file


def test_a_folder_is_read_sorted_by_path(put: Put) -> None:
    for name in ["f/b.log", "f/a/z.log", "f/a-b.log", "f/.hidden", "f/a.zip"]:
        put(name, zipped({"m": b"m"}) if name.endswith("zip") else b"x")
    assert [item.name for item in find(["f"])] == [
        "f/.hidden", "f/a-b.log", "f/a.zip!m", "f/a/z.log", "f/b.log"
    ]  # fmt: skip
    assert list(list_paths(["f"])) == ["f/.hidden", "f/a-b.log", "f/a.zip", "f/a/z.log", "f/b.log"]


def test_globs(put: Put) -> None:
    for name in ["b.log", "a.log", "d/c.log", "x[1].log", "c.txt"]:
        put(name, name.encode())
    assert list(list_paths(["*.log"])) == ["a.log", "b.log", "x[1].log"]
    assert list(list_paths(["**/*.log"])) == ["a.log", "b.log", "d/c.log", "x[1].log"]
    assert list(list_paths(["?"])) == ["d/c.log"]
    assert list(list_paths(["x[1].log"])) == ["x[1].log"]
    assert read(["*.nothing"]) == [("*.nothing", None, "no file matches this pattern")]


def test_what_is_missing_does_not_stop_the_rest(put: Put) -> None:
    missing, impossible, there = read(["none.log", "a\0b", put("a", b"a")])
    assert missing == ("none.log", None, "No such file or directory")
    assert impossible[0] == r"a\x00b"
    assert "embedded null" in str(impossible[2])
    assert there == ("a", None, b"a")


def test_a_file_without_permission(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", path)

    put("a", b"a")
    monkeypatch.setattr("builtins.open", refuse)
    assert read(["a"]) == [("a", None, "Permission denied")]
    monkeypatch.setattr("os.scandir", refuse)
    assert read(["."]) == [(".", None, "Permission denied")]


posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX files")


@posix
def test_links_to_folders_are_followed_but_not_in_circles(put: Put, tmp_path: Path) -> None:
    put("f/a.log", b"a")
    put("g/b.log", b"b")
    os.symlink("../g", "f/link")
    os.symlink("..", "f/up")
    os.symlink("../f", "g/loop")
    os.symlink("nowhere", "f/broken")
    os.symlink("circle", "f/circle")
    loop = "directory loop: this folder is read already, by another name"
    assert read(["f"]) == [
        ("f/a.log", None, b"a"),
        ("f/broken", None, "No such file or directory"),
        ("f/circle", None, "Too many levels of symbolic links"),
        ("f/link/b.log", None, b"b"),
        ("f/link/loop", None, loop),
        ("f/up/f", None, loop),
        ("f/up/g", None, loop),
    ]


@posix
def test_a_fifo_is_read_only_where_it_is_named(put: Put) -> None:
    put("f/a", b"a")
    os.mkfifo("f/fifo")
    assert read(["f"]) == [("f/a", None, b"a"), ("f/fifo", None, "is a FIFO, not a file")]
    assert read(["f/fif*"]) == [("f/fifo", None, "is a FIFO, not a file")]
    packed = zipped({"m": TRACE})
    writer = threading.Thread(target=lambda: Path("f/fifo").write_bytes(packed))
    writer.start()
    assert read(["f/fifo"]) == [("f/fifo!m", "zip", TRACE)]
    writer.join()


@posix
def test_devices_and_sockets_are_refused(put: Put) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("sock")
        assert read(["/dev/zero", "sock"]) == [
            ("/dev/zero", None, "is a device, not a file"),
            ("sock", None, "is a socket, not a file"),
        ]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_an_undecodable_name_is_shown_as_escapes(put: Put) -> None:
    put(os.fsdecode(b"a\xff.log"), b"a")
    assert read(["."]) == [(r"./a\udcff.log", None, b"a")]


@pytest.mark.parametrize("path", ["-", pytest.param("/dev/stdin", marks=posix)])
@pytest.mark.parametrize("seekable", [True, False])
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (TRACE, ("", None)),
        (gzip.compress(TRACE), ("", "gzip")),
        (zipped({"m": TRACE}), ("!m", "zip")),
        (tarred({"m": TRACE}, "w:xz"), ("!m", "xz+tar")),
    ],
)
def test_standard_input(
    tmp_path: Path, path: str, seekable: bool, data: bytes, expected: tuple[str, str | None]
) -> None:
    program = (
        "import sys; from tracelens.inputs import find\n"
        "for s in find(sys.argv[1:]): b = b''.join(s.chunks()); print(s.name, s.compression, s.sha256)"
    )
    call = [sys.executable, "-c", program, path]
    file = tmp_path / "in"
    file.write_bytes(data)
    if seekable:
        with file.open("rb") as stdin:
            done = subprocess.run(call, stdin=stdin, capture_output=True, check=True)
    else:
        done = subprocess.run(call, input=data, capture_output=True, check=True)
    name, compression = expected
    sha256 = hashlib.sha256(TRACE).hexdigest()
    assert done.stdout.decode().split() == [path + name, str(compression), sha256]


def test_without_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert read(["-"]) == [("-", None, "there is no standard input")]


# --- encodings

TEXT = "[libssh2] 0.1 Failure Event: -37 - Failed getting banner\r\n"


def decode_data(data: bytes, size: int = 7) -> tuple[str, bytes]:
    label, blocks = decode(data[i : i + size] for i in range(0, len(data), size))
    return label, b"".join(blocks)


@pytest.mark.parametrize("lead", ["", "é", "接続のログ\n", "\U0001f600", "　"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("label", ["utf-16-le", "utf-16-be"])
def test_utf16_with_and_without_a_mark(label: str, mark: str, lead: str) -> None:
    text = lead + TEXT * 3000
    assert decode_data((mark + text).encode(label)) == (label, text.encode())


@pytest.mark.parametrize("label", ["utf-32-le", "utf-32-be"])
def test_utf32_with_a_mark(label: str) -> None:
    assert decode_data(("\ufeff" + TEXT).encode(label)) == (label, TEXT.encode())


def test_utf8_and_its_mark() -> None:
    text = (TEXT + "接続\n").encode()
    assert decode_data(text) == ("utf-8", text)
    assert decode_data(b"\xef\xbb\xbf" + text) == ("utf-8-sig", text)
    assert decode_data(b"") == ("utf-8", b"")
    assert decode_data(b"\xff\xfe") == ("utf-16-le", b"")


def test_an_odd_byte_at_the_end_is_tolerated() -> None:
    assert decode_data(TEXT.encode("utf-16-le") + b"x") == ("utf-16-le", TEXT.encode() + "\ufffd".encode())


def test_latin1_passes_as_it_is() -> None:
    text = (TEXT + "Schlüssel für Müller ungültig\n").encode("latin-1")
    assert decode_data(text) == ("latin-1", text)


@pytest.mark.parametrize(
    "stray", [b"[\xf0\x8e\x01\x00\xc0\x99\xfe]", b"\x80\x81\x82\x83", bytes(3), "é\n".encode() + b"a\xe9b"]
)
def test_stray_bytes_leave_it_utf8(stray: bytes) -> None:
    text = TEXT.encode() * 3 + stray + b"\n" + TEXT.encode()
    assert decode_data(text) == ("utf-8", text)


def test_a_run_of_nul_is_no_utf16() -> None:
    assert decode_data(bytes(9000) + TEXT.encode())[0] == "utf-8"


def test_damage_comes_after_the_bytes_in_front_of_it() -> None:
    def damaged() -> Iterator[bytes]:
        yield b"abc"
        raise UnreadableInput("a", "damaged")

    label, blocks = decode(damaged())
    assert (label, next(blocks)) == ("utf-8", b"abc")
    with pytest.raises(UnreadableInput, match="a: damaged"):
        next(blocks)


# --- nothing else is ever raised

SEEDS = [
    b"", TRACE[:64], TRACE[:64].decode().encode("utf-16"), gzip.compress(TRACE), bz2.compress(TRACE),
    lzma.compress(TRACE), b"\x28\xb5\x2f\xfd" + bytes(30), zipped({"a": TRACE, "b": b"b"}),
    zipped({"a": TRACE}, zipfile.ZIP_STORED), zipped({"z": zipped({"a": TRACE})}), tarred({"a": TRACE}),
    tarred({"a": TRACE}, format=tarfile.PAX_FORMAT), tarred({"n" * 200: TRACE}, format=tarfile.GNU_FORMAT),
    tarred({"é" * 200: zipped({"a": b"a"})}, "w:gz"),
]  # fmt: skip


@st.composite
def hostile(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(0, 6))):
        place = draw(st.integers(0, len(data)))
        length = draw(st.integers(0, 8))
        data[place : place + length] = draw(st.binary(max_size=8) | st.binary(min_size=length, max_size=length))
    return bytes(data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data)


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=hostile() | st.binary(max_size=2000), size=st.sampled_from([1, 3, 512, 1 << 20]))
def test_any_bytes_raise_nothing_but_unreadable_input(tmp_path: Path, data: bytes, size: int) -> None:
    path = tmp_path / "any"
    path.write_bytes(data)
    for item in find([str(path)], Limits(expanded_bytes=1 << 22)):
        if isinstance(item, Source):
            try:
                label, blocks = decode(item.chunks(size))
                assert label
                assert all(blocks)
            except UnreadableInput as error:
                assert error.reason  # noqa: PT017
        else:
            assert item.name.startswith(str(path))
            assert item.reason


def test_decoders_are_loaded_only_when_needed(put: Put) -> None:
    program = (
        "import sys; from tracelens.inputs import find\n"
        "for s in find(['a']): list(s.chunks())\n"
        "print(*{'zipfile', 'bz2', 'lzma', 'gzip', 'tempfile', 'glob', 'email', 'xml'} & set(sys.modules))"
    )
    put("a", TRACE)
    path = os.pathsep.join(str(Path(module.__file__).parents[1]) for module in (tracelens, msgspec))
    done = subprocess.run(  # without what other packages run when Python starts
        [sys.executable, "-S", "-c", program], capture_output=True, check=True, env={"PYTHONPATH": path}
    )
    assert done.stdout.split() == []
