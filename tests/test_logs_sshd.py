"""sshd's log: texts to events, lines to connections, connections to reasons. The logs are of a real OpenSSH 9.2."""

import random
import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.server_logs import entries
from tracelens.libssh2 import events
from tracelens.libssh2.grammar import load
from tracelens.logs import reasons, texts
from tracelens.logs.connections import connections

LOGS = Path(__file__).parent / "data" / "logs"
TRUTH = [line.split("\t") for line in (LOGS / "sshd-9.2.tsv").read_text().splitlines()[1:]]
VOCABULARY = (Path(texts.__file__).parent / "events.md").read_text(encoding="utf-8")


def parse(text):
    name, fields = texts.parse("OpenSSH", text)
    return name, dict(fields)


def read(text):
    return sorted(connections(entries(text.strip().splitlines())), key=lambda connection: connection.first_line)


def ids(connection):
    return [reason.id for reason in reasons.of(connection)]


# -- texts

CLIENT = {"address": "192.0.2.7", "port": 5022}
TEXTS = [
    ("Connection from 192.0.2.7 port 5022", "connected", CLIENT),
    (
        'Connection from 2001:db8::7 port 5022 on 2001:db8::1 port 22 rdomain ""',
        "connected",
        {"address": "2001:db8::7", "port": 5022, "server_address": "2001:db8::1", "server_port": 22},
    ),
    (
        "debug1: Remote protocol version 2.0, remote software version libssh2_1.11.1",
        "client_version",
        {"protocol": "2.0", "ident": "libssh2_1.11.1"},
    ),
    ("debug2: peer client KEXINIT proposal [preauth]", "kexinit", {"side": "client"}),
    (
        "debug2: ciphers ctos: aes256-ctr,aes128-ctr [preauth]",
        "kexinit",
        {"kind": "cipher_cs", "names": ("aes256-ctr", "aes128-ctr")},
    ),
    (
        "debug1: kex: client->server aes128-ctr hmac-md5 none",
        "agreed",
        {"cipher_cs": "aes128-ctr", "mac_cs": "hmac-md5", "comp_cs": "none"},
    ),
    (
        "Accepted keyboard-interactive/pam for devi from 192.0.2.7 port 5022 ssh2",
        "attempt_accepted",
        {"method": "keyboard-interactive", "device": "pam", "user": "devi", **CLIENT},
    ),
    (
        "Failed publickey for devi from 192.0.2.7 port 5022 ssh2: RSA SHA256:abc",
        "attempt_failed",
        {"method": "publickey", "user": "devi", "key_type": "RSA", "fingerprint": "SHA256:abc", **CLIENT},
    ),
    (
        "Failed password for invalid user devi from 192.0.2.7 port 5022 ssh2",
        "attempt_failed",
        {"method": "password", "invalid": "invalid user", "user": "devi", **CLIENT},
    ),
    (
        "Received disconnect from 192.0.2.7: 11: disconnected by user",
        "client_disconnected",
        {"address": "192.0.2.7", "code": 11, "message": "disconnected by user"},
    ),
    (
        "Received disconnect from 192.0.2.7 port 5022:11:  [preauth]",
        "client_disconnected",
        {"code": 11, "message": "", **CLIENT},
    ),
    (
        "ssh_dispatch_run_fatal: Connection from user devi 192.0.2.7 port 5022: Broken pipe",
        "client_closed",
        {"user": "devi", "message": "Broken pipe", **CLIENT},
    ),
    ("input_userauth_request: invalid user devi [preauth]", "noted", {"user": "devi"}),
    ("Invalid user devi from 192.0.2.7", "server_user_unknown", {"user": "devi", "address": "192.0.2.7"}),
    (
        "User devi from depot.example not allowed because not listed in AllowUsers",
        "server_user_not_allowed",
        {"user": "devi", "address": "depot.example", "message": "not listed in AllowUsers"},
    ),
    (
        "error: PAM: User account has expired for olaf from 192.0.2.7",
        "server_account_expired",
        {"user": "olaf", "address": "192.0.2.7"},
    ),
    (
        "error: PAM: Permission denied for illegal user x from 192.0.2.7",
        "server_pam_refused",
        {"message": "Permission denied", "user": "x", "address": "192.0.2.7"},
    ),
    (
        "pam_sss(sshd:auth): received for user devi: 7 (Authentication failure)",
        "server_password_wrong",
        {"user": "devi"},
    ),
    (
        "pam_sss(sshd:account): Access denied for user devi: 6 (Permission denied)",
        "server_pam_refused",
        {"user": "devi", "message": "6 (Permission denied)"},
    ),
    (
        "pam_faillock(sshd:auth): Consecutive login failures for user devi account temporarily locked",
        "server_account_locked",
        {"user": "devi"},
    ),
    ("pam_tally2(sshd:auth): user devi (1001) tally 7, deny 5", "server_account_locked", {"user": "devi"}),
    (
        "userauth_pubkey: key type ssh-rsa not in PubkeyAcceptedKeyTypes",
        "server_algorithm_barred",
        {"algorithm": "ssh-rsa", "option": "PubkeyAcceptedKeyTypes"},
    ),
    (
        "Could not open user 'devi' authorized keys '/home/devi/keys': Permission denied",
        "server_authorized_keys_unreadable",
        {"user": "devi", "path": "/home/devi/keys", "message": "Permission denied"},
    ),
    ('fatal: bad ownership or modes for chroot directory component "/srv/"', "server_chroot", {"path": "/srv/"}),
    (
        "Unable to negotiate with 192.0.2.7 port 5022: no matching host key type found. Their offer: ssh-rsa,ssh-dss",
        "server_no_common_algorithm",
        {"kind": "hostkey", "names": ("ssh-rsa", "ssh-dss"), **CLIENT},
    ),
    (
        "fatal: no matching cipher found: client aes128-gcm@openssh.com server aes128-ctr [preauth]",
        "server_no_common_algorithm",
        {"kind": "cipher", "client_names": "aes128-gcm@openssh.com", "names": ("aes128-ctr",)},
    ),
    (
        "drop connection #0 from [192.0.2.7]:5022 on [192.0.2.1]:22 penalty: failed authentication",
        "server_source_penalty",
        {"message": "penalty: failed authentication", "server_address": "192.0.2.1", "server_port": 22, **CLIENT},
    ),
    (
        "drop connection #10 from [192.0.2.7]:5022 on [192.0.2.1]:22 past MaxStartups",
        "server_max_startups",
        {"server_address": "192.0.2.1", "server_port": 22, **CLIENT},
    ),
    (
        "Timeout before authentication for connection from 192.0.2.7 to 192.0.2.1, pid = 100",
        "server_login_grace_time",
        {"address": "192.0.2.7", "server_address": "192.0.2.1", "child": 100},
    ),
    ("refused connect from depot.example (192.0.2.7)", "server_address_refused", {"address": "192.0.2.7"}),
    (
        "Starting session: forced-command (config) 'sftp -R' for devi from 192.0.2.7 port 5022 id 0",
        "channel_started",
        {"what": "forced-command", "command": "sftp -R", "user": "devi", **CLIENT},
    ),
    (
        "Starting session: shell on pts/0 for devi from 192.0.2.7 port 5022 id 0",
        "channel_started",
        {"what": "shell", "tty": "pts/0", "user": "devi", **CLIENT},
    ),
    ("session opened for local user devi from [192.0.2.7]", "sftp_started", {"user": "devi", "address": "192.0.2.7"}),
    (
        'open "/in/a.csv" flags WRITE,CREATE mode 0644',
        "sftp_request",
        {"verb": "open", "path": "/in/a.csv", "flags": "WRITE,CREATE", "mode": 0o644},
    ),
    ('posix-rename old "/in/a" new "/in/b"', "sftp_request", {"verb": "rename", "path": "/in/a", "target": "/in/b"}),
    ('set "/in/a" modtime 20261128-08:00:00', "sftp_request", {"verb": "setstat", "path": "/in/a"}),
    ('opendir ""', "sftp_request", {"verb": "opendir", "path": ""}),
    ("sent status Permission denied", "sftp_status", {"status": 3}),
    (
        'forced close "/in/a" bytes read 0 written 7',
        "sftp_closed",
        {"path": "/in/a", "bytes_read": 0, "bytes_written": 7},
    ),
    ('error: process_write: write "/in/a": No space left on device', "server_no_space", {"path": "/in/a"}),
    ("debug3: mm_request_send: entering, type 5 [preauth]", "noted", {}),
    (
        "message repeated 2 times: [ Failed password for root from 192.0.2.7 port 5022 ssh2]",
        "attempt_failed",
        {"method": "password", "user": "root", **CLIENT},
    ),
    (r'opendir "/in/\303\244\012"', "sftp_request", {"verb": "opendir", "path": r"/in/ä\012"}),
    (
        r"debug1: userauth-request for user DEPOT\\\\devi service ssh-connection method none [preauth]",
        "user_named",
        {"user": r"DEPOT\devi", "service": "ssh-connection", "method": "none"},
    ),
    (
        "debug1: Windows authentication failed for user: devi domain: DEPOT error: 1326",
        "server_password_wrong",
        {"user": "devi"},
    ),
    (
        "PAM 2 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=root",
        "server_password_wrong",
        {"address": "192.0.2.7", "user": "root"},
    ),
    ("input_userauth_request: invalid user  [preauth]", "noted", {"user": ""}),
    (
        "pam_access(sshd:account): access denied for user `devi' from `192.0.2.7'",
        "server_pam_refused",
        {"user": "devi"},
    ),
    ("The depot is closed.", "unknown", {}),
]


