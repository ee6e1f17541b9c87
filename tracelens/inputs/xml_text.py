"""XML parts of office files -> their text: a paragraph or a row of a table a line, with tabs between the cells.

Python's expat reads the XML in steps. A part that declares a document type is refused, so that there are no entities;
depth and the length of a tag are bounded.
"""

from collections.abc import Iterator
from typing import Any, ClassVar

from tracelens.inputs.streams import Read

_STEP = 1 << 14  # small, because what a block expands to is kept in memory
_MAX_WAITING = 64 << 20  # characters that a block may expand to
_MAX_DEPTH = 1000
_MAX_TAG = 4 << 20  # bytes without an event: expat keeps a tag or a comment until its end
_MAX_COLUMNS = 1 << 14


class Lines:
    """Text that grows by paragraphs, rows and cells. `take` gives what is there and forgets it."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._size = 0
        self._is_line_open = False  # whether the current line has text
        self._is_newline_due = False
        self._tabs_due = 0
        self._rows = 0  # in one another
        self._has_row_text = self._has_cell_text = False

    def take(self) -> bytes:
        """The text since the last call, in UTF-8."""
        text = "".join(self._parts)
        self._parts.clear()
        self._size = 0
        return text.encode("utf-8", "replace")

    def write(self, text: str) -> None:
        """Add text to the current line."""
        if text:
            self._flush()
            self._parts.append(text)
            self._size += len(text)
            if self._size > _MAX_WAITING:
                raise ValueError("too much text in too few elements")
            self._is_line_open = self._has_row_text = self._has_cell_text = True

    def _flush(self) -> None:
        self._parts.append("\n" * self._is_newline_due + "\t" * self._tabs_due)
        self._size += self._tabs_due
        self._is_newline_due, self._tabs_due = False, 0

    def begin_paragraph(self) -> None:
        """End the line of a text that the paragraph interrupts, as that of a text box does."""
        if self._is_line_open and not self._tabs_due:
            self._end_line()

    def end_paragraph(self) -> None:
        """End the line, also an empty one, unless the next cell may go on in it."""
        if self._has_cell_text or not self._rows:
            self._flush()
            self._end_line()

    def begin_row(self) -> None:
        """Begin a row of a table."""
        self.begin_paragraph()
        self._rows += 1
        self._has_row_text = False

    def end_row(self) -> None:
        """End the row; one without text is left out."""
        self._rows = max(0, self._rows - 1)
        self._tabs_due = 0
        if self._has_row_text:
            self._end_line()

    def begin_cell(self, columns: int) -> None:
        """Begin a cell, so many columns after the one before it in the row."""
        if self._has_row_text:
            self._is_newline_due = False
        self._tabs_due = min(self._tabs_due + columns, _MAX_COLUMNS)
        self._has_cell_text = False

    def _end_line(self) -> None:
        self._is_newline_due, self._is_line_open = True, False


class Part:
    """Receives the events of an XML part; names are without their prefix. Subclasses say what becomes text."""

    skipped: ClassVar[frozenset[str]] = frozenset()  # elements that are left out with all that is in them

    def __init__(self, lines: Lines) -> None:
        self.lines = lines
        self.stack: list[str] = []
        self._skipped_depth = 0  # of the element that is being left out

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins; it is not on the stack yet."""

    def end(self, name: str) -> None:
        """An element ends; it is no longer on the stack."""

    def text(self, text: str) -> None:
        """Text in the element at the top of the stack."""

    def read(self, read: Read) -> Iterator[bytes]:
        """The text of the part, block by block.

        Raises:
            ValueError: it is no XML, or too much of it.
        """
        from xml.parsers import expat

        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._begin
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = _refuse_doctype
        self._silent = 0
        try:
            while block := read(_STEP):
                self._silent += len(block)
                parser.Parse(block, False)
                if self._silent > _MAX_TAG:
                    raise ValueError("too long a tag")
                yield self.lines.take()
            parser.Parse(b"", True)
        except expat.ExpatError as error:
            raise ValueError(str(error)) from None
        finally:
            parser.StartElementHandler = parser.EndElementHandler = parser.CharacterDataHandler = None  # a cycle
        yield self.lines.take()

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        self._silent = 0
        name = name.rpartition(":")[2]
        if not self._skipped_depth:
            if name in self.skipped:
                self._skipped_depth = len(self.stack) + 1
            else:
                self.begin(name, attributes)
        self.stack.append(name)
        if len(self.stack) > _MAX_DEPTH:
            raise ValueError("elements too deep in one another")

    def _end(self, _: str) -> None:
        self._silent = 0
        name = self.stack.pop()
        if not self._skipped_depth:
            self.end(name)
        elif len(self.stack) < self._skipped_depth:
            self._skipped_depth = 0

    def _text(self, text: str) -> None:
        self._silent = 0
        if not self._skipped_depth:
            self.text(text)


def _refuse_doctype(*_: Any) -> None:
    raise ValueError("it declares a document type, which no office program writes")


def attribute(attributes: dict[str, str], name: str) -> str:
    """The value of an attribute whose name is given without its prefix; empty if there is none."""
    return next((value for key, value in attributes.items() if key.rpartition(":")[2] == name), "")


def number(text: str, default: int, largest: int) -> int:
    """A number in an attribute, within bounds."""
    return min(int(text), largest) if text.isascii() and text.isdigit() and len(text) < 10 else default
