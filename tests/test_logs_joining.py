"""Lines of a server's log -> connections: processes, their children, numbers given again, logs without numbers."""

import random
import re
from pathlib import Path

import pytest

from tests.support.server_logs import entries
from tracelens import rules
from tracelens.logs import joining, reasons
from tracelens.logs.connections import connections
from tracelens.logs.model import EVENTS_KEPT, Entry, Stamp
from tracelens.logs.reasons import of


def read(text):
    """The connections in the order of their first lines, each as the numbers of its lines."""
    log = connections(entries(text.strip().splitlines()))
    found = sorted(log, key=lambda connection: connection.first_line)
    return [[event.line for event in connection.events] for connection in found], log


def syslog(text, host="depot", day="Nov 28"):
    """Lines `08:00:01 sshd[100]: text` as syslog has them."""
    return "\n".join(
        f"{day} {time} {host} {rest}" for time, rest in (x.split(" ", 1) for x in text.strip().splitlines())
    )


def test_a_child_without_an_own_address_is_known_by_its_announcement():
    lines, _ = read(
        syslog("""
08:00:00 sshd[100]: Connection from 192.0.2.7 port 5022 on 192.0.2.1 port 22
08:00:00 sshd[110]: Connection from 192.0.2.8 port 5023 on 192.0.2.1 port 22
08:00:01 sshd[100]: Accepted password for devi from 192.0.2.7 port 5022 ssh2
08:00:01 sshd[110]: Accepted password for vera from 192.0.2.8 port 5023 ssh2
08:00:01 sshd[100]: User child is on pid 102
08:00:01 sshd[110]: User child is on pid 112
08:00:01 sshd[112]: fatal: bad ownership or modes for chroot directory "/srv/vera"
08:00:01 sshd[102]: fatal: bad ownership or modes for chroot directory "/srv/devi"
""")
    )
    assert lines == [[1, 3, 5, 8], [2, 4, 6, 7]]


def test_at_info_a_child_that_fails_at_once_belongs_to_the_login_before_it():
    text = """
08:00:01 sshd[100]: Accepted password for devi from 192.0.2.7 port 5022 ssh2
08:00:01 sshd[100]: pam_unix(sshd:session): session opened for user devi by (uid=0)
08:00:01 sshd[102]: fatal: bad ownership or modes for chroot directory "/srv"
08:00:01 sshd[100]: pam_unix(sshd:session): session closed for user devi
"""
    assert read(syslog(text))[0] == [[1, 2, 3, 4]]
    two = text.replace("sshd[102]", "sshd[122]").replace(
        "\n08:00:01 sshd[100]: pam_unix(sshd:session): session c", "\n"
    )
    other = "\n08:00:01 sshd[120]: Accepted password for vera from 192.0.2.8 port 5023 ssh2"
    lines, _ = read(syslog(other + two.split("\n08:00:01 sshd[100]: pam")[0] + "\n" + text.strip().splitlines()[2]))
    assert [3] in lines  # either login may be the one before it: it is nobody's


def test_the_unprivileged_child_of_old_releases_logs_itself():
    lines, _ = read(
        syslog("""
08:00:00 sshd[100]: Failed password for devi from 192.0.2.7 port 5022 ssh2
08:00:02 sshd[101]: Connection closed by 192.0.2.7
08:05:00 sshd[200]: Accepted password for devi from 192.0.2.7 port 5030 ssh2
08:05:09 sshd[202]: Received disconnect from 192.0.2.7: 11: disconnected by user
""")
    )
    assert lines == [[1, 2], [3, 4]]


def test_a_process_number_that_is_given_again_begins_another_connection():
    lines, _ = read(
        syslog("""
08:00:00 sshd[100]: Failed password for devi from 192.0.2.7 port 5022 ssh2
08:00:02 sshd[100]: Connection closed by authenticating user devi 192.0.2.7 port 5022 [preauth]
12:00:00 sshd[100]: Invalid user vera from 192.0.2.7 port 5999
12:00:01 sshd[100]: Connection closed by invalid user vera 192.0.2.7 port 5999 [preauth]
15:00:00 sshd[100]: userauth_pubkey: key type ssh-rsa not in PubkeyAcceptedAlgorithms [preauth]
""")
    )
    assert lines == [[1, 2], [3, 4], [5]]


