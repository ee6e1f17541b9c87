"""A whole trace: what its bytes were, and the sessions in it. What rules of scope "trace" look at."""

from dataclasses import dataclass

from tracelens.records import Account
from tracelens.sessions.model import Quote, Session


@dataclass(slots=True)
class Trace:
    """The facts about one trace; `verdicts` and `skipped` (rule id, missing contexts) come from its diagnoses."""

    account: Account
    sessions: tuple[Session, ...]
    unknown: int = 0
    unknown_quotes: tuple[Quote, ...] = ()
    interleaved: bool = False
    restarts: int = 0
    verdicts: tuple[str, ...] = ()
    skipped: tuple[tuple[str, tuple[str, ...]], ...] = ()
    unparted: int = 0
