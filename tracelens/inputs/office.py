"""Documents and workbooks, which are zip archives of XML parts -> their text.

docx and odt give a paragraph a line, xlsx and ods a row a line, with tabs between the cells; sheets follow each other.
"""

import re
import zipfile
from collections.abc import Callable, Iterator
from typing import ClassVar

from tracelens.inputs import workbook
from tracelens.inputs.streams import Read
from tracelens.inputs.xml_text import Lines, Part, attribute, number

# Opens a part of the archive by its name, and returns what reads it.
Open = Callable[[str], Read]

_OPEN_DOCUMENTS = {
    b"application/vnd.oasis.opendocument.text": "odt",
    b"application/vnd.oasis.opendocument.spreadsheet": "ods",
}
_MAIN_PARTS = {"docx": re.compile(r"word/document\d*\.xml"), "xlsx": re.compile(r"xl/workbook\d*\.xml")}
_MAX_REPEATED = 1 << 14  # characters of all repetitions of a cell
_MAX_COLUMNS = 1 << 14
_NO_FORMULA = re.compile(r"(?:\w+:)?(=>.*)")  # a dump's title, which begins with an equals sign
_MAX_BLANKS = 1 << 12  # that one element stands for


def format_of(archive: zipfile.ZipFile) -> str | None:
    """`docx`, `xlsx`, `odt` or `ods`; None for other archives."""
    names = set(archive.namelist())
    if "[Content_Types].xml" in names:
        return next((format for format in _MAIN_PARTS if _main_part(archive, format)), None)
    if {"mimetype", "content.xml"} <= names:
        with archive.open("mimetype") as part:
            return _OPEN_DOCUMENTS.get(part.read(100).strip().removesuffix(b"-template"))
    return None


def _main_part(archive: zipfile.ZipFile, format: str) -> str:
    return min(filter(_MAIN_PARTS[format].fullmatch, archive.namelist()), default="")


def text(format: str, archive: zipfile.ZipFile, open_part: Open, kept_bytes: int) -> Iterator[bytes]:
    """The text of a document or workbook in UTF-8.

    Args:
        format: as `format_of` says.
        archive: the open file.
        open_part: opens one of its parts.
        kept_bytes: how many bytes of a workbook's texts may be kept in a temporary file.

    Raises:
        Exception: a part is damaged or too large.
    """
    if format == "docx":
        yield from _WordPart(Lines()).read(open_part(_main_part(archive, format)))
    elif format == "xlsx":
        names = set(archive.namelist())
        yield from workbook.text(_main_part(archive, format), names, open_part, kept_bytes)
    else:
        yield from _OpenDocumentPart(Lines()).read(open_part("content.xml"))


class _TablePart(Part):
    """A part with paragraphs, and with tables that have paragraphs in their cells."""

    rows: ClassVar[frozenset[str]]
    cells: ClassVar[frozenset[str]]
    paragraphs: ClassVar[frozenset[str]]

    def __init__(self, lines: Lines) -> None:
        super().__init__(lines)
        self._columns = [0]  # for each table around: how many columns after the cell before it the next cell is

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        if name in self.paragraphs:
            self.lines.begin_paragraph()
        elif name in self.rows:
            self.lines.begin_row()
            self._columns.append(0)
        elif name in self.cells:
            self.lines.begin_cell(self._columns[-1])
            self._columns[-1] = number(attribute(attributes, "number-columns-repeated"), 1, _MAX_COLUMNS)

    def end(self, name: str) -> None:
        if name in self.paragraphs:
            self.lines.end_paragraph()
        elif name in self.rows:
            self.lines.end_row()
            self._columns.pop()


class _WordPart(_TablePart):
    """The main part of a docx file."""

    rows, cells, paragraphs = frozenset({"tr"}), frozenset({"tc"}), frozenset({"p"})
    # What is said a second time for old programs, and the place that a text was moved away from.
    skipped = frozenset({"Fallback", "moveFrom"})
    _CHARACTERS: ClassVar[dict[str, str]] = {
        "tab": "\t",
        "ptab": "\t",
        "br": "\n",
        "cr": "\n",
        "noBreakHyphen": "\u2011",
    }

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        if name in self._CHARACTERS and self.stack and self.stack[-1] == "r":  # elsewhere it is a tab stop
            self.lines.write(self._CHARACTERS[name])
        else:
            super().begin(name, attributes)

    def text(self, text: str) -> None:
        if self.stack[-1] == "t":
            self.lines.write(text.replace("\n", " "))


class _OpenDocumentPart(_TablePart):
    """The content of an odt or ods file."""

    rows = frozenset({"table-row"})
    cells = frozenset({"table-cell", "covered-table-cell"})
    paragraphs = frozenset({"p", "h"})
    skipped = frozenset({"annotation", "tracked-changes", "automatic-styles"})

    def __init__(self, lines: Lines) -> None:
        super().__init__(lines)
        self._open_paragraphs = 0
        self._repeated: list[str] = []  # text of the cell, if it stands for several
        self._repeats = 0  # how many more
        self._is_formula = False  # whether the cell's text was taken for a formula, and its paragraphs are an error

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        if self._is_formula:
            return
        super().begin(name, attributes)
        self._open_paragraphs += name in self.paragraphs
        if name in self.cells:
            self._repeated, self._repeats = [], self._columns[-1] - 1
            if title := _NO_FORMULA.fullmatch(attribute(attributes, "formula")):
                self._write(title[1])
                self._is_formula = True
        elif self._open_paragraphs and name == "s":
            self._write(" " * number(attribute(attributes, "c"), 1, _MAX_BLANKS))
        elif self._open_paragraphs and name in ("tab", "line-break"):
            self._write("\t" if name == "tab" else "\n")

    def end(self, name: str) -> None:
        self._is_formula &= name not in self.cells
        if self._is_formula:
            return
        super().end(name)
        self._open_paragraphs -= name in self.paragraphs
        text = "".join(self._repeated)
        if name in self.cells and text:
            for _ in range(min(self._repeats, _MAX_REPEATED // len(text))):
                self.lines.begin_cell(1)
                self.lines.write(text)
            self._columns[-1], self._repeated = 1, []

    def text(self, text: str) -> None:
        if self._open_paragraphs and not self._is_formula:
            self._write(re.sub(r"[ \t\r\n]+", " ", text))

    def _write(self, text: str) -> None:
        self.lines.write(text)
        if self._repeats:
            self._repeated.append(text)
