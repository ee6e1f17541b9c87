"""What several tests use: a trace given as text or bytes goes the way of a file, one test goes over many traces."""

import inspect
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from functools import cache, wraps
from pathlib import Path
from typing import Any

import pytest

from tracelens import analysis, inputs

HERE = Path(__file__).parent.parent
SAMPLES = HERE.parent / "sample_logs"
CASES = HERE / "cases"
# Every trace of the repository, with the samples first.
TRACES = [*sorted(SAMPLES.iterdir()), *sorted(path for path in CASES.glob("*/*") if path.is_file())]
PASSWORD = b"Ochre.Lantern.6"  # of the samples; made up for the purpose
READ, SENT = "libssh2_transport_read() plain", "libssh2_transport_write plain"


def analyze_file(path: Path | str) -> analysis.Analysis:
    """The analysis of one file."""
    for found in inputs.find([str(path)]):
        assert isinstance(found, inputs.Source), found
        return analysis.analyze(found)
    raise AssertionError(f"nothing found in {path}")


def analyze_text(text: str) -> analysis.Analysis:
    """The analysis of a text, read as a file in UTF-8."""
    with tempfile.NamedTemporaryFile(suffix=".log") as file:
        file.write(text.encode())
        file.flush()
        return analyze_file(file.name)


@cache
def analysis_of(path: Path) -> analysis.Analysis:
    """The analysis of one file, for tests that only read it."""
    return analyze_file(path)


def diagnose_file(path: Path | str) -> dict[str, Any]:
    """The analysis of one file as its JSON form."""
    return analyze_file(path).document


@cache
def document_of(path: Path) -> dict[str, Any]:
    """The JSON form of one file's analysis, for tests that only read it."""
    return analysis_of(path).document


def name_of(value: object) -> str:
    """How a test names one of its values: a file by its folder and name, a rule by its id."""
    if isinstance(value, Path):
        return f"{value.parent.name}/{value.name}"
    return str(getattr(value, "id", value))[:80]


def each(
    argument: str, values: Iterable[Any], make: Callable[[Any], Any] | None = None
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """As `pytest.mark.parametrize`, but in one test, which fails with a line for each value that fails.

    The test gets the value, or what `make` makes of it.
    """

    def over_all(test: Callable[..., None]) -> Callable[..., None]:
        @wraps(test)
        def run(*args: Any, **kwargs: Any) -> None:
            failed = []
            for value in values:
                try:
                    test(*args, **kwargs, **{argument: make(value) if make else value})
                except Exception as error:
                    words = " ".join(str(error).split())
                    failed.append(f"{name_of(value)}: {type(error).__name__}: {words[:400]}")
            if failed:
                pytest.fail("\n".join(failed), pytrace=False)

        parameters = inspect.signature(test).parameters.values()
        run.__signature__ = inspect.Signature([p for p in parameters if p.name != argument])  # type: ignore[attr-defined]
        return run

    return over_all


def diagnose_bytes(data: bytes) -> dict[str, Any]:
    """The analysis document of bytes, read as a file."""
    with tempfile.NamedTemporaryFile(suffix=".log") as file:
        file.write(data)
        file.flush()
        return diagnose_file(file.name)


def diagnose_text(text: str) -> dict[str, Any]:
    """The analysis document of a text, read as a file in UTF-8."""
    return diagnose_bytes(text.encode())


def run(*arguments: Any, stdin: bytes | None = None, **env: str) -> subprocess.CompletedProcess[bytes]:
    """The command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "tracelens", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        env={**os.environ, **env},
        timeout=120,
        check=False,
    )


def string(value: bytes | str) -> bytes:
    """A string of SSH (RFC 4251, 5)."""
    data = value.encode() if isinstance(value, str) else value
    return len(data).to_bytes(4) + data


# A login with a password, up to it (RFC 4252, 8).
LOGIN = b"\x32" + string(b"devi") + string(b"ssh-connection") + string(b"password") + b"\0"


def dump(title: str, data: bytes, size: int | None = None) -> bytes:
    """A dump as libssh2 prints it; `size` is what its title says, where that is not its size."""
    rows = [f"=> {title} ({len(data) if size is None else size} bytes)\n"]
    for at in range(0, len(data), 16):
        part = data[at : at + 16]
        left, right = part[:8].hex(" ").upper(), part[8:].hex(" ").upper()
        digits = f"{left}  {right}".ljust(49) if right else left.ljust(49)
        rows.append(f"{at:04x}: {digits}: {''.join(chr(c) if 32 <= c < 127 else '.' for c in part)}\n")
    return "".join(rows).encode()
