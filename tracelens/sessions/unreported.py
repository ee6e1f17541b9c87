"""Failures that no Failure Event reports: refusals in packets, requests without an answer, a copy that broke off."""

from bisect import bisect_left

from tracelens.sessions.model import Attempt, Channel, Failure
from tracelens.sessions.session import Session
from tracelens.sessions.state import State
from tracelens.sessions.unanswered import GAVE_UP, Pending, broken_copy, pending_request, pending_transfer

# Reads and writes take as long as the connection is slow: giving up are so many seconds, and so many times the pace.
_STALLED, _PACES = 2.0, 3
SAME_REPORT = 30  # an error this few lines after a refusal reports the refusal


def add_refusals(session: Session) -> None:
    """Add refusals that packets show and no Failure Event reports: the mask left 128 out."""
    reported = {id(f.attempt) for f in session.failures} | {id(f.operation) for f in session.failures}
    _add_login_refusals(session, reported)
    _add_text_for_sftp(session)
    last = max((f.line for f in session.failures if f.code in (-21, -22, -32)), default=0)
    for channel in session.channels:
        _add_channel_refusals(session, channel, last)
    for operation in session.operations:
        if operation.outcome == "failed" and id(operation) not in reported:
            line, message = operation.end_line or operation.line, operation.message or ""
            refusal = Failure(line, operation.ended, None, message, "sftp", "refusal", operation=operation)
            session.failures.append(refusal)


def _add_login_refusals(session: Session, reported: set[int]) -> None:
    lines = sorted(f.line for f in session.failures)
    for attempt in session.login.attempts:
        if attempt.method == "none" or attempt.outcome not in ("refused", "partial") or id(attempt) in reported:
            continue
        after = bisect_left(lines, attempt.end_line)
        if after == len(lines) or lines[after] - attempt.end_line >= SAME_REPORT:
            session.failures.append(Failure(attempt.end_line, None, None, "", "auth", "refusal", attempt=attempt))


def _add_text_for_sftp(session: Session) -> None:
    """Add that something else than SFTP came where it must begin, if no error after it reports that."""
    sftp = session.sftp
    line = sftp.problem_line or sftp.flushed_line
    if line and sftp.version is None and not any(f.line > line for f in session.failures):
        words = sftp.problem or "libssh2 throws away what came: no SFTP packet"
        session.failures.append(Failure(line, None, None, words, "channel"))


def _add_channel_refusals(session: Session, channel: Channel, reported: int) -> None:
    """Add what a channel was refused after the last line that reported a refusal."""
    line = channel.refused_line
    if line > reported:
        session.failures.append(Failure(line, None, None, channel.refusal, "channel", "refusal", channel=channel))
    for request in channel.requests:
        if request.granted is False and request.line > reported:
            refusal = Failure(request.line, None, None, "", "channel", "refusal", channel=channel, request=request)
            session.failures.append(refusal)


def silence(session: Session, state: State) -> Failure | None:
    """The request that nobody answered, if the session ended on one after a pause that is giving up."""
    pending = pending_request(session)
    if pending is None or (session.traced <= {"Failure Event"} and not session.dumped):
        return None  # where nothing but errors was traced, the server may have answered
    phase, _ = pending
    if phase == "banner" and not session.shows_banner_phase():
        return None
    login = session.login.last_attempt if phase == "auth" else None
    if session.dumped and login is not None and login.accepted_key and not login.signed:
        return None  # the client has to sign next
    _measure_last_wait(session, state)
    died = _server_side_died(session)
    patience = _patience(session, pending)
    if session.ending.waited < patience and not died and not _is_other_protocol(session):
        return None
    return _silent(session, phase, died, login)


def _patience(session: Session, pending: Pending) -> float:
    """From how many seconds on a wait for this answer is giving up."""
    is_transfer = pending == pending_transfer(session)
    return max(_STALLED, _PACES * session.sftp.pace) if is_transfer else GAVE_UP


def _silent(session: Session, phase: str, died: bool, login: Attempt | None) -> Failure:
    return Failure(
        session.ending.gave_up_line or session.last_line,
        session.ended,
        None,
        "",
        phase,
        "closed" if died else "silence",
        attempt=login,
        operation=next((o for o in reversed(session.operations) if o.outcome == "pending"), None),
        channel=session.channels[-1] if session.channels else None,
    )


def copy_broken_off(session: Session) -> Failure | None:
    """The remote scp that did not end well, though the client took its end for the end of the copy."""
    channel = broken_copy(session)
    if channel is None:
        return None
    line = max(channel.exit_line, channel.close_line)
    return Failure(line, session.ended, None, "the remote scp ended", "scp", "closed", channel=channel)


def _measure_last_wait(session: Session, state: State) -> None:
    if not session.ending.gave_up_line and state.clock is not None and state.last_progress is not None:
        session.ending.waited = state.clock - state.last_progress


def _is_other_protocol(session: Session) -> bool:
    return not session.kex.offers and session.banner.is_other_protocol(cut=session.ending.cut)


def _server_side_died(session: Session) -> bool:
    """Whether the server ended the channel before the client did, with a request still open on it."""
    for channel in session.channels:
        ended = channel.exit_line or channel.close_line
        transfers = session.sftp.line or (session.scp.line and not session.scp.answered)
        if ended and transfers and (not channel.closing_line or channel.closing_line > ended):
            return True
    return False
