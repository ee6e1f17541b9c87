"""Runs the fuzzer over `analyze` and `redact`, with stretches of the repository's traces to begin with.

    python -m tests.fuzz 600                # so many seconds; findings are left in the folder that it names
    python -m tests.fuzz 0 FINDING          # one finding again

Needs atheris (libFuzzer for Python), which is not among the development requirements: `pip install atheris`.
"""

import sys
import tempfile
from pathlib import Path

import atheris

ROOT = Path(__file__).parent.parent.parent

with atheris.instrument_imports(include=["tracelens"]):
    from tests.fuzz.target import check

    for sample in ROOT.glob("sample_logs/*.log"):  # grammars and rules are loaded when they are needed
        check(sample.read_bytes())

STRETCH = 1500
LONGEST = 3000


def corpus(folder: Path) -> None:
    """Stretches of real traces, one a file."""
    count = 0
    for path in [*ROOT.glob("sample_logs/*.log"), *map(min, map(Path.iterdir, ROOT.glob("tests/cases/*")))]:
        data = path.read_bytes()
        step = max(STRETCH, len(data) // 3)
        for at in range(0, len(data), step):
            begin = data.rfind(b"\n", 0, at) + 1
            (folder / f"{count:05d}").write_bytes(data[begin : begin + STRETCH])
            count += 1


def main() -> None:
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    findings = Path(tempfile.mkdtemp(prefix="tracelens-fuzz-"))
    if len(sys.argv) > 2:
        options = sys.argv[2:]
    else:
        (findings / "corpus").mkdir()
        corpus(findings / "corpus")
        options = [f"-max_total_time={seconds}", f"-max_len={LONGEST}", "-timeout=120", "-rss_limit_mb=3000",
                   f"-artifact_prefix={findings}/", "-print_final_stats=1", str(findings / "corpus")]  # fmt: skip
    print(f"findings go to {findings}", flush=True)
    atheris.Setup([sys.argv[0], *options], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
