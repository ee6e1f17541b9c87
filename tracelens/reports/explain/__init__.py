"""What an id, a number, a name, a status or a pasted text means, and what to do about it; offline.

`explain` takes what a user has at hand: a finding id, a libssh2 error by number or name, an InterSystems
status in any of its spellings, a line of a trace, an error text, a code of SSH or SFTP, or lines that a program
printed (`paste`, `answer`). `tables` are the programs it knows.
"""

import difflib
import re
from functools import cache

import msgspec

from tracelens import rules
from tracelens.inputs import sniff
from tracelens.libssh2 import defects, messages, trace_mask
from tracelens.reports.explain import answer, errors, families, known, paste
from tracelens.reports.explain.page import Explanation, Named, Section
from tracelens.secrets import without_credentials
from tracelens.ssh import codes

__all__ = ["Explanation", "Named", "Section", "explain", "suggest", "unknown"]

STATUS_BASE = 0x80101000
"""An InterSystems status for SSH is this number plus libssh2's error number without its sign."""

_LONGEST = 20_000

_HEX = re.compile(r"(?<![0-9A-Za-z])(?:0x)?(?:F{8})?(80101[0-9A-F]{3})(?![0-9A-Za-z])", re.IGNORECASE)
_DECIMAL = re.compile(r"(?<![0-9.])(-?[0-9]{10,20})(?![0-9])")
_STATUS_TEXT = re.compile(r"\[[0-9A-F]{8,16}\]:\s*(.+?)\s*\[[0-9A-F]{8,16}\]", re.IGNORECASE)
_PLACE = re.compile(r"Session\.cpp:[0-9]+")
_PAIR = re.compile(r"(?:Failure Event:\s*|^\s*)(-?[0-9]{1,3}) - (.+?)\s*(?:\[libssh2\]|=> |$)", re.MULTILINE)
_LINE = re.compile(r"\b(" + "|".join(bit.context for bit in trace_mask.BITS) + r"): (.+)")
_NUMBER = re.compile(
    r"(?:libssh2)?[\s_]*(?:error|err|errno|rc|code)?[\s:=#(\[]*(-?)\s?([0-9]{1,2})[\s)\].,;:]*", re.IGNORECASE
)
_RELEASE = re.compile(r"(?i)(?:SSH-2\.0-)?libssh2[-/_ ](?:version |v)?[0-9.]{3,9}(?:_DEV)?")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]+")


def explain(query: str) -> Explanation | None:
    """What `query` means.

    Returns:
        The page, None where nothing is known about it (`suggest` then has the nearest things that are).
    """
    query = without_credentials(query[:_LONGEST]).strip().strip("`'\"").strip()
    if not query:
        return None
    return next((page for reader in _READERS if (page := reader(query)) is not None), None)


def suggest(query: str) -> list[str]:
    """What may have been meant: up to five things that `explain` knows, the nearest first."""
    query = query.strip().casefold()[:200]
    words = [word for word in re.split(r"[^a-z0-9]+", query) if len(word) > 2]
    found = [rule.id for rule in rules.load() if words and all(word in rule.id for word in words)]
    known = {name.casefold(): name for name in _suggestions()}
    found += [known[near] for near in difflib.get_close_matches(query, known, n=5, cutoff=0.6)]
    return list(dict.fromkeys(found))[:5]


def unknown(query: str) -> str:
    """What to say of a query that has no page: what it looks like, what may have been meant, what to paste instead."""
    text = without_credentials(query.strip()[:_LONGEST])
    if not text:
        return "nothing to explain: the text is empty"
    lines = text.splitlines()
    shown = lines[0][:100] + ("..." if len(lines) > 1 or len(lines[0]) > 100 else "")
    said = f"nothing is known about {shown!r}"
    if near := suggest(query):
        return f"{said}; perhaps: {', '.join(near)}"
    look = sniff.describe(text.encode("utf-8", "replace"))
    if look.startswith("looks like") and "no log that is known" not in look and len(text) > 20:
        return f"{said}: it {look}"
    if not re.search(r"\s", text):
        return f"{said}; try `tracelens rules` for the ids"
    return (
        f'{said}; paste the line with libssh2\'s number or text in it (-5, error code -18, "Failed getting banner"), '
        "with the program's name in front, or try `tracelens rules` for the ids"
    )


