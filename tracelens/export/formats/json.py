"""One JSON array of objects, an object a row."""

from pathlib import Path

from tracelens.export.formats import Frames


def write(frames: Frames, path: Path, table: str) -> None:
    """Write the frames as one array, a row a line."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write("[")
        first = True
        for frame in frames:
            rows = frame.to_json(orient="records", lines=True, force_ascii=False, double_precision=6) or ""
            for row in rows.split("\n"):
                if row:
                    file.write("\n" if first else ",\n")
                    file.write(row)
                    first = False
        file.write("\n]\n")
