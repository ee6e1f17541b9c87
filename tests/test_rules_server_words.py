"""What a server tells the user in the login, in a banner or a prompt: the reason, a house rule, or anything at all."""

from typing import Any

import pytest
from support import CASES, READ, SAMPLES, diagnose_bytes, dump, string

AGED = (CASES / "auth-password-expired" / "password-aged-1.11.1.log").read_bytes()
BARRED = (CASES / "auth-password-rejected" / "account-expired-1.10.0.log").read_bytes()
WRONG = (SAMPLES / "wrong-password.log").read_bytes()
PROMPTED = (CASES / "auth-keyboard-interactive-failed" / "account-expired-prompts-1.11.1.log").read_bytes()


def without_banner(trace: bytes) -> bytes:
    begin = trace.rindex(b"=>", 0, trace.index(b"0000: 35 00 00 00"))
    return trace[:begin] + trace[trace.index(b"[libssh2]", begin) :]


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
    assert " / ".join(words.splitlines()) in session["findings"][0]["evidence"][0]["text"]


@pytest.mark.parametrize(
    "words",
    [
        "Users must change their password every 90 days.\n",
        "You must change your password every 90 days.\n",
        "If your password has expired, call the help desk.\n",
        "Your password will expire in 3 days.\n",
        "Last password change: 3 days ago. Passwords are case-sensitive.\n",
        "Accounts are locked after three attempts.\n",
        "Forgot your password or account locked? Call the help desk.\n",
        "Password expired? Reset it at https://depot.example/\n",
        "Unauthorized users are not permitted to log in.\n",
        "Too many failed login attempts will lock your account.\n",
        "Your account is locked after 3 failed attempts.\n",
        "An inactive account is disabled automatically.\n",
        "Contractors whose account has expired must contact HR.\n",
        "You must change your password at first login.\n",
        "To reset, choose a new password at https://depot.example/\n",
        "Password change is required annually.\n",
        "Your password has expired. You have 2 grace login(s) remaining.\n",
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


@pytest.mark.parametrize(
    ("banner", "cause"),
    [
        (b"SSH-2.0-paramiko_5.1.0", "auth-rsa-sha1-refused"),
        (b"SSH-2.0-paramiko_4.0.0", "transport-server-disconnect"),
        (b"SSH-2.0-Serv-U_15.1.99", "transport-server-disconnect"),
    ],
)
def test_only_a_server_that_lacks_the_algorithm_hangs_up_over_it(banner: bytes, cause: str) -> None:
    path = CASES / "auth-rsa-sha1-refused" / "paramiko-key-sha1-1.10.0.log"
    trace = path.read_bytes().replace(b"SSH-2.0-paramiko_5.1.0", banner)
    assert diagnose_bytes(trace)["sessions"][0]["root_cause"] == cause


def test_a_disconnect_may_say_it_too() -> None:
    """As OpenSSH did before its processes were apart: in place of the channel's end."""
    words = "Password change required but no TTY available."
    said = dump(READ, b"\x01" + (2).to_bytes(4) + string(words) + string(""))
    at = AGED.rindex(b"=>", 0, AGED.index(b"Packet type 91 received"))
    gone = b"[libssh2] 0.9 Failure Event: -13 - socket disconnect\n"
    session = diagnose_bytes(without_banner(AGED[:at]) + said + gone)["sessions"][0]
    assert session["root_cause"] == "auth-password-expired"


def test_it_is_cut_and_no_terminal_obeys_it() -> None:
    session = with_banner(BARRED, "\x1b[31m" + "x " * 200 + "\nYour account has expired.\n" + " x" * 1000)
    evidence = session["findings"][0]["evidence"][0]["text"]
    assert "account has expired" in evidence
    assert "\x1b" not in evidence
    assert len(evidence) < 500


def test_a_grace_login_counts_wherever_it_is_said() -> None:
    words = f"{'Depot 7. ' * 40}\nYour password has expired.\nYou have 2 grace login(s) remaining.\n"
    assert with_banner(AGED, words)["root_cause"] == "sftp-start-failed"


def test_a_banner_before_the_attempt_decides_nothing() -> None:
    """The door says something else than what came of the login."""
    words = dump(READ, b"\x35" + string("Your account has expired.\n") + string(""))
    for trace in (WRONG, without_banner(BARRED)):
        at = trace.rindex(b"\n", 0, trace.index(b"Attempting to login using password")) + 1
        (before,) = diagnose_bytes(trace)["sessions"]
        (after,) = diagnose_bytes(trace[:at] + words + trace[at:])["sessions"]
        assert after["root_cause"] == before["root_cause"]
        assert after["findings"][0]["summary"] == before["findings"][0]["summary"]


@pytest.mark.parametrize("words", ["Your account has been disabled.\n", "Your password has expired.\n"])
def test_a_refusal_for_a_reason_that_the_server_says(words: str) -> None:
    at = WRONG.rindex(b"=>", 0, WRONG.rindex(b"0000: 33 "))
    trace = WRONG[:at] + dump(READ, b"\x35" + string(words) + string("")) + WRONG[at:]
    session = diagnose_bytes(trace)["sessions"][0]
    aged = "password" in words
    assert session["root_cause"] == ("auth-password-expired" if aged else "auth-password-rejected")
    assert aged or "may not be used" in session["findings"][0]["summary"]
    assert aged or session["ask"]["log"][0]["look_for"] == "by PAM account configuration"


@pytest.mark.parametrize(
    "folder", ["channel-open-refused", "channel-request-refused", "channel-subsystem-refused", "scp-failed"]
)
def test_what_was_refused_later_is_its_own_cause(folder: str) -> None:
    words = dump(READ, b"\x35" + string("Your password has expired.\n") + string(""))
    for path in (CASES / folder).iterdir():
        trace = path.read_bytes()
        success = trace.rfind(b"0000: 34 ")
        if success >= 0:
            at = trace.rindex(b"=>", 0, success)
            session = diagnose_bytes(trace[:at] + words + trace[at:])["sessions"][-1]
            assert session["root_cause"] == folder


def test_prompts_are_quoted_one_by_one() -> None:
    """Side by side the second would look like what the first asks for, and be hidden."""
    begin = PROMPTED.rindex(b"=>", 0, PROMPTED.index(b"0000: 3C "))
    end = PROMPTED.index(b"[libssh2]", begin)
    prompts = b"".join(string(text) + b"\0" for text in ("Password: ", "Verification code: "))
    request = b"\x3c" + string("Sign in") + string("") + string("") + (2).to_bytes(4) + prompts
    refused = dump(READ, b"\x33" + string("keyboard-interactive") + b"\0")
    failed = PROMPTED[PROMPTED.index(b"Keyboard-interactive authentication failed") - 30 :]
    trace = PROMPTED[:begin] + dump(READ, request) + PROMPTED[end : end + 400] + refused + failed
    evidence = diagnose_bytes(trace)["sessions"][0]["findings"][0]["evidence"]
    said = [quote["text"] for quote in evidence if quote["text"].startswith("the server says")]
    assert said == ["the server says: 'Sign in / Password: / Verification code:'"]
