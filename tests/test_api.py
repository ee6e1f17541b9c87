"""The Python interface: light to import, and the same answers as the commands."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from support import SAMPLES, diagnose_file
from support.scans import zipped

import tracelens
from tracelens.errors import NotATrace, UnreadableInput

WRONG = SAMPLES / "wrong-password.log"
HEAVY = {"pandas", "pyarrow", "rich", "jinja2", "duckdb", "distributed", "dask", "fsspec", "xlsxwriter", "lark"}


def python(code: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False, cwd=cwd
    )


def test_import_is_light() -> None:
    told = python(f"import sys, tracelens; print(sorted({HEAVY!r} & sys.modules.keys()))")
    assert told.stdout == "[]\n"


def test_analyze_of_a_small_file_loads_no_table_library() -> None:
    heavy = HEAVY - {"lark"}
    told = python(
        f"import sys, tracelens; tracelens.analyze({str(WRONG)!r}); print(sorted({heavy!r} & sys.modules.keys()))"
    )
    assert told.stdout == "[]\n"


def test_analyze_says_what_the_command_says() -> None:
    analysis = tracelens.analyze(WRONG)
    assert analysis.root_causes == ["auth-password-rejected"]
    assert analysis.document == diagnose_file(WRONG)
    assert isinstance(analysis, tracelens.Analysis)
    assert [session.root_cause for session in analysis.sessions] == analysis.root_causes


def test_tables_are_frames_by_name() -> None:
    frames = tracelens.tables(tracelens.analyze(WRONG))
    assert set(frames) == {"attempts", "operations", "phases", "sessions", "findings"}
    assert list(frames["sessions"]["root_cause"]) == ["auth-password-rejected"]


def test_scan_writes_tables(tmp_path: Path) -> None:
    result = tracelens.scan([SAMPLES], tmp_path / "r", jobs=2)
    assert result.complete
    assert len(pd.read_parquet(result.folder / "files.parquet")) == len(list(SAMPLES.iterdir()))


def test_a_script_without_a_guard_is_told_so(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(f"import tracelens\ntracelens.scan([{str(WRONG)!r}], 'r', jobs=1)\n")
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=120, check=False, cwd=tmp_path
    )
    assert "__name__ == '__main__'" in done.stderr.splitlines()[-1]
    call = f"print(tracelens.scan([{str(WRONG)!r}], 'r', jobs=1).complete)"
    script.write_text(f"import tracelens\nif __name__ == '__main__':\n    {call}\n")
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=120, check=True, cwd=tmp_path
    )
    assert done.stdout == "True\n"


def test_what_is_not_one_trace_is_refused(tmp_path: Path) -> None:
    (tmp_path / "two.zip").write_bytes(zipped({"a.log": WRONG.read_bytes(), "b.log": WRONG.read_bytes()}))
    (tmp_path / "note.txt").write_bytes(b"hello\n")
    with pytest.raises(UnreadableInput, match="more than one"):
        tracelens.analyze(tmp_path / "two.zip")
    with pytest.raises(NotATrace):
        tracelens.analyze(tmp_path / "note.txt")
    with pytest.raises(AttributeError):
        _ = tracelens.nothing  # type: ignore[attr-defined]
