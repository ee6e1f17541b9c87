"""The page of an error of libssh2: its number, its text, or both."""

from collections.abc import Iterable, Iterator, Sequence

from tracelens.libssh2 import messages, trace_mask
from tracelens.reports.explain import known as known_defects
from tracelens.reports.explain.page import Explanation, Section
from tracelens.ssh import codes
from tracelens.ssh.codes import Code

_TRACE_IT = trace_mask.objectscript(511)


def page(kind: str, code: int | None, text: str, lead: Iterable[str]) -> Explanation:
    """Make the page of a number, a text, or both, after lines that say where they come from."""
    known = codes.libssh2_error(code) if code is not None else None
    named = f"{known.name} ({code})" if known else f"libssh2 error {code}" if code is not None else ""
    readings = messages.readings(code, text)
    means = lines(code, ((reading.codes, [" ".join(reading.means)]) for reading in readings))
    if text and code is None and None in messages.codes_for(text):
        means.append("With -37: nothing at all; it was tried again, and is never the final cause.")
    iris = lines(code, ((reading.codes, reading.iris) for reading in readings))
    c = lines(code, ((reading.codes, reading.c) for reading in readings))
    trace_c = f"{trace_mask.c_call(511)} collects the lines before it; libssh2_session_last_error() has the text."
    body = (
        Section("What it is", (*lead, *_of_number(code, text, known))),
        Section("What it means", tuple(means)),
        _to_do("InterSystems IRIS and Caché", iris, f"{_TRACE_IT} before Connect collects what led to it."),
        _to_do("other programs (libssh2's C names)", c, trace_c),
        *([known_defects.section(code, text)] if kind != "intersystems-status" else []),
        Section("Where libssh2 prints it", tuple(messages.printed(code, text))),
    )
    title = ": ".join(filter(None, (named, text)))
    see = dict.fromkeys(finding for reading in readings for finding in reading.see)
    return Explanation(title, kind, tuple(part for part in body if part.lines), tuple(see))


def _of_number(code: int | None, text: str, known: Code | None) -> Iterator[str]:
    if known:
        yield f"{known.name} ({code}): {known.meaning}"
    elif code is not None:
        yield f"No libssh2 release has an error {code}."
    if code is not None and not text and code != -37:
        yield "The number alone does not name the cause: its text and the errors before it do."


def _to_do(where: str, advice: list[str], otherwise: str) -> Section:
    return Section(f"What to do in {where}", tuple(dict.fromkeys(advice)) or (otherwise,))


def lines(code: int | None, advice: Iterable[tuple[tuple[int, ...], Sequence[str]]]) -> list[str]:
    """All lines of advice; where the code is not known, with the codes that each is about."""
    about = (
        ("" if code is not None or not of else f"With {' or '.join(map(str, of))}: ", lines) for of, lines in advice
    )
    return [lead + line for lead, lines in about for line in lines]
