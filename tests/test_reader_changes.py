"""What programs, mailers and people do to a trace changes neither its diagnosis nor the lines that it names."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from support import SAMPLES, diagnose_bytes, each
from support.variations import VARIATIONS, WRAPPED, is_row, is_title, vary

from tracelens.libssh2.events import Event
from tracelens.reader import read

VARIED = (
    "wrong-password.log",
    "second-factor-missing.log",
    "no-such-file.log",
    "no-common-kex.log",
    "rsa-sha1-refused.log",
    "two-factors-healthy.log",
    "ftp-server.log",
    "prompts-wanted.log",
)
# Decided by text: the dumps may go.
TOLD = ("wrong-password.log", "no-such-file.log", "ftp-server.log", "two-factors-healthy.log", "prompts-wanted.log")
KEPT = ("verdict", "root_cause", "phase", "user", "client_banner", "server_banner", "noise", "offers", "algorithms")


@cache
def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


@cache
def diagnosis(name: str) -> dict[str, Any]:
    return diagnose_bytes(sample(name))


def gist(document: dict[str, Any], where: Callable[[int], int] = int) -> list[dict[str, Any]]:
    """What a reader takes away from each session, its lines mapped."""
    return [
        {key: session[key] for key in KEPT}
        | {
            "auth": [(a["method"], a["outcome"], a["remaining"], where(a["line"])) for a in session["auth"]],
            "operations": [(o["verb"], o["path"], o["outcome"], where(o["line"])) for o in session["operations"]],
            "proof": proof(session, where),
            "lines": (where(session["first_line"]), where(session["last_line"])),
        }
        for session in document["sessions"]
    ]


def proof(session: dict[str, Any], where: Callable[[int], int] = int) -> list[tuple[int, str]]:
    cause = [f for f in session["findings"] if f["kind"] == "cause"]
    return [(where(quote["line"]), quote["text"]) for found in cause for quote in found["evidence"]]


class TestSameDiagnosis:
    @pytest.mark.parametrize("variation", VARIATIONS)
    @each("name", VARIED)
    def test_at_the_right_lines(self, name: str, variation: str) -> None:
        data, where = vary(variation, sample(name))
        assert gist(diagnose_bytes(data)) == gist(diagnosis(name), where.__getitem__)

    @pytest.mark.parametrize("wrapping", WRAPPED)
    @each("name", VARIED)
    def test_whatever_it_is_wrapped_in(self, name: str, wrapping: str) -> None:
        assert gist(diagnose_bytes(WRAPPED[wrapping](sample(name)))) == gist(diagnosis(name))

    @each("name", VARIED)
    def test_of_both_processes_that_wrote_one_file(self, name: str) -> None:
        """The second process's clock starts anew."""
        lines = sample(name).count(b"\n")
        document = diagnose_bytes(sample(name) * 2)
        again = gist(diagnosis(name), lambda line: line + lines)
        assert gist(document) == gist(diagnosis(name)) + again

    @each("name", VARIED)
    def test_cut_in_the_middle_of_the_last_line(self, name: str) -> None:
        last = sample(name).rstrip(b"\n").rindex(b"\n") + 1
        for stop in range(last, len(sample(name)), 5):
            (session,) = diagnose_bytes(sample(name)[:stop])["sessions"]
            assert (session["root_cause"], proof(session)) == (
                diagnosis(name)["sessions"][0]["root_cause"],
                proof(diagnosis(name)["sessions"][0]),
            )


class TestWithoutDumps:
    """Where the text decides, nothing but details are lost with the rows of the dumps."""

    @each("name", TOLD)
    def test_rows_blanked_out(self, name: str) -> None:
        blanked = b"\n".join(line[:6] if is_row(line) else line for line in sample(name).split(b"\n"))
        (session,) = diagnose_bytes(blanked)["sessions"]
        (whole,) = diagnosis(name)["sessions"]
        assert (session["verdict"], session["root_cause"]) == (whole["verdict"], whole["root_cause"])
        assert (session["first_line"], session["last_line"]) == (whole["first_line"], whole["last_line"])

    @each("name", TOLD)
    def test_rows_and_titles_left_out(self, name: str) -> None:
        lines = sample(name).split(b"\n")
        kept = b"\n".join(line for line in lines if not is_row(line) and not is_title(line))
        (session,) = diagnose_bytes(kept)["sessions"]
        assert session["root_cause"] == diagnosis(name)["sessions"][0]["root_cause"]


