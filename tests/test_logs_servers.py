"""Logs of dropbear: texts to events, lines to connections, connections to reasons. The logs in the folder are real."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracelens.libssh2.grammar import folder
from tracelens.logs import framing, reasons, texts
from tracelens.logs.connections import SERVERS, connections

LOGS = Path(__file__).parent / "data" / "logs"
RECORDED = sorted(path for path in LOGS.glob("*.log") if path.name.split("-")[0] in ("dropbear",))
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


@pytest.mark.parametrize("server", OTHERS)
def test_grammars_have_the_names_of_the_vocabulary(server):
    grammar = (folder() / f"{server.lower()}.lark").read_text(encoding="utf-8")
    message, _, rules = grammar.partition("\n\n_")
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
    assert all(connection.all("connected") for connection in log)


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
