"""Weaves traces into logs of several processes, in every style, and counts the sessions that are what they are alone.

python -m tests.woven                          # exit status 1 below 99 % (threads: 95 %)
python -m tests.woven --only syslog -v         # styles whose name holds this; the misses by name
python -m tests.woven --files 20               # so many logs of each style, mask and order
python -m tests.woven --folder TRACES          # traces of a folder with a TRUTH.tsv
python -m tests.woven --write FOLDER           # the logs themselves
"""

import argparse
import random
import sys
from collections import Counter
from multiprocessing import Pool
from pathlib import Path

from tests.woven import MASKS, Woven, alone, folder_traces, misses, own_traces, weave
from tests.woven.styles import PROCESSES, THREADS

BAR, BAR_THREADS = 0.99, 0.95
Job = tuple[str, int, bool, int, str]


def make(job: Job, paths: list[Path]) -> Woven:
    style, mask, by_line, number, _ = job
    chance = random.Random(f"{style} {mask} {by_line} {number}")
    traces = []
    while len(traces) < 2 + number % 7:
        trace = alone(chance.choice(paths), mask)
        traces += [trace] if trace is not None else []
    return weave(traces, style, chance, by_line=by_line)


def _work(job: Job) -> tuple[Job, int, list[str]]:
    log = make(job, _paths(job[4]))
    return job, len(log.sessions), misses(log)


def _paths(folder: str) -> list[Path]:
    return folder_traces(Path(folder)) if folder else own_traces()


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m tests.woven")
    options.add_argument("--only", default="")
    options.add_argument("--files", type=int, default=7)
    options.add_argument("--folder", default="")
    options.add_argument("--write", type=Path)
    options.add_argument("-v", action="store_true")
    chosen = options.parse_args()
    jobs = [
        (style, mask, by_line, number, chosen.folder)
        for style in (*PROCESSES, *THREADS)
        if chosen.only in style
        for mask in MASKS
        for by_line in (False, True)
        for number in range(chosen.files)
    ]
    if chosen.write is not None:
        for job in jobs:
            chosen.write.mkdir(parents=True, exist_ok=True)
            name = "-".join(map(str, job[:4])).replace(" ", "_")
            (chosen.write / f"{name}.log").write_text(make(job, _paths(chosen.folder)).text, encoding="latin-1")
        return 0
    right, whole = Counter[tuple[str, int, bool]](), Counter[tuple[str, int, bool]]()
    with Pool() as pool:
        for job, count, wrong in pool.imap(_work, jobs, chunksize=8):
            cell = job[:3]
            whole[cell] += count
            right[cell] += count - min(count, len(wrong))
            for text in wrong if chosen.v else ():
                print(f"{job[0]} {job[1]} {'by line' if job[2] else 'by wall'} {job[3]}: {text}")
    return _table(right, whole)


def _table(right: "Counter[tuple[str, int, bool]]", whole: "Counter[tuple[str, int, bool]]") -> int:
    below = 0
    columns = [(mask, by_line) for by_line in (False, True) for mask in MASKS]
    print(f"{'style':22}" + "".join(f"{mask}{' lines' if lines else '':6}".rjust(11) for mask, lines in columns))
    for style in dict.fromkeys(cell[0] for cell in whole):
        shares = [right[style, *c] / whole[style, *c] for c in columns]
        all_right = sum(right[style, *c] for c in columns) / sum(whole[style, *c] for c in columns)
        below += all_right < (BAR_THREADS if style in THREADS else BAR)
        print(f"{style:22}" + "".join(f"{100 * share:9.1f} %" for share in shares))
    for kind, styles in (("processes", PROCESSES), ("threads", THREADS)):
        of = [cell for cell in whole if cell[0] in styles]
        if of:
            count, good = sum(whole[cell] for cell in of), sum(right[cell] for cell in of)
            print(f"{kind}: {good} of {count} sessions right, {100 * good / count:.1f} %")
    return int(below > 0)


if __name__ == "__main__":
    sys.exit(main())
