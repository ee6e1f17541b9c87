"""What a server tells the user in the login, in a banner or a prompt: the reason, a house rule, or anything at all."""

from typing import Any

import pytest
from support import CASES, READ, diagnose_bytes, dump, string

AGED = (CASES / "auth-password-expired" / "password-aged-1.11.1.log").read_bytes()
BARRED = (CASES / "auth-password-rejected" / "account-expired-1.10.0.log").read_bytes()
PROMPTED = (CASES / "auth-keyboard-interactive-failed" / "account-expired-prompts-1.11.1.log").read_bytes()


def with_banner(trace: bytes, words: str) -> dict[str, Any]:
    """The session of a trace whose server says something else."""
    begin = trace.index(b"0000: 35 00 00 00")
    begin = trace.rindex(b"=>", 0, begin)
    end = trace.index(b"[libssh2]", begin)
    data = b"\x35" + string(words) + string("")
    session: dict[str, Any] = diagnose_bytes(trace[:begin] + dump(READ, data) + trace[end:])["sessions"][0]
    return session


@pytest.mark.parametrize(
    "words",
    [
        "Password expired. Change your password now.\n",
        "WARNING: Your password has expired.\n",
        "You are required to change your password immediately (root enforced)\n",
        "3004-610 You are required to change your password.\nPlease choose a new one.",
        "Depot 7\nUsers must log out at six\nYour password has expired\n",
        "Depot 7. Authorized use only.\nYour password has expired. You must change your password now!\n",
    ],
)
def test_a_password_that_must_be_changed(words: str) -> None:
    session = with_banner(AGED, words)
    assert session["root_cause"] == "auth-password-expired"
    assert " ".join(words.split()) in session["findings"][0]["evidence"][0]["text"]


@pytest.mark.parametrize(
    "words",
    [
        "Users must change their password every 90 days.\n",
        "You must change your password every 90 days.\n",
        "If your password has expired, call the help desk.\n",
        "Your password will expire in 3 days.\n",
        "Last password change: 3 days ago. Passwords are case-sensitive.\n",
        "Accounts are locked after three attempts.\n",
    ],
)
def test_a_house_rule_is_no_reason(words: str) -> None:
    assert with_banner(AGED, words)["root_cause"] == "sftp-start-failed"
    session = with_banner(BARRED, words)
    assert session["root_cause"] == "transport-connection-lost"
    quoted = [e for e in session["findings"][0]["evidence"] if " ".join(words.split()) in e["text"]]
    assert len(quoted) == 1


@pytest.mark.parametrize(
    "words",
    [
        "The account is locked due to 3 failed logins.\n",
        "Account locked due to 5 failed logins\n",
        "Account temporarily locked (577 seconds left)\n",
        "Your account has been disabled. Please see your system administrator.\n",
        "System is going down. Unprivileged users are not permitted to log in anymore. See pam_nologin(8).\n",
        "3004-303 There have been too many unsuccessful login attempts; please see the system administrator.\n",
    ],
)
def test_an_account_that_may_not_be_used(words: str) -> None:
    session = with_banner(BARRED, words)
    assert session["root_cause"] == "auth-password-rejected"
    finding = session["findings"][0]
    assert "may not be used" in finding["summary"]
    assert finding["advice"][0]["who"] == "server"


def test_no_answer_to_a_prompt_is_blamed_where_the_account_is() -> None:
    finding = diagnose_bytes(PROMPTED)["sessions"][0]["findings"][0]
    assert "the account may not be used" in finding["summary"]
    assert "Your account has expired" in finding["evidence"][0]["text"]


def test_it_is_cut_and_no_terminal_obeys_it() -> None:
    session = with_banner(BARRED, "\x1b[31mYour account has expired" + " x" * 4000)
    evidence = session["findings"][0]["evidence"][0]["text"]
    assert "account has expired" in evidence
    assert "\x1b" not in evidence
    assert len(evidence) < 500