@pytest.mark.parametrize(("text", "name", "fields"), TEXTS, ids=[text[:50] for text, _, _ in TEXTS])
def test_texts_become_events(text, name, fields):
    assert parse(text) == (name, fields)


FORGED = "x from 198.51.100.9 port 5 ssh2"


@pytest.mark.parametrize(
    "text",
    [
        "Failed password for invalid user {} from 192.0.2.7 port 5022 ssh2",
        "Invalid user {} from 192.0.2.7 port 5022",
        "Connection closed by invalid user {} 192.0.2.7 port 5022 [preauth]",
        "Disconnecting invalid user {} 192.0.2.7 port 5022: Too many authentication failures [preauth]",
        "error: maximum authentication attempts exceeded for invalid user {} from 192.0.2.7 port 5022 ssh2 [preauth]",
    ],
)
@pytest.mark.parametrize(
    "user",
    [
        FORGED,
        "x 198.51.100.9 port 5",
        "from",
        "a from b",
        "x: 198.51.100.9",
        "root not allowed because",
        "a b  c",
        "'\"",
    ],
)
def test_a_users_name_does_not_pass_for_an_address(text, user):
    _, fields = parse(text.format(user))
    assert (fields["user"], fields["address"], fields["port"]) == (user, "192.0.2.7", 5022)


