"""What several tests use: a trace given as text or bytes goes the way of a file."""

import tempfile
from pathlib import Path
from typing import Any

from tracelens import analysis, inputs

HERE = Path(__file__).parent
SAMPLES = HERE.parent / "sample_logs"
CASES = HERE / "cases"
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


def diagnose_file(path: Path | str) -> dict[str, Any]:
    """The analysis of one file as its JSON form."""
    return analyze_file(path).document


def diagnose_bytes(data: bytes) -> dict[str, Any]:
    """The analysis document of bytes, read as a file."""
    with tempfile.NamedTemporaryFile(suffix=".log") as file:
        file.write(data)
        file.flush()
        return diagnose_file(file.name)


def diagnose_text(text: str) -> dict[str, Any]:
    """The analysis document of a text, read as a file in UTF-8."""
    return diagnose_bytes(text.encode())


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
