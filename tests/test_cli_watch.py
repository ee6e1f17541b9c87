"""`tracelens watch` on traces that another process writes while it watches."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support import SAMPLES

WRONG = SAMPLES / "wrong-password.log"
HEALTHY = SAMPLES / "two-factors-healthy.log"
WRITER = """
import sys, time
source, target, parts = sys.argv[1], sys.argv[2], int(sys.argv[3])
data = open(source, "rb").read()
size = len(data) // parts + 1
with open(target, "ab", buffering=0) as out:
    for begin in range(0, len(data), size):
        out.write(data[begin : begin + size])
        time.sleep(0.15)
"""


def watching(target: Path, *flags: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "tracelens", "watch", str(target), *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "NO_COLOR": "1"},
    )


def write(source: Path, target: Path, parts: int = 8) -> None:
    subprocess.run([sys.executable, "-c", WRITER, str(source), str(target), str(parts)], check=True, timeout=60)


def test_says_the_diagnosis_of_a_trace_that_grows(tmp_path: Path) -> None:
    target = tmp_path / "ssh.log"
    process = watching(target, "--until-done", "--idle", "20", "--exit-code")
    time.sleep(0.5)
    write(WRONG, target)
    out, err = process.communicate(timeout=90)
    assert process.returncode == 1, err
    text = out.decode()
    assert "session 1: auth-password-rejected" in text
    assert text.index("Authentication") < text.index("auth-password-rejected")
    assert "session 1: ended, FAILED" in text
    assert "Proof" in text
    assert err == b""


def test_a_healthy_trace_ends_with_status_0(tmp_path: Path) -> None:
    target = tmp_path / "ssh.log"
    target.write_bytes(HEALTHY.read_bytes())
    process = watching(target, "--until-done", "--idle", "20", "--exit-code")
    out, _ = process.communicate(timeout=90)
    assert process.returncode == 0
    assert b"ended, healthy" in out


@pytest.mark.parametrize("how", ["truncated", "rotated"])
def test_a_file_that_is_truncated_or_rotated_begins_anew(tmp_path: Path, how: str) -> None:
    target = tmp_path / "ssh.log"
    half = HEALTHY.read_bytes()[: HEALTHY.stat().st_size // 2]
    target.write_bytes(half)
    process = watching(target, "--until-done", "--idle", "20", "--exit-code")
    assert process.stdout is not None
    first = process.stdout.readline()
    assert first  # it has seen what was there
    if how == "truncated":
        os.truncate(target, 0)
        time.sleep(1)
    else:
        target.rename(tmp_path / "ssh.log.1")
    write(WRONG, target, 3)
    out, err = process.communicate(timeout=90)
    assert f"was {how}".encode() in err
    assert process.returncode == 1
    assert b"auth-password-rejected" in out


def test_a_silent_session_ends_after_the_idle_time(tmp_path: Path) -> None:
    target = tmp_path / "ssh.log"
    before, asked, after = WRONG.read_text().partition("Attempting to login using password authentication")
    target.write_text(before + asked + after.partition("Packet type 51")[0].rpartition("=> ")[0])
    process = watching(target, "--until-done", "--idle", "1.5")
    out, _ = process.communicate(timeout=90)
    assert process.returncode == 0
    assert b"Authentication; waits for the server's answer to USERAUTH_REQUEST password" in out


def test_a_file_without_a_record_is_one_line(tmp_path: Path) -> None:
    target = tmp_path / "note.txt"
    target.write_text("just a note\n")
    process = watching(target, "--until-done", "--idle", "1")
    out, err = process.communicate(timeout=90)
    assert (process.returncode, out) == (2, b"")
    assert err.count(b"\n") == 1


def test_terminal_view_is_drawn_and_ends(tmp_path: Path) -> None:
    pty = pytest.importorskip("pty")
    target = tmp_path / "ssh.log"
    target.write_bytes(WRONG.read_bytes())
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "tracelens", "watch", str(target), "--until-done", "--exit-code"]
    with subprocess.Popen(
        command, stdout=slave, stderr=subprocess.PIPE, env={**os.environ, "TERM": "xterm"}
    ) as process:
        os.close(slave)
        seen = b""
        try:
            while part := os.read(master, 65536):
                seen += part
        except OSError:  # the other end is closed
            pass
        os.close(master)
    assert process.returncode == 1
    assert "╭".encode() in seen
    assert b"auth-password-rejected" in seen
