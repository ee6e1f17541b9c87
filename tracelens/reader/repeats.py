"""Repeated records, which are counted instead of stored."""

from msgspec import Struct, field

from tracelens.libssh2.repeats import FAILURE, HANDSHAKE, POLLS

# A clock that falls back by more than this (seconds) was restarted. Threads of one process print out of order by less.
RESTART = 0.1
MICROSECONDS = 1_000_000


class Retry(Struct):
    """Error -37 with one text within one `Run`: how often, and how long the pauses after it were (microseconds)."""

    count: int
    paused: int  # integers, so that sums do not depend on their order
    first_line: int
    last_line: int

    @property
    def waited(self) -> float:
        """The pauses in seconds."""
        return self.paused / MICROSECONDS


class Run(Struct):
    """Consecutive repeated records, counted by event name. Times are in seconds on the trace's own clock.

    `anew` marks a run that follows another directly, kept apart because a session may begin there. `retries` counts
    error -37 by its text. `waiting` is the text of the error -37 that the run ends with, if any: the pause up to the
    next record belongs to it.
    """

    first_line: int
    started: float | None
    last_line: int = 0
    ended: float | None = None
    counts: dict[str, int] = field(default_factory=dict)
    retries: dict[str, Retry] = field(default_factory=dict)
    waiting: str | None = None
    last_text: str = ""
    moved: float | None = None  # when something other than polling last happened
    anew: bool = False
    on_last_line: int = 0  # how many of the records begin on the last line

    def add(self, name: str, line: int, time: float | None, text: str) -> None:
        """Adds one record."""
        if time is not None:
            self._pause_until(time)
            self.ended = time
            if name not in POLLS:
                self.moved = time
        self.counts[name] = self.counts.get(name, 0) + 1
        self.on_last_line = self.on_last_line + 1 if line == self.last_line else 1
        self.last_line, self.last_text, self.waiting = line, text, None
        if name == FAILURE:
            message = text.partition(" - ")[2]
            retry = self.retries.setdefault(message, Retry(0, 0, line, line))
            retry.count += 1
            retry.last_line = line
            self.waiting = message

    def join(self, following: "Run") -> None:
        """Adds all records of the run that follows."""
        if following.started is not None:
            self._pause_until(following.started)
        for name, count in following.counts.items():
            self.counts[name] = self.counts.get(name, 0) + count
        for message, more in following.retries.items():
            retry = self.retries.setdefault(message, Retry(0, 0, more.first_line, 0))
            retry.count += more.count
            retry.paused += more.paused
            retry.last_line = more.last_line
        begun = self.on_last_line if following.last_line == self.last_line else 0
        self.on_last_line = begun + following.on_last_line
        self.last_line, self.last_text, self.waiting = following.last_line, following.last_text, following.waiting
        self.ended = self.ended if following.ended is None else following.ended
        self.moved = self.moved if following.moved is None else following.moved

    def _pause_until(self, time: float) -> None:
        """Adds the time since the last record to the error -37 that the run ends with, if any."""
        if self.waiting is not None and self.ended is not None:
            self.retries[self.waiting].paused += max(round((time - self.ended) * MICROSECONDS), 0)

    def ends_before(self, name: str, time: float | None, message: str) -> bool:
        """Whether a session may begin with this record: the clock fell back, or it is error -37 of a handshake."""
        if time is not None and self.ended is not None and time < self.ended - RESTART:
            return True
        return name == FAILURE and message not in self.retries and HANDSHAKE.search(message) is not None

    def continues_in(self, following: "Run") -> bool:
        """Whether one reader of both parts would have put the run that follows into this one."""
        name = next(iter(following.counts))
        message = next(iter(following.retries)) if name == FAILURE else ""
        return not self.ends_before(name, following.started, message)
