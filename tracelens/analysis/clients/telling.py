"""What a client's log tells, in the terms of a libssh2 trace: the messages and errors that a session consists of."""

from typing import Literal

from tracelens.libssh2.events import Event
from tracelens.logs.model import Run
from tracelens.reader.packets import Packet
from tracelens.sessions import Session
from tracelens.sessions.failures import classify_failures
from tracelens.sessions.machine import take_event, take_message
from tracelens.sessions.state import Observer, State
from tracelens.ssh.messages import format_of

Side = Literal["client", "server"]
# Its list of a KEXINIT -> the text of libssh2 that names what was agreed on.
_AGREED = {
    "kex": "kex", "hostkey": "hostkey", "cipher_cs": "crypt_cs", "cipher_sc": "crypt_sc",
    "mac_cs": "mac_cs", "mac_sc": "mac_sc", "comp_cs": "comp_cs", "comp_sc": "comp_sc",
}  # fmt: skip
_SIZE = 64  # of a message, which no log prints


class Telling:
    """A session in the making, told by a log instead of a trace.

    Args:
        run: the client's run.
        observer: what watches it, as `Assembly` has it.
    """

    def __init__(self, run: Run, observer: Observer | None = None) -> None:
        self.state = State.begin(run.events[0].line, None, observer)
        self.session.told_by = run.program
        self.time: float | None = None

    @property
    def session(self) -> Session:
        """The session so far."""
        return self.state.session

    def message(self, line: int, sender: Side, number: int, /, **fields: object) -> None:
        """An SSH message, by its number and the fields that the log shows."""
        direction, name = "out" if sender == "client" else "in", format_of(number).name
        take_message(self.state, Packet(line, self.time, direction, number, name, fields, _SIZE, None))

    def banner(self, line: int, sender: Side, text: str) -> None:
        """An identification string, or another line before it."""
        name, words = ("sent", "Sending") if sender == "client" else ("received", "Received")
        self.text(line, "Transport", f"transport.banner_{name}", f"{words} Banner: {text}", banner=text)

    def agreed(self, line: int, name: str, algorithm: str) -> None:
        """What both sides agreed on for one list."""
        self.text(
            line, "Key Ex", f"key_ex.agreed_{_AGREED[name]}", f"Agreed on {name}: {algorithm}", algorithm=algorithm
        )

    def host_key(self, line: int, fingerprint: str) -> None:
        """The fingerprint of the server's host key, such as `SHA256:...`."""
        kind, _, value = (
            fingerprint.partition(":") if fingerprint.startswith(("SHA256:", "MD5:")) else ("MD5", "", fingerprint)
        )
        self.text(line, "Key Ex", f"key_ex.fingerprint_{kind.lower()}", fingerprint, fingerprint=value.rstrip("="))

    def error(self, line: int, code: int | None, message: str) -> None:
        """An error of libssh2, or what libssh2 would report."""
        fields: dict[str, int | str] = {"message": message} if code is None else {"code": code, "message": message}
        text = message if code is None else f"{code} - {message}"
        take_event(self.state, Event(line, self.time, "Failure Event", "failure_event.failure", fields, text))

    def text(self, line: int, context: str, name: str, text: str, **fields: int | str | tuple[str, ...]) -> None:
        """A text of libssh2 that says the same as the log's line."""
        take_event(self.state, Event(line, self.time, context, name, fields, text))

    def freed(self, line: int) -> None:
        """The client ends the session by itself."""
        self.text(line, "Transport", "transport.session_freed", "Freeing session resource")

    def finish(self, *, ended: bool, contexts: tuple[str, ...]) -> Session:
        """The session, judged.

        Args:
            ended: whether the log shows how it ended; if not, more may have followed.
            contexts: libssh2's subsystems of which the log would show all that matters.
        """
        self.session.traced = set(contexts)
        session = classify_failures(self.state, cut=not ended)
        if not ended and session.ending.failed is None:
            session.ending.left = session.ending.left or "open session"
        if session.banner.server is None and not session.kex.done:
            session.ending.left = ""  # nothing came, and the log does not say how long the client waited
        return session
