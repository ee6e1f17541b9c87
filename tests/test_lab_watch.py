"""`tracelens watch` on a trace that a real libssh2 writes at that moment."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.lab import libssh2, premises
from tests.lab.__main__ import choose
from tests.lab.recording import record

LACKS = premises.missing()

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(
        bool(LACKS) and not os.environ.get("TRACELENS_LAB_REQUIRED"), reason="the lab needs: " + "; ".join(LACKS)
    ),
]


@pytest.mark.parametrize(
    ("id", "cause", "waits"),
    [
        ("kex-silent", "transport-timeout", "waits for the server's answer to KEXINIT"),
        ("banner-silent", "banner-timeout", "waits for the server's answer to Sending Banner"),
    ],
)
def test_says_what_it_waits_for_and_then_why_it_failed(tmp_path: Path, id: str, cause: str, waits: str) -> None:
    scenario, version = next(pair for pair in choose() if pair[0].id == id)
    libssh2.library(version)
    # Listeners need neither users nor keys.
    site = cast(Any, SimpleNamespace(keys=tmp_path, folder=tmp_path, steady=False))
    trace = tmp_path / f"{id}-{version}.log"
    command = [sys.executable, "-m", "tracelens", "watch", str(trace), "--until-done", "--idle", "10", "--exit-code"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watching:
        record(scenario, version, site, tmp_path)
        out, err = watching.communicate(timeout=60)
    assert watching.returncode == 1, err
    assert out.find(waits) in range(out.find(cause)), out
    assert "ended, FAILED" in out
