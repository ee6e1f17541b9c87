"""Logs of dropbear, ProFTPD, SFTPGo and rclone: texts to events, lines to connections, connections to reasons.

The logs in the folder are real; only that of SFTPGo is written after its source.
"""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracelens.libssh2.grammar import folder
from tracelens.logs import framing, kinds, reasons, texts
from tracelens.logs.connections import SERVERS, connections

LOGS = Path(__file__).parent / "data" / "logs"
RECORDED = sorted(
    path for path in LOGS.glob("*.log") if path.name.split("-")[0] in ("dropbear", "proftpd", "rclone", "sftpgo")
)
VOCABULARY = (Path(texts.__file__).parent / "events.md").read_text(encoding="utf-8")
OTHERS = [joining.server for joining in SERVERS if joining.server != "OpenSSH"]
CLIENT = {"address": "192.0.2.7", "port": 5022}


def read(data):
    return connections(framing.entries([data if isinstance(data, bytes) else data.encode()]))


def ids(connection):
    return [reason.id for reason in reasons.of(connection)]


# -- texts

DROPBEAR = [
    ("Child connection from 192.0.2.7:5022", "connected", CLIENT),
    ("Child connection from 2001:db8::7:5022", "connected", {"address": "2001:db8::7", "port": 5022}),
    ("Child connection from [2001:db8::7]:5022", "connected", {"address": "2001:db8::7", "port": 5022}),
    ("Child connection from ::ffff:192.0.2.7:5022", "connected", CLIENT),
    ("Exit before auth (user 'devi', 3 fails): Disconnect received", "client_disconnected", {"user": "devi"}),
    ("Exit (devi): Exited normally", "client_closed", {"user": "devi"}),
    ("Exit before auth from <192.0.2.7:5022>: Timeout before auth", "server_login_grace_time", CLIENT),
    ("Exit before auth: No matching algo enc c->s", "server_no_common_algorithm", {"kind": "cipher"}),
    (
        "Exit before auth from <192.0.2.7:5022>: (user 'devi', 3 fails): Max auth tries reached - user 'devi'",
        "server_max_auth_tries",
        {**CLIENT, "user": "devi"},
    ),
    (
        "Exit (devi) from <[::1]:5022>: Keepalive timeout",
        "server_client_timeout",
        {"user": "devi", "address": "::1", "port": 5022, "message": "Keepalive timeout"},
    ),
    (
        "Exit (devi) from <192.0.2.7:5022>: Integrity error (bad packet size 999999)",
        "server_protocol_error",
        {**CLIENT, "user": "devi", "message": "Integrity error (bad packet size 999999)"},
    ),
    (
        "Early exit from <192.0.2.7:5022>: Error reading: Connection reset by peer",
        "client_closed",
        {**CLIENT, "message": "Error reading: Connection reset by peer"},
    ),
    ("Early exit: Terminated by signal", "noted", {}),
    (
        "Password auth succeeded for 'devi' from 192.0.2.7:5022, extra auth required",
        "attempt_partial",
        {**CLIENT, "method": "password", "user": "devi"},
    ),
    (
        "Pubkey auth succeeded for 'devi' with key md5 aa:bb from 192.0.2.7:5022",
        "attempt_accepted",
        {**CLIENT, "method": "publickey", "user": "devi", "fingerprint": "md5 aa:bb"},
    ),
    (
        "Bad PAM password attempt for 'devi' from 192.0.2.7:5022",
        "attempt_failed",
        {**CLIENT, "method": "password", "user": "devi"},
    ),
    ("Login attempt for nonexistent user from 192.0.2.7:5022", "server_user_unknown", CLIENT),
    ("User 'devi' has invalid shell, rejected", "server_shell_invalid", {"user": "devi"}),
    ("User account 'devi' is locked", "server_account_locked", {"user": "devi"}),
    (
        "Logins are restricted to the group sftp but user 'devi' is not a member",
        "server_user_not_allowed",
        {"user": "devi", "message": "the group sftp"},
    ),
    (
        "/home/devi/.ssh must be owned by user or root, and not writable by group or others",
        "server_file_modes",
        {"path": "/home/devi/.ssh"},
    ),
    (
        "User devi executing 'scp -t 'in''",
        "channel_started",
        {"user": "devi", "what": "exec", "command": "scp -t 'in'"},
    ),
    ("Aiee, segfault! You should probably report this as a bug to the developer", "server_crashed", {}),
    (
        "Exit before auth from <192.0.2.7:5022>: Incompatible remote version '/x must be owned by user or root, and'",
        "server_version_refused",
        {**CLIENT, "message": "Incompatible remote version '/x must be owned by user or root, and'"},
    ),
]


