"""The output of OpenSSH's `ssh -v` to `-vvv`, alone or under sftp and scp -> events of one or more runs.

debug1: Offering public key: /home/devi/.ssh/id_rsa RSA SHA256:jfJn... explicit
-> Event("key_offered", {"key": "/home/devi/.ssh/id_rsa RSA SHA256:jfJn... explicit"})
"""

import re
from collections.abc import Iterable, Iterator

from tracelens.logs.client_lines import lines, runs_of
from tracelens.logs.client_texts import parse
from tracelens.logs.model import Event, Run

PROGRAM = "ssh -v"

# What stands before a text: a clock's time or another program's prefix, which program says it, and how detailed it is.
_LEVEL = re.compile(r"^(?:[^\n]{0,80}?\s)??(?:(?:scp|sftp|ssh): )?(debug[123]): ?(.*)$", re.DOTALL)
_CLOCK = re.compile(
    r"^[\[(]?(?:\d{4}-\d\d-\d\d[T ]|[A-Z][a-z]{2} [ \d]\d )?\d\d:\d\d:\d\d(?:[.,]\d{1,9})?\S{0,6}[\])]? +"
)
# A line without a level that begins a run, or belongs to it.
_BEGINS = ("started", "connecting", "program_run")
_KEY = re.compile(
    r"(?:^|\s)(?:([A-Za-z0-9_@.-]+)\s+)?((?:SHA256|MD5):\S{10,128}|(?:[0-9a-f]{2}:){15}[0-9a-f]{2})(?=\s|$)"
)
_TYPES = {"RSA": "ssh-rsa", "DSA": "ssh-dss", "ED25519": "ssh-ed25519", "ECDSA": "ecdsa-sha2-nistp256"}


_LOOK = re.compile(
    rb"^(?:[^\n]{0,80}? )??(?:debug1: (?:Connecting to |Connection established|Authenticating to |Local version string "
    rb"SSH-|kex: |Next authentication method: )|OpenSSH_[\w.]{1,40}[^\n]{0,80}, (?:OpenSSL|LibreSSL|without))",
    re.MULTILINE,
)


def looks_like(head: bytes) -> bool:
    """Whether the first bytes of a file are of such a log; sshd's own debug lines are not."""
    return _LOOK.search(head) is not None and b"debug1: sshd version" not in head and b"[preauth]" not in head


def runs(blocks: Iterable[bytes]) -> list[Run]:
    """The runs of the program in a log, in order; a run of ssh begins where it names its version or connects.

    Args:
        blocks: text in an encoding that contains ASCII, as `inputs.read_text` gives it.
    """
    found = runs_of(PROGRAM, events(blocks), _begins)
    return [
        run
        for run in found
        if run.has("connecting", "connect_given_up", "banner_received", "refused", "agreed_kex", "authenticated")
    ]


def _begins(run: Run, event: Event) -> bool:
    """Whether the event begins another run: the version comes first, then the address; of these the first counts."""
    if event.name not in _BEGINS:
        return False
    if event.name == "connecting":
        # One run tries the addresses of a host in turn.
        return run.has("connected")
    return not run.names <= {"started", "program_run"}


def events(blocks: Iterable[bytes]) -> Iterator[Event]:
    """The events of a log; lines without a known text are left out."""
    for number, line in lines(blocks):
        level, text = "", line
        if found := _LEVEL.match(line):
            level, text = found[1], found[2]
        else:
            text = _CLOCK.sub("", line, count=1)
        name, fields = parse("ssh_verbose", text)
        if name != "unknown":
            yield Event(number, None, level, name, fields, text)


def key(text: str, kind: str = "") -> tuple[str, str]:
    """A key's algorithm and fingerprint, each empty where nothing names it.

    Args:
        text: names the key: its file, its type, its fingerprint.
        kind: the type where the text does not name it.
    """
    found = _KEY.search(text)
    if found is None:
        return _TYPES.get(kind, kind), ""
    kind = (found[1] or kind).removesuffix("-CERT")
    return _TYPES.get(kind, kind), found[2]
