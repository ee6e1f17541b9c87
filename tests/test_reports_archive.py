"""`tracelens report FOLDER` for a scan: what it says is what the tables hold."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from support import CASES, SAMPLES, run

OLD, NEW = 1_700_000_000, 1_702_000_000  # 2023-11-14 and 2023-12-08


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    traces = folder / "traces"
    traces.mkdir()
    for number, path in enumerate([*sorted(SAMPLES.iterdir()), min((CASES / "banner-closed").iterdir())]):
        target = traces / f"{number}-{path.name}"
        target.write_bytes(path.read_bytes())
        os.utime(target, (OLD, OLD) if number % 2 else (NEW, NEW))
    hostile = traces / "<script>alert(1)<script>.log"
    hostile.write_text(
        "[libssh2] 0.100000 Transport: Sending Banner: SSH-2.0-libssh2_1.11.1\n"
        "[libssh2] 0.200000 Transport: Received Banner: SSH-2.0-<img src=x onerror=alert(2)>|[x](javascript:1)\n"
        "[libssh2] 0.300000 Failure Event: -43 - Failed getting banner\n"
    )
    os.utime(hostile, (NEW, NEW))
    broken = traces / "broken.log.gz"
    broken.write_bytes(b"\x1f\x8b\x08\x00broken")
    run("scan", traces, "-o", folder / "out")
    return folder / "out"


def report(scanned: Path, *flags: object) -> str:
    done = run("report", scanned, *flags)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


def test_json_counts_what_the_scan_found(scanned: Path) -> None:
    found: dict[str, Any] = json.loads(report(scanned, "-f", "json"))
    summary = json.loads((scanned / "summary.json").read_text())
    assert found["summary"] == summary
    for rows in (found["servers"], found["clients"]):
        assert sum(row["sessions"] for row in rows) == summary["sessions"]["total"]
        assert sum(row["failed"] for row in rows) == summary["sessions"]["cause"] + summary["sessions"]["unexplained"]
    by_time: dict[str, int] = {}
    for period in found["periods"]:
        for cause, count in period["causes"].items():
            by_time[cause] = by_time.get(cause, 0) + count
    assert {row["root_cause"]: row["sessions"] for row in summary["causes"]} == {
        cause: count for cause, count in by_time.items() if not cause.startswith("(")
    }
    assert len(found["periods"]) <= 60


def test_says_what_is_new(scanned: Path) -> None:
    found = json.loads(report(scanned, "-f", "json", "--since", "2023-12-01"))
    assert found["since"] == "2023-12-01"
    for row in found["trends"]:
        assert (row["trend"] == "new") == (row["before"] == 0)
        assert (row["trend"] == "gone") == (row["after"] == 0)
        assert (row["first"] >= "2023-12-01") == (row["trend"] == "new")
    assert {row["trend"] for row in found["trends"]} >= {"new", "gone"}


@pytest.mark.parametrize("format", ["html", "md"])
def test_names_causes_servers_signatures_and_what_was_not_read(scanned: Path, format: str) -> None:
    text = report(scanned, "-f", format)
    summary = json.loads((scanned / "summary.json").read_text())
    for row in summary["causes"]:
        assert row["root_cause"] in text
    for row in summary["signatures"]:
        assert row["signature"] in text
    assert "broken.log.gz" in text
    assert "OpenSSH_9.2p1" in text
    for row in json.loads(report(scanned, "-f", "json"))["clients"]:
        assert row["name"] in text


def test_hostile_names_and_banners_are_text(scanned: Path) -> None:
    text = report(scanned, "-f", "html")
    assert text.count("<script") == 1
    assert "<img" not in text
    assert len(text.encode()) < 300_000


def test_the_same_bytes_twice(scanned: Path) -> None:
    assert report(scanned, "-f", "html") == report(scanned, "-f", "html")


@pytest.mark.parametrize("flags", [["--anonymize"], ["--brief"]])
def test_what_is_for_traces_alone_is_one_line(scanned: Path, flags: list[str]) -> None:
    done = run("report", scanned, "-f", "md", *flags)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.count(b"\n") == 1


def test_tables_that_are_damaged_are_one_line(scanned: Path, tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_bytes((scanned / "summary.json").read_bytes())
    (tmp_path / "sessions.parquet").write_bytes(b"PAR1 no")
    done = run("report", tmp_path, "-f", "md")
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr
