"""An analysis as text for a terminal: verdict and cause first, then the proof, then who must do what.

Made for 80 columns, and to be read without colour. Whatever the trace says is shown escaped, so that it cannot
steer the terminal.
"""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from textwrap import wrap
from typing import Any

from tracelens.libssh2 import trace_mask
from tracelens.reports.labels import outcome
from tracelens.reports.similar_sessions import groups

WIDTH = 80
_LABEL = 13
_QUOTE_LENGTH = 400
_PHASES = {
    "banner": "before the SSH greeting", "kex": "in key exchange", "auth": "in authentication",
    "channel": "on a channel", "sftp": "in SFTP", "scp": "in SCP", "done": "at its end",
}  # fmt: skip
_WHO = {"client": "you", "server": "server", "network": "network", "vendor": "vendor"}
_NOISE = {
    "noise-retried": "error -37, retried: never a cause",
    "noise-partial-auth": "login error on the way to a further method or to success",
    "noise-auth-probe": "question for the login methods, refused as it should be",
    "noise-sftp-end": "SFTP status 1: end of file or folder",
    "noise-recovered": "error that the session got over",
}

_BASES = {
    "packet": "packets, as the dumps show them",
    "text": "libssh2's texts and error numbers",
    "silence": "order and silence: what did not come, or came too late",
}
_NEWLINES = {
    "normal": "",
    "doubled": "; a blank line after each line: the trace handler adds newlines of its own",
    "none": "; no newline between records: the trace handler must add one",
}
_ANY_UNDECIDED = "the program may have gone on, and well"
_UNDECIDED = {
    "auth": "a second method may have followed and gone well",
    "sftp": "a program that only asks whether something is there gets this for a no, and goes on",
}

# More sessions than this that went alike are told as one, and named by so many ranges of numbers.
_ALIKE, _RANGES = 3, 8
# More comparisons than this are not shown; the JSON has them.
_COMPARED = 5
# A list of names, long enough to need more than a line: it may be wrapped after its commas.
_LIST = re.compile(r"\S{40,}")

Paint = Callable[[str, str], str]


def plain(text: str, role: str) -> str:
    """Paints nothing."""
    return text


def render(document: dict[str, Any], verbosity: int = 0, paint: Paint = plain) -> str:
    """One analysis as lines of text.

    Args:
        document: one entry of the JSON document's `analyses`.
        verbosity: 0; 1 adds all evidence and what was agreed on; 2 adds every noise event and the rivals.
        paint: gives a piece of text its colour, by role ("bad", "good", "dim", "strong").
    """
    lines = list(_head(document, paint))
    told, alike = _stories(document["sessions"]) if verbosity == 0 else (document["sessions"], {})
    for session in told:
        lines.append("")
        lines += _session(session, verbosity, paint)
        lines += _others(alike.get(session["number"], []))
    told_once = [{first, *others} for first, others in alike.items()]
    compared = [c for c in document["comparisons"] if not any(group.issuperset(c["sessions"]) for group in told_once)]
    for number, comparison in enumerate(compared[:_COMPARED]):
        lines += [""] if number == 0 else []
        lines += _field("Compared" if number == 0 else "", comparison["summary"])
        if verbosity:
            for difference in comparison["differs"]:
                lines += _field("", f"{difference['what']}: {' / '.join(difference['values'])}")
    notices = [n for n in document["notices"] if n["id"] != "trace-secrets"]
    if notices:
        lines.append("")
    for number, found in enumerate(notices):
        lines += _field("Notice" if number == 0 else "", found["summary"])
        lines += _advice("", found["advice"]) if verbosity or found["id"] == "trace-mask-incomplete" else []
        if verbosity:
            lines += _quotes("", found["evidence"][:3])
    lines += ["", *_trace(document, verbosity)]
    return "\n".join(lines) + "\n"


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


def _head(document: dict[str, Any], paint: Paint) -> Iterable[str]:
    for found in document["notices"]:
        if found["id"] == "trace-secrets":
            said = escaped(found["summary"]).removeprefix("The trace ")
            yield from _wrapped(f"{escaped(document['source']['name'])}: {said}", WIDTH)
            yield ""
    sessions = document["sessions"]
    count = f"{len(sessions)} session{'' if len(sessions) == 1 else 's'}"
    verdicts = [s["verdict"] for s in sessions]
    words = []
    for verdict, word in (
        ("cause", "failed"),
        ("unexplained", "failed, unexplained"),
        ("insufficient", "not enough to tell"),
        ("healthy", "healthy"),
    ):
        number = verdicts.count(verdict)
        if number:
            words.append(word if len(verdicts) == 1 else f"{number} {word}")
    yield f"{paint(escaped(document['source']['name']), 'strong')}: {count}" + (
        f", {', '.join(words)}" if words else ""
    )
    damage = document["source"].get("damage")
    if damage:
        yield from _wrapped(f"The input is damaged, only its readable part was analyzed: {escaped(damage)}", WIDTH)


