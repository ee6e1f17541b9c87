"""A whole trace: what its bytes were, and the sessions in it. What rules of scope "trace" look at."""

from typing import Literal

from msgspec import Struct

from tracelens.reader import Account
from tracelens.sessions.model import Quote
from tracelens.sessions.session import Session

# So large a share of blank lines is no chance.
_MOST = 0.8


class Trace(Struct):
    """The facts about one trace; `verdicts` and `skipped` (rule id, missing contexts) come from its diagnoses.

    `processes` are the names of those that prefixes name, in the order of their first lines; `beyond` counts the lines
    of processes that were not told apart, because there are so many.
    """

    account: Account
    sessions: tuple[Session, ...]
    unknown: int = 0
    unknown_quotes: tuple[Quote, ...] = ()
    interleaved: bool = False
    restarts: int = 0
    shared: int = 0  # items that begin on a line on which another one ends
    verdicts: tuple[str, ...] = ()
    skipped: tuple[tuple[str, tuple[str, ...]], ...] = ()
    unparted: int = 0
    processes: tuple[str, ...] = ()
    beyond: int = 0

    @property
    def newlines(self) -> Literal["normal", "doubled", "none"]:
        """How records are parted: by a newline, by two (a handler adds its own), or run on (a handler adds none)."""
        account = self.account
        if 2 * self.shared > account.records:
            return "none"
        return "doubled" if account.blank_lines > _MOST * account.records else "normal"
