"""What a program or a mail does to a trace does not change its diagnosis."""

import random
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from support import CASES, SAMPLES, diagnose_bytes, each
from support.variations import WRAPPED, vary

FILES = sorted(p for p in [*SAMPLES.glob("*.log"), *CASES.glob("*/*.log")] if p.stat().st_size < 100_000)
STAMP = re.compile(rb"(\[libssh2\] )(\d+)\.(\d{6})")
# Traces that another program has worked on already; some changes on top of its own make no sense.
PLAIN = [p for p in FILES if p.read_bytes()[:10].startswith(b"[libssh2] ") and b"\r" not in p.read_bytes()[:2000]]


def verdicts(data: bytes) -> list[tuple[str, str | None]]:
    return [(s["verdict"], s["root_cause"]) for s in diagnose_bytes(data)["sessions"]]


@cache
def untouched(path: Path) -> list[tuple[str, str | None]]:
    """What every change of a trace is held against."""
    return verdicts(path.read_bytes())


def lines_of(data: bytes) -> list[bytes]:
    return data.split(b"\n")


def with_foreign_lines(data: bytes) -> bytes:
    """Program output and curl's talk between records, and between a dump's rows."""
    chance = random.Random(7)
    out = []
    for line in lines_of(data):
        out.append(line)
        # Not behind a text that the peer ends with newlines of its own: nobody can tell whose the next line is.
        if chance.random() < 0.03 and not re.search(rb"Disconnect|Banner|got 0|message=", line):
            out.append(chance.choice([b"* Connection state changed", b"(gdb) n", b"Waiting for channel to close"]))
    return b"\n".join(out)


def shifted(data: bytes) -> bytes:
    return STAMP.sub(lambda m: b"%s%d.%s" % (m[1], int(m[2]) + 4000, m[3]), data)


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "a level before each line": lambda data: re.sub(rb"(?m)^(?=.)", b"LOG ", data),
    "a later clock": shifted,
    "foreign lines": with_foreign_lines,
    # A handler that adds no newline; dumps carry their own.
    "records run on": lambda data: re.sub(rb"(?m)^(\[libssh2\][^\n]*)\n(?=\[libssh2\]|=> )", rb"\1", data),
    **{name: WRAPPED[name] for name in ("UTF-8 with BOM", "UTF-16 LE with BOM", "UTF-16 BE without BOM")},
    **{
        name: lambda data, name=name: vary(name, data)[0]  # type: ignore[misc]
        for name in ("CRLF", "blank line after each", "quoted in mail", "curl's prefix", "handler's prefix", "syslog",
                     "colours")
    },
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
@each("path", PLAIN)
def test_diagnosis_stays(path: Path, change: str) -> None:
    assert verdicts(CHANGES[change](path.read_bytes())) == untouched(path)


@each("path", sorted(SAMPLES.glob("*.log")))
def test_a_cut_trace_claims_nothing_that_the_rest_refutes(path: Path) -> None:
    """Cut at any record, a session gets the whole trace's cause, a hang's, or none.

    Where the trace ends right after an error, the error is the cause with the doubt said: the program may have gone on.
    """
    data = path.read_bytes()
    whole = {cause for _, cause in verdicts(data)}
    starts = [m.start() for m in re.finditer(rb"^\[libssh2\] ", data, re.MULTILINE)]
    for start in starts[1 :: max(1, len(starts) // 40)]:
        for session in diagnose_bytes(data[:start])["sessions"]:
            cause = session["root_cause"]
            if cause in whole or cause in (None, "transport-timeout", "banner-timeout", "sftp-start-failed"):
                continue
            assert any("would decide" in rival["because"] for rival in session["findings"][0]["rivals"]), (start, cause)
