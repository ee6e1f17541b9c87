"""What the program itself printed between the records of a trace: shown beside each session, and decisive where the
trace is not.

A trace with a poor mask may not show a failure at all that the program reports in libssh2's own sentence.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import islice

from tracelens.analysis.document import LogQuote
from tracelens.libssh2.errors import bare_error, classify
from tracelens.libssh2.repeats import EAGAIN
from tracelens.logs import programs
from tracelens.logs.client_lines import lines
from tracelens.logs.model import Event
from tracelens.rules.base import Rule
from tracelens.rules.engine import Diagnosis, diagnose
from tracelens.sessions import Attempt, Failure, Session

_KEPT = 200
# The words of programs that stand for a sentence of libssh2.
_SENTENCES = {
    "php_password_refused": (-18, "Authentication failed (username/password)"),
    "pgbackrest_key_refused": (-18, "Username/PublicKey combination invalid"),
    "pgbackrest_handshake": (None, "Unable to exchange encryption keys"),
    "libgit2_host_key": (-46, "invalid or unknown remote ssh hostkey"),
    "host_key_refused": (-46, "Denied establishing ssh session"),
}
# What names methods, files or the way the program ended, and no error of libssh2.
_NO_ERROR = ("methods_offered", "ended", "denied", "php_not_connected", "timed_out")


def of(said: Sequence[tuple[int, str]], sessions: Sequence[Session]) -> dict[int, list[Event]]:
    """What programs say, by the number of the session that it is about: the last one that began before it.

    Args:
        said: lines that are no part of the trace, with their numbers.
        sessions: in the order of their first records.
    """
    words: dict[int, list[Event]] = {}
    for line, text in said:
        begun = [session.number for session in sessions if session.first_line <= line]
        number = begun[-1] if begun else sessions[0].number if sessions else 0
        if number and (events := programs.read(line, text)):
            words.setdefault(number, []).extend(events)
    return words


def words_of(blocks: Iterable[bytes], name: str, hide: Callable[[str], str]) -> tuple[LogQuote, ...]:
    """The lines of another file in which a program reports an error of SSH; the first of many.

    Args:
        blocks: text in an encoding that contains ASCII.
        name: of the file.
        hide: masks the secrets in a text.
    """
    said = ((line, text) for line, text in lines(blocks) if programs.read(line, text))
    return tuple(LogQuote(name, line, None, hide(text.strip())) for line, text in islice(said, _KEPT))


def decide(session: Session, diagnosis: Diagnosis, words: Sequence[Event], rules: tuple[Rule, ...]) -> Diagnosis:
    """The diagnosis with what the program says, where the trace alone shows too little."""
    errors = [error for event in words if (error := _error(event)) is not None]
    if diagnosis.verdict != "insufficient" or not errors or session.ending.failed is not None:
        return diagnosis
    event, code, message = errors[0]
    known = classify(message)
    failure = Failure(event.line, session.ended, code, message, known.phase or session.ending.reached, fate="final")
    if known.method is not None:
        failure.attempt = _attempt(session, known.method, event)
    session.failures.append(failure)
    session.ending.failed, session.ending.left, session.ending.reached = failure, "", failure.phase
    session.login.user = session.login.user or str(event.fields.get("user", "")) or None
    session.traced.add("Failure Event")
    (decided,) = diagnose([session], rules)
    return decided


def _error(event: Event) -> tuple[Event, int | None, str] | None:
    """libssh2's error in a program's words: number and sentence; none for -37, which says that it tries again."""
    if event.name in _NO_ERROR:
        return None
    code, message = event.fields.get("code"), str(event.fields.get("message", ""))
    usual = _SENTENCES.get(event.name)
    found = bare_error(message) if message else None
    if usual is not None and found is None:
        found = usual
    if found is None:
        return None
    number = code if isinstance(code, int) else found[0]
    return None if number == EAGAIN else (event, number, found[1])


def _attempt(session: Session, method: str, event: Event) -> Attempt:
    """The login that a program's words are about; a new one where the trace does not show it."""
    last = session.login.last_attempt
    if last is None or last.method != method:
        last = Attempt(method, event.line, None, session.login.user)
        session.login.attempts.append(last)
    if last.pending:
        last.outcome, last.end_line = "refused", event.line
    return last
