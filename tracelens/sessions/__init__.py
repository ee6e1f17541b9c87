"""Events and packets -> sessions: phases, offers, attempts, channels, operations, and what became of each error."""

from tracelens.sessions.assemble import Assembler
from tracelens.sessions.model import (
    AEAD,
    ANSWERED,
    LISTS,
    PHASES,
    Attempt,
    Channel,
    Disconnect,
    Failure,
    Operation,
    Phase,
    Quote,
    Request,
    Session,
    Wait,
)
from tracelens.sessions.trace import Trace

__all__ = [
    "AEAD",
    "ANSWERED",
    "LISTS",
    "PHASES",
    "Assembler",
    "Attempt",
    "Channel",
    "Disconnect",
    "Failure",
    "Operation",
    "Phase",
    "Quote",
    "Request",
    "Session",
    "Trace",
    "Wait",
]
