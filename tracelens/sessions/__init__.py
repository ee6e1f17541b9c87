"""Events and packets -> sessions: phases, offers, attempts, channels, operations, and what became of each error."""

from tracelens.sessions.assemble import Assembler
from tracelens.sessions.assembly import Assembly
from tracelens.sessions.model import (
    AEAD,
    KNOWN_HOSTS,
    LISTS,
    PHASES,
    REFUSALS,
    Attempt,
    Channel,
    Disconnect,
    Failure,
    Left,
    Operation,
    Phase,
    Quote,
    Request,
    Wait,
)
from tracelens.sessions.session import Session
from tracelens.sessions.trace import Trace
from tracelens.sessions.unanswered import ANSWERED, pending_request, shows_outcomes, went_well

__all__ = [
    "AEAD", "ANSWERED", "KNOWN_HOSTS", "LISTS", "PHASES", "REFUSALS", "Assembler", "Assembly", "Attempt", "Channel",
    "Disconnect", "Failure", "Left", "Operation", "Phase", "Quote", "Request", "Session", "Trace", "Wait",
    "pending_request",
    "shows_outcomes", "went_well",
]  # fmt: skip
