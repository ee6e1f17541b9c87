"""The page about a pasted text: whose number it is, what it means, what to do, and what would decide."""

from collections.abc import Iterator

from msgspec import UNSET

from tracelens.libssh2 import defects, messages
from tracelens.reports.explain import errors, known, subject, tables
from tracelens.reports.explain.numbers import Number
from tracelens.reports.explain.page import Explanation, Named, Section
from tracelens.reports.explain.paste import Paste, waited
from tracelens.reports.explain.subject import Subject
from tracelens.reports.explain.tables import Advice
from tracelens.ssh import codes

_INSTEAD = (
    "If another program fails with libssh2 at the same time, paste its line with the number (-5, -18, ...), or give "
    "its trace to `tracelens analyze`."
)


def page(paste: Paste) -> Explanation | None:
    """Make the page of what was found; None where nothing in the text is known."""
    about = subject.find(paste)
    if about is None:
        return None
    advice = subject.advice(paste, about.code, about.words)
    body = (
        Section("What it is", tuple(dict.fromkeys(filter(None, _what(paste, about))))),
        Section("What it means", tuple([part.means for part in advice if part.means] or _means(about))),
        _to_do(paste, about, advice),
        known.section(about.code, about.words, defects.release_in(paste.text)),
        Section("What decides", _decides(paste, advice)),
        Section("What to paste instead", (_INSTEAD,) if about.kind == "other-program" else ()),
    )
    return Explanation(
        about.title,
        about.kind,
        tuple(part for part in body if part.lines),
        _see(about, advice),
        paste.program.name if paste.program else UNSET,
        tuple(Named(one.value, one.whose, _name(one), one.written) for one in paste.numbers) or UNSET,
    )


def _what(paste: Paste, about: Subject) -> Iterator[str]:
    """Say whose line it is, and what its numbers and words are."""
    program = paste.program
    if program and program.about:
        yield f"A line of {program.short}. {program.about}" if program.over_libssh2 else program.about
    if about.kind != "name-and-number-differ":
        yield from _of_libssh2(paste, about)
    if paste.leftover:
        yield f'"{paste.leftover}" is a leftover of an earlier call that had to wait (-37): not the cause.'
    yield from about.notes
    for number in paste.numbers:
        if number.whose == "libssh2":
            yield _read_as(number)
            if number.value != about.code and about.kind != "name-and-number-differ":
                yield f"{number.value} is libssh2's too: {_name(number)}."
    yield from subject.listed(paste)


def _of_libssh2(paste: Paste, about: Subject) -> Iterator[str]:
    if about.code is not None:
        code = codes.libssh2_error(about.code)
        yield f"{code.name} ({about.code}): {code.meaning}" if code else f"libssh2 has no error {about.code}."
    elif about.words and not waited(about.words):
        numbers = " or ".join(str(number) for number in subject.likely(paste, about.words))
        yield "The text is libssh2's, its number is not printed" + (f": it may be {numbers}." if numbers else ".")


def _read_as(number: Number) -> str:
    """Say how a number was read that does not stand there with its sign."""
    written = number.written
    if written.isdigit() and len(written) > 4:
        bits = next(bits for bits in (16, 32, 64) if int(written) < 1 << bits)
        return f"{written} is {number.value}, printed as an unsigned number of {bits} bits."
    if written.lower().startswith("0x"):
        return f"{written} is {number.value}, printed as an unsigned number in hexadecimal."
    if written.isdigit() and number.value:
        return f"libssh2's errors are negative: {written} was read as {number.value}, its sign lost on the way."
    if not written.startswith(("LIBSSH2_", "-")):
        return f"{written} stands for libssh2's {number.value}."
    return ""


def _means(about: Subject) -> list[str]:
    """What the readings of number and text say; of a text whose number is unknown, at most three."""
    if about.code is None and not about.words:
        return []
    found = messages.readings(about.code, about.words)
    lines = errors.lines(about.code, ((reading.codes, [" ".join(reading.means)]) for reading in found))
    return lines if about.code is not None else lines[:3]


def _to_do(paste: Paste, about: Subject, advice: list[Advice]) -> Section:
    program = paste.program
    lines = [line for part in advice for line in part.do]
    if program is None or not program.about:
        readings = messages.readings(about.code, about.words)
        lines = lines or errors.lines(about.code, ((reading.codes, reading.c) for reading in readings))
        return Section("What to do", tuple(dict.fromkeys(lines)))
    return Section(f"What to do with {program.short}", tuple(dict.fromkeys(lines)))


def _decides(paste: Paste, advice: list[Advice]) -> tuple[str, ...]:
    lines = [line for part in advice for line in part.decides]
    lines += paste.program.decides if paste.program else ()
    return tuple(dict.fromkeys(lines))[:4]


def _see(about: Subject, advice: list[Advice]) -> tuple[str, ...]:
    readings = messages.readings(about.code, about.words) if about.code is not None or about.words else []
    names = [name for part in advice for name in part.see] + [name for reading in readings for name in reading.see]
    return tuple(dict.fromkeys(names))[:6]


def _name(number: Number) -> str:
    own = {"libssh2": codes.LIBSSH2_ERRORS, "sftp": codes.SFTP_STATUSES}
    code = own.get(number.whose, tables.numbers(number.whose)).get(number.value)
    return code.name if code else ""