def test_the_listener_of_new_releases_speaks_of_a_child():
    lines, _ = read(
        syslog("""
08:00:00 sshd-session[100]: Connection from 192.0.2.7 port 5022 on 192.0.2.1 port 22 rdomain ""
08:00:01 sshd-session[110]: Connection from 192.0.2.8 port 5023 on 192.0.2.1 port 22 rdomain ""
08:02:00 sshd[9]: Timeout before authentication for connection from 192.0.2.7 to 192.0.2.1, pid = 100
08:02:01 sshd[9]: drop connection #0 from [192.0.2.7]:5030 on [192.0.2.1]:22 penalty: exceeded LoginGraceTime
""")
    )
    assert lines == [[1, 3], [2], [4]]


def test_sftp_servers_of_one_user_are_given_in_the_order_in_which_they_were_asked_for():
    lines, _ = read(
        syslog("""
08:00:00 sshd[100]: Accepted publickey for devi from 192.0.2.7 port 5022 ssh2: RSA SHA256:a
08:00:00 sshd[110]: Accepted publickey for devi from 192.0.2.7 port 5023 ssh2: RSA SHA256:a
08:00:01 sshd[102]: Starting session: subsystem 'sftp' for devi from 192.0.2.7 port 5022 id 0
08:00:01 sshd[112]: Starting session: subsystem 'sftp' for devi from 192.0.2.7 port 5023 id 0
08:00:01 sftp-server[103]: session opened for local user devi from [192.0.2.7]
08:00:01 sftp-server[113]: session opened for local user devi from [192.0.2.7]
08:00:02 sftp-server[113]: open "/b" flags READ mode 0666
08:00:02 sftp-server[103]: open "/a" flags READ mode 0666
""")
    )
    assert lines == [[1, 3, 5, 8], [2, 4, 6, 7]]


def test_sftp_servers_of_one_moment_are_nobodys_if_order_and_numbers_disagree():
    lines, _ = read(
        syslog("""
08:00:00 sshd[100]: Accepted publickey for devi from 192.0.2.7 port 5022 ssh2: RSA SHA256:a
08:00:00 sshd[110]: Accepted publickey for devi from 192.0.2.7 port 5023 ssh2: RSA SHA256:a
08:00:01 sshd[102]: Starting session: subsystem 'sftp' for devi from 192.0.2.7 port 5022 id 0
08:00:01 sshd[112]: Starting session: subsystem 'sftp' for devi from 192.0.2.7 port 5023 id 0
08:00:01 sftp-server[113]: session opened for local user devi from [192.0.2.7]
08:00:01 sftp-server[113]: open "/b" flags READ mode 0666
""")
    )
    assert lines == [[1, 3], [2, 4], [5, 6]]


def test_a_port_that_a_client_has_again_begins_another_connection():
    lines, _ = read(
        syslog("""
08:00:00 sshd[100]: Accepted password for devi from 192.0.2.7 port 5022 ssh2
08:00:01 sshd[102]: Disconnected from user devi 192.0.2.7 port 5022
08:00:20 sshd[200]: Accepted password for devi from 192.0.2.7 port 5022 ssh2
08:00:21 sshd[202]: Disconnected from user devi 192.0.2.7 port 5022
""")
    )
    assert lines == [[1, 2], [3, 4]]


def test_a_process_of_pam_speaks_before_sshd_does():
    lines, _ = read(
        syslog("""
08:00:00 sshd[102]: pam_unix(sshd:auth): authentication failure; logname= uid=0 rhost=192.0.2.7  user=devi
08:00:02 sshd[100]: error: PAM: Authentication failure for devi from 192.0.2.7
08:00:03 sshd[100]: Connection closed by authenticating user devi 192.0.2.7 port 5022 [preauth]
""")
    )
    assert lines == [[1, 2, 3]]


