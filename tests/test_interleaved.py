"""Sessions that take turns in one trace: recorded ones, woven into each other as two threads of a process would."""

import csv
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import HERE, diagnose_bytes, diagnose_file

_CLOCK = re.compile(rb"\[libssh2\] (\d+)\.(\d{6}) ")
APART = 7  # neighbours fail alike
with (HERE / "TRUTH.tsv").open(newline="") as _file:
    ALONE = [
        HERE.parent / row["file"]
        for row in csv.DictReader(_file, delimiter="\t", quoting=csv.QUOTE_NONE)
        if row["origin"].startswith("lab: ") and (row["mask"], row["newline_policy"]) == ("511", "normal")
        if ";" not in row["root_cause"]
    ]
PAIRS = list(zip(ALONE, ALONE[APART:], strict=False))


@pytest.mark.parametrize(("after", "in_order"), [(3_000, 0.45), (20_000, 0.55), (90_000, 0.85)])
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
    assert len(wrong) <= len(PAIRS) * 0.22, "\n".join(wrong)
    assert len(PAIRS) - len(wrong) - traded >= len(PAIRS) * in_order


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_a_session_that_was_abandoned_leaves_the_next_one_alone(part: float) -> None:
    """A program that gives up without a word to libssh2, and tries again a few seconds later."""
    wrong = []
    for one, other in PAIRS:
        first = list(timed(one))
        data = b"".join(weave([first[: int(len(first) * part)], list(timed(other))], [0, first[-1][0] + 5_000_000]))
        got = diagnose_bytes(data)["sessions"][-1]
        if [verdict(got)] != verdicts(other)[-1:]:
            wrong.append(f"{one.name} + {other.name}: {verdict(got)}")
    assert len(wrong) <= len(PAIRS) * 0.04, "\n".join(wrong)


def woven(one: Path, other: Path, after: int) -> bytes:
    """Both traces in one, on one clock; the second begins so many microseconds after the first."""
    return b"".join(weave([list(timed(one)), list(timed(other))], [0, after]))


def weave(traces: list[list[tuple[int, bytes]]], starts: list[int]) -> Iterator[bytes]:
    placed = [
        (time + start, number, text)
        for number, (trace, start) in enumerate(zip(traces, starts, strict=True))
        for time, text in trace
    ]
    for time, _, text in sorted(placed, key=lambda one: one[:2]):  # in each trace's own order
        yield _CLOCK.sub(b"[libssh2] %d.%06d " % divmod(time + 200_000, 1_000_000), text, count=1)


def timed(path: Path) -> Iterator[tuple[int, bytes]]:
    """Records and dumps of a trace, in microseconds since its first; a dump has the time of the record that it is of.

    Kept traces have all answers after 20 ms, to the microsecond: here they take half as long to half as long again.
    """
    chance = random.Random(path.name)
    units = re.split(rb"^(?=\[libssh2\] |=> )", path.read_bytes(), flags=re.MULTILINE)[1:]
    clocks = [int(m[1]) * 1_000_000 + int(m[2]) if (m := _CLOCK.match(unit)) else None for unit in units]
    times, later = [], None
    for clock in reversed(clocks):
        later = clock if clock is not None else later
        times.append(later)
    begun = next(clock for clock in clocks if clock is not None)
    now, late = begun, 0
    for unit, clock, following in zip(units, clocks, reversed(times), strict=True):
        # What was read is told of after its dump, what is written before it.
        read = b"_read() " in unit[:30] and following is not None
        told = clock if clock is not None else following if read else now
        if told - now > 1_000:
            late += int((told - now) * chance.uniform(-0.5, 0.5))
        now = max(now, told)
        yield now + late - begun, unit


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
