"""The lab makes users and starts servers: it runs where it was asked for, not with every `pytest`."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def asked(config: pytest.Config) -> bool:
    """Whether the command line names the lab: as a path, or by its mark."""
    named = any(Path(argument.partition("::")[0]).resolve().is_relative_to(HERE) for argument in config.args)
    return named or "lab" in str(config.option.markexpr)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "lab: records traces with real servers and a real libssh2 (minutes; as root)")


class Unasked(pytest.File):
    """Stands for all tests of the lab: one line of the report, not a thousand."""

    def collect(self) -> list[pytest.Item]:
        return [Skipped.from_parent(self, name="lab")]


class Skipped(pytest.Item):
    def runtest(self) -> None:
        pytest.skip("the lab runs if it is asked for: pytest -m lab, or pytest tests/lab")

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, "the lab"


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if file_path.name == "conftest.py" and not asked(parent.config):
        return Unasked.from_parent(parent, path=file_path)
    return None


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return True if collection_path.name.startswith("test_") and not asked(config) else None
