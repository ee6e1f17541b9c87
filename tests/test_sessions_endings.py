"""What a session left unfinished where nothing failed, and that healthy needs evidence of its own session."""

import pytest
from support import CASES, SAMPLES, diagnose_bytes, diagnose_text

from tests.goldens import with_mask
from tests.support import analysis_of
from tracelens.analysis import Session
from tracelens.reports import text

NONE = CASES / "none"
MASKS = (511, 508, 142, 140)
GOOD = (SAMPLES / "two-factors-healthy.log").read_bytes()


def ends(data: bytes) -> list[tuple[str, str]]:
    return [(s["root_cause"] or s["verdict"], s.get("left", "")) for s in diagnose_bytes(data)["sessions"]]


@pytest.mark.parametrize(
    ("name", "verdict", "left"),
    [
        ("left-get-killed-mask-508.log", "insufficient", "open transfer"),
        ("left-get-closing-mask-508.log", "insufficient", "transfer"),
        ("left-login-killed.log", "insufficient", "open session"),
        ("hostkey-left.log", "insufficient", "host key"),
        ("ok-get-part.log", "healthy", ""),
        ("ok-list-part.log", "healthy", ""),
    ],
)
def test_what_was_left_unfinished(name: str, verdict: str, left: str) -> None:
    assert ends((NONE / name).read_bytes()) == [(verdict, left)]


@pytest.mark.parametrize("mask", MASKS)
def test_a_session_that_is_killed_before_its_login_is_not_healthy(mask: int) -> None:
    killed = with_mask((NONE / "left-login-killed.log").read_bytes(), mask)
    assert [verdict for verdict, _ in ends(killed)] == ["insufficient"]


def test_other_sessions_of_the_trace_are_no_evidence() -> None:
    killed = (NONE / "left-login-killed.log").read_bytes()
    for data in (killed + GOOD, GOOD + killed):
        assert sorted(verdict for verdict, _ in ends(data)) == ["healthy", "insufficient"]


@pytest.mark.parametrize("share", range(1, 10))
@pytest.mark.parametrize("mask", [511, 508, 142])
def test_a_trace_that_is_cut_before_the_end_of_its_session_is_not_healthy(mask: int, share: int) -> None:
    data = with_mask(GOOD, mask)
    cut = data[: len(data) * share // 10]
    for data in (cut, cut[: cut.rfind(b"\n") + 1]):
        assert ("healthy", "") not in ends(data)


STALL = """\
[libssh2] 0.200100 Userauth: Password authentication successful
[libssh2] 0.200110 Conn: Allocated new channel ID#0
[libssh2] 0.200120 Conn: Connection Established - ID: 0/0 win: 0/2097152 pack: 32768/32768
[libssh2] 0.200200 SFTP: Sending FXP_INIT packet advertising version 3 support
[libssh2] 0.202200 SFTP: Enabling SFTP version 3 compatibility
[libssh2] 0.205200 SFTP: Sending file open request
[libssh2] 0.207300 SFTP: Received packet type 102 (len 13)
[libssh2] 0.207400 SFTP: Open command successful
[libssh2] 0.207500 SFTP: read request id 1 sent (offset: 0, size: 30000)
[libssh2] 0.207510 SFTP: read request id 2 sent (offset: 30000, size: 30000)
[libssh2] 0.207600 SFTP: recv packet
[libssh2] {answer:.6f} SFTP: Received packet type 103 (len 30009)
[libssh2] {answer:.6f} SFTP: recv packet
[libssh2] {closing:.6f} SFTP: Closing handle
[libssh2] {closing:.6f} SFTP: recv packet
[libssh2] {closing:.6f} Conn: Freeing channel 0/0 resources
[libssh2] {closing:.6f} Conn: Closing channel 0/0
"""


@pytest.mark.parametrize(
    ("answer", "closing", "cause"),
    [
        (0.25, 5.0, "transport-timeout"),
        (0.25, 0.4, None),  # the program had enough, or was interrupted
        (3.2, 6.0, None),  # an answer takes three seconds: this is no longer pause than the one before
        (3.2, 20.0, "transport-timeout"),
    ],
)
def test_a_transfer_stalls_after_a_long_silence_by_its_own_pace(
    answer: float, closing: float, cause: str | None
) -> None:
    (session,) = diagnose_text(STALL.format(answer=answer, closing=closing))["sessions"]
    assert session["root_cause"] == cause
    assert cause or (session["verdict"], session["left"]) == ("insufficient", "transfer")


def test_reads_beyond_the_end_of_a_file_are_no_open_requests() -> None:
    at_end = STALL.replace(
        "[libssh2] {closing:.6f} SFTP: Closing",
        "[libssh2] 0.300000 SFTP: Received packet type 101 (len 9)\n[libssh2] {closing:.6f} SFTP: Closing",
    )
    (session,) = diagnose_text(at_end.format(answer=0.25, closing=9.0))["sessions"]
    assert (session["root_cause"], session.get("left", "")) == (None, "")


def test_a_login_that_follows_a_refused_host_key_counts() -> None:
    data = (CASES / "kex-hostkey-unverified" / "hostkey-own-error.log").read_text()
    head, mark, tail = data.partition("Failure Event: -46")
    login = (
        "[libssh2] 9.100000 Userauth: Attempting to login using password authentication\n"
        "[libssh2] 9.200000 Failure Event: -18 - Authentication failed (username/password)\n"
    )
    before_end = head + mark + tail.partition("\n")[0] + "\n" + login
    assert [s["root_cause"] for s in diagnose_text(before_end)["sessions"]] == ["auth-password-rejected"]


@pytest.mark.parametrize("name", ["left-get-killed-mask-508.log", "left-get-closing-mask-508.log", "hostkey-left.log"])
def test_no_report_says_that_unfinished_work_was_finished(name: str) -> None:
    analysis = analysis_of(NONE / name)
    assert isinstance(analysis.sessions[0], Session)
    shown = text.render(analysis)
    assert "finished" not in shown
    assert max(map(len, shown.splitlines()[1:])) <= text.WIDTH
