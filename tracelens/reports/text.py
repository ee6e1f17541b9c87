"""An analysis as text for a terminal: verdict and cause first, then the proof, then who must do what.

Made for 80 columns, and to be read without colour. Whatever the trace says is shown escaped, so that it cannot
steer the terminal.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from textwrap import wrap
from typing import TypeVar

from tracelens.analysis import Advice, Analysis, Ask, Error, Finding, Quote, Session
from tracelens.analysis.places import at
from tracelens.libssh2 import trace_mask
from tracelens.reports import remote_commands, server_config, server_side
from tracelens.reports.labels import (
    BASES_IN_TEXT,
    FATES_IN_TEXT,
    LEFT_ADVICE,
    NOISE,
    SIDES_IN_TEXT,
    VERDICTS,
    cut,
    outcome,
    reached,
    unfinished,
)
from tracelens.reports.similar_sessions import groups

WIDTH = 80
_LABEL = 13
_NEWLINES = {
    "normal": "",
    "doubled": "; a blank line after each line: the trace handler adds newlines, or what copied the trace",
    "none": "; no newline between records: the trace handler must add one",
}
_CLOCK = (
    "up to libssh2 1.11.1 the digits after the point are those of the wall clock, the seconds count from the first line"
)
_ANY_UNDECIDED = "the program may have gone on, and well"
_UNDECIDED = {
    "auth": "a second method may have followed and gone well",
    "sftp": "a program that only asks whether something is there gets this for a no, and goes on",
}

# Notices whose advice is always shown: how to trace better.
_ADVISED = ("trace-mask-incomplete", "trace-no-newlines")
# More sessions than this that went alike are shown as one, and named by so many ranges of numbers.
_ALIKE, _RANGES = 3, 8
# A shorter session (seconds) would be printed as 0.00 s.
_SHORTEST = 0.005
# So would the time of a phase as 0.000 s.
_LEAST = 0.001
# More comparisons than this are not shown; the JSON has them.
_COMPARED = 5
# More of a program's own words than this are not shown without -v.
_WORDS = 3
# More commands than this are counted, and of a longer one the beginning is shown; the JSON has them.
_COMMANDS, _COMMAND_LENGTH = 50, 160
# A list of names, long enough to need more than a line: it may be wrapped after its commas.
_LIST = re.compile(r"\S{40,}")

T = TypeVar("T")
Paint = Callable[[str, str], str]


def plain(text: str, role: str) -> str:
    """Paints nothing."""
    return text


def render(analysis: Analysis, verbosity: int = 0, paint: Paint = plain) -> str:
    """One analysis as lines of text.

    Args:
        analysis: what to show.
        verbosity: 0; 1 adds all evidence and what was agreed on; 2 adds every noise event and the rivals.
        paint: gives a piece of text its colour, by role ("bad", "good", "dim", "strong").
    """
    lines = list(_head(analysis, paint))
    shown, alike = _chosen(analysis.sessions) if verbosity == 0 else (analysis.sessions, {})
    for session in shown:
        lines += ["", *_session(session, verbosity, paint), *_others(alike.get(session.number, []))]
    lines += _comparisons(analysis, alike, verbosity)
    if analysis.clients:
        lines.append("")
    for label, run in _labelled("Beside it", analysis.clients):
        lines += _field(label, run.summary)
    notices = [n for n in analysis.notices if n.id != "trace-secrets"]
    if notices:
        lines.append("")
    for label, found in _labelled("Notice", notices):
        lines += _field(label, found.summary)
        lines += _advice("", found.advice) if verbosity or found.id in _ADVISED else []
        lines += _quotes("", found.evidence[:3]) if verbosity else []
    lines += ["", *_trace(analysis, verbosity)]
    return "\n".join(lines) + "\n"


def _labelled(label: str, entries: Iterable[T]) -> Iterator[tuple[str, T]]:
    """The entries, the first of them with the label."""
    for entry in entries:
        yield label, entry
        label = ""


def _comparisons(analysis: Analysis, alike: dict[int, list[int]], verbosity: int) -> Iterator[str]:
    """The comparisons, without those of sessions that are shown as one."""
    shown_as_one = [{first, *others} for first, others in alike.items()]
    compared = [c for c in analysis.comparisons if not any(group.issuperset(c.sessions) for group in shown_as_one)]
    if compared:
        yield ""
    for label, comparison in _labelled("Compared", compared[:_COMPARED]):
        yield from _field(label, comparison.summary)
        for difference in comparison.differs if verbosity else ():
            yield from _field("", f"{difference.what}: {' / '.join(difference.values)}")


def escaped(text: str) -> str:
    """The text with all that is not printable shown as an escape, so that a banner can't steer a terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text)


