"""Tables as users load them: every table in every format, one meaning and one type a column, no secret, no formula."""

import json
import re
import sqlite3
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from support import CASES, SAMPLES, TRACES, analyze_file, each

from tracelens import export, inputs
from tracelens.cli.options import TABLE_FORMATS
from tracelens.cli.timeline import Table
from tracelens.errors import BadOutput
from tracelens.export import formats
from tracelens.export.columns import ABOUT, COLUMNS, SCAN, TABLES, TYPES, with_wall_time

PASSWORD = "Ochre.Lantern.6"
WRONG = SAMPLES / "wrong-password.log"
NO_FILE = SAMPLES / "no-such-file.log"


def table(path: Path, name: str) -> pd.DataFrame:
    for found in inputs.find([str(path)]):
        assert isinstance(found, inputs.Source)
        return pd.concat(list(export.Timeline(found, name).frames), ignore_index=True)
    raise AssertionError(path)


def exported(frame: pd.DataFrame, path: Path) -> Path:
    formats.export(iter([frame]), path, None, "packets")
    return path


class TestColumns:
    def test_every_table_and_every_column_is_documented(self) -> None:
        assert TABLES.keys() == {t.value for t in Table}
        assert TABLES.keys() | SCAN.keys() == ABOUT.keys()
        tables = [*map(with_wall_time, TABLES), *SCAN.values()]
        assert {name for columns in tables for name in columns} == COLUMNS.keys()
        assert {kind for kind, _ in COLUMNS.values()} <= TYPES.keys()
        assert set(re.findall(r"\w+", TABLE_FORMATS)) - {"or"} == set(formats.formats())

    @pytest.mark.parametrize("name", TABLES)
    def test_a_column_has_one_type(self, name: str) -> None:
        for path in (WRONG, SAMPLES / "two-sessions.log"):
            frame = table(path, name)
            assert list(frame.columns) == list(TABLES[name])
            assert [str(t) for t in frame.dtypes] == [COLUMNS[c][0] for c in frame.columns]

    def test_the_page_needs_no_input(self) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "tracelens", "timeline", "--columns"], capture_output=True, check=True, timeout=60
        )
        assert b"| `latency` | number |" in done.stdout


class TestContents:
    def test_requests_have_their_answers(self) -> None:
        requests = table(NO_FILE, "requests")
        asked = requests[["request", "answer", "outcome", "sftp_status"]].astype(object).where(requests.notna(), None)
        assert asked.to_numpy().tolist() == [
            ["kex_30", "kex_31", "granted", None],
            ["service_request", "service_accept", "granted", None],
            ["password", "userauth_success", "granted", None],
            ["channel_open", "channel_open_confirmation", "granted", None],
            ["subsystem", "channel_success", "granted", None],
            ["init", "version", "granted", None],
            ["open", "status", "refused", 2],
        ]
        # The clock of the line that announces the answer.
        announced = re.search(r"([\d.]+) Transport: Packet type 52 received", NO_FILE.read_text())
        assert announced is not None
        login = requests[requests["request"] == "password"].iloc[0]
        assert login["ended"] == float(announced[1])
        assert login["latency"] == pytest.approx(login["ended"] - login["started"])
        assert 0 < login["latency"] < 5

    def test_requests_without_answer_are_there_too(self) -> None:
        silent = pd.concat([table(path, "requests") for path in (CASES / "transport-timeout").iterdir()])
        unanswered = silent[silent["outcome"] == "unanswered"]
        assert len(unanswered)
        assert unanswered[["ended", "latency", "answer", "last_line"]].isna().all(axis=None)

    @each("path", TRACES[::3])
    def test_times_and_lines_hold_together(self, path: Path) -> None:
        requests, packets = table(path, "requests"), table(path, "packets")
        assert (requests["latency"].dropna() >= 0).all()
        assert (requests["last_line"] > requests["line"]).fillna(True).all()
        assert packets["line"].is_monotonic_increasing
        assert set(requests["line"]) <= set(packets["line"])
        assert list(requests["outcome"] == "unanswered") == list(requests["answer"].isna())

    @each("path", TRACES[::11])
    def test_what_the_document_says_is_in_the_tables(self, path: Path) -> None:
        analysis = analyze_file(path)
        frames = export.of_analysis(analysis)
        for name, frame in frames.items():
            pd.testing.assert_frame_equal(frame, table(path, name))
        assert len(frames["attempts"]) == sum(len(s.auth) for s in analysis.sessions)
        assert len(frames["operations"]) == sum(len(s.operations) for s in analysis.sessions)
        assert len(frames["phases"]) == sum(len(s.phases) for s in analysis.sessions)

    def test_an_operation_has_its_file_status_and_sentence(self) -> None:
        (row,) = table(NO_FILE, "operations").to_dict("records")
        assert (row["verb"], row["outcome"], row["sftp_status"], row["message"]) == (
            "open",
            "failed",
            2,
            "No such file",
        )
        assert row["remote_path"].startswith("/home/devi/")
        assert row["latency"] == pytest.approx(row["ended"] - row["started"])

    @pytest.mark.parametrize("name", TABLES)
    def test_no_secret_in_any_table(self, name: str, tmp_path: Path) -> None:
        line = f"[libssh2] 9.000000 Userauth: Loading private key file: /keys/{PASSWORD}\n".encode()
        trace = tmp_path / "t.log"
        trace.write_bytes(WRONG.read_bytes() + line)
        data = exported(table(trace, name), tmp_path / "t.csv").read_text(encoding="utf-8")
        assert PASSWORD not in data
        assert PASSWORD.encode().hex() not in data.lower().replace(" ", "")


