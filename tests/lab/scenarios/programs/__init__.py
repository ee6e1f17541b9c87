"""What packaged programs do, a module per program. `ALL` is what a full run goes through, in order."""

from tests.lab.programs.scenario import ProgramScenario
from tests.lab.scenarios.programs import curl

ALL: tuple[ProgramScenario, ...] = tuple(one for module in (curl,) for one in module.SCENARIOS)
