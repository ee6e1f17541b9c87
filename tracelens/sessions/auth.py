"""Authentication: the list of attempts (RFC 4252, RFC 4256)."""

from typing import Any, Literal

from tracelens.libssh2.events import Event
from tracelens.reader.packets import Packet
from tracelens.sessions.handshake import finish_kex
from tracelens.sessions.model import RECENT, Attempt, Quote
from tracelens.sessions.state import State, on, on_packet
from tracelens.ssh.wire import Secret

_BLANK = Secret(b"")
# A message 61 of this size has a number of answers, 0, and none of them (RFC 4256, 3.4).
_NO_ANSWER = 5
# How many of the server's messages to the user are kept, and how many characters of each.
_MESSAGES_KEPT, _MESSAGE_LENGTH = 16, 4000


def begin_attempt(state: State, method: str, line: int, *, sent: bool = False) -> Attempt:
    """The attempt of this method that is under way, or a new one."""
    last = _last_attempt(state)
    if last is None or last.method != method or not last.pending or (sent and last.sent):
        last = Attempt(method, line, state.clock, state.session.login.user)
        state.session.login.attempts.append(last)
    return last


def end_attempt(
    state: State, outcome: Any, line: int, partial: bool | None = None, remaining: tuple[str, ...] = ()
) -> None:
    """The server accepts or rejects the attempt under way."""
    session, last = state.session, _last_attempt(state)
    if last is not None and last.pending:
        last.outcome, last.end_line = outcome, line
    elif last is not None and outcome == "accepted":
        last.outcome = outcome
    else:
        last = None
    if last is not None:
        last.partial = last.partial if partial is None else partial
        last.remaining = remaining or last.remaining
    if outcome == "accepted" and not session.login.authenticated:
        session.login.authenticated = True
        session.login.accepted_line = line
        state.enter("channel", line)


def _last_attempt(state: State) -> Attempt | None:
    """The last attempt, also one that is only a query for the methods."""
    attempts = state.session.login.attempts
    return attempts[-1] if attempts else None


@on("userauth.permitted_methods")
def _permitted_methods(state: State, event: Event) -> None:
    methods = event.fields.get("methods", ())
    session, last = state.session, _last_attempt(state)
    if isinstance(methods, tuple):
        session.login.offered = methods
        session.login.offered_line = event.line
        if last is None or last.method != "none":
            query = Attempt("none", event.line, event.time, session.login.user, "refused", methods, end_line=event.line)
            if not any(a.pending for a in session.login.attempts[-RECENT:]):
                session.login.attempts.append(query)
        elif last.pending:
            end_attempt(state, "refused", event.line, None, methods)


@on("userauth.password_attempted")
def _password(state: State, event: Event) -> None:
    begin_attempt(state, "password", event.line)


@on("userauth.keyboard_interactive_attempted")
def _keyboard_interactive(state: State, event: Event) -> None:
    begin_attempt(state, "keyboard-interactive", event.line)


@on("userauth.hostbased_attempted")
def _hostbased(state: State, event: Event) -> None:
    begin_attempt(state, "hostbased", event.line)


@on("userauth.public_key_file", "userauth.key_computed_from_file")
def _public_key_file(state: State, event: Event) -> None:
    begin_attempt(state, "publickey", event.line).key_file = str(event.fields.get("path", ""))


@on("userauth.publickey_attempted", "userauth.key_computed")
def _publickey(state: State, event: Event) -> None:
    attempt = begin_attempt(state, "publickey", event.line)
    if event.name == "userauth.publickey_attempted":
        attempt.queried = True


@on("userauth.private_key_file")
def _private_key_file(state: State, event: Event) -> None:
    attempt = begin_attempt(state, "publickey", event.line)
    attempt.private_file = str(event.fields.get("path", ""))
    attempt.key_file = attempt.key_file or attempt.private_file
    if attempt.queried:
        attempt.accepted_key = True


@on("userauth.publickey_signed")
def _signed(state: State, event: Event) -> None:
    attempt = begin_attempt(state, "publickey", event.line)
    attempt.queried = attempt.signed = attempt.accepted_key = True


@on("key_ex.signing", "key_ex.agent_sign_method")
def _signing(state: State, event: Event) -> None:
    if state.phase == "auth":
        algorithm = event.fields.get("algorithm", event.fields.get("method", ""))
        begin_attempt(state, "publickey", event.line).algorithm = str(algorithm)


@on(
    "userauth.password_succeeded", "userauth.keyboard_interactive_succeeded", "userauth.publickey_succeeded",
    "userauth.publickey_premature", "userauth.hostbased_succeeded",
)  # fmt: skip
@on_packet("in", "userauth_success")
def _accepted(state: State, item: Event | Packet) -> None:
    session = state.session
    if session.login.authenticated and not any(a.outcome == "accepted" for a in session.login.attempts):
        session.login.authenticated = False  # it was only implied
    end_attempt(state, "accepted", item.line)


