"""What other programs wrap a trace in is undone: the same lines come out, whatever the blocks; plain traces pass."""

import csv
import html
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import CASES, SAMPLES
from typer.testing import CliRunner

import tracelens
from tracelens.cli import app
from tracelens.errors import UnreadableInput
from tracelens.inputs import read_text

RECORDS = [
    "[libssh2] 0.268359 Transport: Received Banner: SSH-2.0-OpenSSH_9.2p1",
    "[libssh2] 0.268399 Key Ex: Sent KEX: curve25519-sha256,ecdh-sha2-nistp256,diffie-hellman-group14-sha1,ext-info-c",
    "[libssh2] 0.300001 Userauth: Permitted auth methods: publickey,password",
    "[libssh2] 0.311000 Failure Event: -18 - Authentication failed (username/password)",
    '[libssh2] 0.311200 SFTP: Opening file "C:\\data\\new\\it\'s & <here>.txt"',
    "[libssh2] 0.312000 SFTP: Opening file /srv/träume/über\\n.txt",
    "=> libssh2_transport_write plain (20 bytes)",
    '0000: 32 00 00 00 04 22 2C 22  3C 00 00 5C 6E 26 67 74 : 2....","<..\\n&gt',
    "0010: 3B 27 3E 20                                      : ;'> ",
    'the program says: "ready", or {not}',
]


def text_of(lines: list[str]) -> str:
    return "".join(line + "\n" for line in lines)


def as_csv(lines: list[str], delimiter: str = ",", **options: int) -> str:
    file = io.StringIO()
    writer = csv.writer(file, delimiter=delimiter, **options)  # type: ignore[arg-type]  # options of the csv module
    writer.writerows([f"host{number}", line, "info"] for number, line in enumerate(lines))
    return file.getvalue()


def as_rtf(lines: list[str]) -> str:
    def one(char: str) -> str:
        return "\\" + char if char in "\\{}" else f"\\u{ord(char)}?" if ord(char) > 126 else char

    return (
        "{\\rtf1\\ansi{\\fonttbl{\\f0 Arial;}}\\uc1 " + "\\par\n".join("".join(map(one, x)) for x in lines) + "\\par}"
    )


LOSSLESS: dict[str, Callable[[list[str]], str]] = {
    "docker": lambda x: text_of([json.dumps({"log": line + "\n", "stream": "stderr"}) for line in x]),
    "nested key": lambda x: text_of([json.dumps({"a": {"message": line}, "host": "h"}) for line in x]),
    "JSON array": json.dumps,
    "pretty JSON": lambda x: json.dumps([{"textPayload": line, "n": 1} for line in x], indent=2),
    "rows of a table": lambda x: json.dumps({"rows": [["2026", "h", line] for line in x]}),
    "one JSON string": lambda x: json.dumps(text_of(x)),
    "one field": lambda x: json.dumps({"insertId": "1", "textPayload": text_of(x)}),
    "repr": lambda x: repr(text_of(x)),
    "repr of bytes": lambda x: repr(text_of(x).encode()),
    "repr of a list": repr,
    "CSV": as_csv,
    "CSV in quotes": lambda x: as_csv(x, quoting=csv.QUOTE_ALL),
    "semicolons": lambda x: as_csv(x, ";"),
    "TSV": lambda x: as_csv(x, "\t"),
    "pre": lambda x: f"<html><body><pre>{html.escape(text_of(x))}</pre></body></html>",
    "br": lambda x: "<p>" + "<br>\n".join(map(html.escape, x)) + "</p>",
    "no-break entities": lambda x: "<br>".join(html.escape(line).replace("  ", " &nbsp;") for line in x),
    "entities": lambda x: html.escape(text_of(x)),
    "RTF": as_rtf,
    "JSON in JSON": lambda x: text_of([json.dumps({"message": json.dumps({"log": line})}) for line in x]),
}


def in_blocks(data: bytes, size: int) -> Iterator[bytes]:
    for begin in range(0, len(data), size):
        yield data[begin : begin + size]


@pytest.mark.parametrize("form", LOSSLESS)
@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(RECORDS), min_size=3, max_size=30), st.integers(1, 5000))
def test_the_lines_are_those_that_were_wrapped(form: str, lines: list[str], size: int) -> None:
    lines = [RECORDS[0], *RECORDS[6:8], *lines]  # what tells a trace
    text = read_text(in_blocks(LOSSLESS[form](lines).encode(), size))
    found = b"".join(text.blocks).decode().splitlines()
    assert text.undone
    assert [line.rstrip() for line in found if line.strip()] == [line.rstrip() for line in lines]


