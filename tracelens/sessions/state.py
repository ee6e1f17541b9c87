"""What the machines of one session share: its facts so far, its clock and phase, and the registry of their steps.

Each protocol layer is a module of functions (`handshake`, `auth`, `channels`, `sftp`, `error_events`), marked with the
events and packets that they handle; `machine` passes the state to them.
"""

from collections.abc import Callable
from typing import Any

from msgspec import Struct, field

from tracelens.libssh2.events import Event
from tracelens.reader import Run
from tracelens.reader.packets import Packet
from tracelens.secrets import is_mask
from tracelens.sessions.model import RANK, Channel, FoundSecret, Operation, Phase
from tracelens.sessions.session import Session
from tracelens.sessions.unanswered import pending_request
from tracelens.ssh.sftp import SftpPacket, SftpStream
from tracelens.ssh.wire import Secret

Step = Callable[[Any, Any], None]
Observer = Callable[[Any, Event | Run | Packet | SftpPacket], None]

# Event name, or (direction, packet name) -> the function that handles it.
STEPS: dict[str | tuple[str, str], Step] = {}
# (direction, packet name) -> the fields that its function needs; it does without the others where the trace has a hole.
NEEDED: dict[tuple[str, str], frozenset[str]] = {}

# A pause of at least this many seconds may be idleness.
_IDLE = 0.05

# Fields that hold a secret, by event: their texts print it in the clear.
HIDDEN_FIELDS = {"conn.env_requested": ("value",), "conn.x11_requested": ("cookie",)}


def on(*names: str) -> Callable[[Step], Step]:
    """Mark the function that handles the events of these names."""

    def mark(step: Step) -> Step:
        STEPS.update(dict.fromkeys(names, step))
        return step

    return mark


def on_packet(direction: str, name: str, *, needs: str | None = None) -> Callable[[Step], Step]:
    """Mark the function that handles the packets of this name, "in" for received ones, "out" for sent ones.

    Args:
        direction: "in" or "out".
        name: as `Packet.name`.
        needs: the fields without which it can't do, separated by blanks; all of them if it is not given.
    """

    def mark(step: Step) -> Step:
        STEPS[direction, name] = step
        if needs is not None:
            NEEDED[direction, name] = frozenset(needs.split())
        return step

    return mark


def shown(event: Event) -> str:
    """The event's text as evidence may quote it: without the value of an environment variable or a cookie."""
    text = event.text
    for name in HIDDEN_FIELDS.get(event.name, ()):
        value = str(event.fields.get(name, ""))
        text = text.replace(f"={value}", "=[hidden]") if value else text
    return text


# RFC 4250, 4.1.2: the numbers of the messages of each protocol.
# 5 and 6 ask for the login's service.
_PHASE_OF_NUMBERS = (
    (range(5, 7), "auth"),
    (range(20, 50), "kex"),
    (range(50, 80), "auth"),
    (range(80, 101), "channel"),
)