def _stories(sessions: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], dict[int, list[int]]]:
    """The sessions that are told one by one, and by the number of some of them the numbers of those that went alike."""
    many = [
        members for members in groups(sessions) if len(members) > _ALIKE and not any(m.get("secrets") for m in members)
    ]
    alike = {members[0]["number"]: [m["number"] for m in members[1:]] for members in many}
    left_out = {number for numbers in alike.values() for number in numbers}
    return [s for s in sessions if s["number"] not in left_out], alike


def _others(numbers: list[int]) -> Iterable[str]:
    if not numbers:
        return
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    said = [f"{first} to {last}" if last > first else str(first) for first, last in ranges[:_RANGES]]
    more = ", ..." if len(ranges) > _RANGES else ""
    yield from _field(
        "As well", f"{len(numbers)} more sessions went the same way ({', '.join(said)}{more}): -v tells each"
    )


def _session(session: dict[str, Any], verbosity: int, paint: Paint) -> Iterable[str]:
    verdict = session["verdict"]
    where = _PHASES.get(session["phase"], session["phase"])
    lasted = ""
    if session["started"] is not None and session["ended"] is not None:
        lasted = f"{session['ended'] - session['started']:.2f} s"
    title = f"Session {session['number']}"
    if verdict == "cause":
        yield f"{title}   {paint('FAILED', 'bad')} {where}{', after ' + lasted if lasted else ''}"
    elif verdict == "unexplained":
        yield f"{title}   {paint('FAILED', 'bad')} {where}{', after ' + lasted if lasted else ''}; no rule knows why"
    elif verdict == "insufficient":
        yield f"{title}   {paint('NOT ENOUGH TO TELL', 'dim')}: the trace stops {where}"
    else:
        yield f"{title}   {paint('HEALTHY', 'good')}: what was begun was finished{', in ' + lasted if lasted else ''}"
    yield from _who(session)
    findings = session["findings"]
    root = findings[0] if findings and findings[0]["kind"] == "cause" else None
    if root is not None:
        yield from _field("Cause", root["id"], paint, "strong")
        yield from _field("", root["summary"])
        yield from _quotes("Proof", root["evidence"] if verbosity else root["evidence"][:4])
        yield from _field("Rests on", _BASES[root["basis"]])
        yield from _advice("Do", root["advice"])
        if verbosity > 1 or any("would decide" in r["because"] for r in root["rivals"]):
            shown = root["rivals"] if verbosity > 1 else [r for r in root["rivals"] if "would decide" in r["because"]]
            alike: dict[str, list[str]] = {}
            for rival in shown:
                alike.setdefault(rival["because"], []).append(rival["id"])
            for number, (because, ids) in enumerate(alike.items()):
                yield from _field("Or else" if number == 0 else "", f"{', '.join(ids)}: {because}")
    elif session["unexplained"]:
        yield from _quotes("1st error", [session["unexplained"]])
    if session["ask"] is not None:
        yield from _ask(session["ask"], verbosity)
    undecided = [e for e in session["errors"] if e["fate"] == "undecided"]
    if undecided:
        yield from _quotes("Undecided", undecided[:2])
        yield from _field("", f"{_UNDECIDED.get(session['phase'], _ANY_UNDECIDED)}: this trace would not show it")
    for number, found in enumerate(f for f in findings if f["kind"] == "notice"):
        yield from _field("Notice" if number == 0 else "", f"{found['summary']} ({found['id']})")
        if verbosity:
            yield from _advice("", found["advice"])
    yield from _noise(session, verbosity)
    for number, held in enumerate(session.get("secrets", ())):
        yield from _field("Secrets" if number == 0 else "", f"line {held['line']}: {held['kind']} {held['value']}")
    if verbosity:
        yield from _facts(session)


def _ask(ask: dict[str, Any], verbosity: int) -> Iterable[str]:
    """What to ask the server's admin for: the first line of its log, all of it where more is wanted."""
    started, ended = ask["window"]["started"], ask["window"]["ended"]
    for number, entry in enumerate(ask["log"] if verbosity else ask["log"][:1]):
        yield from _field("Server log" if number == 0 else "", f"{entry['look_for']}: {entry['why']}")
    if not verbosity:
        return
    if started is not None and ended is not None:
        yield from _field(
            "",
            f"between {started:.3f} and {ended:.3f} s on the trace's clock; up to libssh2 1.11.1 the digits after the "
            "point are those of the wall clock, the seconds count from the first line",
        )
    for command in ask["reproduce"]:
        yield f"  Try        {escaped(command)}"  # in one piece, to be copied


def _who(session: dict[str, Any]) -> Iterable[str]:
    ends = [session["client_banner"] or "client unknown", session["server_banner"] or "server not shown"]
    user = f", user {session['user']}" if session["user"] else ""
    yield from _field("Between", f"{ends[0]} and {ends[1]}{user}")


