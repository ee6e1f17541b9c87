"""How many hard cases of redaction leave a secret in the copy.

    python -m tests.redact_cases CASES.tar.xz CASES.tsv [--only PREFIX ...] [--verbose]

The table names a file of the archive and its secrets, in hex and separated by blanks or commas. A case passes if no six
bytes of a secret are in the copy, in any spelling that this command undoes, or if no copy was made. Exit status 1 if a
case fails. The search shares no code with the package.
"""

import argparse
import base64
import csv
import html
import io
import quopri
import re
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote_to_bytes

from tracelens import inputs
from tracelens.errors import TracelensError
from tracelens.redact import Redaction

PART = 6
ROW = re.compile(rb"^[^\n]{0,200}?\b[0-9A-Fa-f]{4,8}:? +((?:[0-9A-Fa-f]{2} {1,2}){1,16})(.*)$", re.M)
MASK = re.compile(rb"hidden-[a-z]{6}")


def copy_of(path: Path) -> bytes | str:
    """The redacted copy of a file, or why there is none."""
    out = io.BytesIO()
    try:
        with Redaction() as redaction:
            for source in inputs.find([str(path)]):
                if isinstance(source, Exception):
                    return str(source)
                redaction.survey(source)
                redaction.write(source.name, out)
    except TracelensError as error:
        return str(error)
    return out.getvalue()


def spellings(copy: bytes) -> Iterator[tuple[str, bytes]]:
    """The copy with each kind of spelling undone, by the kind's name."""
    text = copy.decode("utf-8", "replace")
    yield "plain", copy
    yield "entities", html.unescape(text).encode()
    yield "percent", unquote_to_bytes(copy)
    yield "quoted-printable", quopri.decodestring(copy)
    yield "escapes", re.sub(rb"\\x([0-9a-fA-F]{2})", lambda m: bytes.fromhex(m[1].decode()), copy)
    yield "no NUL", copy.replace(b"\0", b"")
    yield "no blanks", re.sub(rb"\s+", b"", copy)
    yield "no tags", re.sub(rb"<[^<>\n]{1,60}>|\x1b\[[0-9;]*m", b"", copy)
    digits = re.sub(rb"(?i)[^0-9a-f]|0x", b"", ROW.sub(b"", copy)).decode()
    for start in (0, 1):
        yield "hex", bytes.fromhex(digits[start : len(digits) - (len(digits) - start) % 2])
    rows = ROW.findall(copy)
    yield "rows", bytes.fromhex(b"".join(pairs for pairs, _ in rows).decode())
    yield "columns", b"".join(re.sub(rb"^ *:? ?", b"", column) for _, column in rows)
    yield "decimal", bytes(n for n in map(int, re.findall(rb"\b\d{2,3}\b", copy)) if n < 256)
    joined = re.sub(rb"[\r\n\t ]+", b"", copy)
    for run in re.findall(rb"[A-Za-z0-9+/_-]{6,}", copy) + re.findall(rb"[A-Za-z0-9+/_-]{6,}", joined):
        for start in range(4):
            part = run[start:].translate(bytes.maketrans(b"-_", b"+/"))
            yield "base64", base64.b64decode(part[: len(part) // 4 * 4])


def left(copy: bytes, values: list[bytes]) -> str | None:
    """In which spelling six bytes of a secret are left; None if in none."""
    parts = {value[at : at + PART] for value in values for at in range(max(1, len(value) - PART + 1))}
    for kind, data in spellings(copy):
        data = MASK.sub(b"", data)
        if any(part in data for part in parts):
            return kind
    return None


def main() -> int:
    """Redacts each case, searches its copy, and prints the cases that fail and how many pass."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("table", type=Path)
    parser.add_argument("--only", nargs="*", default=[""])
    parser.add_argument("--verbose", action="store_true", help="print each case, not only those that fail")
    options = parser.parse_args()
    passed = count = 0
    with tempfile.TemporaryDirectory() as folder, tarfile.open(options.archive) as archive:
        archive.extractall(folder, filter="data")
        found = {path.name: path for path in Path(folder).rglob("*") if path.is_file()}
        for row in csv.DictReader(options.table.open(), delimiter="\t"):
            if not row["file"].startswith(tuple(options.only)):
                continue
            values = [bytes.fromhex(value) for value in re.split(r"[ ,;]+", row["secrets_hex"]) if value]
            copy = copy_of(found[Path(row["file"]).name])
            kind = None if isinstance(copy, str) else left(copy, values)
            outcome = f"LEFT ({kind})" if kind else "refused" if isinstance(copy, str) else "clean"
            count, passed = count + 1, passed + (kind is None)
            if options.verbose or kind:
                print(f"{outcome:24} {row['file']}  {row['note'] or ''}")
    print(f"{passed} of {count} cases pass")
    return passed < count


if __name__ == "__main__":
    sys.exit(main())
