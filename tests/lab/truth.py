"""TRUTH.tsv: a row per trace, from what the scenario set up and what libssh2's calls returned, never from the trace."""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.lab import libssh2, server_logs
from tests.lab.programs.recording import ProgramRecording
from tests.lab.programs.scenario import ProgramScenario
from tests.lab.recording import Recording

COLUMNS = (
    *("file", "libssh2_version", "server", "mask", "blocking", "newline_policy", "damage", "sessions"),
    *("root_cause", "secrets", "user", "client_banner", "server_banner", "kex", "hostkey", "cipher", "mac"),
    *("phase_reached", "note", "server_log", "client_port", "server_line", "server_reason", "server_cause"),
)
_PHASES = {
    **dict.fromkeys(("ask_methods", "password", "key", "keyboard", "agent"), "auth"),
    **dict.fromkeys(("ls", "get", "put", "stat", "mkdir", "rmdir", "unlink", "rename"), "sftp"),
}
AT_ONCE = "sessions at once"
_BEFORE_LOGIN = ("banner-", "kex-")
_SECRETS = ("password", "new_password", "answers")


def write(recordings: Iterable[Recording | ProgramRecording], path: Path, log_level: str = "VERBOSE") -> None:
    with path.open("w", newline="") as file:
        table = csv.writer(file, delimiter="\t", quoting=csv.QUOTE_NONE, escapechar="\\", lineterminator="\n")
        table.writerow(COLUMNS)
        for recording in recordings:
            told = row(recording, log_level)
            table.writerow([told[column] for column in COLUMNS])


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def row(recording: Recording | ProgramRecording, log_level: str = "VERBOSE") -> dict[str, str]:
    told = _of_programs(recording) if isinstance(recording, ProgramRecording) else _of_client(recording)
    return {**told, **_of_logs(recording, told, log_level)}


def _of_logs(recording: Recording | ProgramRecording, told: Mapping[str, str], log_level: str) -> dict[str, str]:
    """The logs, and by session: the client's port, the line of the first log that names it, the server's reason."""
    scenario, sessions = recording.scenario, int(told["sessions"])
    reports = [] if isinstance(recording, ProgramRecording) else recording.reports
    each = zip(told["root_cause"].split(";"), told["server"].split(";"), strict=True)
    reasons = [server_logs.reason(scenario.reason, cause, server, log_level) for cause, server in each]
    ports: list[int | None] = [report["port"] for report in reports] or [None] * sessions
    lines = server_logs.places(recording.logs[0], ports, sessions) if recording.logs else ["-"] * sessions
    return {
        "server_log": ";".join(log.name for log in recording.logs) or "-",
        "client_port": ";".join(str(port or "-") for port in ports),
        "server_line": ";".join(lines),
        "server_reason": ";".join(reasons) if recording.logs else "-",
        "server_cause": scenario.by_log or "-",
    }


def _of_client(recording: Recording) -> dict[str, str]:
    scenario, version = recording.scenario, libssh2.SOURCES[recording.version].version
    reports = recording.reports
    per_session: dict[str, list[str]] = {
        key: [str(report[key] or "-") for report in reports]
        for key in ("server_banner", "kex", "hostkey", "cipher", "mac")
    }
    return {
        "file": recording.name,
        "libssh2_version": version,
        "server": ";".join(talk.server.title.replace(";", ",") for talk in scenario.talks),
        "mask": str(scenario.mask),
        "blocking": "yes" if scenario.blocking else "no",
        "newline_policy": "normal" if scenario.newline == "stderr" else scenario.newline,
        "damage": "none",
        "sessions": str(len(scenario.talks)),
        "root_cause": ";".join(scenario.expected(recording.version)),
        "secrets": ";".join(_secrets(recording)) or "-",
        "user": ";".join(_user(report, plan) for report, plan in zip(reports, recording.plan, strict=True)),
        "client_banner": ";".join(f"SSH-2.0-libssh2_{version}" for _ in reports),
        **{key: ";".join(values) for key, values in per_session.items()},
        "phase_reached": ";".join(phase(report) for report in reports),
        "note": _note(recording),
    }


def _of_programs(recording: ProgramRecording) -> dict[str, str]:
    """A packaged program tells no more than its exit status and a sentence: what it does not tell is left out."""
    scenario, starts = recording.scenario, recording.scenario.starts
    expected = scenario.expected(recording.version)
    sessions = [(start, one) for start in starts for one in start.expected]
    logins = [None if one.startswith(_BEFORE_LOGIN) else start for start, one in sessions]
    sent = dict.fromkeys(start.password for start in logins if start and start.password)
    return {
        **dict.fromkeys(COLUMNS, "-"),
        "file": recording.name,
        "libssh2_version": libssh2.SOURCES[recording.version].version,
        "server": ";".join(start.server.title.replace(";", ",") for start, _ in sessions),
        "mask": str(scenario.mask),
        "newline_policy": "normal" if scenario.newline == "stderr" else scenario.newline,
        "damage": "none",
        "sessions": str(len(expected)),
        "root_cause": ";".join(expected),
        "secrets": (";".join(sent) if scenario.mask & 2 else "") or "-",
        "user": ";".join(start.user if start else "-" for start in logins),
        "note": _note(recording),
    }


def phase(report: dict[str, Any]) -> str:
    """How far the session came: the phase of the call that it ended with."""
    failed = [one["do"] for one in report["steps"] if one["code"]]
    last = report["steps"][-1]
    if not failed or not last["code"]:
        return "done"
    if last["do"] == "handshake":
        return "kex" if report["server_banner"] else "banner"
    return _PHASES.get(last["do"], "channel")


def _taken(report: dict[str, Any], plan: dict[str, Any]) -> list[dict[str, Any]]:
    """The steps of the plan that were carried out."""
    steps: list[dict[str, Any]] = plan["steps"]
    return steps[: len(report["steps"])]


def _secrets(recording: Recording) -> list[str]:
    """Passwords and answers that went out while dumps were on."""
    if not recording.scenario.mask & 2:
        return []
    found: list[str] = []
    for report, plan in zip(recording.reports, recording.plan, strict=True):
        for one in _taken(report, plan):
            for key in _SECRETS:
                value = one.get(key) or []
                found += [value] if isinstance(value, str) else value
    return list(dict.fromkeys(text for text in found if text))


def _user(report: dict[str, Any], plan: dict[str, Any]) -> str:
    users = [one["user"] for one in _taken(report, plan) if "user" in one]
    return users[0] if users else "-"


def _note(recording: Recording | ProgramRecording) -> str:
    scenario = recording.scenario
    parts = []
    others = scenario.alternatives(recording.version)
    if others:
        parts.append(f"ALT {', '.join(others)}: {scenario.because}")
    if scenario.at_once if isinstance(scenario, ProgramScenario) else scenario.threads:
        parts.append(AT_ONCE)
    if scenario.note:
        parts.append(scenario.note)
    if isinstance(recording, ProgramRecording):
        told = [f"{one.start.program.name} status {one.status} '{one.said}'" for one in recording.ended]
    else:
        if recording.version in recording.scenario.otherwise:
            parts.append(recording.scenario.otherwise[recording.version][1])
        told = [
            "; ".join(f"{one['do']} rc={one['code']} '{one['message']}'" for one in report["steps"] if one["code"])
            or "all calls ok"
            for report in recording.reports
        ]
    parts.append(f"rc: {' / '.join(dict.fromkeys(told))}")
    return " ".join(" | ".join(parts).replace("\t", " ").split())
