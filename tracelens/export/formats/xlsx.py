"""Excel's workbook, through XlsxWriter: one sheet, texts as texts, so that none is taken for a formula or a link."""

from pathlib import Path
from typing import Any

from tracelens.errors import BadOutput
from tracelens.export.formats import Frames, needed, rows

# Excel's own limits.
ROWS = 1_048_576
CELL = 32_767
_CUT = " [cut: longer than a cell]"


def write(frames: Frames, path: Path, table: str) -> None:
    """Write the frames, row by row.

    Raises:
        BadOutput: XlsxWriter is not installed, or the table has more rows than a sheet can hold.
    """
    from datetime import datetime

    xlsxwriter = needed("xlsxwriter", "xlsx")
    # A row is out of memory when the next one begins.
    options = {"constant_memory": True, "default_date_format": "yyyy-mm-dd hh:mm:ss", "remove_timezone": True}
    workbook = xlsxwriter.Workbook(str(path), options)
    workbook.set_properties({"created": datetime(1980, 1, 1)})  # the same table gives the same bytes
    try:
        sheet = workbook.add_worksheet(table[:31])
        sheet.freeze_panes(1, 0)
        bold = workbook.add_format({"bold": True})
        row = 0
        for frame in frames:
            names = list(frame.columns)
            if row == 0:
                for column, name in enumerate(names):
                    sheet.write_string(0, column, name, bold)
                    sheet.set_column(column, column, 60 if name in ("text", "summary", "fields", "path") else 14)
            for values in rows(frame):
                row += 1
                if row >= ROWS:
                    why = f"more than {ROWS - 1:,} rows, which no sheet holds: write parquet or csv"
                    raise BadOutput(path.name, why)
                for column, value in enumerate(values):
                    _put(sheet, row, column, value)
        if row:
            sheet.autofilter(0, 0, row, len(names) - 1)
    finally:
        workbook.close()


def _put(sheet: Any, row: int, column: int, value: Any) -> None:
    if value is None:
        return
    if isinstance(value, bool):
        sheet.write_boolean(row, column, value)
    elif isinstance(value, int | float):
        sheet.write_number(row, column, value)
    elif isinstance(value, str):
        sheet.write_string(row, column, value if len(value) <= CELL else value[: CELL - len(_CUT)] + _CUT)
    else:
        sheet.write_datetime(row, column, value.to_pydatetime())
