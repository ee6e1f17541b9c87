"""What became of each failure of a session, and which one it failed by.

The failure that counts is the first that nothing recovered from. Error -37 is never one (libssh2 tries again), nor is
what a later step of the session refutes, nor what went wrong while tidying up.
"""

import re
from bisect import bisect_left
from itertools import pairwise

from tracelens.sessions.model import RANK, Channel, Failure, Operation, Session
from tracelens.sessions.state import State

# A pause of this many seconds on an unanswered request, at the end of a session, is giving up; shorter ones are not
# told from a program that stopped for reasons of its own.
GAVE_UP = 0.5
_DEEPEST = 64  # folders within folders that are looked at
_JUDGED = 1000  # errors of a session that has failed already: what comes after so many more changes nothing
# Texts of error -37 that a program gets when it asks for something more, not when it tidies up.
_GOES_ON = r"^Would block$|^Waiting for|status message|FXP_(?!CLOSE)|starting|sftp_|channel-open|SFTP subsystem"
# What libssh2 says of any status to stat, mkdir, rmdir, remove, rename and readlink: a program that asks whether a file
# is there goes on after it, and where the server answers at once nothing of that shows among the errors.
_ANY_STATUS = "SFTP Protocol Error"
# No agent: programs that look for one first go on with another method.
_NO_AGENT = ("auth sock", "AUTH_SOCK", "failed connecting with agent", "no pageant", "agent pipe")
_AWAITS_STATUS = r"status message|FXP_(?!VERSION|INIT|CLOSE)|FXP STATUS"
# Operations that only look: a failed one answers a question, and the session went on to use the answer.
_LOOKS = {"stat", "lstat", "realpath", "opendir", "readlink", "statvfs", "fstatvfs"}
_MAKES = {"open", "mkdir", "rename", "symlink"}


class _Done:
    """What a session's operations achieved, for asking whether a failed one was made good later.

    Each table gives the last line at which it was so: an operation by verb and path, by verb, and any that used a path
    or what lies in it.
    """

    def __init__(self, operations: list[Operation]) -> None:
        self.same: dict[tuple[str, str], int] = {}
        self.verb: dict[str, int] = {}
        self.used: dict[str, int] = {}
        self.last = 0
        for operation in operations:
            if operation.outcome != "done" or operation.status:
                continue
            if operation.verb != "close":
                self.last = operation.line
            self.same[operation.verb, operation.path] = self.verb[operation.verb] = operation.line
            if operation.verb in _MAKES | _LOOKS:
                path = operation.path.rstrip("/")
                for _ in range(_DEEPEST):
                    self.used[path] = operation.line
                    path, slash, _name = path.rpartition("/")
                    if not slash:
                        break
                self.used[operation.target.rstrip("/")] = operation.line

    def makes_good(self, failed: Operation) -> bool:
        """Whether a later operation did what this one could not, or went on as if it had."""
        if failed.verb in _LOOKS | {"remove", "rmdir"} and failed.status in (None, 2, 10):
            # Is it there? No. Whatever was done after that was done knowing it.
            return self.last > failed.line
        if not failed.path:
            return self.verb.get(failed.verb, 0) > failed.line
        if max(self.same.get((failed.verb, path), 0) for path in (failed.path, "")) > failed.line:
            return True
        return failed.verb in _LOOKS | {"mkdir"} and self.used.get(failed.path.rstrip("/"), 0) > failed.line


def judge(state: State, *, cut: bool) -> Session:
    """Gives the state's session with the fate of each failure set, and `failed` where one was final.

    Args:
        state: the session's state machine at its end.
        cut: whether the trace ends here without the session's own end: nothing after it was seen.
    """
    session = state.session
    session.cut = cut
    if state.sftp_dumped is False:
        state.finish_text_operation()
    _add_silent_refusals(session)
    session.failures.sort(key=lambda f: f.line)
    _tidy_up(session.failures)
    final: Failure | None = None
    done = _Done(session.operations)
    for number, failure in enumerate(session.failures):
        if failure.fate:
            continue
        if final is not None and number > _JUDGED:
            failure.fate = "consequence"
            continue
        failure.fate = _fate(session, failure, done)
        if failure.fate == "final":
            if final is None or _supersedes(failure, final):
                if final is not None:
                    final.fate = "consequence"
                final = failure
            else:
                failure.fate = "consequence"
    if final is None:
        final = _silence(session, state)
        if final is not None:
            final.fate = "final"
            session.failures.append(final)
    session.failed = final
    session.reached = _reached(session, state, final)
    return session


