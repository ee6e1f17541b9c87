"""A file read in spans gives the same items as one read in one go."""

from __future__ import annotations

import json
import multiprocessing
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from support import SAMPLES
from support.lines import PIECES, told, transfers

from tracelens.reader import Account, Reader, parallel

SPAN = 40_000
SETTINGS = settings(max_examples=60, deadline=None, derandomize=True)


def read_in_spans(path: Path, jobs: int = 1) -> tuple[list[tuple[object, ...]], Account, int]:
    data = path.read_bytes()
    cuts = parallel.cuts(str(path), len(data), SPAN)
    if not cuts:
        return [], Account(), 0
    reader = parallel.ParallelReader(str(path), cuts, jobs, iter([data]))
    return [told(item) for item in reader], reader.account, len(cuts)


def read_whole(path: Path) -> tuple[list[tuple[object, ...]], Account]:
    reader = Reader([path.read_bytes()])
    return [told(item) for item in reader], reader.account


def slower(data: bytes, by: int) -> bytes:
    """The lines with their clocks so many seconds later."""
    later = lambda m: b"%s%d." % (m[1], int(m[2]) + by)  # noqa: E731
    return re.sub(rb"^(\[libssh2\] )(\d{1,9})\.", later, data, flags=re.MULTILINE)


@given(
    st.lists(transfers(), min_size=1, max_size=3),
    st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join),
    st.lists(st.sampled_from(["same", "later", "pieces"]), min_size=4, max_size=12),
)
@SETTINGS
def test_spans_give_the_same_as_one_reader(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], pieces: bytes, plan: list[str]
) -> None:
    path = tmp_path_factory.mktemp("spans") / "long.log"
    data = b""
    for index, step in enumerate(plan):
        part = parts[index % len(parts)] * 3
        data += slower(part, index * 10) if step == "later" else part
        data += pieces if step == "pieces" else b""
    path.write_bytes(data)
    items, account, cuts = read_in_spans(path)
    event(f"cuts: {min(cuts, 1)}")
    if cuts:
        assert (items, account) == read_whole(path)


TRANSFER = b"".join(
    b"[libssh2] %d.%06d %s\n" % (n // 1000, n % 1000 * 1000, text)
    for n in range(9000)
    for text in (
        b"Conn: channel_read() wants %d bytes from channel 0/0 stream #0" % n,
        *([b"Failure Event: -37 - would block"] * (n % 50 == 7)),
        *([b"Failure Event: -37 - Failed getting banner"] * (n % 2000 == 1500)),
        *([b"Conn: Closing channel 0/0"] * (n % 1700 == 1)),
        *([b"program output"] * (n % 1800 == 1)),
    )
)


def test_runs_that_a_cut_parts_are_joined_again(tmp_path: Path) -> None:
    path = tmp_path / "transfer.log"
    path.write_bytes(TRANSFER)
    items, account, cuts = read_in_spans(path, jobs=2)
    assert cuts > 5
    assert (items, account) == read_whole(path)
    assert len(items) < 30


def test_a_span_that_tells_too_much_is_read_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "_ITEMS", 2)
    path = tmp_path / "transfer.log"
    path.write_bytes(TRANSFER + b"[libssh2] 9.100000 Conn: cut of")
    items, account, cuts = read_in_spans(path)
    assert cuts > 5
    assert (items, account) == read_whole(path)


def test_dumps_are_not_cut(tmp_path: Path) -> None:
    path = tmp_path / "dumps.log"
    path.write_bytes((SAMPLES / "wrong-password.log").read_bytes() * 20)
    assert read_in_spans(path)[2] == 0


def test_the_analysis_is_the_same_whatever_the_jobs(tmp_path: Path) -> None:
    path = tmp_path / "large.log"
    login = (SAMPLES / "two-sessions.log").read_bytes()
    path.write_bytes(login + TRANSFER * (parallel.LARGE // len(TRANSFER) + 1) + login)
    shown = [
        subprocess.run(
            [sys.executable, "-m", "tracelens", "analyze", str(path), "-f", "json", "--jobs", jobs],
            capture_output=True,
            check=True,
            timeout=300,
        ).stdout
        for jobs in ("1", "3")
    ]
    assert shown[0] == shown[1]
    assert json.loads(shown[0])["analyses"][0]["trace"]["records"] > 800_000


def test_processes_that_are_killed_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "large.log"
    path.write_bytes(TRANSFER)
    cuts = parallel.cuts(str(path), path.stat().st_size, SPAN)
    reader = parallel.ParallelReader(str(path), cuts, 2, iter([path.read_bytes()]))
    items = []
    for item in reader:
        items.append(told(item))
        for process in multiprocessing.active_children():
            process.kill()
    assert (items, reader.account) == read_whole(path)
