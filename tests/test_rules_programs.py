"""Habits of programs that use libssh2: probes, errors and banners of their own, and how each leaves."""

from typing import Any

import pytest
from support import READ, SENT, diagnose_bytes, dump, string

from tracelens.ssh.algorithms import defaults

GREETING = b"""\
[libssh2] 0.100000 Transport: session_startup for socket 3
[libssh2] 0.100010 Transport: Sending Banner: SSH-2.0-libssh2_1.11.1
[libssh2] 0.110000 Transport: Received Banner: SSH-2.0-OpenSSH_9.2
[libssh2] 0.120000 Key Ex: Received NEWKEYS message
[libssh2] 0.120001 Key Ex: session_id calculated
[libssh2] 0.120010 Transport: Requesting userauth service
[libssh2] 0.130000 Transport: Packet type 6 received, length=17
[libssh2] 0.140000 Transport: Packet type 51 received, length=24
[libssh2] 0.140010 Userauth: Permitted auth methods: publickey,password
"""
PASSWORD_BEGUN = b"[libssh2] 0.141000 Userauth: Attempting to login using password authentication\n"
NOT_OPENED = (
    b"[libssh2] 0.140111 Failure Event: -16 - Unable to extract public key from private key file: "
    b"Unable to open private key file\n"
)
REFUSED = (
    b"[libssh2] 0.150010 Userauth: Password authentication failed\n"
    b"[libssh2] 0.150011 Failure Event: -18 - Authentication failed (username/password)\n"
)
END = b"[libssh2] 0.160000 Transport: Freeing session resource\n[libssh2] 0.160010 Transport: Extra packets left 0\n"


def session_of(trace: bytes) -> dict[str, Any]:
    """The only session of a trace."""
    (session,) = diagnose_bytes(trace)["sessions"]
    return session


def probe(path: bytes) -> bytes:
    """A key file that cannot be opened."""
    return b"[libssh2] 0.140100 Userauth: Computing public key from private key file: " + path + b"\n" + NOT_OPENED


def password(value: bytes) -> bytes:
    """A password that is sent and refused, with dumps."""
    request = b"\x32" + string(b"pia") + string(b"ssh-connection") + string(b"password") + b"\0" + string(value)
    answer = b"\x33" + string(b"publickey,password") + b"\0"
    return PASSWORD_BEGUN + dump(SENT, request) + dump(READ, answer) + REFUSED


class TestAKeyThatNobodyNamed:
    """curl looks for a default key before each login, and asks libssh2 for a file without a name if there is none."""

    @pytest.mark.parametrize("value", [b"", b"Walnut.Harbour.4"], ids=["blank", "given"])
    def test_yields_to_the_refused_password(self, value: bytes) -> None:
        session = session_of(GREETING + probe(b"") + password(value) + END)
        assert session["root_cause"] == "auth-password-rejected"
        assert session["noise"]["noise-partial-auth"] == 1

    @pytest.mark.parametrize("name", [b"", b"/keys/id"], ids=["unnamed", "named"])
    def test_without_dumps_a_name_decides(self, name: bytes) -> None:
        session = session_of(GREETING + probe(name) + PASSWORD_BEGUN + REFUSED + END)
        assert session["root_cause"] == ("auth-key-unreadable" if name else "auth-password-rejected")

    def test_yields_in_a_trace_of_errors_alone(self) -> None:
        errors = NOT_OPENED + REFUSED.splitlines(keepends=True)[1]
        session = session_of(b"[libssh2] 0.120000 Failure Event: -37 - Would block requesting userauth list\n" + errors)
        assert session["root_cause"] == "auth-password-rejected"

    def test_alone_in_a_trace_of_errors_shows_no_failure(self) -> None:
        assert session_of(NOT_OPENED)["verdict"] == "insufficient"
        no_agent = b"[libssh2] 0.140200 Failure Event: -39 - no auth sock variable\n"
        assert session_of(NOT_OPENED + no_agent)["root_cause"] == "auth-key-unreadable"

    def test_yields_to_a_server_that_hangs_up_in_a_trace_of_errors_alone(self) -> None:
        ended = (
            b"[libssh2] 0.616306 Failure Event: -13 - socket disconnect\n"
            b"[libssh2] 0.616307 Failure Event: -13 - Waiting for password response\n"
        )
        assert session_of(NOT_OPENED + ended)["root_cause"] == "transport-server-disconnect"

    def test_yields_to_a_connection_that_is_lost_while_the_password_is_checked(self) -> None:
        lost = (
            b"[libssh2] 0.145000 Transport: Looking for packet of type: 52\n"
            b"[libssh2] 0.150000 Failure Event: -43 - transport read\n"
            b"[libssh2] 0.150001 Failure Event: -43 - Waiting for password response\n"
        )
        session = session_of(GREETING + probe(b"") + PASSWORD_BEGUN + lost + END)
        assert session["root_cause"] == "transport-connection-lost"

    def test_yields_to_silence(self) -> None:
        waits = b"[libssh2] 0.145000 Transport: Looking for packet of type: 52\n"
        freed = b"[libssh2] 90.160000 Transport: Freeing session resource\n"
        session = session_of(GREETING + probe(b"") + PASSWORD_BEGUN + waits + freed)
        assert session["root_cause"] == "transport-timeout"

    def test_where_the_server_takes_keys_only_the_program_was_given_none(self) -> None:
        greeting = GREETING.replace(b"publickey,password", b"publickey")
        session = session_of(greeting + probe(b"") + END)
        finding = session["findings"][0]
        assert finding["id"] == "auth-key-unreadable"
        assert finding["summary"] == "The server takes keys only, and the program was given none."
        assert not any("path" in advice["action"] for advice in finding["advice"])


