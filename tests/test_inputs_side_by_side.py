"""Two traces beside each other: what `sdiff` and `diff -y` print."""

import shutil
import subprocess
from itertools import zip_longest
from pathlib import Path

import pytest
from support import SAMPLES, TRACES, each

from tracelens.errors import UnreadableInput
from tracelens.inputs.unwrap import side_by_side


def beside(first: str, second: str, width: int) -> bytes:
    """Lines of two texts in two columns of half the width, cut there."""
    rows = []
    for left, right in zip_longest(first.splitlines(), second.splitlines(), fillvalue=""):
        mark = " " if left == right else "|" if left and right else "<" if left else ">"
        left, right = left[: width // 2 - 2], right[: width // 2 - 2]
        rows.append(f"{left:{width // 2}}{mark} {right}")
    return "\n".join(rows).encode("utf-8", "replace")


@each("path", TRACES)
def test_a_single_trace_is_none(path: Path) -> None:
    assert not side_by_side.found(path.read_bytes()[: 1 << 16])


@pytest.mark.parametrize("width", [130, 160, 300])
@pytest.mark.parametrize("other", ["wrong-password.log", "two-factors-healthy.log"])
def test_two_traces_are_known(width: int, other: str) -> None:
    first = (SAMPLES / "wrong-password.log").read_text()
    assert side_by_side.found(beside(first, (SAMPLES / other).read_text(), width)[: 1 << 16])


@pytest.mark.skipif(shutil.which("diff") is None, reason="no diff here")
@pytest.mark.parametrize("options", [(), ("-t",), ("-W", "200"), ("--left-column",)])
def test_what_diff_prints(options: tuple[str, ...]) -> None:
    files = [str(SAMPLES / name) for name in ("wrong-password.log", "rsa-sha1-refused.log")]
    printed = subprocess.run(["diff", "-y", *options, *files], capture_output=True, check=False).stdout
    assert side_by_side.found(printed[: 1 << 16])


def test_records_without_newlines_are_none() -> None:
    joined = (SAMPLES / "wrong-password.log").read_bytes().replace(b"\n[libssh2]", b"[libssh2]")
    assert not side_by_side.found(joined[: 1 << 16])


def test_it_is_refused_in_a_sentence() -> None:
    first = (SAMPLES / "wrong-password.log").read_text()
    head = beside(first, first, 130)[: 1 << 16]
    refuse = side_by_side.find(head)
    assert refuse is not None
    with pytest.raises(UnreadableInput, match="side by side"):
        list(refuse(iter([head])))
    assert side_by_side.find(first.encode()) is None
