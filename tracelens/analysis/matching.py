"""What a session and a connection of a server's log have in common, fact by fact, and what rules the connection out.

A fact that both show and that differs rules a connection out. Facts that agree are weighed by how many other
connections of the log agree as well: a user who is in all of them says nothing. A weight is in bits: 1 is what one
connection in two would show by chance. What a log does not show at its level is no fact.
"""

import math
import re
from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from tracelens.analysis.document import Attempt, Session
from tracelens.logs.model import Connection, Event

# A log line is written up to so many seconds before or after the client sees what it is about.
_SLACK = 0.6
# PAM answers a wrong password so many seconds after the log has it, at most: pam_fail_delay(3) varies 2 s by half.
_PAM_DELAY = 4.0
WRITTEN = "the trace file was written at that time"
# A trace file was written last so many seconds around the end of its last session.
_WRITTEN = 2.0
_INSTANT = 0.1  # seconds, for clocks that are in step
_ZONE_STEP, ZONES = 900, 14 * 3600  # clocks without a zone differ by a multiple of the one, by the other at most

_ATTEMPTS = {"attempt_failed": "refused", "attempt_partial": "partial", "attempt_accepted": "accepted"}
_ENDS = ("client_disconnected", "client_closed", "server_disconnected", "exited")
_PAST_LOGIN = ("channel", "sftp", "scp", "done")
_SOFTWARE = re.compile(r"SSH-[\d.]+-(\S+)")


class Conflict(Struct, frozen=True):
    """A fact that both sides show, and that differs; `what` completes "no connection fits: ..."."""

    what: str


class Agreement(Struct, frozen=True):
    """A fact that both sides share."""

    what: str
    weight: float


class Fit(Struct):
    """A connection that may be the session.

    Attributes:
        connection: it.
        agreements: what both have in common.
        offset: the least and the greatest number of seconds that the log's clock is ahead of the trace's; None where
            the log has no times.
        weight: how many bits speak for it.
    """

    connection: Connection
    agreements: tuple[Agreement, ...]
    offset: tuple[float, float] | None = None
    weight: float = 0.0

    @property
    def middle(self) -> float:
        """The likeliest offset; 0 where there is none."""
        # Each limit is so far from what it limits, but for the delays of PAM.
        return min(self.offset[0] + _SLACK, sum(self.offset) / 2) if self.offset is not None else 0.0

    def apart(self, at: float | None) -> float:
        """How far its offset is from that of the trace's other sessions."""
        return abs(self.middle - at) if at is not None and self.offset is not None else 0.0


Compared = Iterator[Agreement | Conflict]
Check = Callable[[Session, Connection], Compared]


def fit(session: Session, connection: Connection, written: float | None = None) -> tuple[Fit, list[Conflict]]:
    """Compares a session with a connection: what both have in common, and what rules the connection out.

    Args:
        session: the session.
        connection: a connection of a server's log.
        written: when the trace file was written last, on the trace's clock: seconds since 1970 = trace time + it.
    """
    agreements: list[Agreement] = []
    conflicts: list[Conflict] = []
    for check in _CHECKS:
        for found in check(session, connection):
            if isinstance(found, Conflict):
                conflicts.append(found)
            else:
                agreements.append(found)
    offset = _offset(session, connection, agreements, conflicts)
    if offset is not None:
        agreements += _written(offset, connection, written)
    return Fit(connection, tuple(agreements), offset, sum(a.weight for a in agreements)), conflicts


# -- the software of both sides


def _software(session: Session, connection: Connection) -> Compared:
    found = _SOFTWARE.match(session.server_banner or "")
    if found is None:
        return
    names = {
        "openssh": "OpenSSH",
        "dropbear": "dropbear",
        "mod_sftp": "ProFTPD",
        "sftpgo": "SFTPGo",
        "rclone": "rclone",
    }
    named = next((server for word, server in names.items() if word in found[1].lower()), None)
    is_fixed = connection.server in ("OpenSSH", "dropbear")  # others let their banner be set
    if named != connection.server and (named is not None or is_fixed):
        yield Conflict(f"the server is {named or found[1]}, the log is of {connection.server}")
    elif named is not None:
        yield Agreement(f"the server is {named}", 0.5)


