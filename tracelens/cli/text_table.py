"""Frames -> a table on the terminal."""

import shutil
from typing import Any

from tracelens.cli.output import print_result

_MIN_COLUMN_WIDTH = 12
_MIN_PROSE_WIDTH = 24


def show(frames: Any, dispensable: tuple[str, ...] = (), prose: tuple[str, ...] = ()) -> None:
    """Print frames in the width of the terminal.

    Args:
        frames: the table's parts.
        dispensable: columns that a narrow terminal can omit, the least informative first.
        prose: the first existing one of these columns gets the width that the others leave. Without it,
            the widest columns are cut.
    """
    width = shutil.get_terminal_size((80, 24)).columns
    for frame in frames:
        columns = _columns(frame, omit_empty=bool(dispensable))
        widths = _fit(columns, next((name for name in prose if name in columns), None), dispensable, width)
        for row in zip(*(columns[name] for name in widths), strict=True):
            cells = (_cut(cell, length).ljust(length) for cell, length in zip(row, widths.values(), strict=True))
            print_result("  ".join(cells).rstrip() + "\n")


def _columns(frame: Any, *, omit_empty: bool) -> dict[str, list[str]]:
    """The cells of each column as text, its name first."""
    from tracelens.reports.text import escaped

    names = [name for name in frame.columns if name != "fields" and not (omit_empty and frame[name].isna().all())]
    cells = frame[names].astype(object).where(frame[names].notna(), "")
    return {name: [name, *(escaped(_text(value)) for value in cells[name])] for name in names}


def _fit(columns: dict[str, list[str]], prose: str | None, dispensable: tuple[str, ...], width: int) -> dict[str, int]:
    """The columns to print, with their widths."""
    widths = {name: max(map(len, column)) for name, column in columns.items()}

    def width_without_prose() -> int:
        return sum(length + 2 for name, length in widths.items() if name != prose)

    for name in dispensable:
        if width_without_prose() + (_MIN_PROSE_WIDTH if prose else 0) > width:
            widths.pop(name, None)
    if prose is not None:
        if prose in widths:
            widths[prose] = max(_MIN_COLUMN_WIDTH, width - width_without_prose())
        return widths
    while widths and sum(widths.values()) + 2 * len(widths) - 2 > width and max(widths.values()) > _MIN_COLUMN_WIDTH:
        widths[max(widths, key=lambda name: widths[name])] -= 1
    return widths


def _text(value: Any) -> str:
    return value.strftime("%Y-%m-%d %H:%M:%S") if hasattr(value, "strftime") else str(value)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
