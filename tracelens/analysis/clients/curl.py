"""A connection of curl, as `curl -v` tells it -> a session. What libssh2 said to curl is in it as libssh2's error."""

import re
from collections.abc import Callable

from tracelens.analysis.clients.telling import Telling
from tracelens.libssh2.errors import bare_error, classify
from tracelens.logs.model import Event, Run
from tracelens.sessions import REFUSALS, Operation, Session
from tracelens.sessions.state import Observer

_CONTEXTS = ("Failure Event", "Userauth")
# curl's words for the status of SFTP (draft-ietf-secsh-filexfer-13, 9.1), which it prints in place of the number.
_STATUS = {
    "no such file or directory": 2, "no such file": 2, "permission denied": 3, "operation failed": 4, "failure": 4,
    "bad message from sftp server": 5, "not connected to sftp server": 6, "connection to sftp server lost": 7,
    "operation not supported by sftp server": 8, "invalid handle": 9, "file already exists": 11,
    "file is write protected": 12, "no media": 13, "disk full": 14, "user quota exceeded": 15,
    "unknown principle": 16, "unknown principal": 16, "file lock conflict": 17, "directory not empty": 18,
    "not a directory": 19, "invalid filename": 20, "link points to itself": 21,
}  # fmt: skip
_VERBS = {
    "open_failed": "open", "opendir_failed": "opendir", "upload_failed": "open", "stat_failed": "stat",
    "setstat_failed": "setstat",
}  # fmt: skip
_COMMANDS = {"rm": "remove"}
_NEVER_BEGAN = (5, 6, 7)  # exit status: a proxy or host that has no address, no connection
# libssh's name of a method -> that of RFC 4252.
_METHODS = {"public key": "publickey"}
_ACCEPTED = {
    "key_accepted": "publickey", "password_accepted": "password", "keyboard_accepted": "keyboard_interactive",
    "agent_accepted": "publickey",
}  # fmt: skip
_ENDS = ("ended", "closing", "left_intact")


class _CurlRun:
    """Takes the events of one connection in order."""

    def __init__(self, run: Run, observer: Observer | None) -> None:
        self.run = run
        self.told = Telling(run, observer)
        self.seen: set[tuple[str, str]] = set()
        self.methods: tuple[str, ...] = ()

    def session(self) -> Session:
        for event in self.run.events:
            step = _STEPS.get(event.name)
            said = (event.name, str(event.fields))
            if step is not None and said not in self.seen:  # the last line repeats the one before
                self.seen.add(said)
                self.told.time = event.stamp.seconds if event.stamp is not None else None
                step(self, event)
        ended = self.run.has(*_ENDS)
        if ended:
            self.told.freed(self.run.events[-1].line)
        return self.told.finish(ended=ended, contexts=_CONTEXTS)

    def error(self, event: Event) -> None:
        """libssh2's own sentence: with its number where curl prints it, or libssh2 has one number for it."""
        message, code = str(event.fields.get("message", event.text)), event.fields.get("code")
        if not isinstance(code, int):
            found = bare_error(message)
            code, message = found if found is not None else (None, message)
        self.told.error(event.line, code, message)

    # -- key exchange ------------------------------------------------------------------------------------------------

    def connected(self, event: Event) -> None:
        self.told.text(event.line, "Transport", "transport.session_startup", event.text)

    def session_failed(self, event: Event) -> None:
        if event.fields or not self.run.has("ended"):
            self.error(event)

    def fingerprint(self, event: Event) -> None:
        value = str(event.fields.get("fingerprint", ""))
        self.told.host_key(event.line, value if re.fullmatch("[0-9a-f]{32}", value) else f"SHA256:{value}")

    def host_key_refused(self, event: Event) -> None:
        self._kex_done(event)
        if not self.told.session.failures:
            self.told.error(event.line, -46, str(event.fields.get("reason", event.text)))

    def _kex_done(self, event: Event) -> None:
        if not self.told.session.kex.done:
            self.told.text(event.line, "Key Ex", "key_ex.newkeys_received", event.text)

    # -- login -------------------------------------------------------------------------------------------------------

    def user_named(self, event: Event) -> None:
        self.told.session.login.user = str(event.fields.get("user", "")) or None

    def methods_offered(self, event: Event) -> None:
        names = event.fields.get("names", ())
        self.methods = tuple(_METHODS.get(name, name) for name in names) if isinstance(names, tuple) else ()
        self._kex_done(event)
        self.told.text(event.line, "Userauth", "userauth.permitted_methods", event.text, methods=self.methods)

    def key_file(self, event: Event) -> None:
        """A key file; its name is empty where the user named none."""
        path = str(event.fields.get("file", ""))
        self.told.text(event.line, "Userauth", f"userauth.{event.name}", event.text, path=path)

    def key_refused(self, event: Event) -> None:
        if not classify(str(event.fields.get("message", ""))).names.isdisjoint(REFUSALS):
            self.told.text(event.line, "Userauth", "userauth.publickey_attempted", event.text)
        self.error(event)

    def accepted(self, event: Event) -> None:
        self._kex_done(event)
        method = _ACCEPTED[event.name.removeprefix("libssh_")]
        if event.name in ("keyboard_accepted", "agent_accepted"):
            self._refuse(event, "password")  # curl tries it before
        self.told.text(event.line, "Userauth", f"userauth.{method}_attempted", event.text)
        self.told.text(event.line, "Userauth", f"userauth.{method}_succeeded", event.text)

    def libssh_key_refused(self, event: Event) -> None:
        self._kex_done(event)
        self._refuse(event, "publickey")

    def libssh_key_unreadable(self, event: Event) -> None:
        self.told.error(event.line, -16, "Unable to open private key file")

    def authenticated(self, event: Event) -> None:
        self._kex_done(event)
        if not self.told.session.login.authenticated:
            self.told.message(event.line, "server", 52)

    def denied(self, event: Event) -> None:
        """No login went through. curl says nothing of passwords that were refused, but tries them where it may."""
        self._kex_done(event)
        if self.told.session.login.authenticated:
            return
        self._refuse(event, "password")
        self._refuse(event, "keyboard-interactive")
        if not any(attempt.method != "none" for attempt in self.told.session.login.attempts):
            self.told.error(event.line, None, event.text)

    def _refuse(self, event: Event, method: str) -> None:
        tried = {attempt.method for attempt in self.told.session.login.attempts}
        if method in self.methods and method not in tried:
            name = method.replace("-", "_")
            self.told.text(event.line, "Userauth", f"userauth.{name}_attempted", event.text)
            if method == "publickey":
                self.told.message(event.line, "server", 51, methods=self.methods, partial=False)
            else:
                self.told.text(event.line, "Userauth", f"userauth.{name}_failed", event.text)

    # -- the work ----------------------------------------------------------------------------------------------------

    def sftp_failed(self, event: Event) -> None:
        self.told.message(event.line, "client", 90, kind="session", sender=0)
        self.told.message(event.line, "server", 91, recipient=0, sender=0)
        request = {"recipient": 0, "request": "subsystem", "want_reply": True, "subsystem": "sftp"}
        self.told.message(event.line, "client", 98, **request)
        self.error(event)

    def operation_failed(self, event: Event) -> None:
        """The server refuses an SFTP request; curl prints neither its path nor the server's sentence."""
        words = str(event.fields.get("status", ""))
        verb = _VERBS.get(event.name) or str(event.fields.get("verb", ""))
        self.told.text(event.line, "SFTP", "sftp.version_enabled", event.text, version=3)
        status = _STATUS.get(re.sub(r"^sftp server: | *(?:::.*|\(.*\))$", "", words.lower()))
        operation = Operation(
            _COMMANDS.get(verb, verb), event.line, status=status, outcome="failed", end_line=event.line
        )
        self.told.session.operations.append(operation)
        if status is None:
            self.told.error(event.line, None, event.text)

    def timed_out(self, event: Event) -> None:
        """Curl waits no longer; before the login its log does not show for what."""
        if self.told.session.login.authenticated:
            self.told.error(event.line, -9, event.text)

    def ended(self, event: Event) -> None:
        """An exit status that nothing before explains."""
        session = self.told.session
        failed = any(failure.line > session.login.accepted_line for failure in session.failures)
        begun = session.login.authenticated and not failed and not session.operations
        if begun and event.fields.get("status") not in (0, *_NEVER_BEGAN):
            self.told.error(event.line, None, event.text)


