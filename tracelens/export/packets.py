"""A trace, read as it comes -> rows in the order of its lines: events, packets, requests; needs no pandas."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct, field

from tracelens import secrets
from tracelens.export.columns import Row
from tracelens.libssh2.events import Event
from tracelens.reader import Item, Reader, Run
from tracelens.reader.packets import Packet
from tracelens.sessions import Assembler
from tracelens.sessions.state import HIDDEN_FIELDS, State, shown
from tracelens.ssh.sftp import SftpPacket
from tracelens.ssh.wire import Secret

# A size that no column holds: a broken header's, which `problem` tells.
_LARGEST = 1 << 63
Seen = Event | Run | Packet | SftpPacket


def events(reader: Reader, items: Iterable[Item], show_secrets: bool) -> Iterator[Row]:
    """The rows of `events`."""
    rows: list[tuple[State, Row]] = []
    deltas = _Deltas()

    def observe(state: State, item: Seen) -> None:
        time = item.started if isinstance(item, Run) else item.time
        rows.append((state, _event_row(state, item, time, deltas.of(state, time), show_secrets)))

    number, line_of, hide = _follow(reader, items, observe, show_secrets)
    rows.sort(key=lambda pair: pair[1][0])
    for state, row in rows:
        yield (number(state), line_of(row[0]), line_of(row[1]), *row[2:-2], hide(row[-2]), hide(row[-1]))


def packets(reader: Reader, items: Iterable[Item], show_secrets: bool) -> Iterator[Row]:
    """The rows of `packets`."""
    rows: list[tuple[State, Row]] = []
    deltas = _Deltas()

    def observe(state: State, item: Seen) -> None:
        if isinstance(item, Packet | SftpPacket):
            delta = deltas.of(state, item.time)
            layer = "sftp" if isinstance(item, SftpPacket) else "packet"
            named = (state.phase, layer, item.direction, item.number if item.number >= 0 else None, item.name)
            untold = not show_secrets and holds_secret(item.fields)
            size = item.size if item.size < _LARGEST and not untold else None
            fields = _revealed(item.fields) if show_secrets else item.fields
            said = (size, _said(fields), item.problem, _json(fields))
            rows.append((state, (item.line, item.time, delta, *named, *said)))

    number, line_of, hide = _follow(reader, items, observe, show_secrets)
    rows.sort(key=lambda pair: pair[1][0])
    for state, (line, *middle, said, problem, fields) in rows:
        yield (number(state), line_of(line), *middle, hide(said), problem, hide(fields))


def requests(reader: Reader, items: Iterable[Item], show_secrets: bool) -> Iterator[Row]:
    """The rows of `requests`: each with its answer, or without one."""
    ledgers: dict[State, _Ledger] = {}

    def observe(state: State, item: Seen) -> None:
        ledger = ledgers.get(state)
        if ledger is None:
            ledger = ledgers[state] = _Ledger(show_secrets)
        ledger.see(state, item)

    number, line_of, hide = _follow(reader, items, observe, show_secrets)
    asked = [(state, request) for state, ledger in ledgers.items() for request in ledger.requests]
    asked.sort(key=lambda pair: pair[1].line)
    for state, r in asked:
        latency = round(r.ended - r.started, 6) if r.ended is not None and r.started is not None else None
        answered = line_of(r.last_line) if r.last_line else None
        yield (
            number(state), line_of(r.line), answered, r.started, r.ended, latency, r.phase, r.source, r.direction,
            r.name, r.id, r.channel, r.answer, r.outcome, r.status, hide(r.text),
        )  # fmt: skip


def _follow(
    reader: Reader, items: Iterable[Item], observe: Callable[[State, Seen], None], show_secrets: bool
) -> tuple[Callable[[State], int | None], Callable[[int], int], Callable[[str], str]]:
    """Reads the trace to its end; gives a state's session number, the line of a place, and what masks secrets."""
    assembler = Assembler(observe)
    for item in items:
        assembler.add(item)
    sessions = assembler.sessions(reader.account.contexts)
    numbers = {id(session): session.number for session in sessions}
    hide = secrets.hider(() if show_secrets else (value for session in sessions for value in session.hidden))
    return lambda state: numbers.get(id(state.session)), assembler.line_of, hide


class _Deltas:
    """Seconds between the rows of a session."""

    def __init__(self) -> None:
        self._last: dict[State, float] = {}

    def of(self, state: State, time: float | None) -> float | None:
        before = self._last.get(state)
        if time is not None:
            self._last[state] = time
        return round(time - before, 6) if time is not None and before is not None else None


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


# Answer -> the requests that it can answer (RFC 4253 to 4256, 4419). On a connection and on a channel answers come in
# the order of the requests.
_ANSWERS: dict[str, tuple[str, ...]] = {
    "service_accept": ("service_request",),
    "kex_31": ("kex_30", "kex_34"),
    "kex_33": ("kex_32",),
    "userauth_success": ("userauth_request", "info_response"),
    "userauth_failure": ("userauth_request", "info_response"),
    "pk_ok": ("userauth_request",),
    "info_request": ("userauth_request", "info_response"),
    "passwd_changereq": ("userauth_request",),
    "userauth_60": ("userauth_request",),
    "request_success": ("global_request",),
    "request_failure": ("global_request",),
    "channel_open_confirmation": ("channel_open",),
    "channel_open_failure": ("channel_open",),
    "channel_success": ("channel_request",),
    "channel_failure": ("channel_request",),
}
_ASKING = {name for names in _ANSWERS.values() for name in names}
_REFUSALS = {"userauth_failure", "request_failure", "channel_open_failure", "channel_failure"}
_SFTP_ANSWERS = {"version", "status", "handle", "data", "name", "attrs", "extended_reply"}


