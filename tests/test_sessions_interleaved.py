"""Sessions that take turns in one trace: recorded ones, woven into each other as two threads of a process would."""

import csv
import hashlib
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import HERE, READ, SENT, diagnose_bytes, diagnose_file, dump, run, string

from tests import interleaved_pairs as pairs

with (HERE / "TRUTH.tsv").open(newline="") as _file:
    ALONE = [
        HERE.parent / row["file"]
        for row in csv.DictReader(_file, delimiter="\t", quoting=csv.QUOTE_NONE)
        if row["origin"].startswith("lab: ") and (row["mask"], row["newline_policy"]) == ("511", "normal")
        if ";" not in row["root_cause"]
    ]


def partner(one: Path) -> Path:
    """Another trace, chosen by the names alone, so that a new trace changes few pairs."""
    others = (other for other in ALONE if other != one)
    return min(others, key=lambda other: hashlib.sha256(f"{one.name} {other.name}".encode()).digest())


PAIRS = [(one, partner(one)) for one in ALONE]


@pytest.mark.parametrize(("after", "in_order"), [(3_000, 0.63), (20_000, 0.7), (90_000, 0.83)])
def test_two_at_once_are_diagnosed_like_each_alone(after: int, in_order: float) -> None:
    """Where both wait for the same answer nothing tells whose it is, so that not all can be right.

    Most of these are logins that begin at once, which is the hardest; the bounds are near what is reached. Two that
    begin alike can trade all of their causes.
    """
    wrong, traded = [], 0
    for one, other in PAIRS:
        got = [verdict(session) for session in diagnose_bytes(woven(one, other, after))["sessions"]]
        alone = verdicts(one) + verdicts(other)
        if sorted(got) != sorted(alone):
            wrong.append(f"{one.name} + {other.name}: {got}, alone {alone}")
        elif got != alone:
            traded += 1
    assert len(wrong) <= len(PAIRS) * 0.13, "\n".join(wrong)
    assert len(PAIRS) - len(wrong) - traded >= len(PAIRS) * in_order


def test_threads_of_one_process_get_the_results_that_they_have_alone() -> None:
    """The bars are near what is reached of a few sets; `python -m tests.interleaved_pairs` has the figures of many."""
    sessions = right = 0
    for result in pairs.results(pairs.traces(None), 8, (511, 142)):
        sessions, right = sessions + result.sessions, right + result.right
    assert right >= 0.8 * sessions


def two_users(after: int) -> tuple[dict[str, Any], dict[str, str]]:
    """One user is refused and the other goes on; what is said of their trace, and the verdicts of each alone."""
    one, other = (HERE.parent / "sample_logs" / f"{name}.log" for name in ("wrong-password", "no-such-file"))
    document = diagnose_bytes(joined([timed(one), timed(other, b"olga")], [0, after]))
    return document, {"devi": verdicts(one)[0], "olga": verdicts(other)[0]}


@pytest.mark.parametrize("after", [4_000, 22_000, 24_000])
def test_what_follows_tells_whose_login_was_refused(after: int) -> None:
    document, alone = two_users(after)
    assert {session["user"]: verdict(session) for session in document["sessions"]} == alone


@pytest.mark.parametrize("after", range(0, 40_000, 4_000))
def test_logins_that_nothing_tells_apart_are_said_to_be_uncertain(after: int) -> None:
    document, alone = two_users(after)
    (notice,) = (found for found in document["notices"] if found["id"] == "trace-interleaved")
    if {session["user"]: verdict(session) for session in document["sessions"]} != alone:
        assert "uncertain which answers belong to these sessions: 1, 2" in notice["summary"]
    if "uncertain" in notice["summary"]:
        causes = [found for s in document["sessions"] for found in s["findings"] if found["kind"] == "cause"]
        assert {found["basis"] for found in causes} == {"silence"}


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_a_session_that_was_abandoned_leaves_the_next_one_alone(part: float) -> None:
    """A program that gives up without a word to libssh2, and tries again a few seconds later."""
    wrong = []
    for one, other in PAIRS:
        first = timed(one)
        data = joined([first[: int(len(first) * part)], timed(other)], [0, first[-1][0] + 5_000_000])
        got = diagnose_bytes(data)["sessions"][-1]
        if [verdict(got)] != verdicts(other)[-1:]:
            wrong.append(f"{one.name} + {other.name}: {verdict(got)}")
    assert len(wrong) <= len(PAIRS) * 0.03, "\n".join(wrong)


def woven(one: Path, other: Path, after: int) -> bytes:
    """Both traces in one, on one clock; the second begins so many microseconds after the first."""
    return joined([timed(one), timed(other)], [0, after])


def joined(parts: list[pairs.Timed], starts: list[int]) -> bytes:
    return b"".join(text for _, text in pairs.weave(parts, starts))


def timed(path: Path, user: bytes = pairs.USER) -> pairs.Timed:
    return pairs.timed(path, random.Random(path.name), pairs.renamed(path.read_bytes(), pairs.USER, user))


def verdicts(path: Path) -> list[str]:
    return [verdict(session) for session in diagnose_file(path)["sessions"]]


def verdict(session: dict[str, str]) -> str:
    return session["root_cause"] or session["verdict"]


def session_causes(text: str) -> list[str]:
    return [verdict(session) for session in diagnose_bytes(text.encode())["sessions"]]


