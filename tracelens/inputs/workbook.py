"""An xlsx file -> the text of its sheets in their order, a row a line, with tabs between the cells."""

import re
from array import array
from collections.abc import Callable, Iterator
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import Self

from tracelens.errors import UnreadableInput
from tracelens.inputs.streams import Read
from tracelens.inputs.xml_text import Lines, Part, attribute, number

_MAX_CELL = 1 << 20  # characters; Excel allows 32,767
_MAX_COLUMNS = 1 << 14
_MAX_STRINGS = 1 << 23
_MAX_SHEETS = 10_000
_IN_MEMORY = 8 << 20
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")


def text(main: str, names: set[str], open_part: Callable[[str], Read], kept_bytes: int) -> Iterator[bytes]:
    """The text of all sheets in UTF-8.

    Args:
        main: the name of the workbook's main part.
        names: of all parts.
        open_part: opens a part.
        kept_bytes: how many bytes of text may be kept in a temporary file: most cells only point to a text.

    Raises:
        UnreadableInput, ValueError: a part is damaged or too large.
    """
    folder, _, file = main.rpartition("/")
    relations = _Attributes("Relationship", ("Id", "Target"))
    _read_through(relations, open_part(f"{folder}/_rels/{file}.rels"))
    sheets = _Attributes("sheet", ("id",))
    _read_through(sheets, open_part(main))
    paths = {
        key: target.lstrip("/") if target.startswith("/") else f"{folder}/{target}" for key, target in relations.found
    }
    with _Strings(kept_bytes) as strings:
        if f"{folder}/sharedStrings.xml" in names:
            _read_through(_StringsPart(strings), open_part(f"{folder}/sharedStrings.xml"))
        for (key,) in sheets.found:
            if paths.get(key) in names:
                lines = Lines()
                yield from _SheetPart(lines, strings).read(open_part(paths[key]))
                yield b"\n"


def _read_through(part: Part, read: Read) -> None:
    for _ in part.read(read):
        pass


class _Attributes(Part):
    """Collects some attributes of all elements of one name."""

    def __init__(self, name: str, wanted: tuple[str, ...]) -> None:
        super().__init__(Lines())
        self.found: list[tuple[str, ...]] = []
        self._name, self._wanted = name, wanted

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        if name == self._name:
            self.found.append(tuple(attribute(attributes, wanted) for wanted in self._wanted))
            if len(self.found) > _MAX_SHEETS:
                raise ValueError("too many sheets")


class _Strings:
    """The texts of a workbook by their number, in a temporary file if they are large."""

    def __init__(self, kept_bytes: int) -> None:
        self._file = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115  `__exit__` closes it
        self._ends = array("Q", [0])
        self._kept_bytes = kept_bytes

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def add(self, text: str) -> None:
        """Add the next text."""
        end = self._ends[-1] + self._file.write(text.encode("utf-8", "replace"))
        self._ends.append(end)
        if end > self._kept_bytes:
            raise UnreadableInput("", f"unfolds beyond the limit: kept_bytes = {self._kept_bytes:,}")
        if len(self._ends) > _MAX_STRINGS:
            raise ValueError("too many texts")

    def get(self, place: int) -> str:
        """The text of a number; empty if there is none."""
        if not 0 <= place < len(self._ends) - 1:
            return ""
        self._file.seek(self._ends[place])
        return self._file.read(self._ends[place + 1] - self._ends[place]).decode()


class _CellText(Part):
    """A part whose texts are collected to their end; phonetic hints are left out."""

    skipped = frozenset({"rPh"})

    def __init__(self, lines: Lines) -> None:
        super().__init__(lines)
        self._parts: list[str] = []
        self._size = 0

    def text(self, text: str) -> None:
        if self.stack[-1] == "t":
            self._add(text)

    def _add(self, text: str) -> None:
        self._parts.append(text)
        self._size += len(text)
        if self._size > _MAX_CELL:
            raise ValueError("too long a text in a cell")

    def _taken(self) -> str:
        text = "".join(self._parts)
        self._parts, self._size = [], 0
        return _ESCAPE.sub(lambda code: chr(int(code[1], 16)), text) if "_x" in text else text


class _StringsPart(_CellText):
    """The part with the texts that cells point to."""

    def __init__(self, strings: _Strings) -> None:
        super().__init__(Lines())
        self._strings = strings

    def end(self, name: str) -> None:
        if name == "si":
            self._strings.add(self._taken())


class _SheetPart(_CellText):
    """A sheet."""

    def __init__(self, lines: Lines, strings: _Strings) -> None:
        super().__init__(lines)
        self._strings = strings
        self._kind, self._formula = "", ""
        self._column = self._last = 0  # of the cell, and of the last one before it with a place in the line

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        if name == "row":
            self.lines.begin_row()
            self._column = self._last = 0
        elif name == "c":
            self._kind, self._formula = attributes.get("t", ""), ""
            self._column = _column(attributes.get("r", "")) or self._column + 1

    def text(self, text: str) -> None:
        if self.stack[-1] == "f":
            self._formula += text if len(self._formula) < _MAX_CELL else ""
        elif self.stack[-1] in ("v", "t"):
            self._add(text)

    def end(self, name: str) -> None:
        if name == "row":
            self.lines.end_row()
        elif name == "c":
            value = self._taken()
            if self._kind == "s":
                value = self._strings.get(number(value.strip(), -1, _MAX_STRINGS))
            if self._formula.startswith(">"):  # a text that begins with "=>": no formula begins so
                value = "=" + self._formula
            if value:
                self.lines.begin_cell(max(0, self._column - max(self._last, 1)))
                self.lines.write(value.replace("\r\n", "\n"))
                self._last = self._column


def _column(place: str) -> int:
    """The number of a cell's column, counted from 1, by its place such as AB12; 0 if it says none."""
    column = 0
    for letter in place[:3]:
        if "A" <= letter <= "Z":
            column = column * 26 + ord(letter) - 64
    return min(column, _MAX_COLUMNS)
