"""JSON lines: an object a row."""

from pathlib import Path

from tracelens.export.formats import Frames


def write(frames: Frames, path: Path, table: str) -> None:
    """Write the frames, an object a line."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for frame in frames:
            if len(frame):
                frame.to_json(file, orient="records", lines=True, force_ascii=False, double_precision=6)
