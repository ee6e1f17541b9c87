"""One session's state machine: events and packets in, a `Session` out.

Text and packets tell the same story twice where both were traced; each fact is set by whichever comes first, so any
subset of the mask works. What nothing says is left unset: "not traced" is not "did not happen".
"""

from collections.abc import Callable
from typing import Any

from tracelens.events import Event
from tracelens.packets import Packet, RawPacket, decode
from tracelens.records import Run
from tracelens.sessions.model import (
    Attempt,
    Channel,
    Disconnect,
    Failure,
    Operation,
    Phase,
    Quote,
    Request,
    Session,
    Wait,
)
from tracelens.sessions.wording import is_clean_up, phase_of
from tracelens.ssh.sftp import SftpPacket, SftpStream
from tracelens.ssh.wire import Secret


def list_name(event: str) -> str:
    """The list that a "Sent ..." or "Agreed on ..." event is about, such as "cipher_cs"."""
    return _LIST[event.partition("_ex.")[2].partition("_")[2]]


Handler = Callable[["Track", Event], None]
Observer = Callable[["Track", Event | Run | Packet | SftpPacket], None]
_HANDLERS: dict[str, Handler] = {}

# Text names of a KEXINIT's lists -> ours.
_LIST = {
    "kex": "kex", "hostkey": "hostkey", "crypt_cs": "cipher_cs", "crypt_sc": "cipher_sc", "mac_cs": "mac_cs",
    "mac_sc": "mac_sc", "comp_cs": "comp_cs", "comp_sc": "comp_sc", "lang_cs": "lang_cs", "lang_sc": "lang_sc",
}  # fmt: skip
# SFTP requests whose replies come by the thousand: only a failed one becomes an operation.
_BULK_REQUESTS = {"read", "write"}
# Requests that libssh2 sends to tidy up; their outcome is nobody's purpose.
_TIDYING = {"close"}
# A shorter secret cannot be told from ordinary text wherever its letters turn up.
SHORTEST_SECRET = 4
_POLLS = {"transport.looking_for_packet", "sftp.packet_awaited", "conn.channel_read_wanted"}


def _shown(event: Event) -> str:
    """The event's text as evidence may quote it: without the value of an environment variable, or a cookie."""
    if event.name == "conn.env_requested":
        return f"Setting remote environment variable: {event.fields.get('variable', '')}=[hidden]"
    if event.name == "conn.x11_requested":
        return "Requesting x11-req (cookie hidden)"
    return event.text


def on(*names: str) -> Callable[[Handler], Handler]:
    """Marks the method that takes the events of these names."""

    def mark(handler: Handler) -> Handler:
        for name in names:
            _HANDLERS[name] = handler
        return handler

    return mark


