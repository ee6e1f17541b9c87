"""Traces that were exported with the newest line first."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import SAMPLES, TRACES, diagnose_bytes, diagnose_file, each

from tracelens import inputs
from tracelens.errors import UnreadableInput
from tracelens.inputs.unwrap import newest_first

_BEGIN = re.compile(rb"\[libssh2\] |=> ")


def text_of(path: Path) -> bytes:
    for source in inputs.find([str(path)]):
        assert isinstance(source, inputs.Source)
        return b"".join(inputs.decode(source.chunks())[1])
    raise AssertionError(path)


def by_blocks(lines: list[bytes]) -> Iterator[bytes]:
    """The newest record or title first, each with the lines that follow it."""
    blocks: list[list[bytes]] = [[]]
    for line in lines:
        if _BEGIN.search(line):
            blocks.append([])
        blocks[-1].append(line)
    for block in reversed(blocks):
        yield from block


@each("path", TRACES)
def test_a_trace_in_its_own_order_is_left_alone(path: Path) -> None:
    data = text_of(path)
    assert not newest_first.found(data[: 1 << 16])
    assert not newest_first.found(data)


@each("path", sorted(SAMPLES.glob("*.log")))
def test_all_lines_reversed(path: Path) -> None:
    lines = text_of(path).splitlines()
    reverse = lines[::-1]
    assert newest_first.found(b"\n".join(reverse)[: 1 << 16])
    assert list(newest_first.undo(reverse)) == lines


@each("path", sorted(SAMPLES.glob("*.log")))
def test_rows_that_stay_behind_their_title(path: Path) -> None:
    lines = text_of(path).splitlines()
    reverse = list(by_blocks(lines))
    assert newest_first.found(b"\n".join(reverse)[: 1 << 16])
    assert list(newest_first.undo(reverse)) == lines


def test_lines_behind_a_prefix() -> None:
    lines = [b"2026-01-02T03:04:05Z app[7]: " + line for line in text_of(SAMPLES / "wrong-password.log").splitlines()]
    reverse = lines[::-1]
    assert newest_first.found(b"\n".join(reverse))
    assert list(newest_first.undo(reverse)) == lines


def test_the_diagnosis_is_the_same() -> None:
    path = SAMPLES / "wrong-password.log"
    again = b"\n".join(newest_first.undo(text_of(path).splitlines()[::-1])) + b"\n"
    assert diagnose_bytes(again)["sessions"] == diagnose_file(path)["sessions"]


@pytest.mark.parametrize("size", [7, 4099])
def test_blocks_of_any_size(size: int) -> None:
    lines = text_of(SAMPLES / "wrong-password.log").splitlines()
    data = b"\n".join(lines[::-1])
    find = newest_first.find(data)
    assert find is not None
    blocks = (data[at : at + size] for at in range(0, len(data), size))
    assert b"".join(find(blocks)).splitlines() == lines
    assert newest_first.find(b"\n".join(lines)) is None


def test_a_few_processes_that_wrote_one_record_each_are_no_order() -> None:
    record = b"[libssh2] 0.%06d Failure Event: -18 - Authentication failed (username/password)\n"
    assert not newest_first.found(b"".join(record % time for time in (900, 700, 500)))


def test_one_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newest_first, "MAX_BYTES", 100)
    with pytest.raises(UnreadableInput, match="newest first"):
        list(newest_first.undo([b"x" * 60, b"y" * 60]))


@given(st.lists(st.sampled_from([b"", b"[libssh2] 0.5", b"0000: 32 ", b"=> libssh2_x", b"words"])))
def test_no_line_is_lost(lines: list[bytes]) -> None:
    assert sorted(newest_first.undo(lines)) == sorted(lines)
