"""Failure Events: the phase, login attempt, channel and operation that an error belongs to."""

import re

from tracelens.libssh2.errors import classify
from tracelens.libssh2.events import Event
from tracelens.libssh2.repeats import EAGAIN
from tracelens.sessions.model import KNOWN_HOSTS, REFUSALS, Attempt, Channel, Failure, Operation, Wait
from tracelens.sessions.state import State, on

# Errors closer together than this many seconds are one failure, reported by nested libssh2 calls.
_CASCADE = 0.005
_NUMBER_ALONE = re.compile(r"(-[0-9]{1,4})[\s-]*")
# The errors of a connection that is being closed.
_CONNECTION = (-7, -9, -13, -43, -30, -39, -1)


def add_wait(state: State, message: str, count: int, line: int, last_line: int) -> Wait:
    """Count errors -37 of one text."""
    wait = state.session.waits.get(message)
    if wait is None:
        wait = state.session.waits[message] = Wait(message, line=line)
    wait.count += count
    wait.last_line = last_line
    return wait


@on("failure_event.failure")
def _failure(state: State, event: Event) -> None:
    code = event.fields.get("code")
    _add(state, event, code if isinstance(code, int) else None, str(event.fields.get("message", "")))


@on("failure_event.unknown")
def _unknown_failure(state: State, event: Event) -> None:
    """Whatever the context reports is an error, also a number alone and a text that no known libssh2 prints."""
    text = event.text.strip()
    number = _NUMBER_ALONE.fullmatch(text)
    if number is not None:
        _add(state, event, int(number[1]), "")
    elif text:
        _add(state, event, None, text)


def _add(state: State, event: Event, code: int | None, message: str) -> None:
    """Add an error; `code` is None if a program left it out."""
    session, phase = state.session, classify(message).phase
    if state.preparing:
        session.failures.append(Failure(event.line, event.time, code, message, state.phase, fate="recovered"))
        state.preparations += 1
        return
    if code == EAGAIN:
        add_wait(state, message, 1, event.line, event.line)
        state.wait_reason = message
        if phase is not None:
            state.imply_by_error(phase, event.line)
        return
    if phase is not None:
        cascade = _follows_at_once(session.failures[-1:], event)
        state.imply_by_error(phase, event.line, cascade=cascade)
        if cascade:
            _correct_phases(session.failures, event, state.phase)
    channel = state.channel
    request = next((r for r in reversed(channel.requests) if r.granted is not True), None) if channel else None
    failure = Failure(event.line, event.time, code, message, state.phase, channel=channel, request=request)
    _place(state, failure)
    if (state.closed and not _tells_why_it_left(state, failure)) or _is_clean_up(failure, channel):
        failure.fate = "cleanup"
    session.failures.append(failure)


def _place(state: State, failure: Failure) -> None:
    """Note what the failure is about: the host key, a login attempt, an operation."""
    session = state.session
    if failure.code == KNOWN_HOSTS and session.kex.done and not session.login.authenticated:
        failure.phase = "kex"  # the program looked at the host key before it logged in
    elif state.phase == "auth" and not session.login.authenticated:
        failure.attempt = _failed_attempt(state, failure)
    failure.operation = _failed_operation(state, failure)


def _tells_why_it_left(state: State, failure: Failure) -> bool:
    """Whether an error after the client's disconnect, before any login, says why the client disconnected."""
    if state.freed or state.session.login.authenticated:
        return False
    return failure.is_("kex.strict_violation") or (failure.phase in ("kex", "auth") and failure.code not in _CONNECTION)


def _is_clean_up(failure: Failure, channel: Channel | None) -> bool:
    """Whether the error came from tidying up, when nothing that was requested was still open."""
    if failure.is_("channel.closed_anyway", "sftp.close"):
        return True
    return channel is not None and bool(channel.closing_line) and failure.code in _CONNECTION


def _follows_at_once(last: list[Failure], event: Event) -> bool:
    before = last[0].time if last else None
    return before is not None and event.time is not None and event.time - before < _CASCADE


def _correct_phases(failures: list[Failure], event: Event, phase: str) -> None:
    """The outer calls of libssh2 know better where the session was than the inner ones that failed just before."""
    for failure in reversed(failures):
        if failure.error.phase is not None or failure.time is None or (event.time or 0) - failure.time > _CASCADE:
            break
        failure.phase = phase


def _failed_attempt(state: State, failure: Failure) -> Attempt | None:
    session = state.session
    last = session.login.attempts[-1] if session.login.attempts else None
    if failure.code == 0:
        return None
    if failure.is_("agent") and not failure.is_("agent.not_signed"):
        session.login.agent_line = session.login.agent_line or failure.line
        if last is None or last.method == "none" or not last.pending:
            last = Attempt(
                "publickey", failure.line, failure.time, session.login.user, "not-sent", end_line=failure.line
            )
            session.login.attempts.append(last)
            return last
    if last is None:
        return _unseen_attempt(state, failure)
    if last.method == "none":
        return None
    if last.pending:
        _end_attempt(last, failure)
    return last


def _unseen_attempt(state: State, failure: Failure) -> Attempt | None:
    """The attempt that was made before the trace begins, by its answer's packet and the text that reports it."""
    answer, method = state.early_answer, failure.error.method
    if answer is None or method is None or not failure.is_(*REFUSALS):
        return None
    methods, partial = answer.fields["methods"], answer.fields.get("partial")
    attempt = Attempt(method, answer.line, answer.time, state.session.login.user, "refused", methods, partial)
    attempt.outcome, attempt.end_line = "partial" if partial else "refused", answer.line
    attempt.signed = failure.is_("auth.signature_refused")
    state.session.login.attempts.append(attempt)
    return attempt


def _end_attempt(last: Attempt, failure: Failure) -> None:
    """End a pending attempt: by the answer that the error reports, or before anything was sent."""
    if not last.sent and not last.queried and last.method == "publickey":
        last.outcome, last.end_line = "not-sent", failure.line
    elif failure.code in (-18, -19, -48, -16) and not failure.is_("waiting", "auth.wait_failed"):
        # The answer's packet came before its text; without dumps the text alone says so.
        sent_signature = not failure.is_("key.callback", "key.private")
        last.outcome = "refused" if sent_signature else "not-sent"
        last.end_line = failure.line


def _failed_operation(state: State, failure: Failure) -> Operation | None:
    session = state.session
    if state.phase not in ("sftp", "scp", "channel") or not session.operations:
        return None
    last = session.operations[-1]
    if state.sftp_dumped:
        return last if last.outcome != "done" or last.status else None
    operation = state.text_operation
    if operation is None and session.scp.line and last.verb == "scp":
        operation = last
    if operation is not None and operation.outcome == "pending":
        operation.outcome, operation.end_line, operation.ended = "failed", failure.line, failure.time
    return operation