class TestSnippets:
    """Threads and tickets show pieces: a single line is enough to say what it says, and no more."""

    @pytest.mark.parametrize(
        "line",
        [
            b"[libssh2] Failure Event: -5 - Unable to exchange encryption keys",
            b"LOG [libssh2] 0.391770 Failure Event: -5 - Unable to exchange encryption keys",
            b"   > [libssh2] 0.1 [libssh2] 0.391770 Failure Event: -5 - Unable to exchange encryption keys",
            b" 61.400521 Failure Event: -5 - Unable to exchange encryption keys",
            b"\xef\xbb\xbf[libssh2] 0.391770 Failure Event: -5 - Unable to exchange encryption keys\r",
        ],
    )
    def test_one_line(self, line: bytes) -> None:
        (session,) = diagnose_bytes(b"Hello,\n\nthis is what I get:\n\n" + line + b"\n\nRegards\n")["sessions"]
        assert session["root_cause"] == "kex-no-common-algorithm"
        assert proof(session)[0][0] == 5

    def test_several_joined(self) -> None:
        data = b"First try:\n" + sample("wrong-password.log") + b"\n----\nSecond try:\n" + sample("no-such-file.log")
        causes = [s["root_cause"] for s in diagnose_bytes(data)["sessions"]]
        assert causes == ["auth-password-rejected", "sftp-no-such-file"]

    def test_begins_in_mid_session(self) -> None:
        data = sample("no-such-file.log")
        start = data.index(b"[libssh2]", data.index(b"SFTP: Sending file open request") - 60)
        (session,) = diagnose_bytes(data[start:])["sessions"]
        assert session["root_cause"] == "sftp-no-such-file"


class TestEvents:
    """Single lines as various programs and platforms print them."""

    @pytest.mark.parametrize(
        ("line", "context", "text"),
        [
            (b"[libssh2] 0.1 Transport: x", "Transport", "x"),
            (b"[libssh2] 0.100000 Key Ex: Sent LANG_CS: ", "Key Ex", "Sent LANG_CS: "),
            (b"[libssh2] Conn: Setting blocking mode on session 1", "Conn", "Setting blocking mode on session 1"),
            (b"[libssh2] 0.100000 Socket: Recved 1 bytes banner", "Socket", "Recved 1 bytes banner"),
            (
                b"[libssh2] 0.100000 Socket: Sent 40/40 bytes at 00000214B5C9F2A0",
                "Socket",
                "Sent 40/40 bytes at 00000214B5C9F2A0",
            ),
            (b"[libssh2] 0.1", "Unknown", "[libssh2] 0.1"),
            (b"[libssh2]", "Unknown", "[libssh2]"),
        ],
    )
    def test_is_one(self, line: bytes, context: str, text: str) -> None:
        (record,) = read([line], fold=False)
        assert isinstance(record, Event)
        assert (record.line, record.context, record.text) == (1, context, text)

    def test_one_record_per_banner_byte(self) -> None:
        data = b"".join(b"[libssh2] 0.%06d Socket: Recved 1 bytes banner\n" % n for n in range(40))
        assert [r.line for r in read([data], fold=False) if isinstance(r, Event)] == list(range(1, 41))

    def test_text_of_the_peer_goes_on_over_lines(self) -> None:
        """A server's login banner has newlines of its own (RFC 4252, 5.4)."""
        data = b"[libssh2] 0.100000 Userauth: Banner: Welcome\nto the depot\n[libssh2] 0.100001 Conn: x\n"
        reader = read([data], fold=False)
        found = [(r.line, r.text) for r in reader if isinstance(r, Event)]
        assert found == [(1, "Banner: Welcome\nto the depot"), (3, "x")]
        assert reader.account.foreign_lines == 0


@each("name", VARIED)
def test_lines_named_are_those_of_an_editor(name: str) -> None:
    """Every line that a diagnosis names begins with a record or a dump's title."""
    lines = sample(name).split(b"\n")
    document = diagnosis(name)
    named = {line for s in document["sessions"] for line, _ in proof(s)}
    named |= {a["line"] for s in document["sessions"] for a in s["auth"]}
    for line in named:
        assert re.match(rb"\[libssh2\] |=> ", lines[line - 1]), (line, lines[line - 1])
