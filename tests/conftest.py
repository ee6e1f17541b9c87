"""Fixtures of several files; and the lab, which makes users and starts servers, runs where it was asked for."""

import os
from pathlib import Path

import pytest
from support import scans


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Traces loose, packed and nested; things that are none; damaged ones."""
    folder = tmp_path_factory.mktemp("cases")
    scans.fill(folder)
    return folder


def wants_lab(config: pytest.Config) -> bool:
    """Whether the command line names the lab's tests, by a path or by their mark, or the lab must not be left out."""
    named = any(Path(argument.partition("::")[0]).name.startswith("test_lab") for argument in config.args)
    return named or "lab" in str(config.option.markexpr) or bool(os.environ.get("TRACELENS_LAB_REQUIRED"))


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "lab: records traces with real servers and a real libssh2 (minutes; as root)")


class Skipped(pytest.Item):
    """Takes the place of all tests of the lab: one line of the report, not a thousand."""

    def runtest(self) -> None:
        pytest.skip("the lab runs if it is asked for: pytest -m lab, or pytest tests/test_lab.py")

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, "the lab"


class SkippedFile(pytest.File):
    def collect(self) -> list[pytest.Item]:
        return [Skipped.from_parent(self, name="lab")]


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if file_path.name == "conftest.py" and not wants_lab(parent.config):
        return SkippedFile.from_parent(parent, path=file_path)
    return None


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return True if collection_path.name.startswith("test_lab") and not wants_lab(config) else None