def test_hosts_and_other_programs_are_kept_apart():
    text = syslog("08:00:00 sshd[100]: Accepted password for devi from 192.0.2.7 port 5022 ssh2", host="depot")
    text += "\n" + syslog("08:00:00 sshd[100]: Failed password for devi from 192.0.2.8 port 5022 ssh2", host="shed")
    text += "\n" + syslog("08:00:01 sudo[100]: pam_unix(sudo:session): session opened for user root by devi(uid=0)")
    lines, log = read(text)
    assert lines == [[1], [2]]
    assert (log.lines, log.servers, log.count) == (2, ["OpenSSH"], 2)


def test_without_process_numbers_address_and_port_join_what_has_them():
    lines, log = read("""
Connection from 192.0.2.7 port 5022 on 192.0.2.1 port 22
Connection from 192.0.2.8 port 5023 on 192.0.2.1 port 22
Failed password for devi from 192.0.2.7 port 5022 ssh2
subsystem request for sftp by user nobody failed, subsystem not found
Accepted password for vera from 192.0.2.8 port 5023 ssh2
Connection closed by authenticating user devi 192.0.2.7 port 5022 [preauth]
subsystem request for sftp by user vera failed, subsystem not found
""")
    assert lines == [[1, 3, 6], [2, 5, 7]]
    assert log.unassigned == 1


def test_without_process_numbers_a_reason_waits_for_the_line_that_names_its_connection():
    lines, _ = read("""
Connection closed by authenticating user devi 192.0.2.7 port 5021 [preauth]
User devi from 192.0.2.7 not allowed because not listed in AllowUsers
Failed password for invalid user devi from 192.0.2.7 port 5022 ssh2
""")
    assert lines == [[1], [2, 3]]


@pytest.mark.parametrize("seed", range(4))
def test_a_thousand_interleaved_connections_are_what_they_are_alone(seed):
    chance = random.Random(seed)
    scripts = []
    for n in range(1000):
        client = f"192.0.2.{n % 200} port {5000 + n}"
        scripts.append(
            [
                (1000 + 4 * n, f"Connection from {client} on 192.0.2.1 port 22"),
                (1000 + 4 * n, f"Accepted password for u{n % 7} from {client} ssh2"),
                (1000 + 4 * n, f"User child is on pid {1002 + 4 * n}"),
                (1002 + 4 * n, "error: no more sessions"),
                (1002 + 4 * n, f"Disconnected from user u{n % 7} {client}"),
                (1000 + 4 * n, f"pam_unix(sshd:session): session closed for user u{n % 7}"),
            ]
        )
    rows, active, waiting = [], [], list(enumerate(scripts))
    while active or waiting:
        if waiting and len(active) < 40:
            number, script = waiting.pop(0)
            active.append((number, list(script)))
        number, script = chance.choice(active)
        rows.append((number, *script.pop(0)))
        active = [item for item in active if item[1]]
    log = [
        Entry(i, Stamp(1e8 + i / 50), "depot", "sshd", process, "", text)
        for i, (_, process, text) in enumerate(rows, 1)
    ]
    found = [{rows[event.line - 1][0] for event in connection.events} for connection in connections(log)]
    assert len(found) == 1000
    assert all(len(numbers) == 1 for numbers in found)


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(joining, "OPEN", 50)
    kept = 0
    many = (Entry(i, None, "", "sshd", i, "", f"Invalid user x from 192.0.2.7 port {i}") for i in range(1, 2000))
    for connection in connections(many):
        kept = max(kept, len(connection.events))
    assert kept == 1
    long = (
        Entry(i, None, "", "sshd", 7, "", f"Failed password for x from 192.0.2.7 port 5 ssh{2}") for i in range(1, 9000)
    )
    (connection,) = connections(long)
    assert (len(connection.events), connection.beyond) == (EVENTS_KEPT, 8999 - EVENTS_KEPT)


def test_a_log_of_another_server_has_no_connection():
    log = connections(entries(["Nov 28 08:00:00 depot cron[1]: (root) CMD (true)", "hello", ""]))
    assert list(log) == []
    assert log.lines == 0


# -- reasons


def test_each_reason_of_the_vocabulary_has_a_page():
    text = (Path(reasons.__file__).parent / "events.md").read_text(encoding="utf-8").partition("## Reasons")[2]
    names = set(re.findall("`(server_[a-z_]+)`", text)) - {"server_version", "server_disconnected"}
    assert names == {id.replace("-", "_") for id in reasons.pages()}


