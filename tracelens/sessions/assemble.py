"""A trace's items in file order -> its sessions: where each begins and ends, and what belongs to it."""

from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

from tracelens.libssh2 import events
from tracelens.libssh2.events import Event
from tracelens.reader import Dump, Item, Record, Run
from tracelens.reader.packets import PacketReader, RawPacket
from tracelens.reader.repeats import RESTART
from tracelens.sessions.error_texts import phase_of
from tracelens.sessions.failures import judge
from tracelens.sessions.interleaved.choice import Wait, best_of, method_told, spokesman
from tracelens.sessions.interleaved.packets import IMPOSSIBLE, UNLIKELY, answers_attempt, fits_packet
from tracelens.sessions.interleaved.texts import fits_event
from tracelens.sessions.machine import take_event, take_impossible_dump, take_packet, take_packet_number, take_run
from tracelens.sessions.model import RANK, Quote, Session
from tracelens.sessions.state import Observer, State

# How many records an incoming packet's dump may wait for its "Packet type N received", while sessions interleave.
_PATIENCE = 24
# More sessions than this are not told apart; the oldest that never ended was abandoned.
OPEN_AT_ONCE = 16
# More sessions than this, and one more for so many lines, are not parted: a session that came to anything is longer.
_SESSIONS, _LINES_A_SESSION = 5_000, 32
# No packet is this large (RFC 4253, 6.1); a length that came out negative reads like this.
IMPOSSIBLE_SIZE = 1 << 62
# So many items are looked at before the next one is given to one of several sessions.
_AHEAD = 6
_LOGIN_ANSWERS = (51, 52)
# What a server sent, as text tells it; and errors that end a wait: timed out, socket disconnected, nothing received.
_ANSWERS = {"transport.packet_received", "transport.banner_received"}
_ENDS_OF_WAITS = (-9, -13, -43)
_FRESH = {
    "conn.blocking_mode",
    "transport.new_session",
    "transport.local_banner_set",
    "transport.callback_set",
}


class _Incoming(NamedTuple):
    """An incoming packet that waits for its "Packet type N received": after so many records and reads from a socket."""

    raw: RawPacket
    records: int
    read: int