def _ident(session: Session, connection: Connection) -> Compared:
    said = next((event.fields.get("ident") for event in connection.all("client_version")), None)
    found = _SOFTWARE.match(session.client_banner or "")
    if found is None or not isinstance(said, str):
        return
    ident = said.removeprefix("SSH-2.0-").strip()
    if ident.split()[:1] != found[1].split()[:1]:
        yield Conflict(f"the client is {found[1]}, the log has {ident}")
    else:
        yield Agreement(f"the client is {found[1]}", 1.0)


def _user(session: Session, connection: Connection) -> Compared:
    names = {str(e.fields["user"]) for e in connection.events if e.fields.get("user") and e.name != "session_closed"}
    own = {attempt.user for attempt in session.auth if attempt.user} or ({session.user} if session.user else set())
    if not names or not own:
        return
    if not names & own:
        yield Conflict(f"the user is {'/'.join(sorted(own))}")
    else:
        yield Agreement(f"the user is {'/'.join(sorted(names & own))}", 4.0)


# -- key exchange


def _algorithms(session: Session, connection: Connection) -> Compared:
    agreed = {kind: str(name) for event in connection.all("agreed") for kind, name in event.fields.items()}
    agreed = {kind: name for kind, name in agreed.items() if name != "<implicit>"}  # the MAC of an AEAD cipher
    both = {kind: name for kind, name in agreed.items() if session.algorithms.get(kind)}
    differing = [kind for kind, name in both.items() if session.algorithms[kind] != name]
    if differing:
        yield Conflict(f"other algorithms were agreed on ({differing[0]})")
    elif both:
        yield Agreement("the algorithms are the same", min(len(both) / 2, 2.0))


def _offers(session: Session, connection: Connection) -> Compared:
    own = session.offers.client
    if own is None:
        return
    for event in connection.all("server_no_common_algorithm", "kexinit"):
        names = event.fields.get("names")
        if not isinstance(names, tuple) or event.fields.get("side", "client") != "client":
            continue
        kind = str(event.fields.get("kind", ""))
        lists = [own[kind]] if kind in own else [own[kind] for kind in own] if event.name != "kexinit" else []
        if not lists:
            continue
        if not any(names == tuple(offered)[: len(names)] for offered in lists):
            yield Conflict("the client offered other algorithms")
            return
        yield Agreement("the client's offer is the same", 4.0)
        return


# -- login


def _reach(session: Session, connection: Connection) -> Compared:
    """How far both came."""
    is_in = bool(connection.all("attempt_accepted", "session_opened", "channel_started", "sftp_started"))
    tried = connection.all(*_ATTEMPTS)
    past = session.phase in _PAST_LOGIN and session.root_cause != "client-error"
    past = past and (not session.auth or any(attempt.outcome == "accepted" for attempt in session.auth))
    if past and not is_in and (connection.ended or tried):
        yield Conflict("the user was logged in")
    elif session.phase in ("banner", "kex") and (is_in or tried):
        yield Conflict("the session ended before a login was tried")
    elif is_in and session.phase == "auth" and session.auth and session.auth[-1].outcome == "refused":
        yield Conflict("the login failed")
    elif past and is_in:
        yield Agreement("the user was logged in", 0.5)
    if connection.all("server_no_common_algorithm") and session.phase not in ("banner", "kex"):
        yield Conflict("the algorithms were agreed on")


