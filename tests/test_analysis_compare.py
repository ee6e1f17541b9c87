"""Several sessions in one trace: which one worked, and what those that failed had other than it."""

from typing import Any

from support import SAMPLES, diagnose_bytes, diagnose_text

LOGIN = """\
[libssh2] {t}.100000 Transport: session_startup for socket {socket}
[libssh2] {t}.100100 Transport: Sending Banner: SSH-2.0-libssh2_1.11.1
[libssh2] {t}.110000 Transport: Received Banner: SSH-2.0-OpenSSH_9.6
[libssh2] {t}.120000 Transport: Requesting userauth service
[libssh2] {t}.130000 Transport: Packet type 6 received, length=17
=> libssh2_transport_write plain ({size} bytes)
{rows}
"""
REFUSED = """\
[libssh2] {t}.150000 Transport: Packet type 51 received, length=14
[libssh2] {t}.150100 Failure Event: -18 - Authentication failed (username/password)
[libssh2] {t}.150200 Transport: Freeing session resource
"""
WELCOME = """\
[libssh2] {t}.150000 Transport: Packet type 52 received, length=1
[libssh2] {t}.150100 Userauth: Password authentication successful
[libssh2] {t}.150200 Transport: Freeing session resource
"""


def login(t: int, user: str, password: str = "geheim-1") -> str:
    """The beginning of a session up to its password."""
    data = b"\x32" + b"".join(
        len(part).to_bytes(4, "big") + part for part in (user.encode(), b"ssh-connection", b"password")
    )
    data += b"\0" + len(password).to_bytes(4, "big") + password.encode()
    rows = []
    for at in range(0, len(data), 16):
        row = data[at : at + 16]
        hexed = "".join(f"{byte:02X} " + (" " if n == 7 else "") for n, byte in enumerate(row))
        rows.append(f"{at:04x}: {hexed:<49}: " + "".join(chr(b) if 32 <= b < 127 else "." for b in row))
    return LOGIN.format(t=t, socket=t + 4, size=len(data), rows="\n".join(rows))


def compared(text: str) -> list[dict[str, Any]]:
    return list(diagnose_text(text)["comparisons"])


def test_the_user_only() -> None:
    trace = login(0, "anna") + REFUSED.format(t=0) + login(1, "bert") + WELCOME.format(t=1)
    assert compared(trace) == [
        {
            "sessions": [1, 2],
            "differs": [{"what": "user", "values": ["anna", "bert"]}],
            "summary": "Session 2 worked and session 1 did not: they differ in the user only.",
        }
    ]


def test_the_password_only_and_neither_is_shown() -> None:
    trace = login(0, "anna", "geheim-1") + REFUSED.format(t=0) + login(1, "anna", "geheim-2") + WELCOME.format(t=1)
    (found,) = compared(trace)
    assert found["differs"] == [{"what": "password or answer", "values": ["[hidden]", "[hidden]"]}]


def test_sessions_that_all_failed() -> None:
    trace = login(0, "anna") + REFUSED.format(t=0) + login(1, "bert") + REFUSED.format(t=1)
    (found,) = compared(trace)
    assert found["summary"].startswith("Sessions 1 and 2 both failed, alike (auth-password-rejected): ")


def test_no_difference_is_said() -> None:
    document = diagnose_bytes((SAMPLES / "two-sessions.log").read_bytes())
    (found,) = document["comparisons"]
    assert found["differs"] == []
    assert "no difference" in found["summary"]


def test_one_session_has_nothing_to_be_compared_with() -> None:
    assert compared(login(0, "anna") + REFUSED.format(t=0)) == []
