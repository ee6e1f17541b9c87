"""One session's state machine: events and packets in, a `Session` out.

Text and packets tell the same story twice where both were traced; each fact is set by whichever comes first, so any
subset of the mask works. What nothing says is left unset: "not traced" is not "did not happen".
"""

from tracelens.libssh2.events import Event
from tracelens.libssh2.repeats import FAILURE
from tracelens.reader import Dump, Run
from tracelens.reader.packets import Packet, RawPacket, decode
from tracelens.sessions.core import STEPS, on
from tracelens.sessions.error_texts import is_clean_up, method_of, phase_of
from tracelens.sessions.model import Attempt, Failure, Operation, Quote, Wait
from tracelens.sessions.sftp import Files

# An error that follows another within this many seconds is told of the same event, one call further out.
_CASCADE = 0.005
_WRITES = {"conn.data_writing", "conn.data_sending"}
_USES = {*_WRITES, "conn.channel_read_got"}
_POLLS = {"transport.looking_for_packet", "sftp.packet_awaited", "conn.channel_read_wanted"}
_POLLS_OR_RETRIES = _POLLS | {FAILURE}

# Fields that hold a secret, by event: their texts print it in the clear.
HIDDEN_FIELDS = {"conn.env_requested": ("value",), "conn.x11_requested": ("cookie",)}


def shown(event: Event) -> str:
    """The event's text as evidence may quote it: without the value of an environment variable, or a cookie."""
    text = event.text
    for name in HIDDEN_FIELDS.get(event.name, ()):
        value = str(event.fields.get(name, ""))
        text = text.replace(f"={value}", "=[hidden]") if value else text
    return text