class State(Struct, eq=False):
    """One session in the making."""

    session: Session
    observer: Observer | None = None
    phase: str = "banner"
    freed: bool = False
    closed: bool = False  # freed, or disconnected by the client: what follows is clean-up
    preparing: bool = False  # what comes is what the program asked for before the session starts
    preparations: int = 0  # errors of that
    socket: object = None  # the number of its socket, where the start shows it
    newkeys_received: bool = False
    packets_phase: str = ""  # the latest phase that the numbers of packets show

    early_answer: Packet | None = None  # the last USERAUTH_FAILURE before any attempt: the trace begins between them

    # Time.
    clock: float | None = None
    pause: float = 0.0  # since the clock was read before
    last_progress: float | None = None  # when something other than polling happened last
    earlier_progress: float | None = None  # the progress before that

    # Waiting for the peer.
    waiting: bool = False  # until a reply arrives it can only log retries
    wait_started_line: int = 0  # 0 while it does not wait
    wait_started: float | None = None
    wait_reason: str | None = None  # which of the session's waits the next pause belongs to; None: to none
    blocked_line: int = 0  # of the last -37 without anything after it: a blocking call waits for its socket
    kept_alive: bool = False  # a keepalive was sent or received since the clock was read last
    looking_for: int = 0  # the packet number that the last record looks for
    last_event: str = ""  # the last record's, "" if that was folded
    last_sent: int = 0  # number of the last packet, if it was sent and nothing followed
    last_received: int | None = None  # number of the last packet, until anything but a look for it follows

    # Channels: the client's number -> the last channel that had it; the peer's number -> the client's.
    channel: Channel | None = None
    channel_by_number: dict[int, Channel] = field(default_factory=dict)
    own_numbers: dict[int, int] = field(default_factory=dict)

    # SFTP.
    sftp_dumped: bool = False
    sftp_streams: dict[tuple[int, str], SftpStream] = field(default_factory=dict)
    open_operations: dict[int, Operation] = field(default_factory=dict)
    readdir_handles: dict[int, object] = field(default_factory=dict)  # by the request id of the last readdir
    close_handles: dict[int, object] = field(default_factory=dict)  # by the request id of the close
    completed_operation: Operation | None = None  # by a dump whose "Packet type N received" is still to come
    text_operation: Operation | None = None  # begun by a text
    reply_seen: bool = False
    transfer_started: float | None = None  # when the first read or write of the open file was sent
    transfer_answers: int = 0

    known_secrets: set[tuple[str, bytes]] = field(default_factory=set)

    @classmethod
    def begin(cls, line: int, time: float | None, observer: Observer | None = None) -> "State":
        """The state of a session that starts here."""
        session = Session(first_line=line, last_line=line, started=time)
        state = cls(session, observer, clock=time, last_progress=time, earlier_progress=time)
        session.phases.append(Phase(state.phase, line, line, time, time))
        return state

    def observe(self, item: Event | Run | Packet | SftpPacket) -> None:
        """Show the observer what the session has just seen."""
        if self.observer is not None:
            self.observer(self, item)

    def enter(self, phase: str, line: int) -> None:
        """Advance to a later phase."""
        if self.phase != phase:
            self.phase = phase
            self.session.phases.append(Phase(phase, line, line, self.clock, self.clock))

    def imply_by_number(self, number: int, line: int) -> None:
        """Note the phase that the number of a packet shows, where nothing has shown that the session began."""
        if self.phase != "banner":
            return
        phase = next((phase for numbers, phase in _PHASE_OF_NUMBERS if number in numbers), "banner")
        if phase == "kex":
            self.enter("kex", line)
        elif RANK[phase] > RANK[self.packets_phase or "banner"]:
            self.packets_phase = phase

    def tick(self, line: int, time: float | None, *, polling: bool = False) -> None:
        """Advance the clock; a pause in which the client waited for the peer is added to what it waited for."""
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
        if self.clock is not None and self.wait_reason is not None:
            pause = max(time - self.clock, 0.0)
            phase.waited += pause
            wait = session.waits.get(self.wait_reason)
            if wait is not None:
                wait.seconds += pause
        self.pause = time - self.clock if self.clock is not None else 0.0
        if self.kept_alive or polling:
            self.add_idleness()
        self.kept_alive = False
        self.clock = session.ended = phase.ended = time
        if phase.started is None:
            phase.started = time
        if not polling:
            self.earlier_progress = self.last_progress
            self.last_progress = time

    def add_idleness(self) -> None:
        """Count the last pause as idle, if nothing that was requested had to be answered in it."""
        session = self.session
        if self.pause < _IDLE or self.phase in ("banner", "kex", "auth") or session.sftp.unanswered:
            return
        # Where a command or a transfer is under way, polling a channel waits for it.
        runs = session.sftp.line or session.scp.line or any(c.request("exec") for c in session.channels[-1:])
        if (self.kept_alive or not runs) and pending_request(session) is None:
            session.phases[-1].idle += self.pause
            self.pause = 0.0

    def hear(self) -> None:
        """Bytes came from the server, though no whole packet yet."""
        self.last_progress = self.clock

    def begin_transfer(self) -> None:
        """A file is open: its reads and writes follow."""
        self.transfer_started, self.transfer_answers, self.session.sftp.pace = None, 0, 0.0

    def note_pace(self, answers: int, time: float | None) -> None:
        """Note how long the answers to reads and writes take."""
        if not answers:
            self.transfer_started = time if self.transfer_started is None else self.transfer_started
        elif self.transfer_started is not None and time is not None:
            self.transfer_answers += answers
            self.session.sftp.pace = max(0.0, time - self.transfer_started) / self.transfer_answers

    def hide(self, kind: str, line: int, *values: Secret | bytes | None) -> None:
        """Remember secrets, so that no output shows them wherever they occur in the trace.

        The masks of a redacted trace are no secrets, and a repeated request adds none.
        """
        for value in values:
            plain = value.reveal() if isinstance(value, Secret) else value
            if plain and not is_mask(plain):
                if kind in ("variable", "cookie", "credential") and (kind, plain) in self.known_secrets:
                    continue  # text and packet both show it
                self.known_secrets.add((kind, plain))
                self.session.secrets.append(FoundSecret(kind, line, plain))

    def imply(self, phase: str, line: int) -> None:
        """Advance to a phase whose earlier phases the trace does not show: they must have succeeded."""
        session = self.session
        session.kex.done = True
        if phase != "auth":
            # Where the trace has the login's own answers, a missing one is no gap of the trace.
            if (
                session.login.service_accepted
                and not session.login.authenticated
                and not any(a.sent for a in session.login.attempts)
            ):
                session.login.skipped_line = line
            session.login.authenticated = True
            if session.login.attempts and session.login.attempts[-1].pending:
                session.login.attempts[-1].outcome = "accepted"
        self.enter(phase, line)

    def imply_login(self, line: int) -> None:
        """Advance to the channels, if nothing has shown the end of the login."""
        if self.phase in ("banner", "kex", "auth"):
            self.imply("channel", line)

    def imply_by_error(self, phase: str, line: int, *, cascade: bool = False) -> None:
        """Advance to the phase implied by an error text; `cascade`: the error follows another at once."""
        known = len(self.session.phases)
        if RANK[phase] > RANK[self.phase]:
            if phase == "kex":
                self.enter("kex", line)
            elif phase == "auth":
                self.imply("auth", line)
            elif phase in ("channel", "sftp", "scp") and self.phase != "channel":
                self.imply("channel", line)
            if phase in ("sftp", "scp"):
                self.enter(phase, line)
        for entered in self.session.phases[known:]:
            entered.by_error = cascade

    def own_number(self, direction: str, recipient: int) -> int:
        """The client's number of the channel that a packet in this direction names by its recipient's (RFC 4254, 5)."""
        return recipient if direction == "in" else self.own_numbers.get(recipient, recipient)

    def carries_sftp(self, direction: str, recipient: int) -> bool:
        """Whether data to this channel, by the recipient's number, is SFTP's."""
        channel = self.channel_by_number.get(self.own_number(direction, recipient))
        if channel is None or not channel.requests:
            return bool(self.session.sftp.line)
        subsystem = channel.request("subsystem")
        return subsystem is not None and subsystem.message in ("sftp", "")

    def finish_text_operation(self) -> None:
        """End the operation that a text began: successful if its reply was seen."""
        operation = self.text_operation
        if operation is not None and operation.outcome == "pending" and self.reply_seen:
            operation.outcome = "done"
            operation.ended = self.clock
        self.text_operation = None
