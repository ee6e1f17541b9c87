"""Error text -> its names, its phase and its login method, out of the table `error_texts.tsv`."""

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path

from msgspec import Struct


class ErrorText(Struct, frozen=True):
    """What an error text means."""

    name: str = ""  # the name of the first row that matches, such as "auth.password_refused"; empty where none does
    phase: str | None = None  # the phase in which libssh2 prints it, None where several do
    method: str | None = None  # the login method that it is about, None where it is about none in particular
    names: frozenset[str] = frozenset()  # the names of all rows that match, and what stands before the dot in each

    @property
    def awaited_method(self) -> str | None:
        """The login method whose answer libssh2 waits for with this text."""
        return self.method if self.name.endswith("_awaited") else None


class Row(Struct, frozen=True):
    """A row of the table: a text matches it if it contains one of the `words` or fits the `pattern`."""

    name: str
    phase: str | None
    method: str | None
    words: tuple[str, ...]
    pattern: str


@cache
def rows() -> tuple[Row, ...]:
    """Return the table's rows in their order."""
    found = []
    for line in Path(__file__).with_name("error_texts.tsv").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        name, phase, method, texts = line.split("\t")
        words = texts.split(" | ")
        pattern = words.pop()[1:-1] if words[-1].startswith("/") else ""
        found.append(Row(name, phase or None, method or None, tuple(words), pattern))
    return tuple(found)


@lru_cache(4096)  # every rule asks, and traces repeat their errors
def classify(message: str) -> ErrorText:
    """Return what an error text means; a text that no row matches has no name."""
    lower = message.lower()
    matches = []
    for row in rows():
        for word in row.words:
            if word in lower:
                matches.append(row)
                break
        else:
            if row.pattern and re.search(row.pattern, message):
                matches.append(row)
    if not matches:
        return ErrorText()
    first, names = matches[0], [row.name for row in matches]
    return ErrorText(first.name, first.phase, first.method, frozenset(names + [name.split(".")[0] for name in names]))


_ANSWERS: Mapping[str, str] = {
    "password": r"^Password authentication|\(username/password\)",
    "keyboard-interactive": r"^Keyboard-interactive authentication|\(keyboard-interactive\)",
    "publickey": r"^(?:Publickey|Pubkey) authentication|PublicKey combination|signature for supplied public key",
    "hostbased": r"^Hostbased authentication",
    "none": r"^Permitted auth methods",
}


@lru_cache(4096)
def method_answered(text: str) -> str | None:
    """Return the login method whose answer a record reports, in the context Userauth or as an error."""
    return next((method for method, pattern in _ANSWERS.items() if re.search(pattern, text)), None)
