"""Error text -> its names, its phase and its login method, out of the table `error_texts.tsv`."""

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path

from msgspec import Struct

from tracelens.libssh2 import messages

_LONGEST = 300  # no error text of libssh2 has half as many characters


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


_BARE = re.compile(
    r"(?:\[libssh2\])?\s*(?:[0-9]+\.[0-9]*\s+)?(?:Failure Event:\s*)?"
    r"(?P<before>-[0-9]{1,2}(?![0-9]))?[\s,:-]*(?P<text>[A-Za-z].*?)[\s.]*(?:[,:(\[\s]+(?P<after>-[0-9]{1,2})[)\].\s]*)?",
    re.DOTALL,
)
_NUMBER = re.compile(r"(?<![\w.-])-[0-9]{1,2}(?![\w.])")


def bare_error(record: str, nearby: str = "") -> tuple[int | None, str] | None:
    """Return the number and the text of an error whose record lacks its number or its context; None if it is none.

    Args:
        record: the record, which a program shortened.
        nearby: the program's own line before it, which may have the number.
    """
    found = _BARE.fullmatch(record) if len(record) <= _LONGEST else None
    known = messages.error_texts(found["text"]) if found is not None else []
    if found is None or not known:
        return None
    told = found["before"] or found["after"]
    codes = messages.codes_for(known[0].text)
    if told is not None:
        return int(told), known[0].text
    if len(codes) == 1:
        return codes[0], known[0].text
    numbers = map(int, _NUMBER.findall(nearby[:_LONGEST]))
    return next((number for number in numbers if number in codes), None), known[0].text


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
