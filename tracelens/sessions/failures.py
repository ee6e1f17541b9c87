"""What became of each failure of a session, and which one it failed by.

The failure that counts is the first that nothing recovered from. Error -37 is never one (libssh2 tries again), nor is
an error that a later step of the session refutes, nor one of the clean-up.
"""

import re
from collections.abc import Callable
from itertools import pairwise

from tracelens.sessions.model import KNOWN_HOSTS, RANK, Failure, Operation
from tracelens.sessions.probes import Logins, is_about_known_hosts, is_default_key, is_probe
from tracelens.sessions.session import Session
from tracelens.sessions.state import State
from tracelens.sessions.unanswered import left_unfinished, pending_request
from tracelens.sessions.unreported import SAME_REPORT, add_refusals, copy_broken_off, silence

_DEEPEST = 64  # folders within folders that are looked at
_JUDGED = 1000  # errors of a session that has failed already: later ones change nothing
# Texts of error -37 that a program gets when it requests something more, not when it cleans up.
_GOES_ON = r"^Would block$|^Waiting for|status message|FXP_(?!CLOSE)|starting|sftp_|channel-open|SFTP subsystem"
# No agent: programs that look for one first continue with another method.
_NO_AGENT = ("agent_variable", "agent.unreachable", "pageant.missing")
_AWAITS_STATUS = r"status message|FXP_(?!VERSION|INIT|CLOSE)|FXP STATUS"
# The contexts that show how each phase continued.
_SHOWN_BY = {
    "auth": ("Userauth", "Transport"),
    "channel": ("Conn", "SFTP"),
    "sftp": ("SFTP",),
    "scp": ("SCP", "Conn"),
}
# Operations that only look: a failed one answers a question, and the session went on to use the answer.
_LOOKS = {"stat", "lstat", "realpath", "opendir", "readlink", "statvfs", "fstatvfs"}
_MAKES = {"open", "mkdir", "rename", "symlink"}


class _Successes:
    """The last line of each kind of success: by verb and path, by verb, and by a path that an operation was in."""

    def __init__(self, operations: list[Operation]) -> None:
        self.by_path: dict[tuple[str, str], int] = {}
        self.by_verb: dict[str, int] = {}
        self.used: dict[str, int] = {}
        self.last = 0
        for operation in operations:
            if operation.outcome == "done" and not operation.status:
                self._add(operation)

    def _add(self, operation: Operation) -> None:
        verb, line = operation.verb, operation.line
        if verb != "close":
            self.last = line
        self.by_path[verb, operation.path] = self.by_verb[verb] = line
        if verb in _MAKES | _LOOKS:
            path = operation.path.rstrip("/")
            for _ in range(_DEEPEST):
                self.used[path] = line
                path, slash, _name = path.rpartition("/")
                if not slash:
                    break
            self.used[operation.target.rstrip("/")] = line

    def supersede(self, failed: Operation) -> bool:
        """Whether a later operation succeeded in the same thing, or continued as if it had."""
        if failed.verb in _LOOKS | {"remove", "rmdir"} and failed.status in (None, 2, 10):
            return self.last > failed.line  # the file was missing, and the session continued knowing that
        if not failed.path:
            return self.by_verb.get(failed.verb, 0) > failed.line
        if max(self.by_path.get((failed.verb, path), 0) for path in (failed.path, "")) > failed.line:
            return True
        return failed.verb in _LOOKS | {"mkdir"} and self.used.get(failed.path.rstrip("/"), 0) > failed.line


def classify_failures(state: State, *, cut: bool, broken: bool = False) -> Session:
    """The state's session with the fate of each failure set, and `failed` if one was final.

    Args:
        state: the session's state at its end.
        cut: whether the trace ends here without the session's own end: nothing after it was seen.
        broken: whether it ends in the middle of a record, so that more followed.
    """
    session = state.session
    session.ending.cut, session.ending.broken = cut, broken
    shows_beginning = session.shows_banner_phase()
    if state.phase == "banner" and state.packets_phase and not shows_beginning:
        state.phase = session.phases[-1].name = state.packets_phase
    if not state.sftp_dumped:
        state.finish_text_operation()
    add_refusals(session)
    session.failures.sort(key=lambda f: f.line)
    _join_clean_up(session.failures)
    final = _final_failure(session)
    if final is None:
        final = copy_broken_off(session) or silence(session, state)
        if final is not None:
            final.fate = "final"
            session.failures.append(final)
    session.ending.failed = final
    if final is None and session.ending.undecided is None:
        session.ending.left = left_unfinished(session)
    session.ending.reached = _reached(session, state, final)
    if session.phases[0].name == "banner" and not shows_beginning:
        del session.phases[0]  # the trace begins later
    return session