def _methods(session: Session, connection: Connection) -> Compared:
    """The attempts to log in, in their order. At INFO a log lacks some: what it has must be among the session's."""
    logged = [e for e in connection.events if e.name in _ATTEMPTS and e.fields.get("method") not in (None, "none")]
    own = [a for a in session.auth if a.method != "none" and a.outcome != "not-sent"]
    if not own or not (logged or connection.ended):
        return
    pairs = aligned(own, logged)
    if pairs is None:
        yield Conflict("the methods were tried in another order, or with another outcome")
        return
    seen = {id(attempt) for attempt, _ in pairs}
    missing = [a for a in own if id(a) not in seen and _is_always_logged(a)]
    # sshd logs an empty password as the method `none`.
    empty = [e for e in connection.all("attempt_failed") if e.fields.get("method") == "none"]
    if len(missing) > len(empty) and connection.ended and not connection.beyond:
        yield Conflict(f"{missing[0].method} was {missing[0].outcome}")
        return
    if pairs:
        methods = ", ".join(f"{attempt.method} {attempt.outcome}" for attempt, _ in pairs[:4])
        yield Agreement(
            f"the attempts are the same ({methods}{', ...' if len(pairs) > 4 else ''})", 1.0 + len(pairs) / 2
        )


def _is_always_logged(attempt: Attempt) -> bool:
    """Whether each server logs such an attempt at its default level.

    sshd logs an attempt where its privileged process looked at it, which it does for the methods that are allowed.
    """
    is_taken = attempt.method in attempt.remaining
    return attempt.outcome == "accepted" or (is_taken and attempt.method == "password" and attempt.outcome == "refused")


def aligned(own: Sequence[Attempt], logged: Sequence[Event]) -> list[tuple[Attempt, Event]] | None:
    """The log's attempts, each with the session's attempt that it is; None where one is not among them."""
    pairs: list[tuple[Attempt, Event]] = []
    rest = iter(own)
    for event in logged:
        for attempt in rest:
            if _is_same(attempt, event):
                pairs.append((attempt, event))
                break
        else:
            return None
    return pairs


def _is_same(attempt: Attempt, event: Event) -> bool:
    method, outcome = str(event.fields["method"]).partition("/")[0], _ATTEMPTS[event.name]
    return attempt.method == method and attempt.outcome in (outcome, "unanswered")


def _keys(session: Session, connection: Connection) -> Compared:
    events = [event for event in connection.events if event.fields.get("fingerprint")]
    if any("cert" in str(event.fields.get("key_type", "")).lower() for event in events):
        return  # sshd names the key in the certificate, a trace shows the whole
    logged = {str(event.fields["fingerprint"]) for event in events}
    own = {a.fingerprint for a in session.auth if a.fingerprint and "-cert-" not in (a.algorithm or "")}
    forms = {name.partition(":")[0] for name in logged} & {name.partition(":")[0] for name in own}
    if not forms:
        return
    if logged & own:
        yield Agreement("the key's fingerprint is the same", 6.0)
    else:
        yield Conflict("the key is another one")


# -- what came behind the login


def _channels(session: Session, connection: Connection) -> Compared:
    paths = {str(e.fields["path"]) for e in connection.all("sftp_request") if e.fields.get("path")}
    own = {operation.path for operation in session.operations if operation.path and operation.verb != "realpath"}
    if paths and own:
        if paths & own:
            yield Agreement("the paths are the same", 3.0 + min(len(paths & own), 3))
        elif not any(path.endswith("/" + name.lstrip("/")) for path in paths for name in own):
            yield Conflict("other paths were used")
    commands = {str(e.fields["command"]) for e in connection.all("channel_started") if e.fields.get("command")}
    run = {command.command for command in session.commands if command.command}
    if commands & run:
        yield Agreement("the command is the same", 3.0)


def _end(session: Session, connection: Connection) -> Compared:
    said = [str(e.fields["message"]) for e in connection.all("client_disconnected") if e.fields.get("message")]
    if said and any(said[0] in step.what for step in session.steps if step.sender == "client"):
        yield Agreement("the client's last words are the same", 0.3)


