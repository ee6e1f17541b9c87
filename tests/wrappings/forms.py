"""What a form is, and the list of all forms."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass

Make = Callable[[bytes], bytes]

MODULES = ("collectors", "columns", "markup", "mail", "office", "escapes", "characters", "losses", "nested")


@dataclass(frozen=True)
class Form:
    """A way in which a trace arrives.

    Attributes:
        name: as `--only` takes it.
        make: the bytes of a trace -> the bytes of the wrapped file.
        file: the name of the wrapped file.
        lossy: whether something of the trace is lost, so that the facts may be fewer.
        exact: whether bytes that are no UTF-8 survive; a form of text has U+FFFD in their place.
    """

    name: str
    make: Make
    file: str
    lossy: bool = False
    exact: bool = False


FORMS: dict[str, Form] = {}


def form(name: str, file: str, *, lossy: bool = False, exact: bool = False) -> Callable[[Make], Make]:
    """Add a function to the forms."""

    def add(make: Make) -> Make:
        assert name not in FORMS, name
        FORMS[name] = Form(name, make, file, lossy, exact)
        return make

    return add


def every_form() -> dict[str, Form]:
    """All forms by name."""
    for module in MODULES:
        importlib.import_module(f"tests.wrappings.{module}")
    return FORMS


def text(data: bytes) -> str:
    """The text of a trace, as a program shows it that takes it for UTF-8."""
    return data.decode("utf-8", "replace")


def lines(data: bytes) -> list[str]:
    """The lines of a trace without their ends."""
    found = text(data).split("\n")
    return found if found[-1] else found[:-1]


def each(wrap: Callable[[str], str], before: str = "", after: str = "") -> Make:
    """A form that wraps each line, one below the other."""
    return lambda data: (before + "".join(wrap(line) + "\n" for line in lines(data)) + after).encode()
