"""Sessions as rules and tables see them: phases, offers, attempts, channels, operations, fates of errors."""

from pathlib import Path

import pytest
from support import CASES, SAMPLES, analyze_text, diagnose_text

from tracelens import inputs
from tracelens.reader import read
from tracelens.reports.text import render
from tracelens.sessions import Assembler, Channel, Session
from tracelens.sessions.interleaved.packets import POSSIBLE, UNLIKELY, score_number
from tracelens.sessions.state import State


def content(path: Path) -> bytes:
    for found in inputs.find([str(path)]):
        assert isinstance(found, inputs.Source)
        return b"".join(found.chunks())
    raise AssertionError(path)


def sessions_of(data: bytes | Path) -> list[Session]:
    """The sessions of a trace."""
    blocks = [data if isinstance(data, bytes) else content(data)]
    _, chunks = inputs.decode(iter(blocks))
    reader = read(chunks)
    assembler = Assembler()
    for item in reader:
        assembler.add(item)
    return assembler.sessions()


def only(data: bytes | Path) -> Session:
    (session,) = sessions_of(data)
    return session


class TestOffers:
    def test_both_sides_as_packets_and_text_show_them(self) -> None:
        session = only(SAMPLES / "no-common-kex.log")
        assert session.kex.offers["client"]["kex"][0] == "diffie-hellman-group-exchange-sha256"
        assert "curve25519-sha256" in session.kex.offers["server"]["kex"]
        assert session.kex.mismatches() == ["kex"]
        assert session.kex.common("cipher_cs")

    def test_agreement_is_computed_where_the_text_is_missing(self) -> None:
        """RFC 4253, 7.1: the client's first that the server has too."""
        lines = (SAMPLES / "second-factor-missing.log").read_bytes().split(b"\n")
        without = b"\n".join(line for line in lines if b"Agreed on" not in line)
        told, computed = only(SAMPLES / "second-factor-missing.log"), only(without)
        assert "kex" in told.kex.agreed
        assert "kex" not in computed.kex.agreed
        for name in ("kex", "hostkey", "cipher_cs", "cipher_sc"):
            assert computed.kex.algorithm(name) == told.kex.algorithm(name)

    def test_host_key_fingerprints(self) -> None:
        session = only(SAMPLES / "second-factor-missing.log")
        assert set(session.kex.fingerprints) == {"MD5", "SHA1", "SHA256"}

    def test_server_sig_algs(self) -> None:
        assert "ssh-ed25519" in only(SAMPLES / "second-factor-missing.log").kex.extensions["server-sig-algs"]


class TestAttempts:
    def test_probe_partial_and_success_in_order(self) -> None:
        session = only(SAMPLES / "two-factors-healthy.log")
        assert [(a.method, a.outcome) for a in session.login.attempts] == [
            ("none", "refused"),
            ("publickey", "partial"),
            ("password", "accepted"),
        ]
        assert session.login.attempts[1].partial is True
        assert session.login.attempts[1].remaining == ("password",)
        assert session.login.user == "devi"
        assert session.ending.failed is None

    def test_without_dumps_the_text_tells_the_outcome(self) -> None:
        first, second = sessions_of(SAMPLES / "two-sessions.log")
        assert [(a.method, a.outcome) for a in first.login.attempts] == [("password", "refused")]
        assert [(a.method, a.outcome) for a in second.login.attempts] == [("password", "accepted")]

    def test_a_local_key_failure_is_not_sent(self) -> None:
        session = only(CASES / "auth-key-unreadable" / "auth-key-missing.log")
        assert session.login.attempts[-1].method == "publickey"
        assert session.login.attempts[-1].outcome == "not-sent"

    def test_prompts_and_answers_are_counted(self) -> None:
        session = only(CASES / "auth-keyboard-interactive-failed" / "auth-kbd-wrong-nb.log")
        attempt = session.login.attempts[-1]
        assert (attempt.method, attempt.prompts, attempt.answered) == ("keyboard-interactive", 1, 1)
        assert [held.kind for held in session.secrets] == ["answer"]


class TestOperations:
    def test_status_and_sentence_come_from_the_packets(self) -> None:
        session = only(SAMPLES / "no-such-file.log")
        operation = session.operations[-1]
        assert (operation.verb, operation.status, operation.message) == ("open", 2, "No such file")
        assert session.ending.failed is not None
        assert session.ending.failed.operation is operation

    def test_status_that_stands_only_in_the_dump(self) -> None:
        session = only(CASES / "sftp-permission-denied" / "sftp-perm-nb.log")
        assert session.operations[-1].status == 3

    def test_without_dumps_the_text_names_the_operation(self) -> None:
        _, second = sessions_of(SAMPLES / "two-sessions.log")
        assert [(o.verb, o.path, o.outcome) for o in second.operations] == [("stat", "/home/devi", "done")]

    def test_the_end_of_a_listing_is_no_failure(self) -> None:
        session = only(CASES / "none" / "ok-list-nonblocking-1.11.1.log")
        assert session.sftp.ends >= 1
        assert session.ending.failed is None

    def test_a_command_that_ends_with_a_status_is_no_failure(self) -> None:
        session = only(CASES / "none" / "ok-exit-status-1.9.0_DEV.log")
        assert session.channels[0].exit_status == 4
        assert session.ending.failed is None


