"""SFTP and SCP operations, from channel data where it was dumped, else from text (draft-ietf-secsh-filexfer-02)."""

from typing import Any

from tracelens.libssh2.events import Event
from tracelens.reader.packets import Packet, RawPacket
from tracelens.sessions.channels import TAIL, channel_by_number
from tracelens.sessions.handshake import mark_end
from tracelens.sessions.model import BulkRequest, Operation, Quote
from tracelens.sessions.session import Sftp
from tracelens.sessions.state import State, on
from tracelens.sessions.unanswered import pending_transfer
from tracelens.ssh.sftp import SftpPacket, SftpStream

# Requests that come by the thousand: only a failed one becomes an operation.
_BULK_REQUESTS = {"read", "write"}
_END_OF_FILE = 1
_STATUS, _DATA = 101, 103
_EXTENSIONS = {
    "statvfs@openssh.com": "statvfs",
    "fstatvfs@openssh.com": "fstatvfs",
    "fsync@openssh.com": "fsync",
    "posix-rename@openssh.com": "rename",
}
_STAT_VERBS = {"Statting": "stat", "LStatting": "lstat", "Set-statting": "setstat"}
_HANDLE_VERBS = {"set-stat": "fsetstat", "stat": "fstat", "": "fstat"}


# -- text ------------------------------------------------------------------------------------------------------------


@on("sftp.subsystem_initialized", "sftp.version_sent")
def _started(state: State, event: Event) -> None:
    state.session.sftp.line = state.session.sftp.line or event.line
    if event.name == "sftp.version_sent":
        state.session.sftp.asked_line = event.line


@on("sftp.version_enabled")
def _version_text(state: State, event: Event) -> None:
    version = event.fields.get("version")
    state.session.sftp.version = version if isinstance(version, int) else 0
    state.finish_text_operation()
    state.enter("sftp", event.line)


@on("scp.receive_started", "scp.send_started")
def _scp_started(state: State, event: Event) -> None:
    state.session.scp.line = state.session.scp.line or event.line
    state.enter("scp", event.line)
    if not state.session.operations:
        state.session.operations.append(Operation("scp", event.line, time=event.time))


@on("scp.file_mode", "scp.sent", "scp.got")
def _scp_answer(state: State, event: Event) -> None:
    state.session.scp.answered = True
    if event.name == "scp.got" and event.fields.get("code") in (1, 2):
        state.session.scp.messages.append(Quote(event.line, str(event.fields.get("line", "")).strip()))


def _begin(state: State, verb: str, event: Event) -> None:
    """A text begins an operation; where packets are dumped they show it better."""
    state.finish_text_operation()
    if state.sftp_dumped:
        return
    if state.session.sftp.version is None and state.phase == "channel":
        state.enter("sftp", event.line)
    path, target = str(event.fields.get("path", "")), str(event.fields.get("target", ""))
    state.text_operation = Operation(verb, event.line, path, target, time=event.time)
    state.session.operations.append(state.text_operation)
    state.reply_seen = False


@on("sftp.open_sent")
def _open(state: State, event: Event) -> None:
    _begin(state, "opendir" if "dir" in str(event.fields.get("kind", "")) else "open", event)


@on("sftp.mkdir", "sftp.rmdir", "sftp.rename", "sftp.statvfs", "sftp.fstatvfs")
def _named_like_its_verb(state: State, event: Event) -> None:
    _begin(state, event.name.removeprefix("sftp."), event)


@on("sftp.unlink")
def _unlink(state: State, event: Event) -> None:
    _begin(state, "remove", event)


@on("sftp.stat_family")
def _stat(state: State, event: Event) -> None:
    verb = _STAT_VERBS.get(str(event.fields.get("verb", "")))
    if verb is not None:
        _begin(state, verb, event)


@on("sftp.link_family")
def _link(state: State, event: Event) -> None:
    kind, verb = str(event.fields.get("kind", "")), str(event.fields.get("verb", ""))
    _begin(state, "realpath" if kind == "realpath" else "symlink" if verb == "Creating" else "readlink", event)


