"""Every scenario with every libssh2: tracelens must name the cause that the scenario set up."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import check, premises
from tests.lab.__main__ import choose, run
from tests.lab.scenario import Scenario

LACKS = premises.missing()
QUICK = pytest.StashKey[bool]()

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(bool(LACKS), reason="the lab needs: " + "; ".join(LACKS)),
]
PAIRS = choose()


@pytest.fixture(scope="module")
def verdicts(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[tuple[str, str], check.Verdict | str]]:
    """What this run asks for is recorded in one go, several at a time, and diagnosed in one go."""
    asked = [
        item.callspec.params["pair"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.originalname == "test_diagnosis"
    ]
    recordings, failed = run(asked, tmp_path_factory.mktemp("lab"))
    found: dict[tuple[str, str], check.Verdict | str] = {
        (one.recording.scenario.id, one.recording.version): one for one in check.judge(recordings)
    }
    for scenario, version in asked:
        found.setdefault((scenario.id, version), "; ".join(failed))
    yield found


@pytest.mark.parametrize("pair", PAIRS, ids=[f"{one.id}-{version}" for one, version in PAIRS])
def test_diagnosis(pair: tuple[Scenario, str], verdicts: dict[tuple[str, str], check.Verdict | str]) -> None:
    scenario, version = pair
    verdict = verdicts[scenario.id, version]
    assert isinstance(verdict, check.Verdict), verdict
    assert verdict.right, f"expected {verdict.allowed}, got {verdict.got}\n{_lines(verdict.recording.trace)}"


def _lines(trace: Path) -> str:
    return "\n".join(check.telling(trace))
