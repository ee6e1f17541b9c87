"""The line numbers of one document in another: a redacted copy is shown with the lines of its original."""

from functools import cache
from typing import Any, TypeVar, cast

import msgspec
from msgspec import Struct

from tracelens.analysis.places import Line, Record

T = TypeVar("T")


def with_lines_of(copy: T, original: Any) -> T:
    """The copy of a document, or of a part of one, with the lines of the original.

    Raises:
        ValueError: the two do not have the same parts.
    """
    part: Any = copy
    if isinstance(part, Struct | tuple | dict) and type(part) is not type(original):
        raise ValueError(f"{type(part).__name__} in place of {type(original).__name__}")
    if isinstance(part, Struct):
        lines = _line_fields(type(part))
        values = [(name, getattr(part, name), getattr(original, name)) for name in part.__struct_fields__]
        part = type(part)(**{name: its if name in lines else with_lines_of(own, its) for name, own, its in values})
    elif isinstance(part, tuple):
        part = tuple(with_lines_of(*pair) for pair in zip(part, original, strict=True))
    elif isinstance(part, dict):
        part = {key: with_lines_of(value, original.get(key)) for key, value in part.items()}
    return cast(T, part)


@cache
def _line_fields(struct: type[Struct]) -> frozenset[str]:
    return frozenset(field.name for field in msgspec.structs.fields(struct) if field.type in (Line, Record))
