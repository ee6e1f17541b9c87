"""Requests without an answer, how long they waited, and error texts that hide a lost connection."""

from tracelens.rules.base import Rival
from tracelens.sessions import ANSWERED, Attempt, Failure, Quote, Session

# The causes that fit any silence: every rule that explains more of the same failure outranks them.
NO_ANSWER = ("transport-timeout", "transport-connection-lost")
# The errors of a TCP connection that is gone; -13 also comes with a received disconnect.
LOST = (-43, -13, -7, -1)
TIMED_OUT = (-9, -30)
# A wait this short (seconds) is no timeout, whatever the text says: the peer went away.
AT_ONCE = 0.5
# A shorter time (seconds) would be printed as 0.0 s.
_SHORTEST = 0.1
# A pause this long (seconds) before a request is one that firewalls and servers call idle.
IDLE = 60.0
# Errors with a number of their own that libssh2 prints when the connection ended while it waited for the answer.
_HIDDEN = {
    -9: ("Would block waiting",),
    -14: ("Failed to require the PTY", "Failed to request auth-agent"),
    -18: ("Waiting for keyboard USERAUTH response",),
    -19: ("Waiting for USERAUTH response", "Waiting for publickey USERAUTH response"),
}
_AWAITED = ("SSH_FXP_VERSION", "response from SFTP subsystem")


def disconnect_error(session: Session, failed: Failure) -> Quote | None:
    """The "socket disconnect" of a received SSH_MSG_DISCONNECT: libssh2 prints it for nothing else."""
    if failed.code not in LOST:
        return None
    errors = (f for f in session.failures if f.code == -13 and f.is_("socket.closed"))
    return next((f.quote for f in errors if f.line <= failed.line), None)


def is_lost(session: Session, failed: Failure) -> bool:
    """Whether the error, whatever its words, means that the TCP connection ended."""
    if failed.kind != "error" or failed.code is None:
        return False
    if failed.code in LOST:
        return not is_never_made(failed) and not failed.is_(
            "socket.closed", "agent", "socket.invalid", "kex.strict_violation"
        )
    if failed.code == -21 and failed.message == "Unable to startup channel":
        return not any(c.refused_line for c in session.channels)
    if failed.code == -30:
        return (pause(session, failed) or 0.0) < AT_ONCE
    if failed.code == -14 and failed.message == "Unknown":
        return True  # libssh2_channel_forward_listen_ex()
    return failed.message.startswith(_HIDDEN.get(failed.code, ()))


def is_never_made(failed: Failure) -> bool:
    """Whether the program itself says that it has no connection: Net::SSH2 sets -1 where connect() failed."""
    return failed.code == -1 and failed.is_by_program


def last_wait(session: Session, line: int) -> str:
    """The text of the last -37 before a line, empty where there is none (non-blocking clients print none)."""
    waits = [w for w in session.waits.values() if w.last_line <= line]
    return max(waits, key=lambda w: w.last_line).what if waits else ""


def awaits_version(session: Session, line: int) -> bool:
    """Whether the client had asked for the SFTP version, and waits for it (draft-ietf-secsh-filexfer-02, 4)."""
    if session.sftp.version is not None or any(o.outcome != "pending" for o in session.operations):
        return False
    if session.data.writes >= ANSWERED and not session.dumped:
        return False
    if any(f.is_("sftp.status_message", "sftp.status_short") and f.line >= line for f in session.failures):
        return False
    if session.sftp.asked_line or (session.sftp.line and 0 < session.data.writes < ANSWERED):
        return True  # the first that the client writes asks for it
    return any(part in last_wait(session, line) for part in _AWAITED)


def pause(session: Session, failed: Failure) -> float | None:
    """How long (seconds) at most the client waited before the failure; None without a clock in the trace."""
    if failed.kind == "silence":
        return session.ending.waited
    if failed.time is None:
        return None
    starts = [p.started for p in session.phases[-1:]]
    starts += [step.time for step in (failed.operation, failed.attempt) if step is not None]
    bounds = [failed.time - t for t in starts if t is not None]
    bounds += [w.seconds for w in session.waits.values() if w.what == last_wait(session, failed.line)]
    return max(min(bounds), 0.0) if bounds else None


def lasted(seconds: float | None, words: str = " in {}") -> str:
    """A time in words, such as " in 2.5 s"; empty where it is not known or would be printed as 0.0 s."""
    return "" if seconds is None or seconds < _SHORTEST else words.format(f"{seconds:.1f} s")


