"""A table on the terminal."""

import shutil
from typing import Any

from tracelens.cli.output import print_result

_NARROWEST = 12


def show(frames: Any, dispensable: tuple[str, ...] = (), prose: tuple[str, ...] = ()) -> None:
    """Prints frames as wide as the terminal is.

    Args:
        frames: the table's parts.
        dispensable: columns that a narrow terminal can do without, the least telling first.
        prose: the first of these that is there is cut to what the others leave. Without it, and where that is not
            enough, the widest columns are cut.
    """
    from tracelens.reports.text import escaped

    width = shutil.get_terminal_size((80, 24)).columns
    for frame in frames:
        names = [name for name in frame.columns if name != "fields" and not (dispensable and frame[name].isna().all())]
        cells = frame[names].astype(object).where(frame[names].notna(), "")
        columns = {name: [name, *(escaped(_text(value)) for value in cells[name])] for name in names}
        widths = {name: max(map(len, column)) for name, column in columns.items()}
        running = next((name for name in prose if name in columns), None)
        for name in dispensable:
            fixed = sum(widths[n] + 2 for n in columns if n != running)
            if fixed + (24 if running else 0) > width and name in columns:
                del columns[name]
        if running is not None:
            widths[running] = max(_NARROWEST, width - sum(widths[n] + 2 for n in columns if n != running))
        elif columns:
            _fit({name: widths[name] for name in columns}, widths, width)
        for row in zip(*columns.values(), strict=True):
            shown = (_cut(cell, widths[name]).ljust(widths[name]) for name, cell in zip(columns, row, strict=True))
            print_result("  ".join(shown).rstrip() + "\n")


def _fit(own: dict[str, int], widths: dict[str, int], width: int) -> None:
    while sum(own.values()) + 2 * len(own) - 2 > width and max(own.values()) > _NARROWEST:
        widest = max(own, key=lambda name: own[name])
        own[widest] -= 1
    widths.update(own)


def _text(value: Any) -> str:
    return value.strftime("%Y-%m-%d %H:%M:%S") if hasattr(value, "strftime") else str(value)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