@pytest.mark.parametrize(
    "path",
    [path for path in sorted([*SAMPLES.glob("*.log"), *CASES.glob("*/*.log")])[::3] if "json" not in path.stem],
    ids=lambda path: path.stem,
)
def test_a_plain_trace_passes_untouched(path: Path) -> None:
    data = path.read_bytes()
    text = read_text([data])
    assert text.undone == ()
    assert b"".join(text.blocks) in (data, data.removeprefix(b"\xef\xbb\xbf")) or text.encoding.startswith("utf-16")


OTHERS = {
    "a line of JSON": '{"event": "done", "last": "[libssh2] 0.1 Transport: Freeing session resource"}\n',
    "logfmt": 'level=info msg="[libssh2] 0.1 Transport: Freeing session resource"\n',
    "a page": "<html><body><p>502 Bad Gateway<br>[libssh2] x</p></body></html>\n",
    "a script without an end": "<html><head><script>x\n",
    "CSV": '"a","[libssh2] 0.1 Transport: x","b"\n"a","b","c"\n',
    "entities": "&lt;error&gt; &amp; &quot;x&quot;\n",
    "a soft break": "name=3Dvalue=\nmore\n",
    "base64": "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVpBQkNERUZHSElKS0xNTk9QUVJTVFVWV1hZWg==\n",
    "the repr of a line": "'[libssh2] 0.1 Transport: x\\n[libssh2] 0.2 Transport: y\\n'\n",
    "an earlier line": "[libssh2] 0.000001 Transport: x\n",
}


@pytest.mark.parametrize("place", ["before", "within", "after"])
@pytest.mark.parametrize("other", OTHERS)
def test_no_record_of_a_plain_trace_is_lost(other: str, place: str) -> None:
    plain = (SAMPLES / "wrong-password.log").read_text(encoding="latin-1").splitlines(keepends=True)
    at = {"before": 0, "within": 300, "after": len(plain)}[place]
    data = "".join([*plain[:at], OTHERS[other], *plain[at:]]).encode("latin-1")
    found = b"".join(read_text([data]).blocks).decode("latin-1").splitlines()
    missing = [line.strip() for line in plain if line.startswith("[libssh2]")]
    for line in found:
        if missing and line.strip() == missing[0]:
            missing.pop(0)
    assert missing == []


def test_strings_under_several_keys() -> None:
    lines = [json.dumps({"err" if n % 3 else "out": line, "n": n}) for n, line in enumerate(RECORDS * 3)]
    found = b"".join(read_text([text_of(lines).encode()]).blocks).decode().splitlines()
    assert found == RECORDS * 3


@pytest.mark.parametrize(
    "trace",
    [
        "[libssh2] 0.000001 Conn: Setting blocking mode ON\nworker 7: polling\n" * 12,
        "[libssh2] 0.000001 Key Ex: Agreed on HOSTKEY method: ssh-rsa\nworker 7: polling\n" * 12,
        "app: [libssh2] 0.000001 Transport: Packet type 80 received, length=492\n" * 20,
        RECORDS[0] + "\nhost key fingerprint: AAAAB3NzaC1yc2E=\n" + RECORDS[2] + "\n",
        "".join(f"[libssh2] 0.{9 - n}00000 Failure Event: -18 - Authentication failed\n" for n in range(7)),
    ],
)
def test_what_looks_like_a_wrapping_is_none(trace: str) -> None:
    assert b"".join(read_text([trace.encode()]).blocks).decode() == trace


@pytest.mark.parametrize("form", ["docker", "CSV", "entities"])
def test_a_sign_at_the_end_of_a_block(form: str) -> None:
    before = "boot line of the machine\n" * 50_000
    data = (before + LOSSLESS[form](RECORDS[:8] * 40)).encode()
    whole = b"".join(read_text([data]).blocks)
    for size in (len(before) + 18, len(before) + 60):
        assert b"".join(read_text([data[:size], data[size:]]).blocks) == whole


class TestLineNumbers:
    def test_of_lines_of_json_are_those_of_the_file(self) -> None:
        lines = [json.dumps({"log": line}) for line in RECORDS]
        lines.insert(3, json.dumps({"level": "info"}))
        found = b"".join(read_text([text_of(lines).encode()]).blocks).decode().split("\n")
        assert found[:3] == RECORDS[:3]
        assert found[4 : 4 + len(RECORDS) - 3] == RECORDS[3:]

    def test_of_wrapped_lines_are_those_of_the_file(self) -> None:
        wrapped = [line[begin : begin + 60] for line in RECORDS[:6] * 3 for begin in range(0, len(line), 60)]
        text = read_text([text_of(wrapped).encode()])
        found = b"".join(text.blocks).decode().split("\n")
        assert text.undone == ("wrapped lines",)
        for number, line in enumerate(found):
            assert not line or line.startswith(wrapped[number])
        assert [line for line in found if line] == RECORDS[:6] * 3


