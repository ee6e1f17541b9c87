"""The JSON document: its shape is what scripts rely on, and it holds together."""

import json
from typing import Any

from support import SAMPLES, TRACES, diagnose_file, document_of, each

SESSION = {
    "number", "verdict", "root_cause", "phase", "first_line", "last_line", "started", "ended", "client_banner",
    "server_banner", "user", "algorithms", "offers", "auth", "findings", "noise",
}  # fmt: skip
TRACE = {"libssh2", "contexts", "mask", "records", "dumps", "unknown_records", "foreign_lines"}
SOURCE = {"name", "sha256", "bytes", "lines", "encoding", "compression"}
FINDING = {"id", "basis", "kind", "phase", "summary", "evidence", "advice", "rivals"}


@each("document", TRACES, document_of)
def test_has_all_fields_of_the_contract(document: dict[str, Any]) -> None:
    assert document["source"].keys() >= SOURCE
    assert document["trace"].keys() >= TRACE
    assert document["trace"]["libssh2"].keys() == {"first", "last"}
    assert document.keys() >= {"source", "trace", "sessions", "notices"}
    for session in document["sessions"]:
        assert session.keys() >= SESSION
        assert session["offers"].keys() == {"client", "server"}
        for found in session["findings"] + document["notices"]:
            assert found.keys() == FINDING
            assert found["kind"] in ("cause", "notice")
            assert all(q.keys() == {"line", "text"} for q in found["evidence"])
            assert all(a["who"] in ("client", "server", "network", "vendor") for a in found["advice"])
            assert all(r["id"] and r["because"] for r in found["rivals"])


@each("document", TRACES, document_of)
def test_is_json_whatever_the_trace_held(document: dict[str, Any]) -> None:
    assert json.loads(json.dumps(document)) == document


@each("document", TRACES, document_of)
def test_root_cause_is_set_exactly_where_the_verdict_is_cause(document: dict[str, Any]) -> None:
    for session in document["sessions"]:
        assert (session["verdict"] == "cause") == (session["root_cause"] is not None)
        causes = [f["id"] for f in session["findings"] if f["kind"] == "cause"]
        assert causes == ([session["root_cause"]] if session["root_cause"] else [])
        assert (session["verdict"] == "unexplained") == (session["unexplained"] is not None)


@each("document", TRACES, document_of)
def test_every_cause_has_proof_and_advice(document: dict[str, Any]) -> None:
    for session in document["sessions"]:
        for found in session["findings"]:
            if found["kind"] == "cause":
                assert found["evidence"]
                assert found["advice"]


@each("document", TRACES, document_of)
def test_lines_lie_in_the_file(document: dict[str, Any]) -> None:
    last = document["source"]["lines"]
    for session in document["sessions"]:
        assert 1 <= session["first_line"] <= session["last_line"] <= last
        for found in session["findings"] + session["noise_findings"]:
            assert all(1 <= q["line"] <= last for q in found["evidence"])


@each("document", TRACES, document_of)
def test_every_text_of_a_real_trace_is_known(document: dict[str, Any]) -> None:
    assert document["trace"]["unknown_records"] == 0


def test_versions_of_the_wording_hold_the_banners_version() -> None:
    for name, version in (("second-factor-missing.log", "1.11.1"), ("no-common-kex.log", "1.8.1")):
        span = diagnose_file(SAMPLES / name)["trace"]["libssh2"]
        order = ["1.8.0", "1.8.1", "1.8.2", "1.9.0", "1.10.0", "1.11.0", "1.11.1", "head"]
        first, last = span["first"], span["last"]
        assert first is not None
        before = order.index(first) if first in order else -1
        assert before <= order.index(version) <= order.index(last)
