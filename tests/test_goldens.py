"""Outputs for the traces of the repository are the stored ones; `python -m tests.goldens` looks at more variants."""

import pytest

from tests import goldens

PARTS = 8
VARIED = ("document", "redacted", "anonymized")


@pytest.mark.parametrize("part", range(PARTS))
def test_the_outputs_are_the_stored_ones(part: int) -> None:
    """All outputs for each trace as it is; its document and copies for one of its variants, which take turns."""
    stored = goldens.read(goldens.STORE)
    differing = []
    for number, job in list(enumerate(goldens.jobs(goldens.stored_traces(goldens.STORE))))[part::PARTS]:
        differing += goldens.differing(job, stored, "whole")
        differing += goldens.differing(job, stored, goldens.VARIANTS[1 + number % (len(goldens.VARIANTS) - 1)], VARIED)
    assert differing == []
