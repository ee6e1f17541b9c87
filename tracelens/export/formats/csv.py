"""Comma-separated values (RFC 4180), UTF-8.

A text that a spreadsheet would take for a formula gets an apostrophe in front.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracelens.export.formats import Frames

if TYPE_CHECKING:
    import pandas as pd

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write(frames: Frames, path: Path, table: str, **options: Any) -> None:
    """Write the frames, a header first."""
    with path.open("w", encoding="utf-8", newline="") as file:
        for number, frame in enumerate(frames):
            tamed(frame).to_csv(file, index=False, header=number == 0, lineterminator="\n", **options)


def tamed(frame: "pd.DataFrame") -> "pd.DataFrame":
    """The frame with no text that begins like a formula."""
    frame = frame.copy()
    for name in frame.columns:
        if frame[name].dtype == "string":
            column = frame[name]
            frame[name] = column.where(~column.str.startswith(_FORMULA, na=False), "'" + column)
    return frame
