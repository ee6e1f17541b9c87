"""The manual, the version, shell completion, and `python -m tracelens`."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support import run
from support.pages import Page

from tracelens import rules
from tracelens.export.columns import COLUMNS


def test_the_manual_has_all_of_it(tmp_path: Path) -> None:
    assert run("manual", "-o", tmp_path / "manual.html").returncode == 0
    text = (tmp_path / "manual.html").read_text(encoding="utf-8")
    page = Page(text)
    commands = re.findall(r"^  (\w+) {2,}", run("--help").stdout.decode().partition("Commands")[2], re.MULTILINE)
    assert len(commands) >= 12
    for name in commands:
        assert f"tracelens {name}" in page.text
    for rule in rules.load():
        assert rule.page.partition("\n")[0].replace("`", "").replace(" ", "") in page.text.replace(" ", "")
    for column in COLUMNS:
        assert column in page.text
    assert '"tracelens/analysis/1"' in page.text
    ids = [a["id"] for _, a in page.tags if a.get("id")]
    assert len(ids) == len(set(ids))
    assert all((a["href"] or "").lstrip("#") in ids for tag, a in page.tags if tag == "a")
    assert not any({"src", "style"} & a.keys() for _, a in page.tags)


def test_the_version_has_that_of_the_rules() -> None:
    said = run("--version").stdout.decode()
    assert re.fullmatch(r"tracelens \d+\.\d+\.\d+\S* \(\d+ rules, [0-9a-f]{12}\)\n", said)
    assert rules.version() in said


def test_is_a_module_as_well() -> None:
    done = subprocess.run([sys.executable, "-m", "tracelens", "mask"], capture_output=True, timeout=60, check=True)
    assert b"SetTraceMask" in done.stdout


@pytest.mark.parametrize(
    ("shell", "environment"),
    [
        ("bash", {"COMP_WORDS": "tracelens ana", "COMP_CWORD": "1"}),
        ("zsh", {"_TYPER_COMPLETE_ARGS": "tracelens ana"}),
        ("fish", {"_TYPER_COMPLETE_ARGS": "tracelens ana", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}),
    ],
)
def test_shells_complete_commands(shell: str, environment: dict[str, str]) -> None:
    code = "import sys; sys.argv[0] = 'tracelens'; from tracelens.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment, "_TRACELENS_COMPLETE": f"complete_{shell}"},
    )
    assert b"analyze" in done.stdout
    assert b"timeline" not in done.stdout


def test_help_says_how_to_install_completion() -> None:
    assert b"--install-completion" in run("--help").stdout
