"""A trace, read as it comes -> rows of `events` and `packets` in the order of its lines; needs no pandas."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from tracelens import secrets
from tracelens.export.columns import Row
from tracelens.libssh2.events import Event
from tracelens.reader import Run, Stream
from tracelens.reader.packets import Packet
from tracelens.sessions import Assembly
from tracelens.sessions.state import HIDDEN_FIELDS, State, shown
from tracelens.ssh.sftp import SftpPacket
from tracelens.ssh.wire import Secret

# A size that no column holds: a broken header's, which `problem` reports.
_LARGEST = 1 << 63
Seen = Event | Run | Packet | SftpPacket


def events(streams: Iterable[Stream], show_secrets: bool) -> Iterator[Row]:
    """The rows of `events`."""
    rows: list[tuple[State, Row]] = []
    deltas = _Deltas()

    def observe(state: State, item: Seen) -> None:
        time = item.started if isinstance(item, Run) else item.time
        rows.append((state, _event_row(state, item, time, deltas.of(state, time), show_secrets)))

    number, line_of, hide = follow(streams, observe, show_secrets)
    rows.sort(key=lambda pair: pair[1][0])
    for state, row in rows:
        yield (number(state), line_of(state, row[0]), line_of(state, row[1]), *row[2:-2], hide(row[-2]), hide(row[-1]))


def packets(streams: Iterable[Stream], show_secrets: bool) -> Iterator[Row]:
    """The rows of `packets`."""
    rows: list[tuple[State, Row]] = []
    deltas = _Deltas()

    def observe(state: State, item: Seen) -> None:
        if isinstance(item, Packet | SftpPacket):
            delta = deltas.of(state, item.time)
            layer = "sftp" if isinstance(item, SftpPacket) else "packet"
            named = (state.phase, layer, item.direction, item.number if item.number >= 0 else None, item.name)
            hidden = not show_secrets and holds_secret(item.fields)
            size = item.size if item.size < _LARGEST and not hidden else None
            fields = revealed(item.fields) if show_secrets else item.fields
            values = (size, as_text(fields), item.problem, _json(fields))
            rows.append((state, (item.line, item.time, delta, *named, *values)))

    number, line_of, hide = follow(streams, observe, show_secrets)
    rows.sort(key=lambda pair: pair[1][0])
    for state, (line, *middle, text, problem, fields) in rows:
        yield (number(state), line_of(state, line), *middle, hide(text), problem, hide(fields))


def follow(
    streams: Iterable[Stream], observe: Callable[[State, Seen], None], show_secrets: bool
) -> tuple[Callable[[State], int | None], Callable[[State, int], int], Callable[[str], str]]:
    """Reads the trace to its end; gives a state's session number, the line of its line numbers, what masks secrets."""
    assembly = Assembly(observe)
    for stream in streams:
        assembly.take(stream)
    sessions = assembly.sessions()
    numbers = {id(session): session.number for session in sessions}
    hide = secrets.hider(() if show_secrets else (value for session in sessions for value in session.hidden))

    def line_of(state: State, place: int) -> int:
        return assembly.part_of(state.session).line_of(place) if id(state.session) in numbers else place

    return lambda state: numbers.get(id(state.session)), line_of, hide


class _Deltas:
    """Seconds between the rows of a session."""

    def __init__(self) -> None:
        self._last: dict[State, float] = {}

    def of(self, state: State, time: float | None) -> float | None:
        before = self._last.get(state)
        if time is not None:
            self._last[state] = time
        return round(time - before, 6) if time is not None and before is not None else None


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
    fields = revealed(item.fields) if show_secrets else item.fields
    return (
        item.line, item.line, time, delta, phase, kind, item.direction, None, item.name, 1,
        item.problem or as_text(fields), _json(fields),
    )  # fmt: skip


def holds_secret(fields: Mapping[str, Any]) -> bool:
    """Whether a packet holds a secret, whose length its size would tell."""
    values = (v for value in fields.values() for v in (value if isinstance(value, tuple) else (value,)))
    return any(isinstance(value, Secret) for value in values)


def revealed(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields with their secrets in the clear."""

    def shown_value(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(shown_value, value))
        return value.reveal().decode("utf-8", "backslashreplace") if isinstance(value, Secret) else value

    return {name: shown_value(value) for name, value in fields.items()}


def as_text(fields: Mapping[str, Any]) -> str:
    """The fields of a packet in one line; long ones are cut."""
    return ", ".join(f"{name}={_short(value)}" for name, value in fields.items())


def _short(value: Any) -> str:
    text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return text if len(text) <= 120 else f"{text[:117]}..."


def _json(fields: Any) -> str:
    return json.dumps(fields, ensure_ascii=False, default=str)