@pytest.mark.parametrize(("text", "name", "fields"), DROPBEAR, ids=range(len(DROPBEAR)))
def test_dropbear_texts(text, name, fields):
    assert texts.parse("dropbear", text) == (name, fields)


WHO = "ftp.example (client.example[192.0.2.7]): "
PROFTPD = [
    (
        "client (192.0.2.7:5022) connected to server (192.0.2.1:22)",
        "connected",
        {**CLIENT, "server_address": "192.0.2.1", "server_port": 22},
    ),
    (
        "client (2001:db8::7:5022) connected to server (2001:db8::1:22)",
        "connected",
        {"address": "2001:db8::7", "port": 5022, "server_address": "2001:db8::1", "server_port": 22},
    ),
    (
        "received client version 'SSH-2.0-libssh2_1.11.1'",
        "client_version",
        {"protocol": "2.0", "ident": "libssh2_1.11.1"},
    ),
    (" + Session client-to-server encryption: aes256-ctr", "agreed", {"cipher_cs": "aes256-ctr"}),
    (
        "no shared client-to-server MAC algorithm found (client sent 'hmac-md5', server sent 'hmac-sha2-256')",
        "server_no_common_algorithm",
        {"kind": "mac", "names": "hmac-md5"},
    ),
    (WHO + "USER devi: Login successful.", "attempt_accepted", {"address": "192.0.2.7", "user": "devi"}),
    (
        WHO.replace("]):", "]) -") + "USER devi (Login failed): Incorrect password",
        "server_password_wrong",
        {"address": "192.0.2.7", "user": "devi"},
    ),
    (
        WHO + "USER x (Login failed): Incorrect password: no such user found from c [192.0.2.7] to 192.0.2.1:22",
        "server_user_unknown",
        {"address": "192.0.2.7", "user": "x (Login failed): Incorrect password"},
    ),
    (
        WHO + "USER devi (Login failed): Invalid shell: '/bin/nosuch'",
        "server_shell_invalid",
        {"address": "192.0.2.7", "user": "devi", "path": "/bin/nosuch"},
    ),
    (
        WHO + "mod_auth_pam/1.2: PAM(devi): User account has expired.",
        "server_account_expired",
        {"address": "192.0.2.7", "user": "devi"},
    ),
    (WHO + "SSH2 session closed.", "exited", {"address": "192.0.2.7"}),
    (
        WHO + "Connection refused (MaxClientsPerHost 3)",
        "server_max_startups",
        {"address": "192.0.2.7", "message": "MaxClientsPerHost 3"},
    ),
    (
        "error renaming '/in/it's' to '/out/b': Permission denied",
        "server_path_permission",
        {"path": "/in/it's"},
    ),
    ("error checking '/in/a' for LSTAT: No such file or directory", "server_path_missing", {"path": "/in/a"}),
    ("error writing to '/in/a': Disk quota exceeded", "server_quota", {"path": "/in/a"}),
    ("RMDIR of '/in' failed: Directory not empty", "noted", {"path": "/in"}),
    (
        "unsupported exec command 'uptime'",
        "server_request_refused",
        {"message": "unsupported exec command 'uptime'"},
    ),
    (
        "unable to verify MAC on packet from socket 0",
        "server_protocol_error",
        {"message": "unable to verify MAC on packet from socket 0"},
    ),
]


@pytest.mark.parametrize(("text", "name", "fields"), PROFTPD, ids=range(len(PROFTPD)))
def test_proftpd_texts(text, name, fields):
    assert texts.parse("ProFTPD", text) == (name, fields)