class TestTime:
    def test_phases_follow_each_other(self) -> None:
        session = only(SAMPLES / "no-such-file.log")
        assert [p.name for p in session.phases] == ["banner", "kex", "auth", "channel", "sftp"]
        for phase in session.phases:
            assert phase.started is not None
            assert phase.ended is not None
            assert 0 <= phase.waited <= phase.ended - phase.started + 1e-6

    def test_the_wait_after_error_37_is_the_peers(self) -> None:
        session = only(SAMPLES / "wrong-password.log")
        wait = session.waits["Waiting for password response"]
        assert wait.count == 1
        assert 0.01 < wait.seconds < 0.1


class TestSeveralSessions:
    def test_two_threads_are_told_apart(self) -> None:
        first, second = sessions_of(CASES / "auth-password-rejected" / "multi-threads.log")
        assert (first.login.user, second.login.user) == ("devi", "teva")
        assert first.ending.failed is None
        assert second.ending.failed is not None
        assert second.ending.failed.code == -18

    def test_appended_processes_are_told_apart_by_their_clocks(self) -> None:
        data = (SAMPLES / "wrong-password.log").read_bytes()
        assert [s.ending.failed.code if s.ending.failed else None for s in sessions_of(data * 3)] == [-18, -18, -18]

    @pytest.mark.parametrize("name", ["no-such-file.log", "wrong-password.log", "second-factor-missing.log"])
    def test_line_ranges_do_not_overlap(self, name: str) -> None:
        data = (SAMPLES / name).read_bytes()
        first, second = sessions_of(data * 2)
        lines = data.count(b"\n")
        assert first.last_line <= lines < second.first_line
        assert second.first_line == first.first_line + lines

    def test_a_trace_that_starts_in_mid_session(self) -> None:
        data = (SAMPLES / "no-such-file.log").read_bytes()
        session = only(data[data.index(b"[libssh2] ", data.index(b"Sending FXP_INIT") - 60) :])
        assert session.login.authenticated
        assert session.ending.failed is not None
        assert session.ending.failed.operation is not None
        assert session.ending.failed.operation.status == 2


class TestGivingUp:
    """Non-blocking clients that give up leave no error, only a gap in time."""

    STARTED = (
        b"[libssh2] 0.100000 Conn: Setting blocking mode OFF\n"
        b"[libssh2] 0.100100 Transport: session_startup for socket 4\n"
        b"[libssh2] 0.100200 Transport: Sending Banner: SSH-2.0-libssh2_1.11.1\n"
    )

    def test_after_a_pause_is_a_silence(self) -> None:
        session = only(self.STARTED + b"[libssh2] 3.200000 Transport: Freeing session resource (nil)\n")
        assert session.ending.failed is not None
        assert session.ending.failed.kind == "silence"
        assert session.ending.waited == pytest.approx(3.1, abs=0.01)

    def test_at_once_is_not(self) -> None:
        session = only(self.STARTED + b"[libssh2] 0.200300 Transport: Freeing session resource (nil)\n")
        assert session.ending.failed is None


class TestOddTraces:
    def test_dumps_alone(self) -> None:
        """All text was filtered out: the packets tell the story."""
        lines = (SAMPLES / "wrong-password.log").read_bytes().split(b"\n")
        session = only(b"\n".join(line for line in lines if not line.startswith(b"[libssh2]")))
        assert session.login.user == "devi"
        assert [(a.method, a.outcome) for a in session.login.attempts] == [("none", "refused"), ("password", "refused")]
        assert session.ending.failed is not None

    def test_a_restart_in_the_middle_of_a_transfer(self) -> None:
        """What is folded does not hide that another process begins."""
        first = b"[libssh2] 5.000000 Conn: channel_read() wants 9 bytes from channel 0/0 stream #0\n" * 3
        second = b"[libssh2] 0.200000 Failure Event: -37 - Failed getting banner\n"
        assert len(sessions_of(first + second)) == 2

    def test_errors_alone_of_a_program_that_went_on(self) -> None:
        """Mask 128: what goes well leaves no line, so nothing is claimed about what came before."""
        failures = (b"-39 - no auth sock variable", b"-37 - Waiting for password response", b"-37 - Would block")
        data = b"".join(b"[libssh2] 0.%d00000 Failure Event: %s\n" % (n + 1, text) for n, text in enumerate(failures))
        session = only(data)
        assert session.ending.failed is None
        assert session.ending.undecided is not None

    def test_a_look_that_finds_nothing_before_an_upload(self) -> None:
        """Without dumps: a stat of a file that is not there yet, then its upload."""
        texts = (
            b"SFTP: Enabling SFTP version 3 compatibility",
            b"SFTP: Statting /in/new.csv",
            b"SFTP: Received packet type 101 (len 29)",
            b"Failure Event: -31 - SFTP Protocol Error",
            b"SFTP: Sending file open request",
            b"SFTP: Received packet type 102 (len 13)",
            b"SFTP: Open command successful",
            b"Conn: Freeing channel 0/0 resources",
        )
        data = b"".join(b"[libssh2] 0.%d00000 %s\n" % (n + 1, text) for n, text in enumerate(texts))
        session = only(data)
        assert session.ending.failed is None
        assert [f.fate for f in session.failures] == ["recovered"]