def first(text):
    (connection,) = connections(entries(syslog(text).splitlines()))
    return of(connection)


def test_a_reason_names_what_it_is_about_and_who_does_what():
    (reason,) = first('08:00:01 sshd[102]: fatal: bad ownership or modes for chroot directory "/srv/s f"')
    assert reason.id == "server-chroot"
    assert "/srv/s f" in reason.summary
    assert reason.advice[0][0] == "server"
    assert "chmod 755 '/srv/s f'" in reason.advice[0][1]
    assert "transport-connection-lost" in reason.explains


def test_a_password_is_wrong_only_if_nothing_bars_the_user():
    failed = "08:00:01 sshd[100]: Failed password for devi from 192.0.2.7 port 5022 ssh2"
    assert [r.id for r in first(failed)] == ["server-password-wrong"]
    assert [r.implied for r in first(failed)] == [True]
    barred = "08:00:00 sshd[100]: User devi from 192.0.2.7 not allowed because listed in DenyUsers\n"
    pam = "08:00:01 sshd[100]: pam_unix(sshd:auth): authentication failure; logname= uid=0 rhost=192.0.2.7  user=devi\n"
    invalid = failed.replace("for devi", "for invalid user devi")
    assert [r.id for r in first(barred + pam + invalid)] == ["server-user-not-allowed"]


def test_what_barred_a_key_explains_nothing_after_a_login():
    text = """
08:00:00 sshd[100]: Authentication refused: bad ownership or modes for directory /home/devi
08:00:00 sshd[100]: Failed publickey for devi from 192.0.2.7 port 5022 ssh2: RSA SHA256:a
08:00:01 sshd[100]: Accepted password for devi from 192.0.2.7 port 5022 ssh2
"""
    assert [r.id for r in first("\n".join(text.strip().splitlines()[:2]))] == ["server-file-modes"]
    assert first(text) == []


def test_that_the_second_key_file_is_missing_is_no_reason():
    text = """
08:00:00 sshd[100]: debug1: Could not open user 'devi' authorized keys '/home/devi/.ssh/{}': No such file or directory
08:00:00 sshd[100]: Failed publickey for devi from 192.0.2.7 port 5022 ssh2: RSA SHA256:a
"""
    assert [r.id for r in first(text.format("authorized_keys2"))] == ["server-key-not-authorized"]
    assert [r.id for r in first(text.format("authorized_keys"))] == ["server-authorized-keys-unreadable"]


def test_at_info_a_status_is_not_that_of_the_request_before_it():
    told = """
08:00:00 sftp-server[100]: session opened for local user devi from [192.0.2.7]
{}08:00:01 sftp-server[100]: mkdir name "/in" mode 0777
08:00:01 sftp-server[100]: sent status No such file
"""
    assert "/in" not in first(told.format(""))[0].summary
    assert "/in" in first(told.format('08:00:00 sftp-server[100]: realpath "."\n'))[0].summary


@pytest.mark.parametrize("page", reasons.pages().values(), ids=lambda page: page.id)
def test_pages_are_whole(page):
    session = [
        "08:00:00 sshd[100]: session opened for local user devi from [192.0.2.7]",
        '08:00:00 sshd[100]: realpath "."',
    ]
    logs = {"sshd": page.log} if page.log else {}
    for program, lines in (logs | {server.lower(): lines for server, lines in page.log_of.items()}).items():
        shown = [f"08:00:01 {program}[100]: {line}" for line in lines]
        log = connections(entries(syslog("\n".join(session * ("status" in lines[-1]) + shown)).splitlines()))
        found = [reason for connection in log for reason in of(connection)]
        assert {reason.id for reason in found} == {page.id}
        assert "{" not in "".join([found[0].summary, *(action for _, action in found[0].advice)])
    assert page.log or page.log_of
    assert page.explains
    assert [id for id in page.explains if rules.rule(id) is None] == []
    assert page.title
    assert page.means.endswith(".")
    assert page.advice
    assert {who for who, _ in page.advice} <= {"client", "server", "network", "vendor"}
