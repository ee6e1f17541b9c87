"""Where something is in the input: a line and, where records share lines, which record of the line."""

from typing import Annotated, Protocol

from msgspec import Meta, Struct

Line = Annotated[int, Meta(ge=0, description="1-based line of the decompressed input; 0 where there is none")]
_MEANING = "which record of the line it is, counted from 1; left out where no other record begins on the line"
Record = Annotated[int | None, Meta(description=_MEANING)]


class Placed(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What has a place in the trace: its field `line`, and `record` if the line has several records."""

    record: Record = None


class HasPlace(Protocol):
    """A part of the document that has a place."""

    @property
    def line(self) -> int: ...  # noqa: D102
    @property
    def record(self) -> int | None: ...  # noqa: D102


Place = tuple[int, int | None]


def place(part: HasPlace) -> Place:
    """The place of a part: two parts with the same one are about the same record."""
    return part.line, part.record


def at(part: HasPlace) -> str:
    """The place as reports print it, after the word "line"."""
    return str(part.line) if part.record is None else f"{part.line}, record {part.record}"