class TestWrappedLines:
    def test_one_error_text(self) -> None:
        lines = ["[libssh2] 0.412032 Userauth: Attempting to login using password authentication",
                 "[libssh2] 0.440483 Failure Event: -18 - Authentication failed", "(username/password)"]  # fmt: skip
        found = b"".join(read_text([text_of(lines).encode()]).blocks)
        assert b"-18 - Authentication failed (username/password)\n" in found

    @pytest.mark.parametrize(
        "line", ["Login failed for devi, giving up", "retrying", "  at Main.java:17", "exit status 1"]
    )
    def test_a_line_of_the_program_is_none(self, line: str) -> None:
        trace = text_of([RECORDS[0], RECORDS[3], line, RECORDS[2], RECORDS[3], line])
        text = read_text([trace.encode()])
        assert b"".join(text.blocks).decode() == trace


def test_typographic_characters_are_undone_only_where_they_damage_a_trace() -> None:
    name = "[libssh2] 0.3 SFTP: Opening file /srv/a\u00a0b \u2013 \u201cc\u201d.txt\n"
    assert b"".join(read_text([name.encode()]).blocks).decode() == name
    damaged = "[libssh2]\u00a00.300000 Failure Event: \u201318 \u2013 Can\u2019t\n\u21d2 libssh2_x plain (1 bytes)\n"
    found = b"".join(read_text([damaged.encode()]).blocks).decode()
    assert found == "[libssh2] 0.300000 Failure Event: -18 - Can't\n=> libssh2_x plain (1 bytes)\n"


STARTS = [
    b'{"log":"[libssh2] ', b"<html><pre>[libssh2] ", b"{\\rtf1 [libssh2] ", b'"a","[libssh2] ',
    b"'[libssh2] 0.1 A: b\\n[libssh2] ", b"=3D> libssh2_x", b"[libssh2]\xc2\xa0", b"[libssh2]\t", b"=&gt; ssh2_a",
    b"<script>[libssh2] ", b'["[libssh2] ',
]  # fmt: skip


PARTS = [*STARTS, b"\\", b'"', b"\n", b"<", b"&#", b"{", b"\\u", b"=", b",", b"\x00"]


@given(
    st.sampled_from(STARTS),
    st.lists(st.sampled_from(PARTS) | st.binary(max_size=20), max_size=40),
    st.integers(1, 300),
)
@settings(max_examples=300, deadline=None)
def test_nothing_about_a_text_raises(start: bytes, parts: list[bytes], size: int) -> None:
    try:
        text = read_text(in_blocks(start + b"".join(parts), size))
        for _ in text.blocks:
            pass
    except UnreadableInput:
        pass


@pytest.mark.parametrize(
    "unit",
    [
        b'{"log":"[libssh2] ',
        b'"',
        b"<a ",
        b"<script>",
        b"{",
        b"\\",
        b"&",
        b'","',
        b"=\n",
        b"'[libssh2] \\n",
        b"\t[libssh2]",
    ],
)
def test_hostile_repetition_is_read_in_linear_time(unit: bytes) -> None:
    import time

    def seconds(size: int) -> float:
        data = STARTS[0] + b"\n" + STARTS[1] + unit * (size // len(unit))
        began = time.process_time()
        for _ in read_text(in_blocks(data, 1 << 16)).blocks:
            pass
        return time.process_time() - began

    assert seconds(2_000_000) < 8


def test_objects_within_objects_without_end() -> None:
    lines = LOSSLESS["nested key"](RECORDS[:6]) + '{"a":' * 100_000 + "\n"
    assert b"".join(read_text([lines.encode()]).blocks).decode().splitlines()[:6] == RECORDS[:6]


def test_analysis_and_copy_are_those_of_the_trace_within(tmp_path: Path) -> None:
    plain = (SAMPLES / "wrong-password.log").read_bytes()
    wrapped = tmp_path / "docker.json"
    wrapped.write_text(LOSSLESS["docker"](plain.decode().splitlines()), encoding="utf-8")
    document = tracelens.analyze(wrapped).document
    assert document["source"]["unwrapped"] == ["JSON"]
    assert document["sessions"] == tracelens.analyze(SAMPLES / "wrong-password.log").document["sessions"]
    shown = CliRunner().invoke(app, ["analyze", str(wrapped)])
    assert "Undone before reading: JSON." in shown.stdout
    copies = []
    for number, path in enumerate([wrapped, SAMPLES / "wrong-password.log"]):
        done = CliRunner().invoke(app, ["redact", str(path), "-o", str(tmp_path / str(number))])
        assert done.exit_code == 0
        assert ("JSON undone" in done.stderr) == (path == wrapped)
        copies.append((tmp_path / str(number)).read_bytes())
    assert copies[0] == copies[1]
