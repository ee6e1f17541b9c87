"""Inputs that no program writes: bounded, and what was cut is said."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import pytest
from support import diagnose_bytes

from tracelens.records import Reader
from tracelens.redact import Redaction
from tracelens.source import Source, find

SIZE = 2 << 20


def words(number: int) -> bytes:
    """A text unlike those of other numbers."""
    return b"%x" % (number * 2654435761 % (1 << 60))


DISTINCT = range(SIZE // 50)
HOSTILE: dict[str, bytes] = {
    "bare tags": b"[libssh2] " * (SIZE // 10),
    "titles": b"=> libssh2_transport_write plain (44 bytes)\n" * (SIZE // 44),
    "unknown texts": b"".join(b"[libssh2] 0.1%05d Conn: %s\n" % (n, words(n)) for n in DISTINCT),
    "failures": b"".join(b"[libssh2] 0.1%05d Failure Event: -%d - %s\n" % (n, n % 60, words(n)) for n in DISTINCT),
    "one failure": b"[libssh2] 0.100000 Failure Event: -31 - SFTP Protocol Error\n" * (SIZE // 60),
    "attempts": b"".join(
        b"[libssh2] 0.1%05d Userauth: Permitted auth methods: publickey,password\n"
        b"[libssh2] 0.1%05d Failure Event: -18 - Authentication failed (username/password)\n" % (n, n)
        for n in range(SIZE // 140)
    ),
    "channels": b"".join(
        b"[libssh2] 0.1%05d Conn: Allocating tty on channel %d/%d\n" % (n, n, n) for n in range(SIZE // 55)
    ),
    "sessions": b"[libssh2] 0.100000 Transport: session_startup for socket 4\n[libssh2] 0.1 Conn: x\n" * (SIZE // 82),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_input_takes_out_of_measure(name: str) -> None:
    data = HOSTILE[name]
    begin = time.process_time()
    document = diagnose_bytes(data)
    # Half a second a MB on a machine with nothing else to do; others may be slower.
    assert time.process_time() - begin < 10
    assert document["trace"]["records"] + document["trace"]["dumps"] >= len(data) // 90


@pytest.mark.parametrize(
    "data",
    [
        b"password=x1y2 " * (SIZE // 14),
        b"".join(b"login password=%s now\n" % words(n) for n in range(SIZE // 40)),
        b"[libssh2]" * (SIZE // 40),
    ],
    ids=["one credential", "many credentials", "bare tags"],
)
def test_no_copy_takes_out_of_measure(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"[libssh2] 0.100000 Transport: Received Banner: SSH-2.0-x\n" + data)
    begin = time.process_time()
    for origin in find([str(path)]):
        assert isinstance(origin, Source)
        with Redaction() as redaction:
            redaction.survey(origin)
            redaction.write(origin.name, io.BytesIO())
    assert time.process_time() - begin < 20


@pytest.mark.parametrize("name", ["titles", "failures", "one failure", "sessions"])
def test_what_a_limit_cut_is_said(name: str) -> None:
    document = diagnose_bytes(HOSTILE[name] * 3)
    trace = document["trace"]
    assert trace["counted_only"] + trace["unparted_sessions"] > 1000
    said = [n["summary"] for n in document["notices"] if n["id"] == "trace-unrecognized"]
    assert any("beyond a limit" in summary for summary in said)


def test_a_failure_after_the_limit_is_still_told() -> None:
    """What is rare is told one by one, however much of the same came before it."""
    data = HOSTILE["one failure"] * 5 + b"[libssh2] 0.200000 Failure Event: -43 - socket disconnect\n"
    told: list[Any] = list(Reader([data]))
    assert told[-1].text == "-43 - socket disconnect"
    assert len(told) < 140_000  # of 175,000
