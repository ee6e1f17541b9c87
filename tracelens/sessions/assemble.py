"""A trace's items in file order -> its sessions: where each begins and ends, and what belongs to it."""

from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

from tracelens.libssh2.events import Event
from tracelens.reader import Dump, Item, Run
from tracelens.reader.packets import PacketReader, RawPacket
from tracelens.reader.repeats import RESTART
from tracelens.sessions.core import Observer
from tracelens.sessions.error_texts import phase_of
from tracelens.sessions.failures import judge
from tracelens.sessions.interleaved.choice import Wait, best_of, method_told, spokesman
from tracelens.sessions.interleaved.packets import IMPOSSIBLE, UNLIKELY, answers_attempt, fits_packet
from tracelens.sessions.interleaved.texts import fits_event
from tracelens.sessions.model import RANK, Quote, Session
from tracelens.sessions.track import Track

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
        self._tracks: list[Track] = []
        self._open: list[Track] = []
        self._current: Track | None = None
        self._reader = PacketReader()
        self._incoming: deque[_Incoming] = deque()
        self._reads = 0  # dumps of what came from a socket
        self._read_by: tuple[Track, int] | None = None  # whose packet came last, and with which read
        self._speaker: dict[int, Track] = {}  # line of an outgoing packet's dump -> who spoke just before it
        self._unsent: list[Track] = []  # whose outgoing packets were dumped and not yet seen to go out
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
        if isinstance(item, Event):
            self._record(item)
            return
        if self._held is not None:
            self._let_go()
        if isinstance(item, Dump):
            if self._current is not None:
                self._outgoing(item, self._current)
                if item.size > IMPOSSIBLE_SIZE:
                    self._current.impossible_dump(item)
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
        if isinstance(item, Event):
            return Event(place, item.time, item.context, item.name, item.fields, item.text)
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
        for track in sorted(self._tracks, key=lambda t: t.session.first_line):
            if self._is_empty(track):
                continue
            track.session.traced = contexts
            cut = track is self._current and not track.closed
            session = judge(track, cut=cut)
            session.number = len(result) + 1
            result.append(session)
        return result

    @staticmethod
    def _is_empty(track: Track) -> bool:
        session = track.session
        return (
            session.lines.keys() <= _FRESH
            and not session.packets
            and not session.waits
            and not session.failures
            and session.last is None
        )

    # -- text ------------------------------------------------------------------------------------------------------

    def _record(self, event: Event) -> None:
        self._records += 1
        name = event.name
        if name.endswith(".unknown"):
            self.unknown += 1
            if len(self.unknown_quotes) < 20:
                self.unknown_quotes.append(Quote(event.line, event.text))
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
        if before == "transport.session_startup" and not any(self._is_fresh(track) for track in self._open):
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
        track = self._choose(event)
        if name == "transport.packet_received":
            self._announced(track, event)
        track.event(event)

    def _choose(self, event: Event) -> Track:
        track = self._current
        if track is None or self._starts(track, event):
            if event.name == "transport.packet_received" and track is not None:
                self._release()
            return self._start(event.line, event.time)
        if len(self._open) > 1:
            wait: Wait = "given up" if event.fields.get("code") in _ENDS_OF_WAITS else ""
            return self._turn_to_best(self._fit_of(event), track, "answered" if event.name in _ANSWERS else wait)
        return track

    def _turn_to_best(self, fit: Callable[[Track], int], track: Track, wait: Wait = "") -> Track:
        """The open session that an item of text fits best, which is the current one from there on."""
        best = best_of(self._open, self._current, fit, wait)
        if fit(best) > IMPOSSIBLE and best is not track:
            self._turn_to(best)
        return self._current or track

    def _fit_of(self, event: Event) -> Callable[[Track], int]:
        """How a record fits: a "Packet type N received" as the packet does, where its dump stands before it."""
        if event.name != "transport.packet_received":
            return partial(fits_event, event=event)
        index = self._waiting_place(event)
        fit = self._fit_of_packet(self._incoming[index]) if index is not None else partial(fits_event, event=event)
        answered = method_told(self._ahead) if event.fields.get("type") in _LOGIN_ANSWERS else None
        if answered is None:
            return fit
        return lambda track: fit(track) if answers_attempt(track, answered) else min(fit(track), UNLIKELY)

    def _fit_of_packet(self, packet: _Incoming) -> Callable[[Track], int]:
        """How a packet fits; of two alike, the one whose packet came before it with the same bytes from the socket."""
        reader = self._read_by[0] if self._read_by is not None and 0 < packet.read == self._read_by[1] else None

        def fit(track: Track) -> int:
            fits = fits_packet(track, packet.raw)
            return 2 * fits + (track is reader and fits > IMPOSSIBLE)

        return fit

    def _turn_to(self, track: Track) -> None:
        if not track.freed and self._current is not None and not self._current.freed:
            self.interleaved += 1
        self._current = track

    def _start(self, line: int, time: float | None) -> Track:
        if self._current is not None:
            self._release()
            if len(self._tracks) >= _SESSIONS + self._place // _LINES_A_SESSION:
                self.unparted += 1
                self._open = [self._current]
                return self._current
        track = Track(line, time, self._observer)
        self._tracks.append(track)
        self._open = [*[t for t in self._open if not t.freed][1 - OPEN_AT_ONCE :], track]
        self._current = track
        return track

    def _starts(self, track: Track, event: Event) -> bool:
        """Whether the record can only be a new session's."""
        session, name = track.session, event.name
        if self._restarted(track, event.time):
            return True
        if self._is_fresh(track) or (name == "transport.session_startup" and any(map(self._is_fresh, self._open))):
            return False
        if name in ("transport.new_session", "transport.session_startup"):
            return True
        if len(self._open) > 1 and any(t is not track and not t.freed for t in self._open):
            return False  # it may well be the other session's
        if name in _FRESH:
            return track.freed
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
            return self._goes_back(track, str(event.fields.get("message", "")))
        return False

    @staticmethod
    def _is_fresh(track: Track) -> bool:
        """Whether a session was made and has not begun."""
        session = track.session
        return not session.packets and not session.waits and session.lines.keys() <= _FRESH

    def _restarted(self, track: Track, time: float | None) -> bool:
        """Whether the clock began anew: a process's first second after a later time. No session outlives that."""
        if time is None or track.clock is None or time >= 1.0 or time >= track.clock - RESTART:
            return False
        self.restarts += 1
        self._open = []
        return True

    @staticmethod
    def _goes_back(track: Track, message: str) -> bool:
        """Whether error -37 is of a phase that the session has long left, so that another one must have begun."""
        phase = phase_of(message)
        if phase not in ("banner", "kex", "auth"):
            return False
        if phase == "kex" and track.session.kex_done:
            return message.startswith("Unable to exchange encryption keys") and not track.session.offers
        return RANK[phase] < RANK[track.phase]

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
        track = self._current
        if track is not None and self._restarted(track, run.started):
            track = None
        if track is not None and len(self._open) < 2:
            for message in run.retries:
                if self._goes_back(track, message):
                    track = None
                    break
        if track is None:
            track = self._start(run.first_line, run.started)
        elif len(self._open) > 1:
            track = self._turn_to_best(partial(fits_event, event=spokesman(run)), track)
        track.run(run)

    # -- packets ---------------------------------------------------------------------------------------------------

    def _packet(self, raw: RawPacket) -> None:
        if raw.direction == "in":
            self._incoming.append(_Incoming(raw, self._records, self._reads))
            return
        if len(self._open) < 2 and self._incoming and self._incoming[0].raw.line < raw.line:
            self._release()  # no text announces them: the texts were filtered out
        track = self._speaker.pop(raw.line, None) or self._current or self._start(raw.line, raw.time)
        if len(self._open) > 1 and fits_packet(track, raw) <= UNLIKELY and not track.freed:
            best = best_of(self._open, self._current, partial(fits_packet, raw=raw))
            track = best if fits_packet(best, raw) > IMPOSSIBLE else track
        track.packet(raw)

    def _outgoing(self, dump: Dump, track: Track) -> None:
        """Who speaks: an outgoing packet is the last speaker's; where its bytes go out, its sender speaks on."""
        if dump.direction == "out" and dump.kind == "plain":
            self._speaker[dump.line] = track
            self._unsent = [*self._unsent[-7:], track]
        elif dump.kind == "send" and self._unsent:
            sender = self._unsent.pop()
            if len(self._open) > 1 and sender is not track and not sender.freed:
                self._turn_to(sender)

    def _announced(self, track: Track, event: Event) -> None:
        """Takes a "Packet type N received, length=L": it names a dump that stands before it."""
        index = self._waiting_place(event)
        if index is None:
            self._release()
            number = event.fields.get("type")
            if isinstance(number, int):
                track.number_received(number, event.line)
            return
        packet = self._incoming[index]
        if len(self._open) < 2:
            for _ in range(index):
                track.packet(self._incoming.popleft().raw)
            self._incoming.popleft()
        else:
            del self._incoming[index]
        self._read_by = track, packet.read
        track.packet(packet.raw)

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
            track = self._current or self._start(packet.raw.line, packet.raw.time)
            if len(self._open) > 1:
                fit = self._fit_of_packet(packet)
                best = best_of(self._open, self._current, fit, "answered")
                track = best if fit(best) > IMPOSSIBLE else track
            self._read_by = track, packet.read
            track.packet(packet.raw)
