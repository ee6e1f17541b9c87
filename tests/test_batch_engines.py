"""A scan on a Dask cluster: a real scheduler and workers as processes, one killed while it works; the same bytes."""

import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import killers
from support.scans import read, scan, traces

from tracelens import batch
from tracelens.batch import plan
from tracelens.errors import EngineFailed

TESTS = Path(__file__).parent
pytestmark = pytest.mark.filterwarnings("default")  # of Dask's own
dask = pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="the extra dask is not installed")


class Cluster:
    """A scheduler and workers with one thread each, on 127.0.0.1."""

    def __init__(self, folder: Path, workers: int) -> None:
        self._folder = folder
        self.file = folder / "scheduler.json"
        self.scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        self._wait(self.file.exists)
        self.workers = [
            self._start("worker", "--nthreads", "1", "--no-nanny", "--no-dashboard") for _ in range(workers)
        ]

    @property
    def address(self) -> str:
        import json

        return str(json.loads(self.file.read_text())["address"])

    def _start(self, what: str, *options: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "dask", what, "--scheduler-file", str(self.file), *options],
            cwd=self._folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)])},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    @staticmethod
    def _wait(done: Any) -> None:
        end = time.monotonic() + 60
        while not done():
            assert time.monotonic() < end
            time.sleep(0.1)

    def close(self) -> None:
        for process in [*self.workers, self.scheduler]:
            process.kill()
            process.wait()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(tmp_path, 2)
    yield made
    made.close()


@dask
def test_local_and_dask_with_a_worker_killed_give_the_same_bytes(
    cases: Path,
    cluster: Cluster,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(plan, "_BATCH_PIECES", 2)
    monkeypatch.setattr(plan, "_PACKED", 0)
    killed: list[int] = []

    def watch(progress: batch.Progress) -> None:
        if progress.files >= 2 and not killed:
            killed.append(progress.files)
            cluster.workers[0].kill()

    monkeypatch.chdir(cases.parent)  # which is not where the workers are
    reference = scan(cases.name, folder=tmp_path / "local", jobs=1)
    monkeypatch.setattr(batch, "run", killers.slow)
    options = {"engine": "dask", "scheduler": cluster.address, "jobs": None}
    result = scan(cases.name, folder=tmp_path / "dask", watch=watch, **options)
    assert killed
    assert killed[0] < result.summary["files"]["total"]
    assert read(result.folder) == read(reference.folder)


@dask
def test_a_scheduler_that_is_not_there_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tracelens.batch.engines import dask as engine

    monkeypatch.setattr(engine, "_ANSWER_SECONDS", 1.0)
    (tmp_path / "a.log").write_bytes(next(traces())[1])
    with pytest.raises(EngineFailed, match="does not answer"):
        scan(tmp_path / "a.log", folder=tmp_path / "r", engine="dask", scheduler="tcp://127.0.0.1:9")


def test_a_missing_extra_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    (tmp_path / "a.log").write_bytes(next(traces())[1])
    with pytest.raises(EngineFailed, match=r'pip install "libssh2-tracelens\[dask\]"'):
        scan(tmp_path / "a.log", folder=tmp_path / "r", engine="dask", scheduler="tcp://127.0.0.1:9")