@on("sftp.handle_command")
def _handle_command(state: State, event: Event) -> None:
    command = str(event.fields.get("command", "")).split(" ")[0]
    _begin(state, _HANDLE_VERBS.get(command, command), event)


@on("sftp.handle_received", "sftp.open_succeeded", "sftp.packet_type_received", "sftp.entries_returned")
def _reply(state: State, event: Event) -> None:
    state.reply_seen = True
    if event.name == "sftp.packet_type_received":
        number = event.fields.get("type")
        answered = 1 if number == _DATA else state.session.sftp.texts_unanswered if number == _STATUS else 0
        count_reads(state, 0, answered, event.line)
        if not state.sftp_dumped and event.fields.get("type") == _DATA:
            state.note_pace(1, event.time)
    else:
        state.session.sftp.confirmed_line = event.line
        state.finish_text_operation()
        if event.name == "sftp.open_succeeded" and not state.sftp_dumped:
            state.begin_transfer()


@on("sftp.handle_closing", "sftp.readdir_started", "sftp.read_sent")
def _next_step(state: State, event: Event) -> None:
    state.finish_text_operation()
    if event.name == "sftp.read_sent":
        count_reads(state, 1, 0, event.line)
        if not state.sftp_dumped:
            state.note_pace(0, event.time)
    elif event.name == "sftp.handle_closing" and pending_transfer(state.session):
        mark_end(state, event)
    if event.name == "sftp.readdir_started" and not state.sftp_dumped:
        last = state.session.operations[-1] if state.session.operations else None
        if last is None or last.verb != "readdir" or last.outcome != "done":
            _begin(state, "readdir", event)


@on("sftp.status_received")
def _status_text(state: State, event: Event) -> None:
    status = event.fields.get("status")
    last = state.session.failures[-1].operation if state.session.failures else None
    if last is not None and isinstance(status, int) and last.status is None:
        last.status = status


@on("conn.data_flushed")
def _flushed(state: State, event: Event) -> None:
    """libssh2 throws away what cannot be the packet with SFTP's version."""
    sftp = state.session.sftp
    if sftp.line and sftp.version is None and not state.session.operations:
        sftp.flushed_line = sftp.flushed_line or event.line


def count_reads(state: State, sent: int, answered: int, line: int) -> None:
    """Count reads by their texts. A status is the end of the file: libssh2 has asked beyond it."""
    sftp = state.session.sftp
    if not sftp.texts_unanswered:
        sftp.text_line = line
    sftp.texts_unanswered = max(0, sftp.texts_unanswered + sent - answered)


# -- packets ---------------------------------------------------------------------------------------------------------


def take_channel_data(state: State, raw: RawPacket, packet: Packet) -> None:
    """Decode SFTP's packets in a channel's data; other data is content."""
    session = state.session
    state.imply_login(packet.line)
    recipient, length = packet.fields["recipient"], packet.fields["length"]
    number = state.own_number(raw.direction, recipient)
    channel_by_number(state, number, packet.line)
    if not state.carries_sftp(raw.direction, recipient):
        if raw.direction == "in" and not session.uses("SCP"):
            session.scp.answered = True
        end = raw.read(9 + max(0, length - TAIL), 9 + length)
        session.data.bytes += length if any(end) or not end else 0
        return
    stream = state.sftp_streams.get((number, raw.direction))
    if stream is None:
        stream = state.sftp_streams[number, raw.direction] = SftpStream(raw.direction)
    known_problem = stream.problem
    for sftp_packet in stream.feed(length, lambda a, b: raw.read(9 + a, 9 + b), raw.line, state.clock):
        state.observe(sftp_packet)
        (_request if sftp_packet.direction == "out" else _response)(state, sftp_packet)
    if stream.lost and state.sftp_dumped:
        session.hidden_answer_line = raw.line
    if stream.problem and not stream.lost and not known_problem and raw.direction == "in":
        session.sftp.problem, session.sftp.problem_line = stream.problem, raw.line
        session.packet_lines.add(raw.line)


