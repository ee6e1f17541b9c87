"""SQL over a scan: it answers, and reaches nothing but the tables."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from support import SAMPLES

import tracelens
from tracelens.batch.query import VIEWS, page, query
from tracelens.errors import BadQuery, NotAScan
from tracelens.export.columns import COLUMNS, SCAN
from tracelens.inputs.limits import Limits


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scan") / "r"
    tracelens.scan([SAMPLES], folder, jobs=2)
    return folder


def ask(sql: str, folder: Path) -> pd.DataFrame:
    return pd.concat(list(query(sql, folder)), ignore_index=True)


@pytest.mark.parametrize("name", [*SCAN, *VIEWS])
def test_every_table_and_view_can_be_asked_and_is_documented(name: str, results: Path) -> None:
    frame = ask(f"SELECT * FROM {name}", results)
    assert len(frame)
    told = page().split(f"{name}: ")[1].splitlines()[1].strip().split(", ")
    assert list(frame.columns) == told
    for column in frame.columns.intersection(list(COLUMNS)):
        assert str(frame[column].dtype) == COLUMNS[column][0], column
    if name in SCAN:
        pd.testing.assert_frame_equal(
            frame, pd.read_parquet(results / f"{name}.parquet").astype(frame.dtypes.to_dict()), check_dtype=False
        )


def test_counts_are_those_of_the_tables(results: Path) -> None:
    causes = ask("SELECT * FROM causes", results)
    sessions = pd.read_parquet(results / "sessions.parquet")
    assert causes["sessions"].sum() == sessions["root_cause"].notna().sum()
    assert ask("SELECT sum(sessions) AS n FROM files", results)["n"][0] == len(sessions)
    months = ask("SELECT date_trunc('month', modified) AS month, avg(lines) FROM files GROUP BY 1", results)
    assert str(months["month"].dtype) == "datetime64[us, UTC]"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('{outside}')",
        "SELECT * FROM read_text('{outside}')",
        "SELECT * FROM '{outside}'",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM read_parquet('{results}/files.parquet')",
        "COPY files TO '{outside}'",
        "ATTACH '{outside}'",
        "SET enable_external_access = true",
        "INSTALL httpfs",
        "CREATE TABLE x AS SELECT 1",
        "DROP VIEW files",
        "SELECT 1; SELECT 2",
        "SELECT * FROM sys.modules",
        "SELECT * FROM sql",
        "SELECT * FROM duckdb_settings()",
        "SELECT * FROM duckdb_extensions()",
        "SELECT * FROM duckdb_databases",
        "SELECT * FROM pg_catalog.pg_settings",
        "SELECT * FROM information_schema.tables",
        "SELECT current_setting('secret_directory')",
        "SELECT path FROM files WHERE EXISTS (SELECT 1 FROM duckdb_settings())",
        "SELECT * FROM query('SELECT * FROM duckdb_settings()')",
        "SELECT * FROM query_table('files')",
        "SELECT * FROM (SHOW DATABASES)",
        "SELECT * FROM _files",
        "",
        "SELEC",
    ],
)
def test_nothing_else_can_be_reached(sql: str, results: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.csv"
    outside.write_text("a,b\n1,2\n")
    with pytest.raises(BadQuery) as refused:
        ask(sql.format(outside=outside, results=results), results)
    for place in (Path.home(), Path.cwd()):
        assert str(place) not in str(refused.value)
    assert outside.read_text() == "a,b\n1,2\n"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    "sql",
    [
        "WITH failed AS (SELECT * FROM sessions WHERE verdict = 'cause') SELECT count(*) FROM FAILED, files",
        "SELECT * FROM range(3), generate_series(1, 2)",
        "SELECT unnest([1, 2]) FROM main.causes",
        "DESCRIBE files",
        "SELECT * FROM (SUMMARIZE files)",
        "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT * FROM n",
        "FROM (UNPIVOT files ON lines INTO NAME n VALUE v)",
        "SELECT [x + 1 FOR x IN [1, 2]], (SELECT max(lines) FROM files)",
    ],
)
def test_all_ways_to_ask_the_tables_remain(sql: str, results: Path) -> None:
    assert len(ask(sql, results))


def test_no_setting_holds_a_local_path(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a statement finds a way to them."""
    monkeypatch.setattr("tracelens.batch.query._check_reads", lambda *_: None)
    told = ask("SELECT name, value FROM duckdb_settings()", results).to_string()
    assert str(Path.home()) not in told
    assert str(Path.cwd()) not in told
    assert ".tmp" not in told


_ENDLESS = "SELECT count(*) FROM range(1000000000) a, range(1000000) b"
_LARGE = ["SELECT list(range) FROM range(100000000)", "SELECT range, repeat('y', 200000) FROM range(100000)"]


def test_a_query_stops_at_its_limits(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    began = time.monotonic()
    with pytest.raises(BadQuery, match="stopped after 1 s"):
        list(query(_ENDLESS, results, Limits(query_seconds=1)))
    assert time.monotonic() - began < 10
    for sql in _LARGE:
        with pytest.raises(BadQuery, match="more than 200 MB"):
            list(query(sql, results, Limits(query_bytes=200 << 20)))
    monkeypatch.setenv("TRACELENS_LIMITS", "query_seconds=1")
    with pytest.raises(BadQuery, match="stopped after 1 s"):
        list(query(_ENDLESS, results))


def test_a_damaged_table_is_no_scan(results: Path, tmp_path: Path) -> None:
    for name in SCAN:
        (tmp_path / f"{name}.parquet").write_bytes((results / f"{name}.parquet").read_bytes()[:-100])
    with pytest.raises(NotAScan, match=r"files\.parquet is damaged"):
        ask("SELECT 1", tmp_path)


def test_a_folder_without_tables_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotAScan, match=r"files\.parquet"):
        ask("SELECT 1", tmp_path)


class TestCommand:
    def run(self, *arguments: Any, columns: int = 80) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "tracelens", "query", *map(str, arguments)],
            capture_output=True,
            timeout=120,
            check=False,
            env={**os.environ, "COLUMNS": str(columns)},
        )

    def test_shows_a_table_as_wide_as_the_terminal(self, results: Path) -> None:
        done = self.run("SELECT * FROM signatures", results)
        assert done.returncode == 0
        assert max(map(len, done.stdout.decode().splitlines())) <= 8 * 14
        whole = self.run("SELECT root_cause, sessions FROM causes WHERE root_cause LIKE 'auth-p%'", results)
        assert whole.stdout.decode().splitlines()[0].split() == ["root_cause", "sessions"]
        assert "auth-password-rejected" in whole.stdout.decode()

    def test_writes_any_table_format(self, results: Path, tmp_path: Path) -> None:
        assert self.run("SELECT * FROM files", results, "-o", tmp_path / "t.csv").returncode == 0
        assert len(pd.read_csv(tmp_path / "t.csv")) == len(pd.read_parquet(results / "files.parquet"))
        assert self.run("SELECT * FROM files", results, "-o", tmp_path / "t.xlsx").returncode == 0

    def test_limits_are_options(self, results: Path) -> None:
        for limit, sql in ((["--seconds", "1"], _ENDLESS), (["--megabytes", "100"], _LARGE[0])):
            done = self.run(sql, results, *limit)
            assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (2, b"", 1), done.stderr

    def test_errors_are_one_line(self, results: Path, tmp_path: Path) -> None:
        for sql, folder in (("SELEC", results), ("SELECT 1", tmp_path), ("SELECT nothing FROM files", results)):
            done = self.run(sql, folder)
            assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (2, b"", 1)
