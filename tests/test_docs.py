"""README is true: its commands give what it shows, its tables are those of the rules; so is the page of the columns.

`python tests/test_docs.py` rewrites all of it.
"""

import atexit
import gzip
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from tracelens import rules
from tracelens.export import columns

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
TABLES = ROOT / "tracelens" / "export" / "tables.md"
RUN = re.compile(r"(<!-- run: (tracelens .*?) -->\n```text\n)(.*?)(```\n)", re.DOTALL)
SCAN = re.compile(
    r"(```sh\n(tracelens scan .*?)\n```\n\n<!-- what scan says at its end -->\n```text\n)(.*?)(```\n)", re.DOTALL
)
QUERY = re.compile(r"(```sql\n([^`]*?)\n```\n\n<!-- answer -->\n```text\n)(.*?)(```\n)", re.DOTALL)
CAUSES = re.compile(r"(<!-- generated: causes -->\n)(.*?)(<!-- end -->)", re.DOTALL)


ENVIRONMENT = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1", "PYTHONPATH": str(ROOT)}


@cache
def archive() -> Path:
    """A folder with `cases`: the samples as a year of support cases, one of them damaged."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    samples = sorted((ROOT / "sample_logs").iterdir())
    for number, sample in enumerate([*samples, *samples[::2]]):
        month = 1 + number % 12
        place = folder / "cases" / f"2025-{month:02}" / f"case-{1000 + number}.log"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(sample.read_bytes())
        if number == 3:
            place = place.rename(place.with_suffix(".log.gz"))
            place.write_bytes(gzip.compress(sample.read_bytes(), mtime=0)[:-200])
        stamp = datetime(2025, month, 15, tzinfo=UTC).timestamp()
        os.utime(place, (stamp, stamp))
    note = folder / "cases" / "2025-01" / "mail.txt"
    note.write_text("Dear support, see the trace.\n")
    os.utime(note, (0, 0))
    return folder


def scanned(command: str) -> str:
    """The block that a scan ends with; how long it took is another each time."""
    folder = archive()
    arguments = [*shlex.split(command)[1:], "--jobs", "2"]
    done = subprocess.run(
        [sys.executable, "-m", "tracelens", *arguments],
        capture_output=True,
        check=False,
        cwd=folder,
        timeout=120,
        env=ENVIRONMENT,
    )
    assert done.returncode == 2
    return re.sub(r"[\d.,]+ s, [\d,]+ inputs/s", "... s, ... inputs/s", done.stderr.decode())


def answered(sql: str) -> str:
    """What a query over the scan's results prints."""
    done = subprocess.run(
        [sys.executable, "-m", "tracelens", "query", sql, "results"],
        capture_output=True,
        check=False,
        cwd=archive(),
        timeout=60,
        env=ENVIRONMENT,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


def output(command: str) -> str:
    command, _, pattern = command.partition(" | grep -n -A5 ")
    arguments = shlex.split(command)[1:]
    done = subprocess.run(
        [sys.executable, "-m", "tracelens", *arguments],
        capture_output=True,
        check=True,
        cwd=ROOT,
        timeout=60,
        env=ENVIRONMENT,
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
    """README as its commands and the scan make it; the table of causes is brought up to date by a release."""
    text = RUN.sub(lambda m: m[1] + output(m[2]) + m[4], text)
    text = SCAN.sub(lambda m: m[1] + scanned(m[2]) + m[4], text)
    return QUERY.sub(lambda m: m[1] + answered(m[2]) + m[4], text)


def test_readme_shows_what_the_commands_give() -> None:
    text = README.read_text(encoding="utf-8")
    assert len(RUN.findall(text)) >= 5
    assert len(SCAN.findall(text)) == 1
    assert len(QUERY.findall(text)) == 10
    assert current(text) == text, "run: python tests/test_docs.py"


def test_readme_describes_rules_as_their_pages_do() -> None:
    """A new rule need not be in the table before its first release."""
    (listed,) = CAUSES.findall(README.read_text(encoding="utf-8"))
    rows = table().splitlines()
    assert len(listed[1].splitlines()) > 60
    assert [row for row in listed[1].splitlines() if row not in rows] == [], "run: python tests/test_docs.py"


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
    text = CAUSES.sub(lambda m: m[1] + table() + m[3], README.read_text(encoding="utf-8"))
    README.write_text(current(text), encoding="utf-8")
    TABLES.write_text(columns.page(), encoding="utf-8")