def _wrapped(text: str, width: int) -> tuple[str, ...]:
    """The lines, at least one, of a text that is escaped; `textwrap` is slow, and most texts need it not, or again."""
    return (text.rstrip(" "),) if len(text) <= width else _wrapped_long(text, width)


@lru_cache(1024)
def _wrapped_long(text: str, width: int) -> tuple[str, ...]:
    return tuple(wrap(text, width, break_on_hyphens=False)) or ("",)


def _head(analysis: Analysis, paint: Paint) -> Iterator[str]:
    name = escaped(analysis.name)
    for found in analysis.notices:
        if found.id == "trace-secrets":
            yield from _wrapped(f"{name}: {escaped(found.summary).removeprefix('The trace ')}", WIDTH)
            yield ""
    verdicts: list[str] = [session.verdict for session in analysis.sessions]
    parts = [f"{len(verdicts)} session{'' if len(verdicts) == 1 else 's'}"]
    for verdict, word in VERDICTS.items():
        if number := verdicts.count(verdict):
            parts.append(word if len(verdicts) == 1 else f"{number} {word}")
    yield f"{paint(name, 'strong')}: {', '.join(parts)}"
    if analysis.source.unwrapped:
        undone = ", then ".join(analysis.source.unwrapped)
        yield from _wrapped(f"Undone before reading: {undone}. Line numbers count what is left.", WIDTH)
    if analysis.source.damage:
        damage = escaped(analysis.source.damage)
        yield from _wrapped(f"The input is damaged, only its readable part was analyzed: {damage}", WIDTH)


def _chosen(sessions: Sequence[Session]) -> tuple[list[Session], dict[int, list[int]]]:
    """The sessions that are shown one by one; the number of some of them -> the numbers of those that went alike."""
    many = [group for group in groups(sessions) if len(group) > _ALIKE and not any(s.secrets for s in group)]
    alike = {group[0].number: [s.number for s in group[1:]] for group in many}
    left_out = {number for numbers in alike.values() for number in numbers}
    return [s for s in sessions if s.number not in left_out], alike


def _others(numbers: list[int]) -> Iterable[str]:
    if not numbers:
        return ()
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    names = [f"{first} to {last}" if last > first else str(first) for first, last in ranges[:_RANGES]]
    more = ", ..." if len(ranges) > _RANGES else ""
    text = f"{len(numbers)} more sessions went the same way ({', '.join(names)}{more}): -v tells each"
    return _field("As well", text)


def _session(session: Session, verbosity: int, paint: Paint) -> Iterator[str]:
    yield from _heading(session, paint)
    ends = f"{session.client_banner or 'client unknown'} and {session.server_banner or 'server not shown'}"
    yield from _field("Between", f"{ends}, user {session.user}" if session.user else ends)
    if left := unfinished(session):
        yield from _field("Means", left[1])
        if session.left in LEFT_ADVICE:
            yield from _advice("Do", [Advice("client", LEFT_ADVICE[session.left])])
    if session.root is not None:
        yield from _cause(session, session.root, verbosity, paint)
    else:
        yield from _without_cause(session, verbosity)
    yield from _config(session)
    for label, said in _labelled("Program", session.words[: None if verbosity else _WORDS]):
        yield from _field(label, f"line {said.line}  {said.text}")
    if session.ask is not None:
        yield from _ask(session, session.ask, verbosity)
    yield from _undecided(session)
    yield from _commands(session, verbosity)
    for label, found in _labelled("Notice", session.notices):
        yield from _field(label, f"{found.summary} ({found.id})")
        if verbosity:
            yield from _advice("", found.advice)
    yield from _noise(session, verbosity)
    for label, secret in _labelled("Secrets", session.secrets or ()):
        yield from _field(label, f"line {secret.line}: {secret.kind} {secret.value}")
    if verbosity:
        yield from _rows(server_side.all_lines(session))
        yield from _facts(session)


def _heading(session: Session, paint: Paint) -> Iterator[str]:
    head = f"Session {session.number}   "
    verdict = _verdict(session, plain)
    is_long = len(head) + len(verdict) > WIDTH
    first, *others = _wrapped(verdict, WIDTH - _LABEL) if is_long else (_verdict(session, paint),)
    yield f"{head}{first}"
    yield from (f"{'':<{_LABEL}}{line}" for line in others)


def _without_cause(session: Session, verbosity: int) -> Iterator[str]:
    if session.unexplained is not None:
        yield from _quotes("1st error", [session.unexplained])
    yield from _rows(server_side.rows(session, verbosity))
    yield from _advice("Do", server_side.advice(session))


