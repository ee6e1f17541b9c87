"""Errors that no known libssh2 prints, or that a program printed in part: failures all the same."""

from pathlib import Path

import pytest
from support import CASES, SAMPLES, diagnose_bytes, diagnose_text

BEGUN = (
    "[libssh2] 0.410010 Transport: session_startup for socket 5\n"
    "[libssh2] 0.410233 Transport: Sending Banner: SSH-2.0-libssh2_1.10.0\n"
)
# Healthy until here: what follows is the end of their work.
WORKING = {
    "download": (SAMPLES / "two-factors-healthy.log", b"SFTP: "),
    "command": (CASES / "none" / "noise-exit-status-4.log", b"Conn: starting request(exec)"),
}


@pytest.mark.parametrize("error", ["-51 - Words of a later libssh2", "-60 - Of a program", "Words without a number"])
@pytest.mark.parametrize(("path", "mark"), WORKING.values(), ids=WORKING)
def test_last_error_in_unknown_words_is_a_failure(path: Path, mark: bytes, error: str) -> None:
    data = path.read_bytes()
    stop = data.index(b"\n", data.rindex(mark)) + 1
    (session,) = diagnose_bytes(data[:stop] + f"[libssh2] 9.900000 Failure Event: {error}\n".encode())["sessions"]
    assert session["verdict"] in ("unexplained", "cause")
    assert session["errors"][-1]["text"].endswith(error)


@pytest.mark.parametrize(
    ("record", "code", "text"),
    [
        ("[libssh2] Failed getting banner", None, "Failed getting banner"),
        ("[libssh2] Failed getting banner: -13", -13, "Failure Event: -13 - Failed getting banner"),
        ("[libssh2] 0.500000 Failure Event: Failed getting banner", None, "Failed getting banner"),
        ("[libssh2] 0.500000 Failure Event: Unable to do it", None, "Unable to do it"),
        ("[libssh2] 0.500000 Failure Event: -13", -13, "Failure Event: -13 - "),
    ],
)
def test_error_that_lacks_a_part_is_one(record: str, code: int | None, text: str) -> None:
    (session,) = diagnose_text(f"{BEGUN}{record}\n[libssh2] 0.600000 Transport: Freeing session resource\n")["sessions"]
    assert session["verdict"] in ("unexplained", "cause")
    assert [(e["code"], e["text"]) for e in session["errors"]] == [(code, text)]


def test_number_alone_has_its_cause() -> None:
    (session,) = diagnose_text(f"{BEGUN}[libssh2] 0.500000 Failure Event: -43\n[libssh2] 0.6 Transport: x\n")[
        "sessions"
    ]
    assert session["root_cause"] == "banner-closed"


def test_number_37_alone_is_tried_again() -> None:
    (session,) = diagnose_text(f"{BEGUN}[libssh2] 0.500000 Failure Event: -37\n[libssh2] 0.6 Transport: x\n")[
        "sessions"
    ]
    assert session["errors"] == []
    assert session["noise"] == {"noise-retried": 1}


def test_unknown_words_while_tidying_up_are_no_failure() -> None:
    data = (CASES / "none" / "noise-exit-status-4.log").read_bytes()
    (session,) = diagnose_bytes(data + b"[libssh2] 9.900000 Failure Event: Words without a number\n")["sessions"]
    assert session["verdict"] == "healthy"
