"""Known defects of libssh2's releases, out of the table `known_defects.toml`."""

import re
import tomllib
from functools import cache
from pathlib import Path

import msgspec
from msgspec import Struct

from tracelens.libssh2 import errors


class Defect(Struct, frozen=True, forbid_unknown_fields=True):
    """A known defect.

    Attributes:
        id: its name here.
        first: the first release that has it, such as "1.8.1"; "1.10.1_DEV" is the main branch before 1.10.1.
        last: the last release that has it.
        fixed: the first release without it, empty where none is known.
        codes: the numbers of the errors as which it shows.
        events: names of the error's text in `error_texts.tsv`, any of them.
        says: what goes wrong.
        do: the way round.
        source: where it is reported or fixed.
        backend: the crypto library or system that it needs, empty for any.
        text: a pattern for the whole text where `events` are not enough, in any case.
        number_tells: whether the number without a text is enough to name it.
        retry: whether another attempt may simply work.
    """

    id: str
    first: str
    last: str
    fixed: str
    codes: tuple[int, ...]
    events: tuple[str, ...]
    says: str
    do: str
    source: str
    backend: str = ""
    text: str = ""
    number_tells: bool = False
    retry: bool = False

    @property
    def releases(self) -> str:
        """The releases that have it, in words."""
        return _spoken(self.first) if self.first == self.last else f"{_spoken(self.first)} to {_spoken(self.last)}"

    @property
    def remedy(self) -> str:
        """Since when it is fixed, in words."""
        if self.fixed.endswith("_DEV"):
            return "fixed on the main branch"
        return f"fixed in {self.fixed}" if self.fixed else "no fix is named"

    def is_in(self, release: str) -> bool:
        """Whether a release has it."""
        return _rank(self.first) <= _rank(release) <= _rank(self.last)

    def shows_as(self, code: int | None, text: str) -> bool:
        """Whether an error may be due to it: its number, None if unknown, and its text, empty if unknown."""
        if code is not None and code not in self.codes:
            return False
        if not text:
            return code is not None and self.number_tells
        named = not errors.classify(text).names.isdisjoint(self.events)
        return named and (not self.text or re.fullmatch(self.text, text.strip(), re.IGNORECASE) is not None)


@cache
def known() -> tuple[Defect, ...]:
    """Return all known defects."""
    data = tomllib.loads(Path(__file__).with_name("known_defects.toml").read_text(encoding="utf-8"))
    return msgspec.convert(data["defect"], tuple[Defect, ...])


def release_in(text: str) -> str | None:
    """Return the release of libssh2 that a text names, such as 1.11.0 of `libssh2/1.11.0`; None if it names none."""
    found = re.search(r"(?i)libssh2[-/_ ]\(?(?:version |v)?(1\.\d{1,2}(?:\.\d{1,2})?(?:_DEV)?)(?![\w.])", text)
    return found[1] if found else None


def _spoken(release: str) -> str:
    return f"the main branch before {release[:-4]}" if release.endswith("_DEV") else release


def _rank(release: str) -> tuple[int, ...]:
    """What orders releases; the main branch before a release is before it."""
    numbers = [int(number) for number in re.findall(r"\d{1,4}", release)[:3]]
    return (*numbers, *(0,) * (3 - len(numbers)), 0 if release.upper().endswith("DEV") else 1)
