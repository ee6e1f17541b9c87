"""Records that come by the hundred thousand and tell nothing one by one, folded into runs: counted, not stored."""

import re
from dataclasses import dataclass, field

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
TYPED = "sftp.packet_type_received"
DATA = re.compile(rb"packet(?: type)? 103\b")


@dataclass(slots=True)
class Retry:
    """Error -37 with one text, within one `Run`: how often, and how long the pauses after it were (seconds)."""

    count: int
    waited: float
    first_line: int
    last_line: int


@dataclass(slots=True)
class Run:
    """Folded records next to each other: counted by event name.

    `retries` has the texts of error -37. `waiting` is the text of the -37 that the run ends on, None if it ends on
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

    def pause(self, time: float) -> None:
        """Books the time until `time` on the -37 that the run ends on."""
        if self.waiting is not None and self.ended is not None:
            self.retries[self.waiting].waited += max(time - self.ended, 0.0)

    def retried(self, message: str, line: int) -> None:
        """Takes an error -37."""
        retry = self.retries.get(message)
        if retry is None:
            self.retries[message] = Retry(1, 0.0, line, line)
        else:
            retry.count += 1
            retry.last_line = line
        self.waiting = message
