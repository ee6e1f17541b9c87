"""`python -m tests.lab`: records scenarios with real servers and libssh2, and checks tracelens against them."""

import argparse
import fnmatch
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tests.lab import check, kept, libssh2, namespace, premises, server_logs, together, truth
from tests.lab.programs.recording import ProgramRecording
from tests.lab.programs.scenario import ProgramScenario
from tests.lab.recording import ClientDiedError, Recording, record
from tests.lab.scenario import Scenario
from tests.lab.scenarios import ALL
from tests.lab.scenarios.programs import ALL as PROGRAMS

WORKERS = 8  # most of a scenario's time is waiting


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.lab", description=__doc__)
    parser.add_argument("--out", type=Path, help="folder for the traces, TRUTH.tsv and what --check finds")
    parser.add_argument("--only", action="append", default=[], metavar="PATTERN", help="scenario ids, with * and ?")
    parser.add_argument("--version", action="append", default=[], choices=tuple(libssh2.SOURCES))
    parser.add_argument("--quick", action="store_true", help="every scenario with one version only, in turn")
    parser.add_argument("--programs", action="store_true", help="only packaged programs: curl, PHP, Perl, git, ...")
    parser.add_argument(
        "--server-log",
        choices=server_logs.LEVELS,
        default="",
        help="sshd logs so much, through syslog; without, what it prints itself at VERBOSE: without times",
    )
    parser.add_argument(
        "--together", type=int, metavar="COUNT", help="record so many sessions with one sshd, whose log is auth.log"
    )
    parser.add_argument("--list", action="store_true", help="print the scenarios and end")
    parser.add_argument("--check", action="store_true", help="diagnose each trace and print how it went")
    parser.add_argument("--readme", action="store_true", help="put the outcome of this --check into README.md")
    parser.add_argument("--recorded", action="store_true", help="record nothing: check what --out holds already")
    parser.add_argument(
        "--regenerate",
        action="store_true",
        help="record what sample_logs/ and tests/cases/ keep of the lab (--only: of it)",
    )
    return parser.parse_args()


Pair = tuple[Scenario | ProgramScenario, str]


def choose(
    patterns: Iterable[str] = (),
    versions: Iterable[str] = (),
    quick: bool = False,
    scenarios: Iterable[Scenario | ProgramScenario] = (*ALL, *PROGRAMS),
) -> list[Pair]:
    """The scenarios that are asked for, with every version that they fit; `quick`: with one of them, in turn."""
    wanted = list(patterns) or ["*"]
    asked = list(versions) or list(libssh2.SOURCES)
    chosen: list[Pair] = []
    for number, one in enumerate(scenarios):
        if any(fnmatch.fnmatch(one.id, pattern) for pattern in wanted):
            fitting = [version for version in asked if one.fits(version)]
            if quick and isinstance(one, ProgramScenario) and one.slow:
                continue
            if quick and fitting:
                fitting = [fitting[number % len(fitting)]]
            chosen += [(one, version) for version in fitting]
    return chosen


def lacks(one: Scenario | ProgramScenario) -> str:
    """What a scenario needs and this machine doesn't have: packages of programs."""
    programs = one.programs if isinstance(one, ProgramScenario) else []
    packages = " ".join(own.packages for own in programs if own.missing)
    return f"apt-get install {packages}" if packages else ""


def barred(one: Scenario | ProgramScenario) -> str:
    """What a scenario needs and no package brings: the leave to make namespaces."""
    talks = () if isinstance(one, ProgramScenario) else one.talks
    return namespace.missing() if any(getattr(talk.server, "needs_namespace", False) for talk in talks) else ""


def runnable(pairs: Iterable[Pair]) -> tuple[list[Pair], list[str]]:
    """What can be recorded here, and why the rest can't."""
    able: list[Pair] = []
    lacking: Counter[str] = Counter()
    for pair in pairs:
        if what := lacks(pair[0]) or barred(pair[0]):
            lacking[what] += 1
        else:
            able.append(pair)
    return able, [f"{count} traces; they need: {what}" for what, count in lacking.items()]


def run(pairs: list[Pair], out: Path, log_level: str = "") -> list[str]:
    """Records all, several at a time, and writes their truth in the given order; returns what could not be recorded."""
    libssh2.libraries(dict.fromkeys(version for _, version in pairs))
    with premises.open_site(log_level=log_level) as site:
        pool = ThreadPoolExecutor(WORKERS)
        try:
            results = list(pool.map(lambda pair: _record(pair, site, out), pairs))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    truth.write((one for one in results if not isinstance(one, str)), out / "TRUTH.tsv", log_level or "VERBOSE")
    return [one for one in results if isinstance(one, str)]


def _record(pair: Pair, site: premises.Site, out: Path) -> Recording | ProgramRecording | str:
    scenario, version = pair
    try:
        return record(scenario, version, site, out)
    except (ClientDiedError, TimeoutError) as problem:
        return f"{scenario.id}-{version}: {problem}"


@contextmanager
def folder(out: Path | None) -> Iterator[Path]:
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        yield out.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="tracelens-lab-out-") as made:
        yield Path(made)


def into_readme(proof: str) -> None:
    readme = premises.REPOSITORY / "README.md"
    before, start, rest = readme.read_text(encoding="utf-8").partition("<!-- generated: lab -->\n")
    _, end, after = rest.partition("<!-- end -->")
    readme.write_text(before + start + proof + end + after, encoding="utf-8")


def main() -> int:
    options = arguments()
    which = PROGRAMS if options.programs else (*ALL, *PROGRAMS)
    pairs = choose(options.only, options.version, options.quick, which)
    if options.list:
        for one, version in pairs:
            print(f"{one.id}\t{version}\t{';'.join(one.expected(version))}")
        return 0
    if not options.recorded and (lacks := premises.missing()):
        print("the lab lacks:", *lacks, sep="\n  ", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that `finally` runs
    began = time.monotonic()
    if options.regenerate:
        written = kept.regenerate(patterns=options.only)
        print(f"{len(written)} traces, {time.monotonic() - began:.0f} seconds")
        return 0
    with folder(options.out) as out:
        pairs, skipped = runnable(pairs)
        for line in skipped:
            print("skipped:", line, file=sys.stderr)
        if options.together:
            failed = together.run(options.together, out, options.server_log or "VERBOSE")
        else:
            failed = [] if options.recorded else run(pairs, out, options.server_log)
        for line in failed:
            print("not recorded:", line, file=sys.stderr)
        verdicts = check.judge(out) if options.check or options.recorded else []
        wrong = [one for one in verdicts if not one.right]
        if verdicts:
            (out / "MISSES.md").write_text(check.misses(verdicts))
            (out / "TABLE.md").write_text(check.table(verdicts))
            print(check.table(verdicts))
            if options.readme:
                into_readme(check.proof(verdicts, time.strftime("%Y-%m-%d")))
            for verdict in wrong:
                print(f"miss {verdict.truth['file']}: expected {verdict.expected}, got {verdict.got}")
        traces = len(truth.read(out / "TRUTH.tsv"))
    took = time.monotonic() - began
    print(f"{traces} traces, {len(failed)} not recorded, {len(wrong)} wrong, {took:.0f} seconds")
    return 1 if failed or wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
