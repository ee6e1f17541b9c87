"""Hashes of what tracelens says about many traces: a change of structure shows that nothing else changed.

    python -m tests.goldens --check                 # the repository's traces; exit status 1 where an output differs
    python -m tests.goldens --make                  # store the hashes anew, after a change that was meant
    python -m tests.goldens --check --every 20      # one trace of twenty, for a quick look
    python -m tests.goldens --make --traces FOLDER --store FILE    # other traces: the lab's recordings
    python -m tests.goldens --write FOLDER --only NAME             # the outputs themselves, to compare with diff

Each trace is read whole, cut to some trace masks, cut off at some records, with CRLF, appended to the next trace, and
woven with it. Of each variant these outputs are hashed: the JSON document, text, Markdown, HTML, every table, and both
redacted copies.
"""

import argparse
import csv
import gzip
import hashlib
import io
import os
import re
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator
from itertools import islice
from multiprocessing import Pool
from pathlib import Path
from typing import TypeVar

from tracelens import analysis, export, inputs
from tracelens.analysis.json_text import json_text
from tracelens.errors import TracelensError
from tracelens.libssh2.trace_mask import BITS
from tracelens.redact import Redaction
from tracelens.reports import formats, text

T = TypeVar("T")
Job = tuple[Path, Path | None, str]

HERE = Path(__file__).parent
STORE = HERE / "data" / "goldens.tsv.gz"
MASKS = (2, 128, 136, 140, 142, 508)
CUTS = (0.2, 0.45, 0.7, 0.9)
OUTPUTS = ("document", "text", "markdown", "html", "tables", "redacted", "anonymized")
VARIANTS = ("whole", *(f"mask {m}" for m in MASKS), *(f"cut {c}" for c in CUTS), "crlf", "appended", "woven")
VERSION = re.compile(r"\d+ rules, [0-9a-f]{12}")  # a hash of the rules' sources
LARGE = 300_000  # larger traces are read whole only
HEAD = re.compile(rb"\[libssh2\] (?:\d+\.\d{6} )?([A-Z][\w ]*): ")
CLOCK = re.compile(rb"\[libssh2\] (\d+)\.(\d{6}) ")
VALUES = {bit.context.encode(): bit.value for bit in BITS}


def traces(folder: Path | None) -> list[Path]:
    """The traces of a folder, or of the repository."""
    if folder is not None:
        return sorted(p for p in folder.rglob("*") if p.suffix in (".log", ".gz", ".txt"))
    return sorted(p for p in [*HERE.glob("cases/*/*"), *(HERE.parent / "sample_logs").iterdir()] if p.is_file())


def stored_traces(store: Path) -> list[Path]:
    """The repository's traces that have stored hashes: a new trace does not change what its neighbours are held to."""
    stored = {name for name, _ in read(store)}
    return [path for path in traces(None) if path.relative_to(HERE.parent).as_posix() in stored]


def with_mask(data: bytes, mask: int) -> bytes:
    """What a mask leaves of a trace that was taken with more bits."""
    kept, keep = [], False
    for line in data.splitlines(keepends=True):
        head = HEAD.match(line)
        if head is not None:
            keep = bool(VALUES.get(head[1], 0) & mask)
        elif line.startswith(b"=> "):
            keep = bool(mask & 2)
        if keep:
            kept.append(line)
    return b"".join(kept)


def cut_off(data: bytes, part: float) -> bytes:
    """A trace up to some record."""
    starts = [m.start() for m in HEAD.finditer(data)]
    return data[: starts[int(len(starts) * part)]] if starts else data[: int(len(data) * part)]


def woven(one: bytes, other: bytes) -> bytes:
    """Both traces on one clock; the second begins 40 ms after the first."""
    placed = [
        (time + start, number, unit)
        for number, (data, start) in enumerate(((one, 0), (other, 40_000)))
        for time, unit in _timed(data)
    ]
    placed.sort(key=lambda item: item[:2])
    return b"".join(
        CLOCK.sub(b"[libssh2] %d.%06d " % divmod(time + 200_000, 1_000_000), unit, count=1) for time, _, unit in placed
    )


