"""The data types that SSH messages are made of (RFC 4251 section 5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct


class Short(Exception):  # noqa: N818  never leaves the decoders: it becomes a problem in words
    """A value runs off the bytes at hand.

    Args:
        hidden: True where the message goes on but a trace does not show the bytes,
            False where the message itself ends.
    """

    def __init__(self, hidden: bool) -> None:
        super().__init__(hidden)
        self.hidden = hidden


class Secret:
    """Bytes that must not be seen: a password, an answer to a prompt, a variable's value.

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


class Reader:
    """Reads wire types (RFC 4251 section 5) from the front of a message.

    Args:
        data: the bytes at hand.
        total: length of the whole message, where `data` is only the front of it.
        start: where to begin.
    """

    __slots__ = ("_data", "_end", "_total", "position")

    def __init__(self, data: bytes, total: int | None = None, start: int = 0) -> None:
        self._data = data
        self._total = len(data) if total is None else total
        self._end = min(len(data), self._total)
        self.position = start

    @property
    def left(self) -> int:
        """Bytes of the message, shown or not, that are not read yet."""
        return max(0, self._total - self.position)

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        end = self.position + count
        if end > self._end:
            raise Short(hidden=end <= self._total)
        data = self._data[self.position : end]
        self.position = end
        return data

    def skip(self, count: int) -> int:
        """Passes over `count` bytes of the message, whether they are at hand or not."""
        if count > self.left:
            raise Short(hidden=False)
        self.position += count
        return count

    def byte(self) -> int:
        """An octet."""
        return self.take(1)[0]

    def boolean(self) -> bool:
        """An octet; anything but 0 is true."""
        return self.take(1) != b"\0"

    def uint32(self) -> int:
        """Four octets, the most significant first."""
        begin = self.position
        end = begin + 4
        if end > self._end:
            raise Short(hidden=end <= self._total)
        self.position = end
        return int.from_bytes(self._data[begin:end])

    def uint64(self) -> int:
        """Eight octets, the most significant first."""
        return int.from_bytes(self.take(8))

    def string(self) -> bytes:
        """A string of octets behind its length."""
        return self.take(self.uint32())

    def skip_string(self) -> int:
        """Passes over a string, and gives its length."""
        return self.skip(self.uint32())

    def text(self) -> str:
        r"""A string in UTF-8; octets that are none read as `\xNN`."""
        return self.string().decode("utf-8", "backslashreplace")

    def hexadecimal(self) -> str:
        """A string of opaque octets as hexadecimal digits."""
        return self.string().hex()

    def name_list(self) -> tuple[str, ...]:
        """Names with commas between them; an empty string is an empty list."""
        text = self.text()
        return tuple(text.split(",")) if text else ()

    def mpint(self) -> int:
        """Passes over a multiple precision integer, and gives its length in octets."""
        return self.skip_string()

    def concealed(self) -> bytes:
        """The octets of a string that must not be seen."""
        return self.string()

    def secret(self) -> Secret:
        """A string that must not be seen."""
        return Secret(self.concealed())

    def rest(self) -> bytes:
        """All bytes at hand that are not read yet."""
        data = self._data[self.position :]
        self.position += len(data)
        return data


class Span(Struct, frozen=True):
    """Where a string stands in a message.

    Args:
        start: place of its first octet; the four before it are its length field.
        length: octets, as the length field says; it may run off the message.
        kind: "text", "secret", or "opaque" for one that the layout passes over.
    """

    start: int
    length: int
    kind: str


class Surveyor(Reader):
    """A reader that notes where the strings stand; those that run off the bytes too."""

    __slots__ = ("spans",)

    def __init__(self, data: bytes, total: int | None = None, start: int = 0) -> None:
        super().__init__(data, total, start)
        self.spans: list[Span] = []

    def _noted(self, kind: str) -> int:
        length = self.uint32()
        self.spans.append(Span(self.position, length, kind))
        return length

    def string(self) -> bytes:
        """A string of octets behind its length."""
        return self.take(self._noted("text"))

    def concealed(self) -> bytes:
        """The octets of a string that must not be seen."""
        return self.take(self._noted("secret"))

    def skip_string(self) -> int:
        """Passes over a string, and gives its length."""
        return self.skip(self._noted("opaque"))


class Field(Struct, frozen=True):
    """One value of a message: its name, and how to read it.

    A name that starts with `_` is read and dropped; the name `*` stands for a reader that gives several
    fields at once.
    """

    name: str
    read: Callable[[Reader], Any]


class Choice(Struct, frozen=True):
    """What follows depends on a field read before; a value without a case leaves the rest unread.

    It is the last of its layout.
    """

    by: str
    cases: Mapping[Any, Layout]


Layout = tuple[Field | Choice, ...]


class Shape(Struct, frozen=True):
    """A message: its name, its values in order, and how strictly its end is known.

    Args:
        name: as `Packet.name` says it.
        layout: the values in their order on the wire.
        exact: nothing may follow the last value.
        head: how many bytes from the front it takes to read the layout.
    """

    name: str
    layout: Layout = ()
    exact: bool = True
    head: int = 0x10000


def read_layout(layout: Layout, reader: Reader, fields: dict[str, Any], exact: bool = True) -> str | None:
    """Reads a layout into `fields`.

    Returns:
        what is wrong, in words that hold no byte of the message, or None. `fields` then has all values
        that stand before the damage.
    """
    while layout:
        for item in layout:
            if isinstance(item, Choice):
                # Bytes after the common part of an unknown kind belong to it; nobody can judge them.
                exact = exact and fields[item.by] in item.cases
                layout = item.cases.get(fields[item.by], ())
                break
            try:
                value = item.read(reader)
            except Short as short:
                name = item.name.strip("_*").replace("_", " ") or "values"
                return f"the trace does not show all of the {name}" if short.hidden else f"ends inside the {name}"
            if item.name == "*":
                fields.update(value)
            elif item.name[0] != "_":
                fields[item.name] = value
        else:
            break
    if exact and reader.left:
        return f"{reader.left} bytes more than the message has"
    return None
