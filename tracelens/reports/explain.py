"""What an id, a number, a name, a status or a whole error line means, and what to do about it; offline.

`explain` takes what a user has at hand: a finding id, a libssh2 error by number or name, an InterSystems
status in any of its spellings, a line of a trace, an error text, or a code of SSH or SFTP.
"""

import difflib
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache

import msgspec
from msgspec import Struct

from tracelens import rules
from tracelens.libssh2 import messages, trace_mask
from tracelens.ssh import codes
from tracelens.ssh.codes import Code

STATUS_BASE = 0x80101000
"""An InterSystems status for SSH is this number plus libssh2's error number without its sign."""

_LONGEST = 2000
_TRACE_IT = trace_mask.objectscript(511)


class Section(Struct, frozen=True):
    """A heading and its lines; each line is a paragraph of its own and not wrapped."""

    heading: str
    lines: tuple[str, ...]


class Explanation(Struct, frozen=True, rename={"body": "sections"}):
    """One page.

    Attributes:
        title: the proper name of what the query is about.
        kind: `finding`, `libssh2-error`, `intersystems-status`, `error-text`, `trace-line`, `ssh-disconnect`,
            `channel-open-failure` or `sftp-status`.
        body: the page itself.
        see_also: what `explain` takes too and leads on from here, mostly finding ids.
    """

    title: str
    kind: str
    body: tuple[Section, ...]
    see_also: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """The page as plain data."""
        plain: dict[str, object] = msgspec.json.decode(msgspec.json.encode(self))
        return plain

    def to_text(self, width: int = 100) -> str:
        """The page as plain text, wrapped; a finding's page keeps its own lines."""
        wrap = textwrap.TextWrapper(width, initial_indent="  ", subsequent_indent="    ").wrap
        blocks = [self.title]
        for part in self.body:
            finding = self.kind == "finding"
            lines = part.lines if finding else [piece for line in part.lines for piece in wrap(line)]
            blocks.append("\n".join([part.heading, *lines] if part.heading else lines))
        if self.see_also:
            blocks.append("\n".join(["See also", *(f"  {name}" for name in self.see_also)]))
        return "\n\n".join(blocks) + "\n"


class _Family(Struct, frozen=True):
    """The codes of one protocol: how to spell a query for one, and which findings they lead to."""

    kind: str
    spoken: str
    table: Mapping[int, Code]
    query: re.Pattern[str]
    about: str
    see: Mapping[int, tuple[str, ...]]
    otherwise: tuple[str, ...]
    notes: Mapping[int, str]


_N = r"[\s:=(#]*(?:(?:reason|code|status|failure)[\s:=(#]*)*([0-9]{1,3})(?![0-9])"
_FAMILIES = (
    _Family(
        "ssh-disconnect",
        "disconnect",
        codes.DISCONNECT_REASONS,
        re.compile(r"\bdisconnect(?:ing|ed)?\b" + _N, re.IGNORECASE),
        "The reason that one side gives when it ends an SSH connection (packet 1). In a trace, `Disconnect(n): text` "
        "is the server's and carries its own words; `Disconnecting: reason=n` is the client's goodbye.",
        {
            2: ("auth-too-many-failures", "transport-server-disconnect"),
            3: ("kex-server-disconnect", "kex-no-common-algorithm"),
            5: ("transport-mac-invalid",),
            8: ("banner-version-unsupported",),
            9: ("kex-hostkey-unverified",),
            14: ("auth-too-many-failures",),
        },
        ("transport-server-disconnect",),
        {
            2: "OpenSSH also sends it for too many failed logins: the text beside it tells.",
            11: "libssh2 sends it itself at the end of every session: no failure.",
        },
    ),
    _Family(
        "sftp-status",
        "SFTP status",
        codes.SFTP_STATUSES,
        re.compile(
            r"(?:\b(?:sftp|(?:ssh_)?fxp?)[\s_]*(?:error|status)|\bsftp\b|\A(?:status|fxp?\b))" + _N, re.IGNORECASE
        ),
        "The status with which an SFTP server ends an operation. libssh2 reports it as error -31 and keeps it for "
        "libssh2_sftp_last_error(), there named LIBSSH2_FX_...; the server's sentence stands only in the hex dumps "
        "(mask bit 2).",
        {0: (), 1: ("noise-sftp-end",), 3: ("sftp-permission-denied",)}
        | dict.fromkeys((2, 10), ("sftp-no-such-file",))
        | dict.fromkeys((14, 15), ("sftp-no-space",)),
        ("sftp-operation-failed",),
        {
            1: "Reading a file or a folder always ends with it: no failure.",
            4: "The catch-all: a full disk, a target that exists, a folder that is not empty. Only the server's "
            "sentence says which.",
        },
    ),
    _Family(
        "channel-open-failure",
        "channel open failure",
        codes.OPEN_FAILURES,
        re.compile(r"\b(?:channel[\s_-]*)?open[\s_-]*fail(?:ure|ed)\b" + _N, re.IGNORECASE),
        "The reason with which a server refuses to open a channel (packet 92); libssh2 reports error -21.",
        {},
        ("channel-open-refused",),
        {2: "OpenSSH also answers so where MaxSessions is used up, or 0."},
    ),
)

