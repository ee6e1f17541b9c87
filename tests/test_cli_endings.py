"""How commands end when the disk is full, standard output is gone, or a signal comes: one line, and nothing is left."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import SAMPLES

TRACE = SAMPLES / "wrong-password.log"
TRACELENS = f"{sys.executable} -m tracelens"
FULL = "No space left on device"
TABLES = ["csv", "tsv", "json", "jsonl", "parquet", "xlsx", "md", "html", "sqlite", "duckdb"]


def run(*arguments: Any) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tracelens", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def shell(command: str) -> "subprocess.CompletedProcess[str]":
    """Run a command, in which T is tracelens and S a trace."""
    command = command.replace("T ", f"{TRACELENS} ", 1).replace(" S", f" {TRACE}")
    bash = ["bash", "-o", "pipefail", "-c", command]
    return subprocess.run(bash, capture_output=True, text=True, timeout=120, check=False)


def ended_in_one_line(done: "subprocess.CompletedProcess[str]") -> bool:
    return done.returncode == 2 and done.stderr.count("\n") == 1 and done.stderr.startswith("tracelens: ")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 kB, nearly full, with an old result on it."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting a small disk is not allowed here")
    try:
        (folder / "out").write_text("old")
        (folder / "fill").write_bytes(bytes(57_000))
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


class TestFullDisk:
    @pytest.mark.parametrize("format", TABLES)
    def test_a_table(self, disk: Path, format: str) -> None:
        self.check(disk, "timeline", TRACE, "-t", "records", "-f", format)

    @pytest.mark.parametrize("format", ["md", "html", "json"])
    def test_a_report(self, disk: Path, format: str) -> None:
        (disk / "more").write_bytes(bytes(4096))
        self.check(disk, "report", TRACE, "-f", format)

    @pytest.mark.parametrize("arguments", [["redact", TRACE], ["analyze", TRACE, "-f", "json"]], ids=lambda a: a[0])
    def test_another_result(self, disk: Path, arguments: list[Any]) -> None:
        self.check(disk, *arguments)

    def test_the_key_to_the_pseudonyms_is_not_written_without_the_copy(self, disk: Path, tmp_path: Path) -> None:
        (disk / "more").write_bytes(bytes(4096))
        done = run("redact", TRACE, "--anonymize", "--map", disk / "out", "-o", tmp_path / "copy.log")
        assert ended_in_one_line(done), done.stderr
        assert (disk / "out").read_text() == "old"
        assert not (tmp_path / "copy.log").exists()

    @pytest.mark.parametrize("room", [0, 4096, 24_000, 57_000])
    def test_a_scan(self, disk: Path, room: int) -> None:
        (disk / "fill").write_bytes(bytes(60_000 - room))
        done = run("scan", SAMPLES, "-o", disk / "s", "-j", "1")
        assert ended_in_one_line(done), done.stderr
        (disk / "fill").unlink()
        # Nothing but what the same command takes up again, and that only where there was room for it.
        left = [path.name for path in (disk / "s").iterdir()] if (disk / "s").exists() else []
        assert set(left) <= {"checkpoint.sqlite", "checkpoint.sqlite-wal"}

    def check(self, disk: Path, *arguments: Any) -> None:
        before = sorted(disk.iterdir())
        done = run(*arguments, "-o", disk / "out")
        assert ended_in_one_line(done), done.stderr
        assert FULL in done.stderr or "full" in done.stderr
        assert ".tracelens" not in done.stderr
        assert (disk / "out").read_text() == "old"
        assert sorted(disk.iterdir()) == before

    @pytest.mark.parametrize("room", range(4096, 50_000, 8192))
    def test_a_workbook_wherever_it_stops(self, disk: Path, room: int) -> None:
        (disk / "fill").write_bytes(bytes(60_000 - room))
        self.check(disk, "timeline", TRACE, "-t", "records", "-f", "xlsx")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
class TestStandardOutput:
    @pytest.mark.parametrize("where", [">/dev/full", ">&-", "| head -0", "<&- >&-"])
    @pytest.mark.parametrize("command", ["analyze S --exit-code", "analyze -f json S", "report S", "redact S",
                                         "timeline S", "explain -18", "--help"])  # fmt: skip
    def test_that_is_full_or_closed(self, command: str, where: str) -> None:
        done = shell(f"T {command} {where}")
        assert ended_in_one_line(done), (done.returncode, done.stderr)
        assert "standard output" in done.stderr

    @pytest.mark.parametrize("where", ["2>/dev/full", "2>&-", ">&- 2>&- <&-"])
    @pytest.mark.parametrize("command", ["analyze missing.log", "analyze --no-such-option"])
    def test_messages_that_nobody_gets_change_no_status(self, command: str, where: str) -> None:
        assert shell(f"T {command} {where}").returncode == 2

    def test_a_file_is_written_all_the_same(self, tmp_path: Path) -> None:
        done = shell(f"T analyze S -f json -o {tmp_path / 'a.json'} >&- 2>&-")
        assert done.returncode == 0
        assert (tmp_path / "a.json").read_text() == run("analyze", TRACE, "-f", "json").stdout


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("large") / "large.log"
    path.write_bytes(TRACE.read_bytes() * 1000)
    return path


class TestSignals:
    """Real processes, over an input that takes long enough."""

    @pytest.mark.parametrize(("sent", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
    @pytest.mark.parametrize(
        "command",
        [["redact"], ["report", "-f", "html"], ["timeline", "-t", "packets", "-f", "sqlite"],
         ["timeline", "-t", "packets", "-f", "duckdb"], ["scan", "-j", "1"]],
        ids="-".join,
    )  # fmt: skip
    def test_leave_nothing(
        self, command: list[str], sent: signal.Signals, status: int, large: Path, tmp_path: Path
    ) -> None:
        target = tmp_path / "out"
        whole = [sys.executable, "-m", "tracelens", *command, str(large), "-o", str(target)]
        for seconds in (1.0, 2.5):
            process = subprocess.Popen(whole, stderr=subprocess.PIPE, preexec_fn=_with_default_signals)
            time.sleep(seconds)
            process.send_signal(sent)
            _, said = process.communicate(timeout=30)
            assert process.returncode == status, said
            assert said.count(b"\n") <= 1
            left = {path.name for path in tmp_path.rglob("*")}
            assert left <= ({"out", "checkpoint.sqlite"} if command[0] == "scan" else set())

    def test_one_that_is_to_be_ignored_is(self, tmp_path: Path) -> None:
        command = f"trap '' HUP; {TRACELENS} redact {TRACE} -o {tmp_path / 'c.log'} & sleep 0.3; kill -HUP $!; wait $!"
        assert subprocess.run(["bash", "-c", command], timeout=60, check=False).returncode == 0
        assert (tmp_path / "c.log").exists()


def _with_default_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


class TestPlaces:
    LONG = "a" * 300

    @pytest.mark.parametrize(
        "command",
        [["analyze", "-f", "json"], ["report", "-f", "md"], ["redact"], ["redact", SAMPLES], ["timeline", "-f", "csv"],
         ["timeline", "-f", "duckdb"], ["scan"], ["diff", TRACE, "-f", "json"]],
        ids=lambda c: "-".join(map(str, c[:3:2])),
    )  # fmt: skip
    @pytest.mark.parametrize("place", [LONG, "file/x", "/proc/x"])
    def test_that_cannot_hold_a_result(self, command: list[Any], place: str, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("old")
        done = run(*command, TRACE, "-o", tmp_path / place)
        assert ended_in_one_line(done), done.stderr
        assert [path.name for path in tmp_path.iterdir()] == ["file"]
        assert (tmp_path / "file").read_text() == "old"

    @pytest.mark.parametrize("command", ["analyze", "report", "timeline", "watch", "redact"])
    def test_an_input_whose_name_is_too_long(self, command: str, tmp_path: Path) -> None:
        assert ended_in_one_line(run(command, tmp_path / self.LONG))
        assert ended_in_one_line(run("query", "SELECT 1", tmp_path / self.LONG))

    def test_folders_that_were_made_for_a_result_go_with_it(self, tmp_path: Path) -> None:
        done = run("redact", TRACE, SAMPLES / "ftp-server.log", "-o", tmp_path / "new" / self.LONG)
        assert ended_in_one_line(done), done.stderr
        assert not list(tmp_path.iterdir())


def test_a_temporary_folder_that_is_full_is_one_line(disk: Path) -> None:
    command = [sys.executable, "-m", "tracelens", "redact", str(TRACE)]
    full = {**os.environ, "TMPDIR": str(disk)}
    done = subprocess.run(command, capture_output=True, text=True, env=full, check=False)
    assert ended_in_one_line(done), done.stderr