class TestFormats:
    def frame(self) -> pd.DataFrame:
        texts = ["=1+1", "+a", "-b", "@c", "\td", "plain", "<b>&|`*", "é \u2028 \x1b[31m", None]
        rows = [
            (1, n, n / 8, None, "sftp", "sftp", "in", 101, "status", 2**40, text, None, json.dumps({"id": n}))
            for n, text in enumerate(texts)
        ]
        return export.frame(TABLES["packets"], rows)

    @pytest.mark.parametrize("ending", ["csv", "tsv"])
    def test_no_text_is_a_formula_for_a_spreadsheet(self, ending: str, tmp_path: Path) -> None:
        path = exported(self.frame(), tmp_path / f"t.{ending}")
        read = pd.read_csv(path, sep="\t" if ending == "tsv" else ",", dtype=str, keep_default_na=False)
        assert list(read["text"][:5]) == ["'=1+1", "'+a", "'-b", "'@c", "'\td"]
        assert read["text"][5] == "plain"

    @pytest.mark.parametrize("ending", ["json", "jsonl", "parquet", "sqlite", "duckdb"])
    def test_is_read_back_as_it_was(self, ending: str, tmp_path: Path) -> None:
        frame, path = self.frame(), tmp_path / f"t.{ending}"
        exported(frame, path)
        if ending == "parquet":
            read = pd.read_parquet(path)
        elif ending == "sqlite":
            with sqlite3.connect(path) as database:
                read = pd.read_sql_query("SELECT * FROM packets", database)
        elif ending == "duckdb":
            import duckdb

            with duckdb.connect(str(path), read_only=True) as made:
                rows = made.execute("SELECT * FROM packets").fetchall()
            read = pd.DataFrame(rows, columns=list(frame.columns))
        else:
            read = pd.read_json(path, lines=ending == "jsonl")
        pd.testing.assert_frame_equal(read.astype(frame.dtypes.to_dict()), frame)

    def test_a_workbook_has_texts_not_formulas(self, tmp_path: Path) -> None:
        import zipfile

        path = exported(self.frame(), tmp_path / "t.xlsx")
        with zipfile.ZipFile(path) as book:
            sheet = book.read("xl/worksheets/sheet1.xml").decode()
        assert "<f>" not in sheet
        assert "<t>=1+1</t>" in sheet
        assert 't="inlineStr"' in sheet
        assert f"<v>{2**40}</v>" in sheet

    def test_a_sheet_that_is_full_is_said_and_nothing_is_left(self, tmp_path: Path, monkeypatch: Any) -> None:
        from tracelens.export.formats import xlsx

        monkeypatch.setattr(xlsx, "ROWS", 5)
        with pytest.raises(BadOutput, match="more than 4 rows"):
            exported(self.frame(), tmp_path / "t.xlsx")
        assert list(tmp_path.iterdir()) == []

    def test_html_is_one_file_without_scripts_and_escaped(self, tmp_path: Path) -> None:
        text = exported(self.frame(), tmp_path / "t.html").read_text(encoding="utf-8")
        assert "<b>" not in text
        assert "&lt;b&gt;&amp;|" in text
        assert "\x1b" not in text
        tags: set[str] = set()

        class Tags(HTMLParser):
            def handle_starttag(self, tag: str, attrs: Any) -> None:
                tags.add(tag)
                assert not [a for a, _ in attrs if a in ("src", "href") or a.startswith("on")]

        Tags().feed(text)
        assert not tags & {"script", "link", "img", "iframe"}
        assert "default-src 'none'; style-src 'sha256-" in text

    def test_a_markdown_cell_stays_one(self, tmp_path: Path) -> None:
        lines = exported(self.frame(), tmp_path / "t.md").read_text(encoding="utf-8").splitlines()
        assert len(lines) == 2 + len(self.frame())
        assert all(len(re.findall(r"(?<!\\)\|", line)) == len(TABLES["packets"]) + 1 for line in lines)
        assert r"\<b\>\&\|\`\*" in lines[8]

    @pytest.mark.parametrize("ending", formats.formats())
    def test_two_runs_give_the_same_bytes(self, ending: str, tmp_path: Path) -> None:
        first, second = (exported(self.frame(), tmp_path / f"{n}.{ending}").read_bytes() for n in (1, 2))
        assert first == second
        assert len(list(tmp_path.iterdir())) == 2

    @pytest.mark.parametrize(("ending", "module"), [("xlsx", "xlsxwriter"), ("duckdb", "duckdb")])
    def test_a_missing_extra_says_what_to_install(
        self, ending: str, module: str, tmp_path: Path, monkeypatch: Any
    ) -> None:
        monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(BadOutput, match=r'pip install "libssh2-tracelens\[(xlsx|query)\]"'):
            exported(self.frame(), tmp_path / f"t.{ending}")
        assert list(tmp_path.iterdir()) == []
