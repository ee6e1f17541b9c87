"""What a session still waits for at its end, what it left unfinished, and whether it shows that it went well."""

from collections.abc import Callable

from tracelens.sessions.model import RECENT, Channel, Left
from tracelens.sessions.session import Session

# A client writes once before SFTP's version has come, and again only after it.
ANSWERED = 2

# A pause of at least this many seconds on an unanswered request, at the end of a session, is giving up; after shorter
# ones a program may have stopped for reasons of its own.
GAVE_UP = 0.5

# A request without an answer: its phase, and the line where it was made.
Pending = tuple[str, int]


def pending_request(session: Session) -> Pending | None:
    """The request without an answer in the trace; None if all were answered."""
    reached = session.phases[-1].name if session.phases else "banner"
    if session.blocked_on is not None and not session.ending.by_client and session.traced <= {"Failure Event"}:
        return (reached, session.blocked_on.line)
    if not ((session.banner.server or "").startswith("SSH-") or session.kex.offers or session.kex.done):
        return (reached, session.banner.client_line or session.first_line)
    if not session.kex.done:
        return (
            ("kex", session.kex.offer_lines.get("client", session.first_line))
            if "client" in session.kex.offers
            else None
        )
    return next((request for pending in _PENDING if (request := pending(session)) is not None), None)


def _pending_login(session: Session) -> Pending | None:
    if session.login.authenticated:
        return None
    last = session.login.last_attempt
    if last is not None and last.pending:
        return ("auth", last.line)
    unanswered = not session.login.service_accepted and not session.login.attempts and session.login.offered is None
    return ("auth", session.login.service_line) if session.login.service_line and unanswered else None


def _pending_channel(session: Session) -> Pending | None:
    for channel in session.channels[-RECENT:]:
        if channel.number >= 0 and not channel.opened and not channel.refused_line:
            return ("channel", channel.line)
        request = next((r for r in channel.requests[-RECENT:] if r.granted is None and r.packet), None)
        if request is not None:
            return ("channel", request.line)
    return None


def _pending_sftp(session: Session) -> Pending | None:
    texts = session.uses("Conn") or not session.traced
    visible = session.dumped or (texts and session.data.writes < ANSWERED)
    if _is_scp_open(session):
        return ("scp", session.scp.line)
    if session.sftp.line and session.sftp.version is None and visible:
        return ("channel", session.sftp.line)
    for operation in reversed(session.operations[-RECENT:]):
        if operation.outcome == "pending" and operation.verb not in ("close", "scp"):
            return ("sftp", operation.line)
    return None


def _is_scp_open(session: Session) -> bool:
    """Whether the remote scp was started and never answered, as far as texts or packets would show it."""
    if not session.scp.line or session.scp.answered:
        return False
    started = any(channel.opened and channel.request("exec") is not None for channel in session.channels)
    return started and (session.uses("SCP") or session.dumped)


def broken_copy(session: Session) -> Channel | None:
    """The channel of a remote scp that did not end well, though the client took its end for the end of the copy."""
    never_began = session.saw("scp.receive_started") and not session.saw("scp.file_mode")
    for channel in session.channels:
        is_bad = channel.exit_status != 0 if channel.exit_line else never_began
        if is_bad and channel.sends_file and channel.server_end_line:
            return channel
    return None


def pending_transfer(session: Session) -> Pending | None:
    """The first read or write without an answer, but for those beyond the end of a file."""
    sftp = session.sftp
    if not session.dumped:
        return ("sftp", sftp.text_line) if sftp.texts_unanswered else None
    lines = (r.line for r in sftp.unanswered.values() if r.handle not in sftp.exhausted)
    line = next((line for line in lines if line > session.hidden_answer_line), 0)
    return ("sftp", line) if line else None


_PENDING: tuple[Callable[[Session], Pending | None], ...] = (
    _pending_login,
    _pending_channel,
    _pending_sftp,
    pending_transfer,
)


def shows_outcomes(session: Session) -> bool:
    """Whether a failure would have shown: in packets, among the errors, or by the lack of a text about success.

    A trace without Failure Event may be of a session without any error, or of one whose errors were not traced.
    """
    if session.uses("Failure Event"):
        return True
    transfers_files = bool(session.sftp.line or session.scp.line)
    if session.dumped:
        return session.login.authenticated and bool(session.operations or session.sftp.transfers or not transfers_files)
    if session.operations:
        last = session.operations[-1]
        return last.verb != "open" and session.sftp.confirmed_line > last.line  # reads and writes are no operations
    if transfers_files:
        return False
    if session.channels:
        return all(c.exit_status is not None for c in session.channels)
    return session.uses("Conn") and any(a.outcome == "accepted" for a in session.login.attempts)


def left_unfinished(session: Session) -> Left:
    """What the session left unfinished at its end, where no failure shows; see `Ending`."""
    sftp, is_open = session.sftp, _is_open(session)
    if pending_transfer(session) is not None or (is_open and sftp.open_handles - sftp.exhausted):
        return "open transfer" if is_open else "transfer"
    if pending_request(session) is not None:
        return "request"
    if is_open:
        return "open command" if any(map(_is_running, session.channels[-RECENT:])) else "open session"
    if session.login.authenticated or not session.ending.by_client or not session.kex.done:
        return ""
    if session.login.offered is None and not session.login.attempts:
        return "host key"
    return "login"


def _is_open(session: Session) -> bool:
    """Whether the trace does not show that the client closed what it had opened, though it would."""
    if session.ending.by_client or not (session.uses("Transport") or session.uses("Conn")):
        return False
    closed = [channel.closing_line for channel in session.channels if channel.opened or channel.closing_line]
    return not closed or not all(closed)


def _is_running(channel: Channel) -> bool:
    """Whether a command was started of which the trace does not show the end."""
    return channel.request("exec") is not None and not (channel.exit_line or channel.close_line or channel.eof_line)


def went_well(session: Session) -> bool:
    """Whether a session without a failure shows that it logged in and finished."""
    ending = session.ending
    if not session.login.authenticated or ending.left:
        return False
    if ending.undecided is not None or session.hidden_request_line:
        return False
    if ending.broken and not any(channel.closing_line for channel in session.channels):
        return False
    if session.traced <= {"Failure Event"} and not session.dumped:
        return False
    return shows_outcomes(session) and _shows_login(session) and not _ends_on_long_wait(session)


def _shows_login(session: Session) -> bool:
    """Whether nothing says that every login was refused, whatever the program did then."""
    attempts = [attempt for attempt in session.login.attempts if attempt.method != "none"]
    refused = bool(attempts) and all(attempt.outcome in ("refused", "not-sent") for attempt in attempts)
    return bool(session.login.accepted_line) or not refused


def _ends_on_long_wait(session: Session) -> bool:
    """Whether the last record is of a long wait, and success in what it waited for would leave no record."""
    if session.dumped or session.uses("Conn") or session.uses("SFTP") or session.uses("Transport"):
        return False
    last = max(session.waits.values(), key=lambda wait: wait.last_line, default=None)
    return last is not None and last.last_line == session.last_line and last.seconds >= GAVE_UP
