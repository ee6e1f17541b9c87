"""Channels and the requests on them (RFC 4254)."""

from tracelens.libssh2.events import Event
from tracelens.reader.packets import Packet, RawPacket
from tracelens.secrets import credentials
from tracelens.sessions.handshake import mark_end
from tracelens.sessions.model import RECENT, Channel, Quote, Request
from tracelens.sessions.state import State, on, on_packet

# The channel that stands for requests about the whole connection.
_GLOBAL = -1
# Bytes at the end of content that show whether it was blanked out.
TAIL = 16
# RFC 4254, 5.2: what extended data is, and the bytes before it.
_STDERR, _HEAD = 1, 13


def channel_by_number(state: State, number: int, line: int) -> Channel:
    """The last channel of this number, which is the current one from here on; a new one if there is none."""
    channel = state.channel_by_number.get(number)
    if channel is None:
        return _add_channel(state, Channel(number, line))
    state.channel = channel
    return channel


def answer_request(channel: Channel, granted: bool, line: int) -> None:
    """The server answers the oldest request that is still open."""
    for request in channel.requests[-RECENT:]:
        if request.granted is None:
            request.granted, request.answer_line = granted, line
            break


def _add_channel(state: State, channel: Channel) -> Channel:
    state.session.channels.append(channel)
    state.channel_by_number[channel.number] = state.channel = channel
    return channel


def _number(event: Event) -> int:
    number = event.fields.get("channel", 0)
    return number if isinstance(number, int) else 0


def _channel_of(state: State, item: Event | Packet) -> Channel:
    """The channel that an event or a received packet is about."""
    number = _number(item) if isinstance(item, Event) else item.fields["recipient"]
    return channel_by_number(state, number, item.line)


# -- opening and closing ---------------------------------------------------------------------------------------------


@on("conn.blocking_mode")
def _blocking_mode(state: State, event: Event) -> None:
    state.session.blocking = str(event.fields.get("mode", "")).upper() not in ("OFF", "0", "")


@on("conn.channel_allocated")
def _allocated(state: State, event: Event) -> None:
    _add_channel(state, Channel(_number(event), event.line, kind="session"))


@on_packet("out", "channel_open", needs="kind sender")
def _open(state: State, packet: Packet) -> None:
    state.imply_login(packet.line)
    number = packet.fields["sender"]
    last = state.session.channels[-1] if state.session.channels else None
    if last is None or last.number != number or last.opened or last.refused_line:
        last = _add_channel(state, Channel(number, packet.line))
    last.kind = packet.fields["kind"]
    state.channel = last


@on("conn.channel_opened")
def _opened(state: State, event: Event) -> None:
    channel = _channel_of(state, event)
    channel.opened, channel.open_line = True, event.line
    remote = event.fields.get("remote")
    if isinstance(remote, int):
        state.own_numbers[remote] = channel.number


@on_packet("in", "channel_open_confirmation", needs="recipient sender")
def _open_confirmation(state: State, packet: Packet) -> None:
    channel = _channel_of(state, packet)
    channel.opened, channel.open_line = True, packet.line
    state.own_numbers[packet.fields["sender"]] = channel.number


@on_packet("in", "channel_open_failure", needs="recipient reason")
def _open_failure(state: State, packet: Packet) -> None:
    channel = _channel_of(state, packet)
    fields = packet.fields
    channel.refused, channel.refused_line = fields["reason"], packet.line
    channel.refusal = fields.get("description", fields.get("description_begins", ""))


@on("conn.direct_tcpip_requested", "conn.direct_streamlocal_requested")
def _direct(state: State, event: Event) -> None:
    state.session.lines["direct"] = Quote(event.line, event.text)


@on("conn.eof_received")
def _eof_text(state: State, event: Event) -> None:
    _channel_of(state, event).eof_line = event.line


@on_packet("in", "channel_eof")
def _eof(state: State, packet: Packet) -> None:
    channel = _channel_of(state, packet)
    channel.eof_line = channel.eof_line or packet.line


@on("conn.close_received")
@on_packet("in", "channel_close")
def _close(state: State, item: Event | Packet) -> None:
    channel = _channel_of(state, item)
    channel.close_line = channel.close_line or item.line


@on("conn.channel_closing", "conn.channel_freed")
def _closing(state: State, event: Event) -> None:
    channel = _channel_of(state, event)
    state.finish_text_operation()
    mark_end(state, event)
    channel.closing_line = channel.closing_line or event.line
    if event.name == "conn.channel_freed":
        channel.freed_line = event.line


# -- requests --------------------------------------------------------------------------------------------------------


def _add_request(state: State, channel: Channel, name: str, line: int, message: str, *, packet: bool) -> Request:
    """A request, unless it is the packet of one whose text came just before."""
    session, last = state.session, channel.requests[-1] if channel.requests else None
    if packet and last is not None and last.name == name and last.granted is None and not last.packet:
        last.packet = True
        if name == "exec":  # the text may lack what follows a newline
            last.message = message or last.message
        return last
    request = Request(name, line, message, packet=packet)
    channel.requests.append(request)
    if name == "subsystem":
        session.data.writes = 0
        if message in ("sftp", ""):
            session.sftp.line = session.sftp.line or line
    elif name == "exec" and message.startswith("scp "):
        session.scp.line = session.scp.line or line
    return request


