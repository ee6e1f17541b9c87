"""The lab makes users and starts servers: it runs where it was asked for, not with every `pytest`."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "lab: records traces with real servers and a real libssh2 (minutes; as root)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    named = any(Path(argument.partition("::")[0]).resolve().is_relative_to(HERE) for argument in config.args)
    if named or "lab" in str(config.option.markexpr):
        return
    reason = pytest.mark.skip(reason="the lab runs if it is asked for: pytest -m lab, or pytest tests/lab")
    for item in items:
        if item.get_closest_marker("lab"):
            item.add_marker(reason)
