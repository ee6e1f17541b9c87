"""Tables in which one column holds a trace: CSV and TSV of log collectors and spreadsheets (RFC 4180)."""

import csv
import re
from collections import Counter
from collections.abc import Iterator
from functools import partial
from itertools import islice

from tracelens.errors import UnreadableInput
from tracelens.inputs.unwrap import process_fields
from tracelens.inputs.unwrap.trace_lines import SIGN, Undo, by_lines

NAME = "CSV"
_DELIMITERS = ",;\t|"
_QUOTED = r'"(?:[^"\n]|"")*(?:\[libssh2\]|ssh2_|[0-9a-f]{4}: [0-9A-F]{2} )'
_LONGEST_FIELD = 1 << 24
# Texts of a plain trace contain commas; that so many different ones have as many is no accident.
_ENOUGH_TEXTS = 5
_ROWS = 1024


def find(head: bytes) -> Undo | None:
    """The function that takes the column out if one of a table's columns holds a trace."""
    text = head.decode("latin-1")
    text = text[: text.rfind("\n") + 1] or text
    for delimiter in _DELIMITERS:
        column = _column(text, delimiter)
        if column is not None:
            return partial(_undo, delimiter=delimiter, column=column)
    return None


def _column(text: str, delimiter: str) -> int | None:
    """The column that holds a trace; None if the text is no table, or reads as well without being cut."""
    quoted = re.search(rf"(?:^|{re.escape(delimiter)}){_QUOTED}", text, re.MULTILINE) is not None
    counts = Counter(line.count(delimiter) for line in text.split("\n") if "libssh2]" in line)
    if not quoted and (
        not counts or counts[0] * 10 > counts.total() or counts.most_common(1)[0][1] * 10 < counts.total() * 9
    ):
        return None
    csv.field_size_limit(_LONGEST_FIELD)
    try:
        rows = list(csv.reader(_lines(text), delimiter=delimiter))
    except csv.Error:
        return None
    places = Counter((len(row), number) for row in rows for number in _signs(row))
    if not places:
        return None
    (width, column), count = places.most_common(1)[0]
    if count * 10 < places.total() * 9:
        return None
    if quoted and (width > 1 or len(re.findall(r'"\r?\n', text)) * 2 > len(rows)):
        return column
    return column if _is_cut(rows, width, column, count) else None


def _signs(row: list[str]) -> list[int]:
    """The fields of a row that hold a line of a trace."""
    return [number for number, field in enumerate(row) if SIGN.search(field.encode("latin-1", "replace"))]


def _is_cut(rows: list[list[str]], width: int, column: int, count: int) -> bool:
    """Whether, without quotes, other columns follow the one that holds a trace, rather than commas of its texts."""
    if column + 1 == width or count < 2:
        return False
    has_names = len(rows[0]) == width and all(re.fullmatch(r"[\w@. -]{1,40}", name.strip()) for name in rows[0])
    texts = {
        re.sub(r"[0-9]+", "", row[column]) for row in rows if len(row) == width and SIGN.search(row[column].encode())
    }
    return column > 0 or has_names or len(texts) >= _ENOUGH_TEXTS


def _undo(blocks: Iterator[bytes], delimiter: str, column: int) -> Iterator[bytes]:
    """The column's fields, each on its line or lines."""

    def lines() -> Iterator[str]:
        for block in by_lines(blocks):
            yield from _lines(block.decode("latin-1"))

    rows = csv.reader(lines(), delimiter=delimiter)
    names: dict[int, bytes] | None = None  # of columns, in the first row
    try:
        while some := list(islice(rows, _ROWS)):
            if names is None:
                names = {n: process_fields.plain(name.encode("latin-1", "replace")) for n, name in enumerate(some[0])}
                names = names if process_fields.prefix(dict.fromkeys(names.values(), b"1")) else {}
            fields = [row[column] if column < len(row) else delimiter.join(row) for row in some]
            if names:
                fields = [_with_prefix(field, row, names, column) for field, row in zip(fields, some, strict=True)]
            yield "".join([field if field.endswith("\n") else field + "\n" for field in fields]).encode("latin-1")
    except csv.Error as error:
        raise UnreadableInput("", f"damaged CSV: {error}") from None


def _with_prefix(field: str, row: list[str], names: dict[int, bytes], column: int) -> str:
    """A field with the prefix that other columns give, which name its process."""
    values = {name: row[n].encode("latin-1") for n, name in names.items() if n < len(row) and n != column}
    prefix = process_fields.prefix(values) if column < len(row) else b""
    return process_fields.put_before(prefix, field.encode("latin-1")).decode("latin-1")


def _lines(text: str) -> list[str]:
    """The lines with their newlines; other characters that end a line for Python do not end one here."""
    return [line + "\n" for line in text.removesuffix("\n").split("\n")]
