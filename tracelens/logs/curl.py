"""The output of `curl -v` or `curl --trace-ascii` of an SSH transfer -> events of one or more connections.

* SSH authentication methods available: publickey,password
-> Event("methods_offered", {"names": ("publickey", "password")})
"""

import re
from collections.abc import Iterable, Iterator

from tracelens.logs.client_lines import lines, runs_of
from tracelens.logs.client_texts import parse
from tracelens.logs.model import Event, Run, Stamp

PROGRAM = "curl -v"

# A line of curl's own words, also at the end of a row of its progress meter; its clock, if it shows one.
_LINE = re.compile(
    r"(?:^|[0-9kMGT:-] *)(?:(\d\d:\d\d:\d\d\.\d{6}|\d{9,10}\.\d{6}) (?:\[[\d-]{1,9}\] )?)?"
    r"(?:== Info: |\* {1,3})(\S.*)$",
    re.DOTALL,
)
_LAST = re.compile(r"(?:^|\s)curl: \((\d{1,3})\) (.*)$", re.DOTALL)
_LOOK = re.compile(
    rb"(?:(?:== Info: |\* {1,3})(?:SSH(?: |: )|Failure establishing ssh session|Failure initiali[sz]ing ssh session)|"
    rb"\b(?:sftp|scp)://|(?:== Info: |\* {1,3})(?:Trying |Connected to |Could not resolve host)|^curl: \(\d{1,3}\) )",
    re.MULTILINE,
)
# What only a connection for SSH shows; curl prints the rest for HTTP as well.
_IS_SSH = (
    "session_failed", "fingerprint", "host_key_refused", "host_key_checked", "methods_offered", "authenticated",
    "denied", "sftp_failed", "authenticated_none", "private_key_file",
)  # fmt: skip
_OTHER = re.compile(r"(?i)\b(?:ALPN|TLS|SSL|HTTP/|GET /|Server auth using|Request completely sent)")


def looks_like(head: bytes) -> bool:
    """Whether the first bytes of a file may be of such a log; its runs tell."""
    return _LOOK.search(head) is not None


def runs(blocks: Iterable[bytes]) -> list[Run]:
    """The connections in a log, in order; none where nothing of them is for SSH."""
    found = runs_of(PROGRAM, events(blocks), _begins)
    other = any(run.has("other") for run in found)
    return [run for run in found if run.has(*_IS_SSH) or (not other and _never_came(run))]


def _never_came(run: Run) -> bool:
    """Whether the log shows a connection that did not come so far as to say what it is for."""
    return run.has("connected", "connect_failed", "not_resolved", "trying")


def _begins(run: Run, event: Event) -> bool:
    """Whether the event begins another connection: after the end of one, or after the exit status."""
    ended = run.has("ended", "closing")
    return event.name in ("trying", "connected") and (ended or run.has("connected"))


def events(blocks: Iterable[bytes]) -> Iterator[Event]:
    """The events of a log, `other` for what curl says of another protocol; lines without its mark are left out."""
    for number, line in lines(blocks):
        for part in line.split("\r"):
            yield from events_of(number, part)


def events_of(number: int, line: str) -> Iterator[Event]:
    """What one line of curl says: nothing, an event, or two where it also ends the run."""
    last = _LAST.search(line)
    if last is not None:
        name, fields = parse("curl_verbose", last[2])
        if name != "unknown":  # with -sS it is the only line
            yield Event(number, None, "", name, fields, last[0].strip())
        yield Event(number, None, "", "ended", {"status": int(last[1]), "message": last[2].strip()}, last[0].strip())
        return
    found = _LINE.search(line)
    if found is None:
        return
    name, fields = parse("curl_verbose", found[2])
    if name != "unknown":
        yield Event(number, _stamp(found[1]), "", name, fields, found[2])
    elif _OTHER.search(found[2]):
        yield Event(number, None, "", "other", {}, "")


def _stamp(clock: str | None) -> Stamp | None:
    """The time that `--trace-time` prints; a time of day has no date."""
    if clock is None:
        return None
    if ":" not in clock:
        return Stamp(float(clock), 0, True, 1e-6)
    hours, minutes, seconds = clock.split(":")
    return Stamp(int(hours) * 3600 + int(minutes) * 60 + float(seconds), None, False, 1e-6)
