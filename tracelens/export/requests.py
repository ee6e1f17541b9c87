"""A trace, read as it comes -> rows of `requests`, each with its answer; needs no pandas."""

from collections.abc import Iterable, Iterator

from msgspec import Struct, field

from tracelens.export.columns import Row
from tracelens.export.packets import Seen, as_text, follow, revealed
from tracelens.libssh2.events import Event
from tracelens.reader import Run, Stream
from tracelens.reader.packets import Packet
from tracelens.sessions.state import State
from tracelens.ssh.sftp import SftpPacket


def requests(streams: Iterable[Stream], show_secrets: bool) -> Iterator[Row]:
    """The rows of `requests`: each with its answer, or without one."""
    ledgers: dict[State, _Ledger] = {}

    def observe(state: State, item: Seen) -> None:
        ledger = ledgers.get(state)
        if ledger is None:
            ledger = ledgers[state] = _Ledger(show_secrets)
        ledger.see(state, item)

    number, line_of, hide = follow(streams, observe, show_secrets)
    ordered = [(state, request) for state, ledger in ledgers.items() for request in ledger.requests]
    ordered.sort(key=lambda pair: pair[1].line)
    for state, r in ordered:
        latency = round(r.ended - r.started, 6) if r.ended is not None and r.started is not None else None
        answered = line_of(state, r.last_line) if r.last_line else None
        yield (
            number(state), line_of(state, r.line), answered, r.started, r.ended, latency, r.phase, r.source,
            r.direction, r.name, r.id, r.channel, r.answer, r.outcome, r.status, hide(r.text),
        )  # fmt: skip


class _Request(Struct):
    line: int
    started: float | None
    phase: str
    source: str
    direction: str
    name: str
    id: int | None = None
    channel: int | None = None
    text: str = ""
    last_line: int = 0
    ended: float | None = None
    answer: str | None = None
    outcome: str = "unanswered"
    status: int | None = None


# What a request waits under: its kind, its direction, and SFTP's id or the channel in its answer.
_Key = tuple[str, str, int | None]
# Answer -> the requests that it can answer (RFC 4253 to 4256, 4419). On a connection and on a channel answers come in
# the order of the requests.
_LOGIN = ("userauth_request", "info_response")
_ANSWERS: dict[str, tuple[str, ...]] = {
    "service_accept": ("service_request",),
    "kex_31": ("kex_30", "kex_34"),
    "kex_33": ("kex_32",),
    **dict.fromkeys(("userauth_success", "userauth_failure", "info_request"), _LOGIN),
    **dict.fromkeys(("pk_ok", "passwd_changereq", "userauth_60"), ("userauth_request",)),
    **dict.fromkeys(("request_success", "request_failure"), ("global_request",)),
    **dict.fromkeys(("channel_open_confirmation", "channel_open_failure"), ("channel_open",)),
    **dict.fromkeys(("channel_success", "channel_failure"), ("channel_request",)),
}
_ASKING = {name for names in _ANSWERS.values() for name in names}
_REFUSALS = {"userauth_failure", "request_failure", "channel_open_failure", "channel_failure"}
_SFTP_ANSWERS = {"version", "status", "handle", "data", "name", "attrs", "extended_reply"}


class _Ledger(Struct):
    """The requests of one session, and those of them that wait for their answer.

    An answer's dump comes before the line that announces it, so the clock of that line is its time.
    """

    show_secrets: bool
    requests: list[_Request] = field(default_factory=list)
    _waiting: dict[_Key, list[_Request]] = field(default_factory=dict)
    _channels: dict[int, int] = field(default_factory=dict)  # the server's channel number -> the client's
    _just_answered: list[_Request] = field(default_factory=list)

    def see(self, state: State, item: Seen) -> None:
        """Takes the next thing of the session."""
        if isinstance(item, Event | Run):
            time = item.started if isinstance(item, Run) else item.time
            names = item.counts if isinstance(item, Run) else (item.name,)
            if "transport.packet_received" in names and time is not None:
                for request in self._just_answered:
                    request.ended = time
            self._just_answered.clear()
        elif isinstance(item, SftpPacket):
            self._sftp(state, item)
        else:
            self._packet(state, item)

    def _sftp(self, state: State, packet: SftpPacket) -> None:
        fields, out = packet.fields, packet.direction == "out"
        if packet.name not in _SFTP_ANSWERS:
            name = str(fields.get("request", packet.name)) if packet.name == "extended" else packet.name
            self._ask(state, packet, name, ("sftp", "out" if out else "in", fields.get("id")))
            return
        status = fields.get("status")
        # Status 1 ends a file or a directory: that is no refusal.
        key = ("sftp", "in" if out else "out", fields.get("id"))
        self._answer(packet, key, refused=status not in (None, 0, 1), status=status)

    def _packet(self, state: State, packet: Packet) -> None:
        fields, other = packet.fields, "in" if packet.direction == "out" else "out"
        recipient = fields.get("recipient")
        if packet.name in _ASKING and fields.get("want_reply", True) and packet.problem is None:
            name = str(fields.get("request") or fields.get("method") or packet.name)
            self._ask(state, packet, name, (packet.name, packet.direction, self._channel(packet)))
        if packet.name == "channel_open_confirmation" and isinstance(recipient, int):
            self._channels[fields.get("sender", recipient)] = recipient
        refused = packet.name in _REFUSALS
        for kind in _ANSWERS.get(packet.name, ()):
            if kind == "info_response" and packet.direction == "out":
                continue
            if self._answer(packet, (kind, other, recipient), refused=refused):
                break

    def _channel(self, packet: Packet) -> int | None:
        """The channel number that the answer to a request has."""
        channel: int | None = packet.fields.get("sender" if packet.name == "channel_open" else "recipient")
        if packet.name == "channel_request" and packet.direction == "out" and isinstance(channel, int):
            return self._channels.get(channel, channel)  # the answer has the client's number, the request the server's
        return channel

    def _ask(self, state: State, packet: Packet | SftpPacket, name: str, key: _Key) -> None:
        """Adds a request, which waits for its answer."""
        sftp = isinstance(packet, SftpPacket)
        source, id, channel = ("sftp", key[2], None) if sftp else ("packet", None, key[2])
        text = as_text(revealed(packet.fields) if self.show_secrets else packet.fields)
        request = _Request(packet.line, state.clock, state.phase, source, packet.direction, name, id, channel, text)
        self.requests.append(request)
        self._waiting.setdefault(key, []).append(request)

    def _answer(self, packet: Packet | SftpPacket, key: _Key, *, refused: bool, status: int | None = None) -> bool:
        """Whether a request waited for this answer; it is then answered."""
        waiting = self._waiting.get(key)
        if not waiting:
            return False
        request = waiting.pop(0)
        if not waiting:
            del self._waiting[key]
        request.last_line, request.ended, request.answer, request.status = packet.line, packet.time, packet.name, status
        request.outcome = "refused" if refused else "granted"
        self._just_answered.append(request)
        return True
