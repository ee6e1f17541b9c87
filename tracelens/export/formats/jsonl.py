"""JSON lines: an object a row."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def write(frames: "Iterator[pd.DataFrame]", path: Path, table: str) -> None:
    """Writes the frames, an object a line."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for frame in frames:
            if len(frame):
                frame.to_json(file, orient="records", lines=True, force_ascii=False, double_precision=6)