@cache
def _suggestions() -> tuple[str, ...]:
    tables = [codes.LIBSSH2_ERRORS, *(family.table for family in families.FAMILIES)]
    names = [code.name for table in tables for code in table.values()]
    short = [name.removeprefix("LIBSSH2_ERROR_") for name in names]
    ids = [rule.id for rule in rules.load()]
    return (*ids, *names, *short, *(row.text for row in messages.rows() if row.kind == "error"))


# One reader for each way to ask, from the most specific to the least.


def _read_finding(query: str) -> Explanation | None:
    rule = rules.rule(query) or rules.rule(query.casefold().replace("_", "-"))
    if rule is None:
        return None
    of_phase = f"{rule.kind} in phase {rule.phase}" if rule.phase else rule.kind
    what = "rule of a plugin" if ":" in rule.id else of_phase
    return Explanation(f"{rule.id} ({what})", "finding", _sections_of(rule.page))


def _read_reason(query: str) -> Explanation | None:
    from tracelens.logs.reasons import pages

    page = pages().get(query.casefold().replace("_", "-"))
    if page is None:
        return None
    return Explanation(f"{page.id} (reason in a server's log)", "finding", _sections_of(page.text), page.explains)


def _read_status(query: str) -> Explanation | None:
    numbers = [int(found[1], 16) for found in _HEX.finditer(query)]
    numbers += [int(found[1]) & 0xFFFFFFFF for found in _DECIMAL.finditer(query)]
    status = next((number for number in numbers if 0 <= number - STATUS_BASE <= 0xFFF), None)
    if status is None:
        return None
    code = STATUS_BASE - status
    inside = _STATUS_TEXT.search(query)
    text = inside[1] if inside else messages.error_text_in(query) or ""
    lead = [
        f"InterSystems status {status:08X} = {STATUS_BASE:08X} + {-code}: libssh2 error {code}. It is also "
        f"printed as {status - (1 << 32)} and as FFFFFFFF{status:08X}; all of them are the same number."
    ]
    if place := _PLACE.search(query):
        lead.append(f"{place[0]} is a place in InterSystems' own source, not in your code.")
    return errors.page("intersystems-status", code, text, lead)


def _read_pair(query: str) -> Explanation | None:
    """The page of a Failure Event; of several, the last one that is not -37 counts."""
    found = [(int(pair[1]), pair[2]) for pair in _PAIR.finditer(query) if int(pair[1]) <= 0]
    if not found:
        return None
    number, text = next((pair for pair in reversed(found) if pair[0] != -37), found[-1])
    page = errors.page("trace-line", number, text, ())
    if len(found) == 1:
        return page
    whole = Section("What decides", ("These are lines of a trace: `tracelens analyze FILE` reads all of it.",))
    return msgspec.structs.replace(page, body=(*page.body, whole))


def _read_family(query: str) -> Explanation | None:
    for family in families.FAMILIES:
        found = family.query.search(query)
        if found and int(found[1]) in family.table:
            return families.page(family, int(found[1]))
    return None


def _read_number(query: str) -> Explanation | None:
    found = _NUMBER.fullmatch(query)
    if found is None or -int(found[2]) not in codes.LIBSSH2_ERRORS:
        return None
    number = int(found[2])
    page = errors.page("libssh2-error", -number, "", ())
    if found[1] or not number:
        return page
    others = [(family, family.table[number]) for family in families.FAMILIES if number in family.table]
    lines = [f"{family.spoken} {number}: {code.name}. {code.meaning}" for family, code in others]
    lines.insert(0, f"libssh2's errors are negative: {number} was read as -{number}.")
    see = (f"{family.spoken} {number}" for family, _ in others)
    body = (*page.body, Section("If another number was meant", tuple(lines)))
    return Explanation(page.title, page.kind, body, (*page.see_also, *see))