def _noise(session: dict[str, Any], verbosity: int) -> Iterable[str]:
    for number, found in enumerate(session["noise_findings"]):
        count = session["noise"][found["id"]]
        said = _NOISE.get(found["id"], found["summary"])
        extra = ""
        if found["id"] == "noise-retried":
            extra = f" ({found['summary'].partition(': ')[2]})"
        yield from _field("Noise" if number == 0 else "", f"{count} x {said}{extra}")
        if verbosity > 1:
            yield from _quotes("", found["evidence"])


_FATES = {
    "partial-auth": "on the way to a further method or to success",
    "cleanup": "while tidying up",
    "recovered": "got over",
    "final": "what the session failed by",
    "consequence": "followed from it",
    "undecided": "the end, or got over: this trace does not show which",
}


def _facts(session: dict[str, Any]) -> Iterable[str]:
    for number, error in enumerate(session["errors"][:20]):
        fate = _FATES.get(error["fate"], error["fate"])
        yield from _field("Errors" if number == 0 else "", f"line {error['line']}: {error['text']} ({fate})")
    agreed = session["algorithms"]
    if any(agreed.values()):
        yield from _field("Agreed", ", ".join(f"{name} {value}" for name, value in agreed.items() if value))
    for number, attempt in enumerate(session["auth"]):
        remaining = f"; methods that can continue: {','.join(attempt['remaining'])}" if attempt["remaining"] else ""
        yield from _field(
            "Logins" if number == 0 else "",
            f"line {attempt['line']}: {attempt['method']} {outcome(attempt, session)}{remaining}",
        )
    for number, operation in enumerate(session["operations"][:10]):
        status = f" (status {operation['status']})" if operation["status"] else ""
        yield from _field(
            "Operations" if number == 0 else "",
            f"line {operation['line']}: {operation['verb']} {operation['path']} {operation['outcome']}{status}",
        )
    for number, phase in enumerate(session["phases"]):
        if phase["started"] is not None and phase["ended"] is not None:
            took = phase["ended"] - phase["started"]
            yield from _field(
                "Time" if number == 0 else "",
                f"{phase['name']} {took:.3f} s, {phase['waited']:.3f} s of it waiting "
                f"(lines {phase['first_line']}-{phase['last_line']})",
            )


def _trace(document: dict[str, Any], verbosity: int) -> Iterable[str]:
    trace = document["trace"]
    seen = [f"{context} ({bit})" for context, bit in _bits() if context in trace["contexts"]]
    unseen = [f"{context} ({bit})" for context, bit in _bits() if context not in trace["contexts"]]
    dumps = "" if trace["dumps"] else "; no dumps"
    yield from _field("Traced", f"{', '.join(seen) or 'no text'}{dumps}")
    if unseen:
        yield from _field("Not seen", f"{', '.join(unseen)}: not traced, or nothing happened there")
    if verbosity:
        first, last = trace["libssh2"]["first"], trace["libssh2"]["last"]
        span = first if first == last else f"{first} to {last}"
        wording = f"wording of libssh2 {span}" if first else "wording of no single libssh2 release"
        count = f"{trace['records']} records, {trace['dumps']} dumps, {trace['foreign_lines']} foreign lines"
        yield from _field("Trace", f"{count}; {wording}{_NEWLINES[trace['newlines']]}")
    if trace["clock_restarts"]:
        times = "once" if trace["clock_restarts"] == 1 else f"{trace['clock_restarts']} times"
        yield from _field("", f"The clock began anew {times}: several processes wrote to it, or files were joined.")


def _bits() -> Iterable[tuple[str, int]]:
    return ((bit.context, bit.value) for bit in trace_mask.BITS)


def _field(label: str, text: str, paint: Paint = plain, role: str = "") -> list[str]:
    """A label and its text, wrapped under itself; escaped first, painted last."""
    lines = _wrapped(escaped(text), WIDTH - _LABEL)
    shown = [paint(line, role) if role else line for line in lines]
    first = f"  {label:<{_LABEL - 2}}{shown[0]}"
    return [first.rstrip(), *(" " * _LABEL + line for line in shown[1:])]


def _quotes(label: str, evidence: list[dict[str, Any]]) -> Iterable[str]:
    for number, quote in enumerate(evidence):
        text = _LIST.sub(lambda found: found[0].replace(",", ", "), escaped(quote["text"]))
        if len(text) > _QUOTE_LENGTH:
            text = text[:_QUOTE_LENGTH] + " ..."
        place = f"line {quote['line']}"
        lines = _wrapped(text, WIDTH - _LABEL - len(place) - 2)
        yield f"  {label if number == 0 else '':<{_LABEL - 2}}{place}  {lines[0]}"
        for line in lines[1:]:
            yield " " * (_LABEL + len(place) + 2) + line


def _advice(label: str, advice: list[dict[str, Any]]) -> Iterable[str]:
    for number, entry in enumerate(advice):
        who = _WHO.get(entry["who"], entry["who"])
        lines = _wrapped(escaped(entry["action"]), WIDTH - _LABEL - 9)
        yield f"  {label if number == 0 else '':<{_LABEL - 2}}{who:<9}{lines[0]}"
        for line in lines[1:]:
            yield " " * (_LABEL + 9) + line
