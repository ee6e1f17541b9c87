"""Clients' own logs: `ssh -v` and `curl -v`, recorded with OpenSSH 9.2 and curl 7.88 against servers on 127.0.0.1."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import tracelens
from tracelens import analysis, inputs, secrets
from tracelens.analysis import clients, program_words
from tracelens.cli.app import app
from tracelens.errors import NotATrace
from tracelens.logs import client_texts, curl, programs, ssh_verbose
from tracelens.reports import text

HERE = Path(__file__).parent
DATA = HERE / "data" / "clients"
BOTH = ("curl -v", "ssh -v")
BLOCKS = st.lists(st.binary(max_size=200), max_size=5)

# File -> root cause, or the verdict of a session without one.
TRUTH = {
    "curl-badkey": "auth-publickey-rejected",
    "curl-badpw": "auth-password-rejected",
    "curl-dead": "insufficient",
    "curl-forced": "insufficient",
    "curl-hostpub": "kex-hostkey-unverified",
    "curl-hostsha": "kex-hostkey-unverified",
    "curl-http": "banner-not-ssh",
    "curl-kex": "kex-no-common-algorithm",
    "curl-key": "auth-publickey-rejected",
    "curl-locked": "unexplained",
    "curl-nofile": "sftp-no-such-file",
    "curl-nohost": "insufficient",
    "curl-nokeyfile": "auth-key-unreadable",
    "curl-noperm": "sftp-permission-denied",
    "curl-nosub": "channel-subsystem-refused",
    "curl-ok": "healthy",
    "curl-ok-trace": "healthy",
    "curl-pw-notallowed": "auth-key-unreadable",
    "curl-quote": "sftp-no-such-file",
    "curl-scp": "healthy",
    "curl-scp-nofile": "scp-failed",
    "curl-timeout": "insufficient",
    "curl-toomany": "auth-password-rejected",
    "curl-twice": "sftp-no-such-file",
    "curl-upperm": "sftp-permission-denied",
    "scp-ok": "healthy",
    "sftp-ok": "healthy",
    "ssh-2f": "healthy",
    "ssh-changed": "kex-hostkey-unverified",
    "ssh-cipher-bad": "kex-no-common-cipher",
    "ssh-http": "banner-not-ssh",
    "ssh-kex-bad": "kex-no-common-kex",
    "ssh-key": "healthy",
    "ssh-locked": "auth-key-passphrase",
    "ssh-nokey": "auth-publickey-rejected",
    "ssh-nosub": "channel-subsystem-refused",
    "ssh-password": "healthy",
    "ssh-refused": "insufficient",
    "ssh-rsakey": "healthy",
    "ssh-timeout": "banner-timeout",
    "ssh-v1": "healthy",
    "ssh-wrongpw": "auth-too-many-failures",
    "ssh-wrongpw3": "auth-password-rejected",
}

# By the formats of OpenSSH 5.3's source.
OLD_SSH = """\
OpenSSH_5.3p1, OpenSSL 1.0.1e-fips 11 Feb 2013
debug1: Connecting to depot.example [192.0.2.1] port 22.
debug1: Connection established.
debug1: Remote protocol version 2.0, remote software version OpenSSH_5.3
debug1: SSH2_MSG_KEXINIT sent
debug1: SSH2_MSG_KEXINIT received
debug2: kex_parse_kexinit: diffie-hellman-group14-sha1,diffie-hellman-group1-sha1
debug2: kex_parse_kexinit: ssh-rsa,ssh-dss
debug2: kex_parse_kexinit: aes128-ctr,arcfour
debug2: kex_parse_kexinit: aes128-ctr,arcfour
debug2: kex_parse_kexinit: hmac-md5,hmac-sha1
debug2: kex_parse_kexinit: hmac-md5,hmac-sha1
debug2: kex_parse_kexinit: none
debug2: kex_parse_kexinit: none
debug2: kex_parse_kexinit:
debug2: kex_parse_kexinit:
debug2: kex_parse_kexinit: first_kex_follows 0
debug2: kex_parse_kexinit: reserved 0
debug2: kex_parse_kexinit: diffie-hellman-group1-sha1
debug2: kex_parse_kexinit: ssh-rsa
debug2: kex_parse_kexinit: aes128-ctr
debug2: kex_parse_kexinit: aes128-ctr
debug2: kex_parse_kexinit: hmac-md5
debug2: kex_parse_kexinit: hmac-md5
debug2: kex_parse_kexinit: none
debug2: kex_parse_kexinit: none
debug2: kex_parse_kexinit:
debug2: kex_parse_kexinit:
debug2: kex_parse_kexinit: first_kex_follows 0
debug2: kex_parse_kexinit: reserved 0
debug1: kex: server->client aes128-ctr hmac-md5 none
debug1: kex: client->server aes128-ctr hmac-md5 none
debug1: SSH2_MSG_NEWKEYS received
debug1: SSH2_MSG_SERVICE_ACCEPT received
debug1: Authentications that can continue: publickey,password
debug1: Next authentication method: publickey
debug1: Offering public key: /home/devi/.ssh/id_rsa
debug1: Authentications that can continue: publickey,password
debug2: we did not send a packet, disable method
debug1: No more authentication methods to try.
Permission denied (publickey,password).
"""

# By the formats of curl 8.21's source.
NEW_CURL = """\
*   Trying 192.0.2.1:22...
* Established connection to depot.example (192.0.2.1 port 22) from 192.0.2.7 port 5022
* SSH: libssh2 cryptography backend: openssl compatible
* SSH: SHA256 fingerprint 'r3OtKVzM59mucmYUfUGYe9PEIpyzTX0fyPYHPLGt5TI='
* SSH: host offers authentication via: publickey
* SSH: trying private key file '/home/devi/.ssh/id_rsa'
* SSH: publickey authentication denied: Username/PublicKey combination invalid
* SSH: failure connecting to agent
* Authentication failure
* closing connection #0
curl: (67) Authentication failure
"""


def analyzed(path: Path) -> analysis.Analysis:
    for source in inputs.find([str(path)]):
        assert isinstance(source, inputs.Source)
        return analysis.analyze(source, clients=BOTH)
    raise AssertionError(path)


def session_of(path: Path) -> analysis.Session:
    (session,) = analyzed(path).sessions
    return session


def written(folder: Path, text: str) -> Path:
    path = folder / "client.log"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_recording_has_its_truth() -> None:
    assert {path.stem for path in DATA.glob("*.txt")} == set(TRUTH)


@pytest.mark.parametrize("name", TRUTH)
def test_a_recording_is_diagnosed(name: str) -> None:
    session = session_of(DATA / f"{name}.txt")
    assert (session.root_cause or session.verdict) == TRUTH[name]
    lines = (DATA / f"{name}.txt").read_bytes().decode().split("\n")
    for found in session.findings:
        assert all(quote.text in lines[quote.line - 1] for quote in found.evidence)  # the program's own words


def test_what_ssh_tells_of_a_login_by_key() -> None:
    session = session_of(DATA / "ssh-key.txt")
    assert session.user == "devi"
    assert session.client_banner == "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10"
    assert session.algorithms["kex"] == "sntrup761x25519-sha512"
    assert session.algorithms["cipher_cs"] == "chacha20-poly1305@openssh.com"
    assert session.offers.server is not None
    assert session.offers.server["hostkey"] == ("ssh-ed25519", "rsa-sha2-512", "rsa-sha2-256")
    assert session.host_key_fingerprints == {"SHA256": "r3OtKVzM59mucmYUfUGYe9PEIpyzTX0fyPYHPLGt5TI"}
    assert [(a.method, a.outcome) for a in session.auth] == [("none", "refused"), ("publickey", "accepted")]
    assert session.auth[1].algorithm == "ssh-ed25519"
    assert session.auth[1].fingerprint == "SHA256:VymEllk4cOCkfYQ/ekQ47TaKyspomqg2uL8FZ8batTo"
    (command,) = session.commands
    assert (command.command, command.exit_status) == ("id", 0)


def test_the_signature_algorithm_of_an_rsa_key_is_the_one_that_ssh_chose() -> None:
    assert session_of(DATA / "ssh-rsakey.txt").auth[1].algorithm == "rsa-sha2-512"


def test_methods_are_in_order_with_their_outcome() -> None:
    tried = [(a.method, a.outcome) for a in session_of(DATA / "ssh-2f.txt").auth]
    assert tried == [("none", "refused"), ("publickey", "partial"), ("password", "accepted")]


def test_v_alone_tells_the_same_outcome_as_vvv() -> None:
    brief, full = session_of(DATA / "ssh-v1.txt"), session_of(DATA / "ssh-key.txt")
    assert [(a.method, a.outcome, a.fingerprint) for a in brief.auth] == [
        (a.method, a.outcome, a.fingerprint) for a in full.auth
    ]
    assert brief.algorithms == full.algorithms


def test_an_old_ssh_is_read(tmp_path: Path) -> None:
    session = session_of(written(tmp_path, OLD_SSH))
    assert session.root_cause == "auth-publickey-rejected"
    assert session.offers.client is not None
    assert session.offers.client["kex"] == ("diffie-hellman-group14-sha1", "diffie-hellman-group1-sha1")
    assert session.offers.server is not None
    assert session.offers.server["mac_sc"] == ("hmac-md5",)
    assert session.algorithms["mac_cs"] == "hmac-md5"


# By the formats of OpenSSH 7.4's source.
SSH_7_4 = """\
OpenSSH_7.4p1, OpenSSL 1.0.2k-fips  26 Jan 2017
debug1: Connecting to depot.example [192.0.2.1] port 22.
debug1: Connection established.
debug1: Local version string SSH-2.0-OpenSSH_7.4
debug1: Remote protocol version 2.0, remote software version OpenSSH_7.4
debug1: Authenticating to depot.example:22 as 'devi'
debug1: SSH2_MSG_KEXINIT sent
debug1: SSH2_MSG_KEXINIT received
debug1: kex: algorithm: curve25519-sha256
debug1: kex: host key algorithm: ecdsa-sha2-nistp256
debug1: kex: server->client cipher: chacha20-poly1305@openssh.com MAC: <implicit> compression: none
debug1: kex: client->server cipher: chacha20-poly1305@openssh.com MAC: <implicit> compression: none
debug1: Server host key: ecdsa-sha2-nistp256 SHA256:r3OtKVzM59mucmYUfUGYe9PEIpyzTX0fyPYHPLGt5TI
debug1: SSH2_MSG_NEWKEYS received
debug1: SSH2_MSG_SERVICE_ACCEPT received
debug1: Authentications that can continue: publickey,password
debug1: Next authentication method: publickey
debug1: Offering RSA public key: /home/devi/.ssh/id_rsa
debug2: we sent a publickey packet, wait for reply
debug1: Server accepts key: pkalg rsa-sha2-512 blen 279
debug2: input_userauth_pk_ok: fp SHA256:VymEllk4cOCkfYQ/ekQ47TaKyspomqg2uL8FZ8batTo
debug3: sign_and_send_pubkey: RSA SHA256:VymEllk4cOCkfYQ/ekQ47TaKyspomqg2uL8FZ8batTo
debug1: Authentication succeeded (publickey).
Authenticated to depot.example ([192.0.2.1]:22).
debug1: Sending subsystem: sftp
debug1: Exit status 0
"""


def test_the_ssh_of_centos_7_is_read(tmp_path: Path) -> None:
    session = session_of(written(tmp_path, SSH_7_4))
    assert session.verdict == "healthy"
    (login,) = [attempt for attempt in session.auth if attempt.outcome == "accepted"]
    assert (login.algorithm, login.fingerprint) == (
        "rsa-sha2-512",
        "SHA256:VymEllk4cOCkfYQ/ekQ47TaKyspomqg2uL8FZ8batTo",
    )


@pytest.mark.parametrize(
    ("why", "cause"),
    [
        ('Load key "/home/devi/.ssh/id_rsa": Permission denied', "auth-key-unreadable"),
        ('Load key "/home/devi/.ssh/id_rsa": error in libcrypto', "auth-key-passphrase"),
        ("debug1: send_pubkey_test: no mutual signature algorithm", "unexplained"),
    ],
)
def test_a_key_that_ssh_cannot_use_is_told(why: str, cause: str, tmp_path: Path) -> None:
    lines = SSH_7_4.splitlines()
    lines = [
        *lines[: lines.index("debug1: Next authentication method: publickey") + 1],
        why,
        "Permission denied (publickey).",
    ]
    session = session_of(written(tmp_path, "\n".join(lines)))
    assert (session.root_cause or session.verdict) == cause
    quote = session.root.evidence[0] if session.root is not None else session.unexplained
    assert quote is not None
    assert quote.text in why


def test_a_missing_mac_is_named(tmp_path: Path) -> None:
    lines = (DATA / "ssh-cipher-bad.txt").read_text(encoding="utf-8").splitlines()
    last = "Unable to negotiate with 192.0.2.1 port 22: no matching MAC found. Their offer: hmac-sha2-512"
    brief = [line for line in lines[:-1] if not line.startswith("debug2")]
    assert session_of(written(tmp_path, "\n".join([*brief, last]))).root_cause == "kex-no-common-algorithm"


def test_a_new_curl_is_read(tmp_path: Path) -> None:
    session = session_of(written(tmp_path, NEW_CURL))
    assert session.root_cause == "auth-publickey-rejected"
    assert session.host_key_fingerprints == {"SHA256": "r3OtKVzM59mucmYUfUGYe9PEIpyzTX0fyPYHPLGt5TI"}


LIBSSH = """\
* Connected to depot.example (192.0.2.1) port 22 (#0)
* User: devi
* SSH authentication methods available: public key, password
* Authentication using SSH public key file
* Failed public key authentication (rc: 1)
"""


@pytest.mark.parametrize(
    ("end", "outcome"),
    [
        (
            "* Completed password authentication\n* Authentication complete\n* Connection #0 to host a left intact\n",
            "healthy",
        ),
        ("* Authentication failure\ncurl: (67) Authentication failure\n", "auth-publickey-rejected"),
    ],
)
def test_a_curl_with_libssh_is_read(end: str, outcome: str, tmp_path: Path) -> None:
    found = analyzed(written(tmp_path, LIBSSH + end))
    (session,) = found.sessions
    assert (session.root_cause or session.verdict) == outcome
    assert session.user == "devi"
    assert outcome == "healthy" or "libssh," in found.notices[0].summary


def test_several_runs_in_one_file_are_several_sessions(tmp_path: Path) -> None:
    names = ["ssh-key", "ssh-nokey", "ssh-kex-bad", "ssh-v1"]
    text = "".join((DATA / f"{name}.txt").read_text(encoding="utf-8") for name in names)
    found = analyzed(written(tmp_path, text)).sessions
    assert [s.root_cause or s.verdict for s in found] == [TRUTH[name] for name in names]
    assert [s.number for s in found] == [1, 2, 3, 4]


@pytest.mark.parametrize("prefix", ["Nov 28 21:25:20 ", "2026-11-28T21:25:20.123456+00:00 ", "[21:25:20] "])
def test_a_clock_before_each_line_does_no_harm(prefix: str, tmp_path: Path) -> None:
    text = (DATA / "ssh-nokey.txt").read_text(encoding="utf-8")
    session = session_of(written(tmp_path, "".join(f"{prefix}{line}\n" for line in text.splitlines())))
    assert session.root_cause == "auth-publickey-rejected"


def test_utf_16_and_crlf_are_read(tmp_path: Path) -> None:
    path = tmp_path / "client.log"
    path.write_bytes((DATA / "ssh-nokey.txt").read_text(encoding="utf-8").replace("\n", "\r\n").encode("utf-16"))
    assert session_of(path).root_cause == "auth-publickey-rejected"


def test_would_block_in_curl_s_words_is_no_cause(tmp_path: Path) -> None:
    text = (
        (DATA / "curl-ok.txt")
        .read_bytes()
        .decode()
        .replace(
            "Unable to extract public key from private key file: Unable to open private key file",
            "Would block requesting userauth list",
        )
    )
    assert session_of(written(tmp_path, text)).verdict == "healthy"


def test_curl_that_reaches_no_server_says_so() -> None:
    (notice,) = analyzed(DATA / "curl-dead.txt").notices
    assert notice.id == "trace-empty"
    assert "Couldn't connect to server" in notice.summary


@pytest.mark.parametrize("name", ["curl-nofile", "curl-dead", "curl-ok-trace"])
def test_a_report_of_curl_s_log_says_what_it_is(name: str, tmp_path: Path) -> None:
    path = tmp_path / "report.md"
    result = CliRunner().invoke(app, ["report", str(DATA / f"{name}.txt"), "-o", str(path)])
    assert result.exit_code == 0, result.output
    made = path.read_text(encoding="utf-8")
    assert "no libssh2 trace" in made
    assert "None" not in made


def test_curl_for_another_protocol_is_no_thin_trace(tmp_path: Path) -> None:
    text = (
        "*   Trying 192.0.2.1:443...\n* Connected to a.example (192.0.2.1) port 443 (#0)\n* ALPN: offers h2,http/1.1\n"
    )
    with pytest.raises(NotATrace):
        analyzed(written(tmp_path, text))


def test_ssh_v_alone_is_no_input_of_analyze() -> None:
    with pytest.raises(NotATrace, match="ssh -v"):
        tracelens.analyze(DATA / "ssh-nokey.txt")


def differences(good: Path, bad: Path) -> list[str]:
    result = CliRunner().invoke(app, ["diff", str(good), str(bad)])
    assert result.exit_code == 0, result.output
    text = result.output.partition("\n\n")[2].partition("\n\n")[2]
    return [line for line in text.splitlines() if line]


def first_case(cause: str) -> Path:
    return min((HERE / "cases" / cause).iterdir())


def test_diff_names_the_algorithm_that_ssh_agreed_on() -> None:
    first, good, bad, *_ = differences(DATA / "ssh-key.txt", first_case("kex-no-common-kex"))
    assert first == "Key exchange: agreed on  <- look here first"
    assert good.split() == ["good", "sntrup761x25519-sha512"]
    assert bad.split() == ["bad", "nothing"]


def test_diff_names_the_key_that_worked() -> None:
    first, good, *_ = differences(DATA / "ssh-key.txt", first_case("auth-publickey-rejected"))
    assert first == "the user's key  <- look here first"
    assert "SHA256:VymEllk4cOCkfYQ/ekQ47TaKyspomqg2uL8FZ8batTo" in good


def test_diff_names_the_signature_that_worked() -> None:
    first, good, *_ = differences(DATA / "ssh-rsakey.txt", HERE / "cases/auth-rsa-sha1-refused/auth-no-dumps.log")
    assert first == "logins, one after the other  <- look here first"
    assert "rsa-sha2-512" in good


def test_a_cause_of_ssh_says_nothing_of_libssh2() -> None:
    session = session_of(DATA / "ssh-cipher-bad.txt")
    assert session.root is not None
    assert "libssh2" not in session.root.summary
    assert not any("libssh2" in advice.action for advice in session.root.advice)


def test_ssh_that_works_is_told_beside_a_trace() -> None:
    trace = analyzed(HERE / "cases/auth-publickey-rejected/auth-agent-list-0.log")
    made = clients.beside(trace, [analyzed(DATA / "ssh-nokey.txt"), analyzed(DATA / "ssh-key.txt")])
    works, fails = made.clients
    assert works.summary.startswith(
        "ssh works with another server: user devi by publickey (ssh-ed25519 SHA256:Vymell"[:60]
    )
    assert fails.session.root_cause == "auth-publickey-rejected"
    assert made.sessions == trace.sessions
    assert works.summary.split()[0] in text.render(made)


# What a program says in a trace of Key Ex alone -> its root cause.
WORDS = [
    (
        "PHP Warning:  ssh2_auth_password(): Authentication failed for devi using password in /var/www/p.php on line 2",
        "auth-password-rejected",
    ),
    (
        "login: Authentication failed (username/password) (-18 LIBSSH2_ERROR_AUTHENTICATION_FAILED) at p.pl line 1.",
        "auth-password-rejected",
    ),
    ("ERROR: [101]: public key authentication failed: libssh2 error [-18]", "auth-publickey-rejected"),
    ("* SSH public key authentication failed: Username/PublicKey combination invalid", "auth-publickey-rejected"),
    (
        "_pygit2.GitError: Failed to authenticate SSH session: Username/PublicKey combination invalid",
        "auth-publickey-rejected",
    ),
    (
        "  failed to authenticate SSH session: Username/PublicKey combination invalid; class=Ssh (23)",
        "auth-publickey-rejected",
    ),
    ("[Session(-18)] Authentication failed (username/password)", "auth-password-rejected"),
    (
        "Warning: ssh2_sftp(): Unable to startup SFTP subsystem: Unable to request SFTP subsystem in p.php on line 6",
        "channel-subsystem-refused",
    ),
    ("* SSH public key authentication failed: Would block requesting userauth list", None),
    ("hello from a program that uses ssh", None),
]


@pytest.mark.parametrize(("line", "cause"), WORDS)
def test_the_program_s_own_words_decide_where_the_trace_does_not(line: str, cause: str | None, tmp_path: Path) -> None:
    whole = (HERE / "cases/auth-password-rejected/auth-password-wrong-nonblocking-1.8.1_DEV.log").read_text()
    poor = "\n".join(each for each in whole.splitlines() if " Key Ex: " in each)
    session = session_of(written(tmp_path, f"{poor}\n{line}\n"))
    assert session.root_cause == cause
    assert session.verdict == ("cause" if cause else "insufficient")
    if cause:
        assert session.root is not None
        assert session.root.evidence[0].line == session.words[0].line == poor.count("\n") + 2


def test_the_program_s_own_words_never_change_a_cause(tmp_path: Path) -> None:
    whole = (HERE / "cases/auth-password-rejected/auth-password-wrong-nonblocking-1.8.1_DEV.log").read_text()
    said = "Warning: ssh2_connect(): Error starting up SSH connection(-5): Unable to exchange encryption keys"
    session = session_of(written(tmp_path, f"{whole}{said}\n"))
    assert session.root_cause == "auth-password-rejected"
    assert [quote.text for quote in session.words] == [said]


def test_a_password_in_a_program_s_words_is_masked() -> None:
    said = b"* Failure establishing ssh session: -5, password=Kelp.Otter.9 failed\n"
    (quote,) = program_words.words_of([said], "p.log", secrets.without_credentials)
    assert "Kelp" not in quote.text


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.text(max_size=300))
def test_any_line_of_a_program_is_read(line: str) -> None:
    assert isinstance(programs.read(1, line), list)


# A text -> its event, by the formats of the sources, where no recording has it.
TEXTS = {
    "ssh_verbose": {
        "kex: algorithm: (no match)": "noted",
        "ssh_exchange_identification: read: Connection reset by peer": "banner_failed",
        "Unable to negotiate with UNKNOWN port 65535: no matching MAC found. Their offer: a,b": "no_common",
        "no matching cipher found: client a,b server c,d": "no_common",
        "No ED25519 host key is known for [a]:22 and you have requested strict checking.": "host_key_unknown",
        "ssh_dispatch_run_fatal: Connection to ::1 port 22: message authentication code incorrect": "protocol_failed",
        'Load key "/home/devi/.ssh/id_rsa": error in libcrypto': "key_unreadable",
        'Authenticated to a (via proxy) using "publickey".': "authenticated",
        "channel 0: open failed: administratively prohibited: open failed": "channel_refused",
        "Received disconnect from 192.0.2.1: 2: Too many authentication failures for devi": "disconnected",
        "Connection closed by UNKNOWN": "lost",
        "Connection to a closed by remote host.": "lost",
        "Connection to 192.0.2.1 port 22 timed out": "timed_out",
        "client_loop: send disconnect: Broken pipe": "lost",
        "Timeout, server a not responding.": "timed_out",
        "Permission denied (publickey).": "denied",
    },
    "curl_verbose": {
        "Trying [::1]:22...": "trying",
        "connect to 192.0.2.1 port 22 from 192.0.2.7 port 5 failed: Connection refused": "connect_failed",
        "Failed to connect to a port 22: Connection refused": "connect_failed",
        "closing connection #0": "closing",
        "shutting down connection #0": "closing",
        "Connection timed out after 3001 milliseconds": "connect_timed_out",
        "SSH: host check 2, key: <none>": "host_key_checked",
        'rename "/x" to "/y" failed: Permission denied': "command_failed",
        'Attempt to set SFTP stats for "/x" failed: Permission denied': "setstat_failed",
        "SSH peer certificate or SSH remote key was not OK": "host_key_refused",
        "Login denied": "denied",
    },
}


@pytest.mark.parametrize(("grammar", "line"), [(grammar, line) for grammar, texts in TEXTS.items() for line in texts])
def test_a_text_of_the_source_is_known(grammar: str, line: str) -> None:
    assert client_texts.parse(grammar, line)[0] == TEXTS[grammar][line]


@settings(derandomize=True, max_examples=60, deadline=None)
@given(BLOCKS)
def test_any_bytes_are_read(blocks: list[bytes]) -> None:
    for reader in (ssh_verbose.runs, curl.runs):
        assert isinstance(reader(blocks), list)


@settings(derandomize=True, max_examples=40, deadline=None)
@given(st.sampled_from(sorted(TRUTH)), st.data())
def test_a_log_may_be_cut_anywhere(name: str, data: st.DataObject) -> None:
    lines = (DATA / f"{name}.txt").read_bytes().splitlines(keepends=True)
    cut = data.draw(st.integers(0, len(lines)))
    program = "curl -v" if name.startswith("curl") else "ssh -v"
    runs = clients.READERS[program]([b"".join(lines[:cut])])
    for run in runs:
        session = clients.session(run)
        assert session.first_line <= session.last_line
        assert session.last_line <= cut
