"""Analyzes and redacts damaged wrappings of traces: `python -m tests.fuzz.wrapped --minutes 30`.

    python -m tests.fuzz.wrapped --minutes 30              # findings are left in the folder that it names
    python -m tests.fuzz.wrapped --only mail --minutes 5   # forms whose name holds this
    python -m tests.fuzz.wrapped --again FILE              # one finding again

Each input starts as a stretch of a trace in a form of tests/wrappings, is changed at random, and wrapped again now and
then. Nothing but tracelens's own errors may be raised, no input may take 20 seconds of a processor, no process may take
500 MB. Exit status 1 where there is a finding. The same --seed gives the same inputs.
"""

import argparse
import io
import os
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

from tests.fuzz import mutations
from tests.wrappings import Form, every_form
from tests.wrappings.compare import plain, traces
from tracelens import analysis, inputs, redact
from tracelens.errors import TracelensError

SECONDS, MEGABYTES = 20, 500
STRETCH = 40  # lines
STUCK = 4 * SECONDS  # by the clock: the machine may be busy with something else
PER_WORKER = 2000  # inputs; then a new process shows what the next ones take


class Input(NamedTuple):
    """A file and how it came about."""

    name: str
    data: bytes
    way: str


@cache
def stretches() -> list[bytes]:
    """Stretches of small traces."""
    found = []
    for path in traces():
        rows = plain(path).splitlines(keepends=True)
        found += [b"".join(rows[at : at + STRETCH]) for at in range(0, min(len(rows), 400), 4 * STRETCH)]
    return found


def made(chance: random.Random, forms: list[Form]) -> Input:
    """A damaged wrapping."""
    data, way, name = chance.choice(stretches()), [], "trace.log"
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3))):
        if chance.random() < 0.3:
            data = mutations.mutated(data, chance)
        form = chance.choice(forms)
        data, name = form.make(data)[: mutations.LONGEST], form.file
        way.append(form.name)
    for _ in range(chance.choice((0, 1, 1, 2, 4))):
        data = mutations.mutated(data, chance)
    if chance.random() < 0.2:
        other = chance.choice(forms)
        data = mutations.spliced(data, other.make(chance.choice(stretches())), chance)
        way.append(f"+{other.name}")
    return Input(name, data, " > ".join(way))


def run(path: str) -> None:
    """Analyze and redact all that is in a file."""
    for found in inputs.find([path]):
        if isinstance(found, inputs.Source):
            _quietly(lambda found=found: analysis.analyze(found).document)
    for anonymize in (False, True):
        with redact.Redaction(anonymize=anonymize) as redaction:
            for name in list(_surveyed(redaction, path)):
                _quietly(lambda redaction=redaction, name=name: redaction.write(name, io.BytesIO()))


def _surveyed(redaction: redact.Redaction, path: str) -> Iterator[str]:
    """The names of the traces in a file, after the first pass."""
    for found in inputs.find([path]):
        if isinstance(found, inputs.Source) and _quietly(lambda found=found: (redaction.survey(found), True)):
            yield found.name


def _quietly(call: Any) -> Any:
    """What a call gives; None for an error that users are told."""
    try:
        return call()
    except TracelensError:
        return None


def tried(item: Input, folder: Path) -> str | None:
    """What is wrong with one input, in a line that is the same for the same fault; None where nothing is."""
    path = folder / item.name
    path.write_bytes(item.data)
    start = time.process_time()
    try:
        run(str(path))
    except Exception as error:  # whatever it is, it is a finding
        frames = [f for f in traceback.extract_tb(error.__traceback__) if "tracelens" in f.filename] or [None]
        where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames[-1] else "?"
        return f"{type(error).__name__} at {where}: {str(error)[:80]}"
    finally:
        path.unlink(missing_ok=True)
    if (seconds := time.process_time() - start) > SECONDS:
        return f"slow: {seconds:.0f} s"
    if (size := resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10) > MEGABYTES:
        return f"memory: {size} MB"
    return None


def work(seed: int, only: list[str], findings: str, until: float, sent: Any) -> None:
    """Try inputs until the time is over; tell the number of inputs, and each finding."""
    chance = random.Random(seed)
    forms = chosen(only)
    folder = Path(findings, f"running-{os.getpid()}")
    folder.mkdir()
    for _ in range(PER_WORKER):
        if time.time() > until:
            break
        item = made(chance, forms)
        wrong = tried(item, folder)
        sent.send((wrong, item if wrong else None))
        if wrong and wrong.startswith("memory"):
            break
    folder.rmdir()
    sent.send(None)


def chosen(only: list[str]) -> list[Form]:
    return [form for form in every_form().values() if not only or any(part in form.name for part in only)]


def _watched(seed: int, only: list[str], findings: Path, until: float) -> Iterator[tuple[str | None, Input | None]]:
    """What one worker tells; a worker that is stuck is ended, and its input is a finding."""
    context = get_context("fork")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(seed, only, str(findings), until, sending))
    process.start()
    sending.close()
    try:
        while receiving.poll(STUCK):
            message = receiving.recv()
            if message is None:
                return
            yield message
        yield "stuck", _left(process.pid, findings)
    except EOFError:
        yield "the process died", _left(process.pid, findings)
    finally:
        if process.is_alive() and process.pid:
            os.kill(process.pid, signal.SIGKILL)
        process.join()


def _left(pid: int | None, findings: Path) -> Input | None:
    """The input on which a process ended."""
    for file in (findings / f"running-{pid}").glob("*"):
        return Input(file.name, file.read_bytes(), "not known")
    return None


def fuzz(minutes: float, seed: int, only: list[str]) -> int:
    """Try inputs for so long; the number of different findings."""
    findings, seen = Path(tempfile.mkdtemp(prefix="tracelens-fuzz-")), Counter[str]()
    print(f"seed {seed}; findings go to {findings}", flush=True)
    until, tries, round_number = time.time() + 60 * minutes, 0, 0
    stretches()
    while time.time() < until:
        for wrong, item in _watched(seed + 1_000_003 * round_number, only, findings, until):
            tries += 1
            if wrong is None:
                continue
            kind = wrong.split(":")[0] if wrong.startswith(("slow", "memory", "stuck")) else wrong
            seen[kind] += 1
            if item and seen[kind] <= 3:
                file = findings / f"{list(seen).index(kind) + 1}-{seen[kind]}-{item.name}"
                file.write_bytes(item.data)
                print(f"{wrong}  ({item.way}) -> {file}", flush=True)
        round_number += 1
    print(f"{tries} inputs, {len(seen)} kinds of finding")
    return len(seen)


def main() -> int:
    parser = argparse.ArgumentParser("python -m tests.fuzz.wrapped", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--only", action="append", default=[], help="forms whose name holds this; may be repeated")
    parser.add_argument("--again", type=Path, help="a finding")
    options = parser.parse_args()
    if options.again:
        run(str(options.again))
        return 0
    seed = options.seed if options.seed is not None else random.randrange(1 << 30)
    return 1 if fuzz(options.minutes, seed, options.only) else 0


if __name__ == "__main__":
    sys.exit(main())
