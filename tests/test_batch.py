"""Scanning an archive: every input has its row, and the tables are the same however they came about."""

import gzip
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from support import SAMPLES, killers
from support.scans import read, scan, traces, zipped

from tracelens import batch
from tracelens.batch import plan
from tracelens.batch.signature import normalized, software
from tracelens.errors import BadOutput
from tracelens.export.columns import COLUMNS, SCAN

WRONG = (SAMPLES / "wrong-password.log").read_bytes()
PASSWORD = b"Ochre.Lantern.6"


@pytest.fixture(scope="module")
def done(cases: Path, tmp_path_factory: pytest.TempPathFactory) -> batch.Scan:
    return scan(cases, folder=tmp_path_factory.mktemp("results") / "new", jobs=1)


class TestTables:
    def test_every_input_has_a_row_and_its_reason(self, cases: Path, done: batch.Scan) -> None:
        files = pd.read_parquet(done.folder / "files.parquet").set_index("path")
        status = files["status"].to_dict()
        assert status.pop(f"{cases}/notes.txt") == status.pop(f"{cases}/all.tar.gz!note.txt") == "not-a-trace"
        assert status.pop(f"{cases}/broken.zip") == "unreadable"
        assert set(status.values()) == {"ok"}
        assert len(status) == 8 + 6 + 3
        assert f"{cases}/all.tar.gz!in.zip!deep/{sorted(dict(traces()))[8]}" in status
        assert "cut off" in files.loc[f"{cases}/cut.log.gz", "error"]
        assert files.loc[f"{cases}/all.tar.gz!w.log", "modified"] == pd.Timestamp(1_600_000_000, unit="s", tz="UTC")
        member = files[files["compression"] == "gzip+tar+zip"]
        assert set(member["modified"]) == {pd.Timestamp("2021-05-06T07:08:10Z")}
        assert files[files["status"] != "ok"]["error"].notna().all()
        assert not done.complete

    def test_columns_are_the_documented_ones_in_path_order(self, done: batch.Scan) -> None:
        for name, columns in SCAN.items():
            frame = pd.read_parquet(done.folder / f"{name}.parquet")
            assert list(frame.columns) == list(columns)
            assert frame["path"].is_monotonic_increasing
            kinds = {"Int64": "if", "Float64": "f", "string": "OTUSV", "datetime64[us, UTC]": "M"}
            for column in columns:
                assert frame[column].isna().all() or frame[column].dtype.kind in kinds[COLUMNS[column][0]]

    def test_rows_say_what_analyze_says(self, cases: Path, done: batch.Scan) -> None:
        from support import diagnose_file

        sessions = pd.read_parquet(done.folder / "sessions.parquet")
        findings = pd.read_parquet(done.folder / "findings.parquet")
        for path in sorted((cases / "loose").iterdir()):
            document = diagnose_file(path)
            mine = sessions[sessions["path"] == str(path)]
            assert [r or None for r in mine["root_cause"].fillna("")] == [s["root_cause"] for s in document["sessions"]]
            assert list(mine["verdict"]) == [s["verdict"] for s in document["sessions"]]
            count = sum(len(s["findings"]) + len(s["noise_findings"]) for s in document["sessions"])
            assert len(findings[findings["path"] == str(path)]) == count + len(document["notices"])

    def test_the_summary_counts_the_rows(self, done: batch.Scan) -> None:
        sessions = pd.read_parquet(done.folder / "sessions.parquet")
        summary = json.loads((done.folder / "summary.json").read_text())
        assert {c["root_cause"]: c["sessions"] for c in summary["causes"]} == sessions[
            "root_cause"
        ].value_counts().to_dict()
        signatures = sessions["signature"].value_counts().to_dict()
        assert {s["signature"]: s["sessions"] for s in summary["signatures"]} == signatures
        assert (sessions["signature"].isna() == ~sessions["verdict"].isin(["cause", "unexplained"])).all()
        assert summary["files"]["total"] == len(pd.read_parquet(done.folder / "files.parquet"))

    def test_no_secret_is_in_the_folder(self, cases: Path, done: batch.Scan) -> None:
        for path in done.folder.iterdir():
            assert PASSWORD not in path.read_bytes()
        frame = pd.read_parquet(done.folder / "findings.parquet")
        assert not frame.astype(str).apply(lambda c: c.str.contains(PASSWORD.decode(), regex=False)).any(axis=None)