def test_of_two_names_in_a_text_neither_passes_for_the_address():
    changed = "Disconnecting user {} 192.0.2.7 port 5: Change of username or service not allowed: ({},a) -> ({},a)"
    for user in (FORGED, "x 198.51.100.9 port 5: y", "x 1 port 5: Change of username or service not allowed: y"):
        name, fields = parse(changed.format(user, user, user))
        assert (name, [*fields]) == ("server_user_changed", ["message"])


def test_no_user_has_an_empty_name():
    assert parse("Invalid user  from 192.0.2.7 port 5022")[1] == {"user": "", **CLIENT}
    assert parse("Failed none for invalid user  from 192.0.2.7 port 5022 ssh2")[1]["user"] == ""


def test_a_path_may_hold_what_follows_paths():
    text = 'open "/in/a" flags READ mode 0666" flags WRITE mode 0600'
    assert parse(text)[1] == {"verb": "open", "path": '/in/a" flags READ mode 0666', "flags": "WRITE", "mode": 0o600}


@given(st.text(max_size=200), st.sampled_from(["OpenSSH", "", "another"]))
@settings(derandomize=True, max_examples=200)
def test_any_text_is_an_event(text, server):
    name, _ = texts.parse(server, text)
    assert re.fullmatch("[a-z_]+", name)


