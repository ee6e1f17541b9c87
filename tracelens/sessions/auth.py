"""Authentication: the ledger of attempts (RFC 4252, RFC 4256)."""

from typing import Any

from tracelens.libssh2.events import Event
from tracelens.reader.packets import Packet
from tracelens.sessions.core import on, packet
from tracelens.sessions.handshake import Handshake
from tracelens.sessions.model import RECENT, Attempt, Quote

# How many of the server's words to the user are kept, and how many characters of each.
_SAID, _SAID_LENGTH = 16, 4000


class Login(Handshake):
    """Steps of the authentication protocol."""

    def method(self) -> str | None:
        """The authentication method last asked for: number 60 depends on it."""
        attempts = self.session.attempts
        return attempts[-1].method if attempts else None

    def _begin(self, method: str, line: int, *, sent: bool = False) -> Attempt:
        """The attempt of this method that is under way, or a new one."""
        attempts = self.session.attempts
        last = attempts[-1] if attempts else None
        if last is None or last.method != method or not last.pending or (sent and last.sent):
            last = Attempt(method, line, self.clock, self.session.user)
            attempts.append(last)
        return last

    def _settle(self, outcome: Any, line: int, partial: bool | None = None, remaining: tuple[str, ...] = ()) -> None:
        attempts = self.session.attempts
        if attempts and attempts[-1].pending:
            last = attempts[-1]
            last.outcome = outcome
            last.end_line = line
        elif attempts and outcome == "accepted":
            last = attempts[-1]
            last.outcome = outcome
        else:
            last = None
        if last is not None and partial is not None:
            last.partial = partial
        if last is not None and remaining:
            last.remaining = remaining
        if outcome == "accepted" and not self.session.authenticated:
            self.session.authenticated = True
            self.session.auth_line = line
            self.enter("channel", line)

    @on("userauth.permitted_methods")
    def _permitted(self, event: Event) -> None:
        methods = event.fields.get("methods", ())
        session = self.session
        if isinstance(methods, tuple):
            session.offered = methods
            session.offered_line = event.line
            if not session.attempts or session.attempts[-1].method != "none":
                probe = Attempt("none", event.line, event.time, session.user, "refused", methods, end_line=event.line)
                if not any(a.pending for a in session.attempts[-RECENT:]):
                    session.attempts.append(probe)
            elif session.attempts[-1].pending:
                self._settle("refused", event.line, None, methods)

    @on("userauth.password_attempted")
    def _password(self, event: Event) -> None:
        self._begin("password", event.line)

    @on("userauth.keyboard_interactive_attempted")
    def _keyboard(self, event: Event) -> None:
        self._begin("keyboard-interactive", event.line)

    @on("userauth.hostbased_attempted")
    def _hostbased(self, event: Event) -> None:
        self._begin("hostbased", event.line)

    @on("userauth.public_key_file", "userauth.key_computed_from_file")
    def _public_key(self, event: Event) -> None:
        self._begin("publickey", event.line).key_file = str(event.fields.get("path", ""))

    @on("userauth.publickey_attempted", "userauth.key_computed")
    def _publickey(self, event: Event) -> None:
        attempt = self._begin("publickey", event.line)
        if event.name == "userauth.publickey_attempted":
            attempt.queried = True

    @on("userauth.private_key_file")
    def _private_key(self, event: Event) -> None:
        attempt = self._begin("publickey", event.line)
        attempt.private_file = str(event.fields.get("path", ""))
        attempt.key_file = attempt.key_file or attempt.private_file
        if attempt.queried:
            attempt.accepted_key = True

    @on("userauth.publickey_signed")
    def _signed(self, event: Event) -> None:
        attempt = self._begin("publickey", event.line)
        attempt.queried = attempt.signed = attempt.accepted_key = True

    @on("key_ex.signing", "key_ex.agent_sign_method")
    def _signing(self, event: Event) -> None:
        if self.phase == "auth":
            self._begin("publickey", event.line).algorithm = str(
                event.fields.get("algorithm", event.fields.get("method", ""))
            )

    @on(
        "userauth.password_succeeded", "userauth.keyboard_interactive_succeeded", "userauth.publickey_succeeded",
        "userauth.publickey_premature", "userauth.hostbased_succeeded",
    )  # fmt: skip
    def _accepted(self, event: Event) -> None:
        if self.session.authenticated and not any(a.outcome == "accepted" for a in self.session.attempts):
            self.session.authenticated = False
        self._settle("accepted", event.line)

    @on("userauth.password_failed", "userauth.keyboard_interactive_failed")
    def _refused(self, event: Event) -> None:
        self._settle("refused", event.line)

    @on("userauth.password_change_required")
    def _change_required(self, event: Event) -> None:
        self._begin("password", event.line).change_requested = event.line

    @on("userauth.keyboard_interactive_callback")
    def _callback(self, event: Event) -> None:
        attempt = self._begin("keyboard-interactive", event.line)
        attempt.prompts = attempt.prompts or 0

    @packet("out", "userauth_request")
    def _out_userauth_request(self, packet: Packet) -> None:
        session = self.session
        self._kex_finished(packet.line)
        fields = packet.fields
        session.user = fields.get("user")
        method = fields.get("method", "")
        attempt = self._begin(method, packet.line, sent=method != "publickey")
        attempt.user, attempt.sent, attempt.request_line = session.user, True, packet.line
        if method == "password":
            self._hide("password", packet.line, fields.get("password"), fields.get("new_password"))
        elif method == "publickey":
            attempt.algorithm = fields.get("algorithm") or attempt.algorithm
            attempt.fingerprint = fields.get("fingerprint")
            attempt.queried = True
            if fields.get("has_signature"):
                attempt.signed = True

    @packet("in", "userauth_failure")
    def _in_userauth_failure(self, packet: Packet) -> None:
        methods, partial = packet.fields["methods"], packet.fields["partial"]
        if (
            self.session.attempts
            and not self.session.attempts[-1].pending
            and self.session.attempts[-1].partial is None
        ):
            self.session.attempts[-1].partial = partial  # the text came first
            self.session.attempts[-1].remaining = methods
            self.session.attempts[-1].outcome = "partial" if partial else "refused"
        self._settle("partial" if partial else "refused", packet.line, partial, methods)
        self.session.offered = methods
        self.session.offered_line = packet.line

    @packet("in", "userauth_success")
    def _in_userauth_success(self, packet: Packet) -> None:
        if self.session.authenticated and not any(a.outcome == "accepted" for a in self.session.attempts):
            self.session.authenticated = False
        self._settle("accepted", packet.line)

    @packet("in", "pk_ok")
    def _in_pk_ok(self, packet: Packet) -> None:
        if self.session.attempts:
            self.session.attempts[-1].accepted_key = True

    @packet("in", "passwd_changereq")
    def _in_passwd_changereq(self, packet: Packet) -> None:
        if self.session.attempts:
            self.session.attempts[-1].change_requested = packet.line

    @packet("in", "info_request")
    def _in_info_request(self, packet: Packet) -> None:
        fields = packet.fields
        prompts = fields.get("prompts", ())
        if self.session.attempts:
            attempt = self.session.attempts[-1]
            attempt.prompts = (attempt.prompts or 0) + len(prompts)
        answered = self.session.attempts[-1].answered if self.session.attempts else None
        texts = (fields.get("title", ""), fields.get("instruction", ""), *(text for text, _ in prompts))
        self._told(packet.line, *texts, aside=not answered)

    @packet("in", "userauth_banner")
    def _in_userauth_banner(self, packet: Packet) -> None:
        self._told(packet.line, packet.fields.get("message", ""))

    @on("userauth.banner")
    def _banner(self, event: Event) -> None:
        self._told(event.line, str(event.fields.get("message", "")))

    def _told(self, line: int, *texts: str, aside: bool = False) -> None:
        """Keeps what the server tells the user; the text of a banner repeats its packet.

        Prompts before any answer are aside: they can't be about what was answered.
        """
        said = self.session.said
        lines = (" ".join(line.split()) for text in texts for line in text[:_SAID_LENGTH].splitlines())
        text = "\n".join(filter(None, lines))[:_SAID_LENGTH]
        if text and (not said or said[-1].text != text):
            said.append(Quote(line, text, aside))
            del said[:-_SAID]

    @packet("out", "info_response")
    def _out_info_response(self, packet: Packet) -> None:
        answers = packet.fields.get("answers", ())
        if self.session.attempts:
            attempt = self.session.attempts[-1]
            attempt.answered = (attempt.answered or 0) + len(answers)
        self._hide("answer", packet.line, *answers)
