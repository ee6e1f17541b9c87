"""Whether redacted copies of wrapped traces are free of passwords, looked for apart from tracelens's own search."""

import csv
import html
import io
import re
import tempfile
from functools import cache
from pathlib import Path

from tests.wrappings.compare import ROOT, Result, named, plain
from tests.wrappings.forms import Form
from tracelens import inputs, redact
from tracelens.errors import TracelensError

OUTCOMES = ("no secret", "refused", "secret left", "raised")
BARS = dict.fromkeys((False, True), ("no secret in the copy, or no copy", 1.0))
WINDOW = 6  # bytes of a secret in a row that tell it
SHORTEST = 10  # a shorter secret may be an ordinary word
PAIRS = re.compile(rb"(?<![0-9A-Za-z])[0-9A-Fa-f]{2}(?![0-9A-Za-z])")
BLANKS = re.compile("[\N{NO-BREAK SPACE}\u2000-\u200f\u2028-\u202f\ufeff]")


@cache
def secrets() -> dict[str, tuple[bytes, ...]]:
    """The passwords of each trace that has some."""
    with (ROOT / "tests" / "TRUTH.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    found = {row["file"]: tuple(s.encode() for s in row["secrets"].split(";") if len(s) >= SHORTEST) for row in rows}
    return {name: known for name, known in found.items() if known}


def copied(file: Path) -> bytes:
    """The copies of all traces in a file; nothing where none is given out."""
    out = io.BytesIO()
    with redact.Redaction() as redaction:
        names = []
        for found in inputs.find([str(file)]):
            try:
                if isinstance(found, inputs.Source):
                    redaction.survey(found)
                    names.append(found.name)
            except TracelensError:
                continue
        for name in names:
            copy = io.BytesIO()
            try:
                redaction.write(name, copy)
            except TracelensError:
                continue
            out.write(copy.getvalue())
    return out.getvalue()


def windows(copy: bytes, known: tuple[bytes, ...]) -> set[bytes]:
    """The parts of secrets that a copy still has: as text, with entities undone, or as pairs of hex digits."""
    shown = BLANKS.sub(" ", html.unescape(copy.decode("utf-8", "replace"))).encode()
    dumped = bytes.fromhex(b"".join(PAIRS.findall(copy)).decode())
    parts = {secret[at : at + WINDOW] for secret in known for at in range(len(secret) - WINDOW + 1)}
    return {part for part in parts if part in copy or part in shown or part in dumped}


def judged(path: Path, forms: list[Form]) -> list[Result]:
    """The copy of one trace in each form; nothing if no secret of it is known."""
    data, known = plain(path), secrets().get(named(path), ())
    results: list[Result] = []
    if not windows(data, known):
        return results
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "plain.log")
        file.write_bytes(data)
        usual = windows(copied(file), known)
        for form in forms:
            file = Path(folder, form.file)
            file.write_bytes(form.make(data))
            said, why = _copied(file, known, usual)
            file.unlink()
            results.append(Result(form.name, named(path), said, why, 0.0))
    return results


def _copied(file: Path, known: tuple[bytes, ...], usual: set[bytes]) -> tuple[str, str]:
    try:
        copy = copied(file)
    except Exception as error:  # whatever it is, it is a finding
        return "raised", f"{type(error).__name__}: {error}"
    if not copy:
        return "refused", ""
    left = windows(copy, known) - usual
    return ("secret left", f"{len(left)} parts") if left else ("no secret", "")


def is_miss(form: Form, said: str) -> bool:
    """Whether an outcome counts against a form."""
    return said in ("secret left", "raised")
