"""tracelens's diagnosis of recorded traces, held against their table of truth."""

import json
import re
import subprocess
import textwrap
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any

from tests.lab import truth
from tests.lab.premises import PYTHON, REPOSITORY
from tests.lab.truth import AT_ONCE
from tracelens import rules

_SERVERS = (
    "OpenSSH",
    "asyncssh",
    "dropbear",
    "vsftpd",
    "ProFTPD",
    "lshd",
    "tinysshd",
    "Paramiko",
    "Conch",
    "Go",
    "Erlang",
    "rclone",
)
_ALTERNATIVES = re.compile(r"ALT ([a-z0-9, -]+?):")


@dataclass(frozen=True)
class Verdict:
    """What the truth says of a trace and what tracelens said, by session."""

    trace: Path
    truth: dict[str, str]
    got: list[str]

    @property
    def expected(self) -> list[str]:
        return self.truth["root_cause"].split(";")

    @property
    def allowed(self) -> list[set[str]]:
        """With what the trace can't tell apart; one that went well can only be too short to show that it did."""
        found = _ALTERNATIVES.match(self.truth["note"])
        others = set(found.group(1).split(", ")) if found else set()
        return [{one} | (others if one != "none" else others & {"insufficient"}) for one in self.expected]

    @property
    def right(self) -> bool:
        """Sessions at once are in any order: of two that begin alike, the trace does not say which one began."""
        orders = permutations(self.allowed) if AT_ONCE in self.truth["note"] else [self.allowed]
        return len(self.got) == len(self.expected) and any(
            all(one in allowed for one, allowed in zip(self.got, order, strict=True)) for order in orders
        )


def judge(folder: Path) -> list[Verdict]:
    """Diagnoses all that TRUTH.tsv in the folder names."""
    rows = truth.read(folder / "TRUTH.tsv")
    said = analyze([folder / row["file"] for row in rows])
    return [Verdict(folder / row["file"], row, said[folder / row["file"]]) for row in rows]


def analyze(traces: Sequence[Path]) -> dict[Path, list[str]]:
    """For each trace the root causes of its sessions; `none` where a session is healthy, else the verdict.

    The command line is asked, as users ask it: once for all, since a process for each would take minutes; each alone
    only if that failed, to name the trace that it fails on.
    """
    done = subprocess.run(
        [PYTHON, "-m", "tracelens", "analyze", *map(str, traces), "-f", "json"],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        check=False,
    )
    if done.returncode == 0:
        said = {one["source"]["name"]: one["sessions"] for one in json.loads(done.stdout)["analyses"]}
        return {trace: [_cause(one) for one in said.get(str(trace), [])] for trace in traces}
    if len(traces) == 1:
        return {traces[0]: [f"failed: {done.stderr.strip().splitlines()[-1:]}"]}
    return {trace: got for one in traces for trace, got in analyze([one]).items()}


def _cause(session: dict[str, Any]) -> str:
    verdict: str = session["verdict"]
    return session["root_cause"] or ("none" if verdict == "healthy" else verdict)


def table(verdicts: Iterable[Verdict]) -> str:
    """Per cause id: traces, libssh2 versions, servers, and how many were diagnosed right. Markdown."""
    rows: dict[str, list[Verdict]] = {rule.id: [] for rule in rules.load() if rule.kind == "cause"}
    for verdict in verdicts:
        for cause in dict.fromkeys(verdict.expected):
            rows.setdefault(cause, []).append(verdict)
    lines = ["| cause | traces | versions | servers | right |", "| --- | --- | --- | --- | --- |"]
    for cause, its in rows.items():
        servers: dict[str, None] = defaultdict()
        for one in its:
            servers |= dict.fromkeys(_kind(title) for title in one.truth["server"].split(";"))
        lines.append(
            f"| `{cause}` | {len(its)} | {len({one.truth['libssh2_version'] for one in its})} "
            f"| {', '.join(sorted(servers)) or '-'} | {sum(one.right for one in its)} |"
        )
    return "\n".join(lines) + "\n"


def proof(verdicts: Sequence[Verdict], day: str) -> str:
    """README's paragraph and table of a run."""
    right = sum(one.right for one in verdicts)
    scenarios = {
        one.trace.name.removesuffix(".log").rpartition(f"-{one.truth['libssh2_version']}")[0] for one in verdicts
    }
    versions = sorted(
        {one.truth["libssh2_version"] for one in verdicts}, key=lambda v: [*map(int, re.findall(r"\d+", v))]
    )
    told = sum(len(one.expected) != sum(map(len, one.allowed)) for one in verdicts)
    provoked = {cause for one in verdicts for cause in one.expected}
    never = [f"`{rule.id}`" for rule in rules.load() if rule.kind == "cause" and rule.id not in provoked]
    said = (
        f"Recorded up to {day}: {len(scenarios)} scenarios, {len(verdicts)} traces of libssh2 {', '.join(versions)}; "
        f"{right} diagnosed right, {len(verdicts) - right} wrong. {told} traces count as right with another id too, "
        f"which they can't tell from the expected one; their scenarios say why. "
        f"Never provoked: {', '.join(never) or 'none'}."
    )
    return "\n".join(textwrap.wrap(said, 120)) + "\n\n" + table(verdicts)


def _kind(title: str) -> str:
    return next((name for name in _SERVERS if title.startswith(name)), "listener")


def misses(verdicts: Iterable[Verdict]) -> str:
    """A page on what tracelens got wrong, with the last lines that tell."""
    parts = []
    for one in verdicts:
        if one.right:
            continue
        row = one.truth
        quoted = "\n".join(f"    {line}" for line in telling(one.trace))
        parts.append(
            f"## {row['file']}\n\n"
            f"- server: {row['server']}; mask {row['mask']}; blocking {row['blocking']}; "
            f"newlines {row['newline_policy']}\n"
            f"- expected {one.expected}, allowed {[sorted(ids) for ids in one.allowed]}, got {one.got}\n"
            f"- {row['note']}\n\n{quoted}\n"
        )
    return "\n".join(parts) or "none\n"


def telling(trace: Path, most: int = 18) -> list[str]:
    """The last records of a trace without dumps, waits and retries."""
    lines = [
        f"L{number}: {line[:170]}"
        for number, line in enumerate(trace.read_text(errors="replace").splitlines(), 1)
        if not re.match(r"[0-9a-f]{4,}: |=> |\s*$", line)
        and "Looking for packet" not in line
        and "-37 -" not in line
        and "channel_read() wants" not in line
    ]
    return lines[-most:]