@pytest.mark.parametrize(
    "first",
    [
        "Conn: Setting blocking mode OFF",
        "Transport: New session resource allocated",
        "Conn: Setting blocking mode ON\n[libssh2] 0.000105 Conn: Setting blocking mode OFF",
    ],
)
def test_a_blocking_mode_that_is_set_twice_makes_no_session(first: str) -> None:
    assert session_causes(
        f"[libssh2] 0.000100 {first}\n"
        "[libssh2] 0.000110 Conn: Setting blocking mode ON\n"
        "[libssh2] 0.000200 Transport: session_startup for socket 4\n"
        "[libssh2] 0.000300 Transport: Sending Banner: SSH-2.0-libssh2_1.11.1\n"
        "[libssh2] 0.020000 Transport: Received Banner: SSH-2.0-OpenSSH_9.2p1\n"
        "[libssh2] 0.030000 Failure Event: -5 - Unable to exchange encryption keys\n"
    ) == ["kex-no-common-algorithm"]


def test_a_process_that_died_ends_where_the_next_one_sets_its_blocking_mode() -> None:
    begun = (
        "[libssh2] {0}.000100 Conn: Setting blocking mode ON\n"
        "[libssh2] {0}.000200 Transport: session_startup for socket 4\n"
        "[libssh2] {0}.000300 Transport: Sending Banner: SSH-2.0-libssh2_1.11.1\n"
    )
    failed = "[libssh2] 0.020000 Failure Event: -13 - Failed getting banner\n"
    document = diagnose_bytes((begun.format(7) + begun.format(0) + failed).encode())
    assert [verdict(session) for session in document["sessions"]] == ["insufficient", "banner-closed"]
    assert document["trace"]["clock_restarts"] == 1


@pytest.mark.parametrize("first", [True, False])
def test_what_a_tunnel_carries_is_content_beside_sftp(first: bool, tmp_path: Path) -> None:
    """Its channel has the number of the SFTP channel, so that its first data may be taken for SFTP's."""
    sftp = timed(HERE.parent / "sample_logs" / "no-such-file.log")
    login = next(i for i, (_, text) in enumerate(sftp) if b"Password authentication successful" in text) + 1
    tunnel = sftp[:login] + list(tunnelled(sftp[login - 1][0]))
    data = joined([tunnel, sftp], [0, 150_000]) if first else joined([sftp, tunnel], [0, 20_000])
    (tmp_path / "trace.log").write_bytes(data)
    done = run("redact", str(tmp_path / "trace.log"), "-o", str(tmp_path / "copy.log"))
    assert done.returncode == 0
    shown = b"%05d" % 7
    assert shown.hex(" ").encode() in data.lower()
    copy = (tmp_path / "copy.log").read_bytes()
    assert not re.search(rb"[0-9]{5} some", copy)
    assert b"73 6F 6D" not in copy


def tunnelled(now: int) -> Iterator[tuple[int, bytes]]:
    """A forwarded connection on channel 0 (RFC 4254, 7.2), as libssh2 traces it."""

    def texts(*told: str) -> Iterator[tuple[int, bytes]]:
        for text in told:
            yield now, b"[libssh2] 0.000000 " + text.encode() + b"\n"

    def received(payload: bytes) -> Iterator[tuple[int, bytes]]:
        yield now, dump("libssh2_transport_read() raw", bytes(len(payload) + 32)) + dump(READ, payload)
        yield from texts(f"Transport: Packet type {payload[0]} received, length={len(payload)}")

    zero = bytes(4)
    yield from texts("Conn: Requesting direct-tcpip session from 127.0.0.1:40022 to db.internal:5432")
    yield from texts("Conn: Allocated new channel ID#0", "Conn: Opening Channel - win 2097152 pack 32768")
    opened = b"\x5a" + string(b"direct-tcpip") + zero + b"\0\x20\0\0" + b"\0\0\x80\0"
    yield now, dump(SENT, opened + string(b"db.internal") + b"\0\0\x15\x38" + string(b"127.0.0.1") + b"\0\0\x9c\x56")
    yield now, dump("libssh2_transport_write send()", bytes(96))
    yield from texts("Transport: Looking for packet of type: 91", "Transport: Looking for packet of type: 92")
    now += 15_000
    yield from received(b"\x5b" + zero + zero + zero + b"\0\0\x80\0")
    yield from texts("Conn: Connection Established - ID: 0/0 win: 0/2097152 pack: 32768/32768")
    for number in range(40):
        now += 3_000
        asked, row = b"%05d some query" % number, b"%05d some rows" % number
        yield from texts(f"Conn: Writing {len(asked)} bytes on channel 0/0, stream #0")
        yield from texts(f"Conn: Sending {len(asked)} bytes on channel 0/0, stream_id=0")
        yield now, dump(SENT, b"\x5e" + zero + len(asked).to_bytes(4)) + dump(f"{SENT}2", asked)
        yield now, dump("libssh2_transport_write send()", bytes(64))
        yield from texts("Conn: channel_read() wants 4096 bytes from channel 0/0 stream #0")
        now += 3_000
        yield from received(b"\x5e" + zero + string(row))
        yield from texts("Conn: channel_read() wants 4096 bytes from channel 0/0 stream #0")
        yield from texts(f"Conn: channel_read() got {len(row)} of data from 0/0/0")