def _request(state: State, packet: SftpPacket) -> None:
    session, fields = state.session, packet.fields
    number = fields.get("id")
    if packet.name == "init":
        session.sftp.line = session.sftp.line or packet.line
        session.sftp.asked_line = session.sftp.asked_line or packet.line
        return
    state.sftp_dumped = True
    if packet.name in _BULK_REQUESTS:
        _bulk_request(state, packet)
        return
    verb = str(fields.get("request", packet.name)) if packet.name == "extended" else packet.name
    verb = _EXTENSIONS.get(verb, verb)
    path, target = str(fields.get("path", "")), str(fields.get("target", ""))
    operation = Operation(verb, packet.line, path, target, number, state.clock)
    earlier, state.text_operation = state.text_operation, None
    if earlier is not None and earlier.verb == verb and earlier.outcome == "pending":
        # The text came before the session's first packet: it is the same operation.
        session.operations[session.operations.index(earlier)] = operation
    else:
        session.operations.append(operation)
    if isinstance(number, int):
        state.open_operations[number] = operation
        if verb == "close":
            state.close_handles[number] = fields.get("handle")
            session.sftp.open_handles.discard(fields.get("handle"))
        elif verb == "readdir":
            state.readdir_handles = {number: fields.get("handle")}


def _bulk_request(state: State, packet: SftpPacket) -> None:
    session, fields = state.session, packet.fields
    number = fields.get("id")
    session.sftp.transfers[packet.name] = session.sftp.transfers.get(packet.name, 0) + 1
    session.data.bytes += fields.get("length", 0) if packet.name == "write" and not packet.blank else 0
    if isinstance(number, int) and not _is_lost(state, "in"):
        session.sftp.unanswered[number] = BulkRequest(packet.name, fields.get("handle"), packet.line)
        state.note_pace(0, state.clock)


def _response(state: State, packet: SftpPacket) -> None:
    session, fields = state.session, packet.fields
    if packet.name == "version":
        session.sftp.version = fields.get("version", 3)
        state.enter("sftp", packet.line)
        return
    if packet.name == "data" and not packet.blank:
        session.data.bytes += fields.get("length", 0)
    number, status = fields.get("id"), fields.get("status")
    if status:
        session.packet_lines.add(packet.line)
    if number in session.sftp.unanswered:
        _bulk_response(state, packet, session.sftp.unanswered.pop(number), status)
    elif number in state.open_operations:
        operation = state.completed_operation = state.open_operations.pop(number)
        operation.end_line, operation.ended = packet.line, state.clock
        operation.outcome = "done"
        if packet.name == "handle":
            session.sftp.exhausted.discard(fields.get("handle"))
            session.sftp.open_handles.add(fields.get("handle"))
            state.begin_transfer()
        elif number in state.close_handles:
            _forget(session.sftp, state.close_handles.pop(number))
        if packet.name == "status":
            operation.status, operation.message = status, fields.get("message")
            if status == _END_OF_FILE and operation.verb == "readdir":
                session.sftp.ends += 1
                if number in state.readdir_handles:
                    session.sftp.exhausted.add(state.readdir_handles[number])
            elif status:
                operation.outcome = "failed"


def _is_lost(state: State, direction: str) -> bool:
    """Whether the trace stopped to show what goes in this direction."""
    return any(stream.lost for (_, way), stream in state.sftp_streams.items() if way == direction)


def _forget(sftp: Sftp, handle: object) -> None:
    """The file is closed: what was asked of it and not answered matters no more."""
    for number in [number for number, request in sftp.unanswered.items() if request.handle == handle]:
        del sftp.unanswered[number]


def _bulk_response(state: State, packet: SftpPacket, request: BulkRequest, status: Any) -> None:
    """The answer to a read or write: an operation of its own only if it failed."""
    session, line, clock, verb = state.session, packet.line, state.clock, request.verb
    state.note_pace(1, clock)
    if status == _END_OF_FILE:
        session.sftp.ends += 1
        session.sftp.exhausted.add(request.handle)
    elif status:
        done = (o for o in reversed(session.operations) if o.verb in ("open", "opendir") and o.outcome == "done")
        handle, message = next(done, None), packet.fields.get("message")
        path = handle.path if handle else ""
        failed = Operation(verb, line, path, "", packet.fields["id"], clock, clock, line, status, message, "failed")
        session.operations.append(failed)
