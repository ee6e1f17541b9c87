"""What the server's admin is asked for: log lines, a window, and command lines that lead to the same failure."""

import shlex
from pathlib import Path
from typing import Any

from support import CASES, SAMPLES, diagnose_file, each

CAUSES = sorted(path.name for path in CASES.iterdir() if path.name != "none")


def asked(path: Path) -> list[dict[str, Any]]:
    return [s["ask"] for s in diagnose_file(path)["sessions"] if s["ask"] is not None]


@each("cause", CAUSES)
def test_each_cause_that_a_server_can_see_has_its_lines(cause: str) -> None:
    path = sorted((CASES / cause).iterdir())[0]
    session = [s for s in diagnose_file(path)["sessions"] if s["root_cause"] == cause][-1]
    if session["ask"] is None:
        own = cause.startswith("auth-key-") or cause == "kex-hostkey-unverified"  # the program itself gave up
        assert own or all(a["who"] != "server" for a in session["findings"][0]["advice"])
        return
    assert session["ask"]["log"]
    assert all(entry["look_for"] and entry["why"] for entry in session["ask"]["log"])
    window = session["ask"]["window"]
    if session["started"] is not None:
        assert session["started"] <= window["ended"] <= session["ended"]
    for command in session["ask"]["reproduce"]:
        assert shlex.split(command)[0] in ("ssh", "sftp", "scp", "echo")


def test_names_the_user_the_method_and_the_algorithms() -> None:
    (ask,) = asked(SAMPLES / "wrong-password.log")
    assert ask["log"][0]["look_for"] == "Failed password for devi"
    (command,) = ask["reproduce"]
    words = shlex.split(command)
    assert words[0] == "ssh"
    assert words[-1] == "devi@HOST"
    assert {"KexAlgorithms=curve25519-sha256", "PreferredAuthentications=password"} <= set(words)


def test_a_failed_operation_is_repeated_by_sftp() -> None:
    (ask,) = asked(SAMPLES / "no-such-file.log")
    assert ask["reproduce"][0].startswith("echo 'get /home/devi/nothing.csv' | sftp ")


def test_an_offer_without_agreement_is_offered_again() -> None:
    (ask,) = asked(SAMPLES / "no-common-kex.log")
    assert "KexAlgorithms=diffie-hellman-group-exchange-sha256," in ask["reproduce"][0]
    assert ask["log"][0]["look_for"] == "no matching key exchange method found"


def test_a_healthy_session_asks_for_nothing() -> None:
    assert asked(SAMPLES / "two-factors-healthy.log") == []
