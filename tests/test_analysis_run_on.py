"""Traces whose handler adds no newline: the diagnosis is the same, and each proof names its record."""

import re
from pathlib import Path
from typing import Any

from support import CASES, TRACES, analyze_text, diagnose_bytes, document_of, each, run

from tracelens.reports.text import render

PLAIN = [
    path for path in TRACES if b"[libssh2] " in path.read_bytes() and document_of(path)["trace"]["newlines"] == "normal"
]
RUN_ON = CASES / "auth-password-rejected" / "none-newline.log"
# What begins on a line and is counted as a record.
BEGINNING = re.compile(rb"\[libssh2\]|=> libssh2_")


def run_on(data: bytes) -> bytes:
    """A trace without the newlines that a handler would add; rows of dumps have their own."""
    return re.sub(rb"(?m)^(\[libssh2\][^\r\n]*)\r?\n(?=\[libssh2\]|=> )", rb"\1", data)


def record_at(data: bytes, place: dict[str, Any]) -> bytes:
    """What stands at a place of the document, up to the end of the line."""
    line = data.split(b"\n")[place["line"] - 1]
    beginnings = [found.start() for found in BEGINNING.finditer(line)] or [0]
    return line[beginnings[place.get("record", 1) - 1] :]


def errors_of(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [error for session in document["sessions"] for error in session["errors"]]


@each("path", PLAIN)
def test_error_is_found_by_line_and_record(path: Path) -> None:
    data = run_on(path.read_bytes())
    for error in errors_of(diagnose_bytes(data)):
        if error["text"].startswith("Failure Event: -"):
            found = record_at(data, error)
            assert BEGINNING.match(found), (error, found[:80])
            assert error["text"].rpartition(" - ")[2].encode() in BEGINNING.split(found)[1], (error, found[:80])


@each("path", PLAIN)
def test_two_proofs_are_told_apart(path: Path) -> None:
    document = diagnose_bytes(run_on(path.read_bytes()))
    for session in document["sessions"]:
        places = [(error["line"], error.get("record")) for error in session["errors"]]
        assert len(set(places)) == len(places), places


@each("path", PLAIN[::5])
def test_place_is_the_line_where_each_record_has_one(path: Path) -> None:
    assert '"record":' not in re.sub(r"\s", "", str(document_of(path)).replace("'", '"'))


def test_every_form_of_the_report_names_the_record() -> None:
    for form in ("text", "json", "markdown", "html", "junit", "sarif"):
        said = run("analyze", RUN_ON, "-f", form).stdout.decode()
        assert re.search(r'line \d+, record \d+|>\d+, record \d+<|"record": \d+', said, re.IGNORECASE), form


def test_advice_says_how_the_handler_gets_its_newline() -> None:
    said = " ".join(render(analyze_text(RUN_ON.read_text())).split())
    assert "libssh2_trace_sethandler()" in said
    assert "fputc('\\n', file)" in said
    assert "lib/vssh/libssh2.c" in said


def test_no_advice_where_newlines_are_there() -> None:
    assert all(n["id"] != "trace-no-newlines" for n in document_of(PLAIN[0])["notices"])