def _final_failure(session: Session) -> Failure | None:
    """Set the fate of each failure; return the final one."""
    final: Failure | None = None
    successes, logins = _Successes(session.operations), Logins(session)
    for number, failure in enumerate(session.failures):
        if failure.fate:
            continue
        if final is not None and number > _JUDGED:
            failure.fate = "consequence"
            continue
        failure.fate = _fate(session, failure, successes, logins)
        if failure.fate == "final":
            if final is None:
                final = failure
            elif _supersedes(failure, final):
                final.fate, final = "consequence", failure
            else:
                failure.fate = "consequence"
    return final


def _join_clean_up(failures: list[Failure]) -> None:
    """Errors of one clean-up: the closing of a channel first reports the failure to send its EOF."""
    for failure, following in pairwise(failures):
        if failure.is_("channel.eof_not_sent") and following.is_("channel.closed_anyway"):
            failure.fate = failure.fate or following.fate


def _supersedes(later: Failure, earlier: Failure) -> bool:
    """Whether the later failure explains better why the same step failed."""
    if earlier.code == KNOWN_HOSTS:
        return later.attempt is not None  # the program went on all the same
    if earlier.phase != later.phase:
        return False
    lost = earlier.kind == "error" and earlier.code in (-13, -43, -1)
    if lost and later.kind == "disconnect" and later.line - earlier.line < SAME_REPORT:
        return True
    # A method that the server does not offer was tried before one that it does: the refusal of the latter counts.
    first, last = earlier.attempt, later.attempt
    if first is not None and last is not None and first is not last and earlier.phase == "auth":
        not_offered = bool(first.remaining) and first.method not in first.remaining and first.partial is False
        if not_offered and last.method in first.remaining:
            earlier.fate = "partial-auth"
            return True
    return False


def _fate(session: Session, failure: Failure, successes: _Successes, logins: Logins) -> str:
    if failure.code == 0 or is_about_known_hosts(failure, logins):
        return "recovered"
    if _is_undecidable(session, failure) or _is_before_a_hole(session, failure):
        session.ending.undecided = session.ending.undecided or failure
        return "undecided"
    if failure.phase == "auth" and is_probe(session, failure, logins):
        return "partial-auth"
    if failure.phase == "auth" and failure.attempt is not None:
        return _auth_fate(session, failure)
    if failure.kind == "left":
        return "final"
    if failure.kind == "disconnect":
        return "cleanup" if _work_was_over(session, failure.line) else "final"
    if RANK[failure.phase] < _rank_after(session, failure.line):
        return "recovered"
    if failure.phase in ("channel", "sftp", "scp"):
        return _work_fate(session, failure, successes)
    return "final"


def _is_undecidable(session: Session, failure: Failure) -> bool:
    """Whether only errors were traced there, and the program continued: its later successes leave no line."""
    over = failure.code == -13 and failure.is_("socket.closed") and failure is session.failures[-1]
    if (over or failure.kind == "disconnect") and not session.uses("Conn") and not session.dumped:
        # A program that still wanted something would have logged it; some servers end each session like this.
        return failure.phase not in ("banner", "kex", "auth") or not session.uses("Transport")
    contexts = _SHOWN_BY.get(failure.phase)
    if contexts is None or session.dumped or any(session.uses(context) for context in contexts):
        return False
    return _continues_in_silence(session, failure) or any(
        wait.last_line > failure.line and re.search(_GOES_ON, wait.what) for wait in session.waits.values()
    )


def _is_before_a_hole(session: Session, failure: Failure) -> bool:
    """Whether packets of SFTP follow that the trace does not show: the client may have gone on with success."""
    return failure.phase == "sftp" and failure.line < max(session.hidden_request_line, session.hidden_answer_line)