def _add_text_request(state: State, event: Event, name: str, message: str = "") -> None:
    _add_request(state, _channel_of(state, event), name, event.line, message, packet=False)


@on("conn.request_started")
def _request_started(state: State, event: Event) -> None:
    message = str(event.fields.get("message", ""))
    _add_text_request(state, event, str(event.fields.get("request", "")), message)
    state.hide("credential", event.line, *credentials(message.encode()))


@on("conn.pty_requested")
def _pty(state: State, event: Event) -> None:
    _add_text_request(state, event, "pty-req")


@on("conn.env_requested")
def _env(state: State, event: Event) -> None:
    _add_text_request(state, event, "env", str(event.fields.get("variable", "")))
    state.hide("variable", event.line, str(event.fields.get("value", "")).encode())


@on("conn.x11_requested")
def _x11(state: State, event: Event) -> None:
    _add_text_request(state, event, "x11-req")
    state.hide("cookie", event.line, str(event.fields.get("cookie", "")).encode())


@on("conn.agent_requested")
def _agent(state: State, event: Event) -> None:
    _add_text_request(state, event, "auth-agent-req")


@on("conn.forward_requested")
def _forward(state: State, event: Event) -> None:
    channel = channel_by_number(state, _GLOBAL, event.line)
    channel.kind = "global"
    _add_request(state, channel, "tcpip-forward", event.line, "", packet=False)


@on_packet("out", "channel_request", needs="recipient request")
def _channel_request(state: State, packet: Packet) -> None:
    state.imply_login(packet.line)
    fields = packet.fields
    channel = channel_by_number(state, state.own_number("out", fields["recipient"]), packet.line)
    message = str(fields.get("subsystem") or fields.get("command") or fields.get("variable") or "")
    state.hide("variable", packet.line, fields.get("value"))
    state.hide("cookie", packet.line, fields.get("cookie"))
    state.hide("credential", packet.line, *credentials(str(fields.get("command") or "").encode()))
    request = _add_request(state, channel, fields["request"], packet.line, message, packet=True)
    if not fields.get("want_reply", True):
        request.granted = True


@on_packet("in", "channel_success")
@on_packet("in", "channel_failure")
def _channel_answer(state: State, packet: Packet) -> None:
    answer_request(_channel_of(state, packet), packet.name == "channel_success", packet.line)


@on("conn.global_request_received")
def _keepalive_text(state: State, event: Event) -> None:
    if str(event.fields.get("request", "")).startswith("keepalive@"):
        state.kept_alive = True
        state.add_idleness()


@on_packet("out", "global_request", needs="request")
@on_packet("in", "global_request", needs="request")
def _keepalive(state: State, packet: Packet) -> None:
    """keepalive@libssh2.org of the client, keepalive@openssh.com and others of the server."""
    if packet.fields["request"].startswith("keepalive@"):
        state.kept_alive = True


@on_packet("in", "request_success")
@on_packet("in", "request_failure")
def _global_answer(state: State, packet: Packet) -> None:
    channel = state.channel_by_number.get(_GLOBAL)
    if channel is not None:
        answer_request(channel, packet.name == "request_success", packet.line)


# -- results ---------------------------------------------------------------------------------------------------------


@on("conn.exit_status")
def _exit_status(state: State, event: Event) -> None:
    channel = _channel_of(state, event)
    status = event.fields.get("status")
    # A uint32 (RFC 4254, 6.10), which libssh2 prints with a sign from 1.11.1 on.
    channel.exit_status = status % (1 << 32) if isinstance(status, int) else None
    channel.exit_line = channel.exit_line or event.line


@on("conn.exit_signal")
def _exit_signal(state: State, event: Event) -> None:
    channel = _channel_of(state, event)
    channel.exit_signal = str(event.fields.get("signal", ""))
    channel.exit_line = channel.exit_line or event.line


@on_packet("in", "channel_request", needs="recipient request")
def _exit(state: State, packet: Packet) -> None:
    channel = _channel_of(state, packet)
    if "status" in packet.fields:
        channel.exit_status, channel.exit_line = packet.fields["status"], packet.line
    elif "signal" in packet.fields:
        channel.exit_signal, channel.exit_line = packet.fields["signal"], packet.line


@on("conn.data_received")
def _data_received(state: State, event: Event) -> None:
    size = event.fields.get("size")
    if event.fields.get("stream") == _STDERR and isinstance(size, int):
        _channel_of(state, event).stderr_told += size


def take_extended_data(state: State, raw: RawPacket, packet: Packet) -> None:
    """Take what a program wrote to stderr (RFC 4254, 5.2)."""
    if raw.direction != "in":
        return
    state.session.packet_lines.add(raw.line)
    length = packet.fields["length"]
    end = raw.read(_HEAD + max(0, length - TAIL), _HEAD + length)
    state.session.data.bytes += length if any(end) or not end else 0
    if packet.fields["data_type"] == _STDERR:
        _channel_of(state, packet).stderr.add(length, lambda a, b: raw.read(_HEAD + a, _HEAD + b))
