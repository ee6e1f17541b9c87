"""What the tests of scans share: a folder of inputs of every kind, and a scan of it."""

import gzip
import io
import os
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support import CASES, SAMPLES
from tracelens import batch

WRONG = (SAMPLES / "wrong-password.log").read_bytes()
RESULTS = ("files.parquet", "sessions.parquet", "findings.parquet", "summary.json")


def tarred(members: dict[str, bytes], mode: str = "w:gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), 1_600_000_000
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, (2021, 5, 6, 7, 8, 10)), data)
    return buffer.getvalue()


def traces() -> Iterator[tuple[str, bytes]]:
    for path in sorted(p for p in CASES.glob("*/*") if p.is_file())[::9]:
        yield path.name, path.read_bytes()


def fill(folder: Path) -> None:
    """Traces loose, packed and nested; things that are none; damaged ones."""
    some = dict(traces())
    names = sorted(some)
    for name in names[:8]:
        (folder / "loose").mkdir(exist_ok=True)
        (folder / "loose" / name).write_bytes(some[name])
    inner = zipped({f"deep/{name}": some[name] for name in names[8:14]})
    (folder / "all.tar.gz").write_bytes(tarred({"in.zip": inner, "note.txt": b"just a note\n", "w.log": WRONG}))
    (folder / "one.log.gz").write_bytes(gzip.compress(WRONG + b"[libssh2] 7.0 Conn: Closing channel 0/0\n"))
    (folder / "cut.log.gz").write_bytes(gzip.compress(WRONG + os.urandom(20_000))[:-8000])
    (folder / "broken.zip").write_bytes(zipped({"a.log": WRONG})[:200])
    (folder / "notes.txt").write_bytes(b"nothing of interest\n")


def read(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in RESULTS}


def scan(*inputs: Path | str, folder: Path, **options: Any) -> batch.Scan:
    return batch.scan(list(inputs), folder, **{"jobs": 2} | options)
