"""What several tests use: a trace given as text or bytes goes the way of a file."""

import tempfile
from pathlib import Path
from typing import Any

from tracelens import analysis, source

HERE = Path(__file__).parent
SAMPLES = HERE.parent / "sample_logs"
CASES = HERE / "cases"


def diagnose_file(path: Path | str) -> dict[str, Any]:
    """The analysis document of one file."""
    for found in source.find([str(path)]):
        assert isinstance(found, source.Source), found
        return analysis.analyze(found).document
    raise AssertionError(f"nothing found in {path}")


def diagnose_bytes(data: bytes) -> dict[str, Any]:
    """The analysis document of bytes, read as a file."""
    with tempfile.NamedTemporaryFile(suffix=".log") as file:
        file.write(data)
        file.flush()
        return diagnose_file(file.name)


def diagnose_text(text: str) -> dict[str, Any]:
    """The analysis document of a text, read as a file in UTF-8."""
    return diagnose_bytes(text.encode())