class TestKeyboardInteractiveWithoutAQuestion:
    """Net::SSH2's auth() tries keyboard-interactive before the password; some servers refuse it and ask nothing."""

    ATTEMPT = b"[libssh2] 0.140050 Userauth: Attempting keyboard-interactive authentication\n" + dump(
        SENT, b"\x32" + string(b"pia") + string(b"ssh-connection") + string(b"keyboard-interactive") + bytes(8)
    )
    END = (
        dump(READ, b"\x33" + string(b"publickey,password,keyboard-interactive") + b"\0")
        + b"[libssh2] 0.140090 Userauth: Keyboard-interactive authentication failed\n"
        + b"[libssh2] 0.140091 Failure Event: -18 - Authentication failed (keyboard-interactive)\n"
    )
    PROMPT = dump(READ, b"\x3c" + string(b"") + string(b"") + string(b"") + b"\0\0\0\1" + string(b"Code: ") + b"\0")

    def test_yields_to_the_refused_password(self) -> None:
        session = session_of(GREETING + self.ATTEMPT + self.END + password(b"Walnut.Harbour.4") + END)
        assert session["root_cause"] == "auth-password-rejected"

    @pytest.mark.parametrize("after", [b"", password(b"")], ids=["alone", "blank password"])
    def test_stays_where_no_password_was_judged(self, after: bytes) -> None:
        session = session_of(GREETING + self.ATTEMPT + self.END + after + END)
        assert session["root_cause"] == "auth-keyboard-interactive-failed"

    def test_stays_where_the_server_asked(self) -> None:
        data = GREETING + self.ATTEMPT + self.PROMPT + self.END + password(b"Walnut.Harbour.4") + END
        assert session_of(data)["root_cause"] == "auth-keyboard-interactive-failed"


class TestAKeyThatSomebodyNamed:
    """A named key that is missing counts, unless a password was given too and refused."""

    def test_counts_where_the_password_is_blank(self) -> None:
        session = session_of(GREETING + probe(b"/keys/id") + password(b"") + END)
        assert session["root_cause"] == "auth-key-unreadable"

    def test_is_a_rival_where_a_password_was_given(self) -> None:
        session = session_of(GREETING + probe(b"/keys/id") + password(b"Walnut.Harbour.4") + END)
        assert session["root_cause"] == "auth-password-rejected"
        assert "auth-key-unreadable" in [rival["id"] for rival in session["findings"][0]["rivals"]]


SET_FIRST = b"[libssh2] 0.139000 Failure Event: -18 - Authentication failed\n"
SET_LAST = b"[libssh2] 0.159000 Failure Event: -18 - All authentication methods failed\n"