class TestLimitsOfFacts:
    """Where a fact begins or ends by one: the next number would say something else."""

    def test_a_single_wait_counts_once(self) -> None:
        session = only(b"[libssh2] 0.100000 Failure Event: -37 - Would block waiting for channel EOF\n")
        assert [wait.count for wait in session.waits.values()] == [1]

    def test_a_clock_that_starts_after_the_first_wait(self) -> None:
        session = only(
            b"[libssh2] Failure Event: -37 - Would block\n"
            b"[libssh2] 0.100000 Transport: Looking for packet of type: 20\n"
            b"[libssh2] 0.200000 Transport: Looking for packet of type: 20\n"
        )
        assert session.ended == 0.2

    @pytest.mark.parametrize(("code", "count"), [(0, 0), (1, 1), (2, 1), (3, 0)])
    def test_scp_warnings_and_errors_are_messages(self, code: int, count: int) -> None:
        session = only(f"[libssh2] 0.100000 SCP: got {code:02x} scp: full\n".encode())
        assert len(session.scp.messages) == count

    def test_an_unknown_verb_begins_no_operation(self) -> None:
        session = only(b"[libssh2] 0.100000 SFTP: Frobnicating /srv/file\n")
        assert session.operations == []

    def test_the_first_error_of_the_agent_is_kept(self) -> None:
        line = b"[libssh2] 0.100000 Failure Event: -42 - failed connecting with agent\n"
        assert only(line + line).login.agent_line == 1

    def test_only_a_channel_that_waits_to_be_opened_gets_the_answer(self) -> None:
        state = State.begin(1, None)
        state.session.login.authenticated = True
        assert [score_number(state, number) for number in (91, 92)] == [UNLIKELY, UNLIKELY]
        state.session.channels.append(Channel(0, 1))
        assert [score_number(state, number) for number in (91, 92)] == [POSSIBLE, POSSIBLE]

    @pytest.mark.parametrize(
        ("name", "size"), [("noise-stat-before-upload", 10), ("noise-key-refused-then-password", 3)]
    )
    def test_content_in_dumps_is_counted(self, name: str, size: int) -> None:
        assert only(CASES / "none" / f"{name}.log").data.bytes == size

    def test_a_failed_read_adds_no_bytes_to_the_banner(self) -> None:
        record = b"[libssh2] 0.100000 Socket: Recved %d bytes banner\n"
        assert only(record % 1 + record % -13 + record % 1).banner.bytes == 2

    def test_content_that_is_read_is_counted(self) -> None:
        data = content(CASES / "sftp-operation-failed" / "work-write-status-4.log")
        status = b"18 65 00 00 : ^............e..\n0010: 00 02 00 00 00 04 00 00"
        answer = b"18 67 00 00 : ^............g..\n0010: 00 02 00 00 00 0F 00 00"
        assert status in data
        assert only(data.replace(status, answer)).data.bytes == only(data).data.bytes + 15


class TestTraceThatBeginsLater:
    @pytest.mark.parametrize(
        ("record", "phase"),
        [
            ("Transport: Packet type 6 received, length=17", "auth"),
            ("Transport: Packet type 94 received, length=17", "channel"),
            ("Key Ex: Client to Server IV and Key calculated", "kex"),
        ],
    )
    def test_first_record_shows_the_phase(self, record: str, phase: str) -> None:
        (session,) = diagnose_text(f"[libssh2] 0.100000 {record}\n")["sessions"]
        assert session["phase"] == phase
        assert "banner" not in [p["name"] for p in session["phases"]]

    @pytest.mark.parametrize("error", ["-31 - Read Packet At Unexpected Offset", "-16 - PK - Invalid key tag or value"])
    def test_failure_at_an_unknown_step_is_not_said_to_be_at_the_beginning(self, error: str) -> None:
        analysis = analyze_text(f"[libssh2] 0.100000 Failure Event: {error}\n")
        assert analysis.sessions[0].phases == ()
        assert "before the SSH greeting" not in render(analysis)
