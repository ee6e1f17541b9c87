"""The document: its shape is what scripts rely on, it is read back from its JSON, and it holds together.

`python tests/test_analysis.py` writes the JSON schema anew, after a change of the structs that was meant.
"""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support import HERE, SAMPLES, TRACES, analyze_file, diagnose_file, document_of, each

import tracelens
from tracelens import analysis
from tracelens.analysis.document import schema_text
from tracelens.analysis.json_text import json_text
from tracelens.analysis.lines import with_lines_of

SCHEMA = HERE.parent / "tracelens" / "analysis" / "analysis-1.json"

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
            assert all(q.keys() - {"record"} == {"line", "text"} for q in found["evidence"])
            assert all(a["who"] in ("client", "server", "network", "vendor") for a in found["advice"])
            assert all(r["id"] and r["because"] for r in found["rivals"])


@each("document", TRACES, document_of)
def test_is_json_whatever_the_trace_held(document: dict[str, Any]) -> None:
    assert json.loads(json.dumps(document)) == document


@each("path", TRACES)
def test_is_read_back_from_its_json(path: Path) -> None:
    made = analyze_file(path)
    text = json_text(made)
    assert json.loads(text) == made.document
    assert msgspec.json.decode(text, type=analysis.Analysis) == made
    whole = analysis.to_document([made], [("a", "b")], analysis.Origin("1 rule", "masked", "tracelens report"))
    assert msgspec.json.decode(json_text(whole), type=analysis.Document) == whole


def test_the_schema_is_that_of_the_structs() -> None:
    assert SCHEMA.read_text(encoding="utf-8") == schema_text()


def test_public_names_are_there() -> None:
    for module in (tracelens, analysis):
        assert all(hasattr(module, name) for name in module.__all__)


def test_half_a_surrogate_pair_is_a_question_mark() -> None:
    assert json_text(analysis.Quote(1, "a\ud800")) == '{\n "line": 1,\n "text": "a?"\n}\n'


def test_a_copy_takes_the_lines_of_its_original() -> None:
    one, other = analysis.Phase("kex", 0.5, 1.0, 0.1, 3, 9), analysis.Phase("kex", 0.5, 1.0, 0.1, 4, 11)
    assert with_lines_of(one, other) == other
    with pytest.raises(ValueError, match="shorter"):
        with_lines_of((one, one), (other,))


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


if __name__ == "__main__":
    SCHEMA.write_text(schema_text(), encoding="utf-8")
