"""Lines of loggers: who wrote them, when, and the text that is left."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracelens.logs.framing import entries
from tracelens.logs.model import Entry

TEXT = "Accepted password for devi from 192.0.2.7 port 5022 ssh2"
# A logger's line -> time of day, host, program, process.
LINES = {
    f"Nov  8 08:15:01 depot7 sshd[811]: {TEXT}": ("Nov 08 08:15:01", "depot7", "sshd", 811),
    f"<38>Nov 28 08:15:01 sshd[811]: {TEXT}": ("Nov 28 08:15:01", "", "sshd", 811),
    f"Nov 28 2026 08:15:01 depot7 sshd[811]: {TEXT}": ("2026-11-28 08:15:01", "depot7", "sshd", 811),
    f"Nov 28 08:15:01.120345 depot7 sshd-session[811]: {TEXT}": ("Nov 28 08:15:01", "depot7", "sshd-session", 811),
    f"<38>1 2026-11-28T08:15:01.12Z depot7 sshd 811 - - {TEXT}": ("2026-11-28 08:15:01+00:00", "depot7", "sshd", 811),
    f"2026-11-28T08:15:01.120345+05:30 depot7 sshd[811]: {TEXT}": ("2026-11-28 08:15:01+05:30", "depot7", "sshd", 811),
    f"2026-11-28T08:15:01+0100 depot7 sshd[811]: {TEXT}": ("2026-11-28 08:15:01+01:00", "depot7", "sshd", 811),
    f"Sat 2026-11-28 08:15:01 UTC depot7 sshd[811]: {TEXT}": ("2026-11-28 08:15:01+00:00", "depot7", "sshd", 811),
    f"1795853701.120345 depot7 sshd[811]: {TEXT}": ("2026-11-28 08:15:01+00:00", "depot7", "sshd", 811),
    f"811 2026-11-28 08:15:01.120 {TEXT}": ("2026-11-28 08:15:01", "", "sshd", 811),
    f"[811] Nov 28 08:15:01 {TEXT}": ("Nov 28 08:15:01", "", "dropbear", 811),
    f"2026-11-28 08:15:01,120 depot7 proftpd[811] 192.0.2.1 (192.0.2.7[192.0.2.7]): {TEXT}": (
        "2026-11-28 08:15:01", "depot7", "proftpd", 811,
    ),
    f"2026-11-28 08:15:01,120 mod_sftp/1.0.0[811]: {TEXT}": ("2026-11-28 08:15:01", "", "mod_sftp/1.0.0", 811),
    f"2026/11/28 08:15:01 DEBUG : {TEXT}": ("2026-11-28 08:15:01", "", "rclone", None),
    TEXT: (None, "", "", None),
}  # fmt: skip


def read(data: bytes) -> list[Entry]:
    return list(entries([data]))


@pytest.mark.parametrize("line", LINES)
def test_a_line_of_each_logger(line: str) -> None:
    (entry,) = read(line.encode() + b"\r\n")
    time = entry.stamp.at(entry.stamp.seconds) if entry.stamp is not None else None
    assert (time, entry.host, entry.program, entry.process) == LINES[line]
    assert entry.text.endswith(TEXT)


def test_json_of_the_journal() -> None:
    line = {
        "__REALTIME_TIMESTAMP": "1795853701120345",
        "_PID": "811",
        "SYSLOG_IDENTIFIER": "sshd",
        "_HOSTNAME": "depot7",
    }
    data = "\n".join(json.dumps(line | {"MESSAGE": text}) for text in (TEXT, list(TEXT.encode()))).encode()
    for entry in read(data):
        assert (entry.host, entry.program, entry.process, entry.text) == ("depot7", "sshd", 811, TEXT)
        assert entry.stamp is not None
        assert entry.stamp.at(entry.stamp.seconds) == "2026-11-28 08:15:01+00:00"


def test_export_of_the_journal() -> None:
    block = f"__REALTIME_TIMESTAMP=1795853701120345\n_PID=811\nSYSLOG_IDENTIFIER=sshd\nMESSAGE={TEXT}\n\n".encode()
    assert [(e.line, e.process, e.text) for e in read(block * 2)] == [(4, 811, TEXT), (9, 811, TEXT)]


@pytest.mark.parametrize(
    "line",
    [
        {"log": f"Nov 28 08:15:01 depot7 sshd[811]: {TEXT}\n", "stream": "stderr", "time": "2026-11-28T08:15:01.12Z"},
        {"level": "info", "time": "2026-11-28T08:15:01", "sender": "sshd", "pid": 811, "message": TEXT},
    ],
)
def test_other_json(line: dict[str, object]) -> None:
    (entry,) = read(json.dumps(line).encode())
    assert (entry.process, entry.text) == (811, TEXT)
    assert entry.stamp is not None


@pytest.mark.parametrize(
    "data",
    [
        "<Event xmlns='x'><System><TimeCreated SystemTime='2026-11-28T08:15:01.12Z'/>"
        "<Execution ProcessID='811'/></System>"
        f"<EventData><Data Name='process'>sshd</Data><Data Name='payload'>{TEXT}</Data></EventData></Event>",
        "Level,Date and Time,Source,Event ID,Task Category\n"
        f'Information,11/28/2026 8:15:01 AM,OpenSSH,4,None,"sshd: {TEXT}"',
    ],
)
def test_a_windows_event_log(data: str) -> None:
    (entry,) = read(data.encode())
    assert (entry.program, entry.text) == ("sshd", TEXT)
    assert entry.stamp is not None
    assert entry.stamp.at(entry.stamp.seconds).startswith("2026-11-28 08:15:01")


def test_lines_of_other_programs_are_counted_only() -> None:
    others = b"Nov 28 08:15:01 depot7 CRON[9]: pam_unix(cron:session): session opened for user root(uid=0)\n"
    read_twice = entries([others * 1000 + b"Nov 28 08:15:02 depot7 sshd[811]: " + TEXT.encode() + b"\n" + others])
    assert [(e.line, e.program) for e in read_twice] == [(1001, "sshd")]
    assert read_twice.lines == 1002


def test_a_repeated_message_is_as_many() -> None:
    line = f"Nov 28 08:15:01 depot7 sshd[811]: message repeated 2 times: [ {TEXT}]\n".encode()
    assert [entry.text for entry in read(line)] == [TEXT, TEXT]


@pytest.mark.parametrize(
    "before",
    ["2026-11-28T08:15:01.120345678Z stderr F ", "2026-11-28T08:15:01.120345678Z ", "sshd-1  | ", "[pod/ssh-0/sshd] "],
)
def test_what_containers_put_before_a_line(before: str) -> None:
    lines = (f"[811] Nov 28 08:15:01 {TEXT}", f"Nov 28 08:15:01 depot7 dropbear[811]: {TEXT}", TEXT)
    for line in lines:
        (entry,) = read((before + line).encode() + b"\n")
        assert entry.text == TEXT
        assert entry.process == (None if line == TEXT else 811)
        assert (entry.stamp is not None) == (line != TEXT or before.startswith("2026"))


def test_the_last_message_again() -> None:
    line = f"Nov 28 08:15:01 depot7 sshd[811]: {TEXT}\n"
    again = "Nov 28 08:15:09 depot7 last message repeated 2 times\n"
    assert [(e.line, e.text) for e in read((line + again).encode())] == [(1, TEXT), (2, TEXT), (2, TEXT)]
    other = "Nov 28 08:15:02 depot7 CRON[9]: x\n"
    assert [e.line for e in read((line + other + again).encode())] == [1]


def test_a_line_that_comes_late_at_new_year_moves_nothing() -> None:
    lines = [f"{day} 00:00:00 depot7 sshd[1]: x\n" for day in ("Dec 31", "Jan  1", "Dec 31", "Jan  1")]
    times = [entry.stamp.seconds for entry in read("".join(lines).encode()) if entry.stamp is not None]
    assert times[0] == times[2]
    assert times[1] == times[3]


def test_the_size_of_blocks_makes_no_difference() -> None:
    head = b"x" * 100 + b"\n"
    data = head * (65_536 // len(head)) + f"Nov 28 08:15:01 depot7 sshd[811]: {TEXT}\n".encode() * 3
    whole = read(data)
    assert [len(list(entries([data[:size], data[size:]]))) for size in (1, 65_000, 65_536, 65_600)] == [len(whole)] * 4


def test_new_year_without_a_year_goes_on() -> None:
    days = ("Dec 31", "Jan  1", "Feb 29", "Jul  1", "Dec 20", "Dec 31", "Jan  1")
    lines = [f"{day} 23:59:59 depot7 sshd[1]: x\n" for day in days]
    times = [entry.stamp.seconds for entry in read("".join(lines).encode()) if entry.stamp is not None]
    assert times == sorted(times)
    assert len(set(times)) == 7


def test_a_late_line_of_the_old_year_moves_no_line() -> None:
    days = ("Dec 31 23:59:58", "Jan  1 00:00:01", "Dec 31 23:59:59", "Jan  1 00:00:02")
    data = "".join(f"{day} depot7 sshd[1]: x\n" for day in days).encode()
    times = [entry.stamp.seconds for entry in read(data) if entry.stamp is not None]
    assert [time - times[0] for time in times] == [0, 3, 1, 4]


@pytest.mark.parametrize(
    ("text", "level", "left"),
    [("debug1: Forked child 812.", "debug1", "Forked child 812."), ("error: PAM: x", "error", "PAM: x")],
)
def test_the_level_of_a_text(text: str, level: str, left: str) -> None:
    (entry,) = read(text.encode())
    assert (entry.level, entry.text) == (level, left)


PIECES = st.lists(
    st.one_of(st.sampled_from([line.encode() + b"\n" for line in LINES]), st.binary(max_size=60)), max_size=8
)


@settings(max_examples=150, derandomize=True, deadline=None)
@given(PIECES, st.integers(1, 90))
def test_no_bytes_raise_and_blocks_make_no_difference(pieces: list[bytes], size: int) -> None:
    data = b"".join(pieces)
    whole = read(data)
    assert list(entries(data[at : at + size] for at in range(0, len(data), size))) == whole
    assert all(len(entry.text) <= 64 * 1024 for entry in whole)
