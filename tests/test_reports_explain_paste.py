"""What `explain` says about lines as programs print them: whose they are, whose their numbers are."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import each

from tracelens import rules
from tracelens.reports.explain import Explanation, explain, paste, tables, unknown
from tracelens.ssh import codes

LINES = [
    (line.replace("\\n", "\n"), title, program)
    for line, title, program, *_ in (
        (row + "\t\t").split("\t")
        for row in Path(__file__).with_name("explained_lines.tsv").read_text(encoding="utf-8").splitlines()
        if not row.startswith("#")
    )
]
ERRORS = [number for number in codes.LIBSSH2_ERRORS if number < -1]


def page(text: str) -> Explanation:
    found = explain(text)
    assert found is not None, text
    return found


def words(text: str, width: int = 80) -> str:
    return " ".join(page(text).to_text(width).split())


def lines_of(text: str, heading: str) -> str:
    return " ".join(line for part in page(text).body if part.heading.startswith(heading) for line in part.lines)


def test_lines_of_programs():
    wrong = []
    for line, title, program in LINES:
        found = explain(line)
        named = f"{found.program}" if found else ""
        if found is None or title not in found.title or program not in named:
            wrong.append((line, found.title if found else None, named))
    assert wrong == []
    assert len(LINES) > 200


def test_a_page_is_short_and_fits_a_terminal():
    for line, *_ in LINES:
        text = page(line).to_text(80)
        assert max(map(len, text.splitlines())) <= 80, line
        assert len(text.splitlines()) <= 70, line


def test_what_a_page_leads_to_exists():
    ids = {rule.id for rule in rules.load()}
    named = {name for part in tables.advice() for name in part.see}
    assert named <= ids
    for line, *_ in LINES:
        assert all(explain(name) for name in page(line).see_also), line


@pytest.mark.parametrize("number", ERRORS)
def test_a_number_in_all_forms(number):
    for written in (
        f"libssh2_session_handshake failed ({number})", f"got libssh2 error {number}", f"rc={number}: SSH failed",
        f"SSH session: error code {number}", f"ssh: Session({number})", f"libssh2 says [{number}]",
        f"libssh2 call returned {number + (1 << 32)}", f"SSH error {number + (1 << 64)}",
        f"libssh2 returned {hex(number + (1 << 32))}", f"libssh2 failed with error code {-number}",
        f"libssh2 returned \u2212{-number}",
    ):  # fmt: skip
        found = page(written)
        assert f"({number})" in found.title, written
        assert any(one.value == number and one.whose == "libssh2" for one in found.numbers), written


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "DEBUG: start failed: 18446744073709551603",
            "18446744073709551603 is -13, printed as an unsigned number of 64",
        ),
        ("ssh error 4294967291", "4294967291 is -5, printed as an unsigned number of 32 bits"),
        ("libssh2 error code: 18", "18 was read as -18, its sign lost on the way"),
        ("curl: (79) Failed to recv file", "79 is curl's exit code: CURLE_SSH."),
        ("[23/-1] error authenticating: failed connecting agent", "-1 is libgit2's code: GIT_ERROR."),
        ("Error -16: Failed to retrieve list of SSH authentication methods: Failed getting response", "GIT_EAUTH"),
        ("Unable to init SFTP session -21 11", "11 is the system's error: EAGAIN."),
        ("ERROR: [101]: libssh2 handshake failed [-5]", "ServiceError"),
        ("ssh2.exceptions.SocketRecvError", "SocketRecvError stands for libssh2's -43"),
        ("Failure establishing ssh session: -7, Invalid MAC received", "the number counts"),
        ("[Errno 111] Connection refused", "SSH had not begun"),
        ("libssh2_userauth_password: -18", '"Authentication failed (username/password)"'),
        ("PHP Warning: ssh2_exec(): Unable to request command execution on remote host", "LIBSSH2_ERROR_CHANNEL_REQU"),
    ],
)
def test_how_a_number_was_read(line, said):
    assert said in words(line)


@each("line", [
    "SSH public key authentication failed: Would block requesting userauth list",
    "Error: Would block", "Operation would block", "[Session(-37)] Would block waiting for banner",
])  # fmt: skip
def test_a_leftover_is_no_cause(line):
    assert "a leftover of an earlier call" in words(line)
    assert page(line).see_also[0] == "noise-retried"


def test_a_leftover_beside_an_exit_code():
    text = "* SSH public key authentication failed: Would block requesting userauth list\ncurl: (67) Login denied"
    assert page(text).title == "curl's exit code 67: CURLE_LOGIN_DENIED"
    assert "a leftover of an earlier call" in words(text)


def test_a_leftover_beside_the_cause():
    text = "Would block requesting userauth list\nlibssh2_userauth_password failed: -18"
    assert page(text).title.startswith("LIBSSH2_ERROR_AUTHENTICATION_FAILED (-18)")
    assert "not the cause" in words(text) or "leftover" in words(text)


@each("text", ["LIBSSH2_ERROR_KEX_FAILURE (-8)", "rc -37 (LIBSSH2_ERROR_KEX_FAILURE)", "-5 LIBSSH2_ERROR_TIMEOUT"])
def test_a_name_and_a_number_that_differ(text):
    found = page(text)
    assert found.kind == "name-and-number-differ"
    assert len(re.findall(r"LIBSSH2_ERROR_\w+ \(-\d+\): ", found.to_text(200))) == 2


@each("text", ["-5 LIBSSH2_ERROR_KEX_FAILURE", "LIBSSH2_ERROR_BANNER_NONE (-2)"])
def test_a_name_and_a_number_that_agree(text):
    assert page(text).kind == "libssh2-error"


@each("line", [line for line, title, program in LINES if program in ("Paramiko", "JSch", "libssh", "OpenSSH", "PuTTY")])
def test_another_library_has_no_number_of_libssh2(line):
    found = page(line)
    assert found.kind == "other-program"
    assert "What to paste instead" in [part.heading for part in found.body]
    assert not any(one.whose == "libssh2" for one in found.numbers or ())


def test_a_text_that_names_libssh2_is_of_no_other_library():
    assert "(-8)" in page("it works in PuTTY and Paramiko, but libssh2_session_handshake() returns -8").title


def test_advice_is_for_the_program():
    kex = "failed to start SSH session: Unable to exchange encryption keys"
    assert "JULIA_PKG_USE_CLI_GIT" in words(f"GitError(Code:ERROR, Class:SSH, {kex})")
    assert "ssh2_sftp()" in words("Warning: ssh2_exec(): Unable to request command execution on remote host")
    assert "--hostpubsha256" in words("curl: (60) SSL peer certificate or SSH remote key was not OK")
    assert "openssh-sftp-server" in words("Libssh2_sftp_init failed. Timed out waiting on socket.")
    for line, _, program in LINES:
        if program not in ("", "InterSystems", "ObjectScript"):
            assert not re.search("AuthenticateWith|SetTraceMask|%Net", words(line)), line


def test_lines_of_a_trace_lead_to_analyze():
    trace = "[libssh2] 0.9 Failure Event: -37 - Would block\n[libssh2] 1.2 Failure Event: -43 - Failed getting banner\n"
    found = page(trace + "[libssh2] 1.3 Failure Event: -37 - Would block sending")
    assert "(-43)" in found.title
    assert "tracelens analyze" in found.to_text()


def test_nothing_known_says_what_to_paste():
    assert "Failed getting banner" in unknown("something went wrong here")
    assert "tracelens rules" in unknown("foo")
    assert "hunter2hunter2" not in unknown("cannot open http://bob:hunter2hunter2@example.com/x today")
    assert unknown("  ") == "nothing to explain: the text is empty"


@each("line", [
    "connected with AES-128 and SHA-256 to host-22 port 22", "error 404 not found", "ssh exited with status 255",
    "process exited with code 1 after ssh login", "failed to open id-5", "libssh2-1.9.0-5.el8.x86_64 is installed",
    "2026-11-18 10:00:01 failed to connect to ssh server", "libssh2_session_handshake took 43 ms", "error code: 0",
    "libssh2_sftp_read returned 4096", "libssh2_channel_read returned 0", "SFTP upload OK (43 files)",
    "npm ERR! code 128", "ssh: error 5 times in a row", "Server error -5 seconds later", "curl 8.5.0 works",
])  # fmt: skip
def test_numbers_that_are_none_of_libssh2(line):
    assert explain(line) is None


def test_a_password_in_a_url_is_not_printed():
    found = page("curl: (67) Login denied sftp://bob:hunter2hunter2@example.com/x")
    assert "hunter2hunter2" not in json.dumps(found.to_json())


def test_plain_data():
    found = page("curl: (9) Upload failed: Permission denied (3/-31)").to_json()
    assert found["program"] == "curl or libcurl"
    assert found["numbers"] == [
        {"value": 9, "whose": "curl", "name": "CURLE_REMOTE_ACCESS_DENIED", "written": "9"},
        {"value": 3, "whose": "sftp", "name": "SSH_FX_PERMISSION_DENIED", "written": "3"},
        {"value": -31, "whose": "libssh2", "name": "LIBSSH2_ERROR_SFTP_PROTOCOL", "written": "-31"},
    ]


class TestTables:
    @each("number", ERRORS)
    def test_every_error_has_a_meaning_or_something_to_do(self, number):
        headings = [part.heading for part in page(f"the call to libssh2 returned {number}").body]
        assert "What it means" in headings or "What to do" in headings

    def test_numbers_of_wrappers_are_libssh2s(self):
        for owner in ("ssh2-python", "ssh2-rs"):
            assert set(tables.numbers(owner)) <= set(codes.LIBSSH2_ERRORS)

    def test_advice_names_programs_and_stages_that_exist(self):
        stages = {stage.name for stage in tables.stages()} | {""}
        for part in tables.advice():
            assert part.stage in stages
            assert part.program in ("", "another") or any(
                known.name.startswith(part.program) for known in tables.programs()
            )
            assert part.do or part.means

    def test_patterns_take_no_time(self):
        texts = ("a" * 20_000, "curl " * 4_000, "error code " * 1_800, "<A" * 9_000, "Unable to connect to " * 900)
        for text in texts:
            explain(text)


PIECES = st.sampled_from([
    "curl: (", "libssh2", "_session_handshake()", "-5", "(-37)", "[", "]", ")", "error code ", "Would block", "\n", "/",
    "4294967278", "LIBSSH2_ERROR_KEX_FAILURE", "0xffffffee", "Session(", "sftp error ", "ssh2_exec(): ", " - ",
    "Failed getting banner",
])  # fmt: skip


@settings(derandomize=True, max_examples=150, deadline=None)
@given(st.lists(PIECES | st.text(max_size=4), max_size=12).map("".join))
def test_any_paste_is_bearable(text):
    found = explain(text)
    if found:
        assert found.title
        assert found.to_text(80)
        assert json.dumps(found.to_json())
    assert unknown(text)
    assert paste.read(text).numbers is not None


class TestCommand:
    def run(self, *arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "tracelens", "explain", *arguments]
        return subprocess.run(command, input=given, capture_output=True, timeout=60)

    def test_standard_input(self):
        line = b"curl: (67) Authentication failure\n"
        assert self.run(given=line).stdout == self.run("-", given=line).stdout
        assert self.run(given=line).stdout.startswith(b"curl's exit code 67: CURLE_LOGIN_DENIED\n")

    def test_standard_input_of_powershell(self):
        assert b"(-13)" in self.run("-", given="libssh2 error -13\r\n".encode("utf-16")).stdout

    def test_json_in_both_ways(self):
        done = self.run("-f", "json", "curl: (67) Authentication failure")
        assert done.stdout == self.run("--json", "curl: (67) Authentication failure").stdout
        assert json.loads(done.stdout)["kind"] == "curl-exit-code"

    def test_nothing_known(self):
        done = self.run(given=b"\n")
        assert (done.returncode, done.stdout) == (2, b"")
        assert self.run("nothing", "of", "note").returncode == 2
