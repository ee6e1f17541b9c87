"""Every scenario with every libssh2: tracelens must name the cause that the scenario set up."""

import os

import pytest

from tests import both_sides
from tests.lab import check, premises
from tests.lab.__main__ import Pair, barred, choose, lacks, run
from tests.lab.programs.scenario import ProgramScenario
from tests.lab.scenario import Scenario

REQUIRED = bool(os.environ.get("TRACELENS_LAB_REQUIRED"))
LACKS = premises.missing()

pytestmark = [
    pytest.mark.lab,
    # Where the lab is required, as in CI, what it lacks fails it.
    pytest.mark.skipif(bool(LACKS) and not REQUIRED, reason="the lab needs: " + "; ".join(LACKS)),
]
PAIRS = choose(quick=bool(os.environ.get("TRACELENS_LAB_QUICK")))  # quick: each scenario with one version


@pytest.fixture(scope="module")
def verdicts(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, check.Verdict | str]:
    """What this run asks for is recorded in one go, several at a time, and diagnosed in one go."""
    items = [one for one in request.session.items if isinstance(one, pytest.Function)]
    names = {one.callspec.id for one in items if one.originalname == "test_diagnosis"}
    asked = [pair for pair in PAIRS if name(*pair) in names]
    folder = tmp_path_factory.mktemp("lab")
    failed = "; ".join(run([pair for pair in asked if not lacks(pair[0]) and not barred(pair[0])], folder))
    found: dict[str, check.Verdict | str] = {name(*pair): f"not recorded: {failed}" for pair in asked}
    found |= {one.trace.stem: one for one in check.judge(folder)}
    return found


def name(scenario: Scenario | ProgramScenario, version: str) -> str:
    return f"{scenario.id}-{version}"


def parameter(pair: Pair) -> object:
    """Skipped where a packaged program is missing, or what the machine does not allow."""
    lacking = lacks(pair[0])
    missing = barred(pair[0]) or (not REQUIRED and lacking)
    skip = pytest.mark.skipif(bool(missing), reason=f"it needs: {missing}")
    missed = getattr(pair[0], "missed", "")
    return pytest.param(pair, id=name(*pair), marks=[skip, *([pytest.mark.xfail(reason=missed)] if missed else [])])


@pytest.mark.parametrize("pair", [parameter(pair) for pair in PAIRS])
def test_diagnosis(pair: Pair, verdicts: dict[str, check.Verdict | str]) -> None:
    assert not lacks(pair[0])
    verdict = verdicts[name(*pair)]
    assert isinstance(verdict, check.Verdict), verdict
    lines = "\n".join(check.telling(verdict.trace))
    assert verdict.right, f"allowed {verdict.allowed}, got {verdict.got}\n{lines}"


def test_server_logs(verdicts: dict[str, check.Verdict | str]) -> None:
    """With the server's log beside it, no trace is diagnosed worse than without."""
    folder = next((one.trace.parent for one in verdicts.values() if isinstance(one, check.Verdict)), None)
    if folder is None:
        pytest.skip("no trace was asked for")
    results = list(both_sides.own(both_sides.traces(folder)))
    assert [one.trace.path.name for one in results if one.is_worse] == []
