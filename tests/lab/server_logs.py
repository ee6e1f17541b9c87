"""The servers' logs beside a trace: which files they are, and where in them each session is."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.lab.plain import Running

LEVELS = ("INFO", "VERBOSE", "DEBUG3")
_PORT = r"(?:\bport |127\.0\.0\.1:|\[127\.0\.0\.1\]:){}\b"
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


def places(log: Path, ports: Sequence[int | None], sessions: int) -> list[str]:
    """The line of the log where each session's port is named first, `-` where none is.

    Without ports: where the log names as many as there are sessions, they came in this order.
    """
    text = log.read_text(errors="replace")
    if not any(ports):
        named = dict.fromkeys(int(port) for port in re.findall(r"127\.0\.0\.1 port (\d+)(?! on)", text))
        ports = list(named) if len(named) == sessions else [None] * sessions
    return [_line(text, port) for port in ports]


def _line(text: str, port: int | None) -> str:
    found = re.search(_PORT.format(port), text) if port else None
    return str(text.count("\n", 0, found.start()) + 1) if found else "-"