class TestAnErrorThatTheProgramSets:
    """Net::SSH2's auth() sets -18 before it tries anything, and once more where nothing helped."""

    def test_the_refused_password_counts(self) -> None:
        before, listed = (
            GREETING[: GREETING.index(b"[libssh2] 0.140000")],
            GREETING[GREETING.index(b"[libssh2] 0.14") :],
        )
        session = session_of(before + SET_FIRST + listed + password(b"Walnut.Harbour.4") + SET_LAST + END)
        assert session["root_cause"] == "auth-password-rejected"

    def test_so_it_does_in_a_second_round(self) -> None:
        once = PASSWORD_BEGUN + REFUSED
        session = session_of(GREETING + once + SET_LAST + SET_FIRST + once + SET_LAST + END)
        assert session["root_cause"] == "auth-password-rejected"

    def test_so_it_does_in_a_trace_of_errors_alone(self) -> None:
        session = session_of(SET_FIRST + REFUSED.splitlines(keepends=True)[1] + SET_LAST)
        assert session["root_cause"] == "auth-password-rejected"

    def test_where_nothing_could_be_tried_no_password_has_expired(self) -> None:
        assert session_of(GREETING + SET_FIRST + SET_LAST + END)["root_cause"] is None
        assert session_of(SET_FIRST + SET_LAST)["root_cause"] is None

    def test_an_expired_password_reads_the_same_and_comes_after_a_password(self) -> None:
        change = b"[libssh2] 0.150000 Userauth: Password change required\n"
        expired = b"[libssh2] 0.150001 Failure Event: -18 - Authentication failed\n"
        assert session_of(GREETING + PASSWORD_BEGUN + change + expired + END)["root_cause"] == "auth-password-expired"
        waited = b"[libssh2] 0.140000 Failure Event: -37 - Waiting for password response\n"
        assert session_of(waited + expired)["root_cause"] == "auth-password-expired"
        assert session_of(expired)["root_cause"] == "auth-password-expired"


NOT_FOUND = b"[libssh2] 0.139500 Failure Event: -46 - Unable to verify host key, host not found\n"
NO_FILE = b"[libssh2] 0.139400 Failure Event: -16 - Failed to open file\n"


class TestAHostKeyThatTheProgramRefuses:
    """libssh2 compares no host keys; Net::SSH2 sets an error of its own where known_hosts has another key or none."""

    def test_is_unverified(self) -> None:
        finding = session_of(GREETING + NOT_FOUND + END)["findings"][0]
        assert finding["id"] == "kex-hostkey-unverified"
        assert "Unable to verify host key, host not found" in finding["summary"]

    def test_is_unverified_where_the_file_is_missing(self) -> None:
        failed = NOT_FOUND.replace(b"Unable to verify host key, host not found", b"Host key verification failed")
        assert session_of(GREETING + NO_FILE + failed + END)["root_cause"] == "kex-hostkey-unverified"

    def test_is_unverified_in_a_trace_of_errors_alone(self) -> None:
        assert session_of(NOT_FOUND)["root_cause"] == "kex-hostkey-unverified"

    def test_is_taken_all_the_same_where_the_program_logs_in(self) -> None:
        session = session_of(GREETING + NO_FILE + NOT_FOUND + PASSWORD_BEGUN + REFUSED + END)
        assert session["root_cause"] == "auth-password-rejected"


LOGGED_IN = GREETING + PASSWORD_BEGUN + b"[libssh2] 0.150000 Userauth: Password authentication successful\n"
COPY = b"""\
[libssh2] 0.200000 SCP: Opening channel for SCP receive
[libssh2] 0.200010 Conn: Allocated new channel ID#0
[libssh2] 0.210000 Conn: Connection Established - ID: 0/0 win: 0/2097152 pack: 32768/32768
[libssh2] 0.210010 Conn: starting request(exec) on channel 0/0, message=scp -pf '/in/orders.csv'
[libssh2] 0.220000 SCP: Sending initial wakeup
"""
STDERR = b"[libssh2] 0.230000 Conn: 21 bytes packet_add() for 0/0/1\n"
STATUS = b"[libssh2] 0.230010 Conn: Exit status %d received for channel 0/0\n"
CLOSED = b"[libssh2] 0.230020 Conn: Close received for channel 0/0\n"
FREED = b"[libssh2] 0.240000 Conn: Freeing channel 0/0 resources\n[libssh2] 0.240010 Conn: Closing channel 0/0\n"