_STEPS: dict[str, Callable[[_CurlRun, Event], None]] = {
    "connected": _CurlRun.connected,
    "session_failed": _CurlRun.session_failed,
    "fingerprint": _CurlRun.fingerprint,
    "host_key_refused": _CurlRun.host_key_refused,
    "user_named": _CurlRun.user_named,
    "methods_offered": _CurlRun.methods_offered,
    **dict.fromkeys(("public_key_file", "private_key_file"), _CurlRun.key_file),
    "key_refused": _CurlRun.key_refused,
    **dict.fromkeys(("key_accepted", "password_accepted", "keyboard_accepted", "agent_accepted"), _CurlRun.accepted),
    **dict.fromkeys(("libssh_key_accepted", "libssh_password_accepted", "libssh_keyboard_accepted"), _CurlRun.accepted),
    "libssh_key_refused": _CurlRun.libssh_key_refused,
    "libssh_key_unreadable": _CurlRun.libssh_key_unreadable,
    **dict.fromkeys(("authenticated", "authenticated_none", "libssh_none"), _CurlRun.authenticated),
    "denied": _CurlRun.denied,
    "sftp_failed": _CurlRun.sftp_failed,
    **dict.fromkeys((*_VERBS, "command_failed"), _CurlRun.operation_failed),
    **dict.fromkeys(("scp_failed", "read_failed", "libssh2_error"), _CurlRun.error),
    "timed_out": _CurlRun.timed_out,
    "ended": _CurlRun.ended,
}


def session(run: Run, observer: Observer | None = None) -> Session:
    """The session of a connection."""
    return _CurlRun(run, observer).session()


def not_reached(run: Run) -> Event | None:
    """The line that says why curl came to no server; None where it came to one."""
    return run.last("connect_failed", "not_resolved", "connect_timed_out") if not run.has("connected") else None


def is_of_libssh(run: Run) -> bool:
    """Whether this curl is built with libssh, another library than libssh2."""
    return any(event.name.startswith("libssh_") for event in run.events)
