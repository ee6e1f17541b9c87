"""tracelens's diagnosis of recorded traces, held against their truth."""

import json
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab.premises import PYTHON, REPOSITORY
from tests.lab.recording import Recording

_SERVERS = ("OpenSSH", "asyncssh", "dropbear", "vsftpd")


@dataclass(frozen=True)
class Verdict:
    """What was expected of a trace and what tracelens said, by session."""

    recording: Recording
    expected: list[str]
    allowed: list[set[str]]
    got: list[str]

    @property
    def right(self) -> bool:
        return len(self.got) == len(self.allowed) and all(
            one in allowed for one, allowed in zip(self.got, self.allowed, strict=True)
        )


def judge(recordings: Sequence[Recording]) -> list[Verdict]:
    """Asks the command line once about all of them: what users would see, and a process for each would take minutes."""
    said = analyze([recording.trace for recording in recordings])
    return [_verdict(recording, said.get(str(recording.trace), ["no analysis"])) for recording in recordings]


def analyze(traces: Iterable[Path]) -> dict[str, list[str]]:
    """For each trace the root causes of its sessions; `none` where a session is healthy, else the verdict."""
    done = subprocess.run(
        [PYTHON, "-m", "tracelens", "analyze", *map(str, traces), "-f", "json"],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        check=False,
    )
    if not done.stdout.strip():
        raise RuntimeError(f"tracelens analyze said nothing: {done.stderr[-2000:]}")
    document = json.loads(done.stdout)
    return {one["source"]["name"]: [_cause(s) for s in one["sessions"]] for one in document["analyses"]}


def _cause(session: dict[str, Any]) -> str:
    verdict: str = session["verdict"]
    return session["root_cause"] or ("none" if verdict == "healthy" else verdict)


def _verdict(recording: Recording, got: list[str]) -> Verdict:
    expected = recording.scenario.expected(recording.version)
    others = set(recording.scenario.alternatives(recording.version))
    allowed = [{one} | (others if one != "none" else set()) for one in expected]
    return Verdict(recording, expected, allowed, got)


def table(verdicts: Sequence[Verdict], causes: Iterable[str]) -> str:
    """Per cause id: traces, libssh2 versions, servers, and how many were diagnosed right. Markdown."""
    rows: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        for cause in dict.fromkeys(verdict.expected):
            rows[cause].append(verdict)
    lines = ["| cause | traces | versions | servers | right |", "| --- | --- | --- | --- | --- |"]
    for cause in [*dict.fromkeys([*causes, *rows])]:
        its = rows.get(cause, [])
        versions = {one.recording.version for one in its}
        servers = {_kind(talk.server.title) for one in its for talk in one.recording.scenario.talks}
        right = sum(one.right for one in its)
        lines.append(f"| `{cause}` | {len(its)} | {len(versions)} | {', '.join(sorted(servers)) or '-'} | {right} |")
    return "\n".join(lines)


def _kind(title: str) -> str:
    return next((name for name in _SERVERS if title.startswith(name)), "listener")


def misses(verdicts: Sequence[Verdict]) -> str:
    """A page on what tracelens got wrong, with the lines that tell."""
    parts = []
    for one in verdicts:
        if one.right:
            continue
        scenario, recording = one.recording.scenario, one.recording
        steps = "; ".join(
            f"{step['do']} rc={step['code']} {step['message']!r}"
            for report in recording.reports
            for step in report["steps"]
            if step["code"]
        )
        telling = "\n".join(f"    {line}" for line in telling(recording.trace))
        parts.append(
            f"## {recording.name}\n\n"
            f"- server: {'; '.join(talk.server.title for talk in scenario.talks)}; mask {scenario.mask}; "
            f"{'blocking' if scenario.blocking else 'non-blocking'}; newline {scenario.newline}\n"
            f"- expected {one.expected}, allowed {[sorted(s) for s in one.allowed]}, got {one.got}\n"
            f"- calls: {steps or 'all ok'}\n"
            f"- {scenario.because or scenario.note or 'no note'}\n\n{telling}\n"
        )
    return "\n".join(parts) or "none\n"


def telling(trace: Path, most: int = 18) -> list[str]:
    text = trace.read_text(errors="replace")
    lines = [
        f"L{number}: {line[:170]}"
        for number, line in enumerate(text.splitlines(), 1)
        if not re.match(r"[0-9a-f]{4,}: |=> |\s*$", line)
        and "Looking for packet" not in line
        and "-37 -" not in line
        and "channel_read() wants" not in line
    ]
    return lines[-most:]


def causes() -> list[str]:
    """The ids of causes, in the vocabulary's order."""
    from tracelens import vocabulary

    return [one.id for one in vocabulary.VOCABULARY.values() if one.kind == "cause"]
