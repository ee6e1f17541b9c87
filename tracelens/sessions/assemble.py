"""A trace's items in file order -> its sessions: where each begins and ends, and what belongs to it."""

import copy
from functools import partial
from itertools import islice

from tracelens.libssh2.events import Event
from tracelens.libssh2.repeats import EAGAIN, FAILURE
from tracelens.reader import Dump, Item, Run
from tracelens.reader.packets import PacketReader, RawPacket
from tracelens.sessions.ahead import Ahead
from tracelens.sessions.beginnings import (
    begins_session,
    comes_before_start,
    follows_alone,
    is_empty,
    is_fresh,
    is_of_next,
    is_own_failure,
    is_preparation,
    is_reason,
    is_set_up_again,
    is_start,
)
from tracelens.sessions.failures import classify_failures
from tracelens.sessions.incoming import Incoming, Score
from tracelens.sessions.interleaved.choice import (
    WaitEnd,
    next_answered_method,
    pick_session,
    representative_event,
    wait_end_of,
)
from tracelens.sessions.interleaved.packets import IMPOSSIBLE, UNLIKELY, awaits_login_answer, score_packet
from tracelens.sessions.interleaved.texts import score_event
from tracelens.sessions.interleaved.trials import SLIGHT, are_different, copies, cost_of, decides
from tracelens.sessions.machine import take_event, take_impossible_dump, take_packet, take_packet_number, take_run
from tracelens.sessions.model import Quote
from tracelens.sessions.open_sessions import OpenSessions
from tracelens.sessions.order import Places
from tracelens.sessions.session import Session
from tracelens.sessions.state import Observer, State

# How many records an incoming packet's dump may wait for its "Packet type N received", while sessions interleave.
_PATIENCE = 24
# No packet is this large (RFC 4253, 6.1); a length that came out negative reads like this.
IMPOSSIBLE_SIZE = 1 << 62
# So many of the items that follow tell at once which login an answer is for.
_NEAR = 6
# Items that may be tried out: so many at first, and more for each item that several sessions could have.
_CREDIT, _CREDIT_AN_ITEM = 12_000, 3
_LOGIN_ANSWERS = (51, 52)
# Events that several sessions may wait for, and that are not to be taken back.
_TRIED = {"transport.packet_received", "transport.banner_received", "transport.looking_for_packet", FAILURE}

# So much is held until the next record shows whose it is, unless it pauses for so many seconds.
_HELD, _PAUSE = 16, 0.05


def _retry_event(run: Run, message: str) -> Event:
    """One of a run's errors -37."""
    return Event(run.first_line, run.started, "Failure Event", FAILURE, {"code": EAGAIN, "message": message}, message)


