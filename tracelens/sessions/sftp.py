"""SFTP and SCP operations, from channel data where it was dumped, else from text (draft-ietf-secsh-filexfer-02)."""

from tracelens.libssh2.events import Event
from tracelens.reader.packets import Packet, RawPacket
from tracelens.sessions.channels import Channels
from tracelens.sessions.core import on
from tracelens.sessions.model import Operation, Quote
from tracelens.ssh.sftp import SftpPacket, SftpStream

# Requests whose replies come by the thousand: only a failed one becomes an operation.
_BULK_REQUESTS = {"read", "write"}
_TAIL = 16  # bytes at the end of content that tell whether it was blanked out


class Files(Channels):
    """Steps of file transfer."""

    @on("sftp.subsystem_initialized", "sftp.version_sent")
    def _sftp_started(self, event: Event) -> None:
        self.session.sftp_line = self.session.sftp_line or event.line
        if event.name == "sftp.version_sent":
            self.session.sftp_asked_line = event.line

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
        self._text_begin("realpath" if kind == "realpath" else "symlink" if verb == "Creating" else "readlink", event)

    @on("sftp.handle_command")
    def _handle_command(self, event: Event) -> None:
        command = str(event.fields.get("command", "")).split(" ")[0]
        self._text_begin({"set-stat": "fsetstat", "stat": "fstat"}.get(command, command or "fstat"), event)

    @on("sftp.handle_received", "sftp.open_succeeded", "sftp.packet_type_received", "sftp.entries_returned")
    def _reply_seen(self, event: Event) -> None:
        self._replied = True
        if event.name != "sftp.packet_type_received":
            self.session.confirmed_line = event.line
            self._finish_text_operation()

    @on("sftp.handle_closing", "sftp.readdir_started", "sftp.read_sent")
    def _next_step(self, event: Event) -> None:
        self._finish_text_operation()
        goes_on = any(o.verb == "readdir" and o.outcome == "done" for o in self.session.operations[-1:])
        if event.name == "sftp.readdir_started" and not self.sftp_packets and not goes_on:
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

    def carries_sftp(self, direction: str, recipient: int) -> bool:
        """Whether data to this channel, by the recipient's number, is SFTP's."""
        number = self.own_number(direction, recipient)
        channel = self._numbered.get(number)
        if channel is None or not channel.requests:
            return bool(self.session.sftp_line)
        subsystem = channel.request("subsystem")
        return subsystem is not None and subsystem.message in ("sftp", "")

    def _channel_data(self, raw: RawPacket, packet: Packet) -> None:
        self._conn_packet(packet.line)
        recipient, length = packet.fields["recipient"], packet.fields["length"]
        number = self.own_number(raw.direction, recipient)
        self._channel_number(number, packet.line)
        if not self.carries_sftp(raw.direction, recipient):
            end = raw.read(9 + max(0, length - _TAIL), 9 + length)
            self.session.content_bytes += length if any(end) or not end else 0
            return
        stream = self._streams.get((number, raw.direction))
        if stream is None:
            stream = self._streams[number, raw.direction] = SftpStream(raw.direction)
        had = stream.problem
        for found in stream.feed(length, lambda a, b: raw.read(9 + a, 9 + b), raw.line, self.clock):
            self._sftp(found)
        if stream.problem and not had and raw.direction == "in":
            self.session.sftp_problem, self.session.sftp_problem_line = stream.problem, raw.line
            self.session.packet_lines.add(raw.line)

    def _sftp(self, packet: SftpPacket) -> None:
        session, fields = self.session, packet.fields
        if self._observer is not None:
            self._observer(self, packet)
        number = fields.get("id")
        if packet.direction == "out":
            if packet.name == "init":
                session.sftp_line = session.sftp_line or packet.line
                session.sftp_asked_line = session.sftp_asked_line or packet.line
                return
            self.sftp_packets = True
            if packet.name in _BULK_REQUESTS:
                session.transfers[packet.name] = session.transfers.get(packet.name, 0) + 1
                session.content_bytes += fields.get("length", 0) if packet.name == "write" and not packet.blank else 0
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
            path, target = str(fields.get("path", "")), str(fields.get("target", ""))
            told, self._text_operation = self._text_operation, None
            operation = Operation(verb, packet.line, path, target, number, self.clock)
            if told is not None and told.verb == verb and told.outcome == "pending":
                # The text came before the session's first packet: it is the same operation.
                session.operations[session.operations.index(told)] = operation
            else:
                session.operations.append(operation)
            if isinstance(number, int):
                self._unanswered[number] = operation
            return
        if packet.name == "version":
            session.sftp_version = fields.get("version", 3)
            self.enter("sftp", packet.line)
            return
        if packet.name == "data":
            session.content_bytes += 0 if packet.blank else fields.get("length", 0)
        status = fields.get("status")
        if status:
            session.packet_lines.add(packet.line)
        if isinstance(number, int) and number in self._requests:
            verb = self._requests.pop(number)
            if status == 1:
                session.sftp_ends += 1
            elif status:
                handle = next(
                    (o for o in reversed(session.operations) if o.verb in ("open", "opendir") and o.outcome == "done"),
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
                    )
                )
            return
        if number not in self._unanswered:
            return
        operation = self._unanswered.pop(number)
        operation.end_line, operation.ended = packet.line, self.clock
        self._just_answered = operation
        operation.outcome = "done"
        if packet.name == "status":
            operation.status, operation.message = status, fields.get("message")
            if status == 1 and operation.verb in ("readdir", "read"):
                session.sftp_ends += 1
            elif status:
                operation.outcome = "failed"