def _timed(data: bytes) -> Iterator[tuple[int, bytes]]:
    first = last = None
    for unit in re.split(rb"^(?=\[libssh2\] |=> )", data, flags=re.MULTILINE)[1:]:
        if clock := CLOCK.match(unit):
            last = int(clock[1]) * 1_000_000 + int(clock[2])
            first = last if first is None else first
        yield (last or 0) - (first or 0), unit


def variants(data: bytes, following: bytes | None) -> dict[str, Callable[[], bytes]]:
    """The changes of one trace by name; `following` is the next trace, None where no variant is wanted."""
    if following is None or len(data) + len(following) > LARGE or not HEAD.search(data):
        return {"whole": lambda: data}
    return {
        "whole": lambda: data,
        **{f"mask {mask}": lambda mask=mask: with_mask(data, mask) for mask in MASKS},  # type: ignore[misc]
        **{f"cut {part}": lambda part=part: cut_off(data, part) for part in CUTS},  # type: ignore[misc]
        "crlf": lambda: data.replace(b"\n", b"\r\n"),
        "appended": lambda: data + following,
        "woven": lambda: woven(data, following),
    }


def _opened(path: str, use: Callable[[inputs.Source], T]) -> T:
    """What is made of the one input at a path, which can be read only while it is at hand."""
    for found in inputs.find([path]):
        if isinstance(found, TracelensError):
            raise found
        return use(found)
    raise AssertionError(f"nothing found in {path}")


def _analyzed(path: str) -> Iterator[tuple[str, bytes]]:
    result = _opened(path, analysis.analyze)
    yield "document", json_text(result.document).encode()
    yield "text", "\n".join(text.render(result, verbosity, text.plain) for verbosity in (0, 1, 2)).encode()
    options = formats.Options("masked", "tracelens")
    for format in ("markdown", "html"):
        page = formats.render(format, [result], options)
        yield format, VERSION.sub("62 rules", page).encode()


def _tables(path: str) -> Iterator[tuple[str, bytes]]:
    out = io.StringIO()
    for table in export.TABLES:
        for frame in _opened(path, lambda origin, table=table: list(export.Timeline(origin, table).frames)):  # type: ignore[misc]
            out.write(f"{table}\n")
            frame.to_csv(out, index=False)
    yield "tables", out.getvalue().encode("utf-8", "surrogateescape")


def _copies(path: str) -> Iterator[tuple[str, bytes]]:
    for name, anonymize in (("redacted", False), ("anonymized", True)):
        yield name, _opened(path, lambda origin, anonymize=anonymize: _copy(origin, anonymize))  # type: ignore[misc]


def _copy(origin: inputs.Source, anonymize: bool) -> bytes:
    out = io.BytesIO()
    try:
        with Redaction(anonymize=anonymize) as redaction:
            redaction.survey(origin)
            redaction.write(origin.name, out)
    except TracelensError as error:
        return _reason(error)
    return out.getvalue()


def _reason(error: TracelensError) -> bytes:
    return f"{type(error).__name__}: {error}".encode()


# Each gives these outputs, in this order.
MAKERS = ((_analyzed, OUTPUTS[:4]), (_tables, OUTPUTS[4:5]), (_copies, OUTPUTS[5:]))


def outputs(data: bytes, wanted: Collection[str] = OUTPUTS) -> dict[str, bytes]:
    """Each output for one trace; where there is none, the reason."""
    made: dict[str, bytes] = {}
    here = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            Path("trace.log").write_bytes(data)
            for make, names in MAKERS:
                last = max((number for number, name in enumerate(names, 1) if name in wanted), default=0)
                try:
                    made.update(islice(make("trace.log"), last))
                except TracelensError as error:
                    made[make.__name__] = _reason(error)
        finally:
            os.chdir(here)
    reason = made.get("_analyzed", b"")
    return {name: made.get(name, reason) for name in OUTPUTS if name in wanted}


def _hashed(job: Job) -> list[tuple[str, ...]]:
    path, following, name = job
    rows = []
    for variant, change in variants(_read(path), following and _read(following)).items():
        hashes = [_hash(output) for output in outputs(change()).values()]
        rows.append((name, variant, *hashes))
    return rows


