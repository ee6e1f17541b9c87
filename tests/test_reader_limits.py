"""Inputs that no program writes: bounded, and what was cut is said."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import pytest
from support import CASES, LOGIN, READ, SENT, diagnose_bytes, dump, string

from tracelens.inputs import Source, find
from tracelens.reader import Reader
from tracelens.redact import Redaction

SIZE = 2 << 20


def words(number: int) -> bytes:
    """A text unlike those of other numbers."""
    return b"%x" % (number * 2654435761 % (1 << 60))


DISTINCT = range(SIZE // 50)
SHORT = (CASES / "banner-timeout" / "banner-mask-128-retries.log").read_bytes()
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
    "short sessions": SHORT * (SIZE // len(SHORT)),
    "hexadecimal": b"".join(b"[libssh2] 0.1%05d Key Ex: Burnt packet of type: %02x\n" % (n, n) for n in DISTINCT),
    "literal digits": b"".join(
        b"[libssh2] 0.1%05d Conn: X11 Connection established: channel %d/%d win 1/2 packet 3/4\n" % (n, n, n)
        for n in range(SIZE // 90)
    ),
}


def refused(password: bytes) -> bytes:
    return dump(SENT, LOGIN + string(password)) + dump(READ, b"\x33" + string(b"password") + b"\0")


@pytest.mark.parametrize("name", HOSTILE)
def test_no_input_takes_out_of_measure(name: str) -> None:
    data = HOSTILE[name]
    begin = time.process_time()
    document = diagnose_bytes(data)
    # Half a second a MB on a machine with nothing else to do; others may be slower.
    assert time.process_time() - begin < 6
    assert document["trace"]["records"] + document["trace"]["dumps"] >= len(data) // 95


@pytest.mark.parametrize(
    "data",
    [
        b"password=x1y2 " * (SIZE // 14),
        b"".join(b"login password=%s now\n" % words(n) for n in range(SIZE // 40)),
        b"[libssh2]" * (SIZE // 10),
        b"0000: 14 4D \n" * (SIZE // 13),
        dump(SENT, b"\1") * (SIZE // 110),
        dump(READ, b"\x5f\0\0\0\0") * (SIZE // 110),
        b"".join(refused(words(n)) for n in range(SIZE // 420)),
        SHORT * (SIZE // len(SHORT)),
        b"".join(
            b"[libssh2] 0.1%05d Conn: Channel 1 received request type %s (wr 1)\n" % (n, words(n)) for n in DISTINCT
        ),
    ],
    ids=[
        "one credential",
        "many credentials",
        "bare tags",
        "rows",
        "short packets",
        "channel data",
        "logins",
        "short sessions",
        "texts",
    ],
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
    # Where each line holds a credential, 5 seconds a MB on a machine with nothing else to do; others may be slower.
    assert time.process_time() - begin < 15


@pytest.mark.parametrize("name", ["unknown texts", "failures", "hexadecimal", "sessions"])
def test_what_a_limit_cuts_does_not_depend_on_how_it_is_read(name: str) -> None:
    data = HOSTILE[name] * 3
    whole, pieces = Reader([data]), Reader([data[at : at + 5000] for at in range(0, len(data), 5000)])
    assert list(whole) == list(pieces)
    assert whole.account == pieces.account


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
