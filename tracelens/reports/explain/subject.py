"""What counts in a pasted text, out of all that stands in it: the subject of its page."""

from collections.abc import Iterator
from typing import NamedTuple

from tracelens.libssh2 import messages
from tracelens.reports.explain import tables
from tracelens.reports.explain.paste import Paste, waited
from tracelens.reports.explain.tables import Advice, Program
from tracelens.ssh import codes
from tracelens.ssh.codes import Code

OWNED = {
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
"""What a number of each owner is called."""

_KINDS = {
    "curl": "curl-exit-code",
    "git": "libgit2-code",
    "knownhost": "known-hosts-check",
    "errno": "system-error",
    "sftp": "sftp-status",
}


class Subject(NamedTuple):
    """What the page is about.

    Attributes:
        kind: as `Explanation.kind`.
        title: as `Explanation.title`.
        code: libssh2's number, None where it is unknown or another's number counts.
        words: libssh2's text.
        notes: how it was found.
    """

    kind: str
    title: str
    code: int | None = None
    words: str = ""
    notes: tuple[str, ...] = ()


def find(paste: Paste) -> Subject | None:
    """Decide what counts; None if nothing in the text is known."""
    program = paste.program
    if program and not program.over_libssh2:
        return _of_another_library(paste, program)
    if differing := _differing(paste):
        return differing
    only_waited = paste.error is None and waited(paste.words)
    if (paste.error is not None or paste.words) and not only_waited:
        return _of_libssh2(paste)
    for whose in ("knownhost", "sftp", "curl", "git", "errno", "other"):
        if values := [value for value in paste.values(whose) if value]:
            return _of_other(whose, values[0], paste.words)
    if only_waited:
        return _of_libssh2(paste)
    return _of_program(paste, program) if program and program.about else None


def advice(paste: Paste, code: int | None, words: str) -> list[Advice]:
    """The first advice for the program and the first for all."""
    values = {owner: set(paste.values(owner)) for owner in tables.OWNERS}
    values["libssh2"] = {code} if code is not None else set()
    fitting = [part for part in tables.advice() if _is_for(part, paste) and _fits(part, paste, words, values)]
    own = next((part for part in fitting if part.program), None)
    if own and own.alone:
        return [own]
    return [*filter(None, (own, next((part for part in fitting if not part.program), None)))]


def likely(paste: Paste, words: str) -> list[int]:
    """The numbers of libssh2 that a line without one most likely hides."""
    listed = next((part.likely for part in advice(paste, None, words) if part.likely), ())
    return list(listed) or [number for number in messages.codes_for(words) if number is not None]


def status(paste: Paste) -> Code | None:
    """The SFTP server's status in the text."""
    values = paste.values("sftp")
    return codes.sftp_status(values[0]) if values else None


def _is_for(part: Advice, paste: Paste) -> bool:
    program = paste.program
    if part.program == "another":
        return program is not None and not program.over_libssh2
    if part.program:
        return program is not None and program.name.startswith(part.program)
    return program is None or program.over_libssh2


def _fits(part: Advice, paste: Paste, words: str, values: dict[str, set[int]]) -> bool:
    return (
        (part.line is None or part.line.search(paste.text) is not None)
        and (part.text is None or (bool(words) and part.text.fullmatch(words) is not None))
        and (not part.stage or (paste.stage is not None and paste.stage.name == part.stage))
        and all(values[owner].intersection(numbers) for owner, numbers in part.numbers.items())
    )


def _of_another_library(paste: Paste, program: Program) -> Subject:
    title = program.name
    if "libssh2" not in title and not program.uses.startswith("no "):
        title += ", not libssh2"
    names = (one for one in paste.numbers if one.whose == "libssh" and not one.written.lstrip("-").isdigit())
    if by_name := next(names, None):
        title = f"{by_name.written} ({by_name.value}): {title}"
    return Subject("other-program", title)


def _of_program(paste: Paste, program: Program) -> Subject:
    found = advice(paste, None, "")
    if found and found[0].title:
        return Subject("program-line", found[0].title)
    hidden = [f"{codes.LIBSSH2_ERRORS[number].name} ({number})" for number in likely(paste, "")]
    if not hidden:
        return Subject("program-line", f"{program.short}: a line without a number or text of libssh2")
    told = f"The line prints neither number nor text of libssh2; behind it is most likely {' or '.join(hidden)}."
    return Subject("program-line", f"{program.short}: most likely {' or '.join(hidden)}", notes=(told,))


def _differing(paste: Paste) -> Subject | None:
    """A name and a number that stand together and do not belong together."""
    named = paste.named()
    bare = set(paste.values("libssh2")) - set(named)
    if len(named) != 1 or len(bare) != 1:
        return None
    (value, name), (number,) = next(iter(named.items())), bare
    if any(one.value == value and one.whose == "libssh2" and one.written != name for one in paste.numbers):
        return None  # the name's own number stands there too
    other = codes.LIBSSH2_ERRORS.get(number)
    spoken = other.name if other else "no error of libssh2"
    known = [code for code in (codes.libssh2_error(value), other) if code]
    notes = (
        f"{name} is {value}, but {number} is {spoken}: the program pairs them wrongly, by a table of its own.",
        *(f"{code.name} ({code.number}): {code.meaning}" for code in known),
        "Most often the number is what libssh2 returned, and the name is the program's mistake.",
    )
    title = f"{name} is {value}, and {number} is {spoken}: name and number differ"
    return Subject("name-and-number-differ", title, number, paste.words, notes)


def _of_libssh2(paste: Paste) -> Subject:
    code, words, notes = _number_and_words(paste)
    title = ": ".join(filter(None, (_named(code), words)))
    if code == -31 and (found := status(paste)):
        notes.append(f"{found.name} (SFTP status {found.number}): {found.meaning}")
        title = f"{_named(code)}, SFTP status {found.number} ({found.name})"
    elif code in (None, -37) and waited(words):
        title += " (a leftover of an earlier call, not the cause)"
    elif code is None and len(hidden := likely(paste, words)) == 1:
        title += f" (most likely {hidden[0]}, {codes.LIBSSH2_ERRORS[hidden[0]].name})"
    kind = "libssh2-error" if code is not None and not paste.words else "error-text"
    return Subject(kind, title, code, words, tuple(notes))


def _number_and_words(paste: Paste) -> tuple[int | None, str, list[str]]:
    """Number and text, each of them out of the other or the step where one is missing, and how they were found."""
    code, words = paste.error, paste.words
    possible = messages.codes_for(words) if words and not waited(words) else ()
    if code is None:
        if len(possible) == 1 and possible[0] is not None:
            told = f"The line does not print libssh2's number; libssh2 has this text with {possible[0]} alone."
            return possible[0], words, [told]
        return None, words, []
    if possible and None not in possible and code not in possible:
        spoken = " or ".join(str(number) for number in possible)
        told = (
            f"Number and text are of different errors: libssh2 has this text with {spoken}. The text stays until the "
            "next error sets another one, so the number counts."
        )
        return code, words if code == -37 else "", [told]
    if not words and paste.stage and (usual := paste.stage.texts.get(code, "")):
        return code, usual, [f'The line speaks of {paste.stage.said}; libssh2\'s text for {code} is there "{usual}".']
    return code, words, []


def _named(code: int | None) -> str:
    if code is None:
        return ""
    known = codes.libssh2_error(code)
    return f"{known.name} ({code})" if known else f"libssh2 error {code}"


def _of_other(whose: str, value: int, leftover: str) -> Subject:
    code = codes.sftp_status(value) if whose == "sftp" else tables.numbers(whose).get(value)
    title = f"{OWNED[whose]} {value}" + (f": {code.name}" if code else "")
    if whose == "knownhost" and code:
        title = f"{code.name} ({value}), {OWNED[whose]}: no error number"
    told = f'"{leftover}" is a leftover of an earlier call that had to wait (-37): not the cause.'
    return Subject(_KINDS.get(whose, "other-number"), title, notes=(told,) if leftover else ())


def listed(paste: Paste) -> Iterator[str]:
    """What the numbers in the text are that are not libssh2's."""
    for number in paste.numbers:
        if number.whose == "libssh2" or (number.whose == "sftp" and -31 in paste.values("libssh2")):
            continue
        owner = "pgbackrest" if number.whose == "other" and paste.program and "pgBackRest" in paste.program.name else ""
        code = (
            codes.sftp_status(number.value)
            if number.whose == "sftp"
            else tables.numbers(owner or number.whose).get(number.value)
        )
        written = number.value if number.written.lstrip("-").isdigit() else f'"{number.written}"'
        named = f" {code.name}." if code and code.name != number.written else ""
        yield (
            f"{written} is {OWNED[number.whose]}:{named} {code.meaning}"
            if code
            else f"{written} is {OWNED[number.whose]}."
        )
