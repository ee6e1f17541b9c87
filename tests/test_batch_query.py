"""SQL over a scan: it answers, and reaches nothing but the tables."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from support import SAMPLES

import tracelens
from tracelens.batch.query import VIEWS, page, query
from tracelens.errors import BadQuery, NotAScan
from tracelens.export.columns import COLUMNS, SCAN


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
        "",
        "SELEC",
    ],
)
def test_nothing_else_can_be_reached(sql: str, results: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.csv"
    outside.write_text("a,b\n1,2\n")
    with pytest.raises(BadQuery):
        ask(sql.format(outside=outside, results=results), results)
    assert outside.read_text() == "a,b\n1,2\n"
    assert len(list(tmp_path.iterdir())) == 1


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

    def test_errors_are_one_line(self, results: Path, tmp_path: Path) -> None:
        for sql, folder in (("SELEC", results), ("SELECT 1", tmp_path), ("SELECT nothing FROM files", results)):
            done = self.run(sql, folder)
            assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (2, b"", 1)
