"""README is true: its commands give what it shows, its tables are those of the rules; TABLES.md is that of the columns.

`python tests/test_docs.py` rewrites all of it.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from tracelens import rules
from tracelens.frames import columns

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
TABLES = ROOT / "TABLES.md"
RUN = re.compile(r"(<!-- run: (tracelens .*?) -->\n```text\n)(.*?)(```\n)", re.DOTALL)
CAUSES = re.compile(r"(<!-- generated: causes -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def output(command: str) -> str:
    command, _, pattern = command.partition(" | grep -n -A5 ")
    arguments = shlex.split(command)[1:]
    done = subprocess.run(
        [sys.executable, "-m", "tracelens", *arguments],
        capture_output=True,
        check=True,
        cwd=ROOT,
        timeout=60,
        env={**os.environ, "COLUMNS": "80", "NO_COLOR": "1", "PYTHONPATH": str(ROOT)},
    )
    shown = done.stdout.decode()
    if pattern:
        lines = shown.splitlines()
        at = next(n for n, line in enumerate(lines) if shlex.split(pattern)[0] in line)
        shown = "".join(f"{n + 1}{':' if n == at else '-'}{lines[n]}\n" for n in range(at, at + 6))
    return re.sub(r" +$", "", shown, flags=re.MULTILINE)


def table() -> str:
    rows = ["| id | phase | it means |", "| --- | --- | --- |"]
    for kind in ("cause", "noise", "notice"):
        rows += [
            f"| `{rule.id}` | {rule.phase or kind} | {rule.page.partition(chr(10))[0]} |"
            for rule in rules.load()
            if rule.kind == kind
        ]
    return "\n".join(rows) + "\n"


def current(text: str) -> str:
    text = RUN.sub(lambda m: m[1] + output(m[2]) + m[4], text)
    return CAUSES.sub(lambda m: m[1] + table() + m[3], text)


def test_readme_shows_what_the_commands_give() -> None:
    text = README.read_text(encoding="utf-8")
    assert len(RUN.findall(text)) >= 5
    assert current(text) == text, "run: python tests/test_docs.py"


def test_the_page_of_tables_is_that_of_the_code() -> None:
    assert TABLES.read_text(encoding="utf-8") == columns.page(), "run: python tests/test_docs.py"


def test_readme_names_every_sample() -> None:
    text = README.read_text(encoding="utf-8")
    for path in (ROOT / "sample_logs").iterdir():
        assert f"`{path.name}`" in text


def test_readme_names_every_command() -> None:
    shown = subprocess.run([sys.executable, "-m", "tracelens", "--help"], capture_output=True, check=True, timeout=60)
    commands = re.findall(r"^  (\w+) {2,}", shown.stdout.decode().partition("Commands")[2], re.MULTILINE)
    assert len(commands) >= 5
    text = README.read_text(encoding="utf-8")
    for command in commands:
        assert f"tracelens {command}" in text


if __name__ == "__main__":
    README.write_text(current(README.read_text(encoding="utf-8")), encoding="utf-8")
    TABLES.write_text(columns.page(), encoding="utf-8")