class Assembler:
    """Takes the items of one trace in order; `sessions()` gives what they make.

    `unknown` counts records whose text no grammar knows, `interleaved` says whether two sessions took turns,
    `restarts` how often the clock began anew, `unparted` how many sessions were left with the one before them, because
    there were more than a limit.
    """

    def __init__(self, observer: Observer | None = None) -> None:
        self.unknown = 0
        self.unknown_quotes: list[Quote] = []
        self.restarts = 0
        self.interleaved = 0
        self.unparted = 0
        self._states: list[State] = []
        self._open: list[State] = []
        self._current: State | None = None
        self._reader = PacketReader()
        self._incoming: deque[_Incoming] = deque()
        self._reads = 0  # dumps of what came from a socket
        self._read_by: tuple[State, int] | None = None  # whose packet came last, and with which read
        self._speaker: dict[int, State] = {}  # line of an outgoing packet's dump -> who spoke just before it
        self._unsent: list[State] = []  # whose outgoing packets were dumped and not yet seen to go out
        self._held: Event | None = None
        self._ahead: deque[Item] = deque()
        self._place = 0
        self._lines: dict[int, int] = {}
        self._records = 0
        self._observer = observer

    def add(self, item: Item) -> None:
        """Takes the next item."""
        item = self._placed(item)
        if len(self._open) < 2 and not self._ahead:
            self._put(item)
            return
        # What follows an answer says whose it was, where several wait for one.
        self._ahead.append(item)
        while self._ahead and (len(self._ahead) > _AHEAD or len(self._open) < 2):
            self._put(self._ahead.popleft())

    def _put(self, item: Item) -> None:
        if isinstance(item, Record):
            self._record(item)
            return
        if self._held is not None:
            self._let_go()
        if isinstance(item, Dump):
            if self._current is not None:
                self._outgoing(item, self._current)
                if item.size > IMPOSSIBLE_SIZE:
                    take_impossible_dump(self._current, item)
            self._reads += item.kind == "raw" and item.direction == "in"
            for raw in self._reader.add(item):
                self._packet(raw)
        else:
            self._run(item)

    @property
    def shared(self) -> int:
        """How many items begin on a line on which another one ends: no newline stands between them."""
        return len(self._lines)

    def line_of(self, place: int) -> int:
        """The line of the input that a session's line number stands for; see `_placed`."""
        return self._lines.get(place, place)

    def _placed(self, item: Item) -> Item:
        """The item with a line number of its own, after those of the items before it.

        What comes first decides what recovered from what, and without newlines between records many share a line. In
        most traces the numbers are the lines themselves; `line_of` gives the line where they are not.
        """
        if isinstance(item, Run):
            line, last = item.first_line, max(item.first_line, item.last_line)
        else:
            line = last = item.line
        if line > self._place:
            self._place = last
            return item
        place = self._place + 1
        self._place = max(place, last)
        self._lines[place] = line
        if isinstance(item, Record):
            return Record(place, item.time, item.context, item.text)
        if isinstance(item, Dump):
            item.line = place
            return item
        item.first_line = place
        item.last_line = self._place
        self._lines[self._place] = line
        for retry in item.retries.values():
            retry.first_line, retry.last_line = place, self._place
        return item

    def finish(self) -> None:
        """Gives what still waits for what comes after it to its session."""
        while self._ahead:
            self._put(self._ahead.popleft())
        self._let_go()
        for raw in self._reader.flush():
            self._packet(raw)
        self._release()

    def sessions(self, traced: Iterable[str]) -> list[Session]:
        """The sessions in order of their first record, judged.

        Args:
            traced: the contexts that the trace shows at all.
        """
        self.finish()
        contexts = frozenset(traced)
        result: list[Session] = []
        for state in sorted(self._states, key=lambda t: t.session.first_line):
            if self._is_empty(state):
                continue
            state.session.traced = contexts
            cut = state is self._current and not state.closed
            session = judge(state, cut=cut)
            session.number = len(result) + 1
            result.append(session)
        return result

    @staticmethod
    def _is_empty(state: State) -> bool:
        session = state.session
        return (
            session.lines.keys() <= _FRESH
            and not session.packets
            and not session.waits
            and not session.failures
            and session.last is None
        )

    # -- text ------------------------------------------------------------------------------------------------------

    def _record(self, record: Record) -> None:
        self._records += 1
        name, fields = events.parse(record.context, record.text)
        event = Event(record.line, record.time, record.context, name, fields, record.text)
        if name.endswith(".unknown"):
            self.unknown += 1
            if len(self.unknown_quotes) < 20:
                self.unknown_quotes.append(Quote(record.line, record.text))
        if self._held is not None:
            self._let_go(before=name)
        if name == "conn.blocking_mode" and any(t.session.last is not None for t in self._open if not t.freed):
            self._held = event
        else:
            self._take(event)

    def _let_go(self, before: str = "") -> None:
        """Gives the blocking mode that was set to a session: to the next one if that begins with the next record."""
        held, self._held = self._held, None
        if held is None:
            return
        if before == "transport.session_startup" and not any(self._is_fresh(state) for state in self._open):
            if self._current is not None:
                self._restarted(self._current, held.time)
            self._release()
            self._start(held.line, held.time)
        self._take(held)

    def _take(self, event: Event) -> None:
        name = event.name
        if len(self._open) < 2:
            for raw in self._reader.flush():
                self._packet(raw)
            if self._incoming and name != "transport.packet_received":
                self._release()
        else:
            self._release(older_than=_PATIENCE)
        state = self._choose(event)
        if name == "transport.packet_received":
            self._announced(state, event)
        take_event(state, event)

    def _choose(self, event: Event) -> State:
        state = self._current
        if state is None or self._starts(state, event):
            if event.name == "transport.packet_received" and state is not None:
                self._release()
            return self._start(event.line, event.time)
        if len(self._open) > 1:
            wait: Wait = "given up" if event.fields.get("code") in _ENDS_OF_WAITS else ""
            return self._turn_to_best(self._fit_of(event), state, "answered" if event.name in _ANSWERS else wait)
        return state

    def _turn_to_best(self, fit: Callable[[State], int], state: State, wait: Wait = "") -> State:
        """The open session that an item of text fits best, which is the current one from there on."""
        best = best_of(self._open, self._current, fit, wait)
        if fit(best) > IMPOSSIBLE and best is not state:
            self._turn_to(best)
        return self._current or state

    def _fit_of(self, event: Event) -> Callable[[State], int]:
        """How a record fits: a "Packet type N received" as the packet does, where its dump stands before it."""
        if event.name != "transport.packet_received":
            return partial(fits_event, event=event)
        index = self._waiting_place(event)
        fit = self._fit_of_packet(self._incoming[index]) if index is not None else partial(fits_event, event=event)
        answered = method_told(self._ahead) if event.fields.get("type") in _LOGIN_ANSWERS else None
        if answered is None:
            return fit
        return lambda state: fit(state) if answers_attempt(state, answered) else min(fit(state), UNLIKELY)

    def _fit_of_packet(self, packet: _Incoming) -> Callable[[State], int]:
        """How a packet fits; of two alike, the one whose packet came before it with the same bytes from the socket."""
        reader = self._read_by[0] if self._read_by is not None and 0 < packet.read == self._read_by[1] else None

        def fit(state: State) -> int:
            fits = fits_packet(state, packet.raw)
            return 2 * fits + (state is reader and fits > IMPOSSIBLE)

        return fit

    def _turn_to(self, state: State) -> None:
        if not state.freed and self._current is not None and not self._current.freed:
            self.interleaved += 1
        self._current = state

    def _start(self, line: int, time: float | None) -> State:
        if self._current is not None:
            self._release()
            if len(self._states) >= _SESSIONS + self._place // _LINES_A_SESSION:
                self.unparted += 1
                self._open = [self._current]
                return self._current
        state = State.begin(line, time, self._observer)
        self._states.append(state)
        self._open = [*[t for t in self._open if not t.freed][1 - OPEN_AT_ONCE :], state]
        self._current = state
        return state

    def _starts(self, state: State, event: Event) -> bool:
        """Whether the record can only be a new session's."""
        session, name = state.session, event.name
        if self._restarted(state, event.time):
            return True
        if self._is_fresh(state) or (name == "transport.session_startup" and any(map(self._is_fresh, self._open))):
            return False
        if name in ("transport.new_session", "transport.session_startup"):
            return True
        if len(self._open) > 1 and any(t is not state and not t.freed for t in self._open):
            return False  # it may well be the other session's
        if name in _FRESH:
            return state.freed
        if name == "transport.banner_sent":
            return session.client_banner is not None
        if name == "transport.banner_received":
            return bool(session.offers) and session.kex_done
        if name == "key_ex.sent_kex":
            # A re-exchange comes after the login, and no program sets the blocking mode just before it.
            anew = session.last is not None and session.last.text.startswith("Setting blocking mode")
            return "client" in session.offers and (not session.kex_done or not session.authenticated or anew)
        if name == "userauth.permitted_methods" or (name.startswith("userauth.") and name.endswith("_attempted")):
            return session.authenticated
        if name == "failure_event.failure" and event.fields.get("code") == -37:
            return self._goes_back(state, str(event.fields.get("message", "")))
        return False

    @staticmethod
    def _is_fresh(state: State) -> bool:
        """Whether a session was made and has not begun."""
        session = state.session
        return not session.packets and not session.waits and session.lines.keys() <= _FRESH

    def _restarted(self, state: State, time: float | None) -> bool:
        """Whether the clock began anew: a process's first second after a later time. No session outlives that."""
        if time is None or state.clock is None or time >= 1.0 or time >= state.clock - RESTART:
            return False
        self.restarts += 1
        self._open = []
        return True

    @staticmethod
    def _goes_back(state: State, message: str) -> bool:
        """Whether error -37 is of a phase that the session has long left, so that another one must have begun."""
        phase = phase_of(message)
        if phase not in ("banner", "kex", "auth"):
            return False
        if phase == "kex" and state.session.kex_done:
            return message.startswith("Unable to exchange encryption keys") and not state.session.offers
        return RANK[phase] < RANK[state.phase]

    def _run(self, run: Run) -> None:
        for name, count in run.counts.items():
            self._records += count
            if name.endswith(".unknown"):
                self.unknown += count
        if len(self._open) < 2:
            for raw in self._reader.flush():
                self._packet(raw)
            if self._incoming:
                self._release()
        state = self._current
        if state is not None and self._restarted(state, run.started):
            state = None
        if state is not None and len(self._open) < 2:
            for message in run.retries:
                if self._goes_back(state, message):
                    state = None
                    break
        if state is None:
            state = self._start(run.first_line, run.started)
        elif len(self._open) > 1:
            state = self._turn_to_best(partial(fits_event, event=spokesman(run)), state)
        take_run(state, run)

    # -- packets ---------------------------------------------------------------------------------------------------

    def _packet(self, raw: RawPacket) -> None:
        if raw.direction == "in":
            self._incoming.append(_Incoming(raw, self._records, self._reads))
            return
        if len(self._open) < 2 and self._incoming and self._incoming[0].raw.line < raw.line:
            self._release()  # no text announces them: the texts were filtered out
        state = self._speaker.pop(raw.line, None) or self._current or self._start(raw.line, raw.time)
        if len(self._open) > 1 and fits_packet(state, raw) <= UNLIKELY and not state.freed:
            best = best_of(self._open, self._current, partial(fits_packet, raw=raw))
            state = best if fits_packet(best, raw) > IMPOSSIBLE else state
        take_packet(state, raw)

    def _outgoing(self, dump: Dump, state: State) -> None:
        """Who speaks: an outgoing packet is the last speaker's; where its bytes go out, its sender speaks on."""
        if dump.direction == "out" and dump.kind == "plain":
            self._speaker[dump.line] = state
            self._unsent = [*self._unsent[-7:], state]
        elif dump.kind == "send" and self._unsent:
            sender = self._unsent.pop()
            if len(self._open) > 1 and sender is not state and not sender.freed:
                self._turn_to(sender)

    def _announced(self, state: State, event: Event) -> None:
        """Takes a "Packet type N received, length=L": it names a dump that stands before it."""
        index = self._waiting_place(event)
        if index is None:
            self._release()
            number = event.fields.get("type")
            if isinstance(number, int):
                take_packet_number(state, number, event.line)
            return
        packet = self._incoming[index]
        if len(self._open) < 2:
            for _ in range(index):
                take_packet(state, self._incoming.popleft().raw)
            self._incoming.popleft()
        else:
            del self._incoming[index]
        self._read_by = state, packet.read
        take_packet(state, packet.raw)

    def _waiting_place(self, event: Event) -> int | None:
        """Which of the waiting packets a "Packet type N received, length=L" announces."""
        number, length = event.fields.get("type"), event.fields.get("length")
        waiting = ((i, each.raw) for i, each in enumerate(self._incoming))
        found = (i for i, raw in waiting if raw.number == number and raw.size == length)
        return next(found, None)

    def _release(self, older_than: int = -1) -> None:
        """Gives the packets that no text announced to the session that they fit."""
        while self._incoming and self._records - self._incoming[0].records > older_than:
            packet = self._incoming.popleft()
            state = self._current or self._start(packet.raw.line, packet.raw.time)
            if len(self._open) > 1:
                fit = self._fit_of_packet(packet)
                best = best_of(self._open, self._current, fit, "answered")
                state = best if fit(best) > IMPOSSIBLE else state
            self._read_by = state, packet.read
            take_packet(state, packet.raw)
