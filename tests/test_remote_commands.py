"""Commands that a session ran on the server: their results in the document, the text and the reports."""

import re
import tempfile
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import CASES, READ, SENT, analysis_of, analyze_file, analyze_text, diagnose_bytes, dump, each, run, string

from tests.goldens import with_mask
from tracelens import inputs
from tracelens.analysis import Analysis, Command, analyze
from tracelens.reports import render, text
from tracelens.reports.formats import Options

OPTIONS = Options(masking="masked", command="tracelens report")
NONE = CASES / "none"
LOGIN = """\
[libssh2] 0.200100 Transport: session_startup for socket 4
[libssh2] 0.200200 Transport: Sending Banner: SSH-2.0-libssh2_1.11.1
[libssh2] 0.210200 Transport: Received Banner: SSH-2.0-OpenSSH_9.6
[libssh2] 0.230200 Transport: Requesting userauth service
[libssh2] 0.240200 Transport: Packet type 6 received, length=17
[libssh2] 0.240300 Userauth: Attempting to login using password authentication
[libssh2] 0.270300 Transport: Packet type 52 received, length=1
[libssh2] 0.270400 Userauth: Password authentication successful
"""
END = """\
[libssh2] 9.401500 Transport: Disconnecting: reason=11, desc=Shutdown, lang=
[libssh2] 9.401600 Transport: Freeing session resource
[libssh2] 9.401700 Transport: Extra packets left 0
"""


def number(value: int) -> bytes:
    return value.to_bytes(4)


def opened(channel: int) -> str:
    return (
        f"[libssh2] 0.270500 Conn: Allocated new channel ID#{channel}\n"
        "[libssh2] 0.270600 Conn: Opening Channel - win 2097152 pack 32768\n"
        f"[libssh2] 0.290700 Conn: Connection Established - ID: {channel}/0 win: 0/2097152 pack: 32768/32768\n"
    )


def closed(channel: int) -> str:
    return (
        f"[libssh2] 0.400900 Conn: EOF received for channel {channel}/0\n"
        f"[libssh2] 0.401000 Conn: Close received for channel {channel}/0\n"
        f"[libssh2] 0.401200 Conn: Freeing channel {channel}/0 resources\n"
        f"[libssh2] 0.401300 Conn: Sending EOF on channel {channel}/0\n"
        f"[libssh2] 0.401400 Conn: Closing channel {channel}/0\n"
    )


def in_texts(channel: int, command: str, result: str, request: str = "exec") -> str:
    """A command as the texts of Conn show it."""
    asked = f"[libssh2] 0.290800 Conn: starting request({request}) on channel {channel}/0, message={command}\n"
    ended = f"[libssh2] 0.400800 Conn: {result} received for channel {channel}/0\n" if result else ""
    return opened(channel) + asked + ended + closed(channel)


def in_packets(command: bytes, result: bytes, *stderr: bytes) -> str:
    """A command as dumps show it, and what it wrote to stderr (RFC 4254, 5.2, 6.5 and 6.10)."""
    packets = [
        dump(SENT, b"\x5a" + string("session") + number(0) + number(2097152) + number(32768)),
        dump(READ, b"\x5b" + number(0) + number(0) + number(0) + number(32768)),
        dump(SENT, b"\x62" + number(0) + string("exec") + b"\1" + string(command)),
        dump(READ, b"\x63" + number(0)),
        *(dump(READ, b"\x5f" + number(0) + number(1) + string(part)) for part in stderr),
        dump(READ, b"\x62" + number(0) + result),
        dump(READ, b"\x60" + number(0)), dump(READ, b"\x61" + number(0)),
    ]  # fmt: skip
    return "".join(packet.decode() for packet in packets) + closed(0)


def status(value: int) -> bytes:
    return string("exit-status") + b"\0" + number(value)


def signal(name: str) -> bytes:
    return string("exit-signal") + b"\0" + string(name) + b"\0" + string("") + string("")


def analyzed(*parts: str) -> Analysis:
    """The analysis of one session; its clock goes on from record to record."""
    times = count(200_000, 100)
    trace = re.sub(r"(?<=libssh2\] )\d\.\d+", lambda _: f"0.{next(times)}", "".join((LOGIN, *parts, END)))
    return analyze_text(trace)


