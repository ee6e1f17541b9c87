"""Records that come by the hundred thousand and tell nothing one by one, folded into runs: counted, not stored."""

import re

from msgspec import Struct, field

# Events that a transfer prints all the time. A received SFTP packet is one of them only as DATA (type 103), a
# Failure Event only as error -37.
FOLDED = frozenset(
    {
        "conn.channel_read_wanted", "conn.channel_read_got", "conn.channel_read_filled", "conn.data_received",
        "conn.read_avail_increased", "conn.window_adjusted", "conn.window_adjusting", "conn.window_adjustment_queued",
        "conn.window_shrunk", "conn.data_writing", "conn.data_sending", "conn.write_split_by_packet",
        "conn.write_split_by_window", "conn.write_blocked", "sftp.read_sent", "sftp.packet_awaited", "sftp.data_begun",
        "sftp.packet_type_received", "sftp.packet_id_received", "sftp.partial_read", "sftp.partial_read_received",
        "sftp.request_abandoned", "sftp.request_forgotten",
    }
)  # fmt: skip
POLLS = frozenset({"conn.channel_read_wanted", "sftp.packet_awaited", "failure_event.failure"})
# A clock that falls back by more than this (seconds) has started anew; threads of one process overtake each other by
# less.
RESTART = 0.1
# Texts of error -37 that come at a session's begin: another session may begin with them.
HANDSHAKE = re.compile(rb"getting banner|exchange encryption keys|ssh-userauth request")
FAILURE = "failure_event.failure"
EAGAIN = -37
MICROSECONDS = 1_000_000
TYPED = "sftp.packet_type_received"
DATA = re.compile(rb"packet(?: type)? 103\b")


class Retry(Struct):
    """Error -37 with one text, within one `Run`: how often, and how long the pauses after it were (microseconds)."""

    count: int
    paused: int  # whole numbers add up to the same in any order
    first_line: int
    last_line: int

    @property
    def waited(self) -> float:
        """The pauses in seconds."""
        return self.paused / MICROSECONDS


class Run(Struct):
    """Folded records next to each other: counted by event name.

    `anew` says that it comes right after another run, and apart from it because a session may begin there. `retries`
    has the texts of error -37. `waiting` is the text of the -37 that the run ends on, None if it ends on
    something else: the pause until the next record belongs to it. `last_text` is the last record's text. Times are
    in seconds on the trace's own clock.
    """

    first_line: int
    started: float | None
    last_line: int = 0
    ended: float | None = None
    counts: dict[str, int] = field(default_factory=dict)
    retries: dict[str, Retry] = field(default_factory=dict)
    waiting: str | None = None
    last_text: str = ""
    moved: float | None = None  # when something last happened that is not polling
    anew: bool = False

    def pause(self, time: float) -> None:
        """Books the time until `time` on the -37 that the run ends on."""
        if self.waiting is not None and self.ended is not None:
            self.retries[self.waiting].paused += max(round((time - self.ended) * MICROSECONDS), 0)

    def retried(self, message: str, line: int) -> None:
        """Takes an error -37."""
        retry = self.retries.get(message)
        if retry is None:
            self.retries[message] = Retry(1, 0, line, line)
        else:
            retry.count += 1
            retry.last_line = line
        self.waiting = message

    def begins_anew(self, kind: str, time: float | None, message: str) -> bool:
        """Whether a session may begin with a record: the clock fell back, or it is error -37 of a handshake."""
        if time is not None and self.ended is not None and time < self.ended - RESTART:
            return True
        return kind == FAILURE and message not in self.retries and HANDSHAKE.search(message.encode()) is not None

    def goes_on_in(self, following: "Run") -> bool:
        """Whether the run that follows is the same one, had both been read at once."""
        kind = next(iter(following.counts))
        message = next(iter(following.retries)) if kind == FAILURE else ""
        return not self.begins_anew(kind, following.started, message)

    def join(self, following: "Run") -> None:
        """Takes the run that follows as if its records had come one by one."""
        if following.started is not None:
            self.pause(following.started)
        for kind, count in following.counts.items():
            self.counts[kind] = self.counts.get(kind, 0) + count
        for message, more in following.retries.items():
            retry = self.retries.setdefault(message, Retry(0, 0, more.first_line, 0))
            retry.count += more.count
            retry.paused += more.paused
            retry.last_line = more.last_line
        self.last_line, self.last_text, self.waiting = following.last_line, following.last_text, following.waiting
        self.ended = self.ended if following.ended is None else following.ended
        self.moved = self.moved if following.moved is None else following.moved
