"""The page about a pasted text: whose number it is, what it means, what to do, and what would decide."""

from collections.abc import Iterator
from typing import NamedTuple

from msgspec import UNSET

from tracelens.libssh2 import messages
from tracelens.reports.explain import errors, tables
from tracelens.reports.explain.page import Explanation, Named, Section
from tracelens.reports.explain.paste import Number, Paste
from tracelens.reports.explain.tables import Advice
from tracelens.ssh import codes
from tracelens.ssh.codes import Code

_OWNED = {
    "curl": "curl's exit code",
    "git": "libgit2's code",
    "gitclass": "libgit2's class",
    "knownhost": "the result of a check of known_hosts",
    "errno": "the system's error",
    "libssh": "libssh's code",
    "other": "the program's own number",
    "sftp": "SFTP status",
    "libssh2": "libssh2 error",
}
_KINDS = {
    "curl": "curl-exit-code",
    "git": "libgit2-code",
    "knownhost": "known-hosts-check",
    "errno": "system-error",
}


class _Subject(NamedTuple):
    """What the page is about."""

    kind: str
    title: str
    code: int | None = None  # libssh2's number
    words: str = ""  # libssh2's text
    whose: str = ""  # whose the number is, where it is not libssh2's
    value: int = 0
    notes: tuple[str, ...] = ()


def page(paste: Paste) -> Explanation | None:
    """The page of what was found, None where nothing in the text is known."""
    subject = _subject(paste)
    if subject is None:
        return None
    advice = _advice(paste, subject)
    what = [*_whose(paste, subject), *subject.notes, *_numbers(paste, subject)]
    means = [part.means for part in advice if part.means] or _means(subject)
    foreign = paste.program is not None and not paste.program.over_libssh2
    body = (
        Section("What it is", tuple(dict.fromkeys(filter(None, what)))),
        Section("What it means", tuple(means)),
        *_to_do(paste, subject, advice),
        Section("What decides", _decides(paste, advice)),
        Section("What to paste instead", _instead() if foreign else ()),
    )
    readings = messages.readings(subject.code, subject.words) if subject.code is not None or subject.words else []
    see = [name for part in advice for name in part.see] + [name for known in readings for name in known.see]
    return Explanation(
        subject.title,
        subject.kind,
        tuple(part for part in body if part.lines),
        tuple(dict.fromkeys(see))[:6],
        paste.program.name if paste.program else UNSET,
        tuple(Named(n.value, n.whose, _name(n), n.written) for n in paste.numbers) or UNSET,
    )


def _subject(paste: Paste) -> _Subject | None:
    """Decide what counts in the text."""
    program = paste.program
    if program and not program.over_libssh2:
        own = "" if program.uses.startswith("no ") else ", not libssh2"
        title = program.name if "libssh2" in program.name else f"{program.name}{own}"
        if by_name := next((n for n in paste.numbers if n.whose == "libssh" and not n.written.lstrip("-").isdigit()), None):
            title = f"{by_name.written} ({by_name.value}): {title}"
        return _Subject("other-program", title)
    if differing := _differing(paste):
        return differing
    code, words = paste.error, paste.words
    if code is not None or words:
        return _of_libssh2(paste, code, words)
    for whose in ("knownhost", "sftp", "curl", "git", "errno", "other"):
        if values := paste.values(whose):
            return _of_other(whose, values[0])
    nothing = _Subject("program-line", "")
    if program is None or not program.about:
        return None
    advice = _advice(paste, nothing)
    if advice and advice[0].title:
        return nothing._replace(title=advice[0].title)
    hidden = _likely(paste, nothing)
    known = [code.name for number in hidden if (code := codes.libssh2_error(number))]
    notes = tuple(f"{name} ({number})" for name, number in zip(known, hidden, strict=True))
    if not notes:
        return _Subject("program-line", f"{program.short}: a line without a number or text of libssh2")
    told = "The line prints neither number nor text of libssh2; behind it is most likely " + " or ".join(notes) + "."
    return _Subject("program-line", f"{program.short}: most likely {' or '.join(notes)}", notes=(told,))


