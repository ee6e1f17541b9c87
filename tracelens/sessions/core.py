"""What every part of a session's state machine stands on: its clock, its phases, and the registry of its steps.

A part (`handshake`, `login`, `channels`, `files`, `track`) is a class of methods marked with the events and
packets that they take; `track.Track` puts the parts together.
"""

from collections.abc import Callable
from typing import Any

from tracelens.libssh2.events import Event
from tracelens.reader import Run
from tracelens.reader.packets import Packet
from tracelens.secrets import is_mask
from tracelens.sessions.model import RANK, Channel, Held, Operation, Phase, Session
from tracelens.ssh.sftp import SftpPacket, SftpStream
from tracelens.ssh.wire import Secret

Step = Callable[[Any, Any], None]
Observer = Callable[[Any, Event | Run | Packet | SftpPacket], None]

# Event name, or (direction, packet name) -> the method that takes it.
STEPS: dict[str | tuple[str, str], Step] = {}


def on(*names: str) -> Callable[[Step], Step]:
    """Marks the method that takes the events of these names."""

    def mark(step: Step) -> Step:
        for name in names:
            STEPS[name] = step
        return step

    return mark


def packet(direction: str, name: str) -> Callable[[Step], Step]:
    """Marks the method that takes the packets of this name, "in" for received ones, "out" for sent ones."""

    def mark(step: Step) -> Step:
        STEPS[direction, name] = step
        return step

    return mark


class Core:
    """A session in the making, without its steps."""

    def __init__(self, line: int, time: float | None, observer: "Observer | None" = None) -> None:
        self._observer = observer
        self.session = Session(first_line=line, last_line=line, started=time)
        self.phase = "banner"
        self.clock: float | None = time
        self.freed = False
        self.closed = False  # freed, or disconnected by the client: what follows tidies up
        self.progress: float | None = time  # when something last happened that is not polling
        self._before: float | None = time  # the progress before that
        self.sftp_packets = False
        self.newkeys = False
        self.silent = False  # whether it waits, so that it says no more than that until an answer comes
        self.looked = 0  # the number that its last record looks for
        self.asked_line = 0  # where it began to wait for the peer; 0 while it does not
        self.asked_time: float | None = None
        self.blocked_line = 0  # where it said -37 and nothing since: a blocking call waits for its socket there
        self.answered: int | None = (
            None  # number of the packet read last, until something other than a look for it comes
        )
        self._waiting: str | None = None
        self._channel: Channel | None = None
        self._numbered: dict[int, Channel] = {}  # the client's channel number -> the last channel that had it
        self._streams: dict[tuple[int, str], SftpStream] = {}
        self._remote: dict[int, int] = {}  # the peer's channel number -> ours
        self._unanswered: dict[int, Operation] = {}
        self._requests: dict[int, str] = {}  # outstanding SFTP reads and writes
        self._just_answered: Operation | None = None  # by a dump whose "Packet type N received" is still to come
        self._text_operation: Operation | None = None
        self._replied = False
        self._hidden: set[tuple[str, bytes]] = set()
        self._phase_mark(line, time)

    def _phase_mark(self, line: int, time: float | None) -> None:
        self.session.phases.append(Phase(self.phase, line, line, time, time))

    def enter(self, phase: str, line: int) -> None:
        """Goes on to a later phase."""
        if self.phase != phase:
            self.phase = phase
            self._phase_mark(line, self.clock)

    def tick(self, line: int, time: float | None, *, polling: bool = False) -> None:
        """Time went on: a pause in which the client waited for the peer is booked on what it waited for."""
        session = self.session
        phase = session.phases[-1]
        if line > session.last_line:
            session.last_line = line
        if line > phase.last_line:
            phase.last_line = line
        if time is None:
            return
        if session.started is None:
            session.started = time
        if self.clock is not None and self._waiting is not None:
            pause = max(time - self.clock, 0.0)
            phase.waited += pause
            wait = session.waits.get(self._waiting)
            if wait is not None:
                wait.seconds += pause
        self.clock = session.ended = phase.ended = time
        if phase.started is None:
            phase.started = time
        if not polling:
            self._before = self.progress
            self.progress = time

    def _hide(self, kind: str, line: int, *values: Secret | bytes | None) -> None:
        """Remembers secrets, which no output may show, wherever else in the trace they turn up.

        The masks of a redacted trace are none, and a request that is sent once more holds no other.
        """
        for value in values:
            plain = value.reveal() if isinstance(value, Secret) else value
            if plain and not is_mask(plain):
                if kind in ("variable", "cookie", "credential") and (kind, plain) in self._hidden:
                    continue  # the text told it, and the packet does
                self._hidden.add((kind, plain))
                self.session.held.append(Held(kind, line, plain))

    def _implied(self, phase: str, line: int) -> None:
        """The trace starts later, or does not show the earlier phases: what is seen needs them done."""
        session = self.session
        session.kex_done = True
        if phase != "auth":
            # Where the login's own answers are in the trace, doing without one is no gap of the trace.
            if session.service_accepted and not session.authenticated and not any(a.sent for a in session.attempts):
                session.skipped_login = line
            session.authenticated = True
            if session.attempts and session.attempts[-1].pending:
                session.attempts[-1].outcome = "accepted"
        self.enter(phase, line)

    def _seen_phase(self, phase: str, line: int, *, by_error: bool = False) -> None:
        """An error's wording says that the session has come to this phase."""
        known = len(self.session.phases)
        self._go_on_to(phase, line)
        for entered in self.session.phases[known:]:
            entered.by_error = by_error

    def _go_on_to(self, phase: str, line: int) -> None:
        if RANK[phase] > RANK[self.phase]:
            if phase == "kex":
                self.enter("kex", line)
            elif phase == "auth":
                self._implied("auth", line)
            elif phase in ("channel", "sftp", "scp") and self.phase != "channel":
                self._implied("channel", line)
            if phase in ("sftp", "scp"):
                self.enter(phase, line)