def differing(
    job: tuple[Path, Path, str],
    stored: dict[tuple[str, str], list[str]],
    variant: str,
    wanted: Collection[str] = OUTPUTS,
) -> list[str]:
    """The outputs of one variant, if the trace has it, that are not the stored ones."""
    path, following, name = job
    change = variants(_read(path), _read(following)).get(variant)
    if change is None:
        return []
    before = dict(zip(OUTPUTS, stored.get((name, variant), ["-"] * len(OUTPUTS)), strict=True))
    made = outputs(change(), wanted)
    return [f"{name}, {variant}: {output}" for output in made if _hash(made[output]) != before[output]]


def _hash(output: bytes) -> str:
    return hashlib.sha256(output).hexdigest()[:12]


def _read(path: Path) -> bytes:
    data = path.read_bytes()
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def jobs(paths: list[Path], every: int = 1, only: str | None = None, whole: bool = False) -> list[Job]:
    """Each trace with the one that is appended to it (None for `whole`), and its name."""
    root = Path(os.path.commonpath([p.parent for p in paths]))
    following = [None] * len(paths) if whole else [*paths[1:], paths[0]]
    named = [(path, following[n], path.relative_to(root).as_posix()) for n, path in enumerate(paths)]
    return [job for n, job in enumerate(named) if n % every == 0 and (only is None or only in job[2])]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.goldens", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--make", action="store_true", help="store the hashes")
    parser.add_argument("--check", action="store_true", help="compare with the stored hashes")
    parser.add_argument("--write", type=Path, help="write the outputs themselves into this folder")
    parser.add_argument("--traces", type=Path, help="a folder of traces (default: the repository's)")
    parser.add_argument("--store", type=Path, default=STORE, help="the file of hashes")
    parser.add_argument("--every", type=int, default=1, help="only each nth trace")
    parser.add_argument("--whole", action="store_true", help="each trace as it is, no variants")
    parser.add_argument("--only", help="only traces whose name holds this")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    chosen = parser.parse_args()
    known = chosen.traces is None and not chosen.make and chosen.write is None
    todo = jobs(
        stored_traces(chosen.store) if known else traces(chosen.traces), chosen.every, chosen.only, chosen.whole
    )
    if chosen.write is not None:
        return write(todo, chosen.write)
    with Pool(chosen.jobs) as pool:
        rows = [row for rows in pool.imap(_hashed, todo, 4) for row in rows]
    if chosen.make:
        # No time and no name in the archive: the same hashes are the same bytes.
        with chosen.store.open("wb") as file, gzip.GzipFile("", "wb", 9, file, 0) as packed:
            packed.write("".join("\t".join(row) + "\n" for row in [("trace", "variant", *OUTPUTS), *rows]).encode())
        print(f"{len(rows) * len(OUTPUTS):,} outputs of {len(rows):,} variants of {len(todo)} traces stored")
        return 0
    return compare(rows, chosen.store)


def read(store: Path) -> dict[tuple[str, str], list[str]]:
    """The stored hashes of each trace's variants."""
    with gzip.open(store, "rt", encoding="utf-8", newline="") as file:
        return {(row[0], row[1]): row[2:] for row in csv.reader(file, delimiter="\t")}


def compare(rows: list[tuple[str, ...]], store: Path) -> int:
    """Prints each output that differs from the stored one, and how many do."""
    stored = read(store)
    counts: dict[str, int] = dict.fromkeys(OUTPUTS, 0)
    for name, variant, *hashes in rows:
        before = stored.get((name, variant), ["-"] * len(OUTPUTS))
        changed = [o for o, a, b in zip(OUTPUTS, before, hashes, strict=True) if a != b]
        for output in changed:
            counts[output] += 1
        if changed:
            print(f"{name}, {variant}: {', '.join(changed)}")
    count = sum(counts.values())
    total = len(rows) * len(OUTPUTS)
    print(f"{total - count:,} of {total:,} outputs are the stored ones")
    for output, number in counts.items():
        if number:
            print(f"  {output}: {number:,} differ")
    return 1 if count else 0


def write(todo: list[Job], folder: Path) -> int:
    """Writes every output of the chosen traces into a folder a variant."""
    for path, following, name in todo:
        for variant, change in variants(_read(path), following and _read(following)).items():
            place = folder / name.replace("/", "__") / variant.replace(" ", "-")
            place.mkdir(parents=True, exist_ok=True)
            for output, made in outputs(change()).items():
                (place / output).write_bytes(made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
