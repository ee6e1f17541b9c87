"""Measures tracelens and its peers on the same files in the same run, and prints one table.

    python -m tests.benchmarks                            all peers that are installed, 75 MB of records
    python -m tests.benchmarks --mb 300 --runs 3          larger, the median of three rounds
    python -m tests.benchmarks --hex download-511.log.gz  also a trace with dumps, of your own

The trace is a real download's (libssh2 1.11.1, mask 508, `download-508.log.gz`) made long: its transfer loop repeated,
its clock running on. "seconds" are wall-clock and "x rg" their ratio to ripgrep's in the same round; "CPU" are seconds
of all cores together, which other work on the machine disturbs less; "MB" is the peak memory of the largest process.
Peers that take minutes are given the first 5 MB only, and what they would take for all is worked out.

Ways to read records in bulk that were tried: CPU seconds for a million lines of 68 bytes, one core (a machine with
other work: compare, do not quote).

    google-re2, one pattern a line                      9.8    each call from Python costs more than its match
    one record after the other, as the plain path does  6.5
    one pattern a line (re), a loop in Python           2.4    nothing but clock and shape yet
    pyarrow.compute.extract_regex                       2.1    nothing counted yet
    pyarrow, digits replaced, value_counts              1.7    counts, but no order, time or place
    re.findall for clock and text of each line          0.6    nothing counted yet
    a line's shape by translate and split, Counter      0.3    counts, but no order, time or place
    the same with a code a line and numpy (`bulk`)      0.8    all of it: what is there now
"""

import argparse
import gzip
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks import peers

HERE = Path(__file__).parent
SLOW = 5_000_000
STAMP = re.compile(rb"^(\[libssh2\] )(\d+)\.(\d{6})", re.MULTILINE)


def grown(base: Path, target: Path, size: int) -> Path:
    """A trace whose transfer loop is repeated until it has about so many bytes."""
    text = gzip.decompress(base.read_bytes()) if base.suffix == ".gz" else base.read_bytes()
    begin = text.rindex(b"\n", 0, text.index(b"SFTP: read request id")) + 1
    end = text.rindex(b"\n", 0, text.index(b"SFTP: Closing handle")) + 1
    loop = text[begin:end]
    times = [int(m[2]) * 10**6 + int(m[3]) for m in STAMP.finditer(loop)]
    span = times[-1] - times[0] + 10

    def later(part: bytes, by: int) -> bytes:
        def stamp(m: re.Match[bytes]) -> bytes:
            at = int(m[2]) * 10**6 + int(m[3]) + by
            return b"%s%d.%06d" % (m[1], at // 10**6, at % 10**6)

        return STAMP.sub(stamp, part)

    with target.open("wb") as file:
        file.write(text[:begin])
        count = max(1, size // len(loop))
        for index in range(count):
            file.write(later(loop, index * span))
        file.write(later(text[end:], (count - 1) * span))
    return target


def timed(command: list[str]) -> tuple[float, float, float] | None:
    """Seconds, CPU seconds and peak memory (MB) of a command, None where it failed."""
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    scale = 1 << 20 if sys.platform == "darwin" else 1 << 10
    taken = (time.perf_counter() - begin, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / scale)
    return taken if process.returncode == 0 else None


def contestants(path: Path, short: Path, home: str) -> list[tuple[str, list[str] | None, bool]]:
    """Name, command, and whether it is given the short file."""
    here = [sys.executable, "-m"]
    table = ["timeline", str(path), "--table", "records", "-o", str(Path(home) / "records.parquet")]
    script = [*here, "tests.benchmarks.peers"]
    return [
        ("ripgrep, one regular expression", peers.ripgrep(str(path)), False),
        ("tracelens analyze", [*here, "tracelens", "analyze", "-f", "json", str(path)], False),
        ("tracelens analyze --jobs 1", [*here, "tracelens", "analyze", "-f", "json", "--jobs", "1", str(path)], False),
        ("polars str.extract_groups", [*script, "polars", str(path)], False),
        ("pandas str.extract", [*script, "pandas", str(path)], False),
        ("lnav, headless", peers.lnav(str(path), home), False),
        ("Drain3", [*script, "drain", str(short)], True),
        ("Lark for each line", [*script, "lark", str(short)], True),
        ("tracelens records to Parquet", [*here, "tracelens", *table], False),
        ("pandas str.extract to Parquet", [*script, "pandas_parquet", str(path)], False),
    ]


def measure(path: Path, short: Path, runs: int, home: str) -> list[str]:
    """The table's rows for one file."""
    field = contestants(path, short, home)
    scale = path.stat().st_size / short.stat().st_size
    seconds: dict[str, list[float]] = {name: [] for name, _, _ in field}
    work: dict[str, float] = {}
    memory: dict[str, float] = {}
    for _ in range(runs):
        for name, command, is_short in field:
            taken = timed(command) if command is not None else None
            if taken is not None:
                seconds[name].append(taken[0] * (scale if is_short else 1))
                work[name] = min(work.get(name, float("inf")), taken[1] * (scale if is_short else 1))
                memory[name] = max(memory.get(name, 0.0), taken[2])
    base = seconds[field[0][0]]
    rows = []
    for name, _, is_short in field:
        if not seconds[name]:
            rows.append(f"| {name} | not installed | | | | |")
            continue
        median = statistics.median(seconds[name])
        ratio = f"{statistics.median(a / b for a, b in zip(seconds[name], base, strict=False)):.1f}" if base else ""
        rate = path.stat().st_size / median / 1e6
        mark = " (worked out)" if is_short else ""
        rows.append(f"| {name}{mark} | {median:.1f} | {work[name]:.1f} | {rate:.0f} | {ratio} | {memory[name]:.0f} |")
    return rows


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--mb", type=int, default=75, help="size of the trace without dumps")
    parser.add_argument("--hex", type=Path, help="a trace with dumps (mask 511) of a download, to be made 400 MB long")
    parser.add_argument("--runs", type=int, default=1, help="rounds; the median counts")
    given = parser.parse_args()
    os.chdir(HERE.parent.parent)
    load = os.getloadavg()[0]
    print(f"{time.strftime('%Y-%m-%d')}, Python {platform.python_version()}, {os.cpu_count()} cores, load {load:.1f}\n")
    with tempfile.TemporaryDirectory() as folder:
        short = grown(HERE / "download-508.log.gz", Path(folder) / "short.log", SLOW)
        files = [grown(HERE / "download-508.log.gz", Path(folder) / "records.log", given.mb * 10**6)]
        if given.hex:
            files.append(grown(given.hex, Path(folder) / "dumps.log", 400 * 10**6))
        for path in files:
            print(f"{path.stem}: {path.stat().st_size / 1e6:.0f} MB\n")
            print("| | seconds | CPU | MB/s | x rg | MB |\n| --- | --- | --- | --- | --- | --- |")
            print("\n".join(measure(path, short, given.runs, folder)) + "\n", flush=True)


if __name__ == "__main__":
    main()