def _continues_in_silence(session: Session, failure: Failure) -> bool:
    """Whether programs usually continue after the error, without another one."""
    if not session.waits and failure.is_("auth.signature_refused", *_NO_AGENT):
        return True  # a client that does not block leaves no -37 either
    if not session.waits and is_default_key(session, failure):
        return True
    if failure.code == -22 and failure.is_("channel.variable"):
        return True  # most programs do without the variable
    # Printed for any status to stat, mkdir, rmdir, remove, rename and readlink. A program that only checks if a file
    # exists continues after it; where the server answers immediately, no error shows that.
    return failure.is_("sftp.any_status") and not _waited_for_status(session, failure)


def _waited_for_status(session: Session, failure: Failure) -> bool:
    """Whether the client waited for the answer, so that it would have waited again if it had continued."""
    before = [wait for wait in session.waits.values() if wait.last_line < failure.line]
    last = max(before, key=lambda wait: wait.last_line, default=None)
    return last is not None and re.search(_AWAITS_STATUS, last.what) is not None


def _work_was_over(session: Session, line: int) -> bool:
    """Whether the client had closed every channel it had opened, with nothing left unanswered."""
    opened = [c for c in session.channels if c.opened]
    return bool(opened) and all(0 < c.closing_line < line for c in opened) and pending_request(session) is None


def _rank_after(session: Session, line: int) -> int:
    """The rank of the phase that the session reached after a line."""
    return max((RANK[p.name] for p in session.phases if p.first_line > line and not p.by_error), default=-1)


def _auth_fate(session: Session, failure: Failure) -> str:
    attempt = failure.attempt
    if session.login.authenticated and (not session.login.accepted_line or session.login.accepted_line > failure.line):
        return "final" if _went_on_regardless(session) else "partial-auth"
    if attempt is None or not attempt.partial:
        return "final"
    continued = any(a.line > attempt.line and a.method != "none" for a in session.login.attempts)
    return "partial-auth" if continued else "final"


def _went_on_regardless(session: Session) -> bool:
    """Whether the client continued though every login was refused, and the server opened nothing for it."""
    sent = [a for a in session.login.attempts if a.sent and a.method != "none"]
    return (
        not session.login.accepted_line
        and session.login.service_accepted
        and bool(sent)
        and all(a.outcome in ("refused", "partial") for a in sent)
        and not any(c.opened for c in session.channels)
    )


def _work_fate(session: Session, failure: Failure, successes: _Successes) -> str:
    """The fate of an error on a channel."""
    operation = failure.operation
    if operation is not None and operation.verb != "scp":
        return "recovered" if successes.supersede(operation) else "final"
    if any(recovered(session, failure) for recovered in _RECOVERIES):
        return "recovered"
    return "cleanup" if failure.code is not None and _exit_came(session, failure) else "final"


def _opened_another(session: Session, failure: Failure) -> bool:
    return failure.code == -21 and any(c.opened and c.open_line > failure.line for c in session.channels)


def _was_granted_another(session: Session, failure: Failure) -> bool:
    if failure.code not in (-22, -21, None) or failure.kind not in ("error", "refusal"):
        return False
    return any(
        request.granted or (request.granted is None and channel.exit_line > request.line)
        for channel in session.channels
        for request in channel.requests
        if request.line > failure.line and request.name != "env"
    )


def _worked_after(session: Session, failure: Failure) -> bool:
    if failure.code not in (-24, -27, -23):
        return False
    return any(o.outcome == "done" and o.line > failure.line for o in session.operations) or any(
        c.exit_line > failure.line for c in session.channels
    )


_RECOVERIES: tuple[Callable[[Session, Failure], bool], ...] = (_opened_another, _was_granted_another, _worked_after)


def _exit_came(session: Session, failure: Failure) -> bool:
    """Whether a command had already sent its exit status on the channel: its work was done."""
    channel = failure.channel
    return (
        channel is not None
        and channel.exit_status is not None
        and channel.exit_line < failure.line
        and not session.sftp.line
        and not session.scp.line
        and session.data.written_line < channel.exit_line
        and failure.code in (-9, -13, -43, -7, -30)
    )


def _reached(session: Session, state: State, final: Failure | None) -> str:
    if session.ending.undecided is not None:
        return session.ending.undecided.phase
    if final is not None and (final.kind == "left" or final.code == KNOWN_HOSTS):
        return final.phase
    if final is not None:
        return final.phase if RANK[final.phase] > RANK[state.phase] else state.phase
    return "done" if session.ending.left == "" else state.phase