class TestSame:
    def test_bytes_whatever_the_workers(self, cases: Path, done: batch.Scan, tmp_path: Path) -> None:
        assert read(scan(cases, folder=tmp_path / "r", jobs=3).folder) == read(done.folder)

    def test_bytes_however_archives_are_divided(
        self, cases: Path, done: batch.Scan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(plan, "_PACKED", 0)  # all archives are read by the parent
        monkeypatch.setattr(plan, "MAX_SENT_BYTES", 30_000)  # and most members are too large to be handed over
        monkeypatch.setattr(plan, "_LARGE", 50_000)
        monkeypatch.setattr(plan, "_GROUP", 100_000)
        assert read(scan(cases, folder=tmp_path / "r").folder) == read(done.folder)

    @pytest.mark.parametrize("after", [0.4, 1.5, 2.5])
    def test_bytes_after_a_kill(self, cases: Path, done: batch.Scan, tmp_path: Path, after: float) -> None:
        folder = tmp_path / "r"
        command = [sys.executable, "-m", "tracelens", "scan", str(cases), "-o", str(folder), "-j", "2"]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        time.sleep(after)
        process.send_signal(signal.SIGKILL)
        process.wait()
        again = scan(cases, folder=folder)
        assert read(again.folder) == read(done.folder)

    def test_bytes_over_again_without_work(self, cases: Path, done: batch.Scan, tmp_path: Path) -> None:
        first = scan(cases, folder=tmp_path / "r")
        assert first.progress.files == first.summary["files"]["total"]
        second = scan(cases, folder=tmp_path / "r")
        assert second.progress.files == 1  # broken.zip, which may have been mended
        assert read(second.folder) == read(done.folder)

    def test_a_copy_with_another_time_is_known_by_its_content(self, tmp_path: Path) -> None:
        logs = tmp_path / "logs"
        logs.mkdir()
        (logs / "a.log").write_bytes(WRONG)
        (logs / "b.zip").write_bytes(zipped(dict(traces())))
        scan(logs, folder=tmp_path / "r")
        (logs / "moved.log").write_bytes((logs / "a.log").read_bytes())
        (logs / "a.log").unlink()
        (logs / "b.zip").write_bytes(zipped({"new.log": WRONG + b"\n", **dict(traces())}))
        os.utime(logs / "b.zip", (1, 1))
        second = scan(logs, folder=tmp_path / "r")
        assert second.progress.files == 1
        files = pd.read_parquet(tmp_path / "r" / "files.parquet")
        assert f"{logs}/moved.log" in set(files["path"])
        assert f"{logs}/a.log" not in set(files["path"])
        fresh = scan(logs, folder=tmp_path / "fresh")
        assert read(second.folder) == read(fresh.folder)

    def test_another_version_diagnoses_again_and_says_so(self, tmp_path: Path) -> None:
        (tmp_path / "a.log").write_bytes(WRONG)
        scan(tmp_path / "a.log", folder=tmp_path / "r")
        with closing(sqlite3.connect(tmp_path / "r" / "checkpoint.sqlite")) as database:
            database.execute("UPDATE contents SET version = 'older', facts = '{}'")
            database.commit()
        again = scan(tmp_path / "a.log", folder=tmp_path / "r")
        assert again.progress.files == 1
        assert "1 traces are read and diagnosed again" in again.progress.notes[0]
        assert again.summary["causes"][0]["root_cause"] == "auth-password-rejected"


class TestNames:
    @pytest.mark.skipif(sys.platform != "linux", reason="names are any bytes on Linux")
    def test_a_name_that_is_no_text(self, tmp_path: Path) -> None:
        logs = tmp_path / "logs"
        logs.mkdir()
        for name in (b"caf\xe9.log", b"a\nb.log", "\u00fcmlaut.log".encode()):
            Path(os.fsdecode(os.fsencode(logs) + b"/" + name)).write_bytes(WRONG + name)
        result = scan(logs, folder=tmp_path / "r")
        files = pd.read_parquet(result.folder / "files.parquet")
        assert [p.removeprefix(f"{logs}/") for p in files["path"]] == ["a\\nb.log", "caf\\udce9.log", "\u00fcmlaut.log"]
        assert set(files["status"]) == {"ok"}
        assert scan(logs, folder=tmp_path / "r").progress.files == 0


class TestSelection:
    def paths(self, cases: Path, tmp_path: Path, **which: Any) -> set[str]:
        result = scan(cases, folder=tmp_path / "r", selection=batch.Selection(**which))
        return {p.removeprefix(f"{cases}/") for p in pd.read_parquet(result.folder / "files.parquet")["path"]}

    def test_include_looks_into_archives(self, cases: Path, tmp_path: Path) -> None:
        assert self.paths(cases, tmp_path, include=("w.log", "one*")) == {
            "all.tar.gz!w.log",
            "one.log.gz",
            "broken.zip",  # nobody knows what is in it
        }

    def test_exclude_closes_archives(self, cases: Path, tmp_path: Path) -> None:
        found = self.paths(cases, tmp_path, exclude=("*.tar.gz", "*.zip", "loose/*", "*/loose/*"))
        assert found == {"one.log.gz", "cut.log.gz", "notes.txt"}

    def test_until_goes_by_the_members_own_time(self, cases: Path, tmp_path: Path) -> None:
        found = self.paths(cases, tmp_path, until=1_650_000_000.0)
        assert {p.partition("!")[0] for p in found} <= {"all.tar.gz", "broken.zip"}
        assert len(found) == 8 + 1


class TestWorkers:
    def test_who_kills_its_worker_twice_is_set_aside_by_name(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        logs = tmp_path / "logs"
        logs.mkdir()
        for name, data in traces():
            (logs / name).write_bytes(data)
        reference = scan(logs, folder=tmp_path / "reference")
        (logs / "0-always.log").write_bytes(WRONG)
        (logs / "0-once.log").write_bytes(WRONG + b"\n")
        monkeypatch.setattr(batch, "run", killers.run)
        result = scan(logs, folder=tmp_path / "r", selection=batch.Selection(exclude=("*.met",)))
        files = pd.read_parquet(result.folder / "files.parquet").set_index("path")
        killed = files.loc[f"{logs}/0-always.log"]
        assert killed["status"] == "unreadable"
        assert pd.isna(killed["sha256"])
        assert "set aside" in killed["error"]
        assert any("0-always.log" in note for note in result.progress.notes)
        others = files[files["status"] == "ok"]
        assert len(others) == reference.summary["files"]["ok"] + 1
        assert f"{logs}/0-once.log" in others.index

    def test_a_worker_killed_from_outside_costs_nothing_but_time(
        self, cases: Path, done: batch.Scan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(batch, "run", killers.slow)
        monkeypatch.setattr(plan, "_BATCH_PIECES", 2)
        killed = []

        def watch(progress: batch.Progress) -> None:
            import multiprocessing

            if progress.files and not killed and multiprocessing.active_children():
                victim = multiprocessing.active_children()[0]
                killed.append(victim)
                victim.kill()

        result = scan(cases, folder=tmp_path / "r", watch=watch)
        assert killed
        assert read(result.folder) == read(done.folder)


class TestFolder:
    def test_one_that_no_scan_wrote_is_left_alone(self, tmp_path: Path) -> None:
        (tmp_path / "precious.txt").write_text("mine")
        with pytest.raises(BadOutput, match="no scan has written it"):
            scan(SAMPLES, folder=tmp_path)
        assert [p.name for p in tmp_path.iterdir()] == ["precious.txt"]

    def test_a_strange_checkpoint_is_left_alone(self, tmp_path: Path) -> None:
        for content in (b"not a database, but quite long " * 100, None):
            path = tmp_path / "checkpoint.sqlite"
            path.unlink(missing_ok=True)
            if content is None:
                with closing(sqlite3.connect(path)) as database:
                    database.execute("CREATE TABLE precious (a)")
                content = path.read_bytes()
            else:
                path.write_bytes(content)
            with pytest.raises(BadOutput):
                scan(SAMPLES, folder=tmp_path)
            assert path.read_bytes() == content

    def test_one_scan_at_a_time(self, tmp_path: Path) -> None:
        from tracelens.batch.checkpoint import Checkpoint

        store = Checkpoint(tmp_path / "r", "1")
        with pytest.raises(BadOutput, match="another scan"):
            Checkpoint(tmp_path / "r", "1")
        store.close()
        Checkpoint(tmp_path / "r", "1").close()

    def test_the_results_are_no_input(self, tmp_path: Path) -> None:
        (tmp_path / "a.log").write_bytes(WRONG)
        first = scan(tmp_path, folder=tmp_path / "r")
        assert read(scan(tmp_path, folder=tmp_path / "r").folder) == read(first.folder)
        assert first.summary["files"]["total"] == 1


class TestCommand:
    def run(self, *arguments: Any, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "tracelens", "scan", *map(str, arguments)]
        return subprocess.run(command, input=stdin, capture_output=True, timeout=300, check=False)

    def test_exit_2_with_the_rest_done(self, cases: Path, done: batch.Scan, tmp_path: Path) -> None:
        result = self.run(cases, "-o", tmp_path / "r")
        assert result.returncode == 2
        assert result.stdout == b""
        told = result.stderr.decode()
        assert "broken.zip" in told
        assert "20 inputs: 17 traces, 2 not a trace, 1 unreadable, 1 of the traces damaged" in told
        assert "Traceback" not in told
        assert read(tmp_path / "r") == read(done.folder)

    def test_exit_0_and_standard_input(self, tmp_path: Path) -> None:
        result = self.run("-", "-o", tmp_path / "r", "--jobs", 1, stdin=gzip.compress(WRONG))
        assert result.returncode == 0
        assert "auth-password-rejected" in result.stderr.decode()

    def test_what_is_missing_is_a_row_too(self, tmp_path: Path) -> None:
        result = self.run(tmp_path / "missing", SAMPLES / "wrong-password.log", "-o", tmp_path / "r")
        assert result.returncode == 2
        files = pd.read_parquet(tmp_path / "r" / "files.parquet").set_index("path")
        assert files.loc[str(tmp_path / "missing"), "error"] == "No such file or directory"

    def test_an_engine_that_is_not_there_is_one_line(self, tmp_path: Path) -> None:
        result = self.run(SAMPLES, "-o", tmp_path / "r", "--engine", "dask")
        assert (result.returncode, result.stderr.count(b"\n")) == (2, 1)
        assert b"--scheduler" in result.stderr


class TestSignature:
    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("Failure Event: -31 - SFTP Protocol Error", "Failure Event: -31 - SFTP Protocol Error"),
            ("SFTP status 2 (No such file)", "SFTP status 2 (No such file)"),
            ("cannot open /srv/in/a b.csv: errno 13", "cannot open PATH b.csv: errno N"),
            ('Connection from 10.1.2.3 port 22 "x y"', "Connection from ADDRESS port N '…'"),
            ("C:\\keys\\id_rsa is missing", "PATH is missing"),
        ],
    )
    def test_text_keeps_what_is_the_same(self, text: str, told: str) -> None:
        assert normalized(text) == told

    def test_software_is_the_banners_own_name(self) -> None:
        assert software("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3") == "OpenSSH_9.2p1"
        assert software("220 ftp.example.org ready") is None
        assert software(None) is None
