"""`tracelens diff` on real pairs: one server or client setting is all that differs, and that is what it must name."""

import json
from pathlib import Path

import pytest
from msgspec.structs import replace
from support import HERE, SAMPLES, analyze_file, run

from tracelens.analysis import Session
from tracelens.reports import diff

PAIRS = HERE / "data" / "pairs"
# The bad trace, the good one, what to look at first, and a word each of what it says of the good and the bad one.
CASES: list[tuple[str, str, str, str, str]] = [
    ("kex-method", "ok-list", "Key exchange: what the server offers", "curve25519-sha256", "nothing more"),
    ("kex-cipher", "ok-list", "Cipher", "aes256-ctr", "nothing more"),
    ("kex-mac", "ok-list", "MAC, client to server: what the server offers", "hmac-sha2-256", "nothing more"),
    ("kex-silent", "ok-list", "the server's algorithm offer", "sent", "not seen"),
    ("auth-password-wrong", "ok-list", "logins", "password accepted", "password refused"),
    ("auth-password-not-allowed", "ok-list", "login methods that the server offers", "password", "publickey"),
    ("auth-too-many", "ok-list", "logins", "password accepted", "refused; password refused"),
    ("key-unknown", "ok-key", "logins", "publickey (rsa-sha2-512) accepted", "publickey (rsa-sha2-512) refused"),
    ("auth-second-missing", "ok-partial-password", "logins", "; password accepted", "more is wanted"),
    ("transport-stalled-auth", "ok-list", "logins", "password accepted", "password no answer"),
    ("channel-max-sessions-sftp", "ok-list", "CHANNEL_OPEN session", "CONFIRMATION", "OPEN_FAILURE 2"),
    ("channel-no-subsystem", "ok-list", "CHANNEL_REQUEST subsystem sftp", "SUCCESS", "CHANNEL_FAILURE"),
    ("sftp-no-program", "ok-list", "INIT", "VERSION", "exit-status 127"),
    ("sftp-no-folder", "ok-list", "file operation", "opendir /home/alma/inbox: done", "status 2"),
    ("sftp-denied-ls", "ok-list", "file operation", "done", "status 3"),
]


def session(name: str) -> Session:
    return analyze_file(PAIRS / f"{name}.log.gz").sessions[0]


@pytest.mark.parametrize(("bad", "good", "what", "of_good", "of_bad"), CASES, ids=[c[0] for c in CASES])
def test_names_the_setting_that_differs(bad: str, good: str, what: str, of_good: str, of_bad: str) -> None:
    result = diff.compare(session(good), session(bad))
    (first,) = [d for d in result.differences if d.first]
    assert first.what.startswith(what)
    assert of_good in first.good
    assert of_bad in first.bad
    assert result.divergence is not None


@pytest.mark.parametrize("name", ["ok-list", "ok-key", "kex-method", "sftp-no-program"])
def test_a_session_does_not_differ_from_itself(name: str) -> None:
    result = diff.compare(session(name), session(name))
    assert result.divergence is None
    assert result.differences == []


def test_ports_ids_and_clocks_are_no_differences() -> None:
    before = session("ok-list")
    steps = (replace(s, line=s.line + 1000, time=None if s.time is None else s.time + 4711) for s in before.steps)
    after = replace(before, steps=tuple(steps), started=(before.started or 0) + 4711)
    assert diff.compare(before, after).differences == []


def test_takes_the_good_and_the_bad_session_of_one_file() -> None:
    two = SAMPLES / "two-sessions.log"
    done = run("diff", two, two, "-f", "json")
    result = json.loads(done.stdout)
    assert result["good"]["session"] != result["bad"]["session"]
    assert (result["good"]["verdict"], result["bad"]["verdict"]) == ("healthy", "cause")
    same = json.loads(run("diff", two, two, "--session", "1", "-f", "json").stdout)
    assert same["differences"] == []
    assert same["good"]["session"] == same["bad"]["session"] == 1


class TestCommand:
    def test_text(self) -> None:
        text = run("diff", PAIRS / "ok-list.log.gz", PAIRS / "kex-method.log.gz").stdout.decode()
        assert "They part after KEXINIT" in text
        assert text.count("<- look here first") == 1

    def test_html(self, tmp_path: Path) -> None:
        run("diff", PAIRS / "ok-list.log.gz", PAIRS / "sftp-no-folder.log.gz", "-o", tmp_path / "d.html")
        text = (tmp_path / "d.html").read_text()
        assert text.startswith("<!doctype html>")
        assert "look here first" in text
        assert "Content-Security-Policy" in text

    @pytest.mark.parametrize("extra", [["--session", "9"], ["--session", "x"], ["-o", "d.pdf"]])
    def test_what_cannot_be_is_one_line(self, extra: list[str]) -> None:
        done = run("diff", PAIRS / "ok-list.log.gz", PAIRS / "kex-method.log.gz", *extra)
        assert (done.returncode, done.stdout) == (2, b"")
        assert done.stderr.count(b"\n") == 1
