"""Documents of edited traces are what they were; `python -m tests.edits --make` stores them after a change."""

import pytest

from tests import edits

PARTS = 8


@pytest.mark.parametrize("part", range(PARTS))
def test_the_documents_of_edited_traces_are_the_stored_ones(part: int) -> None:
    stored = edits.stored()
    differing = [p for p in edits.traces()[part::PARTS] if edits.hashed(p) != stored.get(edits.named(p))]
    assert differing == []


def test_every_stored_hash_is_of_a_trace() -> None:
    assert edits.stored().keys() == {edits.named(path) for path in edits.traces()}