def _read_whole_name(query: str) -> Explanation | None:
    return _read_name(query) if _NAME.fullmatch(query.rstrip(". ")) else None


def _read_name(query: str) -> Explanation | None:
    words = [query.rstrip(". ")] if _NAME.fullmatch(query.rstrip(". ")) else []
    words += [word for word in _NAME.findall(query) if "_" in word and word.isupper()]
    pages = (_page_of_name(word.upper(), begins=query.endswith("..")) for word in words)
    return next((page for page in pages if page), None)


def _read_text(query: str) -> Explanation | None:
    if not messages.error_texts(query):
        return None
    text = messages.error_texts(query)[0].text
    possible = messages.codes_for(text)
    return errors.page("error-text", possible[0] if len(possible) == 1 else None, text, ())


def _read_paste(query: str) -> Explanation | None:
    return answer.page(paste.read(query))


def _read_trace(query: str) -> Explanation | None:
    """A line of a trace, or an SSH or SFTP code, that no program has put its own words around."""
    if _lines_of_programs(query):
        return None
    return _read_pair(query) or _read_family(query)


def _lines_of_programs(query: str) -> bool:
    return any(program.about for program in paste.read(query).programs)


def _read_line(query: str) -> Explanation | None:
    found = _LINE.search(query)
    span = messages.versions(found[1], found[2]) if found else None
    if found is None or span is None:
        return None
    bit = next(bit for bit in trace_mask.BITS if bit.context == found[1])
    lines = (
        f"A line of the subsystem {bit.context} (mask bit {bit.value}, {bit.c_name}): {bit.collects}.",
        f"libssh2 prints this text {messages.years(*span)}.",
    )
    return Explanation(f"{bit.context}: {found[2].strip()}", "trace-line", (Section("What it is", lines),))


def _read_release(query: str) -> Explanation | None:
    release = defects.release_in(query) if _RELEASE.fullmatch(query) else None
    return known.page(release) if release else None


_READERS = (
    _read_finding, _read_reason, _read_status, _read_number, _read_text, _read_trace, _read_whole_name, _read_paste,
    _read_name, _read_line, _read_release,
)  # fmt: skip


def _sections_of(page: str) -> tuple[Section, ...]:
    found: list[tuple[str, list[str]]] = [("", [])]
    fenced = False
    for line in page.strip().splitlines():
        fenced ^= line.lstrip().startswith("```")
        if line.startswith("## ") and not fenced:
            found.append((line.removeprefix("## ").strip(), []))
        else:
            found[-1][1].append(line.rstrip())
    parts = [(heading, "\n".join(lines).strip("\n").split("\n")) for heading, lines in found]
    return tuple(Section(heading, tuple(lines)) for heading, lines in parts if heading or any(lines))


def _page_of_name(name: str, begins: bool) -> Explanation | None:
    """The page of a code by its name, with or without its prefix, or by the beginning that only one has."""
    known = _names()
    full = [prefix + name.replace("LIBSSH2_FX_", "SSH_FX_") for prefix in _PREFIXES]
    found = [known[candidate] for candidate in full if candidate in known]
    if begins and not found:
        starting = {known[other] for other in known for candidate in full if other.startswith(candidate)}
        found = list(starting) if len(starting) == 1 else []
    if not found:
        return None
    kind, number = found[0]
    family = next((family for family in families.FAMILIES if family.kind == kind), None)
    return families.page(family, number) if family else errors.page(kind, number, "", ())


_PREFIXES = ("", "LIBSSH2_ERROR_", "LIBSSH2_", "SSH_DISCONNECT_", "SSH_FX_", "SSH_OPEN_", "SSH_")


@cache
def _names() -> dict[str, tuple[str, int]]:
    """Each name of a code, older names that libssh2 gave to a number too: kind of page and number."""
    found = {code.name: ("libssh2-error", number) for number, code in codes.LIBSSH2_ERRORS.items()}
    for row in messages.rows():
        if row.kind == "error" and row.code is not None:
            found.setdefault(row.context, ("libssh2-error", row.code))
    for family in families.FAMILIES:
        found |= {code.name: (family.kind, number) for number, code in family.table.items()}
    return found