class Track(Files):
    """A session in the making."""

    def event(self, event: Event) -> None:
        """Takes one telling event of this session."""
        polling = event.name in _POLLS
        answered, self._just_answered = self._just_answered, None
        if answered is not None and event.name == "transport.packet_received" and event.time is not None:
            answered.ended = event.time  # the dump bears no clock of its own
        self.blocked_line = 0
        self.session.blocked_on = None
        self.tick(event.line, event.time, polling=polling)
        self._waiting = "" if polling or event.name == "transport.banner_sent" else None
        session = self.session
        session.lines[event.name] = session.last = Quote(event.line, shown(event))
        if event.context in ("Conn", "SFTP", "SCP") and self.phase in ("banner", "kex", "auth"):
            if event.name not in ("conn.blocking_mode",):
                self._implied("channel", event.line)
        elif event.context == "Userauth" and self.phase in ("banner", "kex"):
            self._implied("auth", event.line)
        if event.name not in ("transport.looking_for_packet", "transport.packet_received"):
            self.answered = None
        step = STEPS.get(event.name)
        if step is not None:
            step(self, event)
        self.silent = self._awaits(event, polling)
        if event.name != "transport.packet_received":
            self._asks(event.line, event.time)
        number = event.fields.get("type") if event.name == "transport.looking_for_packet" else 0
        self.looked = number if isinstance(number, int) else 0
        if self._observer is not None:
            self._observer(self, event)

    def _asks(self, line: int, time: float | None) -> None:
        """It goes on waiting or begins to, or it does not wait."""
        if not self.silent:
            self.asked_line = 0
        elif not self.asked_line:
            self.asked_line, self.asked_time = line, time

    def _awaits(self, event: Event, polling: bool) -> bool:
        """Whether the session waits for the peer, once the event has been taken."""
        if event.name == "transport.looking_for_packet":
            return bool(self.session.waiting_for)
        retried = event.name == FAILURE and event.fields.get("code") == -37
        return polling or retried or event.name == "transport.banner_sent"

    def run(self, run: Run) -> None:
        """Takes a stretch of folded records."""
        session = self.session
        only_polls = run.counts.keys() <= _POLLS_OR_RETRIES
        self.tick(run.first_line, run.started, polling=only_polls)
        waiting = self._waiting
        self._waiting = None
        for message, retry in run.retries.items():
            wait = session.waits.get(message)
            if wait is None:
                wait = session.waits[message] = Wait(message, line=retry.first_line)
            wait.count += retry.count
            wait.seconds += retry.waited
            wait.last_line = retry.last_line
            phase = phase_of(message)
            if phase is not None:
                self._seen_phase(phase, retry.first_line)
            session.phases[-1].waited += retry.waited
            method = method_of(message)
            if method is not None and self.phase == "auth":
                self._begin(method, retry.first_line)
        self.tick(run.last_line, run.ended, polling=True)
        if run.moved is not None:
            self.progress = run.moved
        session.last = Quote(run.last_line, run.last_text)
        if run.waiting is not None:
            self.blocked_line, session.blocked_on = run.last_line, Quote(run.last_line, run.waiting)
            self._waiting = run.waiting
        else:
            self.blocked_line, session.blocked_on = 0, None
            self._waiting = waiting if only_polls else None
        self.silent = run.waiting is not None or only_polls
        self._asks(run.first_line, run.started)
        self.looked = 0
        if not _WRITES.isdisjoint(run.counts):
            session.written_line = run.last_line
            session.writes += run.counts.get("conn.data_writing", 0)
        if self._channel is not None and not _USES.isdisjoint(run.counts):
            for request in self._channel.requests:
                # Data flows, so what was asked for was granted, though no dump shows the answer.
                request.granted = True if request.granted is None and not request.packet else request.granted
        if self.phase in ("banner", "kex", "auth") and any(name.startswith(("conn.", "sftp.")) for name in run.counts):
            self._implied("channel", run.first_line)
        if "sftp.packet_type_received" in run.counts:
            self._replied = True
        if "sftp.read_sent" in run.counts:
            session.transfers["read"] = session.transfers.get("read", 0) + run.counts["sftp.read_sent"]
        if self._observer is not None:
            self._observer(self, run)

    def packet(self, raw: RawPacket) -> Packet | None:
        """Takes one SSH packet of this session; gives it decoded, None for channel data."""
        session = self.session
        session.dumped = True
        self.tick(raw.line, None)
        if raw.direction == "out":
            self.looked, self.answered = 0, None
        if raw.direction == "in":
            self.silent = False
            if not session.waiting_for or raw.number in session.waiting_for:
                self.asked_line = 0
                session.waiting_for = ()
            self.answered = raw.number
            self._waiting = None
            self.progress = self.clock
        packet = decode(raw, self.method())
        session.packets[packet.name] = session.packets.get(packet.name, 0) + 1
        if self._observer is not None:
            self._observer(self, packet)
        if packet.name == "channel_data" and packet.problem is None:
            self._channel_data(raw, packet)
            return packet
        step = STEPS.get((raw.direction, packet.name))
        if step is not None and packet.problem is None:
            session.packet_lines.add(raw.line)
            step(self, packet)
        return packet

    def impossible_dump(self, dump: Dump) -> None:
        """A dump whose title claims more bytes than memory has: 1.11.x after a broken MAC with an EtM cipher."""
        self._waiting = None
        message = f"a dump of {dump.size} bytes: libssh2 lost count behind a broken MAC"
        self.session.failures.append(Failure(dump.line, self.clock, None, message, self.phase))

    def number_received(self, number: int, line: int) -> None:
        """A packet whose dump the trace does not hold: its number says what little it can."""
        self.session.waiting_for = ()
        self.asked_line = 0
        self.answered = number
        self._waiting = None
        channel = self._channel
        if number == 52:
            self._settle("accepted", line)
        elif number == 51:
            self._settle("refused", line)
        elif number == 6:
            self.session.service_accepted = True
        elif number in (99, 100) and channel is not None:
            self._answered(channel, number == 99, line)
        elif number == 21:
            self.newkeys = True

    @on("failure_event.failure")
    def _failure(self, event: Event) -> None:
        code, message = event.fields.get("code"), str(event.fields.get("message", ""))
        if not isinstance(code, int):
            return
        session = self.session
        if code == -37:
            wait = session.waits.setdefault(message, Wait(message, line=event.line))
            wait.count += 1
            wait.last_line = event.line
            self._waiting = message
            phase = phase_of(message)
            if phase is not None:
                self._seen_phase(phase, event.line)
            return
        phase = phase_of(message)
        if phase is not None:
            before = session.failures[-1].time if session.failures else None
            cascade = before is not None and event.time is not None and event.time - before < _CASCADE
            self._seen_phase(phase, event.line, by_error=cascade)
            for told in reversed(session.failures if cascade else ()):
                # What comes from further out in libssh2 knows better where the session stood.
                if phase_of(told.message) is not None or told.time is None or (event.time or 0) - told.time > _CASCADE:
                    break
                told.phase = self.phase
        channel = self._channel
        request = next((r for r in reversed(channel.requests) if r.granted is not True), None) if channel else None
        failure = Failure(event.line, event.time, code, message, self.phase, channel=channel, request=request)
        if self.phase == "auth" and not session.authenticated:
            failure.attempt = self._failed_attempt(failure)
        operation = self._failed_operation(failure)
        failure.operation = operation
        if self.closed or is_clean_up(failure, channel):
            failure.fate = "cleanup"
        session.failures.append(failure)

    def _failed_attempt(self, failure: Failure) -> Attempt | None:
        session = self.session
        last = session.attempts[-1] if session.attempts else None
        if failure.code == 0:
            return None
        if failure.says("agent") and not failure.says("sign failure"):
            session.agent_line = session.agent_line or failure.line
            if last is None or last.method == "none" or not last.pending:
                last = Attempt("publickey", failure.line, failure.time, session.user, "not-sent", end_line=failure.line)
                session.attempts.append(last)
                return last
        if last is not None and last.pending and last.method != "none":
            if not last.sent and not last.queried and last.method == "publickey":
                last.outcome, last.end_line = "not-sent", failure.line
            elif failure.code in (-18, -19, -48, -16) and not failure.says("Waiting for", "Failed waiting"):
                # The answer's packet came before its text; without dumps the text alone says so.
                sent_signature = not failure.says("callback", "private key", "signature from")
                last.outcome = "refused" if sent_signature else "not-sent"
                last.end_line = failure.line
        return last if last is not None and last.method != "none" else None

    def _failed_operation(self, failure: Failure) -> Operation | None:
        session = self.session
        if self.phase not in ("sftp", "scp", "channel") or not session.operations:
            return None
        if self.sftp_packets:
            last = session.operations[-1]
            return last if last.outcome != "done" or last.status else None
        operation = self._text_operation
        if operation is None and session.scp_line and session.operations[-1].verb == "scp":
            operation = session.operations[-1]
        if operation is not None and operation.outcome == "pending":
            operation.outcome, operation.end_line, operation.ended = "failed", failure.line, failure.time
        return operation
