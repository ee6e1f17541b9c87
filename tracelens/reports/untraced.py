"""What a trace does not show because it was not traced, and how to trace it again."""

import re

from msgspec import Struct

from tracelens.analysis import Analysis, Session
from tracelens.libssh2 import trace_mask

FULL_MASK = 511
_WITH_SOCKETS = 1023
# From which phase on a subsystem has anything to say.
_SPEAKS_FROM = {"Key Ex": 1, "Userauth": 2, "Conn": 3, "SCP": 4, "SFTP": 4}
_ORDER = {"banner": 0, "kex": 1, "auth": 2, "channel": 3, "sftp": 4, "scp": 4, "done": 5}
# What decides between two causes, where a trace can show it.
_BY_TRACE = re.compile(r"\bmask\b|\bpacket [0-9]|\bdumps?\b|\bbit\b")
_SILENT = ("transport-timeout", "banner-timeout", "banner-closed")


class Missing(Struct, frozen=True):
    """A bit of the trace mask that is not in the trace, and what stays unknown without it."""

    context: str
    bit: int
    without: str


class Untraced(Struct, frozen=True):
    """What is missing, and the call that traces it `again`, where that would help.

    `ahead` are the subsystems that no session came far enough to need.
    """

    again: bool
    missing: list[Missing]
    ahead: list[str]
    mask: int
    objectscript: str
    c: str


def untraced(analysis: Analysis) -> Untraced:
    """What the trace does not have. No login or transfer needs Publickey, only silence needs Socket.

    A transfer by SCP would be seen by its channel.
    """
    trace, sessions = analysis.trace, analysis.sessions
    reached = max((_ORDER[s.phase] for s in sessions), default=0)
    silent = any(s.root_cause in _SILENT for s in sessions)
    needless = ["Publickey"] + ["Socket"] * (not silent) + ["SCP"] * ("Conn" in trace.contexts)
    missing, ahead = [], []
    for bit in trace_mask.BITS:
        if bit.context in (*trace.contexts, *needless) or (bit.value == 2 and trace.dumps):
            continue
        if _SPEAKS_FROM.get(bit.context, 0) > reached:
            ahead.append(f"{bit.context} ({bit.value})")
        else:
            missing.append(Missing(bit.context, bit.value, bit.without))
    if "Transport" in trace.contexts and not trace.dumps:
        missing.insert(0, Missing("hex dumps", 2, trace_mask.BITS[0].without.removeprefix("no hex dumps: ")))
    mask = _WITH_SOCKETS if silent else FULL_MASK
    incomplete = any(notice.id == "trace-mask-incomplete" for notice in analysis.notices)
    again = not sessions or (bool(missing) and (incomplete or any(map(_may_change, sessions))))
    return Untraced(again, missing, ahead, mask, trace_mask.objectscript(mask), trace_mask.c_call(mask))


def _may_change(session: Session) -> bool:
    """Whether further tracing could change what is said of a session."""
    if session.verdict == "healthy":
        return False
    if session.root is None:
        return True
    undecided = (r.because for r in session.root.rivals if not r.because.startswith("ruled out"))
    return any(_BY_TRACE.search(because) for because in undecided)
