"""One scenario with one libssh2: servers up, client through its steps, and what came of it."""

import json
import os
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab import libssh2, server_logs
from tests.lab.others import Lshd
from tests.lab.plain import distant
from tests.lab.premises import PYTHON, REPOSITORY, Site
from tests.lab.programs.recording import ProgramRecording
from tests.lab.programs.recording import record as record_programs
from tests.lab.programs.scenario import ProgramScenario
from tests.lab.scenario import Scenario, Step

_TIMES = 5
_UP_TO_LOGIN = {"handshake", "ask_methods", "password", "key", "keyboard", "agent"}
_TIMEOUT = -9  # LIBSSH2_ERROR_TIMEOUT
LIMIT = 90  # seconds; no client that gives up by itself takes as long


@dataclass(frozen=True)
class Recording:
    """A trace, and what every call of the client returned."""

    scenario: Scenario
    version: str
    trace: Path
    reports: list[dict[str, Any]]
    plan: list[dict[str, Any]]
    logs: Sequence[Path] = ()

    @property
    def name(self) -> str:
        return self.trace.name


class ClientDiedError(Exception):
    """The client process ended without a report: a crash in libssh2, or a plan that makes no sense."""


def record(
    scenario: Scenario | ProgramScenario, version: str, site: Site, folder: Path
) -> Recording | ProgramRecording:
    """Makes the trace `SCENARIO-VERSION.log` in `folder`; in a steady site, with the servers at a distance.

    What chance did instead of the scenario is made once more: one in 256 of lshd's signatures lacks a leading zero, and
    libssh2 refuses it; and on a busy machine a server can take longer for a login than a client waits that is to give
    up soon after it.
    """
    if isinstance(scenario, ProgramScenario):
        return record_programs(scenario, version, site, folder)
    for _ in range(_TIMES):
        made = _record(scenario, version, site, folder)
        if not _is_short(made) and not _is_late(made):
            break
    return made


def _is_short(made: Recording) -> bool:
    """Whether the client refused the server's signature, which nobody set up."""
    refused = b"Unable to verify hostkey signature" in made.trace.read_bytes()
    return refused and "kex-hostkey-unverified" not in made.scenario.expected(made.version) and _of_lshd(made.scenario)


def _is_late(made: Recording) -> bool:
    """Whether a login, or what comes before it, ran into a timeout, which nobody set up: more was to come after it."""
    scenario = made.scenario
    ids = (*scenario.expected(made.version), *scenario.alternatives(made.version))
    if any(one.startswith(("banner-", "kex-")) or "timeout" in one for one in ids):
        return False
    return any(
        one["do"] in _UP_TO_LOGIN and one["code"] == _TIMEOUT and number + 1 < len(session["steps"])
        for report, session in zip(made.reports, made.plan, strict=True)
        for number, one in enumerate(report["steps"])
    )


def _of_lshd(scenario: Scenario) -> bool:
    return any(isinstance(talk.server, Lshd) for talk in scenario.talks)


def _record(scenario: Scenario, version: str, site: Site, folder: Path) -> Recording:
    trace = folder / f"{scenario.id}-{version}.log"
    trace.unlink(missing_ok=True)
    server_logs.forget(trace)
    with ExitStack() as stack:
        running = [stack.enter_context(talk.server.start(site)) for talk in scenario.talks]
        ports = [stack.enter_context(distant(at.port)) if site.steady else at.port for at in running]
        sessions: list[dict[str, Any]] = [
            {
                "port": port,
                "mask": scenario.mask,
                "blocking": scenario.blocking,
                "patience": scenario.patience,
                "leave": scenario.leave,
                "steps": [_filled(one, keys=site.keys, control=at.control, tag=version) for one in talk.steps],
            }
            for talk, at, port in zip(scenario.talks, running, ports, strict=True)
        ]
        plan = {
            "library": str(libssh2.library(version)),
            "trace": str(trace),
            "newline": scenario.newline,
            "threads": scenario.threads,
            "sessions": sessions,
        }
        # Its agent and its OpenSSL settings are the scenario's, not those of whoever runs the lab.
        kept = {k: v for k, v in os.environ.items() if k not in ("SSH_AUTH_SOCK", "OPENSSL_CONF")}
        own = {k: v.format(keys=site.keys, folder=site.folder) for k, v in scenario.environment.items()}
        try:
            done = subprocess.run(
                [PYTHON, "-m", "tests.lab.client"],
                input=json.dumps(plan),
                capture_output=True,
                text=True,
                cwd=REPOSITORY,
                timeout=LIMIT,
                env={**kept, **own},
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            raise ClientDiedError(f"{trace.name}: no end after {LIMIT} seconds") from late
    if done.returncode:
        raise ClientDiedError(f"{trace.name}: exit {done.returncode}: {done.stderr[-600:]}")
    if not trace.exists():  # its time is that of its last record
        trace.touch()
    logs = server_logs.keep(trace, running)
    return Recording(scenario, version, trace, json.loads(done.stdout), sessions, logs)


def _filled(one: Step, **places: Any) -> dict[str, Any]:
    """Fills in what only the run knows. `{control}` alone becomes a number: it is a port."""
    filled: dict[str, Any] = {}
    for key, value in one.items():
        if value == "{control}":
            filled[key] = places["control"]
        elif isinstance(value, str) and ("{keys}" in value or "{tag}" in value):
            filled[key] = value.format(**places)
        else:
            filled[key] = value
    return filled
