"""Real traces in `cases/<id>/`: the folder is the root cause of the last session that failed, `none` that none did."""

import csv
from pathlib import Path

import pytest
from support import CASES, HERE, SAMPLES, diagnose_bytes, diagnose_file, each, name_of

ALL = sorted(path for path in CASES.glob("*/*") if path.is_file())
with (HERE / "TRUTH.tsv").open(newline="") as _file:
    _rows = list(csv.DictReader(_file, delimiter="\t", quoting=csv.QUOTE_NONE))
# The cause of each session, as it was set up when the trace was recorded.
TRUTH = {
    HERE.parent / row["file"]: row["root_cause"].split(";")
    for row in _rows
    if row["origin"].startswith(("lab: ", "recorded"))
}
# What README says of each sample.
SAMPLE_CAUSES = {
    "ftp-server.log": ["banner-not-ssh"],
    "no-common-kex.log": ["kex-no-common-kex"],
    "wrong-password.log": ["auth-password-rejected"],
    "second-factor-missing.log": ["auth-second-factor-missing"],
    "prompts-wanted.log": ["auth-keyboard-interactive-needed"],
    "rsa-sha1-refused.log": ["auth-rsa-sha1-refused"],
    "no-such-file.log": ["sftp-no-such-file"],
    "two-factors-healthy.log": [None],
    "two-sessions.log": ["auth-password-rejected", None],
}


@pytest.mark.parametrize("path", ALL, ids=name_of)
def test_case_gets_its_root_cause(path: Path) -> None:
    sessions = diagnose_file(path)["sessions"]
    found = [s["root_cause"] or "none" for s in sessions]
    assert found == TRUTH.get(path, found)
    causes = [s["root_cause"] for s in sessions if s["root_cause"]]
    if path.parent.name == "none":
        assert causes == []
        assert {s["verdict"] for s in sessions} <= {"healthy", "insufficient"}
    else:
        assert causes[-1:] == [path.parent.name]


def test_every_sample_is_listed() -> None:
    assert {p.name for p in SAMPLES.iterdir()} == set(SAMPLE_CAUSES)


def test_every_recorded_trace_is_one_of_them() -> None:
    assert set(TRUTH) <= {*ALL, *SAMPLES.iterdir()}


@pytest.mark.parametrize("name", SAMPLE_CAUSES)
def test_sample_gets_its_root_cause(name: str) -> None:
    causes = [s["root_cause"] for s in diagnose_file(SAMPLES / name)["sessions"]]
    assert causes == SAMPLE_CAUSES[name]
    assert [cause or "none" for cause in causes] == TRUTH[SAMPLES / name]


@each("path", sorted(SAMPLES.glob("*.log")))
def test_evidence_stands_on_the_line_it_names(path: Path) -> None:
    """An editor that goes to the line finds what the evidence quotes, or the dump that shows it."""
    lines = path.read_bytes().split(b"\n")
    for session in diagnose_file(path)["sessions"]:
        for found in session["findings"]:
            for quote in found["evidence"]:
                shown = lines[quote["line"] - 1].decode("utf-8", "replace")
                told = quote["text"] in shown
                dump = shown.startswith("=> ")
                offers = "Sent KEX" in shown or "methods" in shown or "Banner" in shown or "Loading" in shown
                assert told or dump or offers or "Key Ex" in shown or "Userauth" in shown, (quote, shown)


class TestEagainIsNeverACause:
    """Error -37 says that libssh2 tries again; where a trace ends on it, the verdict says what was waited for."""

    def test_as_the_last_error_of_a_finished_session(self) -> None:
        data = (SAMPLES / "two-factors-healthy.log").read_bytes()
        document = diagnose_bytes(data)
        assert document["sessions"][0]["root_cause"] is None

    def test_as_the_last_line_of_the_file(self) -> None:
        text = (
            "[libssh2] 0.100000 Transport: session_startup for socket 4\n"
            "[libssh2] 0.100100 Transport: Sending Banner: SSH-2.0-libssh2_1.8.2\n"
            "[libssh2] 0.100200 Failure Event: -37 - Failed getting banner\n"
        )
        document = diagnose_bytes(text.encode())
        (session,) = document["sessions"]
        assert (session["verdict"], session["root_cause"]) == ("insufficient", None)
        (notice,) = [n for n in document["notices"] if n["id"] == "trace-truncated"]
        assert "Failed getting banner" in notice["summary"]

    def test_however_many_of_them(self) -> None:
        line = b"[libssh2] 0.100200 Failure Event: -37 - Failed getting banner\n"
        (session,) = diagnose_bytes(line * 3000)["sessions"]
        assert session["root_cause"] is None
        assert session["noise"]["noise-retried"] == 3000
