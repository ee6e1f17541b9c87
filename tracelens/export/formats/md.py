"""A Markdown table (GitHub's); nothing in a cell is taken for markup, or ends the cell."""

import re
from pathlib import Path
from typing import Any

from tracelens.export.formats import Frames, rows

_MARKUP = re.compile(r"([\\`*_{}\[\]()#+!|~<>&])")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def write(frames: Frames, path: Path, table: str) -> None:
    """Write the frames as one table."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for number, frame in enumerate(frames):
            if number == 0:
                names = list(frame.columns)
                file.write(f"| {' | '.join(names)} |\n| {' | '.join(['---'] * len(names))} |\n")
            for row in rows(frame, absent=""):
                file.write(f"| {' | '.join(map(_cell, row))} |\n")


def _cell(value: Any) -> str:
    return _CONTROL.sub(lambda c: ascii(c[0])[1:-1].replace("\\", "\\\\"), _MARKUP.sub(r"\\\1", str(value)))
