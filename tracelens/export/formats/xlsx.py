"""Excel's workbook, through XlsxWriter: one sheet, texts as texts, so that none is taken for a formula or a link."""

from contextlib import suppress
from io import FileIO
from pathlib import Path
from traceback import clear_frames
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
        OSError: XlsxWriter could not write its file.
    """
    xlsxwriter = needed("xlsxwriter", "xlsx")
    # A row is out of memory when the next one begins: it is in a file beside ours.
    options = {"constant_memory": True, "tmpdir": str(path.parent)}
    options |= {"default_date_format": "yyyy-mm-dd hh:mm:ss", "remove_timezone": True}
    with _File(path, "wb") as file:
        workbook = xlsxwriter.Workbook(file, options)
        try:
            _fill(workbook, frames, path, table)
            workbook.close()
        except xlsxwriter.exceptions.FileCreateError as error:
            why = error.args[0]
            file.given_up = True
            clear_frames(why.__traceback__)  # deletes the archive while its file is open
            raise OSError(why.errno, why.strerror) from error


class _File(FileIO):
    """A file that takes nothing more once it is given up.

    An archive that is deleted unfinished writes its end; an exception there would be printed.
    """

    given_up = False

    def write(self, data: Any) -> int:
        """Write all the data."""
        rest = memoryview(data).cast("B")
        while rest and not self.given_up:
            rest = rest[super().write(rest) :]
        return len(data)


def _fill(workbook: Any, frames: Frames, path: Path, table: str) -> None:
    from datetime import datetime

    workbook.set_properties({"created": datetime(1980, 1, 1)})  # the same table gives the same bytes
    sheet = workbook.add_worksheet(table[:31])
    try:
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
    except BaseException:
        with suppress(Exception):
            sheet._opt_close()  # the rows' file, which `close` would make a sheet of first
        raise


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
