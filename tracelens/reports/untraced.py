"""What a trace does not show because it was not traced, and how to trace it again."""

import re

from msgspec import Struct
from msgspec.structs import replace

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


class Untraced(Struct, frozen=True):
    """What is missing, and the mask that traces it `again`, where that would help.

    `missing` are bits of the trace mask; `ahead` are the subsystems that no session came far enough to need.
    """

    again: bool
    missing: list[trace_mask.Bit]
    ahead: list[str]
    mask: int


def untraced(analysis: Analysis) -> Untraced:
    """What the trace does not have. No login or transfer needs Publickey, only silence needs Socket.

    A transfer by SCP would be seen by its channel.
    """
    trace, sessions = analysis.trace, analysis.sessions
    reached = max((_ORDER[s.phase] for s in sessions), default=0)
    silent = any(s.root_cause in _SILENT for s in sessions)
    needless = ["Publickey"] + ["Socket"] * (not silent) + ["SCP"] * ("Conn" in trace.contexts)
    missing: list[trace_mask.Bit] = []
    ahead = []
    for bit in trace_mask.BITS:
        if bit.context in (*trace.contexts, *needless) or (bit.value == 2 and trace.dumps):
            continue
        if _SPEAKS_FROM.get(bit.context, 0) > reached:
            ahead.append(f"{bit.context} ({bit.value})")
        else:
            missing.append(bit)
    if "Transport" in trace.contexts and not trace.dumps:
        bit = trace_mask.BITS[0]
        missing.insert(0, replace(bit, context="hex dumps", without=bit.without.removeprefix("no hex dumps: ")))
    mask = _WITH_SOCKETS if silent else FULL_MASK
    incomplete = any(notice.id == "trace-mask-incomplete" for notice in analysis.notices)
    again = not sessions or (bool(missing) and (incomplete or any(map(_may_change, sessions))))
    return Untraced(again, missing, ahead, mask)


def _may_change(session: Session) -> bool:
    """Whether another trace could change the diagnosis of a session."""
    if session.verdict == "healthy":
        return False
    if session.root is None:
        return True
    undecided = (r.because for r in session.root.rivals if not r.because.startswith("ruled out"))
    return any(_BY_TRACE.search(because) for because in undecided)
