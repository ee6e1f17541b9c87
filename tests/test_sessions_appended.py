"""Sessions one after the other in one trace, at masks that show little: where each begins and ends."""

import random
from collections.abc import Iterable

import pytest
from support import diagnose_bytes, diagnose_text

from tests.appended import KINDS, MASKS, judged

LOGIN = (
    (0, "Key Ex: Sent KEX: curve25519-sha256"),
    (10, "Key Ex: Agreed on KEX method: curve25519-sha256"),
    (15, "Key Ex: Received NEWKEYS message"),
    (16, "Key Ex: session_id calculated"),
    (20, "Userauth: Attempting to login using password authentication"),
)
GOOD = (*LOGIN, (30, "Userauth: Password authentication successful"))
BAD = (*LOGIN, (30, "Userauth: Password authentication failed"))
BAD = (*BAD, (30, "Failure Event: -18 - Authentication failed (username/password)"))
NO_BANNER = ((20, "Failure Event: -13 - Failed getting banner"),)
NO_MEMORY = (
    (1, "Failure Event: -6 - Unable to allocate memory"),
    (1, "Failure Event: -1 - Unable to exchange encryption keys"),
)
REKEY = (*LOGIN[:3], (15, "Key Ex: Client to Server IV and Key calculated"))
BLOCKING = ((0, "Conn: Setting blocking mode ON"),)
KNOWN_HOSTS = ((0, "Failure Event: -16 - Failed to open file"),)


def at(start: float, *sessions: Iterable[tuple[int, str]]) -> str:
    """The records of sessions that begin 10 s after each other, from a time on; each has its milliseconds."""
    return "".join(
        f"[libssh2] {start + 10 * number + after / 1000:.6f} {text}\n"
        for number, session in enumerate(sessions)
        for after, text in session
    )


def causes(text: str) -> list[str | None]:
    return [session["root_cause"] for session in diagnose_text(text)["sessions"]]


B, G, N = "auth-password-rejected", None, "banner-closed"


@pytest.mark.parametrize("set_up", [(), BLOCKING])
@pytest.mark.parametrize(
    ("sessions", "expected"),
    [
        ((BAD, BAD), [B, B]),
        ((BAD,) * 5, [B] * 5),
        ((GOOD, BAD), [G, B]),
        ((GOOD, GOOD, GOOD), [G] * 3),
        ((BAD, GOOD, BAD, GOOD), [B, G, B, G]),
        ((NO_BANNER,) * 3, [N] * 3),
        ((BAD, NO_BANNER), [B, N]),
        ((NO_BANNER, BAD), [N, B]),
        ((GOOD, GOOD, NO_BANNER), [G, G, N]),
        ((GOOD, NO_MEMORY, GOOD), [G, "client-error", G]),
    ],
)
def test_without_transport_each_session_is_told_apart(
    sessions: tuple[tuple[tuple[int, str], ...], ...], expected: list[str | None], set_up: tuple[tuple[int, str], ...]
) -> None:
    assert causes(at(0.2, *((*set_up, *session) for session in sessions))) == expected


def test_a_second_key_exchange_without_a_session_id_is_the_same_sessions() -> None:
    text = at(0.2, GOOD, REKEY, REKEY)
    assert [session["first_line"] for session in diagnose_text(text)["sessions"]] == [1]


def test_a_key_exchange_that_was_cut_off_is_another_sessions() -> None:
    assert len(causes(at(0.2, GOOD, LOGIN[:2], BAD))) == 3


@pytest.mark.parametrize("second", [0.05, 0.3, 1.3, 4.9])
def test_a_clock_may_restart_at_any_value(second: float) -> None:
    assert causes(at(5.2, GOOD) + at(second, BAD) + at(second + 0.5, GOOD)) == [G, B, G]


def test_a_blocking_mode_belongs_to_the_session_that_begins_with_it() -> None:
    text = at(0.2, (*BLOCKING, *GOOD), (*BLOCKING, *BAD))
    found = [(session["first_line"], session["last_line"]) for session in diagnose_text(text)["sessions"]]
    assert found == [(1, 7), (8, 15)]


@pytest.mark.parametrize(("session", "expected"), [(GOOD, G), (BAD, B), (NO_BANNER, N)])
def test_a_file_of_known_hosts_that_is_missing_is_noise_of_the_session_that_starts_next(
    session: tuple[tuple[int, str], ...], expected: str | None
) -> None:
    start = ((0, "Transport: session_startup for socket 3"), (0, "Transport: Sending Banner: SSH-2.0-libssh2_1.11.1"))
    assert causes(at(0.2, (*KNOWN_HOSTS, *session), (*KNOWN_HOSTS, *session))) == [expected] * 2
    assert len(causes(at(0.2, (*KNOWN_HOSTS, *start)))) == 1


def test_an_error_of_an_agent_in_a_login_is_no_start_of_another_session() -> None:
    failed = (*LOGIN[:4], (20, "Failure Event: -39 - no auth sock variable"))
    text = at(0.2, failed, failed, GOOD)
    assert [session["first_line"] for session in diagnose_text(text)["sessions"]] == [1, 6, 11]


def test_a_refused_login_and_a_pause_end_a_session_where_nothing_else_is_traced() -> None:
    refused = BAD[4:]
    assert causes(at(0.2, refused, refused, refused)) == [B] * 3
    assert len(causes(at(0.2, (*refused, *((after + 100, text) for after, text in refused))))) == 1


@pytest.mark.parametrize("mask", MASKS)
def test_appended_sessions_are_diagnosed_as_each_alone(mask: int) -> None:
    """`python -m tests.appended` tries many more."""
    kinds = KINDS.keys() - {"long", "poll"}
    results = [judged(kind, mask, number) for kind in sorted(kinds) for number in (0, 2)]
    misses = [f"{result.kind} {result.number}: {miss}" for result in results for miss in result.misses]
    known = [miss for miss in misses if ": insufficient (" not in miss]
    assert sum(result.swallowed for result in results) == 0
    assert len(known) <= 0.05 * sum(result.sessions for result in results), "\n".join(known)


def test_thousands_of_polls_are_thousands_of_sessions() -> None:
    text = at(0.2, *[BAD] * 3_000)
    assert len(diagnose_bytes(text.encode())["sessions"]) == 3_000


def test_records_in_any_order_raise_nothing() -> None:
    rng = random.Random(5)
    texts = [text for session in (GOOD, BAD, NO_BANNER, NO_MEMORY, REKEY, BLOCKING, KNOWN_HOSTS) for _, text in session]
    for _ in range(60):
        lines = [f"[libssh2] {rng.uniform(0, 9):.6f} {rng.choice(texts)}\n" for _ in range(rng.randrange(1, 80))]
        assert diagnose_text("".join(lines))["sessions"]


def test_an_answer_that_another_process_waits_for_is_its_own_though_their_sockets_have_one_number() -> None:
    """What a killed session left is no other session's; but two processes have the same numbers of sockets."""
    start = (
        (0, "Transport: session_startup for socket 3"),
        (1, "Transport: Sending Banner: SSH-2.0-libssh2_1.11.1"),
        (20, "Transport: Received Banner: SSH-2.0-OpenSSH_9.2"),
    )
    waits = tuple((after + 30, text) for after, text in LOGIN)
    first, second, answer = at(0.1, (*start, *waits)), at(0.4, start), at(2.3, BAD[5:])
    assert causes(first + second + answer) == ["auth-password-rejected", None]
    assert causes(first + second) == [None, None]
