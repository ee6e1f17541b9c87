"""Documents of edited traces are what they were; `python -m tests.edits --make` stores them after a change."""

import pytest

from tests import edits

PARTS = 8


@pytest.mark.parametrize("part", range(PARTS))
def test_the_documents_of_edited_traces_are_the_stored_ones(part: int) -> None:
    stored = edits.stored()
    known = [path for path in edits.traces() if edits.named(path) in stored]
    differing = [path for path in known[part::PARTS] if edits.hashed(path) != stored[edits.named(path)]]
    assert differing == []


def test_every_stored_hash_is_of_a_trace() -> None:
    assert edits.stored().keys() <= {edits.named(path) for path in edits.traces()}