def only(analysis: Analysis) -> Command:
    (session,) = analysis.sessions
    (command,) = session.commands
    return command


def with_secrets(path: Path) -> Analysis:
    for found in inputs.find([str(path)]):
        assert isinstance(found, inputs.Source)
        return analyze(found, show_secrets=True)
    raise AssertionError(path)


def analyze_shown(trace: str) -> Analysis:
    with tempfile.NamedTemporaryFile(suffix=".log") as file:
        file.write(trace.encode())
        file.flush()
        return with_secrets(Path(file.name))


class TestDocument:
    @each("name", ["work-exec-exit-3.log", "noise-exit-status-4.log", "noise-exit-status-4-mask-508.log"])
    def test_command_and_status_of_a_healthy_session(self, name: str) -> None:
        (session,) = analysis_of(NONE / name).sessions
        wanted = int(name.removesuffix("-mask-508.log").removesuffix(".log")[-1])
        (command,) = session.commands
        assert (session.verdict, session.root_cause) == ("healthy", None)
        assert (command.request, command.command, command.exit_status) == ("exec", f"exit {wanted}", wanted)
        assert command.granted
        assert session.first_line < command.line < command.last_line

    def test_stderr_is_content(self) -> None:
        path = NONE / "erlang-no-exec-1.8.1_DEV.log"
        command = only(analysis_of(path))
        assert (command.exit_status, command.stderr_bytes, command.stderr) == (255, 11, "[hidden]")
        assert only(with_secrets(path)).stderr == "Prohibited."

    def test_without_dumps_the_texts_count_stderr(self) -> None:
        received = (
            "[libssh2] 0.3 Conn: 45 bytes packet_add() for 0/0/1\n[libssh2] 0.3 Conn: 7 bytes packet_add() for 0/0/0\n"
        )
        old = "[libssh2] 0.3 Conn: 5 bytes received for channel 0/0 stream #1\n"
        trace = in_texts(0, "x", "Exit status 1").replace(closed(0), received * 3 + old + closed(0))
        analysis = analyzed(trace)
        command = only(analysis)
        assert (command.stderr_bytes, command.stderr) == (140, None)
        assert "stderr, 140 bytes, not in this trace" in " ".join(text.render(analysis).split())

    def test_signal(self) -> None:
        command = only(analysis_of(CASES / "channel-closed-early" / "channel-closed-early-nonblocking-1.11.1.log"))
        assert (command.request, command.exit_signal, command.exit_status) == ("subsystem", "KILL", None)
        assert only(analyzed(in_texts(0, "sleep 9", "Exit signal TERM"))).exit_signal == "TERM"
        assert only(analyzed(in_packets(b"sleep 9", signal("TERM")))).exit_signal == "TERM"

    def test_a_subsystem_is_listed_only_if_it_failed(self) -> None:
        assert not analyzed(in_texts(0, "sftp", "Exit status 0", "subsystem")).sessions[0].commands
        failed = only(analyzed(in_texts(0, "netconf", "Exit status 2", "subsystem")))
        assert (failed.request, failed.command, failed.exit_status) == ("subsystem", "netconf", 2)

    def test_a_shell_has_no_command(self) -> None:
        command = only(analyzed(in_texts(0, "(null)", "Exit status 1", "shell")))
        assert (command.request, command.command, command.exit_status) == ("shell", None, 1)

    def test_a_status_whose_request_is_not_in_the_trace(self) -> None:
        command = only(analyzed(opened(0), "[libssh2] 0.4 Conn: Exit status 9 received for channel 0/0\n", closed(0)))
        assert (command.request, command.command, command.exit_status) == (None, None, 9)

    def test_a_negative_status_is_that_of_the_packet(self) -> None:
        """libssh2 1.11.1 prints a uint32 as an int."""
        assert only(analyzed(in_texts(0, "x.exe", "Exit status -1073741515"))).exit_status == 0xC0000135
        assert only(analyzed(in_packets(b"x.exe", status(0xC0000135)))).exit_status == 0xC0000135

    def test_a_refused_command_has_no_result(self) -> None:
        for session in analysis_of(CASES / "channel-request-refused" / "work-scp-exec.log").sessions:
            assert [(c.granted, c.exit_status, c.failed) for c in session.commands] == [(False, None, False)]

    def test_stderr_in_parts_is_kept_to_its_first_and_last_bytes(self) -> None:
        parts = [b"%05d" % index for index in range(1000)]
        trace = LOGIN + in_packets(b"x", status(1), *parts) + END
        command = only(analyze_shown(trace))
        assert (command.stderr_bytes, command.stderr_left_out) == (5000, 4000)
        whole = b"".join(parts).decode()
        assert command.stderr == f"{whole[:600]} [4000 bytes left out] {whole[-400:]}"

    def test_a_long_command_is_cut(self) -> None:
        command = only(analyzed(in_packets(b"echo " + b"x" * 5000, status(1))))
        assert command.command == "echo " + "x" * 995
        assert command.command_left_out == 4005

    @each(
        "line",
        [
            "mysql -u root -pOchre.Lantern.7 db", "sshpass -p Ochre.Lantern.7 ssh a@b", "curl https://me:Ochre.Lantern.7@h/",
            "PGPASSWORD=Ochre.Lantern.7 psql", "curl --password Ochre.Lantern.7 x",
        ],
    )  # fmt: skip
    def test_credentials_are_masked(self, line: str) -> None:
        for trace in (in_texts(0, line, "Exit status 1"), in_packets(line.encode(), status(1))):
            analysis = analyzed(trace)
            masked = only(analysis).command
            assert masked == line.replace("Ochre.Lantern.7", "[hidden]")
            for report in (text.render(analysis, 2), render.html([analysis], OPTIONS), str(analysis.document)):
                assert "Ochre.Lantern" not in report

    @given(st.binary(max_size=3000), st.lists(st.binary(max_size=2000), max_size=4), st.integers(0, 2**32 - 1))
    def test_any_bytes(self, command: bytes, stderr: list[bytes], result: int) -> None:
        trace = LOGIN + in_packets(command, status(result), *stderr) + END
        found = only(analyze_shown(trace))
        assert (found.exit_status, found.stderr_bytes) == (result, sum(map(len, stderr)))
        for verbosity in (0, 2):
            shown = text.render(analyze_shown(trace), verbosity)
            assert shown.replace("\n", "").isprintable()
            assert all(len(line) <= 80 for line in shown.splitlines()[2:])

    @given(st.text(max_size=300))
    def test_any_signal(self, name: str) -> None:
        trace = LOGIN + in_packets(b"x", signal(name)) + END
        shown = text.render(analyze_text(trace))
        assert shown.replace("\n", "").isprintable()
        assert all(len(line) <= 80 for line in shown.splitlines()[2:])


