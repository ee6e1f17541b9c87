"""The scenarios, a module per phase. `ALL` is what a full run goes through, in order."""

from tests.lab.scenario import Scenario
from tests.lab.scenarios import (
    accounts,
    auth,
    banner,
    channel,
    healthy,
    kex,
    keys,
    leaving,
    others,
    reasons,
    sftp,
    stacks,
    traces,
    transport,
)

ALL: tuple[Scenario, ...] = tuple(
    one
    for module in (
        banner,
        kex,
        auth,
        keys,
        channel,
        sftp,
        transport,
        leaving,
        healthy,
        traces,
        others,
        accounts,
        stacks,
        reasons,
    )
    for one in module.SCENARIOS
)
assert len({one.id for one in ALL}) == len(ALL), "two scenarios share an id"
