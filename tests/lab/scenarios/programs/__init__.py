"""What packaged programs do, a module per program. `ALL` is what a full run goes through, in order."""

from tests.lab.programs.scenario import ProgramScenario
from tests.lab.scenarios.programs import curl, git, others, perl, php, polls

ALL: tuple[ProgramScenario, ...] = tuple(
    one for module in (curl, php, perl, git, others, polls) for one in module.SCENARIOS
)
assert len({one.id for one in ALL}) == len(ALL), "two scenarios share an id"
