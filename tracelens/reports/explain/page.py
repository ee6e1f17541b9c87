"""A page of `explain`: its parts, as text and as plain data."""

import textwrap

import msgspec
from msgspec import UNSET, Struct, UnsetType


class Section(Struct, frozen=True):
    """A heading and its lines; each line is a paragraph of its own and not wrapped."""

    heading: str
    lines: tuple[str, ...]


class Named(Struct, frozen=True):
    """A number of the text, and what it is.

    Attributes:
        value: the number, with its sign.
        whose: `libssh2`, `sftp` (a status of the server), `curl` (its exit code), `git` and `gitclass` (libgit2's code
            and class), `knownhost` (the result of a check), `errno`, `libssh`, or `other`.
        name: its name, empty if it has none here.
        written: how it stands in the text.
    """

    value: int
    whose: str
    name: str
    written: str


class Explanation(Struct, frozen=True, rename={"body": "sections"}):
    """One page.

    Attributes:
        title: the proper name of what the query is about.
        kind: `finding`, `libssh2-error`, `intersystems-status`, `error-text`, `trace-line`, `ssh-disconnect`,
            `channel-open-failure`, `sftp-status`, `curl-exit-code`, `libgit2-code`, `known-hosts-check`,
            `system-error`, `other-number`, `name-and-number-differ`, `program-line`,
            `other-program` or `libssh2-release`.
        body: the page itself.
        see_also: what `explain` takes too and leads on from here, mostly finding ids.
        program: the program or library whose line it is, where the text shows it.
        numbers: the numbers in the text, and whose they are.
    """

    title: str
    kind: str
    body: tuple[Section, ...]
    see_also: tuple[str, ...] = ()
    program: str | UnsetType = UNSET
    numbers: tuple[Named, ...] | UnsetType = UNSET

    def to_json(self) -> dict[str, object]:
        """The page as plain data."""
        plain: dict[str, object] = msgspec.json.decode(msgspec.json.encode(self))
        return plain

    def to_text(self, width: int = 100) -> str:
        """The page as plain text, wrapped; a finding's page keeps its own lines."""
        wrap = textwrap.TextWrapper(width, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False).wrap
        blocks = [textwrap.fill(self.title, width, subsequent_indent="  ", break_on_hyphens=False)]
        for part in self.body:
            finding = self.kind == "finding"
            lines = part.lines if finding else [piece for line in part.lines for piece in wrap(line)]
            blocks.append("\n".join([part.heading, *lines] if part.heading else lines))
        if self.see_also:
            blocks.append("\n".join(["See also", *(f"  {name}" for name in self.see_also)]))
        return "\n\n".join(blocks) + "\n"
