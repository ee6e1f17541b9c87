"""Channels and what is asked on them (RFC 4254)."""

from tracelens.libssh2.events import Event
from tracelens.reader.packets import Packet
from tracelens.secrets import credentials
from tracelens.sessions.auth import Login
from tracelens.sessions.core import on, packet
from tracelens.sessions.model import RECENT, Channel, Quote, Request


class Channels(Login):
    """Steps of the connection protocol."""

    def own_number(self, direction: str, recipient: int) -> int:
        """The client's number of the channel that a packet in this direction names by its recipient's (RFC 4254, 5)."""
        return recipient if direction == "in" else self._remote.get(recipient, recipient)

    def _channel_of(self, event: Event) -> Channel:
        number = event.fields.get("channel", 0)
        return self._channel_number(number if isinstance(number, int) else 0, event.line)

    def _channel_number(self, number: int, line: int) -> Channel:
        found = self._numbered.get(number)
        if found is None:
            return self._add_channel(Channel(number, line))
        self._channel = found
        return found

    def _add_channel(self, channel: Channel) -> Channel:
        self.session.channels.append(channel)
        self._numbered[channel.number] = channel
        self._channel = channel
        return channel

    @on("conn.blocking_mode")
    def _blocking(self, event: Event) -> None:
        self.session.blocking = str(event.fields.get("mode", "")).upper() not in ("OFF", "0", "")

    @on("conn.channel_allocated")
    def _allocated(self, event: Event) -> None:
        number = event.fields.get("channel", 0)
        self._add_channel(Channel(number if isinstance(number, int) else 0, event.line, kind="session"))

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
        self._hide("credential", event.line, *credentials(str(event.fields.get("message", "")).encode()))

    @on("conn.pty_requested")
    def _pty(self, event: Event) -> None:
        self._requested(self._channel_of(event), "pty-req", event.line)

    @on("conn.env_requested")
    def _env(self, event: Event) -> None:
        self._requested(self._channel_of(event), "env", event.line, str(event.fields.get("variable", "")))
        self._hide("variable", event.line, str(event.fields.get("value", "")).encode())

    @on("conn.x11_requested")
    def _x11(self, event: Event) -> None:
        self._requested(self._channel_of(event), "x11-req", event.line)
        self._hide("cookie", event.line, str(event.fields.get("cookie", "")).encode())

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

    def _requested(self, channel: Channel, name: str, line: int, message: str = "", *, packet: bool = False) -> Request:
        last = channel.requests[-1] if channel.requests else None
        if packet and last is not None and last.name == name and last.granted is None and not last.packet:
            last.packet = True
            return last
        request = Request(name, line, message, packet=packet)
        channel.requests.append(request)
        if name == "subsystem":
            self.session.writes = 0
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
        self._mark_end(event)
        channel.closing_line = channel.closing_line or event.line
        if event.name == "conn.channel_freed":
            channel.freed_line = event.line

    def _finish_text_operation(self) -> None:
        operation = self._text_operation
        if operation is not None and operation.outcome == "pending" and self._replied:
            operation.outcome = "done"
            operation.ended = self.clock
        self._text_operation = None

    @on("conn.exit_status")
    def _exit_status(self, event: Event) -> None:
        channel = self._channel_of(event)
        status = event.fields.get("status")
        channel.exit_status = status if isinstance(status, int) else None
        channel.exit_line = channel.exit_line or event.line

    @on("conn.exit_signal")
    def _exit_signal(self, event: Event) -> None:
        channel = self._channel_of(event)
        channel.exit_signal = str(event.fields.get("signal", ""))
        channel.exit_line = channel.exit_line or event.line

    def _conn_packet(self, line: int) -> None:
        if self.phase in ("banner", "kex", "auth"):
            self._implied("channel", line)

    @packet("out", "channel_open")
    def _out_channel_open(self, packet: Packet) -> None:
        self._conn_packet(packet.line)
        number = packet.fields["sender"]
        last = self.session.channels[-1] if self.session.channels else None
        if last is None or last.number != number or last.opened or last.refused_line:
            last = self._add_channel(Channel(number, packet.line))
        last.kind = packet.fields["kind"]
        self._channel = last

    @packet("in", "channel_open_confirmation")
    def _in_channel_open_confirmation(self, packet: Packet) -> None:
        channel = self._channel_number(packet.fields["recipient"], packet.line)
        channel.opened, channel.open_line = True, packet.line
        self._remote[packet.fields["sender"]] = channel.number

    @packet("in", "channel_open_failure")
    def _in_channel_open_failure(self, packet: Packet) -> None:
        channel = self._channel_number(packet.fields["recipient"], packet.line)
        channel.refused, channel.refusal = packet.fields["reason"], packet.fields["description"]
        channel.refused_line = packet.line

    @packet("out", "channel_request")
    def _out_channel_request(self, packet: Packet) -> None:
        self._conn_packet(packet.line)
        remote = packet.fields["recipient"]
        channel = self._channel_number(self.own_number("out", remote), packet.line)
        fields = packet.fields
        message = str(fields.get("subsystem") or fields.get("command") or fields.get("variable") or "")
        self._hide("variable", packet.line, fields.get("value"))
        self._hide("cookie", packet.line, fields.get("cookie"))
        self._hide("credential", packet.line, *credentials(str(fields.get("command") or "").encode()))
        request = self._requested(channel, fields["request"], packet.line, message, packet=True)
        if not fields.get("want_reply", True):
            request.granted = True

    @packet("in", "channel_success")
    def _in_channel_success(self, packet: Packet) -> None:
        self._answered(self._channel_number(packet.fields["recipient"], packet.line), True, packet.line)

    @packet("in", "channel_failure")
    def _in_channel_failure(self, packet: Packet) -> None:
        self._answered(self._channel_number(packet.fields["recipient"], packet.line), False, packet.line)

    def _answered(self, channel: Channel, granted: bool, line: int) -> None:
        for request in channel.requests[-RECENT:]:
            if request.granted is None:
                request.granted, request.answer_line = granted, line
                break

    @packet("in", "request_failure")
    def _in_request_failure(self, packet: Packet) -> None:
        channel = self._numbered.get(-1)
        if channel is not None:
            self._answered(channel, False, packet.line)

    @packet("in", "request_success")
    def _in_request_success(self, packet: Packet) -> None:
        channel = self._numbered.get(-1)
        if channel is not None:
            self._answered(channel, True, packet.line)

    @packet("in", "channel_eof")
    def _in_channel_eof(self, packet: Packet) -> None:
        channel = self._channel_number(packet.fields["recipient"], packet.line)
        channel.eof_line = channel.eof_line or packet.line

    @packet("in", "channel_close")
    def _in_channel_close(self, packet: Packet) -> None:
        channel = self._channel_number(packet.fields["recipient"], packet.line)
        channel.close_line = channel.close_line or packet.line

    @packet("in", "channel_request")
    def _in_channel_request(self, packet: Packet) -> None:
        channel = self._channel_number(packet.fields["recipient"], packet.line)
        if "status" in packet.fields:
            channel.exit_status, channel.exit_line = packet.fields["status"], packet.line
        elif "signal" in packet.fields:
            channel.exit_signal, channel.exit_line = packet.fields["signal"], packet.line

    @packet("in", "channel_extended_data")
    def _in_channel_extended_data(self, packet: Packet) -> None:
        self.session.content_bytes += packet.fields.get("length", 0)
