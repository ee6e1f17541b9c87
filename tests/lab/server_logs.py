"""The servers' logs beside a trace: which files they are, and where in them each session is."""

import re
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from tests.lab.plain import Running

LEVELS = ("INFO", "VERBOSE", "DEBUG1", "DEBUG2", "DEBUG3")
_PORT = re.compile(r"(?:\bport |127\.0\.0\.1:|\[127\.0\.0\.1\]:)(\d+)\b")
_CLIENTS = re.compile(r"(?<!on )127\.0\.0\.1 port (\d+)\b|127\.0\.0\.1:(\d+)(?=->|>| connected|\)|\n)")
_TIMED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.")


def forget(trace: Path) -> None:
    """Removes what an earlier recording kept beside the trace."""
    for old in trace.parent.glob(f"{trace.stem}.server*.log"):
        old.unlink()


def keep(trace: Path, servers: Iterable[Running]) -> list[Path]:
    """Copies the logs of the servers to `NAME.server.log`, `NAME.server-2.log` ...: those of servers of one kind as
    one, as a machine with several would write them. A server that printed nothing has none.
    """
    kinds: dict[str, list[Path]] = {}
    for server in servers:
        for log in server.logs:
            if log.exists() and log.stat().st_size:
                kinds.setdefault(f"{log.parent.name.partition('-')[2]} {log.name}", []).append(log)
    kept = []
    for number, logs in enumerate(kinds.values(), 1):
        lines = [line for log in logs for line in log.read_text(errors="surrogateescape").splitlines(keepends=True)]
        if len(logs) > 1 and all(_TIMED.match(line) for line in lines):
            lines.sort(key=lambda line: line.split(" ", 1)[0])
        path = trace.with_name(f"{trace.stem}.server{'' if number == 1 else f'-{number}'}.log")
        path.write_text("".join(lines), errors="surrogateescape")
        kept.append(path)
    return kept


# Why sshd refuses what it refuses, where a scenario sets up nothing else.
_USUAL = {
    **dict.fromkeys(
        (f"kex-no-common-{what}" for what in ("algorithm", "kex", "hostkey", "cipher", "mac", "compression")),
        "server-no-common-algorithm",
    ),
    "auth-password-rejected": "server-password-wrong",
    "auth-keyboard-interactive-failed": "server-password-wrong",
    "auth-publickey-rejected": "server-key-not-authorized@VERBOSE",
    "auth-rsa-sha1-refused": "server-algorithm-barred",
    "auth-second-factor-missing": "server-method-missing@VERBOSE",
    "auth-too-many-failures": "server-max-auth-tries",
    "channel-subsystem-refused": "server-subsystem-unknown",
    "channel-open-refused": "server-max-sessions",
    "sftp-no-such-file": "server-path-missing@VERBOSE",
    "sftp-permission-denied": "server-path-permission@VERBOSE",
}


def reason(told: str, cause: str, server: str, level: str) -> str:
    """The id of a session's reason, `-` where a log of this level has it not.

    `told` is the scenario's: `ID` or `ID@LEVEL`; if it says nothing, what sshd's reason for the cause usually is.
    """
    usual = _USUAL.get(cause, "-") if server.startswith("OpenSSH") else "-"
    id, _, least = (told or usual).partition("@")
    return id if LEVELS.index(least or "INFO") <= LEVELS.index(level) else "-"


def places(log: Path, ports: Sequence[int | None], sessions: int) -> list[str]:
    """The line of the log where each session's port is named first, `-` where none is.

    Without ports, or with a proxy's in between: where the log names as many as there are sessions, in this order.
    """
    lines, clients = _named(log, log.stat().st_mtime_ns)
    found = [lines.get(port, "-") if port else "-" for port in ports]
    if set(found) == {"-"} and len(clients) == sessions:
        return [lines[port] for port in clients]
    return found


@cache
def _named(log: Path, _changed: int) -> tuple[dict[int, str], list[int]]:
    """All ports that a log names, with the line where each is named first; and those of clients, in order."""
    lines: dict[int, str] = {}
    clients: dict[int, None] = {}
    for number, line in enumerate(log.read_text(errors="replace").splitlines(keepends=True), 1):
        for found in _PORT.findall(line):
            lines.setdefault(int(found), str(number))
        clients |= dict.fromkeys(int(one or other) for one, other in _CLIENTS.findall(line))
    return lines, list(clients)