def _tidy_up(failures: list[Failure]) -> None:
    """Errors of one clean-up: the closing of a channel tells first what the sending of its EOF met."""
    for failure, following in pairwise(failures):
        if failure.says("Unable to send EOF on channel") and following.says("but closing"):
            failure.fate = failure.fate or following.fate


def _supersedes(later: Failure, earlier: Failure) -> bool:
    """Whether the later failure says better why the same step failed."""
    if (
        later.kind == "disconnect"
        and earlier.kind == "error"
        and later.line - earlier.line < 30
        and earlier.code in (-13, -43, -1)
    ):
        return earlier.phase == later.phase
    # A method the server does not offer was tried before one that it does: the refusal of the latter counts.
    first, last = earlier.attempt, later.attempt
    if first is not None and last is not None and first is not last and earlier.phase == later.phase == "auth":
        not_offered = bool(first.remaining) and first.method not in first.remaining and not first.partial
        if not_offered and last.method in first.remaining:
            earlier.fate = "partial-auth"
            return True
    return False


def _fate(session: Session, failure: Failure, done: _Done) -> str:
    if failure.code == 0:
        return "recovered"
    if _undecidable(session, failure):
        session.undecided = session.undecided or failure
        return "undecided"
    if failure.phase == "auth" and failure.attempt is not None:
        return _auth_fate(session, failure)
    if failure.kind == "disconnect":
        return "cleanup" if _work_was_over(session, failure.line) else "final"
    if RANK[failure.phase] < _progress_after(session, failure.line):
        return "recovered"
    if failure.phase in ("channel", "sftp", "scp"):
        return _work_fate(session, failure, done)
    return "final"


def _undecidable(session: Session, failure: Failure) -> bool:
    """Whether only errors were traced there, and the program went on: what succeeds then leaves no line."""
    over = failure.code == -13 and failure.says("socket disconnect") and failure is session.failures[-1]
    if (over or failure.kind == "disconnect") and not session.uses("Conn") and not session.dumped:
        # Whoever still wanted something would have said what; some servers end each session so.
        return failure.phase not in ("banner", "kex", "auth") or not session.uses("Transport")
    shows = {
        "auth": ("Userauth", "Transport"),
        "channel": ("Conn", "SFTP"),
        "sftp": ("SFTP",),
        "scp": ("SCP", "Conn"),
    }.get(failure.phase)
    if shows is None or session.dumped or any(session.uses(context) for context in shows):
        return False
    if not session.waits and failure.says("Invalid signature", *_NO_AGENT):
        return True  # a client that does not block leaves no -37 either
    if failure.code == -22 and failure.says("setenv"):
        return True  # most programs do without the variable
    if failure.message == _ANY_STATUS and not _waits_for_statuses(session, failure):
        return True
    return any(wait.last_line > failure.line and re.search(_GOES_ON, wait.what) for wait in session.waits.values())


def _waits_for_statuses(session: Session, failure: Failure) -> bool:
    """Whether the answer itself was waited for, so that a client that had gone on would have had to wait again."""
    before = [wait for wait in session.waits.values() if wait.last_line < failure.line]
    last = max(before, key=lambda wait: wait.last_line, default=None)
    return last is not None and re.search(_AWAITS_STATUS, last.what) is not None


def _work_was_over(session: Session, line: int) -> bool:
    """Whether the client had closed every channel it had opened, with nothing left unanswered."""
    opened = [c for c in session.channels if c.opened]
    return bool(opened) and all(0 < c.closing_line < line for c in opened) and session.pending() is None


def _progress_after(session: Session, line: int) -> int:
    """The phase that the session reached after a line, as a rank."""
    return max((RANK[p.name] for p in session.phases if p.first_line > line and not p.by_error), default=-1)


def _auth_fate(session: Session, failure: Failure) -> str:
    attempt = failure.attempt
    if session.authenticated and (not session.auth_line or session.auth_line > failure.line):
        return "final" if _went_on_regardless(session) else "partial-auth"
    if (
        attempt is not None
        and attempt.partial
        and any(a.line > attempt.line and a.method != "none" for a in session.attempts)
    ):
        return "partial-auth"
    return "final"


def _went_on_regardless(session: Session) -> bool:
    """Whether the client went on though every login was refused, and the server opened nothing for it."""
    sent = [a for a in session.attempts if a.sent and a.method != "none"]
    return (
        not session.auth_line
        and session.service_accepted
        and bool(sent)
        and all(a.outcome in ("refused", "partial") for a in sent)
        and not any(c.opened for c in session.channels)
    )