def _differing(paste: Paste) -> _Subject | None:
    """A name and a number that stand together and do not belong together."""
    named = {number.value: number.written for number in paste.named()}
    bare = {number.value for number in paste.numbers if number.whose == "libssh2"} - set(named)
    if len(named) != 1 or len(bare) != 1:
        return None
    (value, name), (number,) = named.popitem(), bare
    other = codes.LIBSSH2_ERRORS.get(number)
    if any(n.whose == "libssh2" and n.value == value and n.written != name for n in paste.numbers):
        return None
    spoken = f"{other.name}" if other else "no error of libssh2"
    notes = [f"{name} is {value}, but {number} is {spoken}: the program pairs them wrongly, by a table of its own."]
    notes += [f"{code.name} ({code.number}): {code.meaning}" for n in (value, number) if (code := codes.libssh2_error(n))]
    notes.append("Most often the number is what libssh2 returned and the name is the program's mistake.")
    title = f"{name} is {value}, and {number} is {spoken}: name and number differ"
    return _Subject("name-and-number-differ", title, number, paste.words, notes=tuple(notes))


def _of_libssh2(paste: Paste, code: int | None, words: str) -> _Subject:
    possible = messages.codes_for(words) if words and not _waited(words) else ()
    notes = []
    if code is not None and words and possible and None not in possible and code not in possible:
        spoken = " or ".join(str(number) for number in possible)
        notes.append(
            f"Number and text are of different errors: libssh2 has this text with {spoken}. "
            "The text stays until the next error sets another one, so the number counts."
        )
        words = words if code == -37 else ""
    if code is None and len(possible) == 1 and possible[0] is not None:
        code = possible[0]
        notes.append(f"The line does not print libssh2's number; libssh2 has this text with {code} alone.")
    if not words and code is not None and paste.stage:
        words = paste.stage.texts.get(code, "")
        if words:
            notes.append(f'The line speaks of {paste.stage.said}; libssh2\'s text for {code} is there "{words}".')
    known = codes.libssh2_error(code) if code is not None else None
    named = f"{known.name} ({code})" if known else f"libssh2 error {code}" if code is not None else ""
    if code == -31 and (status := _status(paste)):
        notes.append(f"{status.name} (SFTP status {status.number}): {status.meaning}")
        named = f"{named}, SFTP status {status.number} ({status.name})"
    title = ": ".join(filter(None, (named, words)))
    kind = "libssh2-error" if code is not None and not paste.words else "error-text"
    subject = _Subject(kind, title, code, words, notes=tuple(notes))
    if code in (None, -37) and _waited(words):
        title += " (a leftover of an earlier call, not the cause)"
    elif code is None and len(likely := _likely(paste, subject)) == 1:
        title += f" (most likely {likely[0]}, {codes.LIBSSH2_ERRORS[likely[0]].name})"
    return subject._replace(title=title)


def _of_other(whose: str, value: int) -> _Subject:
    if whose == "sftp":
        status = codes.sftp_status(value)
        name = status.name if status else "a status of the server's own"
        return _Subject("sftp-status", f"SFTP status {value}: {name}", whose=whose, value=value)
    code = tables.numbers(whose).get(value)
    title = f"{_OWNED[whose]} {value}" + (f": {code.name}" if code else "")
    if whose == "knownhost" and code:
        title = f"{code.name} ({value}), {_OWNED[whose]}: no error number"
    return _Subject(_KINDS.get(whose, "other-number"), title, whose=whose, value=value)


def _whose(paste: Paste, subject: _Subject) -> Iterator[str]:
    """Say whose line and whose numbers these are."""
    program = paste.program
    if program and program.about:
        yield f"A line of {program.short}. {program.about}" if program.over_libssh2 else program.about
    if subject.kind == "other-program" and program:
        yield f"It uses {program.uses}." if not program.uses.startswith("no ") else ""
    if subject.code is not None and subject.kind != "name-and-number-differ":
        known = codes.libssh2_error(subject.code)
        yield f"{known.name} ({subject.code}): {known.meaning}" if known else f"No libssh2 release has an error {subject.code}."
    elif subject.words and not _waited(subject.words) and subject.code is None:
        numbers = " or ".join(str(number) for number in _likely(paste, subject))
        yield "The text is libssh2's, its number is not printed" + (f": it may be {numbers}." if numbers else ".")
    if paste.leftover:
        yield f'"{paste.leftover}" is a leftover of an earlier call that had to wait (-37): not the cause.'


def _numbers(paste: Paste, subject: _Subject) -> Iterator[str]:
    """Say what the other numbers are, and how a number was read."""
    for number in paste.numbers:
        if number.whose == "libssh2":
            yield _read_as(number)
            if number.value == subject.code or subject.kind == "name-and-number-differ":
                continue
        if number.whose == "sftp" and subject.code == -31:
            continue
        code = _code(number)
        if number.whose == "other" and paste.program and paste.program.name == "pgBackRest":
            code = tables.numbers("pgbackrest").get(number.value)
        spoken = f": {code.name}. {code.meaning}" if code else "."
        yield f"{number.value} is {_OWNED[number.whose]}{spoken}"


