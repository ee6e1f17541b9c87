"""Each finding says whether packets, texts or silence decided it; the same failure with fewer bits rests on less."""

from pathlib import Path

import pytest
from support import CASES, SAMPLES, diagnose_bytes, diagnose_file

from tests.goldens import with_mask


def basis(document: dict, id: str) -> str:
    (found,) = [f for s in document["sessions"] for f in s["findings"] if f["id"] == id]
    return str(found["basis"])


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (SAMPLES / "no-common-kex.log", "packet"),
        (SAMPLES / "second-factor-missing.log", "packet"),
        (SAMPLES / "no-such-file.log", "packet"),
        (SAMPLES / "ftp-server.log", "text"),
        (CASES / "auth-second-factor-missing" / "paired-files-mask-508.log", "text"),
        (CASES / "auth-key-mismatch" / "unpaired-files-mask-508.log", "text"),
    ],
    ids=lambda value: value.name if isinstance(value, Path) else value,
)
def test_of_a_trace(path: Path, expected: str) -> None:
    document = diagnose_file(path)
    (cause,) = {s["root_cause"] for s in document["sessions"]}
    assert basis(document, cause) == expected


def test_fewer_bits_rest_on_less() -> None:
    data = (SAMPLES / "wrong-password.log").read_bytes()
    assert basis(diagnose_bytes(data), "auth-password-rejected") == "packet"
    assert basis(diagnose_bytes(with_mask(data, 508)), "auth-password-rejected") == "text"


def test_silence() -> None:
    document = diagnose_bytes(
        b"[libssh2] 0.100000 Transport: session_startup for socket 4\n"
        b"[libssh2] 0.100100 Transport: Sending Banner: SSH-2.0-libssh2_1.8.2\n"
        b"[libssh2] 30.100200 Transport: Freeing session resource\n"
    )
    assert basis(document, "banner-timeout") == "silence"
