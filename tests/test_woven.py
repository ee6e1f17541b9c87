"""Some logs of several processes and threads, as `python -m tests.woven` makes them by the hundred."""

import random

import pytest

from tests.goldens import HERE
from tests.woven import alone, misses, weave
from tests.woven.styles import PROCESSES, THREADS

SAMPLES = ("wrong-password.log", "no-such-file.log", "no-common-kex.log", "second-factor-missing.log")


@pytest.mark.parametrize("style", [*PROCESSES, *THREADS])
@pytest.mark.parametrize(("mask", "by_line"), [(508, False), (140, True)])
def test_each_session_is_what_it_is_alone(style: str, mask: int, by_line: bool) -> None:
    found = [alone(HERE.parent / "sample_logs" / name, mask) for name in SAMPLES]
    traces = [trace for trace in found if trace is not None]
    assert len(traces) == len(SAMPLES)
    assert misses(weave(traces, style, random.Random(style), by_line=by_line)) == []


@pytest.mark.parametrize("style", ["syslog RFC 3164", "docker compose", "journald JSON", "log4j"])
def test_rows_of_dumps_that_are_mixed_line_by_line(style: str) -> None:
    found = [alone(HERE.parent / "sample_logs" / name, 511) for name in SAMPLES[:3]]
    traces = [trace for trace in found if trace is not None]
    assert len(traces) == 3
    assert misses(weave(traces, style, random.Random(style), by_line=True)) == []
