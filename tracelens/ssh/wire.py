"""The data types that SSH messages are made of (RFC 4251 section 5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct


class Truncated(Exception):  # noqa: N818  never leaves the decoders: it becomes the text of a problem
    """A value is longer than the bytes at hand.

    Args:
        hidden: True if the message continues but the trace does not show the bytes, False if the message itself ends.
    """

    def __init__(self, hidden: bool) -> None:
        super().__init__(hidden)
        self.hidden = hidden
        self.beginning: Any = None  # the part of a hidden value that is at hand, where it is of use


class Secret:
    """Bytes that must not be printed: a password, an answer to a prompt, a variable's value.

    It compares by its bytes, and prints as `[secret]` however it is formatted.
    """

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = bytes(value)

    def reveal(self) -> bytes:
        """The bytes themselves."""
        return self._value

    def __repr__(self) -> str:
        return "[secret]"

    def __format__(self, spec: str) -> str:
        return format("[secret]", spec)

    def __eq__(self, other: object) -> bool:
        return self._value == other._value if isinstance(other, Secret) else NotImplemented

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> tuple[type[Secret], tuple[bytes]]:
        return Secret, (self._value,)


class WireReader:
    """Reads wire types from the front of a message.

    Args:
        data: the bytes at hand.
        total: length of the whole message if `data` is only its front.
        start: offset of the first byte to read.
    """

    __slots__ = ("_data", "_end", "_total", "position")

    def __init__(self, data: bytes, total: int | None = None, start: int = 0) -> None:
        self._data = data
        self._total = len(data) if total is None else total
        self._end = min(len(data), self._total)
        self.position = start

    @property
    def left(self) -> int:
        """Unread bytes of the message, whether at hand or not."""
        return max(0, self._total - self.position)

    def take(self, count: int) -> bytes:
        """Read the next `count` bytes."""
        end = self.position + count
        if end > self._end:
            raise Truncated(hidden=end <= self._total)
        data = self._data[self.position : end]
        self.position = end
        return data

    def skip(self, count: int) -> int:
        """Skip `count` bytes of the message, whether at hand or not."""
        if count > self.left:
            raise Truncated(hidden=False)
        self.position += count
        return count

    def boolean(self) -> bool:
        """Read an octet; anything but 0 is true."""
        return self.take(1) != b"\0"

    def uint32(self) -> int:
        """Read four octets, the most significant first."""
        begin = self.position
        end = begin + 4
        if end > self._end:
            raise Truncated(hidden=end <= self._total)
        self.position = end
        return int.from_bytes(self._data[begin:end])

    def uint64(self) -> int:
        """Read eight octets, the most significant first."""
        return int.from_bytes(self.take(8))

    def string(self) -> bytes:
        """Read a length field and that many octets."""
        return self.take(self.uint32())

    def skip_string(self) -> int:
        """Skip a string and return its length."""
        return self.skip(self.uint32())

    def text(self) -> str:
        r"""Read a string as UTF-8; undecodable octets become `\xNN`."""
        begin = self.position
        try:
            return self.string().decode("utf-8", "backslashreplace")
        except Truncated as error:
            if error.hidden and self.position > begin:  # the length was at hand
                error.beginning = self._data[self.position : self._end].decode("utf-8", "backslashreplace")
            raise

    def hexadecimal(self) -> str:
        """Read a string of opaque octets as hexadecimal digits."""
        return self.string().hex()

    def name_list(self) -> tuple[str, ...]:
        """Read comma-separated names; an empty string is an empty list."""
        text = self.text()
        return tuple(text.split(",")) if text else ()

    def mpint(self) -> int:
        """Skip a multiple precision integer and return its length in octets."""
        return self.skip_string()

    def secret_bytes(self) -> bytes:
        """Read a string that must not be printed."""
        return self.string()

    def secret(self) -> Secret:
        """Read a string that must not be printed, wrapped so that it cannot be."""
        return Secret(self.secret_bytes())


class StringSpan(Struct, frozen=True):
    """The position of a string in a message."""

    start: int  # offset of its first octet; its length field is the four octets before
    length: int  # value of the length field, which may exceed the message
    kind: str  # "text", "secret", or "opaque" if the format skips the string


class StringFinder(WireReader):
    """A reader that records the position of each string, also of those that exceed the bytes at hand."""

    __slots__ = ("spans",)

    def __init__(self, data: bytes, total: int | None = None, start: int = 0) -> None:
        super().__init__(data, total, start)
        self.spans: list[StringSpan] = []

    def _record(self, kind: str) -> int:
        length = self.uint32()
        self.spans.append(StringSpan(self.position, length, kind))
        return length

    def string(self) -> bytes:
        """Read a length field and that many octets."""
        return self.take(self._record("text"))

    def secret_bytes(self) -> bytes:
        """Read a string that must not be printed."""
        return self.take(self._record("secret"))

    def skip_string(self) -> int:
        """Skip a string and return its length."""
        return self.skip(self._record("opaque"))


class Field(Struct, frozen=True):
    """One value of a message: its name, and how to read it.

    A value whose name starts with `_` is dropped. The name `*` marks a reader that returns several fields at once.
    """

    name: str
    read: Callable[[WireReader], Any]


class Choice(Struct, frozen=True):
    """The last item of a list: the fields that follow depend on an earlier field `by`.

    If its value has no case, the rest of the message is not read.
    """

    by: str
    cases: Mapping[Any, FieldList]


FieldList = tuple[Field | Choice, ...]


class MessageFormat(Struct, frozen=True):
    """The format of a message."""

    name: str  # becomes `Packet.name`
    fields: FieldList = ()  # the values in their order on the wire
    exact: bool = True  # whether nothing may follow the last value
    head: int = 0x10000  # number of leading bytes needed to read the fields


Types = Mapping[str, Callable[[WireReader], Any]]
_TYPES: Types = {
    "text": WireReader.text, "names": WireReader.name_list, "number": WireReader.uint32, "long": WireReader.uint64,
    "flag": WireReader.boolean, "length": WireReader.skip_string, "secret": WireReader.secret,
    "handle": WireReader.hexadecimal,
}  # fmt: skip


def read_formats(table: str, more_types: Types, head: int = 0x10000) -> dict[str, MessageFormat]:
    """The formats in a table beside this module, by the first column; `messages.tsv` explains the columns."""
    types = {**_TYPES, **more_types}
    cases: dict[str, dict[str | bool, FieldList]] = {}
    formats = {}
    for line in Path(__file__).with_name(table).read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        key, name, size, values, *_ = [*line.split("\t"), "", "", ""]
        items: list[Field | Choice] = []
        for value in values.removesuffix("...").split():
            field, _, kind = value.partition(":")
            items.append(Field(field, types[kind]) if kind else Choice(field[:-1], cases.setdefault(field[:-1], {})))
        by, is_case, case = key.partition("=")
        if is_case:
            cases[by][case == "True" if case in ("True", "False") else case] = tuple(items)
        else:
            formats[key] = MessageFormat(name, tuple(items), not values.endswith("..."), int(size or head))
    return formats


def read_fields(
    fields: FieldList, reader: WireReader, values: dict[str, Any], exact: bool = True, beginnings: bool = False
) -> str | None:
    """Read fields into `values`; if the message is damaged, those before the damage.

    With `beginnings`, what a text that is not all shown begins with is a value too, such as `message_begins`.

    Returns:
        the problem, described without any byte of the message, or None.
    """
    while fields:
        for item in fields:
            if isinstance(item, Choice):
                # The format of an unknown kind is unknown too: any number of bytes may follow.
                exact = exact and values[item.by] in item.cases
                fields = item.cases.get(values[item.by], ())
                break
            try:
                value = item.read(reader)
            except Truncated as error:
                if beginnings and error.beginning:
                    values[f"{item.name}_begins"] = error.beginning
                name = item.name.strip("_*").replace("_", " ") or "values"
                return f"the trace does not show all of the {name}" if error.hidden else f"ends inside the {name}"
            if item.name == "*":
                values.update(value)
            elif item.name[0] != "_":
                values[item.name] = value
        else:
            break
    if exact and reader.left:
        return f"{reader.left} bytes more than the message has"
    return None
