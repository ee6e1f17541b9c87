"""The lnav format, as lnav itself reads it."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from support import CASES, HERE, SAMPLES, run

REQUIRED = os.environ.get("TRACELENS_LNAV_REQUIRED") == "1"
LNAV = shutil.which("lnav")
TRACES = [SAMPLES / "wrong-password.log", min((CASES / "transport-timeout").iterdir()), SAMPLES / "two-sessions.log"]


@pytest.fixture
def ask(tmp_path: Path) -> object:
    if LNAV is None:
        if REQUIRED:
            pytest.fail("no lnav on this machine, and TRACELENS_LNAV_REQUIRED is set")
        pytest.skip("no lnav on this machine (apt-get install lnav)")
    folder = tmp_path / "formats" / "tracelens"
    folder.mkdir(parents=True)
    (folder / "libssh2.json").write_bytes(run("lnav").stdout)

    def lnav(*arguments: object) -> "subprocess.CompletedProcess[str]":
        command = [LNAV or "", "-I", str(tmp_path), *map(str, arguments)]
        environment = {**os.environ, "HOME": str(tmp_path), "TZ": "UTC"}
        return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)

    return lnav


def test_lnav_takes_the_format_and_its_samples(ask) -> None:  # type: ignore[no-untyped-def]
    done = ask("-C")
    assert "libssh2" not in done.stdout + done.stderr
    assert done.returncode == 0


@pytest.mark.parametrize("path", TRACES, ids=lambda p: p.name)
def test_every_record_is_read_with_its_clock_and_level(ask, path: Path) -> None:  # type: ignore[no-untyped-def]
    query = ";SELECT log_line + 1 AS line, log_time_msecs AS time, log_level AS level, code FROM libssh2_log"
    rows = json.loads(ask("-n", "-c", query, "-c", ":write-json-to -", path).stdout)
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    clocks = {
        number: float(found[1])
        for number, line in enumerate(lines, 1)
        if (found := re.match(r"\[libssh2\] (\d+\.\d{6}) ", line)) and found[1] != "0.000000"
    }
    assert [row["line"] for row in rows] == list(clocks)
    for row in rows:
        assert row["time"] == int(clocks[row["line"]] * 1000 + 1e-6)
        error = re.search(r"Failure Event: (-?\d+)", lines[row["line"] - 1])
        assert (row["level"] == "error") == (error is not None and error[1] not in ("-37", "0"))
        if error:
            assert int(row["code"]) == int(error[1])


def test_the_package_has_the_format() -> None:
    format = json.loads(run("lnav").stdout)
    assert format == json.loads((HERE.parent / "tracelens/reports/lnav.json").read_text())