LOCAL = "serve sftp 192.0.2.7:5022->192.0.2.1:2022: "
RCLONE = [
    (
        'ssh auth "none" from "SSH-2.0-libssh2_1.11.1": ssh: no auth passed yet',
        "client_version",
        {"protocol": "2.0", "ident": "libssh2_1.11.1"},
    ),
    ("Password login attempt for devi", "user_named", {"method": "password", "user": "devi"}),
    (
        'ssh auth "publickey" from "SSH-2.0-libssh2_1.11.1 PHP": unknown public key for "devi"',
        "attempt_failed",
        {"method": "publickey", "protocol": "2.0", "ident": "libssh2_1.11.1 PHP", "user": "devi"},
    ),
    (
        'ssh auth "password" from "SSH-2.0-libssh2_1.11.1": OK',
        "attempt_accepted",
        {"method": "password", "protocol": "2.0", "ident": "libssh2_1.11.1"},
    ),
    (
        "SSH login from devi using SSH-2.0-libssh2_1.11.1",
        "attempt_accepted",
        {"user": "devi", "protocol": "2.0", "ident": "libssh2_1.11.1"},
    ),
    (
        'SSH login failed: [ssh: no auth passed yet, unknown public key for "devi", password rejected for "devi"]',
        "server_password_wrong",
        {"user": "devi"},
    ),
    (
        'SSH login failed: [ssh: no auth passed yet, unknown public key for "devi"]',
        "server_key_not_authorized",
        {"user": "devi"},
    ),
    (
        "SSH login failed: ssh: no common algorithm for client to server cipher; client offered: [3des-cbc], server"
        " offered: [aes128-ctr]",
        "server_no_common_algorithm",
        {"kind": "cipher", "names": "3des-cbc"},
    ),
    ("SSH login failed: ssh: disconnect, reason 11: bye", "client_disconnected", {"code": 11, "message": "bye"}),
    ("SSH login failed: EOF", "client_closed", {}),
    ("Subsystem: sftp", "channel_started", {"what": "subsystem", "command": "sftp"}),
    ("exited session", "exited", {}),
]


@pytest.mark.parametrize(("text", "name", "fields"), RCLONE, ids=range(len(RCLONE)))
def test_rclone_texts(text, name, fields):
    assert texts.parse("rclone", LOCAL + text) == (name, {**CLIENT, **fields})


def test_a_file_of_rclone_is_that_of_the_only_connection():
    file = "/inbox/new.bin: >OpenFile: fd=<nil>, err=Read only file system"
    assert texts.parse("rclone", file) == ("server_read_only", {"path": "/inbox/new.bin"})
    lines = [LOCAL + "SSH login from devi using SSH-2.0-x", file, LOCAL + "exited session"]
    log = read("".join(f"2026/11/28 22:18:04 DEBUG : {line}\n" for line in lines))
    assert [ids(connection) for connection in log] == [["server-read-only"]]


ID = "b6e3b2dca7eec7e1672472f83466853e1589f1991d0fac2b962c2b714fc984ba"
FAILED = 'connection_failed client_ip="192.0.2.7" username="devi" login_type="password" error='
ADDRESS = {"address": "192.0.2.7"}
SFTPGO = [
    (FAILED + "invalid credentials", "attempt_failed", {**ADDRESS, "user": "devi", "method": "password"}),
    (
        FAILED + 'user "devi" is disabled',
        "server_account_locked",
        {**ADDRESS, "user": "devi", "method": "password", "message": 'user "devi" is disabled'},
    ),
    (
        FAILED.replace("devi", "").replace('"password"', '"no_auth_tryed"') + "ssh: disconnect, reason 11: bye",
        "client_disconnected",
        {**ADDRESS, "code": 11, "message": "bye"},
    ),
    (
        'failed to accept an incoming connection from ip "192.0.2.7": read tcp 192.0.2.1:22->192.0.2.7:5: i/o timeout',
        "server_login_grace_time",
        {**ADDRESS, "message": "read tcp 192.0.2.1:22->192.0.2.7:5: i/o timeout"},
    ),
    (
        'User id: 4, logged in with: "password", username: "devi", home_dir: "/srv" remote addr: "192.0.2.7:5022"',
        "attempt_accepted",
        {**CLIENT, "method": "password", "user": "devi"},
    ),
    (
        'connection added, local address "192.0.2.1:2022", remote address "192.0.2.7:5022", num open connections: 1',
        "sftp_started",
        CLIENT,
    ),
    ('reading file "/in/a \\"b" is not allowed', "server_path_permission", {"path": '/in/a \\"b'}),
    (
        'could not open file "/srv/a" for reading: open /srv/a: no such file or directory',
        "server_path_missing",
        {"path": "/srv/a"},
    ),
    ("denying file write due to quota limits", "server_quota", {"message": "denying file write due to quota limits"}),
]