def _config(session: Session) -> Iterator[str]:
    """The options of the server's configuration that explain the outcome."""
    for label, option in _labelled("Config", session.server_config):
        what = f"{server_config.sure(option)}{option.sentence}"
        yield from _field(label, f"{server_config.place(option)}: `{server_config.setting(option)}`: {what}")
        yield from _field("", f"To change it: {option.advice}")


def _undecided(session: Session) -> Iterator[str]:
    if session.undecided:
        yield from _quotes("Undecided", session.undecided[:2])
        yield from _field("", f"{_UNDECIDED.get(session.phase, _ANY_UNDECIDED)}: this trace would not show it")


def _commands(session: Session, verbosity: int) -> Iterator[str]:
    """The programs that ran on the server: a few, or those that failed; of more only their number."""
    listed, others = remote_commands.chosen(session)
    if verbosity:
        listed, others = list(session.commands[:_COMMANDS]), ""
        left_out = len(session.commands) - len(listed)
        others = f"{left_out} more commands: -f json has them" if left_out else ""
    hint = "" if session.secrets is not None else " (--show-secrets shows it)"
    for label, command in _labelled("Command", listed):
        name = remote_commands.name(command, _COMMAND_LENGTH)
        text = f"{remote_commands.ending(command)}: {f'`{name}`' if command.request == 'exec' else name}"
        if stderr := remote_commands.stderr(command):
            text += f"; stderr, {stderr}"
            if command.stderr is not None:
                text, hint = text + hint, ""
        lead = f"line {command.line}  "
        yield from _indented(label, lead, _wrapped(escaped(text), WIDTH - _LABEL - len(lead)))
    if others:
        yield from _field("" if listed else "Command", others)


def _verdict(session: Session, paint: Paint) -> str:
    where = reached(session)
    if session.verdict == "insufficient" and not session.phases:
        return f"{paint('NOT ENOUGH TO TELL', 'dim')}: the trace does not show how far the session came"
    lasted = "" if session.lasted is None or session.lasted < _SHORTEST else f"{session.lasted:.2f} s"
    if left := unfinished(session):
        head, colon, rest = left[0].partition(":")
        return f"{paint(head.upper(), 'dim')}{colon}{rest}"
    if session.verdict == "insufficient":
        return f"{paint('NOT ENOUGH TO TELL', 'dim')}: the trace stops {where}"
    if note := remote_commands.verdict_note(session):
        return f"{paint('HEALTHY', 'good')}{' in ' + lasted if lasted else ''}, but {escaped(note)}"
    if session.verdict == "healthy":
        return f"{paint('HEALTHY', 'good')}: what was begun was finished{', in ' + lasted if lasted else ''}"
    unknown = "; no rule knows why" if session.verdict == "unexplained" else ""
    return f"{paint('FAILED', 'bad')} {where}{', after ' + lasted if lasted else ''}{unknown}"


def _cause(session: Session, root: Finding, verbosity: int, paint: Paint) -> Iterator[str]:
    """The root cause; of its rivals those that another trace would decide, or all of them."""
    yield from _field("Cause", root.id, paint, "strong")
    yield from _field("", root.summary)
    yield from _quotes("Proof", root.evidence if verbosity else root.evidence[:4])
    yield from _field("Rests on", BASES_IN_TEXT[root.basis])
    yield from _rows(server_side.rows(session, verbosity))
    yield from _advice("Do", server_side.advice(session, all=verbosity > 0))
    alike: dict[str, list[str]] = {}
    for rival in root.rivals:
        if verbosity > 1 or "would decide" in rival.because:
            alike.setdefault(rival.because, []).append(rival.id)
    for label, (because, ids) in _labelled("Or else", alike.items()):
        yield from _field(label, f"{', '.join(ids)}: {because}")


def _ask(session: Session, ask: Ask, verbosity: int) -> Iterator[str]:
    """What to ask the server's admin for: the first line of its log, or all of them."""
    lines = ask.log if server_side.is_asked(session) else ()
    for label, entry in _labelled("Look for" if session.server else "Server log", lines if verbosity else lines[:1]):
        yield from _field(label, f"{entry.look_for}: {entry.why}")
    if not verbosity:
        return
    started, ended = ask.window.started, ask.window.ended
    if started is not None and ended is not None:
        yield from _field("", f"between {started:.3f} and {ended:.3f} s on the trace's clock; {_CLOCK}")
    for command in ask.reproduce:
        yield f"  Try        {escaped(command)}"  # in one piece, to be copied