def _work_fate(session: Session, failure: Failure, done: _Done) -> str:
    operation = failure.operation
    if operation is not None and operation.verb != "scp":
        return "recovered" if done.makes_good(operation) else "final"
    if failure.code == -21 and any(c.opened and c.open_line > failure.line for c in session.channels):
        return "recovered"
    if failure.code in (-22, -21, None) and failure.kind in ("error", "refusal"):
        for channel in session.channels:
            later = [r for r in channel.requests if r.line > failure.line and r.name != "env"]
            if any(r.granted or (r.granted is None and channel.exit_line > r.line) for r in later):
                return "recovered"
    if failure.code in (-24, -27, -23) and _worked_after(session, failure):
        return "recovered"
    if failure.code is not None and _exit_came(session, failure):
        return "cleanup"
    return "final"


def _worked_after(session: Session, failure: Failure) -> bool:
    return any(o.outcome == "done" and o.line > failure.line for o in session.operations) or any(
        c.exit_line > failure.line for c in session.channels
    )


def _exit_came(session: Session, failure: Failure) -> bool:
    """Whether a command had already given its exit status on the channel: its work was done."""
    channel = failure.channel
    return (
        channel is not None
        and channel.exit_status is not None
        and channel.exit_line < failure.line
        and not session.sftp_line
        and not session.scp_line
        and session.written_line < channel.exit_line
        and failure.code in (-9, -13, -43, -7, -30)
    )


def _add_silent_refusals(session: Session) -> None:
    """Refusals that packets show and no Failure Event tells: the mask left 128 out."""
    lines = sorted(f.line for f in session.failures)
    told_of = {id(f.attempt) for f in session.failures} | {id(f.operation) for f in session.failures}
    for attempt in session.attempts:
        after = bisect_left(lines, attempt.end_line)
        told = id(attempt) in told_of or (after < len(lines) and lines[after] - attempt.end_line < 30)
        if attempt.method != "none" and attempt.outcome in ("refused", "partial") and not told:
            session.failures.append(Failure(attempt.end_line, None, None, "", "auth", "refusal", attempt=attempt))
    last = max((f.line for f in session.failures if f.code in (-21, -22, -32)), default=0)
    for channel in session.channels:
        _add_channel_refusals(session, channel, last)
    for operation in session.operations:
        if operation.outcome == "failed" and id(operation) not in told_of:
            session.failures.append(
                Failure(
                    operation.end_line or operation.line,
                    operation.ended,
                    None,
                    operation.message or "",
                    "sftp",
                    "refusal",
                    operation=operation,
                )
            )


def _add_channel_refusals(session: Session, channel: Channel, told: int) -> None:
    """Adds what a channel was refused after the last line that told of a refusal."""
    if channel.refused_line > told:
        session.failures.append(
            Failure(channel.refused_line, None, None, channel.refusal, "channel", "refusal", channel=channel)
        )
    for request in channel.requests:
        if request.granted is False and request.line > told:
            session.failures.append(
                Failure(request.line, None, None, "", "channel", "refusal", channel=channel, request=request)
            )


def _silence(session: Session, state: State) -> Failure | None:
    """The request that nobody answered, if the session ended on one after a pause that is giving up."""
    what = session.pending()
    if what is None or (session.traced <= {"Failure Event"} and not session.dumped):
        return None  # where nothing but errors was traced, silence is not the server's
    login = session.last_attempt
    if what[0] == "auth" and session.dumped and login is not None and login.accepted_key and not login.signed:
        return None  # it is the client's turn to sign
    waited = session.waited_last
    if not session.gave_up_line and state.clock is not None and state.last_progress is not None:
        waited = state.clock - state.last_progress
    session.waited_last = waited
    died = _server_side_died(session)
    if waited < GAVE_UP and not died:
        return None
    phase, _ = what
    operation = next((o for o in reversed(session.operations) if o.outcome == "pending"), None)
    attempt = session.last_attempt if phase == "auth" else None
    channel = session.channels[-1] if session.channels else None
    return Failure(
        session.gave_up_line or session.last_line,
        session.ended,
        None,
        "",
        phase,
        "closed" if died else "silence",
        attempt=attempt,
        operation=operation,
        channel=channel,
    )


def _server_side_died(session: Session) -> bool:
    """Whether the server ended the channel before the client did, with a request still open on it."""
    for channel in session.channels:
        ended = channel.exit_line or channel.close_line
        if ended and session.sftp_line and (not channel.closing_line or channel.closing_line > ended):
            return True
    return False


def _reached(session: Session, state: State, final: Failure | None) -> str:
    phase = state.phase
    if session.undecided is not None:
        return session.undecided.phase
    if final is not None:
        return final.phase if RANK[final.phase] > RANK[phase] else phase
    return "done" if session.pending() is None else phase
