"""Rules of other makers: an installed package with its entry point, and `rules --check` for a file of them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import SAMPLES

RULE = '''
"""Rules of a maker called acme."""

from tracelens.rules.base import Found, cause, server
from tracelens.sessions import Session


@cause("{id}", phase="auth", yields_to=())
def night(session: Session) -> Found | None:
    r"""The server refuses logins at night.

    ## What it means

    The server of this house takes no logins between two and four, whoever asks.

    ## How it is seen

    A refused login of the user devi: nobody else comes at night.

    ## What to do

    - Server: leave it on, or call again in the morning.

    ## Not to be confused with

    - auth-password-expired: the server asks for a new password.

    ```
    {miss}
    ```

    ## Example

    ```
    {example}
    ```
    """
    failed = session.ending.failed
    if failed is None or failed.code != -18 or session.login.user == "anna":
        return None
    return Found("Nobody is let in at night.", (failed.quote,), (server("wait for the morning"),))
'''
LOGIN = "[libssh2] 0.939870 Userauth: Attempting to login using password authentication"
REFUSED = "[libssh2] 2.702041 Failure Event: -18 - Authentication failed (username/password)"
WELCOME = "[libssh2] 2.702041 Userauth: Password authentication successful"


FAILS, WORKS = f"{LOGIN}\n    {REFUSED}", f"{LOGIN}\n    {WELCOME}"


def source(id: str = "acme:night", example: str = FAILS, miss: str = WORKS) -> str:
    return RULE.replace("{id}", id).replace("{example}", example).replace("{miss}", miss)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder on the module search path, as pip fills one, with the package acme-rules."""
    info = tmp_path / "acme_rules-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-rules\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[tracelens.rules]\nacme = acme_rules\n")
    (info / "RECORD").write_text("")
    (tmp_path / "acme_rules.py").write_text(source())
    return tmp_path


def run(site: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(site), *(p for p in (os.environ.get("PYTHONPATH"),) if p)])
    return subprocess.run(
        [sys.executable, "-m", "tracelens", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        timeout=120,
        check=False,
    )


class TestPlugin:
    def test_is_asked_listed_and_explained(self, site: Path) -> None:
        done = run(site, "analyze", SAMPLES / "wrong-password.log", "-f", "json")
        (session,) = json.loads(done.stdout)["analyses"][0]["sessions"]
        rivals = [r["id"] for r in session["findings"][0]["rivals"]]
        assert "acme:night" in (session["root_cause"], *rivals)
        assert "acme:night" in run(site, "rules").stdout
        assert "between two and four" in run(site, "rules", "--show", "acme:night").stdout

    def test_that_does_not_load_stops_the_run_with_its_name(self, site: Path) -> None:
        (site / "acme_rules.py").write_text("import no_such_module\n")
        done = run(site, "analyze", SAMPLES / "wrong-password.log")
        assert done.returncode == 2
        assert done.stdout == ""
        assert done.stderr.count("\n") == 1
        assert "acme" in done.stderr
        assert "no_such_module" in done.stderr

    def test_is_named_once_whatever_the_number_of_inputs(self, site: Path) -> None:
        (site / "acme_rules.py").write_text("import no_such_module\n")
        assert run(site, "analyze", SAMPLES).stderr.count("does not load") == 1

    @pytest.mark.parametrize("id", ["night", "auth-password-rejected"])
    def test_needs_a_prefix(self, site: Path, id: str) -> None:
        (site / "acme_rules.py").write_text(source(id))
        done = run(site, "rules")
        assert done.returncode == 2
        assert f"acme:{id}" in done.stderr


class TestCheck:
    def checked(self, tmp_path: Path, text: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "empty").mkdir()
        (tmp_path / "night.py").write_text(text)
        return run(tmp_path / "empty", "rules", "--check", tmp_path / "night.py")

    def test_of_a_good_rule(self, tmp_path: Path) -> None:
        done = self.checked(tmp_path, source().replace("yields_to=()", 'yields_to=("auth-password-expired",)'))
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
        assert [line[:2] for line in done.stdout.splitlines()] == ["ok"] * 4
        assert "near miss auth-password-expired" in done.stdout

    def test_of_a_rule_that_misses_its_example(self, tmp_path: Path) -> None:
        done = self.checked(tmp_path, source(example=LOGIN))
        assert done.returncode == 2
        assert "example 1: fires -- no: insufficient" in done.stdout
        assert "1 of " in done.stderr

    def test_of_a_rule_that_takes_a_near_miss(self, tmp_path: Path) -> None:
        done = self.checked(tmp_path, source(miss=FAILS))
        assert done.returncode == 2
        assert "near miss 1: does not fire -- no: acme:night" in done.stdout

    @pytest.mark.parametrize("text", ["import no_such_module", "x = 1", "def broken(:"])
    def test_of_a_file_that_holds_no_rules(self, tmp_path: Path, text: str) -> None:
        done = self.checked(tmp_path, text)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.count("\n") == 1
        assert "night.py" in done.stderr

    def test_of_no_file(self, tmp_path: Path) -> None:
        done = run(tmp_path, "rules", "--check", tmp_path / "nothing.py")
        assert (done.returncode, done.stdout) == (2, "")
