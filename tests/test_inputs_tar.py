"""The reader of tar archives against Python's own, and headers that claim or hold too much."""

import bz2
import gzip
import io
import lzma
import subprocess
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracelens.errors import UnreadableInput
from tracelens.inputs import find, tar
from tracelens.inputs.streams import Stream

TRACE = b"[libssh2] 0.369332 Failure Event: -37 - Failed getting banner\n" * 40
HUGE, PRESENT = 600 << 20, 8 << 20  # what headers claim, and how much of it follows
FORMATS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]


def files(data: bytes) -> list[tuple[str, bytes]]:
    """What the archive holds, by our reader."""
    found = []
    for member in tar.packed_files(Stream(io.BytesIO(data).read, "file")):
        parts = list(iter(lambda read=member.read: read(1000), b""))
        found.append((member.name, b"".join(parts)))
    return found


def packed(members: dict[str, bytes], form: int, **fields: float) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            for field, value in fields.items():
                setattr(info, field, value)
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


@settings(deadline=None, max_examples=60)
@given(
    members=st.dictionaries(
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=300)
        .map(lambda name: "/".join(filter(None, name.split("/"))))
        .filter(lambda name: name),
        st.binary(max_size=2000), max_size=5,
    ),
    form=st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
)  # fmt: skip
def test_what_tarfile_writes_is_read(members: dict[str, bytes], form: int) -> None:
    assert files(packed(members, form)) == list(members.items())


@pytest.mark.parametrize("form", FORMATS)
def test_file_times(form: int) -> None:
    data = packed({"a": b"1"}, form, mtime=1700000000)
    assert [m.modified for m in tar.packed_files(Stream(io.BytesIO(data).read, "file"))] == [1700000000]


def test_numbers_in_base_256() -> None:
    data = bytearray(packed({"a": TRACE}, tarfile.GNU_FORMAT))
    data[124:136] = b"\x80" + len(TRACE).to_bytes(11, "big")
    data[148:156] = b"%06o\0 " % (sum(data[:148]) + 8 * 32 + sum(data[156:512]))
    assert files(bytes(data)) == [("a", TRACE)]


@pytest.mark.parametrize("form", ["gnu", "posix", "ustar", "v7", "oldgnu"])
def test_what_gnu_tar_writes_is_read(form: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.log").write_bytes(TRACE)
    (tmp_path / "folder" / "link").symlink_to("a.log")
    subprocess.run(["tar", f"--format={form}", "-cf", "x.tar", "folder"], cwd=tmp_path, check=True)
    assert files((tmp_path / "x.tar").read_bytes()) == [("folder/a.log", TRACE)]


@pytest.mark.parametrize("form", [["gnu"], ["posix", "--sparse-version=0.0"], ["posix", "--sparse-version=0.1"],
                                  ["posix", "--sparse-version=1.0"]])  # fmt: skip
def test_sparse_files_of_gnu_tar(form: list[str], tmp_path: Path) -> None:
    with open(tmp_path / "holes", "wb") as file:
        for number in range(60):  # more than the first header has room for
            file.seek(number * 65536)
            file.write(b"%d\n" % number * 50)
        file.truncate(61 * 65536)
    (tmp_path / "after").write_bytes(TRACE)
    subprocess.run(["tar", f"--format={form[0]}", *form[1:], "-S", "-cf", "x.tar", "holes", "after"], cwd=tmp_path,
                   check=True)  # fmt: skip
    data = (tmp_path / "x.tar").read_bytes()
    assert len(data) < 2 << 20
    assert files(data) == [("holes", (tmp_path / "holes").read_bytes()), ("after", TRACE)]


# --- headers without end


def header(kind: bytes, size: int, name: str = "x") -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


def sparse_header() -> bytes:
    """A GNU sparse file whose map goes on in the next block."""
    block = bytearray(header(b"S", 512))
    block[482] = 1
    block[148:156] = b"%06o\0 " % (sum(block[:148]) + 8 * 32 + sum(block[156:512]))
    return bytes(block)


def long(kind: bytes, size: int = HUGE, unit: bytes = b"a") -> bytes:
    return header(kind, size) + unit * (PRESENT // len(unit))


def map_in_data() -> bytes:
    records = b"22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n30 GNU.sparse.realsize=999999\n"
    attributes = header(b"x", len(records)) + records.ljust(512, b"\0")
    return attributes + header(b"0", HUGE) + b"99999999999\n" + b"0\n" * (PRESENT // 2)


LARGE_HEADERS = {
    "a long name": long(b"L"),
    "a long name of a link": long(b"K"),
    "attributes": long(b"x"),
    "attributes of all members": long(b"g"),
    "attributes of Solaris tar": long(b"X"),
    "headers without end": long(b"x", 0, header(b"x", 0)),
    "the map of a sparse file": sparse_header() + (bytes(504) + b"\1" + bytes(7)) * (PRESENT // 512),
    "the map in the data of a sparse file": map_in_data(),
    "a long name after the map of a sparse file": packed({"a": b"1"}, tarfile.GNU_FORMAT)[:1024] + long(b"L"),
}


def zipped(data: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.tar", data)
    return file.getvalue()


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lzma.compress, bz2.compress, zipped])
@pytest.mark.parametrize("kind", LARGE_HEADERS)
def test_a_large_header_is_refused(kind: str, pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = tmp_path / "hostile"
    path.write_bytes(pack(LARGE_HEADERS[kind]))
    tracemalloc.start()
    try:
        found = list(find([str(path)]))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert isinstance(found[-1], UnreadableInput)
    assert found[-1].reason == "damaged tar archive: too large a header"
    assert peak < 20 << 20  # xz takes 9 MB for itself


# --- damage


@pytest.mark.parametrize("number", range(4))
def test_a_header_with_a_wrong_checksum_is_damage(number: int, tmp_path: Path) -> None:
    data = bytearray(packed(dict.fromkeys("abcd", TRACE[:500]), tarfile.GNU_FORMAT))
    data[1024 * number + 5] ^= 1
    (tmp_path / "a.tar").write_bytes(data)
    found = list(find([str(tmp_path / "a.tar")]))
    assert [item.name.rpartition("!")[2] for item in found[:-1]] == list("abcd"[:number])
    assert isinstance(found[-1], UnreadableInput)
    assert found[-1].reason == "damaged tar archive: bad checksum"


@settings(deadline=None, max_examples=200)
@given(
    seed=st.sampled_from([*(data[:20_000] for data in LARGE_HEADERS.values()), *(
        packed({"n" * 150: TRACE, "b": b"2"}, form, mtime=1.5) for form in FORMATS[1:]
    )]),
    places=st.lists(st.tuples(st.integers(0, 5000), st.binary(min_size=1, max_size=12)), max_size=4),
    cut=st.integers(0, 20_000), size=st.sampled_from([1, 512, 100_000]), mend=st.booleans(),
)  # fmt: skip
def test_any_damage_raises_value_errors_only(
    seed: bytes, places: list[tuple[int, bytes]], cut: int, size: int, mend: bool
) -> None:
    data = bytearray(seed)
    for place, change in places:
        data[place : place + len(change)] = change
    if mend and len(data) >= 512:  # a right checksum in front of wrong fields
        data[148:156] = b"%06o\0 " % (sum(data[:148]) + 8 * 32 + sum(data[156:512]))
    try:
        for member in tar.packed_files(Stream(io.BytesIO(bytes(data[:cut])).read, "file")):
            total = 0
            while total < 10_000_000 and (block := member.read(size)):
                total += len(block)
            assert isinstance(member.name, str)
    except ValueError:
        pass
