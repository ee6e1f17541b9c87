"""Many clients of one sshd at the same time: a trace each, and one auth.log for all."""

import random
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.lab import libssh2, premises, truth
from tests.lab.plain import Running
from tests.lab.recording import ClientDiedError, Recording, record
from tests.lab.scenario import Scenario
from tests.lab.scenarios import ALL
from tests.lab.servers import Sshd

AT_ONCE = 24  # clients
LOG = "auth.log"
_PLAIN = Sshd()
_MANY = Sshd(("MaxStartups 1000",))


@dataclass(frozen=True)
class _Standing:
    """A server that runs already, and whose log is kept once for all."""

    title: str
    running: Running

    @contextmanager
    def start(self, site: premises.Site) -> Iterator[Running]:
        yield self.running._replace(logs=())


def run(count: int, out: Path, log_level: str) -> list[str]:
    """Records so many sessions, of all scenarios that need no more than a plain sshd; returns what could not be."""
    fitting = [
        (one, version)
        for one in ALL
        if len(one.talks) == 1 and one.talks[0].server == _PLAIN
        for version in libssh2.VERSIONS
        if one.fits(version)
    ]
    chosen = [random.Random(f"together {number}").choice(fitting) for number in range(count)]
    libssh2.libraries(dict.fromkeys(version for _, version in chosen))
    with premises.open_site(log_level=log_level) as site:
        with _MANY.start(site) as running, ThreadPoolExecutor(AT_ONCE) as pool:

            def make(number: int) -> Recording | str:
                scenario, version = chosen[number]
                mine = _of(scenario, _Standing(_MANY.title, running), number)
                try:
                    return record(mine, version, site, out)
                except (ClientDiedError, TimeoutError) as problem:
                    return str(problem)

            made = list(pool.map(make, range(count)))
        shutil.copy(running.logs[0], out / LOG)
    recordings = [replace(one, logs=[out / LOG]) for one in made if isinstance(one, Recording)]
    truth.write(recordings, out / "TRUTH.tsv", log_level)
    return [one for one in made if isinstance(one, str)]


def _of(scenario: Scenario, server: _Standing, number: int) -> Scenario:
    return replace(scenario, id=f"{scenario.id}-{number:04}", talks=(replace(scenario.talks[0], server=server),))
