import re

from tracelens.libssh2.messages import error_texts
from tracelens.rules._shared.timeouts import lasted
from tracelens.rules.base import Found, client, notice, server
from tracelens.rules.transport.timeout import USUAL
from tracelens.sessions import Quote, Session, Trace, pending_request

_ERROR = r"(?s)-?\d{1,9} - (.*)"


@notice("trace-truncated", scope="trace")
def truncated(trace: Trace) -> Found | None:
    """The trace ends in the middle of a record or of an operation.

    ## What it means
    What came after is not in this file: it was copied while the program was still running, cut by an
    editor, a mailer or a full disk, or the program was killed. The diagnosis can only speak of what
    is there; the real error may stand in the part that is missing.

    ## How it is seen
    - The last line has no end and is no complete text of libssh2, or the last hex dump has fewer rows than
      its title's size asks for. libssh2 ends every record and every row with a newline; a handler of the
      program (`libssh2_trace_sethandler()`) may drop them all, which is not taken for a cut.
    - Or the last session ends on a request that nobody answered, less than half a second after it was sent,
      and neither `Disconnecting: reason=11` nor `Freeing session resource` follows. The finding names the request
      and how long the client had waited.

    ## What to do
    - Client: let the program run until it gives up by itself, then copy the file. If it hangs for
      good, wait at least a minute before copying: a long silence can be told from a cut.
    - IRIS/Caché: copy the file when the process that set `SetTraceMask` has ended, or after an adapter's
      job was stopped.
    - Client (C): where standard error or a handler buffers its output, flush it (`fflush()`).
    - Compress large files instead of cutting them; if something must go, keep the end.

    ## Not to be confused with
    - `transport-timeout`, `banner-timeout`, `sftp-start-failed`: the client waited long on the last request;
      silence until the end of the trace is an answer, too.
    - `channel-closed-early`, `transport-connection-lost`: the connection ended, and the trace says so.
    - `trace-mask-incomplete`: the end is there, a subsystem is not.

    ## Example
    ```
    [libssh2] 0.411953 Userauth: Permitted auth methods: publickey,password
    [libssh2] 0.412032 Userauth: Attempting to login using password authentication
    [libssh2] 0.412210 Transport: Looking for packet of type: 52
    [libssh2] 0.412213 Transport: Looking for packet of type: 51
    [libssh2] 0.412219 Failure Event: -37 - Waiting for password response
    ```
    """
    account = trace.account
    last = trace.sessions[-1] if trace.sessions else None
    if last is None:
        return None
    if account.cut_at_end or (
        account.open_end and last.ending.cut and not last.ending.by_client and not _complete(last)
    ):
        return Found(
            "The trace ends in the middle of a record: it was cut off.",
            (last.last,),
            (client("copy the file again, when the program has ended; compress it instead of cutting it"),),
        )
    for session in reversed(trace.sessions):
        pending = pending_request(session) if session.ending.cut and session.ending.failed is None else None
        if pending is not None and _shows_request(session):
            return _in_mid_operation(session, *pending)
    return None


def _shows_request(session: Session) -> bool:
    """Whether the trace shows what was asked: it does not where it begins in the middle of a session."""
    return session.kex.done or bool(session.kex.offers) or session.shows_banner_phase()


def _complete(session: Session) -> bool:
    """Whether the last record is a whole error text, so that only its newline is missing."""
    error = re.fullmatch(_ERROR, session.last.text) if session.last else None
    return error is not None and bool(error_texts(error[1]))


def _in_mid_operation(session: Session, phase: str, line: int) -> Found:
    waited = lasted(session.ending.waited, ", after {} of waiting")
    waits = [w for w in session.waits.values() if w.last_line >= line]
    on = f" for {max(waits, key=lambda w: w.last_line).what!r}" if waits else ""
    times = [(a.line, a.time) for a in session.login.attempts] + [(o.line, o.time) for o in session.operations]
    time = next((t for at, t in times if at == line and t is not None), None)
    since = f", at {time:.3f} s on the trace's clock" if time is not None else ""
    request = Quote(line, f"what was asked and not answered begins here{since}")
    usual = USUAL.get(phase)
    return Found(
        f"The trace ends in the middle of an operation ({phase}{on}){waited}: copied too early, stopped, or still "
        "waiting.",
        (request, session.last),
        (
            client("let the program run until it gives up by itself, then copy the trace"),
            server(f"if it goes on waiting: {usual}") if usual else None,
        ),
        basis="silence",
    )
