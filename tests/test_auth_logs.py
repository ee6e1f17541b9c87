"""Logs with many sessions, put together from recorded ones: nothing is lost, and what belongs together stays so."""

import json
import random
from datetime import datetime
from pathlib import Path

import pytest

from tests import auth_logs
from tests.auth_logs import FORMS, Line
from tests.lab import server_logs
from tests.lab.plain import Running

RECORDED = """\
2026-11-28T21:42:55.980363+00:00 depot7 sshd[303]: Server listening on 127.0.0.1 port 20004.
2026-11-28T21:42:56.369947+00:00 depot7 sshd[360]: Connection from 127.0.0.1 port 57554 on 127.0.0.1 port 20004 \
rdomain ""
2026-11-28T21:42:56.488246+00:00 depot7 sshd[360]: Accepted publickey for devi from 127.0.0.1 port 57554 ssh2: RSA \
SHA256:HkwBdHQc8IeTiNIGh+5/HSpe/JUeFV+T46hB6esB+PQ
2026-11-28T21:42:56.511263+00:00 depot7 sshd[360]: User child is on pid 372
2026-11-28T21:42:56.594996+00:00 depot7 sftp-server[377]: open "/home/devi/a.csv" flags READ mode 0100644
2026-11-28T21:42:56.595116+00:00 depot7 sshd[372]: Disconnected from user devi 127.0.0.1 port 57554
2026-11-28T21:42:56.600000+00:00 depot7 sshd[303]: drop connection #1 from [127.0.0.1]:43602 on [127.0.0.1]:20004 \
past MaxStartups
2026-11-28T21:42:56.643579+00:00 depot7 sshd[303]: Received signal 15; terminating.
"""


@pytest.fixture
def connection(tmp_path: Path) -> list[Line]:
    log = tmp_path / "NAME.server.log"
    log.write_text(RECORDED)
    return auth_logs.recorded(log)


def test_the_listening_process_is_left_out(connection: list[Line]) -> None:
    assert len(connection) == 6
    assert [line.process for line in connection[:5]] == [360, 360, 360, 377, 372]
    assert connection[5].text.startswith("drop connection #1")


def test_processes_and_ports_are_numbered_anew_and_belong_together(connection: list[Line]) -> None:
    chance = random.Random(1)
    others = [auth_logs.moved(connection, 1e9 + number / 10, chance) for number in range(50)]
    lines = auth_logs.mixed([auth_logs.moved(connection, 1e9 + 1), *others], chance)
    assert [line.seconds for _, line in lines] == sorted(line.seconds for _, line in lines)
    processes = {number: {line.process for owner, line in lines if owner == number} for number in range(51)}
    assert sum(map(len, processes.values())) == len(set().union(*processes.values())) == 51 * 4
    mine = [line for owner, line in lines if owner == 0]
    assert [line.program for line in mine] == [line.program for line in connection]
    port = mine[0].text.split()[4]
    assert mine[0].text == f'Connection from 192.0.2.7 port {port} on 192.0.2.1 port 22 rdomain ""'
    assert mine[1].text.startswith(
        f"Accepted publickey for devi from 192.0.2.7 port {port} ssh2: RSA SHA256:HkwBdHQc8I"
    )
    assert mine[2].text == f"User child is on pid {mine[4].process}"
    assert mine[5].text.endswith(" on [192.0.2.1]:22 past MaxStartups")
    texts = [line.text for owner, line in lines if owner]
    assert not [text for text in texts if "devi" in text or "HkwBdHQc8I" in text or "127.0.0.1" in text]


@pytest.mark.parametrize("name", FORMS)
def test_every_form_has_the_same_moment(name: str, connection: list[Line]) -> None:
    write, zone = FORMS[name]
    line = connection[0]
    text = write(line, zone)
    if name == "journal json":
        fields = json.loads(text)
        assert (fields["__REALTIME_TIMESTAMP"], fields["_PID"]) == ("1795902176369947", "360")
        assert fields["MESSAGE"] == line.text
        return
    assert text.endswith(f" depot7 sshd[360]: {line.text}")
    stamp = text.partition(" depot7")[0]
    if name.startswith("iso"):
        assert datetime.fromisoformat(stamp).timestamp() == line.seconds
    else:
        assert (
            stamp
            == {
                "rfc3164": "Nov 28 21:42:56",
                "rfc3164 -08:00": "Nov 28 13:42:56",
                "short-precise": "Nov 28 22:42:56.369947",
            }[name]
        )


def test_sshd_by_itself_writes_no_time_and_no_process(connection: list[Line]) -> None:
    text = auth_logs.by_itself(connection)
    assert text.startswith("Connection from 127.0.0.1 port 57554 on ")
    assert text.count("\r\n") == text.count("\n") == 5
    assert "/home/devi/a.csv" not in text


def test_logs_beside_a_trace(tmp_path: Path) -> None:
    first, second = tmp_path / "0001-sshd", tmp_path / "0002-sshd"
    lines = RECORDED.splitlines(keepends=True)
    for folder, some in ((first, lines[::2]), (second, lines[1::2])):
        folder.mkdir()
        (folder / "log").write_text("".join(some))
    third = tmp_path / "0003-dropbear"
    third.mkdir()
    (third / "log").write_text("[9] Nov 28 21:42:56 Child connection from 127.0.0.1:50000\n")
    trace = tmp_path / "NAME.log"
    servers = [Running(1, logs=(first / "log",)), Running(2, logs=(second / "log", tmp_path / "none"))]
    kept = server_logs.keep(trace, [*servers, Running(3, logs=(third / "log",))])
    assert [path.name for path in kept] == ["NAME.server.log", "NAME.server-2.log"]
    assert kept[0].read_text() == RECORDED
    assert server_logs.places(kept[0], [57554, 1], 2) == ["2", "-"]
    assert server_logs.places(kept[1], [None], 1) == ["1"]
    server_logs.forget(trace)
    assert not any(path.exists() for path in kept)


@pytest.mark.parametrize(
    ("told", "cause", "server", "level", "reason"),
    [
        ("", "auth-password-rejected", "OpenSSH_9.2p1", "INFO", "server-password-wrong"),
        ("", "auth-password-rejected", "dropbear", "INFO", "-"),
        ("", "auth-publickey-rejected", "OpenSSH_9.2p1", "INFO", "-"),
        ("", "auth-publickey-rejected", "OpenSSH_9.2p1", "DEBUG3", "server-key-not-authorized"),
        ("server-chroot", "transport-connection-lost", "OpenSSH_9.2p1", "INFO", "server-chroot"),
        ("server-subsystem-missing@DEBUG1", "sftp-start-failed", "OpenSSH_9.2p1", "VERBOSE", "-"),
        ("-", "sftp-no-such-file", "OpenSSH_9.2p1", "DEBUG3", "-"),
    ],
)
def test_the_reason_that_a_log_of_this_level_has(told: str, cause: str, server: str, level: str, reason: str) -> None:
    assert server_logs.reason(told, cause, server, level) == reason