class TestACopyThatTheServerEnds:
    """A forced command answers scp on stderr; libssh2 then reports no error, and curl says that all is well."""

    @pytest.mark.parametrize("end", [STATUS % 3 + CLOSED, CLOSED], ids=["status", "no status"])
    def test_has_failed(self, end: bytes) -> None:
        session = session_of(LOGGED_IN + COPY + STDERR + end + FREED + END)
        assert session["root_cause"] == "scp-failed"

    def test_has_worked_where_scp_ended_well(self) -> None:
        copied = b"[libssh2] 0.225000 SCP: mode = 0100644 size = 12\n"
        assert session_of(LOGGED_IN + COPY + copied + STATUS % 0 + CLOSED + FREED + END)["root_cause"] is None
        assert session_of(LOGGED_IN + COPY + copied + CLOSED + FREED + END)["root_cause"] is None

    def test_has_worked_where_the_client_left_first(self) -> None:
        copied = b"[libssh2] 0.225000 SCP: mode = 0100644 size = 12\n"
        assert session_of(LOGGED_IN + COPY + copied + FREED + STATUS % 1 + CLOSED + END)["root_cause"] is None


FIRST = GREETING[: GREETING.index(b"[libssh2] 0.110000")]


def banner(text: bytes) -> bytes:
    """A line of the peer before any key exchange."""
    return b"[libssh2] 0.110000 Transport: Received Banner: " + text + b"\n"


class TestAServerOfAnotherProtocol:
    """nmap leaves a third of a second after the greeting, and reports no error."""

    @pytest.mark.parametrize("lines", [[b"220 ProFTPD Server ready.", b"500 Invalid command: try being more creative"]])
    def test_is_enough_whatever_the_time(self, lines: list[bytes]) -> None:
        begun = FIRST + b"".join(map(banner, lines))
        assert session_of(begun + END)["root_cause"] == "banner-not-ssh"
        assert session_of(begun)["root_cause"] == "banner-not-ssh"

    def test_a_greeting_of_a_gateway_may_come_first(self) -> None:
        begun = FIRST + banner(b"*** Authorized use only ***")
        assert session_of(begun)["root_cause"] is None
        assert session_of(begun + END)["root_cause"] == "banner-not-ssh"

    def test_an_ssh_server_may_turn_the_client_away(self) -> None:
        session = session_of(FIRST + banner(b"Exceeded MaxStartups") + END)
        assert session["root_cause"] == "banner-closed"

    def test_a_client_that_leaves_before_any_line_shows_nothing(self) -> None:
        assert session_of(FIRST + END)["root_cause"] is None


OFFER = {
    "KEX": "curve25519-sha256,diffie-hellman-group14-sha256",
    "HOSTKEY": "ssh-ed25519,rsa-sha2-512,ssh-rsa",
    "CRYPT_CS": "aes256-cbc",
    "CRYPT_SC": "aes256-cbc",
    "MAC_CS": "hmac-sha2-256",
    "MAC_SC": "hmac-sha2-256",
    "COMP_CS": "none",
    "COMP_SC": "none",
}
STOCK_1_10 = {
    **OFFER,
    "KEX": ",".join(defaults((1, 10, 0), "kex")),
    "HOSTKEY": ",".join(defaults((1, 10, 0), "hostkey")),
    "CRYPT_CS": ",".join(defaults((1, 10, 0), "cipher")),
    "CRYPT_SC": ",".join(defaults((1, 10, 0), "cipher")),
    "MAC_CS": ",".join(defaults((1, 10, 0), "mac")),
    "MAC_SC": ",".join(defaults((1, 10, 0), "mac")),
}
CHACHA = "chacha20-poly1305@openssh.com"
STRICT = {"KEX": OFFER["KEX"] + ",ext-info-c,kex-strict-c-v00@openssh.com"}


def exchange(banner: bytes, offer: dict[str, str], cipher: str = CHACHA, key: str = "ssh-ed25519") -> bytes:
    """A key exchange with a server that takes one cipher alone and has one host key."""
    lists = ["curve25519-sha256", key, cipher, cipher, "hmac-sha2-256", "hmac-sha2-256"]
    packet = b"\x14" + bytes(16) + b"".join(map(string, [*lists, "none", "none", "", ""])) + bytes(5)
    return (
        (b"[libssh2] 0.090000 Transport: Setting local Banner: " + banner + b"\n") * banner.endswith(b"PHP")
        + b"[libssh2] 0.100000 Transport: session_startup for socket 3\n"
        + b"[libssh2] 0.100010 Transport: Sending Banner: " + banner + b"\n"
        + b"[libssh2] 0.110000 Transport: Received Banner: SSH-2.0-OpenSSH_9.2\n"
        + "".join(f"[libssh2] 0.110001 Key Ex: Sent {name}: {names}\n" for name, names in offer.items()).encode()
        + dump(READ, packet)
        + b"[libssh2] 0.120000 Failure Event: -5 - Unable to exchange encryption keys\n"
        + END
    )  # fmt: skip