@on("userauth.password_failed", "userauth.keyboard_interactive_failed")
def _rejected(state: State, event: Event) -> None:
    end_attempt(state, "refused", event.line)


@on("userauth.password_change_required")
def _change_required(state: State, event: Event) -> None:
    begin_attempt(state, "password", event.line).change_requested = event.line


@on("userauth.keyboard_interactive_callback")
def _callback(state: State, event: Event) -> None:
    attempt = begin_attempt(state, "keyboard-interactive", event.line)
    attempt.prompts = attempt.prompts or 0


@on_packet("out", "userauth_request", needs="user method")
def _userauth_request(state: State, packet: Packet) -> None:
    finish_kex(state, packet.line)
    fields = packet.fields
    method = fields.get("method", "")
    state.session.login.user = fields.get("user")
    attempt = begin_attempt(state, method, packet.line, sent=method != "publickey")
    attempt.user, attempt.sent, attempt.request_line = state.session.login.user, True, packet.line
    if method == "password":
        attempt.blank = _are_blank(fields.get("password"))
        state.hide("password", packet.line, fields.get("password"), fields.get("new_password"))
    elif method == "publickey":
        attempt.algorithm = fields.get("algorithm") or attempt.algorithm
        attempt.fingerprint = fields.get("fingerprint")
        attempt.queried = True
        if fields.get("has_signature"):
            attempt.signed = True


def _are_blank(*values: Secret | None) -> bool | None:
    """Whether all of these passwords or answers are empty; None where there is none."""
    return all(value == _BLANK for value in values) if values and None not in values else None


@on_packet("in", "userauth_failure", needs="methods")
def _userauth_failure(state: State, packet: Packet) -> None:
    methods, partial = packet.fields["methods"], packet.fields.get("partial")
    last = _last_attempt(state)
    if last is None:
        state.early_answer = packet
    outcome: Literal["partial", "refused"] = "partial" if partial else "refused"
    if last is not None and not last.pending and last.partial is None:
        last.partial, last.remaining, last.outcome = partial, methods, outcome  # the text came first
    end_attempt(state, outcome, packet.line, partial, methods)
    if partial is not None:  # else the method may be gone from the list because it was accepted
        state.session.login.offered = methods
        state.session.login.offered_line = packet.line


@on_packet("in", "pk_ok", needs="algorithm")
def _pk_ok(state: State, packet: Packet) -> None:
    if (last := _last_attempt(state)) is not None:
        last.accepted_key = True


@on_packet("in", "passwd_changereq")
def _passwd_changereq(state: State, packet: Packet) -> None:
    if (last := _last_attempt(state)) is not None:
        last.change_requested = packet.line


@on_packet("in", "info_request", needs="")
def _info_request(state: State, packet: Packet) -> None:
    fields, last = packet.fields, _last_attempt(state)
    prompts = fields.get("prompts", ())
    # Prompts before any answer can't be about the answer; a server that asks once more has got one.
    aside = last is None or not (last.answered or last.prompts)
    if last is not None and "prompts" in fields:
        last.prompts = (last.prompts or 0) + len(prompts)
    instruction = fields.get("instruction", fields.get("instruction_begins", ""))
    texts = (fields.get("title", ""), instruction, *(text for text, _ in prompts or fields.get("prompts_begins", ())))
    _add_message(state, packet.line, *texts, aside=aside)


@on_packet("out", "info_response", needs="")
def _info_response(state: State, packet: Packet) -> None:
    answers = packet.fields.get("answers", ())
    if (last := _last_attempt(state)) is not None:
        # An answer that the trace does not show is one more all the same.
        count = len(answers) if "answers" in packet.fields else int(packet.size > _NO_ANSWER)
        last.answered = (last.answered or 0) + count
        if count:
            blank = _are_blank(*answers)
            last.blank = (
                blank if last.blank is not False and (last.blank is True or last.answered == count) else last.blank
            )
    state.hide("answer", packet.line, *answers)


@on("userauth.banner")
@on_packet("in", "userauth_banner", needs="")
def _banner(state: State, item: Event | Packet) -> None:
    _add_message(state, item.line, str(item.fields.get("message", item.fields.get("message_begins", ""))))


def _add_message(state: State, line: int, *texts: str, aside: bool = False) -> None:
    """Keep a message from the server to the user; the text of a banner repeats its packet."""
    messages = state.session.login.messages
    lines = (" ".join(line.split()) for text in texts for line in text[:_MESSAGE_LENGTH].splitlines())
    text = "\n".join(filter(None, lines))[:_MESSAGE_LENGTH]
    if text and (not messages or messages[-1].text != text):
        messages.append(Quote(line, text, aside))
        del messages[:-_MESSAGES_KEPT]