def idle(session: Session, failed: Failure) -> float:
    """How long (seconds) there was no request before the SFTP request that failed; 0 where that is not known."""
    operation = failed.operation
    if operation is None or operation.time is None:
        return 0.0
    ended = [o.ended for o in session.operations if o.ended is not None and o.line < operation.line]
    return max(operation.time - max(ended), 0.0) if ended else 0.0


def awaited(session: Session, failed: Failure) -> tuple[str, tuple[Quote, ...]]:
    """What the client waited for, in words, and the place where it asked for it."""
    operation = failed.operation
    if operation is not None and operation.outcome != "done" and operation.status is None:
        words = f"{operation.verb} {operation.path}".strip()
        return f"the answer to {words}", _since(operation.line, operation.time, words)
    if failed.phase == "kex":
        line = session.kex.offer_lines.get("client", 0)
        return "the server's part of the key exchange", _since(line, None, "key exchange begins")
    if failed.phase == "auth":
        return _login_awaited(session, failed.attempt)
    return _channel_awaited(session, failed) or _data_awaited(session, failed)


def _login_awaited(session: Session, attempt: Attempt | None) -> tuple[str, tuple[Quote, ...]]:
    if attempt is None:
        return "the answer to the login", _since(session.login.service_line, None, "service ssh-userauth")
    login = f"{attempt.method} as {attempt.user}" if attempt.user else attempt.method
    return f"the answer to the login ({login})", _since(attempt.line, attempt.time, f"login by {login}")


def _channel_awaited(session: Session, failed: Failure) -> tuple[str, tuple[Quote, ...]] | None:
    """The step of a channel's start that had no answer yet; None after the start."""
    channel = failed.channel or next(reversed(session.channels), None)
    if channel is not None and channel.number >= 0 and not channel.opened and not channel.refused_line:
        return "the channel to be opened", _since(channel.line, None, f"channel {channel.number} is asked for")
    if awaits_version(session, failed.line):
        return "the SFTP server's first packet", _since(session.sftp.line, None, "SFTP is started")
    if session.scp.line:
        return "the remote scp", _since(session.scp.line, None, "scp is started")
    request = next((r for r in reversed(channel.requests) if r.granted is None), None) if channel else None
    if request is None or session.sftp.version is not None:
        return None
    words = f"{request.name} {request.message}".strip()
    return f"the answer to the channel request {words!r}", _since(request.line, None, f"request: {words}")


def _data_awaited(session: Session, failed: Failure) -> tuple[str, tuple[Quote, ...]]:
    last = last_wait(session, failed.line)
    if last:
        return f"an answer (libssh2: {last!r})", ()
    opened = next((o for o in reversed(session.operations) if o.verb in ("open", "opendir")), None)
    if opened is not None and opened.outcome == "done":
        words = f"the answer to a read or write of {opened.path or 'the open file'}"
        return words, _since(opened.line, opened.time, f"{opened.verb} {opened.path}".strip())
    return "the answer to an SFTP request" if failed.phase == "sftp" else "an answer", ()


def _since(line: int, time: float | None, words: str) -> tuple[Quote, ...]:
    """The place of a request, if it was traced."""
    if not line:
        return ()
    clock = f" at {time:.3f} s on the trace's clock" if time is not None else ""
    return (Quote(line, f"asked here{clock}: {words}", aside=True),)


def unseen_banner(session: Session, failed: Failure) -> tuple[Rival, ...]:
    """The rivals of a failed key exchange if no banner was traced: the peer may not speak SSH 2."""
    if failed.phase != "kex" or session.banner.server is not None or session.kex.offers.get("server"):
        return ()
    because = "the peer's banner (mask bit 2) would decide: libssh2 begins its key exchange whatever it says"
    return (Rival("banner-version-unsupported", because), Rival("banner-not-ssh", because))


def unseen_close(session: Session, failed: Failure) -> tuple[Rival, ...]:
    """The rival of a silence or an end on a channel if the trace would not show the channel's end."""
    if failed.phase not in ("channel", "sftp", "scp") or session.uses("Conn") or session.dumped:
        return ()
    because = (
        "libssh2 goes on waiting where the server has closed the channel; a trace with the Conn bit (16) would decide"
    )
    return (Rival("channel-closed-early", because),)