_HEX = re.compile(r"(?<![0-9A-Za-z])(?:0x)?(?:F{8})?(80101[0-9A-F]{3})(?![0-9A-Za-z])", re.IGNORECASE)
_DECIMAL = re.compile(r"(?<![0-9.])(-?[0-9]{10,20})(?![0-9])")
_STATUS_TEXT = re.compile(r"\[[0-9A-F]{8,16}\]:\s*(.+?)\s*\[[0-9A-F]{8,16}\]", re.IGNORECASE)
_PLACE = re.compile(r"Session\.cpp:[0-9]+")
_PAIR = re.compile(r"(?:Failure Event:\s*|^\s*)(-?[0-9]{1,3}) - (.+?)\s*(?:\[libssh2\]|=> |$)", re.MULTILINE)
_LINE = re.compile(r"\b(" + "|".join(bit.context for bit in trace_mask.BITS) + r"): (.+)")
_NUMBER = re.compile(
    r"(?:libssh2)?[\s_]*(?:error|err|errno|rc|code)?[\s:=#(\[]*(-?)\s?([0-9]{1,2})[\s)\].,;:]*", re.IGNORECASE
)
_CODE_NEARBY = re.compile(r"(?<![\w.])(-[0-9]{1,2})(?![0-9.])")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]+")


def explain(query: str) -> Explanation | None:
    """What `query` means.

    Returns:
        The page, None where nothing is known about it (`suggest` then has the nearest things that are).
    """
    query = query.strip().strip("`'\"").strip()[:_LONGEST]
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


@cache
def _suggestions() -> tuple[str, ...]:
    tables = [codes.LIBSSH2_ERRORS, *(family.table for family in _FAMILIES)]
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
    return _error_page("intersystems-status", code, text, lead)


def _read_pair(query: str) -> Explanation | None:
    found = _PAIR.search(query)
    if found is None or int(found[1]) > 0:
        return None
    return _error_page("trace-line", int(found[1]), found[2], ())


def _read_family(query: str) -> Explanation | None:
    for family in _FAMILIES:
        found = family.query.search(query)
        if found and int(found[1]) in family.table:
            return _family_page(family, int(found[1]))
    return None


def _read_number(query: str) -> Explanation | None:
    found = _NUMBER.fullmatch(query)
    if found is None or -int(found[2]) not in codes.LIBSSH2_ERRORS:
        return None
    number = int(found[2])
    page = _error_page("libssh2-error", -number, "", ())
    if found[1] or not number:
        return page
    others = [(family, family.table[number]) for family in _FAMILIES if number in family.table]
    lines = [f"{family.spoken} {number}: {code.name}. {code.meaning}" for family, code in others]
    lines.insert(0, f"libssh2's errors are negative: {number} was read as -{number}.")
    see = (f"{family.spoken} {number}" for family, _ in others)
    body = (*page.body, Section("If another number was meant", tuple(lines)))
    return Explanation(page.title, page.kind, body, (*page.see_also, *see))