class TestMasks:
    """Each bit that shows a command shows the same of it."""

    @each("mask", [511, 508, 142, 2, 16, 18, 144, 28])
    def test_status(self, mask: int) -> None:
        data = (NONE / "erlang-no-exec-1.8.1_DEV.log").read_bytes()
        (session,) = diagnose_bytes(with_mask(data, mask))["sessions"]
        (command,) = session["commands"]
        assert (command["command"], command["exit_status"], command["stderr_bytes"]) == ("x", 255, 11)
        assert command["stderr"] == ("[hidden]" if mask & 2 else None)

    @each("mask", [140, 128])
    def test_what_the_trace_does_not_show_is_not_told(self, mask: int) -> None:
        data = (NONE / "ok-exit-status-1.9.0_DEV.log").read_bytes()
        (session,) = diagnose_bytes(with_mask(data, mask))["sessions"]
        assert "commands" not in session

    def test_a_redacted_copy(self, tmp_path: Path) -> None:
        trace = LOGIN + in_packets(b"mysql -pOchre.Lantern.7", status(1), b"Ochre " * 200) + END
        (tmp_path / "trace.log").write_text(trace)
        run("redact", tmp_path / "trace.log", "-o", tmp_path / "copy.log").check_returncode()
        copy = with_secrets(tmp_path / "copy.log")
        command = only(copy)
        assert (command.exit_status, command.stderr_bytes, command.stderr) == (1, 1200, None)
        assert copy.holds.content_bytes == 0
        assert "Ochre" not in str(copy)