class TestABannerThatTheProgramSets:
    """PHP names the libssh2 that it was compiled with; the offer and the wording show which one runs."""

    PHP = b"SSH-2.0-libssh2_1.10.0 PHP"

    def test_its_version_does_not_count(self) -> None:
        session = session_of(exchange(self.PHP, OFFER | STRICT))
        assert "the program narrowed its list" in session["findings"][0]["summary"]
        assert [found["id"] for found in session["findings"]] == ["kex-no-common-cipher"]

    def test_a_stock_offer_shows_the_release(self) -> None:
        session = session_of(exchange(self.PHP, STOCK_1_10))
        assert "The client is too old: libssh2 1.11.1 would agree" in session["findings"][0]["summary"]
        assert [found["id"] for found in session["findings"]] == ["kex-no-common-cipher", "client-outdated"]
        assert "libssh2 1.10.0" in session["findings"][1]["summary"]

    def test_a_banner_in_the_form_of_libssh2_counts_unless_the_offer_is_newer(self) -> None:
        old = session_of(exchange(b"SSH-2.0-libssh2_1.10.0", STOCK_1_10))
        assert "client-outdated" in [found["id"] for found in old["findings"]]
        newer = session_of(exchange(b"SSH-2.0-libssh2_1.10.0", OFFER | STRICT))
        assert "client-outdated" not in [found["id"] for found in newer["findings"]]

    def test_where_the_release_is_open_the_client_is_not_called_too_old(self) -> None:
        kept = OFFER | {"HOSTKEY": "ssh-ed25519,ssh-rsa"}
        session = session_of(exchange(self.PHP, kept, "aes256-gcm@openssh.com"))
        assert "too old" not in session["findings"][0]["summary"]
        assert "client-outdated" not in [found["id"] for found in session["findings"]]


class TestAListThatKnownHostsNarrows:
    """curl, libgit2, cargo and mc offer only the type of the host key that they found in known_hosts."""

    @pytest.mark.parametrize(
        "offered", ["ssh-rsa", "rsa-sha2-512,rsa-sha2-256,ssh-rsa", "ssh-ed25519", "ssh-rsa,ssh-dss"]
    )
    def test_the_line_is_to_be_refreshed(self, offered: str) -> None:
        key = "ecdsa-sha2-nistp256" if offered == "ssh-ed25519" else "ssh-ed25519"
        offer = OFFER | STRICT | {"HOSTKEY": offered}
        finding = session_of(exchange(b"SSH-2.0-libssh2_1.11.1", offer, "aes256-cbc", key))["findings"][0]
        assert finding["id"] == "kex-no-common-hostkey"
        told = "known_hosts" in finding["summary"] and any("ssh-keyscan" in a["action"] for a in finding["advice"])
        assert told == ("ssh-dss" not in offered)


def test_where_the_connection_ends_before_any_login_no_other_mask_helps() -> None:
    """LoginGraceTime ran out while the program asked which methods there are: Userauth had nothing to print."""
    asked = b"\x32" + string(b"pia") + string(b"ssh-connection") + string(b"none")
    ended = b"[libssh2] 9.140000 Failure Event: -13 - Failed getting response\n"
    begun = GREETING[: GREETING.index(b"[libssh2] 0.140000")] + dump(SENT, asked)
    document = diagnose_bytes(begun + ended + END)
    assert document["sessions"][0]["root_cause"] == "transport-connection-lost"
    assert "trace-mask-incomplete" not in [notice["id"] for notice in document["notices"]]


def test_a_connection_that_the_program_never_made_was_not_closed() -> None:
    """Net::SSH2 sets -1 where connect() failed; libssh2 has no such text, and saw no connection."""
    session = session_of(b"[libssh2] 0.100000 Failure Event: -1 - Unable to connect to remote host: refused\n")
    assert (session["verdict"], session["root_cause"]) == ("unexplained", None)
