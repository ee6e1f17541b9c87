"""Traces with damaged packets: no other cause, no failed session that is healthy, and the same facts before a hole."""

import pytest

from tests import damage
from tests.edits import traces

PARTS = 4


@pytest.mark.parametrize("part", range(PARTS))
def test_a_damaged_packet_never_leads_astray(part: int) -> None:
    found = [fault for path in traces()[part::PARTS] for fault in damage.faults_of(path, count=1)]
    assert found == []