class _Ledger(Struct):
    """The requests of one session, and those of them that wait for their answer.

    An answer's dump stands before the line that announces it, so the clock of that line is when it came.
    """

    show_secrets: bool
    requests: list[_Request] = field(default_factory=list)
    _waiting: dict[tuple[str, str, int | None], list[_Request]] = field(default_factory=dict)
    _channels: dict[int, int] = field(default_factory=dict)  # the server's channel number -> the client's
    _just_answered: list[_Request] = field(default_factory=list)

    def see(self, state: State, item: Seen) -> None:
        """Takes the next thing that was seen of the session."""
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
        number = packet.fields.get("id")
        if packet.name not in _SFTP_ANSWERS:
            name = str(packet.fields.get("request", packet.name)) if packet.name == "extended" else packet.name
            key = ("sftp", "out" if packet.direction == "out" else "in", number)
            self._ask(key, self._request(state, packet, "sftp", name, number))
            return
        key = ("sftp", "in" if packet.direction == "out" else "out", number)
        status = packet.fields.get("status")
        # Status 1 ends a file or a directory: that is no refusal.
        self._answered(key, packet.line, packet.time, packet.name, refused=status not in (None, 0, 1), status=status)

    def _packet(self, state: State, packet: Packet) -> None:
        fields, other = packet.fields, "in" if packet.direction == "out" else "out"
        recipient = fields.get("recipient")
        if packet.name in _ASKING and fields.get("want_reply", True) and packet.problem is None:
            name = str(fields.get("request") or fields.get("method") or packet.name)
            channel = fields.get("sender") if packet.name == "channel_open" else recipient
            kind = packet.name
            if kind == "channel_request" and packet.direction == "out":
                # Its answer bears the client's number, the request the server's.
                channel = self._channels.get(channel, channel) if isinstance(channel, int) else channel
            self._ask((kind, packet.direction, channel), self._request(state, packet, "packet", name, None, channel))
        for kind in _ANSWERS.get(packet.name, ()):
            if kind == "info_response" and packet.direction == "out":
                continue
            if packet.name == "channel_open_confirmation" and isinstance(recipient, int):
                self._channels[fields.get("sender", recipient)] = recipient
            if self._answered(
                (kind, other, recipient), packet.line, packet.time, packet.name, refused=packet.name in _REFUSALS
            ):
                break

    def _ask(self, key: tuple[str, str, int | None], request: _Request) -> None:
        self.requests.append(request)
        self._waiting.setdefault(key, []).append(request)

    def _answered(
        self,
        key: tuple[str, str, int | None],
        line: int,
        time: float | None,
        answer: str,
        *,
        refused: bool,
        status: int | None = None,
    ) -> bool:
        waiting = self._waiting.get(key)
        if not waiting:
            return False
        request = waiting.pop(0)
        if not waiting:
            del self._waiting[key]
        request.last_line, request.ended, request.answer, request.status = line, time, answer, status
        request.outcome = "refused" if refused else "granted"
        self._just_answered.append(request)
        return True

    def _request(
        self,
        state: State,
        packet: Packet | SftpPacket,
        source: str,
        name: str,
        number: int | None,
        channel: int | None = None,
    ) -> _Request:
        said = _said(_revealed(packet.fields) if self.show_secrets else packet.fields)
        return _Request(
            packet.line, state.clock, state.phase, source, packet.direction, name, number, channel, said
        )  # fmt: skip


def _event_row(state: State, item: Seen, time: float | None, delta: float | None, show_secrets: bool) -> Row:
    phase = state.phase
    if isinstance(item, Event):
        hidden = () if show_secrets else HIDDEN_FIELDS.get(item.name, ())
        fields = {name: value for name, value in item.fields.items() if name not in hidden}
        return (
            item.line, item.line, time, delta, phase, "text", None, item.context, item.name, 1,
            item.text if show_secrets else shown(item),
            _json(fields),
        )  # fmt: skip
    if isinstance(item, Run):
        name = max(item.counts, key=lambda k: item.counts[k])
        return (
            item.first_line, item.last_line, time, delta, phase, "run", None, None, name, sum(item.counts.values()),
            item.last_text, _json(item.counts),
        )  # fmt: skip
    kind = "sftp" if isinstance(item, SftpPacket) else "packet"
    said = _revealed(item.fields) if show_secrets else item.fields
    return (
        item.line, item.line, time, delta, phase, kind, item.direction, None, item.name, 1,
        item.problem or _said(said), _json(said),
    )  # fmt: skip


def holds_secret(fields: Mapping[str, Any]) -> bool:
    """Whether a packet holds a secret, whose length its size would tell."""
    values = (v for value in fields.values() for v in (value if isinstance(value, tuple) else (value,)))
    return any(isinstance(value, Secret) for value in values)


def _revealed(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields with their secrets in the clear."""

    def revealed(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(revealed, value))
        return value.reveal().decode("utf-8", "backslashreplace") if isinstance(value, Secret) else value

    return {name: revealed(value) for name, value in fields.items()}


def _said(fields: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={_short(value)}" for name, value in fields.items())


def _short(value: Any) -> str:
    text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return text if len(text) <= 120 else f"{text[:117]}..."


def _json(fields: Any) -> str:
    return json.dumps(fields, ensure_ascii=False, default=str)