class Assembler:
    """Takes the items of one trace in order, and returns the sessions that they make up.

    `unknown` counts records whose text no grammar knows.

    Args:
        observer: what watches the states.
        others: how many sessions the other streams of the same input have.
    """

    def __init__(self, observer: Observer | None = None, *, others: int = 0) -> None:
        self.unknown = 0
        self.unknown_quotes: list[Quote] = []
        self.opened = OpenSessions(observer, others)
        self._places = Places()
        self._ahead = Ahead()
        self._records = 0
        self._held: list[Event] = []  # what may be the next session's: its blocking mode, errors before its start
        self._reader = PacketReader()
        self._incoming = Incoming()
        self._senders: dict[int, State] = {}  # line of an outgoing packet's dump -> the active session just before it
        self._unsent: list[State] = []  # the sessions of outgoing packets that were dumped and not yet sent
        self._chosen: dict[int, State] = {}  # by the line of an event, the session that a trial gave it to
        self._guessed: set[State] = set()  # sessions of which one got an answer or an error that may be another one's
        self._cost = 0  # of the items so far that fit no session well
        self._credit = _CREDIT  # how many items may still be tried out

    def add(self, item: Item) -> None:
        """Take the next item."""
        self._ahead.add(self._places.put(item))
        while (following := self._ahead.take(self.opened.states)) is not None:
            self._put(following)

    def _put(self, item: Item) -> None:
        if isinstance(item, Event):
            if len(self.opened.states) > 1:
                self._try_out(item)
            self._record(item)
            return
        if isinstance(item, Dump):
            self._let_go(None)
            if self.opened.active is not None:
                self._outgoing(item, self.opened.active)
                if item.size > IMPOSSIBLE_SIZE:
                    take_impossible_dump(self.opened.active, item)
            if item.kind == "raw" and item.direction == "in":
                self._incoming.reads += 1
                if self.opened.active is not None:
                    self.opened.active.hear()
            for raw in self._reader.add(item):
                self._packet(raw)
        else:
            self._run(item)

    @property
    def shared(self) -> int:
        """How many items begin on a line on which another one ends: no newline separates them."""
        return self._places.moved

    def line_of(self, place: int) -> int:
        """The line of the input that a session's line number means; see `Places`."""
        return self._places.line_of(place)

    def record_of(self, place: int) -> int | None:
        """Which record of its line that is; see `Places`."""
        return self._places.record_of(place)

    def finish(self) -> None:
        """Give the items that still wait for later ones to their sessions."""
        while (item := self._ahead.take(self.opened.states, at_end=True)) is not None:
            self._put(item)
        self._let_go(None)
        for raw in self._reader.flush():
            self._packet(raw)
        self._release()

    def sessions(self, *, broken: bool = False) -> list[Session]:
        """The sessions in order of their first record, judged.

        Args:
            broken: whether the input ends in the middle of a record: more followed.
        """
        self.finish()
        result: list[Session] = []
        for state in sorted(self.opened.begun, key=lambda s: s.session.first_line):
            if is_empty(state):
                continue
            is_last = self.opened.is_at_end(state)
            state.session.guessed = state in self._guessed
            session = classify_failures(state, cut=is_last, broken=is_last and broken)
            session.number = len(result) + 1
            result.append(session)
        return result

    def forget_cut_end(self, line: int) -> None:
        """Do not count the input's last line, which was cut, among the records with an unknown text."""
        if self.unknown_quotes and self.line_of(self.unknown_quotes[-1].line) == line:
            self.unknown_quotes.pop()
            self.unknown -= 1

    # -- text ------------------------------------------------------------------------------------------------------

    def _record(self, event: Event) -> None:
        self._records += 1
        name = event.name
        if name.endswith(".unknown"):
            self.unknown += 1
            if len(self.unknown_quotes) < 20:
                self.unknown_quotes.append(Quote(event.line, event.text))
        if not is_preparation(event, self.opened.states):
            self._let_go(event)
            self._take(event)
            return
        if self._held and (len(self._held) >= _HELD or self._pauses(event)):
            self._let_go(event)
        self._held.append(event)

    def _pauses(self, event: Event) -> bool:
        """Whether what is held is another session's than the event, which could be held as well."""
        last = self._held[-1].time
        return last is not None and event.time is not None and not 0 <= event.time - last < _PAUSE

    def _let_go(self, event: Event | None) -> None:
        """Deliver what is held; it belongs to the session that begins with the event, if one does."""
        held, self._held = self._held, []
        if not held:
            return
        while held and event is not None and not is_of_next(held[0], event):
            self._take(held.pop(0))
        if event is None or not held or not self._prepares(held, event):
            for each in held:
                self._take(each)
            return
        state = self._prepared(held[0])
        for each in held:
            state.preparing = is_start(event) and not is_reason(each, event) and not is_own_failure(each, event)
            take_event(state, each)
        state.preparing = False

    def _prepared(self, first: Event) -> State:
        """The session that is set up, which may begin with this event."""
        for state in self.opened.states:
            if is_fresh(state) and not is_set_up_again(state, first, _PAUSE):
                return state
        if self.opened.active is not None:
            self.opened.notice_restart(self.opened.active, first.time)
        return self._start(first.line, first.time)

    def _prepares(self, held: list[Event], event: Event) -> bool:
        """Whether what is held is of a session that begins with it, as the event after it shows."""
        others = [state for state in self.opened.current_first() if not is_fresh(state)]
        if begins_session(event, others, True) or any(map(comes_before_start, held)):
            return True
        return bool(others) and all(follows_alone(held[0], event, state) for state in others)

    def _take(self, event: Event) -> None:
        announces = event.name == "transport.packet_received"
        if len(self.opened.states) < 2:
            self._flush(release=not announces)
        else:
            self._release(older_than=_PATIENCE)
        state = self._choose(event)
        if announces:
            self._announced(state, event)
        authenticated = state.session.login.authenticated
        take_event(state, event)
        self.opened.leave_outlasted(state, authenticated)
        if event.name == "transport.session_startup" and len(self.opened.states) > 1:
            self.opened.leave_closed(state, event.time)

    def _flush(self, *, release: bool = True) -> None:
        """Give packets whose dump is over to the only session."""
        for raw in self._reader.flush():
            self._packet(raw)
        if self._incoming.waiting and release:
            self._release()

    def _choose(self, event: Event) -> State:
        if self.opened.closed:
            self.opened.reopen(self._event_score(event), event.time)
        state = self.opened.active
        if state is None or self._begins(event, state):
            if event.name == "transport.packet_received" and state is not None:
                self._release()
            return self._start(event.line, event.time)
        if len(self.opened.states) > 1:
            chosen = self._chosen.pop(event.line, None)
            return self._activate_best(self._event_score(event), state, wait_end_of(event), chosen)
        return state

    def _activate_best(self, score: Score, state: State, wait_end: WaitEnd = "", chosen: State | None = None) -> State:
        """The open session that an item of text fits best; it becomes the active one."""
        best = chosen or pick_session(self.opened.states, self.opened.active, score, wait_end)
        self._cost += cost_of(score(best))
        if score(best) > IMPOSSIBLE and best is not state:
            self.opened.activate(best)
        return self.opened.active or state

    def _event_score(self, event: Event) -> Score:
        """How a record fits: a "Packet type N received" like the packet, if its dump came before it."""
        if event.name != "transport.packet_received":
            return partial(score_event, event=event)
        packet = self._incoming.announced_by(event)
        score = self._incoming.score(packet) if packet is not None else partial(score_event, event=event)
        near = islice(self._ahead.items, _NEAR if event.fields.get("type") in _LOGIN_ANSWERS else 0)
        if (method := next_answered_method(near)) is None:
            return score
        return lambda state: score(state) if awaits_login_answer(state, method) else min(score(state), UNLIKELY)

    def _try_out(self, event: Event) -> None:
        """Choose an event's session if the items after it tell between those that it fits equally well."""
        self._credit += _CREDIT_AN_ITEM
        if event.name not in _TRIED or self._credit < len(self.opened.states) * len(self._ahead.items):
            return
        equal = self._best(self._event_score(event))
        if len(equal) < 2:
            return
        usual = pick_session(self.opened.states, self.opened.active, self._event_score(event), wait_end_of(event))
        costs = {state: self._trial(event, state) for state in equal}
        state = min(equal, key=lambda each: (costs[each], each is not usual))
        decisive = decides(event, usual)
        if costs[state] < costs.get(usual, 0) - (SLIGHT if decisive else 0):
            self._chosen[event.line] = state
        equal = [each for each in equal if costs[each] <= costs[state] + SLIGHT]
        if decisive and are_different(equal):
            self._guessed.update(equal)

    def _best(self, score: Score) -> list[State]:
        """The open sessions that an item fits best, and equally well."""
        scores = [(score(state), state) for state in self.opened.states]
        best = max(each for each, _ in scores)
        return [state for each, state in scores if each == best and each > IMPOSSIBLE]

    def _trial(self, event: Event, state: State) -> int:
        """What the items after an event cost if it belongs to the session."""
        trial = copy.copy(self)
        known = {*self.opened.states, *self._senders.values(), *self._unsent, state}
        known |= {each for each in (self.opened.active, self._incoming.last_state) if each is not None}
        copied = copies(known)
        trial.opened = self.opened.copy(copied)
        trial._guessed, trial.unknown_quotes = set(), []
        trial._senders = {line: copied[id(each)] for line, each in self._senders.items()}
        trial._unsent = [copied[id(each)] for each in self._unsent]
        trial._held = [*self._held]
        trial._reader, trial._ahead = self._reader.copy(), self._ahead.copy()
        trial._incoming = self._incoming.copy(copied)
        trial._cost, trial._credit, trial._chosen = 0, -(1 << 62), {event.line: copied[id(state)]}
        trial._record(event)
        while (item := trial._ahead.take(trial.opened.states, at_end=True)) is not None:
            trial._put(item)
        self._credit -= len(self._ahead.items)
        return trial._cost

    def _start(self, line: int, time: float | None) -> State:
        if self.opened.active is not None:
            self._release()
        return self.opened.start(line, time, self._places.last)

    def _begins(self, event: Event, state: State) -> bool:
        """Whether the record can only be a new session's."""
        if self.opened.notice_restart(state, event.time):
            return True
        return begins_session(event, self.opened.current_first(), self._ahead.first_exchange)

    def _run(self, run: Run) -> None:
        for name, count in run.counts.items():
            self._records += count
            if name.endswith(".unknown"):
                self.unknown += count
        if len(self.opened.states) < 2:
            self._flush()
        retries = [_retry_event(run, message) for message in run.retries]
        self._let_go(retries[0] if retries else None)
        state = self.opened.active
        if state is None or self.opened.notice_restart(state, run.started) or self._begins_by_retry(retries):
            state = self._start(run.first_line, run.started)
        elif len(self.opened.states) > 1:
            state = self._activate_best(partial(score_event, event=representative_event(run)), state)
        authenticated = state.session.login.authenticated
        take_run(state, run)
        self.opened.leave_outlasted(state, authenticated)

    def _begins_by_retry(self, retries: list[Event]) -> bool:
        return any(begins_session(event, self.opened.current_first(), None) for event in retries)

    # -- packets ---------------------------------------------------------------------------------------------------

    def _packet(self, raw: RawPacket) -> None:
        if raw.direction == "in":
            self._incoming.add(raw, self._records)
            return
        if len(self.opened.states) < 2 and self._incoming.waits_before(raw.line):
            self._release()  # no text announces them: the texts were filtered out
        state = self._senders.pop(raw.line, None) or self.opened.active or self._start(raw.line, raw.time)
        if len(self.opened.states) > 1 and not state.freed:
            best = pick_session(self.opened.states, self.opened.active, partial(score_packet, raw=raw))
            state = best if score_packet(best, raw) > score_packet(state, raw) else state
        take_packet(state, raw)

    def _outgoing(self, dump: Dump, state: State) -> None:
        """An outgoing packet is the active session's; the session that sends its bytes becomes active."""
        if dump.direction == "out" and dump.kind == "plain":
            self._senders[dump.line] = state
            self._unsent = [*self._unsent[-7:], state]
        elif dump.kind == "send" and self._unsent:
            sender = self._unsent.pop()
            if len(self.opened.states) > 1 and sender is not state and not sender.freed:
                self.opened.activate(sender)

    def _announced(self, state: State, event: Event) -> None:
        """Take a "Packet type N received, length=L", which names a dump before it."""
        packet = self._incoming.announced_by(event)
        if packet is None:
            self._release()
            number = event.fields.get("type")
            if isinstance(number, int):
                take_packet_number(state, number, event.line)
            return
        before = self._incoming.waiting.index(packet) if len(self.opened.states) < 2 else 0
        for _ in range(before):
            take_packet(state, self._incoming.waiting.popleft().raw)
        self._incoming.take(packet, state)
        take_packet(state, packet.raw)

    def _release(self, older_than: int = -1) -> None:
        """Give incoming packets that no text announced to the sessions that they fit."""
        waiting = self._incoming.waiting
        while waiting and self._records - waiting[0].records > older_than:
            packet = waiting[0]
            state = self.opened.active or self._start(packet.raw.line, packet.raw.time)
            if len(self.opened.states) > 1:
                score = self._incoming.score(packet)
                best = pick_session(self.opened.states, self.opened.active, score, "answered")
                state = best if score(best) > IMPOSSIBLE else state
            self._incoming.take(packet, state)
            take_packet(state, packet.raw)
