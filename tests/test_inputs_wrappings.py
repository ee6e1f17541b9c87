"""A wrapped trace reads as the plain one does; `python -m tests.wrappings` tries all traces."""

import random
from pathlib import Path

import pytest
from support import CASES, SAMPLES

from tests.fuzz import wrapped
from tests.wrappings import compare, copies, every_form
from tests.wrappings.compare import Facts, outcome

TRACES = (
    SAMPLES / "two-sessions.log",
    SAMPLES / "wrong-password.log",
    CASES / "kex-no-common-cipher" / "kex-cipher-1.11.1.log",
    CASES / "auth-too-many-failures" / "auth-too-many-1.10.0.log",  # has bytes that are no UTF-8
)
FORMS = every_form()
# Forms that are not undone yet.
NOT_YET: frozenset[str] = frozenset(["cut-in-line", "last-20"])


# Forms of which a copy still has the password.
NOT_SAFE: frozenset[str] = frozenset()


@pytest.mark.parametrize("name", sorted(FORMS.keys() - NOT_YET))
def test_a_wrapped_trace_reads_as_the_plain_one(name: str) -> None:
    results = [result for path in TRACES for result in compare.judged(path, [FORMS[name]])]
    assert len(results) == len(TRACES)
    assert [result for result in results if compare.is_miss(FORMS[name], result.outcome)] == []


@pytest.mark.parametrize("name", sorted(FORMS.keys() - NOT_SAFE))
def test_a_copy_of_a_wrapped_trace_has_no_password(name: str) -> None:
    (result,) = copies.judged(SAMPLES / "wrong-password.log", [FORMS[name]])
    assert not copies.is_miss(FORMS[name], result.outcome), result


def test_the_search_for_passwords_finds_them() -> None:
    """Else a copy would count as free of them that is not."""
    known = (b"Ochre.Lantern.6",)
    for spelled in (b"x Ochre.Lantern.6", b"4F 63 68 72 65 2E 4C", b"4f 63\t68 72 : 65\xc2\xa02e", b"Ochre&#46;Lan"):
        assert copies.windows(spelled, known), spelled
    assert not copies.windows(b"Ochre and Lamp, 4F 63 68 72 65", known)


def test_every_form_that_is_left_out_is_a_form() -> None:
    assert sorted((NOT_YET | NOT_SAFE) - FORMS.keys()) == []


def facts(verdict: str, cause: str | None = None, user: str | None = "devi", rivals: tuple[str, ...] = ()) -> Facts:
    return Facts(verdict, cause, user, None, "SSH-2.0-x", (), frozenset(rivals))


FAILED = facts("cause", "kex-no-common-mac")


@pytest.mark.parametrize(
    ("wanted", "found", "expected"),
    [
        ([FAILED], [FAILED], "equal"),
        ([FAILED], [facts("cause", "kex-no-common-mac", None)], "fewer facts"),
        ([FAILED], [facts("cause", "kex-no-common-mac", "dev")], "other facts"),
        ([FAILED], [facts("insufficient")], "fewer facts"),
        ([FAILED], [], "fewer facts"),
        ([FAILED], [FAILED, FAILED], "other facts"),
        ([FAILED], [facts("cause", "kex-failed")], "other cause"),
        ([FAILED], [FAILED, facts("cause", "kex-failed")], "other cause"),
        ([FAILED], [facts("cause", "kex-failed", rivals=("kex-no-common-mac",))], "open rival"),
        ([FAILED], [facts("healthy")], "false healthy"),
        ([FAILED, facts("healthy")], [facts("healthy")], "fewer facts"),
        ([FAILED, facts("healthy")], [facts("healthy"), facts("healthy")], "false healthy"),
    ],
)
def test_what_differs_is_named(wanted: list[Facts], found: list[Facts], expected: str) -> None:
    assert outcome(wanted, found)[0] == expected


@pytest.mark.parametrize("seed", range(4))
def test_damaged_wrappings_raise_nothing(seed: int, tmp_path: Path) -> None:
    chance, forms = random.Random(seed), list(FORMS.values())
    for _ in range(15):
        item = wrapped.made(chance, forms)
        (tmp_path / item.name).write_bytes(item.data)
        wrapped.run(str(tmp_path / item.name))
