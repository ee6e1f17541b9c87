"""Wraps every trace of the repository in every form and compares what the analysis says of it and of the plain file.

    python -m tests.wrappings                          # exit status 1 where a bar is missed
    python -m tests.wrappings --only docker -v         # forms whose name holds this; the misses by name
    python -m tests.wrappings --every 12               # one trace of twelve
    python -m tests.wrappings --folder TRACES          # these traces too
    python -m tests.wrappings --write FOLDER --only mail --traces 2    # the wrapped files themselves
    python -m tests.wrappings --copies                 # are redacted copies of wrapped traces free of passwords?
    python -m tests.wrappings --list

The bars: where nothing is lost, 98 % of all wrapped traces get the same verdicts, root causes, users, banners and
algorithms; where something is, none gets a cause that the plain file has not, and no failed session is called healthy.
There, a cause that names the plain file's cause as one that may be the right one is counted as an open rival, which is
no miss.
"""

import argparse
import sys
from collections import Counter
from multiprocessing import Pool
from pathlib import Path
from types import ModuleType

from tests.wrappings import Form, compare, copies, every_form
from tests.wrappings.compare import SLOW, Result, plain, traces


def _chosen(options: argparse.Namespace) -> list[Form]:
    return [form for form in every_form().values() if not options.only or any(o in form.name for o in options.only)]


def _work(job: tuple[Path, list[str], bool]) -> list[Result]:
    path, names, of_copies = job
    forms = every_form()
    return (copies if of_copies else compare).judged(path, [forms[name] for name in names])


def _write(folder: Path, paths: list[Path], forms: list[Form]) -> None:
    for path in paths:
        for form in forms:
            to = folder / form.name / f"{path.parent.name}-{path.name.split('.')[0]}-{form.file}"
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes(form.make(plain(path)))


def _table(results: list[Result], forms: list[Form], check: ModuleType) -> None:
    print(f"{'form':24}{'traces':>8}" + "".join(f"{name:>15}" for name in check.OUTCOMES))
    for form in forms:
        mine = Counter(result.outcome for result in results if result.form == form.name)
        missed = any(check.is_miss(form, said) for said in mine)
        cells = "".join(f"{mine[name] or '-':>15}" for name in check.OUTCOMES)
        print(f"{form.name:24}{mine.total():>8}{cells}{'  missed' if missed else ''}")


def _name_misses(results: list[Result], check: ModuleType) -> None:
    for result in sorted(results, key=lambda r: (r.form, r.trace)):
        if check.is_miss(every_form()[result.form], result.outcome):
            print(f"{result.form}: {result.trace}: {result.outcome}: {result.said[:200]}")


def _bars(results: list[Result], check: ModuleType) -> bool:
    """Print each bar with what was reached; whether all hold."""
    forms, held = every_form(), True
    for lossy, (what, bar) in check.BARS.items():
        mine = [result for result in results if forms[result.form].lossy == lossy]
        if not mine:
            continue
        misses = sum(check.is_miss(forms[result.form], result.outcome) for result in mine)
        share = 1 - misses / len(mine)
        held &= share >= bar
        print(f"{what}: {share:.2%} of {len(mine)} (bar: {bar:.0%}), {misses} missed")
    slow = [result for result in results if result.seconds > SLOW]
    for result in slow:
        print(f"slow: {result.form} {result.trace} {result.seconds:.1f} s")
    return held and not slow


def main() -> int:
    lines = (__doc__ or "").split("\n", 1)
    parser = argparse.ArgumentParser(
        "python -m tests.wrappings", description=lines[0], epilog=lines[1],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--only", action="append", help="forms whose name holds this; may be repeated")
    parser.add_argument("--traces", type=int, help="so many traces, spread over all")
    parser.add_argument("--every", type=int, default=1, help="one trace of so many")
    parser.add_argument("--folder", type=Path, help="more traces")
    parser.add_argument("--copies", action="store_true", help="look for passwords in redacted copies instead")
    parser.add_argument("--write", type=Path, help="write the wrapped files, compare nothing")
    parser.add_argument("--list", action="store_true", help="list the forms")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("-v", "--verbose", action="store_true", help="name each miss")
    options = parser.parse_args()
    forms = _chosen(options)
    if options.list:
        for form in forms:
            print(f"{form.name:24}{'something is lost' if form.lossy else ''}".rstrip())
        return 0
    paths = traces(options.folder)
    step = max(1, len(paths) // options.traces) if options.traces else options.every
    paths = paths[::step][: options.traces]
    if options.write:
        _write(options.write, paths, forms)
        return 0
    check = copies if options.copies else compare
    jobs = [(path, [form.name for form in forms], options.copies) for path in paths]
    with Pool(options.jobs) as pool:
        results = [result for found in pool.imap_unordered(_work, jobs) for result in found]
    if options.verbose:
        _name_misses(results, check)
    _table(results, forms, check)
    return 0 if _bars(results, check) else 1


if __name__ == "__main__":
    sys.exit(main())
