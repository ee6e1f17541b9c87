"""Passes a session's events, runs and packets to the step of the protocol layer that handles them.

Where text and packets were both traced they report everything twice; each fact is set by whichever comes first, so any
subset of the mask works. What nothing shows is left unset: "not traced" is not "did not happen".
"""

from tracelens.libssh2.errors import classify
from tracelens.libssh2.events import GRAMMARS, Event
from tracelens.libssh2.repeats import EAGAIN, FAILURE
from tracelens.reader import Dump, Run
from tracelens.reader.packets import Packet, RawPacket, decode
from tracelens.sessions import error_events
from tracelens.sessions.auth import begin_attempt, end_attempt
from tracelens.sessions.channels import answer_request, take_extended_data
from tracelens.sessions.model import Failure, Quote
from tracelens.sessions.session import Session
from tracelens.sessions.sftp import count_reads, take_channel_data
from tracelens.sessions.state import NEEDED, STEPS, State, shown

_WRITES = {"conn.data_writing", "conn.data_sending"}
_USES = {*_WRITES, "conn.channel_read_got"}
# Messages with words for the user, and one of which nothing is shown.
_WORDS = (-1, 53, 60)
_WORK = ("channel", "sftp", "scp")
_POLLS = {"transport.looking_for_packet", "sftp.packet_awaited", "sftp.packet_required", "conn.channel_read_wanted"}
_POLLS_OR_RETRIES = _POLLS | {FAILURE}
# Context by the first part of an event's name.
_CONTEXTS = {prefix: context for context, prefix in GRAMMARS.items()}


def take_event(state: State, event: Event) -> None:
    """Take one event that was not folded into a run."""
    session, name = state.session, event.name
    polling = name in _POLLS
    completed, state.completed_operation = state.completed_operation, None
    if completed is not None and name == "transport.packet_received" and event.time is not None:
        completed.ended = event.time  # a dump has no clock of its own
    state.blocked_line, session.blocked_on = 0, None
    state.tick(event.line, event.time, polling=polling)
    state.wait_reason = "" if polling or name == "transport.banner_sent" else None
    session.lines[name] = session.last = Quote(event.line, shown(event))
    session.traced.add(event.context)
    _imply_phase(state, event)
    state.last_event, state.last_sent = name, 0
    if name not in ("transport.looking_for_packet", "transport.packet_received"):
        state.last_received = None
    step = STEPS.get(name)
    if step is not None:
        step(state, event)
    state.waiting = _waits_after(state, event)
    if name != "transport.packet_received":
        _set_wait_start(state, event.line, event.time)
    number = event.fields.get("type") if name == "transport.looking_for_packet" else 0
    state.looking_for = number if isinstance(number, int) else 0
    state.observe(event)


def _imply_phase(state: State, event: Event) -> None:
    """Note that the session is in the phase of the event's context, if the trace did not show how it got there."""
    if event.context in ("Conn", "SFTP", "SCP") and event.name != "conn.blocking_mode":
        state.imply_login(event.line)
    elif event.context == "Userauth" and state.phase in ("banner", "kex"):
        state.imply("auth", event.line)
    elif event.context == "Key Ex" and state.phase == "banner":
        state.enter("kex", event.line)


def _waits_after(state: State, event: Event) -> bool:
    """Whether the session waits for the peer after the event."""
    if event.name == "transport.looking_for_packet":
        return bool(state.session.waiting_for)
    return (
        event.name in _POLLS
        or event.name == "transport.banner_sent"
        or (event.name == FAILURE and event.fields.get("code") == EAGAIN)
    )


def _set_wait_start(state: State, line: int, time: float | None) -> None:
    if not state.waiting:
        state.wait_started_line = 0
    elif not state.wait_started_line:
        state.wait_started_line, state.wait_started = line, time


def take_run(state: State, run: Run) -> None:
    """Take a stretch of folded records."""
    session = state.session
    only_polls = run.counts.keys() <= _POLLS_OR_RETRIES
    state.tick(run.first_line, run.started, polling=only_polls)
    reason, state.wait_reason = state.wait_reason, None
    _add_retries(state, run)
    state.tick(run.last_line, run.ended, polling=True)
    if run.moved is not None:
        state.last_progress = run.moved
    session.last = Quote(run.last_line, run.last_text)
    if run.waiting is not None:
        state.blocked_line, session.blocked_on = run.last_line, Quote(run.last_line, run.waiting)
        state.wait_reason = run.waiting
    else:
        state.blocked_line, session.blocked_on = 0, None
        state.wait_reason = reason if only_polls else None
    state.waiting = run.waiting is not None or only_polls
    _set_wait_start(state, run.first_line, run.started)
    session.traced.update(filter(None, (_CONTEXTS.get(name.partition(".")[0]) for name in run.counts)))
    state.looking_for, state.last_event, state.last_sent = 0, "", 0
    _add_transfers(state, run)
    state.observe(run)


def _add_retries(state: State, run: Run) -> None:
    """Add the run's errors -37 to the session's waits, and what their texts imply."""
    for message, retry in run.retries.items():
        wait = error_events.add_wait(state, message, retry.count, retry.first_line, retry.last_line)
        wait.seconds += retry.waited
        error = classify(message)
        if error.phase is not None:
            state.imply_by_error(error.phase, retry.first_line)
        state.session.phases[-1].waited += retry.waited
        if error.awaited_method is not None and state.phase == "auth":
            begin_attempt(state, error.awaited_method, retry.first_line)


