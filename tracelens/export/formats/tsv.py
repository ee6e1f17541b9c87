"""Tab-separated values, UTF-8; otherwise as csv."""

from pathlib import Path

from tracelens.export.formats import Frames, csv


def write(frames: Frames, path: Path, table: str) -> None:
    """Write the frames, a header first."""
    csv.write(frames, path, table, sep="\t")