def _read_name(query: str) -> Explanation | None:
    words = [query.rstrip(". ")] if _NAME.fullmatch(query.rstrip(". ")) else []
    words += [word for word in _NAME.findall(query) if "_" in word]
    pages = (_page_of_name(word.upper(), begins=query.endswith("..")) for word in words)
    return next((page for page in pages if page), None)


def _read_text(query: str) -> Explanation | None:
    text = messages.error_text_in(query)
    if text is None:
        return None
    nearby = [int(code) for code in _CODE_NEARBY.findall(query) if int(code) in codes.LIBSSH2_ERRORS]
    possible = nearby[:1] or messages.codes_for(text)
    return _error_page("error-text", possible[0] if len(possible) == 1 else None, text, ())


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


_READERS = (
    _read_finding,
    _read_reason,
    _read_status,
    _read_pair,
    _read_family,
    _read_number,
    _read_name,
    _read_text,
    _read_line,
)

# Pages.


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


def _error_page(kind: str, code: int | None, text: str, lead: Iterable[str]) -> Explanation:
    known = codes.libssh2_error(code) if code is not None else None
    named = f"{known.name} ({code})" if known else f"libssh2 error {code}" if code is not None else ""
    readings = messages.readings(code, text)
    means = _lines(code, ((reading.codes, [" ".join(reading.means)]) for reading in readings))
    if text and code is None and None in messages.codes_for(text):
        means.append("With -37: nothing at all; it was tried again, and is never the final cause.")
    iris = _lines(code, ((reading.codes, reading.iris) for reading in readings))
    c = _lines(code, ((reading.codes, reading.c) for reading in readings))
    trace_c = f"{trace_mask.c_call(511)} collects the lines before it; libssh2_session_last_error() has the text."
    body = (
        Section("What it is", (*lead, *_of_number(code, text, known))),
        Section("What it means", tuple(means)),
        _to_do("InterSystems IRIS and Caché", iris, f"{_TRACE_IT} before Connect collects what led to it."),
        _to_do("other programs (libssh2's C names)", c, trace_c),
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


def _lines(code: int | None, advice: Iterable[tuple[tuple[int, ...], Sequence[str]]]) -> list[str]:
    """All lines of advice; where the code is not known, with the codes that each is about."""
    about = (
        ("" if code is not None or not of else f"With {' or '.join(map(str, of))}: ", lines) for of, lines in advice
    )
    return [lead + line for lead, lines in about for line in lines]


def _family_page(family: _Family, number: int) -> Explanation:
    code = family.table[number]
    lines = [f"{code.name} ({number}): {code.meaning}", family.about]
    if number in family.notes:
        lines.append(family.notes[number])
    body = (
        Section("What it is", tuple(lines)),
        Section("How to see more", (f"{_TRACE_IT} before Connect", trace_mask.c_call(511))),
    )
    see = family.see.get(number, family.otherwise)
    return Explanation(f"{family.spoken} {number}: {code.name}", family.kind, body, see)


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
    family = next((family for family in _FAMILIES if family.kind == kind), None)
    return _family_page(family, number) if family else _error_page(kind, number, "", ())


_PREFIXES = ("", "LIBSSH2_ERROR_", "LIBSSH2_", "SSH_DISCONNECT_", "SSH_FX_", "SSH_OPEN_", "SSH_")


@cache
def _names() -> dict[str, tuple[str, int]]:
    """Each name of a code, older names that libssh2 gave to a number too: kind of page and number."""
    found = {code.name: ("libssh2-error", number) for number, code in codes.LIBSSH2_ERRORS.items()}
    for row in messages.rows():
        if row.kind == "error" and row.code is not None:
            found.setdefault(row.context, ("libssh2-error", row.code))
    for family in _FAMILIES:
        found |= {code.name: (family.kind, number) for number, code in family.table.items()}
    return found