_CHECKS: tuple[Check, ...] = (
    _software, _user, _keys, _ident, _reach, _methods, _algorithms, _offers, _channels, _end,
)  # fmt: skip


# -- time


def moments(session: Session, connection: Connection) -> list[tuple[float, Event]]:
    """Moments that both sides have: the trace's time in seconds, and the event of the log."""
    found: list[tuple[float, Event]] = []
    begun = connection.all("connected", "client_version")
    if session.started is not None and begun and session.client_banner:
        found.append((session.started, begun[0]))
    own = [a for a in session.auth if a.method != "none" and a.outcome != "not-sent"]
    logged = [e for e in connection.events if e.name in _ATTEMPTS and e.fields.get("method") not in (None, "none")]
    answers = {id(a): _answered(session, a) for a in own}
    for attempt, event in aligned(own, logged) or ():
        time = answers[id(attempt)]
        if time is not None:
            found.append((time, event))
    ends = connection.all(*_ENDS)
    if session.ended is not None and not session.open and ends:
        found.append((session.ended, ends[0]))
    return found


def _answered(session: Session, attempt: Attempt) -> float | None:
    """When an attempt was answered: the time of the step on its last line, or of the attempt."""
    times = [s.time for s in session.steps if attempt.line <= s.line <= attempt.last_line and s.time is not None]
    return max(times, default=attempt.time)


def _offset(
    session: Session, connection: Connection, agreements: list[Agreement], conflicts: list[Conflict]
) -> tuple[float, float] | None:
    """By how much the log's clock is ahead, at least and at most; the gaps between common moments are compared."""
    pairs = [
        (time, event.stamp, _PAM_DELAY if event.name == "attempt_failed" else _SLACK)
        for time, event in moments(session, connection)
        if event.stamp is not None
    ]
    if not pairs:
        first = connection.events[0].stamp
        if first is None or session.started is None:
            return None
        apart = first.seconds - session.started
        return apart - _SLACK, apart + first.step + _SLACK
    low = max(stamp.seconds - time - _SLACK for time, stamp, _ in pairs)
    high = min(stamp.seconds + (stamp.step if stamp.step >= 1 else 0) - time + late for time, stamp, late in pairs)
    if low > high:
        conflicts.append(Conflict("the gaps between its events are others"))
        return None
    times = [time for time, *_ in pairs]
    spread = max(times) - min(times)
    step = max(stamp.step for _, stamp, _ in pairs)
    bits = math.log2(1 + spread / (step + 2 * _SLACK))
    if bits >= 0.5:
        agreements.append(Agreement(f"the gaps between {len(pairs)} events are the same", min(bits, 6.0)))
    return low, high


def _written(offset: tuple[float, float], connection: Connection, written: float | None) -> Iterator[Agreement]:
    """Whether the trace file was written last when the session ended by the log's clock: within seconds, or at once."""
    stamp = next((event.stamp for event in connection.events if event.stamp is not None), None)
    if written is None or stamp is None:
        return
    middle, half = Fit(connection, (), offset).middle, (offset[1] - offset[0]) / 2
    apart = abs(written - middle)
    if stamp.zone is None or not stamp.has_year:
        # In local time, perhaps without a year: the clocks differ by quarters of an hour.
        if stamp.has_year and apart > ZONES + half:
            return
        apart = min(apart % _ZONE_STEP, -apart % _ZONE_STEP)
    if apart <= _INSTANT and stamp.step < _INSTANT:
        yield Agreement(f"{WRITTEN}, to a tenth of a second", 12.0 if stamp.zone is not None else 10.0)
    elif apart <= half:
        yield Agreement(f"{WRITTEN}, to the second", 9.0 if stamp.zone is not None else 7.0)
    elif apart <= half + _WRITTEN:
        yield Agreement(WRITTEN, 8.0 if stamp.zone is not None else 6.0)