def _noise(session: Session, verbosity: int) -> Iterator[str]:
    for label, found in _labelled("Noise", session.noise_findings):
        timed = found.summary.partition(": ")[2] if found.id == "noise-retried" else ""
        extra = f" ({timed})" if timed else ""
        yield from _field(label, f"{session.noise[found.id]} x {NOISE.get(found.id, found.summary)}{extra}")
        if verbosity > 1:
            yield from _quotes("", found.evidence)


def _facts(session: Session) -> Iterator[str]:
    for label, error in _labelled("Errors", session.errors[:20]):
        yield from _field(label, f"line {at(error)}: {error.text} ({FATES_IN_TEXT.get(error.fate, error.fate)})")
    agreed = [f"{name} {value}" for name, value in session.algorithms.items() if value]
    if agreed:
        yield from _field("Agreed", ", ".join(agreed))
    for label, attempt in _labelled("Logins", session.auth):
        remaining = f"; methods that can continue: {','.join(attempt.remaining)}" if attempt.remaining else ""
        yield from _field(label, f"line {at(attempt)}: {attempt.method} {outcome(attempt, session)}{remaining}")
    for label, operation in _labelled("Operations", session.operations[:10]):
        status = f" (status {operation.status})" if operation.status else ""
        what = f"{operation.verb} {operation.path} {operation.outcome}{status}"
        yield from _field(label, f"line {at(operation)}: {what}")
    for number, phase in enumerate(session.phases):
        if phase.lasted is not None:
            waiting = f", {phase.waited:.3f} s of it waiting" if phase.waited >= _LEAST else ""
            times = f"{phase.lasted:.3f} s{waiting}" if phase.lasted >= _LEAST else "under 1 ms"
            lines = f"(lines {phase.first_line}-{phase.last_line})"
            yield from _field("Time" if number == 0 else "", f"{phase.name} {times} {lines}")


def _trace(analysis: Analysis, verbosity: int) -> Iterator[str]:
    trace = analysis.trace
    if analysis.source.kind:
        yield from _field("Read", f"the output of `{analysis.source.kind}`, no libssh2 trace")
        return
    names = {bit.context: f"{bit.context} ({bit.value})" for bit in trace_mask.BITS}
    seen = [name for context, name in names.items() if context in trace.contexts]
    unseen = [name for context, name in names.items() if context not in trace.contexts]
    yield from _field("Traced", f"{', '.join(seen) or 'no text'}{'' if trace.dumps else '; no dumps'}")
    if unseen:
        yield from _field("Not seen", f"{', '.join(unseen)}: not traced, or nothing happened there")
    if verbosity:
        span = trace.libssh2.span
        wording = f"wording of libssh2 {span}" if span else "wording of no single libssh2 release"
        count = f"{trace.records} records, {trace.dumps} dumps, {trace.foreign_lines} foreign lines"
        yield from _field("Trace", f"{count}; {wording}{_NEWLINES[trace.newlines]}")
    yield from _rows(server_side.log_files(analysis))
    if trace.clock_restarts:
        times = "once" if trace.clock_restarts == 1 else f"{trace.clock_restarts} times"
        yield from _field("", f"The clock began anew {times}: several processes wrote to it, or files were joined.")


def _field(label: str, text: str, paint: Paint = plain, role: str = "") -> list[str]:
    """A label and its text, wrapped under itself; escaped first, painted last."""
    lines = _wrapped(escaped(text), WIDTH - _LABEL)
    first, *others = _indented(label, "", [paint(line, role) if role else line for line in lines])
    return [first.rstrip(), *others]


def _quotes(label: str, evidence: Sequence[Quote | Error]) -> Iterator[str]:
    for shown, quote in _labelled(label, evidence):
        text = _LIST.sub(lambda found: found[0].replace(",", ", "), escaped(quote.text))
        lead = f"{escaped(server_side.spot(quote))}  "
        yield from _indented(shown, lead, _wrapped(cut(text), WIDTH - _LABEL - len(lead)))


def _rows(rows: Iterable[server_side.Row]) -> Iterator[str]:
    for row in rows:
        yield from _indented(row.label, row.lead, _wrapped(escaped(row.text), WIDTH - _LABEL - len(row.lead)))


def _advice(label: str, advice: Sequence[Advice]) -> Iterator[str]:
    for shown, entry in _labelled(label, advice):
        lead = f"{SIDES_IN_TEXT[entry.who]:<9}"
        yield from _indented(shown, lead, _wrapped(escaped(entry.action), WIDTH - _LABEL - len(lead)))


def _indented(label: str, lead: str, lines: Sequence[str]) -> Iterator[str]:
    yield f"  {label:<{_LABEL - 2}}{lead}{lines[0]}"
    for line in lines[1:]:
        yield " " * (_LABEL + len(lead)) + line