@given(st.from_regex(r"[ -~]{1,60}", fullmatch=True))
@settings(derandomize=True, max_examples=200)
def test_any_name_stays_a_name(user):
    user = user.strip()
    printed = user.replace("\\", r"\\")  # as sshd does
    name, fields = parse(f"Failed password for invalid user {printed} from 192.0.2.7 port 5022 ssh2")
    if user:
        assert (name, fields["user"], fields["port"]) == ("attempt_failed", user, 5022)


@pytest.mark.parametrize(
    "text",
    [
        "Invalid user " + "a from b " * 900,
        "Failed password for " + " from 1.2.3.4 port 5" * 450,
        "User " + "x not allowed because " * 370,
        "Connection closed by user " + "1 port 2: " * 800,
        'rename old "' + '" new "' * 1100,
        "pam_unix(sshd:auth): authentication failure; logname=" + "rhost=" * 1300,
        "x" * 100_000,
        "/" + "a:" * 4000,
        "'" * 8000,
    ],
    ids=range(9),
)
def test_no_text_takes_long(text):
    started = time.process_time()
    parse(text)
    assert time.process_time() - started < 0.5


def test_texts_that_differ_in_numbers_are_read_alike():
    """What is taken from a text of the same shape is what the grammar says of each."""
    chance = random.Random(1)
    lines = [text for text, _, _ in TEXTS]
    for name in ("verbose.syslog", "debug3.syslog"):
        lines += [entry.text for entry in entries((LOGS / f"sshd-9.2-{name}").read_text().splitlines())]
    for line in dict.fromkeys(map(texts.bare, lines)):
        other = re.sub("[0-9]+", lambda run: str(chance.randrange(10 ** chance.randrange(1, 6))), line)
        events.parse("log of OpenSSH", line)
        assert events.parse("log of OpenSSH", other) == events.parse_afresh("log of OpenSSH", other), other


def test_the_vocabulary_has_every_event_of_the_grammar():
    names = {rule.alias for rule in load("sshd", start="message").rules if rule.origin.name == "message"}
    assert {name for name in names if f"`{name}`" not in VOCABULARY} == set()


# -- real logs


@pytest.mark.parametrize("name", ["info.syslog", "verbose.syslog", "info.stderr", "verbose.stderr", "debug3.syslog"])
def test_all_lines_of_real_logs_are_known(name):
    lines = (LOGS / f"sshd-9.2-{name}").read_text().splitlines()
    assert [line for line in lines if line and parse(next(entries([line])).text)[0] == "unknown"] == []


@pytest.mark.parametrize("name", ["info.syslog", "verbose.syslog", "info.stderr", "verbose.stderr"])
def test_connections_and_reasons_of_real_logs(name):
    found = read((LOGS / f"sshd-9.2-{name}").read_text())
    rows = [
        [name, str(c.first_line), c.first("user") or "-", str(len(c.events)), ",".join(ids(c)) or "-"] for c in found
    ]
    assert rows == [row for row in TRUTH if row[0] == name]


def test_debug3_shows_offers_and_what_was_agreed():
    first = read((LOGS / "sshd-9.2-debug3.syslog").read_text())[0]
    sides = {(e.fields["side"], e.fields["kind"]) for e in first.all("kexinit") if "kind" in e.fields}
    assert {("client", "cipher_cs"), ("server", "cipher_cs"), ("client", "hostkey")} <= sides
    assert first.first("cipher_cs")
    assert first.first("kex")
    assert [e.fields["method"] for e in first.all("user_named")] == [
        *("none", "publickey", "publickey-hostbound-v00@openssh.com")
    ]