def _read_as(number: Number) -> str:
    written = number.written
    if written.lstrip("-").isdigit() and len(written) > 4:
        bits = next(bits for bits in (16, 32, 64) if int(written) < 1 << bits)
        return f"{written} is {number.value}, printed as an unsigned number of {bits} bits."
    if written.lower().startswith("0x"):
        return f"{written} is {number.value}, printed as an unsigned number in hexadecimal."
    if written.isdigit() and number.value:
        return f"libssh2's errors are negative: {written} was read as {number.value}, its sign lost on the way."
    if not written.startswith(("LIBSSH2_", "-")):
        return f"{written} stands for libssh2's {number.value}."
    return ""


def _means(subject: _Subject) -> list[str]:
    """What the readings of number and text say; of a text whose number is unknown, at most three."""
    if subject.code is None and not subject.words:
        return []
    found = messages.readings(subject.code, subject.words)
    lines = errors.lines(subject.code, ((reading.codes, [" ".join(reading.means)]) for reading in found))
    return lines if subject.code is not None else lines[:3]


def _to_do(paste: Paste, subject: _Subject, advice: list[Advice]) -> Iterator[Section]:
    program = paste.program
    own = [line for part in advice for line in part.do]
    named = program is not None and bool(program.about)
    if program is None or not named:
        readings = messages.readings(subject.code, subject.words)
        own = own or errors.lines(subject.code, ((reading.codes, reading.c) for reading in readings))
    if named and program and not program.name.startswith("InterSystems"):
        yield Section(f"What to do with {program.short}", tuple(dict.fromkeys(own)))
    else:
        yield Section("What to do", tuple(dict.fromkeys(own)))


def _decides(paste: Paste, advice: list[Advice]) -> tuple[str, ...]:
    lines = [line for part in advice for line in part.decides]
    if paste.program:
        lines += paste.program.decides
    return tuple(dict.fromkeys(lines))[:4]


def _instead() -> tuple[str, ...]:
    return (
        "If another program fails with libssh2 at the same time, paste its line with the number (-5, -18, ...), or give "
        "its trace to `tracelens analyze`.",
    )


def _advice(paste: Paste, subject: _Subject) -> list[Advice]:
    """The first advice for the program and the first for all."""
    values = {owner: set(paste.values(owner)) for owner in tables.OWNERS}
    values["libssh2"] = {subject.code} if subject.code is not None else set()
    name = paste.program.name if paste.program else ""
    found: dict[bool, Advice] = {}
    for part in tables.advice():
        wanted = bool(part.program)
        if wanted in found or (wanted and not name.startswith(part.program)):
            continue
        if not wanted and paste.program and not paste.program.over_libssh2:
            continue
        if _fits(part, paste, subject, values):
            found[wanted] = part
            if part.alone:
                return [part]
    return [found[key] for key in (True, False) if key in found]


def _fits(part: Advice, paste: Paste, subject: _Subject, values: dict[str, set[int]]) -> bool:
    return (
        (part.line is None or part.line.search(paste.text) is not None)
        and (part.text is None or (bool(subject.words) and part.text.fullmatch(subject.words) is not None))
        and (not part.stage or (paste.stage is not None and paste.stage.name == part.stage))
        and all(values[owner].intersection(numbers) for owner, numbers in part.numbers.items())
    )


def _likely(paste: Paste, subject: _Subject) -> list[int]:
    """The numbers of libssh2 that the line most likely hides."""
    listed = next((part.likely for part in _advice(paste, subject) if part.likely), ())
    return list(listed) or [number for number in messages.codes_for(subject.words) if number is not None]


def _waited(words: str) -> bool:
    return words.casefold().startswith(("would block", "operation would block"))


def _status(paste: Paste) -> Code | None:
    values = paste.values("sftp")
    return codes.sftp_status(values[0]) if values else None


def _code(number: Number) -> Code | None:
    if number.whose == "libssh2":
        return codes.libssh2_error(number.value)
    if number.whose == "sftp":
        return codes.sftp_status(number.value)
    return tables.numbers(number.whose).get(number.value)


def _name(number: Number) -> str:
    code = _code(number)
    return code.name if code else ""