@pytest.mark.parametrize(("text", "name", "fields"), SFTPGO, ids=range(len(SFTPGO)))
def test_sftpgo_texts(text, name, fields):
    assert texts.parse("SFTPGo", text) == (name, fields)


LOGIN = {"sender": "login", "ip": "192.0.2.7", "username": "devi", "method": "password", "protocol": "SSH"}
LOGIN |= {"connection_id": ID, "client": "SSH-2.0-libssh2_1.11.1"}


@pytest.mark.parametrize(
    "line",
    [
        json.dumps({"level": "info", "time": "2025-09-14T16:57:45.500"} | LOGIN),
        "2025-09-14T16:57:45.500 INF " + " ".join(f"{name}={value}" for name, value in LOGIN.items()),
        "Sep 14 16:57:45 depot7 sftpgo[811]: " + json.dumps({"level": "info"} | LOGIN),
    ],
    ids=["json", "terminal", "syslog"],
)
def test_a_login_of_sftpgo_in_each_form(line):
    (connection,) = read(line + "\n")
    (event,) = connection.events
    assert (connection.server, connection.key, event.name) == ("SFTPGo", ID, "attempt_accepted")
    found = {"user": "devi", "method": "password", "protocol": "2.0", "ident": "libssh2_1.11.1"}
    assert event.fields == {**ADDRESS, **found}


@pytest.mark.parametrize("server", OTHERS)
def test_grammars_have_the_names_of_the_vocabulary(server):
    grammar = (folder() / f"{server.lower()}.lark").read_text(encoding="utf-8")
    message = grammar.partition("\n\n_")[0]
    names = set(re.findall(r"-> (\w+)", message))
    assert names - set(re.findall(r"`(\w+)`", VOCABULARY)) == set()
    advised = {page.id.replace("-", "_"): page for page in reasons.pages().values()}
    of_sshd = [
        name
        for name in names & set(advised)
        if server not in advised[name].advice_for and "sshd" in str(advised[name].advice)
    ]
    assert of_sshd == []


# -- recorded logs


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_recorded_logs_have_no_unknown_text(path):
    found = read(path.read_bytes())
    log = list(found)
    assert (found.unknown, found.unassigned) == (0, 0)
    assert log
    assert all(connection.first("address") for connection in log)


def test_connections_of_dropbear():
    log = list(read((LOGS / "dropbear-2022.83.log").read_bytes()))
    assert [ids(connection) for connection in log] == [
        ["server-password-wrong"],
        ["server-max-auth-tries", "server-password-wrong"],
        ["server-no-common-algorithm"],
        ["server-method-missing"],
        ["server-signature-wrong"],
        ["server-client-timeout"],
    ]
    assert all(connection.ended for connection in log)
    assert log[1].first("user") == "devi"
    assert "sshd" not in str([reason.advice for connection in log for reason in reasons.of(connection)])


def test_connections_of_proftpd():
    log = {connection.key: connection for connection in read((LOGS / "proftpd-1.3.8-sftp.log").read_bytes())}
    found = {found for connection in log.values() for found in ids(connection)}
    assert found == {
        *("server-password-wrong", "server-max-auth-tries", "server-user-unknown", "server-shell-invalid"),
        *("server-no-common-algorithm", "server-request-refused", "server-version-refused", "server-login-unfinished"),
        *("server-path-permission", "server-path-missing"),
    }
    assert all(connection.first("port") for connection in log.values())
    system = {
        reason for connection in read((LOGS / "proftpd-1.3.8-system.log").read_bytes()) for reason in ids(connection)
    }
    assert system == {
        *("server-password-wrong", "server-max-auth-tries", "server-user-unknown", "server-shell-invalid"),
        *("server-user-not-allowed", "server-home-missing", "server-request-refused", "server-key-not-authorized"),
    }


