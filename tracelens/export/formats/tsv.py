"""Tab-separated values, UTF-8; otherwise as csv."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tracelens.export.formats import csv

if TYPE_CHECKING:
    import pandas as pd


def write(frames: "Iterator[pd.DataFrame]", path: Path, table: str) -> None:
    """Writes the frames, a header first."""
    csv.write(frames, path, table, sep="\t")
