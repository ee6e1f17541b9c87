"""Which prefixes name a process, and what becomes of the lines."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import CASES, SAMPLES, diagnose_bytes
from support.lines import SETTINGS, TRANSFER

from tracelens.errors import UnreadableInput
from tracelens.export import Timeline
from tracelens.inputs import find
from tracelens.libssh2.events import Event
from tracelens.reader import Item, Run, Streams, divide, read

A = (SAMPLES / "wrong-password.log").read_bytes().splitlines(keepends=True)
B = (SAMPLES / "no-common-kex.log").read_bytes().splitlines(keepends=True)


def mixed(one: bytes, other: bytes, a: Iterable[bytes] = A, b: Iterable[bytes] = B) -> bytes:
    """Both traces in turns of two lines, each with its prefix."""
    left, right = [one + line for line in a], [other + line for line in b]
    out = []
    while left or right:
        out += [*left[:2], *right[:2]]
        left, right = left[2:], right[2:]
    return b"".join(out)


def names(data: bytes) -> list[str]:
    """The streams of a trace by name; one without a name where no prefix names a process."""
    streams = Streams([data])
    return [(list(stream), stream.name)[1] for stream in streams]


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        (b"Nov  9 08:15:01 depot app[98]: ", b"Nov 10 08:15:01 depot app[1011]: ", ["app[98]", "app[1011]"]),
        (b"[pid 811] ", b"[pid 812] ", ["811", "812"]),
        (b"<14>1 2026-11-28T08:15:01Z h a 7 - - ", b"<14>1 2026-11-28T08:15:01Z h a 8 - - ", ["h a[7]", "h a[8]"]),
        (b"web-1  | ", b"poll_2 | ", ["web-1", "poll_2"]),
        (b"[pod/web-x1/ssh] ", b"[pod/web-x2/ssh] ", ["pod/web-x1/ssh", "pod/web-x2/ssh"]),
        (b"08:15:01 [tid 140213] ", b"08:15:01 [tid 140221] ", ["140213", "140221"]),
        (b"08:15:01,123 [pool-t-1] LOG ", b"08:15:01,124 [pool-t-2] LOG ", ["pool-t-1", "pool-t-2"]),
        (b"811 ", b"812 ", ["811", "812"]),
    ],
)  # fmt: skip
def test_a_prefix_names_processes(one: bytes, other: bytes, found: list[str]) -> None:
    data = mixed(one, other)
    assert names(data) == found
    result = diagnose_bytes(data)
    assert [session["root_cause"] for session in result["sessions"]] == ["auth-password-rejected", "kex-no-common-kex"]
    assert result["trace"]["clock_restarts"] == 0
    said = next(notice["summary"] for notice in result["notices"] if notice["id"] == "trace-interleaved")
    assert ", ".join(found) in said


@pytest.mark.parametrize(
    "prefix",
    [
        lambda n, line: b"",
        lambda n, line: b"2026-11-28 08:%02d:01,%03d " % (n // 60 % 60, n % 1000),
        lambda n, line: b"Nov 28 08:15:01 depot ",
        lambda n, line: b"%d: " % n,
        lambda n, line: b"trace[%d]: " % n,
        lambda n, line: b"%s - " % (b"ERROR" if b"Failure" in line else b"DEBUG"),
        lambda n, line: b"[%s] " % (re.findall(rb"\d ([A-Z][\w ]+):", line) or [b"Dump"])[0].replace(b" ", b"-"),
        lambda n, line: b"[worker-%d] " % (n * 7919 % 31 % 4),  # a thread that changes within the session
    ],
    ids=["none", "time", "host", "number", "counter", "level", "context", "thread of a pool"],
)  # type: ignore[misc]
@pytest.mark.parametrize("trace", [A, B], ids=["login", "kex"])
def test_a_prefix_that_names_no_process(prefix: "object", trace: list[bytes]) -> None:
    assert callable(prefix)
    data = b"".join(prefix(n, line) + line for n, line in enumerate(trace, 100))
    assert names(data) == [""]


def test_lines_without_a_prefix_belong_to_the_process_before_them() -> None:
    streams = Streams([b"words\na[1]: [libssh2] 0.1 Conn: x\nmore\nb[2]: [libssh2] 0.2 Conn: y\nmore\n\n"])
    assert [(len(list(stream)), stream.name) for stream in streams] == [(1, "a[1]"), (1, "b[2]")]
    assert streams.account.foreign == [(1, "words"), (3, "more"), (5, "more")]


def _lines_of(items: Iterable[Item]) -> Iterator[int]:
    for item in items:
        yield from (item.first_line, item.last_line) if isinstance(item, Run) else (item.line,)


@SETTINGS
@given(st.data())
def test_each_process_has_the_items_of_its_own_lines(data: st.DataObject) -> None:
    """A stream has what a reader of its lines alone has, on the lines of the input, whatever the size of blocks."""
    texts = st.sampled_from([text % 7 if b"%d" in text else text for text in TRANSFER])
    rows = data.draw(st.lists(st.tuples(st.integers(1, 4), texts), min_size=12, max_size=60))
    lines = [b"[libssh2] %d.%06d %s\n" % (n, n, text) for n, (_, text) in enumerate(rows)]
    whole = b"".join(b"app[%d]: %s" % (process, line) for (process, _), line in zip(rows, lines, strict=True))
    size = data.draw(st.integers(1, 300))
    streams = Streams(whole[at : at + size] for at in range(0, len(whole), size))
    if not streams.are_named:
        return
    for stream in streams:
        items = list(stream)
        mine = [n for n, (process, _) in enumerate(rows) if stream.name == f"app[{process}]"]
        alone = list(read([b"".join(lines[n] for n in mine)]))
        assert [type(item) for item in items] == [type(item) for item in alone]
        assert list(_lines_of(items)) == [mine[line - 1] + 1 for line in _lines_of(alone)]
    account = streams.account
    assert account.bytes == account.record_bytes + account.dump_bytes + account.blank_bytes + account.foreign_bytes
    assert (account.bytes, account.lines) == (len(whole), len(rows))


def test_damage_comes_after_all_processes() -> None:
    def blocks() -> Iterator[bytes]:
        yield mixed(b"a[1]: ", b"b[2]: ")
        raise UnreadableInput("x", "is damaged")

    streams = iter(Streams(blocks()))
    assert [bool(list(next(streams))) for _ in range(2)] == [True, True]
    with pytest.raises(UnreadableInput):
        next(streams)


def test_more_processes_than_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(divide, "MOST", 3)
    data = 3 * mixed(b"a[1]: ", b"a[2]: ") + b"".join(b"a[%d]: %s" % (n, A[0]) for n in range(3, 1000))
    streams = Streams([data])
    assert [(list(stream), stream.name)[1] for stream in streams] == ["a[1]", "a[2]", "a[3]", ""]
    assert streams.beyond == 996
    notices = {notice["id"]: notice["summary"] for notice in diagnose_bytes(data)["notices"]}
    assert "their 996 lines are read as those of one" in notices["trace-interleaved"]


def test_a_session_of_one_process_stays_whole() -> None:
    """One process with a prefix is read as without one."""
    for path in sorted(CASES.glob("*/*.log"))[::40]:
        data = path.read_bytes()
        alone = [(s["verdict"], s["root_cause"], s["first_line"]) for s in diagnose_bytes(data)["sessions"]]
        with_prefix = diagnose_bytes(re.sub(rb"(?m)^", b"Nov 28 08:15:01 depot app[71]: ", data[:-1]) + b"\n")
        assert [(s["verdict"], s["root_cause"], s["first_line"]) for s in with_prefix["sessions"]] == alone, path.name


def test_events_keep_their_texts() -> None:
    streams = Streams([mixed(b"a[1]: ", b"b[2]: ")])
    texts = [item.text for stream in streams for item in stream if isinstance(item, Event)]
    assert texts
    assert not any("[1]:" in text or "[2]:" in text for text in texts)


def test_rows_of_tables_have_the_session_of_their_process(tmp_path: Path) -> None:
    log = tmp_path / "woven.log"
    log.write_bytes(mixed(b"app[1]: ", b"app[2]: "))
    lines = log.read_bytes().splitlines()
    for table in ("events", "packets"):
        (frames,) = [list(Timeline(source, table).frames) for source in find([str(log)])]
        rows = [row for frame in frames for row in frame.to_dict("records")]
        assert {row["session"] for row in rows} == {1, 2}
        assert all(lines[row["line"] - 1].startswith(b"app[%d]" % row["session"]) for row in rows)


def run_on(lines: list[bytes]) -> list[bytes]:
    """The lines, of which some records have no newline between them."""
    return re.sub(rb"(?m)^(\[libssh2\].*)\n(?=\[libssh2\])", rb"\1", b"".join(lines)).splitlines(keepends=True)


def test_lines_of_two_records_belong_to_their_process() -> None:
    data = mixed(b"app[1]: ", b"app[2]: ", run_on(A), run_on(B))
    lines = data.splitlines()
    sessions = diagnose_bytes(data)["sessions"]
    assert [session["root_cause"] for session in sessions] == ["auth-password-rejected", "kex-no-common-kex"]
    for number, session in enumerate(sessions, 1):
        quotes = session["steps"] + session["findings"][0]["evidence"]
        assert {lines[quote["line"] - 1].split(b":")[0] for quote in quotes} == {b"app[%d]" % number}
