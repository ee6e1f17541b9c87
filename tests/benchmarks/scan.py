"""How fast and how safely an archive is scanned: figures for the README, and the checks behind them.

    python tests/benchmarks/scan.py FOLDER [--traces 20000] [--kills 10]

It multiplies `sample_logs/` into nested archives (every trace another content, 5 % of them damaged), scans them with
one worker on one core and with two on two, kills a scan at random moments and takes it up again, and holds the results
to be the same. FOLDER is for its files; what is there is used again.
"""

import argparse
import gzip
import hashlib
import io
import os
import random
import resource
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
RESULTS = ("files.parquet", "sessions.parquet", "findings.parquet", "summary.json")


def made(folder: Path, count: int) -> Path:
    """An archive of so many traces: tar.gz of zips of 500, each twentieth member a damaged gzip of one."""
    path = folder / f"cases-{count}" / "all.tar.gz"
    if path.exists():
        return path
    path.parent.mkdir(parents=True)
    samples = [p.read_bytes() for p in sorted((ROOT / "sample_logs").iterdir())]
    samples = [s for s in samples if len(s) < 60_000] * 8
    with tarfile.open(path, "w:gz", compresslevel=1) as outer:
        for first in range(0, count, 500):
            buffer = io.BytesIO()
            with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as inner:
                for number in range(first, min(first + 500, count)):
                    data = samples[number % len(samples)] + f"(trace {number})\n".encode()
                    name = zipfile.ZipInfo(f"case{number:06}.log", (2025, 1 + number % 12, 1, 0, 0, 0))
                    if number % 20 == 7:
                        data = gzip.compress(data, 1, mtime=0)
                        data = data[: len(data) // 2]
                    inner.writestr(name, data, zipfile.ZIP_DEFLATED)
            info = tarfile.TarInfo(f"part{first:06}.zip")
            info.size = buffer.tell()
            buffer.seek(0)
            outer.addfile(info, buffer)
    return path


def scan(archive: Path, folder: Path, jobs: int, cores: str) -> tuple[float, float, float]:
    """Seconds, CPU seconds and the peak memory (MB) of the largest process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    command = [
        "taskset",
        "-c",
        cores,
        sys.executable,
        "-m",
        "tracelens",
        "scan",
        str(archive.parent),
        "-o",
        str(folder),
    ]
    done = subprocess.run([*command, "-j", str(jobs)], capture_output=True, check=False, cwd=ROOT)
    assert done.returncode == 2, done.stderr  # of the damaged ones
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.monotonic() - began, used, after.ru_maxrss / 1000


def digest(folder: Path) -> str:
    return hashlib.sha256(b"".join((folder / name).read_bytes() for name in RESULTS)).hexdigest()[:16]


def killed(archive: Path, folder: Path, times: int, about: float) -> None:
    """A scan that is killed at random moments, and taken up again each time."""
    chance = random.Random(20261122)
    command = [sys.executable, "-m", "tracelens", "scan", str(archive.parent), "-o", str(folder)]
    for number in range(times):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=ROOT)
        wait = chance.uniform(0.2, about / times * 1.6)
        time.sleep(wait)
        over = process.poll() is not None
        process.send_signal(signal.SIGKILL)
        process.wait()
        print(f"  kill {number + 1} after {wait:.1f} s{' (it was over)' if over else ''}", flush=True)
    subprocess.run(command, capture_output=True, check=False, cwd=ROOT)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--traces", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=10)
    given = parser.parse_args()
    archive = made(given.folder, given.traces)
    name = f"{os.getpid()}"
    print(f"{given.traces} traces, {archive.stat().st_size / 1e6:.1f} MB packed", flush=True)
    one = scan(archive, given.folder / f"one-{name}", 1, "0")
    print(
        f"one core:  {one[0]:.1f} s, {given.traces / one[0]:.0f}/s, CPU {one[1]:.1f} s, peak {one[2]:.0f} MB",
        flush=True,
    )
    two = scan(archive, given.folder / f"two-{name}", 2, "0,1")
    print(
        f"two cores: {two[0]:.1f} s, {given.traces / two[0]:.0f}/s, CPU {two[1]:.1f} s, {one[0] / two[0]:.2f} x",
        flush=True,
    )
    assert digest(given.folder / f"one-{name}") == digest(given.folder / f"two-{name}")
    if given.kills:
        killed(archive, given.folder / f"killed-{name}", given.kills, two[0])
        assert digest(given.folder / f"one-{name}") == digest(given.folder / f"killed-{name}")
    print("the same tables each time")


if __name__ == "__main__":
    main()