def _add_transfers(state: State, run: Run) -> None:
    """What the run's reads and writes show."""
    session, counts = state.session, run.counts
    if not _WRITES.isdisjoint(counts):
        session.data.written_line = run.last_line
        session.data.writes += counts.get("conn.data_writing", 0)
    if state.channel is not None and not _USES.isdisjoint(counts):
        for request in state.channel.requests:
            # Data flows, so the server granted the request, though no dump shows its answer.
            request.granted = True if request.granted is None and not request.packet else request.granted
    if state.phase in ("banner", "kex", "auth") and any(name.startswith(("conn.", "sftp.")) for name in counts):
        state.imply("channel", run.first_line)
    if "conn.channel_read_got" in counts and not session.uses("SCP"):
        session.scp.answered = True
    if "sftp.packet_type_received" in counts:
        state.reply_seen = True
    _count_reads(state, run)
    if "sftp.read_sent" in counts:
        session.sftp.transfers["read"] = session.sftp.transfers.get("read", 0) + counts["sftp.read_sent"]


def _count_reads(state: State, run: Run) -> None:
    sent, answered = run.counts.get("sftp.read_sent", 0), run.counts.get("sftp.packet_type_received", 0)
    if sent or answered:
        count_reads(state, sent, answered, run.first_line)
        if state.sftp_dumped:
            return  # packets show the pace
        if sent:
            state.note_pace(0, run.started)
        state.note_pace(answered, run.moved)


def take_packet(state: State, raw: RawPacket) -> None:
    """Take one SSH packet."""
    session = state.session
    session.dumped = True
    state.tick(raw.line, None)
    if raw.direction == "out":
        state.looking_for, state.last_sent, state.last_received = 0, raw.number, None
    else:
        state.waiting = False
        if not session.waiting_for or raw.number in session.waiting_for:
            state.wait_started_line = 0
            session.waiting_for = ()
        state.last_sent, state.last_received = 0, raw.number
        state.wait_reason = None
        state.last_progress = state.clock
    state.imply_by_number(raw.number, raw.line)
    # The meaning of number 60 depends on the method of the last attempt.
    packet = decode(raw, session.login.attempts[-1].method if session.login.attempts else None)
    session.packets[packet.name] = session.packets.get(packet.name, 0) + 1
    state.observe(packet)
    if packet.cut and state.phase == "auth" and packet.direction == "in" and packet.number in _WORDS:
        session.login.hidden_words_line = packet.line if _shows_packets(session, packet) else 0
    if packet.problem is not None and not _shows_enough(packet):
        if packet.cut:
            _take_hidden(state, packet)
        return
    if packet.name == "channel_data":
        take_channel_data(state, raw, packet)
    elif packet.name == "channel_extended_data":
        take_extended_data(state, raw, packet)
    elif (step := STEPS.get((raw.direction, packet.name))) is not None:
        session.packet_lines.add(raw.line)
        step(state, packet)


def take_message(state: State, packet: Packet) -> None:
    """Take a message that another program's log tells of, with the fields that the log shows."""
    session = state.session
    session.dumped = True
    state.tick(packet.line, packet.time)
    state.imply_by_number(packet.number, packet.line)
    session.packets[packet.name] = session.packets.get(packet.name, 0) + 1
    state.observe(packet)
    step = STEPS.get((packet.direction, packet.name))
    if step is not None and NEEDED.get((packet.direction, packet.name), frozenset()) <= packet.fields.keys():
        session.packet_lines.add(packet.line)
        step(state, packet)


def _take_hidden(state: State, packet: Packet) -> None:
    """Take a packet of which the trace shows too little: its number at most."""
    session = state.session
    if packet.direction == "in":
        if packet.number >= 0:
            take_packet_number(state, packet.number, packet.line)
        is_login = state.phase == "auth" and packet.number in (-1, 51) and _shows_packets(session, packet)
        session.login.hidden_list = session.login.hidden_list or is_login
        session.hidden_answer_line = packet.line if state.sftp_dumped else 0
    elif state.phase in _WORK and not state.closed and _shows_packets(session, packet):
        session.hidden_request_line = packet.line


def _shows_packets(session: Session, hidden: Packet) -> bool:
    """Whether the trace shows other packets: where it shows none at all, a hole says nothing."""
    return any(name != hidden.name for name in session.packets)


def _shows_enough(packet: Packet) -> bool:
    """Whether a packet that is not all shown has the fields that its step needs."""
    needed = NEEDED.get((packet.direction, packet.name))
    return packet.cut and needed is not None and needed <= packet.fields.keys()


def take_packet_number(state: State, number: int, line: int) -> None:
    """Take the number of a received packet whose dump the trace does not have."""
    state.imply_by_number(number, line)
    state.session.waiting_for = ()
    state.wait_started_line = 0
    state.last_received = number
    state.wait_reason = None
    if number == 52:
        end_attempt(state, "accepted", line)
    elif number == 51:
        end_attempt(state, "refused", line)
    elif number == 6:
        state.session.login.service_accepted = True
    elif number in (99, 100) and state.channel is not None:
        answer_request(state.channel, number == 99, line)
    elif number == 21:
        state.newkeys_received = True


def take_impossible_dump(state: State, dump: Dump) -> None:
    """Take a dump whose title claims more bytes than memory has: 1.11.x after a broken MAC with an EtM cipher."""
    state.wait_reason = None
    message = f"a dump of {dump.size} bytes: libssh2 lost count behind a broken MAC"
    state.session.failures.append(Failure(dump.line, state.clock, None, message, state.phase))