@pytest.mark.parametrize("form", ["text", "json"])
def test_connections_of_rclone(form):
    log = list(read((LOGS / f"rclone-1.60.1-{form}.log").read_bytes()))
    assert all(connection.first("port") for connection in log)
    found = [id for connection in log for id in ids(connection)]
    refused = ["server-password-wrong", "server-password-wrong"]
    assert (
        found
        == {
            "text": [*refused, "server-key-not-authorized", "server-path-missing", "server-read-only"],
            "json": [
                *("server-path-missing", *refused, "server-no-common-algorithm", "server-request-refused"),
                "server-protocol-error",
            ],
        }[form]
    )


def test_connections_of_sftpgo():
    log = read((LOGS / "sftpgo-2.6-written.log").read_bytes())
    found = sorted(log, key=lambda connection: connection.first_line)
    assert [ids(connection) for connection in found] == [
        ["server-password-wrong", "server-key-not-authorized"],
        ["server-user-unknown"],
        ["server-user-not-allowed"],
        ["server-no-common-algorithm"],
        ["server-path-permission", "server-path-missing"],
        ["server-source-penalty"],
    ]
    assert [len(connection.events) for connection in found] == [3, 2, 3, 1, 8, 1]
    assert found[4].first("port") == 62151


def test_other_programs_write_json_too():
    line = json.dumps({"level": "info", "msg": "request served", "time": "2026-11-28T22:45:03Z", "object": "/a"})
    assert kinds.kind(f"{line}\n".encode() * 9) is None


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_a_server_s_log_is_told_by_its_content(path):
    assert kinds.kind(path.read_bytes()) == kinds.SERVER_LOG


NAMELESS = [
    ("dropbear", "Child connection from 192.0.2.7:5022"),
    ("ProFTPD", "client (192.0.2.7:5022) connected to server (192.0.2.1:22)"),
    ("rclone", LOCAL + "Starting SFTP server"),
]


@pytest.mark.parametrize(("server", "text"), NAMELESS)
def test_texts_alone_tell_the_server(server, text):
    (connection,) = read(text + "\n")
    assert connection.server == server
    assert connection.first("address") == "192.0.2.7"


def test_lines_of_several_servers_in_one_log():
    lines = """
dropbear[200]: Child connection from 192.0.2.7:5022
dropbear[201]: Child connection from 192.0.2.8:5022
dropbear[200]: User 'devi' has invalid shell, rejected
dropbear[201]: Login attempt for nonexistent user from 192.0.2.8:5022
dropbear[200]: Exit before auth (user 'devi', 1 fails): Disconnect received
dropbear[201]: Exit before auth: Exited normally
proftpd[300]: ftp.example (c.example[192.0.2.9]) - SSH2 session opened.
proftpd[300]: ftp.example (c.example[192.0.2.9]) - USER devi: Login successful.
proftpd[300]: ftp.example (c.example[192.0.2.9]) - FTP session idle timeout, disconnected
proftpd[300]: ftp.example (c.example[192.0.2.9]) - SSH2 session closed.
"""
    log = list(read("".join(f"Nov 28 22:44:13 depot7 {line}\n" for line in lines.strip().splitlines())))
    assert [(connection.server, connection.key, ids(connection)) for connection in log] == [
        ("dropbear", "200", ["server-shell-invalid"]),
        ("dropbear", "201", ["server-user-unknown"]),
        ("ProFTPD", "300", ["server-client-timeout"]),
    ]


# -- damage


@settings(derandomize=True, max_examples=60, deadline=None)
@given(data=st.data(), path=st.sampled_from(RECORDED))
def test_damaged_lines_are_read(data, path):
    lines = path.read_bytes()[:4096]
    cut = data.draw(st.integers(0, len(lines)))
    gap = data.draw(st.integers(0, 64))
    log = read(lines[:cut] + data.draw(st.binary(max_size=16)) + lines[cut + gap :])
    for connection in log:
        assert connection.events
        reasons.of(connection)