class Track:
    """A session in the making."""

    def __init__(self, line: int, time: float | None, observer: "Observer | None" = None) -> None:
        self._observer = observer
        self.session = Session(first_line=line, last_line=line, started=time)
        self.phase = "banner"
        self.clock: float | None = time
        self.freed = False
        self.closed = False  # freed, or disconnected by the client: what follows tidies up
        self.progress: float | None = time  # when something last happened that is not polling
        self._before: float | None = time  # the progress before that
        self.expected: set[int] = set()
        self.sftp_packets = False
        self.kexinit_received = False
        self.newkeys = False
        self._waiting: str | None = None
        self._channel: Channel | None = None
        self._streams: dict[tuple[int, str], SftpStream] = {}
        self._remote: dict[int, int] = {}  # the peer's channel number -> ours
        self._requests: dict[int, str] = {}  # outstanding SFTP reads and writes
        self._text_operation: Operation | None = None
        self._replied = False
        self._phase_mark(line, time)

    # -- time and phases -------------------------------------------------------------------------------------------

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
        session.last_line = max(session.last_line, line)
        phase = session.phases[-1]
        phase.last_line = max(phase.last_line, line)
        if time is None:
            return
        if session.started is None:
            session.started = time
        if self.clock is not None and self._waiting is not None:
            pause = max(time - self.clock, 0.0)
            phase.waited += pause
            if self._waiting in session.waits:
                session.waits[self._waiting].seconds += pause
        self.clock = session.ended = phase.ended = time
        if phase.started is None:
            phase.started = time
        if not polling:
            self._before = self.progress
            self.progress = time

    # -- events ----------------------------------------------------------------------------------------------------

    def event(self, event: Event) -> None:
        """Takes one telling event of this session."""
        polling = event.name in _POLLS
        self.tick(event.line, event.time, polling=polling)
        self._waiting = "" if polling or event.name == "transport.banner_sent" else None
        session = self.session
        session.lines[event.name] = session.last = Quote(event.line, _shown(event))
        if event.context in ("Conn", "SFTP", "SCP") and self.phase in ("banner", "kex", "auth"):
            if event.name not in ("conn.blocking_mode",):
                self._implied("channel", event.line)
        elif event.context == "Userauth" and self.phase in ("banner", "kex"):
            self._implied("auth", event.line)
        handler = _HANDLERS.get(event.name)
        if handler is not None:
            handler(self, event)
        if self._observer is not None:
            self._observer(self, event)

    def _implied(self, phase: str, line: int) -> None:
        """The trace starts later, or does not show the earlier phases: what is seen needs them done."""
        self.session.kex_done = True
        if phase != "auth":
            self.session.authenticated = True
        self.enter(phase, line)

    def run(self, run: Run) -> None:
        """Takes a stretch of folded records."""
        session = self.session
        only_polls = set(run.counts) <= _POLLS | {"failure_event.failure"}
        self.tick(run.first_line, run.started, polling=only_polls)
        waiting = self._waiting
        self._waiting = None
        for message, retry in run.retries.items():
            wait = session.waits.setdefault(message, Wait(message, line=retry.first_line))
            wait.count += retry.count
            wait.seconds += retry.waited
            session.phases[-1].waited += retry.waited
            wait.last_line = retry.last_line
            phase = phase_of(message)
            if phase is not None:
                self._seen_phase(phase, retry.first_line)
        self.tick(run.last_line, run.ended, polling=only_polls)
        if run.waiting is not None:
            self._waiting = run.waiting
            session.last = Quote(run.last_line, run.last_text)
        else:
            self._waiting = waiting if only_polls else None
            session.last = Quote(run.last_line, run.last_text)
        if self.phase in ("banner", "kex", "auth") and any(
            name.startswith(("conn.", "sftp.")) for name in run.counts
        ):
            self._implied("channel", run.first_line)
        if "sftp.packet_type_received" in run.counts:
            self._replied = True
        if "sftp.read_sent" in run.counts:
            session.transfers["read"] = session.transfers.get("read", 0) + run.counts["sftp.read_sent"]
        if "conn.data_received" in run.counts or "conn.channel_read_got" in run.counts:
            self.progress = run.ended if run.ended is not None else self.progress
        if self._observer is not None:
            self._observer(self, run)

    def _seen_phase(self, phase: str, line: int) -> None:
        order = ("banner", "kex", "auth", "channel", "sftp", "scp")
        if order.index(phase) > order.index(self.phase if self.phase in order else "banner"):
            if phase == "kex":
                self.enter("kex", line)
            elif phase == "auth":
                self._implied("auth", line)
            elif phase in ("channel", "sftp", "scp") and self.phase != "channel":
                self._implied("channel", line)
            if phase in ("sftp", "scp"):
                self.enter(phase, line)

    # transport ----------------------------------------------------------------------------------------------------

    @on("transport.banner_sent")
    def _banner_sent(self, event: Event) -> None:
        self.session.client_banner = str(event.fields.get("banner", "")).rstrip()
        self.session.client_banner_line = event.line

    @on("transport.banner_received")
    def _banner_received(self, event: Event) -> None:
        text = str(event.fields.get("banner", "")).rstrip("\r\n")
        self.session.banners.append(Quote(event.line, text))
        self.session.server_banner = text
        if text.startswith("SSH-"):
            self.enter("kex", event.line)

    @on("socket.banner_bytes_received")
    def _banner_bytes(self, event: Event) -> None:
        size = event.fields.get("size", 1)
        self.session.banner_bytes += size if isinstance(size, int) and size > 0 else 0

    @on("transport.disconnect_sent")
    def _disconnect_sent(self, event: Event) -> None:
        reason = event.fields.get("reason")
        self.session.disconnects.append(
            Disconnect(
                event.line,
                reason if isinstance(reason, int) else None,
                str(event.fields.get("description", "")),
                True,
            )
        )
        self.session.ended_by_client = True
        self.closed = True
        self._mark_end(event)

    @on("transport.session_freed")
    def _session_freed(self, event: Event) -> None:
        self._mark_end(event)
        self.freed = self.closed = True
        self.session.freed_line = event.line
        self.session.ended_by_client = True

    def _mark_end(self, event: Event) -> None:
        if not self.closed and event.time is not None and self._before is not None:
            self.session.waited_last = max(event.time - self._before, 0.0)

    @on("transport.disconnect_received")
    def _disconnect_received(self, event: Event) -> None:
        reason = event.fields.get("reason")
        self._disconnected(
            event.line, reason if isinstance(reason, int) else None, str(event.fields.get("description", ""))
        )

    def _disconnected(self, line: int, reason: int | None, description: str) -> None:
        session = self.session
        known = session.server_disconnect()
        if known is not None:
            # 1.4.3 and 1.9.0 print "(null)" where the packet has the text.
            if not known.description or known.description == "(null)":
                known.description = description or known.description
            known.reason = known.reason if known.reason is not None else reason
            return
        session.disconnects.append(Disconnect(line, reason, description, False))
        if not self.closed:
            session.failures.append(
                Failure(
                    line,
                    self.clock,
                    None,
                    description,
                    self.phase,
                    "disconnect",
                    attempt=self._open_attempt(),
                    channel=self._channel,
                )
            )

    @on("transport.looking_for_packet")
    def _looking_for(self, event: Event) -> None:
        number = event.fields.get("type")
        if isinstance(number, int):
            session = self.session
            if number not in session.waiting_for:
                session.waiting_for = (*session.waiting_for, number)[-6:]
            session.waiting_line = event.line

    @on("transport.userauth_requested")
    def _service_requested(self, event: Event) -> None:
        self._kex_finished(event.line)
        self.session.service_line = event.line

    # key exchange -------------------------------------------------------------------------------------------------

    def _offer(self, side: str, name: str, algorithms: tuple[str, ...], line: int) -> None:
        session = self.session
        if session.kex_done and side in session.offers and name in session.offers[side]:
            return  # a re-exchange: the first one is the session's
        session.offers.setdefault(side, {})[name] = algorithms
        session.offer_lines.setdefault(side, line)
        if self.phase == "banner":
            self.enter("kex", line)

    @on(*(f"key_ex.sent_{name}" for name in _LIST))
    def _sent_list(self, event: Event) -> None:
        algorithms = event.fields.get("algorithms", ())
        if isinstance(algorithms, tuple):
            if event.name == "key_ex.sent_kex" and self.session.kex_done:
                self.session.rekeys += 1
            self._offer("client", list_name(event.name), algorithms, event.line)

    @on(*(f"key_ex.agreed_{name}" for name in _LIST))
    def _agreed(self, event: Event) -> None:
        self.session.agreed.setdefault(list_name(event.name), str(event.fields.get("algorithm", "")))

    @on("key_ex.fingerprint_md5", "key_ex.fingerprint_sha1", "key_ex.fingerprint_sha256")
    def _fingerprint(self, event: Event) -> None:
        self.session.fingerprints[event.name[19:].upper()] = str(event.fields.get("fingerprint", ""))

    @on("key_ex.extension_received")
    def _extension(self, event: Event) -> None:
        self.session.extensions[str(event.fields.get("extension", ""))] = str(event.fields.get("value", ""))

    @on("key_ex.newkeys_received", "key_ex.session_id_calculated")
    def _newkeys(self, event: Event) -> None:
        self.newkeys = True
        self._kex_finished(event.line)

    def _kex_finished(self, line: int) -> None:
        session = self.session
        if not session.kex_done:
            session.kex_done = True
            session.kex_line = line
            self.enter("auth", line)

    # authentication -----------------------------------------------------------------------------------------------

    def _open_attempt(self) -> Attempt | None:
        attempts = self.session.attempts
        return attempts[-1] if attempts and not self.session.authenticated else None

    def _begin(self, method: str, line: int, *, sent: bool = False) -> Attempt:
        """The attempt of this method that is under way, or a new one."""
        attempts = self.session.attempts
        last = attempts[-1] if attempts else None
        if last is None or last.method != method or not last.pending or (sent and last.sent):
            last = Attempt(method, line, self.clock, self.session.user)
            attempts.append(last)
        return last

    def _settle(
        self, outcome: Any, line: int, partial: bool | None = None, remaining: tuple[str, ...] = ()
    ) -> None:
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
                session.probes += 1
                probe = Attempt(
                    "none", event.line, event.time, session.user, "refused", methods, end_line=event.line
                )
                if not any(a.pending for a in session.attempts):
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
        attempt.key_file = attempt.key_file or str(event.fields.get("path", ""))
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

    # channels -----------------------------------------------------------------------------------------------------

    def _channel_of(self, event: Event, *, create: bool = True) -> Channel:
        number = event.fields.get("channel", 0)
        return self._channel_number(number if isinstance(number, int) else 0, event.line)

    def _channel_number(self, number: int, line: int) -> Channel:
        for channel in reversed(self.session.channels):
            if channel.number == number:
                self._channel = channel
                return channel
        channel = Channel(number, line)
        self.session.channels.append(channel)
        self._channel = channel
        return channel

    @on("conn.blocking_mode")
    def _blocking(self, event: Event) -> None:
        self.session.blocking = str(event.fields.get("mode", "")).upper() not in ("OFF", "0", "")

    @on("conn.channel_allocated")
    def _allocated(self, event: Event) -> None:
        number = event.fields.get("channel", 0)
        self.session.channels.append(
            Channel(number if isinstance(number, int) else 0, event.line, kind="session")
        )
        self._channel = self.session.channels[-1]

    @on("conn.channel_opened")
    def _opened(self, event: Event) -> None:
        channel = self._channel_of(event)
        channel.opened, channel.open_line = True, event.line
        remote = event.fields.get("remote")
        if isinstance(remote, int):
            self._remote[remote] = channel.number

    @on("conn.request_started")
    def _request(self, event: Event) -> None:
        self._requested(
            self._channel_of(event),
            str(event.fields.get("request", "")),
            event.line,
            str(event.fields.get("message", "")),
        )

    @on("conn.pty_requested")
    def _pty(self, event: Event) -> None:
        self._requested(self._channel_of(event), "pty-req", event.line)

    @on("conn.env_requested")
    def _env(self, event: Event) -> None:
        self._requested(self._channel_of(event), "env", event.line, str(event.fields.get("variable", "")))

    @on("conn.x11_requested")
    def _x11(self, event: Event) -> None:
        self._requested(self._channel_of(event), "x11-req", event.line)

    @on("conn.agent_requested")
    def _agent_forward(self, event: Event) -> None:
        self._requested(self._channel_of(event), "auth-agent-req", event.line)

    @on("conn.forward_requested")
    def _forward(self, event: Event) -> None:
        channel = self._channel_number(-1, event.line)
        channel.kind = "global"
        self._requested(channel, "tcpip-forward", event.line)

    @on("conn.direct_tcpip_requested", "conn.direct_streamlocal_requested")
    def _direct(self, event: Event) -> None:
        self.session.lines["direct"] = Quote(event.line, event.text)

    def _requested(
        self, channel: Channel, name: str, line: int, message: str = "", *, packet: bool = False
    ) -> Request:
        last = channel.requests[-1] if channel.requests else None
        if packet and last is not None and last.name == name and last.granted is None and not last.packet:
            last.packet = True
            return last
        request = Request(name, line, message, packet=packet)
        channel.requests.append(request)
        if name == "subsystem" and (message == "sftp" or not message):
            self.session.sftp_line = self.session.sftp_line or line
        if name == "exec" and message.startswith("scp "):
            self.session.scp_line = self.session.scp_line or line
        return request

    @on("conn.eof_received")
    def _eof(self, event: Event) -> None:
        self._channel_of(event).eof_line = event.line

    @on("conn.close_received")
    def _close(self, event: Event) -> None:
        channel = self._channel_of(event)
        channel.close_line = channel.close_line or event.line

    @on("conn.channel_closing", "conn.channel_freed")
    def _closing(self, event: Event) -> None:
        channel = self._channel_of(event)
        self._finish_text_operation()
        channel.closing_line = channel.closing_line or event.line
        if event.name == "conn.channel_freed":
            channel.freed_line = event.line

    @on("conn.exit_status")
    def _exit_status(self, event: Event) -> None:
        channel = self._channel_of(event)
        status = event.fields.get("status")
        channel.exit_status = status if isinstance(status, int) else None
        channel.exit_line = event.line

    @on("conn.exit_signal")
    def _exit_signal(self, event: Event) -> None:
        channel = self._channel_of(event)
        channel.exit_signal, channel.exit_line = str(event.fields.get("signal", "")), event.line

    # SFTP and SCP as text tells them ------------------------------------------------------------------------------

    @on("sftp.subsystem_initialized", "sftp.version_sent")
    def _sftp_started(self, event: Event) -> None:
        self.session.sftp_line = self.session.sftp_line or event.line

    @on("sftp.version_enabled")
    def _sftp_version(self, event: Event) -> None:
        version = event.fields.get("version")
        self.session.sftp_version = version if isinstance(version, int) else 0
        self._finish_text_operation()
        self.enter("sftp", event.line)

    @on("scp.receive_started", "scp.send_started")
    def _scp(self, event: Event) -> None:
        self.session.scp_line = self.session.scp_line or event.line
        self.enter("scp", event.line)
        if not self.session.operations:
            self.session.operations.append(Operation("scp", event.line, time=event.time))

    @on("scp.got")
    def _scp_got(self, event: Event) -> None:
        code = event.fields.get("code")
        if code in (1, 2):
            self.session.scp_messages.append(Quote(event.line, str(event.fields.get("line", "")).strip()))

    def _text_begin(self, verb: str, event: Event) -> None:
        self._finish_text_operation()
        if self.sftp_packets:
            return
        if self.session.sftp_version is None and self.phase == "channel":
            self.enter("sftp", event.line)
        path = str(event.fields.get("path", ""))
        operation = Operation(verb, event.line, path, str(event.fields.get("target", "")), time=event.time)
        self.session.operations.append(operation)
        self._text_operation = operation
        self._replied = False

    def _finish_text_operation(self) -> None:
        operation = self._text_operation
        if operation is not None and operation.outcome == "pending" and self._replied:
            operation.outcome = "done"
            operation.ended = self.clock
        self._text_operation = None

    @on("sftp.open_sent")
    def _open_sent(self, event: Event) -> None:
        self._text_begin("opendir" if "dir" in str(event.fields.get("kind", "")) else "open", event)

    @on("sftp.mkdir", "sftp.rmdir", "sftp.rename", "sftp.statvfs", "sftp.fstatvfs")
    def _simple(self, event: Event) -> None:
        self._text_begin(event.name[5:], event)

    @on("sftp.unlink")
    def _unlink(self, event: Event) -> None:
        self._text_begin("remove", event)

    @on("sftp.stat_family")
    def _stat(self, event: Event) -> None:
        verb = {"Statting": "stat", "LStatting": "lstat", "Set-statting": "setstat"}.get(
            str(event.fields.get("verb", ""))
        )
        if verb is not None:
            self._text_begin(verb, event)

    @on("sftp.link_family")
    def _link(self, event: Event) -> None:
        kind, verb = str(event.fields.get("kind", "")), str(event.fields.get("verb", ""))
        self._text_begin(
            "realpath" if kind == "realpath" else "symlink" if verb == "Creating" else "readlink", event
        )

    @on("sftp.handle_command")
    def _handle_command(self, event: Event) -> None:
        command = str(event.fields.get("command", "")).split(" ")[0]
        self._text_begin({"set-stat": "fsetstat", "stat": "fstat"}.get(command, command or "fstat"), event)

    @on("sftp.handle_received", "sftp.open_succeeded", "sftp.packet_type_received", "sftp.entries_returned")
    def _reply_seen(self, event: Event) -> None:
        self._replied = True
        if event.name != "sftp.packet_type_received":
            self._finish_text_operation()

    @on("sftp.handle_closing", "sftp.readdir_started", "sftp.read_sent")
    def _next_step(self, event: Event) -> None:
        self._finish_text_operation()
        if event.name == "sftp.readdir_started" and not self.sftp_packets:
            if not any(o.verb == "readdir" and o.outcome == "done" for o in self.session.operations[-1:]):
                self._text_begin("readdir", event)

    @on("sftp.status_received")
    def _status_text(self, event: Event) -> None:
        status = event.fields.get("status")
        for failure in reversed(self.session.failures):
            if failure.operation is not None and isinstance(status, int) and failure.operation.status is None:
                failure.operation.status = status
            break

    def end_of_text(self) -> None:
        """The trace is over: what was answered and met no error went well."""
        self._finish_text_operation()

    # failures -----------------------------------------------------------------------------------------------------

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
            self._seen_phase(phase, event.line)
        channel = self._channel
        request = (
            next((r for r in reversed(channel.requests) if r.granted is not True), None) if channel else None
        )
        failure = Failure(event.line, event.time, code, message, self.phase, channel=channel, request=request)
        if self.phase == "auth" and not session.authenticated:
            failure.attempt = self._failed_attempt(failure)
        operation = self._failed_operation(failure)
        failure.operation = operation
        failure.step = self._step()
        if self.closed or is_clean_up(failure, channel):
            failure.fate = "cleanup"
        session.failures.append(failure)

    def _failed_attempt(self, failure: Failure) -> Attempt | None:
        session = self.session
        last = session.attempts[-1] if session.attempts else None
        if failure.says("agent") and not failure.says("sign failure"):
            session.agent_line = session.agent_line or failure.line
            if last is None or last.method == "none" or not last.pending:
                last = Attempt(
                    "publickey", failure.line, failure.time, session.user, "not-sent", end_line=failure.line
                )
                session.attempts.append(last)
                return last
        if last is not None and last.pending and last.method != "none":
            if not last.sent and not last.queried and last.method == "publickey":
                last.outcome, last.end_line = "not-sent", failure.line
            elif failure.code in (-18, -19, -48, -16):
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

    def _step(self) -> str:
        """What the session was doing, as a word for evidence."""
        session = self.session
        if self.phase == "auth" and session.service_line and not session.attempts and session.offered is None:
            return "service"
        if session.rekeys and self.phase not in ("banner", "kex"):
            return "rekey" if not self.newkeys else ""
        return ""

    # -- packets ---------------------------------------------------------------------------------------------------

    def method(self) -> str | None:
        """The authentication method last asked for: number 60 depends on it."""
        attempts = self.session.attempts
        return attempts[-1].method if attempts else None

    def packet(self, raw: RawPacket) -> Packet | None:
        """Takes one SSH packet of this session; gives it decoded, None for channel data."""
        session = self.session
        session.dumped = True
        self.tick(raw.line, None)
        if raw.direction == "in":
            session.waiting_for = ()
            self._waiting = None
            self.progress = self.clock
        packet = decode(raw, self.method())
        session.packets[packet.name] = session.packets.get(packet.name, 0) + 1
        if self._observer is not None:
            self._observer(self, packet)
        if packet.name == "channel_data" and packet.problem is None:
            self._channel_data(raw, packet)
            return packet
        taker = getattr(self, f"_{raw.direction}_{packet.name}", None)
        if taker is not None and packet.problem is None:
            taker(packet)
        return packet

    def number_received(self, number: int, line: int) -> None:
        """A packet whose dump the trace does not hold: its number says what little it can."""
        self.session.waiting_for = ()
        self._waiting = None
        channel = self._channel
        if number == 52:
            self._settle("accepted", line)
        elif number == 51:
            self._settle("refused", line)
        elif number == 6:
            self.session.service_accepted = True
        elif number in (99, 100) and channel is not None:
            self._answered(channel, number == 99)
        elif number == 21:
            self.newkeys = True

    def _out_kexinit(self, packet: Packet) -> None:
        for name in _LIST.values():
            self._offer("client", name, packet.fields[name], packet.line)

    def _in_kexinit(self, packet: Packet) -> None:
        self.kexinit_received = True
        for name in _LIST.values():
            self._offer("server", name, packet.fields[name], packet.line)

    def _in_newkeys(self, packet: Packet) -> None:
        self.newkeys = True

    def _in_service_accept(self, packet: Packet) -> None:
        self._kex_finished(packet.line)
        self.session.service_accepted = True

    def _out_service_request(self, packet: Packet) -> None:
        self._kex_finished(packet.line)
        self.session.service_line = self.session.service_line or packet.line

    def _in_ext_info(self, packet: Packet) -> None:
        self.session.extensions.update(packet.fields.get("extensions", {}))

    def _in_disconnect(self, packet: Packet) -> None:
        self._disconnected(packet.line, packet.fields["reason"], packet.fields["description"])

    def _in_kex_31(self, packet: Packet) -> None:
        if "fingerprint" in packet.fields:
            self.session.fingerprints.setdefault(
                "SHA256", str(packet.fields["fingerprint"]).removeprefix("SHA256:")
            )

    _in_kex_33 = _in_kex_31

    def _out_userauth_request(self, packet: Packet) -> None:
        session = self.session
        self._kex_finished(packet.line)
        fields = packet.fields
        session.user = fields.get("user")
        method = fields.get("method", "")
        attempt = self._begin(method, packet.line, sent=method != "publickey")
        attempt.user, attempt.sent = session.user, True
        if method == "password":
            session.secrets += 1 + bool(fields.get("change"))
            self._hide(fields.get("password"), fields.get("new_password"))
            session.secret_line = session.secret_line or packet.line
        elif method == "publickey":
            attempt.algorithm = fields.get("algorithm") or attempt.algorithm
            attempt.fingerprint = fields.get("fingerprint")
            attempt.queried = True
            if fields.get("has_signature"):
                attempt.signed = True
        elif method == "none":
            session.probes += 1

    def _hide(self, *secrets: Secret | None) -> None:
        """Remembers values that no output may show, wherever else in the trace they turn up."""
        self.session.hidden.update(
            s.reveal() for s in secrets if s is not None and len(s.reveal()) >= SHORTEST_SECRET
        )

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

    def _in_userauth_success(self, packet: Packet) -> None:
        if self.session.authenticated and not any(a.outcome == "accepted" for a in self.session.attempts):
            self.session.authenticated = False
        self._settle("accepted", packet.line)

    def _in_pk_ok(self, packet: Packet) -> None:
        if self.session.attempts:
            self.session.attempts[-1].accepted_key = True

    def _in_passwd_changereq(self, packet: Packet) -> None:
        if self.session.attempts:
            self.session.attempts[-1].change_requested = packet.line

    def _in_info_request(self, packet: Packet) -> None:
        if self.session.attempts:
            attempt = self.session.attempts[-1]
            attempt.prompts = (attempt.prompts or 0) + len(packet.fields.get("prompts", ()))

    def _out_info_response(self, packet: Packet) -> None:
        answers = packet.fields.get("answers", ())
        if self.session.attempts:
            attempt = self.session.attempts[-1]
            attempt.answered = (attempt.answered or 0) + len(answers)
        self.session.secrets += len(answers)
        self._hide(*answers)
        self.session.secret_line = self.session.secret_line or packet.line

    def _conn_packet(self, line: int) -> None:
        if self.phase in ("banner", "kex", "auth"):
            self._implied("channel", line)

    def _out_channel_open(self, packet: Packet) -> None:
        self._conn_packet(packet.line)
        number = packet.fields["sender"]
        last = self.session.channels[-1] if self.session.channels else None
        if last is None or last.number != number or last.opened or last.refused_line:
            last = Channel(number, packet.line)
            self.session.channels.append(last)
        last.kind = packet.fields["kind"]
        self._channel = last

    def _in_channel_open_confirmation(self, packet: Packet) -> None:
        channel = self._channel_number(packet.fields["recipient"], packet.line)
        channel.opened, channel.open_line = True, packet.line
        self._remote[packet.fields["sender"]] = channel.number

    def _in_channel_open_failure(self, packet: Packet) -> None:
        channel = self._channel_number(packet.fields["recipient"], packet.line)
        channel.refused, channel.refusal = packet.fields["reason"], packet.fields["description"]
        channel.refused_line = packet.line

    def _out_channel_request(self, packet: Packet) -> None:
        self._conn_packet(packet.line)
        remote = packet.fields["recipient"]
        channel = self._channel_number(self._remote.get(remote, remote), packet.line)
        fields = packet.fields
        message = str(fields.get("subsystem") or fields.get("command") or fields.get("variable") or "")
        if fields["request"] == "env":
            self._hide(fields.get("value"))
            self.session.secret_line = self.session.secret_line or packet.line
        request = self._requested(channel, fields["request"], packet.line, message, packet=True)
        if not fields.get("want_reply", True):
            request.granted = True

    def _in_channel_success(self, packet: Packet) -> None:
        self._answered(self._channel_number(packet.fields["recipient"], packet.line), True)

    def _in_channel_failure(self, packet: Packet) -> None:
        self._answered(self._channel_number(packet.fields["recipient"], packet.line), False)

    def _answered(self, channel: Channel, granted: bool) -> None:
        for request in channel.requests:
            if request.granted is None:
                request.granted = granted
                break

    def _in_request_failure(self, packet: Packet) -> None:
        channel = next((c for c in self.session.channels if c.number == -1), None)
        if channel is not None:
            self._answered(channel, False)

    def _in_request_success(self, packet: Packet) -> None:
        channel = next((c for c in self.session.channels if c.number == -1), None)
        if channel is not None:
            self._answered(channel, True)

    def _in_channel_eof(self, packet: Packet) -> None:
        channel = self._channel_number(packet.fields["recipient"], packet.line)
        channel.eof_line = channel.eof_line or packet.line

    def _in_channel_close(self, packet: Packet) -> None:
        channel = self._channel_number(packet.fields["recipient"], packet.line)
        channel.close_line = channel.close_line or packet.line

    def _in_channel_request(self, packet: Packet) -> None:
        channel = self._channel_number(packet.fields["recipient"], packet.line)
        if "status" in packet.fields:
            channel.exit_status, channel.exit_line = packet.fields["status"], packet.line
        elif "signal" in packet.fields:
            channel.exit_signal, channel.exit_line = packet.fields["signal"], packet.line

    def _in_channel_extended_data(self, packet: Packet) -> None:
        self.session.content_bytes += packet.fields.get("length", 0)

    # channel data: SFTP -------------------------------------------------------------------------------------------

    def _channel_data(self, raw: RawPacket, packet: Packet) -> None:
        self._conn_packet(packet.line)
        recipient, length = packet.fields["recipient"], packet.fields["length"]
        number = recipient if raw.direction == "in" else self._remote.get(recipient, recipient)
        channel = self._channel_number(number, packet.line)
        subsystem = channel.request("subsystem")
        is_sftp = subsystem is not None and subsystem.message in ("sftp", "")
        if not is_sftp and not (self.session.sftp_line and channel.requests == []):
            self.session.content_bytes += length
            return
        stream = self._streams.get((number, raw.direction))
        if stream is None:
            stream = self._streams[number, raw.direction] = SftpStream(raw.direction)
        had = stream.problem
        for found in stream.feed(length, lambda a, b: raw.read(9 + a, 9 + b), raw.line, self.clock):
            self._sftp(found)
        if stream.problem and not had and raw.direction == "in":
            self.session.sftp_problem, self.session.sftp_problem_line = stream.problem, raw.line

    def _sftp(self, packet: SftpPacket) -> None:
        session, fields = self.session, packet.fields
        if self._observer is not None:
            self._observer(self, packet)
        number = fields.get("id")
        if packet.direction == "out":
            if packet.name == "init":
                session.sftp_line = session.sftp_line or packet.line
                return
            self.sftp_packets = True
            if packet.name in _BULK_REQUESTS:
                session.transfers[packet.name] = session.transfers.get(packet.name, 0) + 1
                session.content_bytes += fields.get("length", 0) if packet.name == "write" else 0
                if isinstance(number, int):
                    self._requests[number] = packet.name
                return
            verb = str(fields.get("request", packet.name)) if packet.name == "extended" else packet.name
            verb = {
                "statvfs@openssh.com": "statvfs",
                "fstatvfs@openssh.com": "fstatvfs",
                "fsync@openssh.com": "fsync",
            }.get(verb, verb)
            verb = "rename" if verb == "posix-rename@openssh.com" else verb
            session.operations.append(
                Operation(
                    verb,
                    packet.line,
                    str(fields.get("path", "")),
                    str(fields.get("target", "")),
                    number,
                    self.clock,
                )
            )
            return
        if packet.name == "version":
            session.sftp_version = fields.get("version", 3)
            self.enter("sftp", packet.line)
            return
        if packet.name == "data":
            session.content_bytes += fields.get("length", 0)
        status = fields.get("status")
        if isinstance(number, int) and number in self._requests:
            verb = self._requests.pop(number)
            if status == 1:
                session.sftp_ends += 1
            elif status:
                handle = next(
                    (
                        o
                        for o in reversed(session.operations)
                        if o.verb in ("open", "opendir") and o.outcome == "done"
                    ),
                    None,
                )
                session.operations.append(
                    Operation(
                        verb,
                        packet.line,
                        handle.path if handle else "",
                        "",
                        number,
                        self.clock,
                        self.clock,
                        packet.line,
                        status,
                        fields.get("message"),
                        "failed",
                    )  # fmt: skip
                )
            return
        operation = next(
            (o for o in reversed(session.operations) if o.request_id == number and o.outcome == "pending"),
            None,
        )
        if operation is None:
            return
        operation.end_line, operation.ended = packet.line, self.clock
        operation.outcome = "done"
        if packet.name == "status":
            operation.status, operation.message = status, fields.get("message")
            if status == 1 and operation.verb in ("readdir", "read"):
                session.sftp_ends += 1
            elif status:
                operation.outcome = "failed"