class TestText:
    def test_a_healthy_session_says_how_its_command_ended(self) -> None:
        shown = text.render(analysis_of(NONE / "work-exec-exit-3.log"))
        assert "HEALTHY in 0.20 s, but the remote command ended with exit status 3" in shown
        assert "was begun was finished" not in shown
        assert "  Command    line 13  exit status 3: `exit 3`\n" in shown

    def test_a_command_that_ended_well_changes_no_verdict(self) -> None:
        shown = text.render(analyzed(in_texts(0, "uname -s", "Exit status 0")))
        assert "HEALTHY: what was begun was finished" in shown
        assert "exit status 0: `uname -s`" in shown

    def test_signal_and_shell(self) -> None:
        killed = analyzed(in_packets(b"sleep 9", signal("TERM")))
        assert "but the remote command was ended by signal TERM" in text.render(killed)
        shell = analyzed(in_texts(0, "(null)", "Exit status 130", "shell"))
        assert "but the remote shell ended with exit status 130" in text.render(shell)

    def test_of_many_commands_the_failed_ones(self) -> None:
        results = {4: "Exit status 2", 9: "Exit signal HUP", 11: ""}
        parts = [in_texts(n, f"poll {n}", results.get(n, "Exit status 0")) for n in range(12)]
        parts.insert(0, "[libssh2] 0.1 Failure Event: -37 - Would block\n")  # a failure would have shown
        shown = text.render(analyzed(*parts))
        assert "but 2 of 12 commands did not end with status 0" in shown
        assert "exit status 2: `poll 4`" in shown
        assert "ended by signal HUP: `poll 9`" in shown
        assert "poll 5" not in shown
        assert "others ended: 9 with status 0, 1 without a status in the trace" in " ".join(shown.split())
        assert "exit status 0: `poll 5`" in text.render(analyzed(*parts), 1)

    def test_of_very_many_only_so_many(self) -> None:
        parts = [in_texts(n, f"poll {n}", "Exit status 1") for n in range(70)]
        shown = text.render(analyzed(*parts))
        assert shown.count("`poll ") == 8
        assert "others ended: 62 with another status or a signal" in shown
        assert "20 more commands: -f json has them" in text.render(analyzed(*parts), 1)

    def test_stderr_is_shown_on_request_without_control_characters(self) -> None:
        trace = LOGIN + in_packets(b"x", status(1), b"\x1b[2Jfatal: \xe2\x80\xaeno\n") + END
        hidden = " ".join(text.render(analyze_text(trace)).split())
        assert "stderr, 17 bytes: [hidden] (--show-secrets shows it)" in hidden
        shown = text.render(analyze_shown(trace))
        assert "stderr, 17 bytes: \\x1b[2Jfatal: \\u202eno" in " ".join(shown.split())

    def test_sessions_whose_commands_ended_in_other_ways_are_not_shown_as_one(self) -> None:
        session = [LOGIN + in_texts(0, "poll", f"Exit status {n == 3:d}") + END for n in range(6)]
        assert "exit status 1: `poll`" in text.render(analyze_text("".join(session)))


class TestReports:
    @pytest.mark.parametrize("form", [render.html, render.markdown])
    def test_command_and_how_it_ended(self, form: object) -> None:
        assert callable(form)
        page = form([analyzed(in_packets(b"git-upload-pack '/r.git' | cat <b>", status(128), b"fatal: no"))], OPTIONS)
        assert "but the remote command ended with exit status 128" in page
        assert "Remote commands" in page
        assert "exit status 128" in page
        assert "9 bytes: [hidden]" in page
        assert "<b>" not in re.sub(r"`git-upload-pack '/r.git' \\?\| cat <b>`", "", page)
        assert "Nothing failed here" not in page

    def test_brief(self) -> None:
        brief = Options(masking="masked", command="", brief=True)
        page = render.markdown([analyze_file(NONE / "work-exec-exit-3.log")], brief)
        assert "- Command, line 13, exit status 3: `exit 3`" in page
